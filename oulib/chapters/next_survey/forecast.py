"""Months that are still to come, and OUs without a history: productivity with its intervals.

Nobody has been asked yet, so no survey is invented: a score is what the OU and the months let one
expect.  What an OU has strayed from its expectation so far is carried forward from its own history.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from oulib.chapters.missing.analysis import crps, crps_normal
from oulib.errors import UserError
from oulib.model.draws.density import alone, expectations, noise_factor, row_density, thinned
from oulib.model.draws.generate import autoregression, residuals, standard_noise
from oulib.model.groups import time
from oulib.panel import Panel
from oulib.posterior.estimate import SAMPLES
from oulib.posterior.leaveout import LeftOut, ou_folds
from oulib.posterior.predict import new_ous as draw_new_ous
from oulib.sampling.fit import Fit

PROBS = (0.5, 0.9)
"""Of the central intervals that are checked."""
_BY_ROW = (*SAMPLES, "row")


# --- what comes


def months_ahead(
    fit: Fit, horizon: int = 6, *, draws: int | None = 1000, seed: int = 0
) -> xr.Dataset:
    """Every OU's outcome in the ``horizon`` months after the last one whose outcomes were seen.

    A month's effects go on as they have: independent ones are drawn anew, an AR(1) continues
    (:func:`continued`).  The OU's deviation starts from what its own history says of it, draw by
    draw, and goes on as its AR(1); noise comes on top.  Covariates stay as the OU had them last.

    Args:
        fit: the fit; months of its calendar without any outcome count as months to come.
        horizon: how many months.
        draws: about how many of the posterior's draws; None for all.
        seed: of the paths.

    Returns:
        ``y``, standardised, and ``productivity``, on the raw scale, dims (chain, draw, ou, month):
        joint paths, so that sums over months or OUs are forecasts, too.

    Raises:
        UserError: a horizon below 1.
    """
    if horizon < 1:
        raise UserError(f"A horizon of {horizon} months: 1 or more is needed.")
    rng = np.random.default_rng(seed)
    start = _after(fit.panel)
    panel = _extended(fit.panel, start, horizon)
    p = _extended_posterior(fit, thinned(fit.posterior, draws), panel, rng)
    y = _without_residual(fit, p, panel, rng) + _residuals_ahead(fit, p, panel, start, rng)
    return _by_month(y, panel, start, horizon)


def new_ou(
    fit: Fit,
    horizon: int = 6,
    *,
    sites: Sequence[str | None] = (None,),
    draws: int | None = 1000,
    seed: int = 0,
) -> xr.Dataset:
    """OUs that have no history, in the months of :func:`months_ahead`, dims as there.

    Level, slope, mean score, noise and deviation are drawn from the population and, in a model with
    sites, from the site.  ``sites`` has the name of each new OU's site, None for one that the panel
    does not have; the names are the labels of the dim ``ou``, that of None is ``"unknown site"``.
    Covariates are average.

    Raises:
        UserError: a site that the panel does not have, or a horizon below 1.
    """
    if unknown := sorted({str(s) for s in sites if s is not None and s not in fit.panel.sites}):
        raise UserError(f"The panel has no site {', '.join(unknown)}.")
    if horizon < 1:
        raise UserError(f"A horizon of {horizon} months: 1 or more is needed.")
    rng = np.random.default_rng([seed, 1])  # not the stream of the OUs' own draws
    start = _after(fit.panel)
    at = np.array([-1 if s is None else fit.panel.sites.index(s) for s in sites])
    labels = tuple("unknown site" if s is None else s for s in sites)
    p = _extended_posterior(
        fit, thinned(fit.posterior, draws), _extended(fit.panel, start, horizon), rng
    )
    made = draw_new_ous(fit, at, draws=draws, seed=seed)
    old = [str(name) for name in p.data_vars if "ou" in p[name].dims]
    fresh = {name: (made[name].dims, made[name].to_numpy()) for name in made.data_vars}
    p = p.drop_vars([*old, "ou"]).assign(fresh).assign_coords(ou=list(labels))
    panel = _extended(replace(fit.panel, ous=labels, site_idx=np.maximum(at, 0)), start, horizon)
    whole = replace(fit, panel=panel)
    y = _without_residual(fit, p, panel, rng) + residuals(whole, p, rng)
    return _by_month(y, panel, start, horizon)


def continued(
    path: np.ndarray, phi: np.ndarray, sigma: np.ndarray, steps: int, rng: np.random.Generator
) -> np.ndarray:
    """``steps`` more values of centred AR(1) paths, (..., step), from ``path``, (..., month).

    A path that sums to zero is a stationary one less its mean c, which is unknown: with
    q = 1'Q1 and b = 1'Q path, Q the precision matrix, c ~ N(-b / q, sigma^2 / q).  The path goes on
    from its last value plus c, and c is taken off again.  phi = 0 are independent months.
    Equation ``eq-continued``.
    """
    length = path.shape[-1]
    step = path[..., 1:] - phi[..., None] * path[..., :-1]
    q = 1 - phi**2 + (length - 1) * (1 - phi) ** 2
    b = (1 - phi**2) * path[..., 0] + (1 - phi) * step.sum(axis=-1)
    c = -b / q + sigma / np.sqrt(q) * rng.standard_normal(phi.shape)
    last, more = path[..., -1] + c, np.empty((*phi.shape, steps))
    for h in range(steps):
        last = phi * last + sigma * rng.standard_normal(phi.shape)
        more[..., h] = last - c
    return more


def _after(panel: Panel) -> int:
    """Position of the month after the last one whose outcomes were seen."""
    seen = np.isfinite(panel.rows["y"].to_numpy())
    return int(panel.rows["month_idx"].to_numpy()[seen].max()) + 1


def _later(months: Sequence[str], more: int) -> tuple[str, ...]:
    """``more`` labels after those of the calendar, at its own step."""
    number = [int(label[:4]) * 12 + int(label[5:7]) - 1 for label in months]
    step = number[1] - number[0] if len(number) > 1 else 1
    later = (number[-1] + step * h for h in range(1, more + 1))
    return tuple(f"{n // 12:04d}-{n % 12 + 1:02d}" for n in later)


def _extended(panel: Panel, start: int, horizon: int) -> Panel:
    """A panel of rows still to come alone: every OU in the months ``start`` and on."""
    calendar = (*panel.months, *_later(panel.months, max(start + horizon - len(panel.months), 0)))
    ou, month = (grid.ravel() for grid in np.mgrid[: len(panel.ous), start : start + horizon])
    nan, zero = np.full(ou.size, np.nan), np.zeros(ou.size, dtype=np.int64)
    values = {
        "ou_idx": ou,
        "month_idx": month,
        "productivity": nan,
        "survey": nan,
        "y": nan,
        "x": nan,
        "respondents": zero,
        "observed": zero.astype(bool),
    }
    if panel.has_schedule:
        values["scheduled"] = zero.astype(bool)
    rows = xr.Dataset(
        {name: ("row", array) for name, array in values.items()},
        coords={
            "ou": ("row", np.array(panel.ous, dtype=object)[ou]),
            "site": ("row", np.array(panel.sites, dtype=object)[panel.site_idx[ou]]),
            "month": ("row", np.array(calendar)[month]),
        },
    )
    if panel.covariates:
        last = np.zeros((len(panel.ous), len(panel.covariates)))  # average, if there is no row
        for g, label in enumerate(panel.ous):
            own = np.flatnonzero(panel.rows["ou"].to_numpy() == label)
            if own.size:
                last[g] = panel.rows["covariates"].to_numpy()[own[-1]]
        rows["covariates"] = (("row", "covariate"), last[ou])
        rows = rows.assign_coords(covariate=panel.rows["covariate"])
    return replace(panel, rows=rows, months=calendar, truth=None)


def _extended_posterior(
    fit: Fit, posterior: xr.Dataset, panel: Panel, rng: np.random.Generator
) -> xr.Dataset:
    """``posterior`` with ``lam`` and ``tau`` over the months of ``panel``, the new ones drawn."""
    more = len(panel.months) - posterior.sizes["month"]
    if not more:
        return posterior
    paths = {}
    for name in ("lam", "tau"):
        path = posterior[name].transpose(*SAMPLES, "month").to_numpy()
        new = continued(path, *autoregression(posterior, name), more, rng)
        if name == "tau" and fit.spec.movement == "survey_months":
            new = np.zeros_like(new)  # nobody is asked, so the score does not move
        paths[name] = ((*SAMPLES, "month"), np.concatenate([path, new], axis=-1))
    by_month = [name for name in posterior.data_vars if "month" in posterior[name].dims]
    kept = posterior.drop_vars([*by_month, "month"])
    return kept.assign(paths).assign_coords(month=list(panel.months))


def _without_residual(
    fit: Fit, p: xr.Dataset, panel: Panel, rng: np.random.Generator
) -> xr.DataArray:
    """Outcomes of all rows of ``panel`` without noise and deviation, their surveys not asked."""
    rows = np.arange(panel.rows.sizes["row"])
    expected = expectations(fit, p, rows, panel)
    x = expected.x.transpose(*_BY_ROW)
    y = expected.outcome(x + p["sigma_x"] * x.copy(data=rng.standard_normal(x.shape)))
    if fit.spec.trend:  # time goes on as the fit has counted it
        length, month = p.sizes["month"], panel.rows["month_idx"].to_numpy()
        old = time(fit.panel)
        beyond = old[0] + (old[1] - old[0]) * np.arange(length)
        off = xr.DataArray((beyond - time(panel))[month], dims="row", coords={"row": rows})
        ou = xr.DataArray(panel.rows["ou_idx"].to_numpy(), dims="row", coords={"row": rows})
        y = y + p["trend"].isel(ou=ou).drop_vars("ou", errors="ignore") * off
    return y.transpose(*_BY_ROW)


def _residuals_ahead(
    fit: Fit, p: xr.Dataset, panel: Panel, start: int, rng: np.random.Generator
) -> xr.DataArray:
    """Noise of all rows of ``panel``, and with deviations the OU's own path going on."""
    rows = np.arange(panel.rows.sizes["row"])
    ou, month = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    drawn = standard_noise(p, (rows.size,), rng)
    noise = xr.DataArray(drawn, dims=_BY_ROW, coords={"row": rows})
    factor = noise_factor(p, xr.DataArray(ou, dims="row", coords={"row": rows}))
    made = p["sigma_y"] * factor * noise
    if not fit.spec.deviations:
        return made.transpose(*_BY_ROW)
    # What history says of the first month to come: the row's density with it less that without.
    first = np.flatnonzero(month == start)
    plain = row_density(alone(fit), p, first, panel)
    given = row_density(fit, p, first, panel)
    told = given.intercept - plain.intercept, given.sigma**2 - plain.sigma**2
    mean, var = (one.transpose(*_BY_ROW).to_numpy() for one in told)
    at_start = noise_factor(p, xr.DataArray(ou[first], dims="row", coords={"row": first}))
    scale = (p["sigma_u"] * at_start).broadcast_like(given.intercept).transpose(*_BY_ROW).to_numpy()
    phi = p["phi_u"].transpose(*SAMPLES).to_numpy()[..., None]
    path = mean + np.sqrt(np.maximum(var, 0.0)) * rng.standard_normal(mean.shape)
    deviation = np.empty((len(panel.months), *path.shape))
    for t in range(start, len(panel.months)):
        deviation[t] = path
        path = phi * path + scale * rng.standard_normal(path.shape)
    found = np.moveaxis(deviation[month, :, :, ou], 0, -1)
    return (made + noise.copy(data=found)).transpose(*_BY_ROW)


