# ruff: noqa: F401 - what the package offers
"""Chapter 12: scores never seen."""

from oulib.chapters.missing import analysis, band, figures, sentences
