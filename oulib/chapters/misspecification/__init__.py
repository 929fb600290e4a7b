# ruff: noqa: F401 - what the package offers
"""Chapter 14: what bends slopes without any survey."""

from oulib.chapters.misspecification import analysis, figures, sentences
