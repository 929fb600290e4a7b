# ruff: noqa: F401 - what the package offers
"""Chapter 10: what else is known of a row."""

from oulib.chapters.covariates import analysis, figures, sentences