def _by_month(y: xr.DataArray, panel: Panel, start: int, horizon: int) -> xr.Dataset:
    """Rows on the grid of OUs and months, on both scales."""
    values = y.to_numpy().reshape(*y.shape[:2], len(panel.ous), horizon)
    dims, labels = (*SAMPLES, "ou", "month"), list(panel.months[start : start + horizon])
    coords = {"ou": list(panel.ous), "month": labels}
    found = xr.DataArray(values, dims=dims, coords=coords)
    raw = found.copy(data=panel.scale.productivity(values))
    return xr.Dataset({"y": found, "productivity": raw})


def table(found: xr.Dataset, ous: Sequence[str] | None = None) -> pd.DataFrame:
    """Quantiles of ``productivity`` by OU and month, from either of the two functions above."""
    raw = found["productivity"] if ous is None else found["productivity"].sel(ou=list(ous))
    probs = [0.05, 0.25, 0.5, 0.75, 0.95]
    q = raw.quantile(probs, SAMPLES).transpose("ou", "month", "quantile")
    frame = pd.DataFrame(
        q.to_numpy().reshape(-1, len(probs)), columns=[f"q{round(100 * p)}" for p in probs]
    )
    index = pd.MultiIndex.from_product([q["ou"].to_numpy(), q["month"].to_numpy()])
    return frame.set_index(index.set_names(["ou", "month"]))


