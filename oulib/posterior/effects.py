"""What the slopes mean in the units of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import pandas as pd
import xarray as xr

from oulib.posterior.checks import Verdict
from oulib.posterior.estimate import SAMPLES, Estimate, estimate
from oulib.sampling.fit import Fit


def raw_effect(fit: Fit, beta: xr.DataArray) -> xr.DataArray:
    """Per cent change of productivity that goes with one more raw survey point.

    100 (exp((s_y / s_x) beta) - 1), for any draws of a slope; equation
    (2.13) (``eq-raw``).
    """
    scale = fit.panel.scale
    return 100 * xr.ufuncs.expm1(scale.s_y / scale.s_x * beta)


def typical_move(fit: Fit) -> float:
    """A change of the raw survey score that happens: the sd of an OU's own scores over months.

    The posterior mean of s_x sigma_x, rounded to two digits; a whole point may be far more than
    any score ever moves.
    """
    move = float(fit.panel.scale.s_x * fit.posterior["sigma_x"].mean())
    return float(f"{move:.2g}")


def effects(
    fit: Fit, *, relevant: float = 1.0, points: float = 1.0, level: str = "ou"
) -> pd.DataFrame:
    """A row an OU (or a site), and one for the population mean: slope and raw-scale effect.

    Args:
        fit: the fit.
        relevant: smallest change of productivity, in per cent, that would matter in practice.
        points: the change of the raw survey score that the effect is stated for.
        level: ``"ou"``, or ``"site"`` in a model with a site level: the mean slope of its OUs.

    Returns:
        Columns ``site`` (of an OU), ``beta``, ``beta_q5``, ``beta_q95``, ``percent``,
        ``percent_q5``, ``percent_q95``, ``prob_positive``, ``prob_up`` and ``prob_down`` (that the
        change is at least ``relevant`` per cent in that direction) and ``prob_relevant`` (in
        either); index ``ou`` or ``site``, the population as ``(mean)``.
    """
    mean = fit.posterior["mu_beta"]
    slopes = mean + fit.posterior["beta_site"] if level == "site" else fit.posterior["beta"]
    beta = xr.concat([mean.expand_dims({level: ["(mean)"]}), slopes], dim=level)
    percent = raw_effect(fit, points * beta)

    def quantile(values: xr.DataArray, q: float) -> np.ndarray:
        return values.quantile(q, dim=SAMPLES).to_numpy()

    site = ["", *(fit.panel.sites[s] for s in fit.panel.site_idx)] if level == "ou" else None
    table = pd.DataFrame(
        {
            "beta": beta.mean(SAMPLES).to_numpy(),
            "beta_q5": quantile(beta, 0.05),
            "beta_q95": quantile(beta, 0.95),
            "percent": percent.mean(SAMPLES).to_numpy(),
            "percent_q5": quantile(percent, 0.05),
            "percent_q95": quantile(percent, 0.95),
            "prob_positive": (beta > 0).mean(SAMPLES).to_numpy(),
            "prob_up": (percent >= relevant).mean(SAMPLES).to_numpy(),
            "prob_down": (percent <= -relevant).mean(SAMPLES).to_numpy(),
            "prob_relevant": (abs(percent) >= relevant).mean(SAMPLES).to_numpy(),
        },
        index=pd.Index(beta[level].to_numpy(), name=level),
    )
    if site is not None:
        table.insert(0, "site", site)
    return table


@dataclass(frozen=True)
class Slope:
    """A slope on both scales: ``beta`` is standardised.

    ``percent`` is the change of productivity with ``points`` more of the raw score.
    """

    beta: Estimate
    percent: Estimate
    points: float


def average_slope(fit: Fit) -> Slope:
    """The slope of the average OU, mu_beta, and what goes with a :func:`typical_move`."""
    beta, points = fit.posterior["mu_beta"], typical_move(fit)
    return Slope(estimate(beta), estimate(raw_effect(fit, points * beta)), points)


@dataclass(frozen=True)
class SlopesOfOus:
    """How the slopes of ``ous`` OUs lie about zero.

    For ``above`` and ``below`` of them the 90% interval lies on that side of zero, and by their own
    probabilities ``wrong`` of these have the other sign, in expectation.  The slope that is the
    largest in size belongs to ``largest``, whose effect is ``percent``, with a 90% interval from
    ``low`` to ``high``, in the unit of the table's ``percent``.
    """

    ous: int
    above: int
    below: int
    wrong: float
    largest: str
    percent: float
    low: float
    high: float


def slopes_of_ous(table: pd.DataFrame) -> SlopesOfOus:
    """How slopes lie about zero, from :func:`effects`."""
    ous = table.drop(index="(mean)")
    above, below = ous["beta_q5"] > 0, ous["beta_q95"] < 0
    sure = ous["prob_positive"].clip(lower=1 - ous["prob_positive"])
    largest = ous["beta"].abs().idxmax()
    percent, low, high = ous.loc[largest, ["percent", "percent_q5", "percent_q95"]]
    return SlopesOfOus(
        ous=len(ous),
        above=int(above.sum()),
        below=int(below.sum()),
        wrong=float((1 - sure[above | below]).sum()),
        largest=str(largest),
        percent=float(percent),
        low=float(low),
        high=float(high),
    )


def by_model(tried: Mapping[str, tuple[object, Verdict]], *, points: float = 1.0) -> pd.DataFrame:
    """What each model would conclude of the average slope, and what it failed; index ``model``.

    Args:
        tried: fits, or what stands in their place, with their verdicts, by name.
        points: the change of the raw survey score that the effect is stated for.

    Returns:
        Columns ``beta``, ``percent``, ``percent_q5``, ``percent_q95`` and ``prob_positive`` of the
        average OU, NaN where a model was not sampled; ``sampled`` and ``adequate``; ``failed``, the
        names of the checks; ``part``, how many OUs a model was asked of that was given up, else 0.
    """
    rows = {}
    for name, (fit, verdict) in tried.items():
        found: dict[str, object] = {"sampled": verdict.sampled, "adequate": verdict.passed}
        if verdict.sampled:
            drawn = cast("Fit", fit)  # what stands in the place of a fit was not sampled
            beta = drawn.posterior["mu_beta"]
            percent = raw_effect(drawn, points * beta)
            found |= {"beta": float(beta.mean()), "percent": float(percent.mean())}
            found |= {f"percent_q{q}": float(percent.quantile(q / 100)) for q in (5, 95)}
            found |= {"prob_positive": float((beta > 0).mean())}
        failed = tuple(check.name for check in verdict.failed)
        rows[name] = found | {"failed": failed, "part": verdict.part}
    columns = ["beta", "percent", "percent_q5", "percent_q95", "prob_positive"]
    columns += ["sampled", "adequate", "failed", "part"]
    return (
        pd.DataFrame.from_dict(rows, orient="index").reindex(columns=columns).rename_axis("model")
    )


def readings(table: pd.DataFrame, sure: float = 0.9) -> pd.Series:
    """What each row of :func:`effects` amounts to, in a word or two.

    ``up`` and ``down`` where a relevant change of that sign has probability ``sure``;
    ``leaning up`` and ``leaning down`` where only the sign is known; ``too small to matter`` where
    it is irrelevant with that probability; ``open`` elsewhere.
    """
    up, down = table["prob_positive"] >= sure, table["prob_positive"] <= 1 - sure
    chosen = np.select(
        [
            table["prob_relevant"] <= 1 - sure,
            table["prob_up"] >= sure,
            table["prob_down"] >= sure,
            up,
            down,
        ],
        ["too small to matter", "up", "down", "leaning up", "leaning down"],
        "open",
    )
    return pd.Series(chosen, index=table.index, name="reading")


def manager_table(fit: Fit, *, relevant: float, points: float) -> pd.DataFrame:
    """The table to hand on: a row an OU, ready to read or to save as CSV.

    Columns ``site``, ``surveys`` (how many it had), ``change_percent`` of productivity for
    ``points`` more of the survey score, ``low_90`` and ``high_90``, ``prob_positive``,
    ``prob_relevant`` and ``reading``; sorted by ``change_percent``, the population first.
    """
    table = effects(fit, relevant=relevant, points=points)
    seen = fit.panel.rows["ou_idx"].to_numpy()[fit.panel.survey_rows]
    surveys = np.bincount(seen, minlength=len(fit.panel.ous))
    shown = pd.DataFrame(
        {
            "site": table["site"],
            "surveys": [int(surveys.sum()), *surveys],
            "change_percent": table["percent"],
            "low_90": table["percent_q5"],
            "high_90": table["percent_q95"],
            "prob_positive": table["prob_positive"],
            "prob_relevant": table["prob_relevant"],
            "reading": readings(table),
        }
    )
    first, rest = shown.iloc[:1], shown.iloc[1:]
    return pd.concat([first, rest.sort_values("change_percent", ascending=False)])
