"""Whether a model describes what in a panel could bend its slopes: data held against replicates.

A slope is also what the size of an OU's residuals says of it, because in rows without a survey the
outcome has the variance sigma_y^2 + beta_g^2 sigma_x^2.  So whatever a model has no place for
(months that hang together, OUs that differ in noise, a second common movement, outliers, levels
that move) may end up in slopes, with every chain in agreement.  Each check here is a statistic of
the outcomes that such a thing moves; it is worked out for the data and for outcomes that the fit
replicates, and fails where the data's lies beyond nearly all of theirs.  Two ask directly: whether
the rows with a survey follow the slopes that all rows together gave.  The last asks what no
statistic of the data can: whether slopes would be others if only surveys spoke of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from scipy import sparse

from oulib.files import PACKAGE
from oulib.model.draws import generate
from oulib.model.draws.density import CHUNK, RowDensity, all_rows, alone, row_density, thinned
from oulib.model.spec import ModelSpec
from oulib.panel import Panel
from oulib.posterior import predict
from oulib.posterior.estimate import SAMPLES
from oulib.sampling import cache
from oulib.sampling.diagnostics import Check
from oulib.sampling.fit import Fit

PERSISTENCE, NOISE, FACTOR = "persistence", "noise", "factor"
TAILS, DRIFT, SURVEYED = "tails", "drift", "surveyed"
SLOPES, AVERAGE, MOVED = "slopes", "average", "moved"
REPLICATED = (PERSISTENCE, NOISE, FACTOR, TAILS, DRIFT, SURVEYED, SLOPES, AVERAGE)
"""The checks that hold data against replicates, in the order in which they are reported."""

ADEQUACY = (*REPLICATED, MOVED)
"""All checks: those, and the slopes against the ones that surveys alone give."""

ANSWERS = {
    PERSISTENCE: "A unit's residuals hang together from month to month. A model with deviations "
    "(the named model robust, or deviations=True) has a place for that.",
    NOISE: "Units differ more in noise than the model has it. Let each have its own "
    "(noise='by_ou', or the named model robust).",
    FACTOR: "Units feel a common movement differently. No model here has a second factor; with "
    "score='expected' (robust) it cannot bend slopes by way of the variance.",
    TAILS: "Outliers are more, or larger, than the model has them. Try outcome='student_t'.",
    SURVEYED: "In rows with a survey, where noise can hardly pass for a slope, units differ more "
    "in noise than the model has it. Let each have its own (noise='by_ou', or the model robust).",
    DRIFT: "Levels of units move in the course of time. Try deviations=True (robust), or "
    "trend=True if they move steadily.",
    SLOPES: "The rows with a survey contradict the slopes that all rows together gave. Try "
    "score='expected' (the named model robust), in which only surveys speak of slopes.",
    AVERAGE: "The rows with a survey contradict the slopes on average. Try score='expected' (the "
    "named model robust), in which only surveys speak of slopes.",
    MOVED: "Slopes hang on how large residuals are, and not on the surveys. Take what surveys "
    "alone say (score='expected', or the named model robust).",
}
"""What is wrong where a check fails, and which switch or model has a place for it."""


def answer(name: str, spec: ModelSpec) -> str:
    """What is wrong with ``spec`` where a check fails; not what it has already as what to try."""
    none = "No model of the book has a place for that."
    if name in (NOISE, SURVEYED) and spec.noise == "by_ou":
        also = " and deviations of one scale" if spec.deviations else ""
        return f"Units differ more than noise of their own{also} let them. {none}"
    if name in (PERSISTENCE, DRIFT) and spec.deviations:
        return f"Levels of units move otherwise than deviations of one kind for all do. {none}"
    if name == TAILS and spec.outcome == "student_t":
        return f"Outliers are more, or larger, than even this model has them. {none}"
    if name in (SLOPES, AVERAGE) and spec.score == "expected":
        return f"The rows with a survey contradict slopes that they alone speak of. {none}"
    return ANSWERS[name]


RARE = 0.005
"""A check fails where fewer than this share of the replicates are as extreme as the data."""

FEW, MOST = 400, 2000
"""Replicates, and replicates where so few would leave it to chance whether a check fails."""

FARTHEST = 1.0
"""How far slopes may lie from those of the surveys alone, in the latter's own errors.

Where the model is right, its slopes differ from less precise ones by less than these err: the
variance of the difference is what was gained (Hausman, 1978), and no more than all can be.
"""

_BY_VARIANCE = (TAILS, FACTOR)
"""What bends slopes by way of a row's variance alone, which ``score="expected"`` closes.

