"""From a panel and a specification to a PyMC model."""

from oulib.model.build import build_model

__all__ = ["build_model"]
