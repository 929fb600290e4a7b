# ruff: noqa: F401 - what the package offers
"""Chapter 15: a real panel of US states."""

from oulib.chapters.states import analysis, figures, sentences
