# ruff: noqa: F401 - what the package offers
"""Chapter 08: what the slopes amount to."""

from oulib.chapters.findings import analysis, figures, sentences
