# ruff: noqa: F401 - what the package offers
"""The page on reading chains."""

from oulib.chapters.chains import analysis, figures, sentences
