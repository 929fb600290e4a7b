# ruff: noqa: F401 - what the package offers
"""Chapter 13: what the priors say."""

from oulib.chapters.priors import analysis, figures, sentences
