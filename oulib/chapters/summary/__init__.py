# ruff: noqa: F401 - what the package offers
"""Chapter 00: the panel in hand, and nothing else."""

from oulib.chapters.summary import analysis, figures, sentences
