# ruff: noqa: F401 - what the package offers
"""Chapter 04: months that remember."""

from oulib.chapters.ar1 import analysis, figures, sentences
