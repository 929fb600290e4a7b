# ruff: noqa: F401 - what the package offers
"""Chapter what the licence to interpret is worth, a part of 08."""

from oulib.chapters.licence import analysis, figures, sentences
