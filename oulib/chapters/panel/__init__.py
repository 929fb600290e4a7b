# ruff: noqa: F401 - what the package offers
"""Chapter 01: the panel before any model."""

from oulib.chapters.panel import figures, sentences