def widths(known: xr.Dataset, new: xr.Dataset, prob: float = 0.9) -> pd.DataFrame:
    """Width of the central interval of log productivity (sd) by month: old OUs' median, new OUs.

    A column ``with history``, and one for each OU of ``new``.
    """
    tail = (1 - prob) / 2

    def width(y: xr.DataArray) -> xr.DataArray:
        q = y.quantile([tail, 1 - tail], SAMPLES)
        return q.isel(quantile=1, drop=True) - q.isel(quantile=0, drop=True)

    fresh = width(new["y"]).transpose("month", "ou")
    frame = pd.DataFrame(fresh.to_numpy(), index=fresh["month"].to_numpy(), columns=fresh["ou"])
    frame.insert(0, "with history", width(known["y"]).median("ou").to_numpy())
    return frame.rename_axis("month")


# --- and whether it came


def coverage(
    parts: Sequence[tuple[np.ndarray, np.ndarray]],
    *,
    probs: Sequence[float] = PROBS,
    seed: int = 0,
) -> pd.DataFrame:
    """Shares of ``observed`` inside central intervals of their forecasts, a row a probability.

    Args:
        parts: pairs of draws (sample, value), joint over the values, and what was observed; parts
            are taken as independent of one another.
        probs: of the intervals.
        seed: of how parts' draws are paired.

    Returns:
        Columns ``values`` (their number), ``coverage``, and ``expected_low`` and ``expected_high``:
        where the share lies 95 times in 100 if the model is right, shared months included, so
        that two of them are both inside nine times in ten or more.
    """
    rng, found = np.random.default_rng(seed), {}
    fewest = min((len(drawn) for drawn, _ in parts), default=0)
    for prob in probs:
        inside, total = 0, 0
        replicated: int | np.ndarray = 0
        for drawn, observed in parts:
            low, high = np.quantile(drawn, [(1 - prob) / 2, (1 + prob) / 2], axis=0)
            inside += int(((low <= observed) & (observed <= high)).sum())
            total += observed.size
            # Parts of refits that were drawn longer have more draws: as many as the fewest have.
            own = rng.permutation(((low <= drawn) & (drawn <= high)).sum(axis=1))
            replicated = replicated + own[:fewest]
        share = np.quantile(replicated, [0.025, 0.975]) / max(total, 1)
        found[prob] = (total, inside / max(total, 1), *share)
    names = ["values", "coverage", "expected_low", "expected_high"]
    return pd.DataFrame.from_dict(found, orient="index", columns=names).rename_axis("prob")


