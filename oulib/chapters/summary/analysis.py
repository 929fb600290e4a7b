"""What the summary of a panel rests on: which models were asked, what surveys tell, what next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from oulib.chapters.next_survey.analysis import Design, current, formula
from oulib.model.spec import CONCLUDING
from oulib.panel import Panel
from oulib.posterior.checks import Verdict
from oulib.posterior.effects import effects, raw_effect
from oulib.posterior.estimate import SAMPLES, Estimate, Update, estimate, update
from oulib.posterior.latent import Reliability, recover_latent, reliability
from oulib.posterior.predict import prior_draws
from oulib.sampling.fit import Fit


def asked(chosen: Fit | None, before: Sequence[Verdict], verdict: Verdict) -> pd.DataFrame:
    """The models in the order in which they were asked, and what each failed; index ``model``.

    Columns ``sampled``, ``adequate`` (the whole licence), ``failed``, names of checks, ``reason``
    for a model that does not apply, and ``part``, the units that it was asked of if it cannot
    describe those and was not fitted to all, else 0.
    ``chosen`` and ``before`` are those of :meth:`oulib.report.chapter.Chapter.licensed`, and
    ``verdict`` is that of ``chosen``.
    """
    verdicts = [*before, *([] if chosen is None else [verdict])]
    return pd.DataFrame(
        {
            "sampled": [one.sampled for one in verdicts],
            "adequate": [one.passed for one in verdicts],
            "failed": [tuple(check.name for check in one.failed) for one in verdicts],
            "reason": [one.inapplicable or "" for one in verdicts],
            "part": [one.part for one in verdicts],
        },
        index=pd.Index([one.model for one in verdicts], name="model"),
    )


def unasked(table: pd.DataFrame) -> list[str]:
    """Models that come before the last of :func:`asked` in the order and are not in it."""
    order = [spec.name for spec in CONCLUDING]
    last = max((order.index(name) for name in table.index if name in order), default=-1)
    return [name for name in order[: last + 1] if name not in table.index]


@dataclass(frozen=True)
class Headline:
    """What is concluded of the average OU, for ``points`` more of the raw score.

    ``percent`` is the change of productivity, ``relevant`` the probability that it is at least
    ``size`` per cent in either direction.
    """

    points: float
    percent: Estimate
    relevant: float
    size: float


def headline(fit: Fit, *, points: float, relevant: float) -> Headline:
    """The average effect, on the raw scale; ``relevant`` is the size in per cent that matters."""
    row = effects(fit, relevant=relevant, points=points).loc["(mean)"]
    found = estimate(raw_effect(fit, points * fit.posterior["mu_beta"]))
    return Headline(points, found, float(row["prob_relevant"]), relevant)


@dataclass(frozen=True)
class Support:
    """What the conclusion rests on: the slope beside its prior, and how reliable a survey is."""

    slope: Update
    survey: Reliability
    surveys: int
    ous: int


def support(fit: Fit) -> Support:
    """What the average slope rests on."""
    prior = prior_draws(fit, ["mu_beta"])["mu_beta"]
    return Support(
        slope=update(fit.posterior["mu_beta"], prior),
        survey=reliability(fit),
        surveys=len(fit.panel.survey_rows),
        ous=len(fit.panel.ous),
    )


def worth(fit: Fit, *, points: float) -> pd.DataFrame:
    """What other surveys would tell of the average effect, by the closed form of ``eq-plan``.

    A row a design, the present one first: columns ``waves`` and ``respondents`` (of a median OU's
    survey), ``width``, that of the 90% interval of the change of productivity in per cent for
    ``points`` more of the score, and ``share`` of the present width.
    """
    now = current(fit.panel)
    months = len(fit.panel.months)
    designs = {
        "as now": now,
        "twice the waves": Design(min(2 * now.waves, months), now.respondents),
        "twice the respondents": Design(now.waves, 2 * now.respondents),
        "both": Design(min(2 * now.waves, months), 2 * now.respondents),
        "a wave every month": Design(months, now.respondents),
    }
    scale = fit.panel.scale
    at = float(fit.posterior["mu_beta"].mean())
    rows = {}
    for name, design in designs.items():
        sd = formula(fit, design)["sd"]
        low, high = (
            np.expm1(points * scale.s_y / scale.s_x * (at + z * sd)) for z in (-1.6449, 1.6449)
        )
        rows[name] = {
            "waves": design.waves,
            "respondents": round(design.respondents),
            "width": float(100 * (high - low)),
        }
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("surveys")
    return table.assign(share=table["width"] / table["width"].iloc[0])


def over_time(panel: Panel) -> xr.Dataset:
    """Quartiles of outcome and score over OUs by month, on their raw scales, (quartile, month).

    ``productivity`` and ``survey``; NaN in months without rows, or without surveys.
    """
    grid = np.full((2, len(panel.ous), len(panel.months)), np.nan)
    ou, month = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    grid[0, ou, month] = panel.rows["productivity"].to_numpy()
    grid[1, ou, month] = panel.rows["survey"].to_numpy()
    quartiles = np.full((2, 3, len(panel.months)), np.nan)
    for which in range(2):
        some = np.flatnonzero(np.isfinite(grid[which]).any(axis=0))
        quartiles[which][:, some] = np.nanquantile(grid[which][:, some], [0.25, 0.5, 0.75], axis=0)
    dims, coords = ("quartile", "month"), {"month": list(panel.months)}
    return xr.Dataset(
        {
            name: (dims, values)
            for name, values in zip(("productivity", "survey"), quartiles, strict=True)
        },
        coords=coords,
    )


@dataclass(frozen=True)
class Cover:
    """One unit's months on their raw scales, and what the licensed model makes of them.

    ``months`` has ``productivity``, ``survey`` (NaN where there is none) and, with a model,
    ``score`` by ``quantile`` (5, 50 and 95%), all by ``at``, the index of the month on the
    panel's grid.  ``line`` is productivity by ``quantile`` over ``score``, through the middle of
    the unit's months with a survey; None without a model, or with fewer than two such months.
    """

    ou: int
    months: xr.Dataset
    line: xr.DataArray | None


def cover(panel: Panel, fit: Fit | None, *, seed: int = 0) -> Cover:
    """The unit of the first page: one of those with many surveys, and a slope like the average.

    Of the units with as many surveys as the median one it has the slope nearest to the average;
    without a model it is the one with the most surveys.
    """
    rows = panel.rows
    ou = rows["ou_idx"].to_numpy()
    waves = np.bincount(ou[panel.survey_rows], minlength=len(panel.ous))
    if fit is None:
        chosen = int(waves.argmax())
    else:
        distance = abs(fit.posterior["beta"] - fit.posterior["mu_beta"]).mean(SAMPLES).to_numpy()
        distance[waves < np.median(waves)] = np.inf
        chosen = int(distance.argmin())
    own = np.flatnonzero(ou == chosen)
    months = xr.Dataset(
        {name: ("at", rows[name].to_numpy()[own]) for name in ("productivity", "survey")},
        coords={"at": rows["month_idx"].to_numpy()[own]},
    )
    if fit is None:
        return Cover(chosen, months, None)
    scale, quantiles = panel.scale, [0.05, 0.5, 0.95]
    path = scale.m_x + scale.s_x * recover_latent(fit, rows=own, draws=1000, seed=seed)
    score = path.quantile(quantiles, SAMPLES).rename(row="at").drop_vars("row", errors="ignore")
    months["score"] = score.transpose("quantile", "at").assign_coords(at=months["at"])
    seen = np.intersect1d(own, panel.survey_rows)
    if seen.size < 2:
        return Cover(chosen, months, None)
    x, y = rows["x"].to_numpy()[seen], rows["y"].to_numpy()[seen]
    at = xr.DataArray(np.linspace(x.min(), x.max(), 40), dims="score")
    straight = y.mean() + fit.posterior["beta"].isel(ou=chosen) * (at - x.mean())
    line = np.exp(scale.m_y + scale.s_y * straight.quantile(quantiles, SAMPLES))
    return Cover(chosen, months, line.assign_coords(score=scale.m_x + scale.s_x * at.to_numpy()))
