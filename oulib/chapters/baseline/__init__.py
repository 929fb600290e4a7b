# ruff: noqa: F401 - what the package offers
"""Chapter 02: the baseline in its forms."""

from oulib.chapters.baseline import analysis, figures, sentences
