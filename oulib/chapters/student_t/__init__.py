# ruff: noqa: F401 - what the package offers
"""Chapter 03: heavy tails."""

from oulib.chapters.student_t import analysis, figures, sentences
