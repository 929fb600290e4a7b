"""The summary in sentences: what is concluded, what is not, and what would change it."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from oulib.chapters.summary.analysis import Headline, Support
from oulib.panel.describe import Overview
from oulib.posterior.effects import SlopesOfOus
from oulib.report.evidence import mostly_prior, relevance
from oulib.report.sentences import asked_in_part, verdicts_in_words
from oulib.report.text import count, interval, name, names, number, percent


def headline(found: Headline, *, typical: bool) -> str:
    """The answer in one sentence, with its interval, and a second on whether it matters.

    ``typical``: whether its points are a typical move, and not somebody's choice.
    """
    effect, points = found.percent, f"{number(found.points, 2)} points"
    move = f"{points} higher, a typical move," if typical else f"{points} higher,"
    interval_ = f"(90% interval {interval(effect.low, effect.high, 1)}%)"
    if effect.low > 0 or effect.high < 0:
        side = "higher" if effect.mean > 0 else "lower"
        text = (
            f"**Where a unit's survey score is {move} its "
            f"productivity is {number(abs(effect.mean), 1)}% {side} on average** {interval_}."
        )
    else:
        text = (
            "**Whether productivity is higher or lower where a unit's survey score is higher is "
            f"not settled**: with {points} more{', a typical move,' if typical else ''} the "
            f"difference is {number(effect.mean, 1)}% on average {interval_}."
        )
    return f"{text} {relevance(found.relevant, number(found.size, 1))}"


def why_none(table: pd.DataFrame) -> str:
    """Why there is no answer; from ``analysis.asked``."""
    lacking = len(table[table["sampled"] | (table["part"] > 0)])
    other = len(table[table["reason"] != ""])
    caught = len(table) - lacking - other
    text = "**Nothing is concluded from this panel.** "
    if len(table) == 1:
        text += f"One model was asked, {name(table.index[0])}"
        if lacking:
            how = "it was sampled reliably, but " if table["sampled"].iloc[0] else ""
            return text + (
                f": {how}the data have something that it has no place for, named below, which "
                "could pass for an effect of the score."
            )
        if caught:
            return text + (
                ", and it was not sampled reliably: each chain might have said something else."
            )
        return text + ", and it does not apply to this panel."
    text += (
        f"None of the {len(table)} models that were asked both was sampled reliably and describes "
        "the data."
    )
    if lacking:
        text += (
            f" For {'all' if lacking == len(table) else lacking} of them the data have something "
            "that the model has no place for, named below, which could pass for an effect of the "
            "score."
        )
    if caught:
        who = f"{caught} of them {'was' if caught == 1 else 'were'} not"
        text += (
            f" {'None was' if caught == len(table) else who} sampled reliably: chains disagree, so "
            "each of them might have said something else."
        )
    return text


def data(o: Overview) -> str:
    """What is in the panel, in two sentences."""
    waves = "1 survey" if o.waves_per_ou[1] == 1 else f"{_range(o.waves_per_ou)} surveys"
    text = (
        f"{count(o.ous, 'unit')} in {count(o.sites, 'site')} over {count(o.months, 'month')}, "
        f"{count(o.rows, 'row')}; {percent(o.surveys / o.rows)} of the rows carry a survey score "
        f"({waves} a unit, with a median of {o.respondents[1]:,} respondents)."
    )
    if o.ous_without_survey:
        text += f" {count(o.ous_without_survey, 'unit')} never had one."
    if o.scheduled:
        text += (
            f" Of {count(o.scheduled, 'planned survey')} "
            f"{percent((o.answered or 0) / o.scheduled)} were answered."
        )
    return text


def whose(o: Overview, file: str, default: bool) -> str:
    """Whose panel the book is about; for the default one, what to imagine."""
    size = f"{count(o.ous, 'unit')} in {count(o.sites, 'site')}, {count(o.months, 'month')}"
    if not default:
        return f"These pages are about the panel {name(file)}: {size}."
    return (
        f"These pages are about a panel that was made up, so that the truth is known: {size}. "
        "Think of the units as the depots of a parcel service and of the sites as its regions: "
        "productivity is what a depot delivers, and the score is what its drivers and sorters "
        "answered when they were asked how work was going."
    )


def _range(pair: tuple[int, int]) -> str:
    low, high = pair
    return f"{low}" if low == high else f"{low} to {high}"


def remarks(said: Sequence[str]) -> str:
    """What is to be known of how the file was read, or that there is nothing."""
    if not said:
        return "The file was read as it stands."
    return "\n".join(f"- {name(remark)}" for remark in said)


def models(table: pd.DataFrame, chosen: str | None, unasked: Sequence[str] = ()) -> str:
    """Which models were asked, and which one speaks; from ``analysis.asked``.

    ``unasked`` are models that would have been asked before, and were not.
    """
    text = f"{_models(table, chosen)} {asked_in_part(table)}".rstrip()
    if unasked:
        others = names(unasked)
        return (
            f"{text} **This is a first answer**: {others} would have been asked "
            "before, and may replace it."
        )
    return text


def _models(table: pd.DataFrame, chosen: str | None) -> str:
    if chosen is None:
        if len(table) == 1:
            return f"One model was asked, {name(table.index[0])}, and it may not speak."
        return f"{len(table)} models were asked, and none may speak."
    if len(table) == 1:
        return f"The first model that was asked, {name(chosen)}, may speak."
    return (
        f"{len(table)} models were asked, in a fixed order; {name(chosen)} "
        "is the first that was sampled reliably and describes the panel, so everything here comes "
        "from it."
    )


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """The table of ``analysis.asked`` as the page shows it: why a model may not speak, in words."""
    said, applies = verdicts_in_words(table), table["reason"] == ""
    failed = said["failed"].where(applies, table["reason"])
    said = said.where(applies, "not asked").assign(failed=failed)
    return said.rename(columns={"adequate": "describes the panel"}).rename_axis(None)


def units(found: SlopesOfOus) -> str:
    """What may be said of single units, and how much of it will be wrong."""
    sure = found.above + found.below
    if sure == 0:
        return "The sign of the effect cannot be told for any single unit."
    text = (
        f"The sign can be told for {sure} of {count(found.ous, 'unit')}: positive for "
        f"{found.above}, negative for {found.below}. "
    )
    if found.wrong >= 0.05:
        text += (
            f"By their own probabilities, {number(found.wrong, 1)} of these signs are wrong on "
            "average."
        )
    return text.rstrip()


def not_concluded(o: Overview, found: SlopesOfOus | None) -> str:
    """What must not be read into the page."""
    points = [
        "That a higher score causes anything: units may differ in a third thing that moves both.",
        "A ranking of units: their order is partly chance.",
    ]
    if found is not None and found.above + found.below < found.ous:
        rest = found.ous - found.above - found.below
        points.append(
            f"Anything about the sign of {count(rest, 'unit')} whose interval holds zero: an "
            "unknown sign is not the same as no effect."
        )
    points.append(
        "A score for a month without a survey, as if it had been measured: such scores are "
        "estimates."
    )
    if o.scheduled is None:
        points.append(
            "That those who were not asked, or did not answer, are like the others: the file does "
            "not say which surveys were planned, so that cannot be checked."
        )
    elif (o.answered or 0) < o.scheduled:
        points.append(
            "That those who did not answer would have said the same: the answer supposes that "
            "silence does not depend on the score itself, unless a reason why it does was given."
        )
    return "\n".join(f"- {point}" for point in points)


def supposed(reason: str, twin: Headline | None) -> str:
    """That a conclusion rests on why surveys are missing, and what follows where it does not."""
    text = (
        "This supposes that surveys are missing because of what they would have said. The reason "
        f"given for that: {name(reason)}. No fit can tell it from its opposite. "
    )
    if twin is None:
        return text + "From the model that supposes the opposite nothing may be concluded here."
    effect = twin.percent
    return text + (
        f"If they are not, the same move goes with a difference of {number(effect.mean, 1)}% "
        f"(90% interval {interval(effect.low, effect.high, 1)}%)."
    )


def last_failed(model: str, failures: Sequence[str]) -> str:
    """What the last model that was asked failed, and what to try; ``failures`` are Markdown."""
    listed = "\n".join(f"- {failure}" for failure in failures)
    return (
        f"What {name(model)}, the last model that was asked, failed, and what to try:\n\n{listed}"
    )


def support(found: Support) -> str:
    """What the answer rests on, and so what would change it."""
    text = (
        f"The answer rests on {count(found.surveys, 'survey')} of {count(found.ous, 'unit')}. "
        f"{percent(found.survey.share.mean)} of the variance of a survey score is the score; the "
        "rest depends on who happened to answer."
    )
    if mostly_prior(found.slope.distance):
        return text + (
            " The data add little to what was supposed before: the answer is mostly the prior's, "
            "and another prior would change it."
        )
    return text


def worth(table: pd.DataFrame) -> str:
    """What the next surveys would buy; from ``analysis.worth``."""
    waves, respondents = (
        1 - float(table.loc[row, "share"]) for row in ("twice the waves", "twice the respondents")
    )
    text = (
        f"If all else stays as it is, the interval would be about {percent(max(waves, 0))} "
        f"narrower with twice the waves, and {percent(max(respondents, 0))} narrower with twice "
        "the respondents (by a closed form)."
    )
    if max(waves, respondents) < 0.05:
        return text + " Neither buys much."
    if waves > 1.5 * respondents:
        return text + " Ask more often rather than more people."
    if respondents > 1.5 * waves:
        return text + " Ask more people rather than more often."
    return text + " The two are worth about the same."