def naive(panel: Panel, rows: np.ndarray, before: int) -> pd.DataFrame:
    """The OU's last value before month ``before`` (a position), for ``rows`` of the panel.

    Its sd is that of the OU's own changes from month to month times the root of the steps, or of
    all OUs' changes for an OU with fewer than three.

    Returns:
        Columns ``mean`` and ``sd``, standardised; NaN for an OU without a value before.
    """
    ou, month, y = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx", "y"))
    past = np.flatnonzero((month < before) & np.isfinite(y))
    same = ou[past][1:] == ou[past][:-1]
    change = (np.diff(y[past]) / np.sqrt(np.maximum(np.diff(month[past]), 1)))[same]
    owner = ou[past][1:][same]
    by_ou = pd.Series(change**2).groupby(owner).agg(["mean", "count"])
    pooled = float(np.sqrt(np.mean(change**2))) if change.size else 1.0
    sd = np.sqrt(by_ou["mean"]).where(by_ou["count"] >= 3, pooled).reindex(range(len(panel.ous)))
    last = pd.Series(past).groupby(ou[past]).last().reindex(range(len(panel.ous)))
    at = last.to_numpy()[ou[rows]]
    known = np.isfinite(at)
    source = np.where(known, at, 0).astype(int)
    steps = np.maximum(month[rows] - month[source], 1)
    spread = np.maximum(sd.fillna(pooled).to_numpy()[ou[rows]], 1e-9) * np.sqrt(steps)
    return pd.DataFrame(
        {"mean": np.where(known, y[source], np.nan), "sd": np.where(known, spread, np.nan)},
        index=rows,
    ).rename_axis("row")


