# ruff: noqa: F401 - what the package offers
"""Chapter 17: the next survey, months and OUs."""

from oulib.chapters.next_survey import analysis, budget, figures, forecast, sentences
