"""Drawing from a model: compiled models, chains that are long enough, and what is kept of them."""
