# ruff: noqa: F401 - what the package offers
"""Chapter 06: surveys that go missing for a reason."""

from oulib.chapters.mnar import analysis, figures, sentences
