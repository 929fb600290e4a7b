"""From a panel and a specification to a PyMC model; nothing is sampled here."""