Outliers and a second common movement then cost precision, and not direction.
"""

_NEAR = 0.02  # of 400 replicates eight, which 0.005 gives once in a thousand times
_FAR = 3.0  # sds of its replicates at which an OU is named
_FAR_MOVED = 2.0  # and errors of its slope by the surveys alone
_CODE = (
    Path(__file__),
    PACKAGE / "posterior" / "predict.py",
    PACKAGE / "sampling" / "fit.py",
    PACKAGE / "model",
)


@dataclass(frozen=True)
class Held:
    """The statistics of the data, at posterior draws, and of as many replicates.

    ``observed`` and ``replicated`` are (check, sample), ``own`` (check, ou) is how far each OU's
    part of a statistic lies from that of its replicates, in their sds.  NaN where a panel has too
    little for a check.
    """

    observed: xr.DataArray
    replicated: xr.DataArray
    own: xr.DataArray

    @property
    def p(self) -> xr.DataArray:
        """Share of the replicates at least as large as the data at the same draw, (check)."""
        return (
            (self.replicated >= self.observed)
            .mean("sample")
            .where(self.observed.notnull().any("sample"))
        )


def adequate(fit: Fit) -> tuple[Check, ...]:
    """The checks of ``fit`` against 400 replicates, or 2,000 if those leave one near its limit.

    Those that its panel has too little for, or that cannot bend its slopes, are left out.
    ``value`` is the share of replicates as extreme as the data, ``where`` the OUs that are far from
    theirs, the farthest first.
    """

    table = _replicated(fit, FEW)
    if bool((table["p"] < _NEAR).any()):
        table = _replicated(fit, MOST)
    return _checks(fit, table)


def beyond(fit: Fit) -> tuple[Check, ...]:
    """The checks in which nothing of :data:`MOST` replicates is as extreme as the data.

    Unlike :func:`adequate` it may be asked of chains that do not agree: where each of them is, it
    fails, so it fails for any mixture of those places, too.
    """
    return tuple(one for one in _checks(fit, _replicated(fit, MOST)) if one.value == 0)


def _replicated(fit: Fit, draws: int) -> xr.Dataset:
    """``p`` (check) and ``own`` (check, ou) of :func:`held`, kept beside the fit."""

    def compute() -> xr.DataTree:
        found = held(fit, draws=draws)
        return xr.DataTree(xr.Dataset({"p": found.p, "own": found.own}))

    key = cache.key_of({"draws": fit.digest, "replicates": draws}, _CODE)
    return cache.fetch("adequacy", key, compute)[0].to_dataset()


def _checks(fit: Fit, table: xr.Dataset) -> tuple[Check, ...]:
    return tuple(
        _check(
            name,
            float(table["p"].sel(check=name)),
            table["own"].sel(check=name),
            answer(name, fit.spec),
        )
        for name in REPLICATED
        if np.isfinite(table["p"].sel(check=name))
        and not (fit.spec.score == "expected" and name in _BY_VARIANCE)
    )


def _check(name: str, p: float, own: xr.DataArray, advice: str) -> Check:
    far = own.fillna(0.0).sortby(own.fillna(0.0), ascending=False)
    where = far["ou"].to_numpy()[far.to_numpy() > _FAR] if p < RARE else ()
    return Check(
        name=name,
        value=p,
        threshold=RARE,
        passed=p >= RARE,
        where=tuple(map(str, where)),
        advice=advice,
    )


def by_surveys(spec: ModelSpec) -> ModelSpec | None:
    """The same model with slopes from surveys alone; None where it is that, or has no such form.

    With ``score="expected"`` a row without a survey says nothing of a slope, however large its
    residual.  A model with a response part has no such form.
    """
    if spec.score == "expected" or spec.response:
        return None
    return spec.but(name=f"{spec.name}, by surveys", score="expected", latent="integrated")


def moved(fit: Fit, alone: Fit) -> Check:
    """How far the slopes of ``fit`` lie from those of the same model by surveys ``alone``.

    The difference of the two posterior means, root mean square over OUs, in posterior sds of the
    latter.  ``where`` has the OUs that are farthest from theirs, where it is too much.
    """
    mine, theirs = fit.posterior["beta"].mean(SAMPLES), alone.posterior["beta"]
    gap, error = mine - theirs.mean(SAMPLES), theirs.std(SAMPLES)
    value = float(np.sqrt((gap**2).mean() / (error**2).mean()))
    own = abs(gap / error).sortby(abs(gap / error), ascending=False)
    far = own["ou"].to_numpy()[own.to_numpy() > _FAR_MOVED] if value > FARTHEST else ()
    return Check(
        name=MOVED,
        value=value,
        threshold=FARTHEST,
        passed=value <= FARTHEST,
        where=tuple(map(str, far)),
        advice=ANSWERS[MOVED],
    )


def held(fit: Fit, *, draws: int = FEW, seed: int = 0) -> Held:
    """Every statistic of the data and of replicates, at about ``draws`` posterior draws."""
    panel = fit.panel
    observed: list[np.ndarray] = []
    replicated: list[np.ndarray] = []
    own_data: list[np.ndarray] = []
    own_made: list[np.ndarray] = []
    for density, y, made in _replicates(fit, draws, seed):
        for values, pooled, own in ((y, observed, own_data), (made, replicated, own_made)):
            found = _statistics(panel, values) | _conflicts(panel, density, values)
            pooled.append(np.array([found[name][0] for name in REPLICATED]))
            own.append(np.array([found[name][1] for name in REPLICATED]))
    samples = {"check": [*REPLICATED]}
    of_data, of_made = (
        xr.DataArray(np.concatenate(each, axis=1), dims=("check", "sample"), coords=samples)
        for each in (observed, replicated)
    )
    data, made = (np.concatenate(each, axis=1) for each in (own_data, own_made))
    with np.errstate(invalid="ignore", divide="ignore"):
        far = (data.mean(axis=1) - made.mean(axis=1)) / made.std(axis=1)
    apart = xr.DataArray(far, dims=("check", "ou"), coords=samples | {"ou": [*panel.ous]})
    return Held(of_data, of_made, apart)


def _replicates(
    fit: Fit, draws: int, seed: int
) -> Iterator[tuple[RowDensity, np.ndarray, np.ndarray]]:
    """By batches of draws: the rows' densities, the outcomes, and replicates, (draw, row)."""
    rows, rng = all_rows(fit, None), np.random.default_rng(seed)
    plain = alone(fit)
    whole = thinned(fit.posterior, draws)
    made = None
    if fit.spec.response:  # an answer says something of the score, and so of the outcome
        made = predict.replicate(fit, draws=draws, seed=seed)["productivity"].to_numpy()
    size = max(CHUNK // (10 * rows.size * whole.sizes["chain"]), 1)
    for start in range(0, whole.sizes["draw"], size):
        part = whole.isel(draw=slice(start, start + size))
        density = row_density(plain, part, rows)
        shape = (-1, rows.size)
        mean = (density.intercept + density.beta * density.mean).transpose(*SAMPLES, "row")
        if made is None:
            noise = generate.residuals(fit, part, rng).to_numpy()
            scores = xr.ufuncs.sqrt(density.var) * density.loading
            scores = scores.transpose(*SAMPLES, "row")
            new = mean + noise + scores * rng.standard_normal(scores.shape)
            new = new.to_numpy().reshape(shape)
        else:
            place = np.arange(len(made)).reshape(whole.sizes["chain"], -1)[:, start : start + size]
            new = made[place.ravel()]
        y = np.broadcast_to(density.y.to_numpy(), new.shape)
        yield density, y, np.where(np.isfinite(y), new, np.nan)


# --- statistics of outcomes alone


def _statistics(panel: Panel, values: np.ndarray) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Pooled (draw) and by OU (draw, ou), of outcomes (draw, row) less OU and month means."""
    left = two_way(panel, values)
    seen = np.isfinite(left[0])
    left, count = np.where(seen, left, 0.0), np.maximum(seen.sum(axis=1), 1)
    several = seen.sum(axis=1) > 2
    scale = np.maximum(np.sqrt((left**2).sum(axis=2) / count), 1e-12)
    z = np.where(several[:, None], left / scale[..., None], 0.0)
    log = np.where(several, np.log(scale), np.nan)
    none = np.full(len(z), np.nan)
    if several.sum() < 3 or seen.shape[1] < 4:
        empty = np.full(log.shape, np.nan)
        return dict.fromkeys((PERSISTENCE, NOISE, FACTOR, TAILS, DRIFT), (none, empty))
    pairs = seen[:, 1:] & seen[:, :-1]
    products = np.where(pairs, z[..., 1:] * z[..., :-1], 0.0).sum(axis=2)
    fourth = np.where(several, (z**4).sum(axis=2) / count, np.nan)
    walk = np.abs(np.cumsum(z, axis=2)).max(axis=2) / np.sqrt(count)
    walk = np.where(several, walk, np.nan)
    gram = z @ z.transpose(0, 2, 1) if z.shape[1] < z.shape[2] else z.transpose(0, 2, 1) @ z
    first = np.linalg.eigvalsh(gram)[:, -1] / np.maximum(np.trace(gram, axis1=1, axis2=2), 1e-12)
    center = np.nanmean(log, axis=1, keepdims=True)
    return {
        PERSISTENCE: (products.sum(axis=1) / max(pairs.sum(), 1), products),
        NOISE: (np.nanstd(log, axis=1), log - center),
        FACTOR: (first, np.full(log.shape, np.nan)),
        TAILS: (np.nanmean(fourth, axis=1), fourth),
        DRIFT: (np.nanmean(walk, axis=1), walk),
    }


def two_way(panel: Panel, values: np.ndarray) -> np.ndarray:
    """Outcomes (draw, row) less OU and month means, (draw, ou, month); NaN where there is none."""
    grid = np.full((len(values), len(panel.ous), len(panel.months)), np.nan)
    at = panel.rows["ou_idx"].to_numpy(), panel.rows["month_idx"].to_numpy()
    grid[:, at[0], at[1]] = values
    seen = np.isfinite(grid[0])
    left = np.where(seen, grid, 0.0)
    counts = [np.maximum(seen.sum(axis=axis, keepdims=True), 1) for axis in (1, 0)]
    for _ in range(50):  # alternating means: exact for a full grid after one round
        most = 0.0
        for axis, count in zip((2, 1), counts, strict=True):
            means = left.sum(axis=axis, keepdims=True) / count
            left = np.where(seen, left - means, 0.0)
            most = max(most, float(np.abs(means).max()))
        if most < 1e-8:
            break
    return np.where(seen, left, np.nan)


# --- whether rows with a survey follow the slopes


def _conflicts(
    panel: Panel, density: RowDensity, values: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Of residuals in rows with a survey, given the parameters.

    How unequal their mean squares are between OUs, in units of the variances that the model has;
    and of their regression on scores within OUs, which is what is left of slopes after the model's
    own: the estimates' squares in units of their variances, the largest and by OU, and the pooled
    one's size.
    """
    ous = len(panel.ous)
    seen = panel.survey_rows[np.isfinite(values[0, panel.survey_rows])]
    none = np.full(len(values), np.nan)
    empty = np.full((len(values), ous), np.nan)
    if seen.size < 3:
        return dict.fromkeys((SURVEYED, SLOPES, AVERAGE), (none, empty))

    def flat(value: xr.DataArray) -> np.ndarray:
        value = value.transpose(*SAMPLES, "row").isel(row=seen)
        return value.to_numpy().reshape(len(values), seen.size)

    intercept, beta, mean, spread = xr.broadcast(
        density.intercept, density.beta, density.mean, density.spread
    )
    residual = values[:, seen] - flat(intercept + beta * mean)
    weight = 1 / flat(spread)
    ou = panel.rows["ou_idx"].to_numpy()[seen]
    by_ou = sparse.csr_array((np.ones(seen.size), (ou, np.arange(seen.size))), (ous, seen.size))

    def summed(each: np.ndarray) -> np.ndarray:
        return (by_ou @ each.T).T

    score = flat(mean)
    total = np.maximum(summed(weight), 1e-300)
    score = score - (summed(weight * score) / total)[:, ou]
    told, own = summed(weight * score**2), summed(weight * score * residual)
    clear = told > 1e-9 * told.sum(axis=1, keepdims=True)
    own = np.where(clear, own, 0.0)
    told = np.where(clear, told, 0.0)
    squares = np.where(clear, own**2 / np.maximum(told, 1e-300), 0.0)
    pooled = np.abs(own.sum(axis=1)) / np.sqrt(np.maximum(told.sum(axis=1), 1e-300))
    rows = np.bincount(ou, minlength=ous)
    noise = summed(weight * residual**2) / np.maximum(rows, 1)
    unequal = np.sum(rows * (noise - 1) ** 2, axis=1) / rows.sum()
    return {
        SURVEYED: (unequal, np.where(rows > 0, noise, np.nan)),
        SLOPES: (squares.max(axis=1), squares),
        AVERAGE: (pooled, empty),
    }
