"""Sentences about many coefficients: what priors find and miss, how far they shrink, the cost."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from oulib.chapters.covariates.analysis import Zeros
from oulib.panel import Panel
from oulib.posterior.estimate import Update
from oulib.report.evidence import mostly_prior
from oulib.report.text import count, interval, name, names, number, percent

TITLES = {"wide": "wide", "ridge": "ridge", "ard": "ARD", "horseshoe": "horseshoe"}
"""What the priors are called in sentences and figures."""

SAME = 0.05
"""Two errors that differ by less than this share are said to be alike."""


def title(prior: str) -> str:
    """What a prior is called; its own name where it has no other."""
    return TITLES.get(prior, name(prior))


def sparse(panel: Panel) -> str:
    """What the simulated panel has: rows, covariates, and the coefficients that are not zero."""
    assert panel.truth is not None
    true = panel.truth["coef"].to_series()
    real = true[true != 0]
    listed = ", ".join(f"{name(label)} ({number(value)})" for label, value in real.items())
    return (
        f"The simulated panel has {count(panel.rows.sizes['row'], 'row')}, "
        f"{count(len(panel.ous), 'unit')} and {count(len(true), 'covariate')}. "
        f"{count(len(real), 'of them matters', 'of them matter')}: {listed}. "
        "The other coefficients are exactly zero."
    )


def found(prior: str, table: pd.DataFrame) -> str:
    """Which of the true effects a prior finds, misses and falsely claims.

    ``table`` is that of ``shrinkage.coefficients`` with the truth.
    """
    real = table[table["true"] != 0]
    got, lost = real.index[real["found"]], real.index[~real["found"]]
    false = table.index[table["found"] & (table["true"] == 0)]
    text = f"The {title(prior)} prior finds {len(got)} of {count(len(real), 'true effect')}"
    if len(got):
        text += f" ({names(got)})"
    if len(lost):
        text += f" and misses {names(lost)}"
    zeros = count(len(table) - len(real), "coefficient")
    text += f". Of the {zeros} that are zero it claims "
    return text + (f"{len(false)} ({names(false)})." if len(false) else "none.")


def by_chance(zeros: Zeros) -> str:
    """How many zeros would be claimed if every interval erred one time in ten, on its own."""
    return (
        f"With 90% intervals that err one time in ten, about "
        f"{number(zeros.coefficients / 10, 0)} of the {zeros.coefficients} coefficients that are "
        "zero would be claimed by chance."
    )


def recovered(prior: str, table: pd.DataFrame, zeros: Zeros) -> str:
    """Each true effect with its posterior mean, interval and shrinkage factor."""
    rows = table[table["true"] != 0]
    parts = [
        f"{name(label)}, in truth {number(row['true'], 3)}, comes out as {number(row['mean'], 3)} "
        f"(90% interval {interval(row['q5'], row['q95'], 3)}, shrinkage factor "
        f"{number(row['kappa'])})"
        for label, row in rows.iterrows()
    ]
    text = f"Under the {title(prior)} prior, " + "; ".join(parts) + "."
    if zeros.coefficients:
        text += (
            f" The coefficients that are zero have shrinkage factors of {number(zeros.low)} to "
            f"{number(zeros.high)}, {number(zeros.mean)} on average."
        )
    return text


def errors(table: pd.DataFrame, against: str = "wide") -> str:
    """How far off the estimates are, on the true effects and on the zeros.

    ``table`` is that of ``shrinkage.findings``.
    """
    sentences = []
    base = table.loc[against]
    for prior, row in table.iterrows():
        if prior == against:
            continue
        sentences.append(
            f"The {title(str(prior))} prior's errors are "
            f"{_change(row['error_zero'] / base['error_zero'])} on the zeros and "
            f"{_change(row['error_true'] / base['error_true'])} on the true effects."
        )
    return (
        f"Under the {title(against)} prior the posterior means are off by "
        f"{number(base['error_zero'], 3)} on the zeros and {number(base['error_true'], 3)} on the "
        "true effects (root mean square). Against that, " + _lower(" ".join(sentences))
    )


def spent(table: pd.DataFrame) -> str:
    """What each set of coefficients costs and brings, from ``shrinkage.structure``."""
    first = table.iloc[0]
    sentences = [
        f"Without covariates the model {name(table.index[0])} spends {number(first['p'], 1)} "
        "effective parameters."
    ]
    for model, row in table.iloc[1:].iterrows():
        more, columns = row["p"] - first["p"], int(row["coefficients"])
        verb = "more" if more >= 0 else "fewer"
        sentences.append(
            f"With {count(columns, 'coefficient')}, {name(model)} spends "
            f"{number(abs(more), 1)} {verb}."
        )
    return " ".join(sentences)


def effective(prior: str, found: Update) -> str:
    """The effective number of coefficients, after and before the data."""
    after, before = found.after, found.before
    text = (
        f"Under the {title(prior)} prior, {number(after.median, 1)} effective coefficients are "
        f"used (posterior median; 90% interval {interval(after.low, after.high, 1)}); before the "
        f"data, {number(before.median, 1)} were expected "
        f"({interval(before.low, before.high, 1)}). "
    )
    width = (after.high - after.low) / (before.high - before.low)
    if not before.low <= after.median <= before.high:
        return text + "The data have moved it out of the prior's interval."
    if mostly_prior(found.distance):
        return text + "What is said here is mostly the prior."
    return text + f"{percent(width)} of the width of the prior's interval is left."


def selected(prior: str, table: pd.DataFrame) -> str:
    """Which coefficients can be told from zero, where no truth is known."""
    got = table[table["found"]]
    text = (
        f"Under the {title(prior)} prior the 90% intervals of {len(got)} of "
        f"{count(len(table), 'coefficient')} exclude zero"
    )
    if got.empty:
        return text + ": there is little evidence that any of the covariates matters."
    listed = got.reindex(got["mean"].abs().sort_values(ascending=False).index)
    parts = [
        f"{name(label)} ({number(row['mean'])}, {interval(row['q5'], row['q95'])})"
        for label, row in listed.head(6).iterrows()
    ]
    more = f" and {len(listed) - 6} more" if len(listed) > 6 else ""
    return text + f": {', '.join(parts)}{more}."


def agree(tables: Mapping[str, pd.DataFrame]) -> str:
    """Whether two priors find the same coefficients."""
    (one, first), (other, second) = tables.items()
    only = {
        one: first.index[first["found"] & ~second["found"]],
        other: first.index[second["found"] & ~first["found"]],
    }
    parts = [
        f"{names(labels)} only under the {title(p)} prior"
        for p, labels in only.items()
        if len(labels)
    ]
    if not parts:
        return (
            f"The {title(one)} and {title(other)} priors tell the same coefficients from zero: "
            "the choice between them does not matter for that."
        )
    return "Told from zero are " + ", and ".join(parts) + ": for these, the prior decides."


def divergences(diverging: int, draws: int, target_accept: float) -> str:
    """How many trajectories diverged, of how many."""
    if diverging == 0:
        return (
            f"None of the horseshoe's {draws:,} draws diverged, at a target acceptance of "
            f"{number(target_accept)}."
        )
    return (
        f"Of the horseshoe's {draws:,} draws {diverging:,} diverged, at a target acceptance of "
        f"{number(target_accept)}, so its conclusions are withheld; raise target_accept."
    )


def none_named() -> str:
    """That the panel has no covariates, and how to name them."""
    return (
        "This chapter's panel was read without covariates, so there is nothing to shrink in it. "
        "If its file has further columns that may explain the outcome, name them: "
        "`covariates = [...]` in this notebook's parameters, `--covariate NAME` on the command "
        "line, or a list `covariates:` in a configuration file given with `--config`."
    )


def _change(ratio: float) -> str:
    if abs(ratio - 1) < SAME:
        return "about the same"
    if ratio > 2:
        return f"{number(ratio, 1)} times as large"
    return f"{percent(abs(ratio - 1))} {'smaller' if ratio < 1 else 'larger'}"


def _lower(text: str) -> str:
    return text[:1].lower() + text[1:]
