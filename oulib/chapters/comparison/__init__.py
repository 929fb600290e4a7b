# ruff: noqa: F401 - what the package offers
"""Chapter 07: which model predicts better."""

from oulib.chapters.comparison import analysis, figures, sentences
