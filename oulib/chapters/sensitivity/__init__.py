# ruff: noqa: F401 - what the package offers
"""Chapter 16: what would change the conclusion."""

from oulib.chapters.sensitivity import analysis, figures, sentences, silence