@dataclass(frozen=True)
class Ahead:
    """Forecasts of months that were left out, held against them.

    ``rows`` has a line for each origin and left-out row: ``ou``, ``month``, ``origin`` (the first
    month left out), ``step`` (1 for that month), ``observed``, ``q5`` to ``q95``, ``crps``, and
    ``naive_low``, ``naive_high`` (90%), ``naive_half_low``, ``naive_half_high`` (50%) and
    ``naive_crps`` of the last value carried forward; standardised.  ``coverage`` is indexed by
    step and probability, from :func:`coverage`: within a step every month is forecast once.
    """

    rows: pd.DataFrame
    coverage: pd.DataFrame


def check_ahead(full: Fit, ahead: LeftOut, *, draws: int = 500, seed: int = 0) -> Ahead:
    """Forecasts from the refits of :func:`oulib.posterior.leaveout.months_ahead` against what came.

    Each refit forecasts all the months that it has not seen, as :func:`months_ahead` does: without
    the surveys of those months.
    """
    panel = full.panel
    ou, month, y = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx", "y"))
    lines: list[pd.DataFrame] = []
    parts: dict[int, list[tuple[np.ndarray, np.ndarray]]] = {}
    for place, refit in enumerate(ahead.refits):
        start = _after(refit.panel)
        out = np.flatnonzero((month >= start) & np.isfinite(y))
        origin = int(month[out].min())
        horizon = int(month[out].max()) - start + 1
        y_ahead = months_ahead(refit, horizon, draws=draws, seed=seed + place)["y"]
        grid = y_ahead.stack(sample=SAMPLES).transpose("sample", "ou", "month").to_numpy()
        drawn, observed = grid[:, ou[out], month[out] - start], y[out]
        q = np.quantile(drawn, [0.05, 0.25, 0.5, 0.75, 0.95], axis=0)
        simple = naive(panel, out, start)
        mean, sd = simple["mean"].to_numpy(), simple["sd"].to_numpy()
        wide, half = stats.norm.ppf(0.95) * sd, stats.norm.ppf(0.75) * sd
        step = month[out] - origin + 1
        lines.append(
            pd.DataFrame(
                {
                    "ou": panel.rows["ou"].to_numpy()[out],
                    "month": panel.rows["month"].to_numpy()[out],
                    "origin": panel.months[origin],
                    "step": step,
                    "observed": observed,
                    **dict(zip(("q5", "q25", "q50", "q75", "q95"), q, strict=True)),
                    "crps": crps(drawn, observed),
                    "naive_low": mean - wide,
                    "naive_high": mean + wide,
                    "naive_half_low": mean - half,
                    "naive_half_high": mean + half,
                    "naive_crps": crps_normal(mean, sd, observed),
                }
            )
        )
        for one in np.unique(step):
            parts.setdefault(int(one), []).append((drawn[:, step == one], observed[step == one]))
    found = {step: coverage(parts[step], seed=seed) for step in sorted(parts)}
    return Ahead(pd.concat(lines, ignore_index=True), pd.concat(found, names=["step"]))


