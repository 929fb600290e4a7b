# ruff: noqa: F401 - what the package offers
"""Chapter 09: how effects go together."""

from oulib.chapters.correlations import analysis, figures, sentences
