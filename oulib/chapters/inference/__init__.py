# ruff: noqa: F401 - what the package offers
"""Chapter 11: what draws are draws of."""

from oulib.chapters.inference import analysis, figures, forms, sentences