def against_naive(rows: pd.DataFrame) -> pd.DataFrame:
    """The model's CRPS against the naive forecast's, a line a step and one (0) for all.

    Columns ``crps``, ``naive``, ``gain`` (naive less model), ``gain_se``, its standard error over
    OUs, ``months`` and ``better``: how many forecasts of a month there are (a month has one for
    each origin), and in how many of them the model was better on average; ``coverage`` and
    ``naive_coverage`` of 90% intervals.
    """
    rows = rows[np.isfinite(rows["naive_crps"])].assign(gain=lambda r: r["naive_crps"] - r["crps"])
    lines = {}
    for step, part in [(0, rows), *rows.groupby("step")]:
        by_ou = part.groupby("ou")["gain"].mean()
        by_month = part.groupby(["origin", "month"])["gain"].mean()
        x = part["observed"]
        lines[step] = {
            "crps": part["crps"].mean(),
            "naive": part["naive_crps"].mean(),
            "gain": part["gain"].mean(),
            "gain_se": by_ou.std(ddof=1) / np.sqrt(len(by_ou)) if len(by_ou) > 1 else np.nan,
            "months": len(by_month),
            "better": int((by_month > 0).sum()),
            "coverage": x.between(part["q5"], part["q95"]).mean(),
            "naive_coverage": x.between(part["naive_low"], part["naive_high"]).mean(),
        }
    return pd.DataFrame.from_dict(lines, orient="index").rename_axis("step")


def check_new_ous(
    full: Fit, unseen: LeftOut, *, draws: int = 500, seed: int = 0
) -> Mapping[str, pd.DataFrame]:
    """OUs that the refits of :func:`oulib.posterior.leaveout.new_ous` had not seen, held against
    them.

    A refit holds parameters of the OUs that it has not seen, drawn from the population: its panel
    keeps their labels.  Their outcomes in the months of the panel are simulated with noise and new
    deviations, and without their surveys.

    Returns:
        ``"coverage"``, indexed by ``what`` (``"mean level"`` of an OU over its rows, ``"rows"``)
        and probability, from :func:`coverage`; and ``"ous"``, a line an OU: ``observed`` mean
        level, ``q5``, ``q50``, ``q95``, standardised, and ``fold``.
    """
    whole = full.panel
    ou, y = whole.rows["ou_idx"].to_numpy(), whole.rows["y"].to_numpy()
    fold = ou_folds(whole, len(unseen.refits), seed=full.sampling.seed)
    parts: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {"mean level": [], "rows": []}
    lines = {}
    for place, refit in enumerate(unseen.refits):
        rng = np.random.default_rng([seed, place + 1])
        p = thinned(refit.posterior, draws)
        left_out = np.setdiff1d(np.arange(len(whole.ous)), refit.panel.rows["ou_idx"].to_numpy())
        made = _without_residual(refit, p, whole, rng) + residuals(
            replace(refit, panel=whole), p, rng
        )
        rows = np.flatnonzero(np.isin(ou, left_out) & np.isfinite(y))
        drawn = made.isel(row=rows).to_numpy().reshape(-1, rows.size)
        parts["rows"].append((drawn, y[rows]))
        means, observed = [], []
        for g in np.unique(ou[rows]):
            own = ou[rows] == g
            means.append(drawn[:, own].mean(axis=1))
            observed.append(y[rows][own].mean())
            q5, q50, q95 = np.quantile(means[-1], [0.05, 0.5, 0.95])
            lines[whole.ous[g]] = {
                "observed": observed[-1],
                **{"q5": q5, "q50": q50, "q95": q95, "fold": int(fold[g])},
            }
        parts["mean level"].append((np.column_stack(means), np.array(observed)))
    found = {what: coverage(pairs, seed=seed) for what, pairs in parts.items()}
    ous = pd.DataFrame.from_dict(lines, orient="index").rename_axis("ou")
    return {"coverage": pd.concat(found, names=["what"]), "ous": ous}


@dataclass(frozen=True)
class NewOuWidths:
    """Widths of 90% intervals of log productivity in ``month``, in sds of the outcome.

    ``own`` is that of an OU with a history, the median; ``new`` that of a new OU by where it is: in
    a site by its label, or in an unknown one.  ``known`` is the mean over known sites, NaN where
    there are none, and ``unknown`` that of an unknown site.
    """

    month: str
    own: float
    new: Mapping[str, float]
    known: float
    unknown: float


def new_ou_widths(table: pd.DataFrame) -> NewOuWidths:
    """How wide a new OU's interval is in the first month, from :func:`widths`."""
    row = table.iloc[0]
    new = row.drop("with history")
    known = new.drop("unknown site", errors="ignore")
    return NewOuWidths(
        month=str(table.index[0]),
        own=float(row["with history"]),
        new={str(place): float(width) for place, width in new.items()},
        known=float(known.mean()),
        unknown=float(row.get("unknown site", np.nan)),
    )
