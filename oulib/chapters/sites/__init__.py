# ruff: noqa: F401 - what the package offers
"""Chapter 05: two levels of pooling."""

from oulib.chapters.sites import analysis, figures, sentences
