"""Sentences about which model predicts better, and what was predicted."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from arviz import ELPDData

from oulib.posterior.checks import Verdict
from oulib.posterior.compare import Difference
from oulib.posterior.leaveout import LeftOut
from oulib.report.sentences import CHECK_NAMES, gain
from oulib.report.text import count, interval, name, names, number, percent


def compared(verdicts: Mapping[str, Verdict]) -> str:
    """Which models are compared, and why the others are not."""
    passed = [label for label, verdict in verdicts.items() if verdict.sampled]
    sentences = []
    if passed:
        verb = "passes its checks and is" if len(passed) == 1 else "pass their checks and are"
        sentences.append(f"{names(passed)} {verb} compared.")
    for label, verdict in verdicts.items():
        if verdict.inapplicable:
            sentences.append(f"{name(label)} does not apply to this panel.")
        elif not verdict.sampled:
            failed = [CHECK_NAMES.get(check.name, check.name) for check in verdict.failed]
            sentences.append(
                f"{name(label)} failed ({', '.join(failed)}) and is left aside: how well draws "
                "predict says nothing about a posterior that they do not represent."
            )
    return " ".join(sentences)


def beside_waic(table: pd.DataFrame) -> str:
    """Whether WAIC tells the same as LOO; ``table`` has ``elpd``, ``waic`` and ``unstable``."""
    gap = (table["waic"] - table["elpd"]).abs()
    text = (
        f"WAIC and LOO differ by {number(gap.max(), 1)} at most (for {name(gap.idxmax())})"
        if len(table) > 1
        else f"WAIC and LOO differ by {number(gap.max(), 1)}"
    )
    if len(table) > 1:
        same = table["elpd"].rank().equals(table["waic"].rank())
        text += f" and put the models in {'the same order' if same else 'different orders'}"
    shaky = int(table["unstable"].max())
    if shaky == 0:
        return f"{text}. WAIC has no warning of its own to give."
    return (
        f"{text}. WAIC warns of itself in up to {count(shaky, 'row')}, where the log density "
        "varies too much over the posterior; LOO's Pareto k says which rows these are, and how "
        "bad it is."
    )


def weak_rows(model: str, table: pd.DataFrame, good_k: float, most: int = 10) -> str:
    """What the rows with the highest Pareto k are: outliers, or something else.

    ``table`` is that of :func:`oulib.posterior.compare.influence`, the highest k first.
    """
    high = int((table["k"] > good_k).sum())
    shown = table.iloc[: high or most]
    if high:
        text = (
            f"For {name(model)} the Pareto k of {count(high, 'row')} of {len(table):,} is above "
            f"{number(good_k)}, {number(table['k'].max())} at most. "
        )
    else:
        text = (
            f"For {name(model)} no Pareto k is above {number(good_k)}; the highest is "
            f"{number(table['k'].max())}. "
        )
    usual = float(table["residual"].abs().median())
    typical = float(shown["residual"].abs().median())
    one = len(shown) == 1
    which = "That row lies" if one else f"The {len(shown)} rows with the highest k lie"
    text += (
        f"{which} {number(typical, 1)} scales from where the model puts "
        f"{'it' if one else 'them, in the median'}; for all rows the median is {number(usual, 1)}"
    )
    if typical > 3 * usual:
        them = "It is an outlier" if one else "They are outliers"
        return f"{text}. {them}: the posterior would move if the outcome were gone."
    them = "It is no outlier" if one else "They are no outliers"
    return f"{text}. {them}: the influence comes from the place in the panel."


def refitted(model: str, before: ELPDData, after: LeftOut) -> str:
    """How far exact refits of the rows with the highest Pareto k are from the approximation."""
    k = before.pareto_k.to_numpy()
    done = np.flatnonzero((after.elpd.pareto_k.to_numpy() == 0) & (k != 0))
    if done.size == 0:
        return f"For {name(model)} no row was refitted."
    gap = (after.elpd.elpd_i - before.elpd_i).to_numpy()[done]
    text = (
        f"{name(model)} was refitted without each of the {count(done.size, 'outcome')} with the "
        f"highest Pareto k ({interval(k[done].min(), k[done].max())}). The exact log densities "
        f"differ from the approximate ones by {number(float(np.abs(gap).max()))} at most, and by "
        f"{number(float(gap.sum()))} in sum"
    )
    if abs(gap.sum()) < 1:
        text += ": the approximation holds where it was most in doubt."
    else:
        text += (
            f", so that the model's elpd is {number(after.elpd.elpd, 1)} and not "
            f"{number(before.elpd, 1)}."
        )
    left = int((k > before.good_k).sum()) - int((k[done] > before.good_k).sum())
    if left > 0:
        text += f" Another {count(left, 'row')} with a k too high stayed as they were."
    return text


def cost(*results: LeftOut) -> str:
    """What refits cost, and what it took until what is read off them might be."""
    refits = sum(len(result.refits) for result in results)
    seconds = sum(result.seconds for result in results)
    longer = sum(result.lengthened for result in results)
    text = (
        f"{count(refits, 'refit')} took {number(seconds, 0)} s of compiling and sampling when "
        "they were first computed. Each is held to the gate by what is read off it, the log "
        "density of what it has not seen"
    )
    if longer == 0:
        return text + "."
    return text + f"; {count(longer, 'of them was', 'of them were')} drawn longer until it passed."


def calibrated(model: str, pit: np.ndarray) -> str:
    """Whether left-out outcomes fall where the model expects them, from their LOO-PIT."""
    at = np.sort(pit)
    n = at.size
    steps = np.arange(1, n + 1) / n
    distance = float(max(np.max(steps - at), np.max(at - steps + 1 / n)))
    middle = float(np.mean((pit > 0.25) & (pit < 0.75)))
    outer = float(np.mean((pit < 0.005) | (pit > 0.995)))
    text = (
        f"Of the outcomes left out, {name(model)} has {percent(middle)} in the middle half of "
        f"their predictive distributions and {number(100 * outer, 1)}% in the outermost 1%. "
    )
    if distance <= band(n):
        return text + "As a whole that is as uniform as chance allows: it is calibrated."
    half = 2 * np.sqrt(0.25 / n)
    if middle > 0.5 + half:
        kind = "its predictions are too wide for most rows"
        if outer > 0.02:
            kind += " and too narrow for the outliers, which is what made them wide"
    elif middle < 0.5 - half:
        kind = "its predictions are too narrow"
    else:
        kind = f"outcomes lie {'below' if np.mean(pit) < 0.5 else 'above'} where it expects them"
    return text + f"It is not calibrated: {kind}."


def band(n: int) -> float:
    """How far the distribution function of ``n`` uniform values strays in 95% of the cases."""
    return 1.358 / np.sqrt(n)


def trap(model: str, honest: ELPDData, conditional: ELPDData, waics: tuple[float, float]) -> str:
    """What conditioning on a row's own sampled score does to LOO and WAIC.

    ``waics`` are the honest WAIC and that of the conditional densities.
    """
    rows = honest.n_data_points
    high, before = (float(np.mean(e.pareto_k.to_numpy() > 0.7)) for e in (conditional, honest))
    k, k_before = (float(np.median(e.pareto_k.to_numpy())) for e in (conditional, honest))
    text = (
        f"Scored at each row's own score, {name(model)} seems to have "
        f"{number(conditional.p, 0)} effective parameters for {rows:,} rows, where it has "
        f"{number(honest.p, 0)}; the Pareto k has a median of {number(k)} against "
        f"{number(k_before)} and is above 0.7 in {percent(high)} of the rows against "
        f"{percent(before)}. WAIC rises by {number(waics[1] - waics[0], 0)} without any better "
        "prediction of an outcome that was not seen. "
    )
    if conditional.p > 2 * honest.p:
        return text + "That is the memory of the scores, counted as skill."
    return text + (
        "On this panel the damage is small, for a row's score brings little of its variance."
    )


def ahead(step: Difference, gap: pd.Series, what: str = "month") -> str:
    """Which of two models predicts better what was left out whole, and how consistently.

    ``gap`` has a difference a place: a month, an OU.
    """
    wins = int((gap > 0).sum())
    text = f"{gain(step)} {name(step.upper)} is ahead in {wins} of {count(gap.size, what)}."
    if gap.size < 10:
        text += f" The standard error rests on {count(gap.size, what)} and is itself a rough guess."
    return text


def forecast_widths(tables: Mapping[str, pd.DataFrame]) -> str:
    """How wide the forecasts of the months' means are, and how many means they hold."""
    sentences = []
    for model, table in tables.items():
        inside = int(table["observed"].between(table["q5"], table["q95"]).sum())
        sentences.append(
            f"{name(model)} predicts a month's mean with a standard deviation of "
            f"{number(table['sd'].median())} and holds {inside} of {len(table)} in its 90% "
            "intervals"
        )
    return "; ".join(sentences) + "."
