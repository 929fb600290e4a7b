"""Whether a conclusion hangs on what the data cannot check: one assumption changed at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from oulib.chapters.priors.analysis import overview
from oulib.model.draws.density import alone
from oulib.model.spec import LADDER, ModelSpec
from oulib.model.survey import given_survey, respondents, scores
from oulib.panel import Panel
from oulib.panel.regression import Slope, least_squares
from oulib.panel.simulate import simulate
from oulib.posterior.effects import raw_effect, typical_move
from oulib.posterior.estimate import SAMPLES
from oulib.posterior.latent import conditional
from oulib.sampling.fit import Fit

SURE = 0.9
"""A sign with at least this posterior probability is called known."""

UNCERTAIN = ("sigma_x", "sigma_meas", "gamma_x", "rho_x", "nu", "corr_ou", "corr_site")
"""Variables that the data often leave to the prior."""

TRUE, LATENT = "true scores", "latent model"
COMPLETE, CALIBRATED, OU_MEAN, LAST = (
    "surveys as they are",
    "surveys, calibrated",
    "unit mean, all months",
    "last survey, carried forward",
)
"""Estimators of a slope from scores, in the order of :func:`estimates`."""


# --- refits with one thing changed


def without_response(spec: ModelSpec) -> ModelSpec:
    """``spec`` without its response part; one of the ladder's models where that is one."""
    if not spec.response:
        return spec
    plain = spec.but(response=False, rho_x=None)
    known = (one for one in LADDER if one.but(name=plain.name) == plain)
    return next(known, plain.but(name=f"{spec.name} without response"))


def standing(
    fit: Fit, draws: xr.DataArray | np.ndarray | None = None, *, points: float | None = None
) -> pd.Series:
    """What a posterior says of a slope, ``mu_beta`` of ``fit`` if no ``draws`` are given.

    ``mean``, ``sd``, ``q5``, ``q95`` and ``positive`` (the probability), standardised; and
    ``percent``, ``percent_q5`` and ``percent_q95``, the change of productivity with ``points`` more
    of the raw score, a typical move (:func:`oulib.posterior.effects.typical_move`) if None.
    """
    values = fit.posterior["mu_beta"] if draws is None else draws
    values = xr.DataArray(np.ravel(np.asarray(values)), dims="sample")
    percent = raw_effect(fit, (points or typical_move(fit)) * values)
    (low, high), (low_p, high_p) = (v.quantile([0.05, 0.95]).to_numpy() for v in (values, percent))
    return pd.Series(
        {
            "mean": float(values.mean()),
            "sd": float(values.std()),
            "q5": low,
            "q95": high,
            "positive": float((values > 0).mean()),
            "percent": float(percent.mean()),
            "percent_q5": low_p,
            "percent_q95": high_p,
        }
    )


def over_grid(fits: Mapping[float, Fit], *, what: str) -> pd.DataFrame:
    """:func:`standing` of fits by the value that something was set to, in order of the value.

    The index is named ``what``.
    """
    rows = {float(value): standing(fits[value]) for value in sorted(fits)}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(what)


def given_value(fit: Fit, values: Sequence[float], *, variable: str = "rho_x") -> pd.DataFrame:
    """:func:`over_grid` of ``mu_beta``, had ``variable`` been set to each of ``values``: no refit.

    Each draw is moved along the line that the posterior has between the two; equation (16.1)
    (``eq-given-value``).  Exact where their posterior is normal (Beaumont et al., 2002), and an
    extrapolation where the posterior hardly reaches.  ``support`` is how probable the data are at
    the value, relative to the best of them: posterior over prior (Savage and Dickey), both normal.
    """
    slope, at = (np.ravel(fit.posterior[name].to_numpy()) for name in ("mu_beta", variable))
    moved = np.cov(slope, at)[0, 1] / np.var(at, ddof=1)
    rows = {float(v): standing(fit, slope + moved * (v - at)) for v in sorted(values)}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis(variable)
    prior = getattr(fit.spec.priors, variable)
    told = stats.norm.logpdf(table.index, at.mean(), at.std(ddof=1))
    told -= stats.norm.logpdf(table.index, 0.0, prior)
    return table.assign(support=np.exp(told - told.max()))


@dataclass(frozen=True)
class Tipping:
    """Where the sign of a slope is lost as an assumption moves away from ``reference``.

    ``positive`` is the sign at the reference and ``prob`` its probability there; ``known`` whether
    that is at least ``sure``.  ``at`` is the nearest value at which the probability falls below
    ``sure``, interpolated; None if none does, or if the sign is not known to begin with.  ``least``
    is the lowest probability in the grid, at the value ``where``; ``low`` and ``high`` its ends.
    """

    reference: float
    positive: bool
    prob: float
    sure: float
    at: float | None
    least: float
    where: float
    low: float
    high: float

    @property
    def known(self) -> bool:
        """Whether there is a sign to lose."""
        return self.prob >= self.sure


def tipping(table: pd.DataFrame, *, reference: float = 0.0, sure: float = SURE) -> Tipping:
    """The :class:`Tipping` point of a table of :func:`over_grid` that has ``reference``.

    Between two values of the grid the probability is taken to be linear.
    """
    table = table.sort_index()
    values = table.index.to_numpy(dtype=float)
    positive = bool(table.loc[reference, "positive"] >= 0.5)
    prob = table["positive"].to_numpy() if positive else 1 - table["positive"].to_numpy()
    start = int(np.flatnonzero(values == reference)[0])
    found = []
    for step in (1, -1):
        i = start
        while prob[start] >= sure and 0 <= i + step < len(values):
            if prob[i + step] < sure:
                share = (prob[i] - sure) / (prob[i] - prob[i + step])
                found.append(values[i] + share * (values[i + step] - values[i]))
                break
            i += step
    return Tipping(
        reference=reference,
        positive=positive,
        prob=float(prob[start]),
        sure=sure,
        at=float(min(found, key=lambda v: abs(v - reference))) if found else None,
        least=float(prob.min()),
        where=float(values[np.argmin(prob)]),
        low=float(values[0]),
        high=float(values[-1]),
    )


# --- what the prior decides


def uncertain(fit: Fit, *, seed: int = 0) -> pd.DataFrame:
    """An overview, as of the chapter on priors, of what of :data:`UNCERTAIN` the model learns."""
    table = overview(fit, seed=seed)
    variable = table.index.str.partition("[").get_level_values(0)
    return table[variable.isin(UNCERTAIN) & (table["prior_sd"] > 0)]


# --- within and between


def both_forms(spec: ModelSpec) -> tuple[ModelSpec, ModelSpec]:
    """``spec`` without its response part, with one slope and with slopes within OUs.

    The form that it has already is the model as it is named, so that its fit is not made again.
    """
    plain = without_response(spec)
    if plain.slope == "within":
        return plain.but(name="one slope", slope="total"), plain
    return plain, plain.but(name=f"{plain.name}, within units", slope="within")


def forms(total: Fit, within: Fit, *, points: float | None = None) -> pd.DataFrame:
    """:func:`standing` of the mean slope in its forms, for the same ``points``: a row each.

    ``total``, one slope for all differences of the score; ``within`` OUs; ``between`` them; and
    ``between less within``, whose draws are differences within one posterior.
    """
    p, points = within.posterior, points or typical_move(total)
    found = {
        "total": standing(total, points=points),
        "within": standing(within, points=points),
        "between": standing(within, p["beta_between"], points=points),
        "between less within": standing(within, p["beta_between"] - p["mu_beta"], points=points),
    }
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("slope")


# --- placebo


def placebo(panel: Panel) -> Panel:
    """The panel with each survey moved to the OU's next survey month, and the last to the first.

    Score and respondents move together; outcomes, plans and months with surveys stay, and so do
    the OUs' mean scores.  The only survey of an OU has nowhere to go, and is taken away.
    """
    rows, seen = panel.rows, panel.survey_rows
    ou = rows["ou_idx"].to_numpy()
    changed = {
        name: rows[name].to_numpy().copy() for name in ("survey", "x", "respondents", "observed")
    }
    alone = seen[np.bincount(ou[seen], minlength=len(panel.ous))[ou[seen]] == 1]
    nothing = {"survey": np.nan, "x": np.nan, "respondents": 0, "observed": False}
    for name, values in changed.items():
        own = rows[name].to_numpy()
        for g in np.unique(ou[seen]):
            at = seen[ou[seen] == g]
            values[at] = np.roll(own[at], 1)
        values[alone] = nothing[name]
    moved = {name: ("row", values) for name, values in changed.items()}
    return replace(panel, rows=rows.assign(moved), truth=None, name=f"{panel.name}, placebo")


def remainder(panel: Panel) -> float:
    """What share of a slope within OUs a placebo leaves, of the other sign.

    A survey that is moved away comes from elsewhere in the same OU, where it made the mean that it
    is compared with: equation (16.3) (``eq-placebo``).  NaN if no OU has two surveys.
    """
    waves = np.bincount(panel.rows["ou_idx"].to_numpy()[panel.survey_rows])
    waves = waves[waves > 1]
    return -float(waves.size / (waves - 1).sum()) if waves.size else float("nan")


# --- a regression by hand


def naive(panel: Panel) -> dict[str, Slope]:
    """Slopes of three regressions that take a survey for the score.

    Rows with a survey alone, with OU and month effects; each OU's mean score carried to all its
    months, with month effects; its last survey carried forward, with both.
    """
    rows, seen = panel.rows, panel.survey_rows
    y, ou, month, x = (rows[name].to_numpy() for name in ("y", "ou_idx", "month_idx", "x"))
    there = np.isfinite(y)
    known = seen[there[seen]]
    found = {COMPLETE: least_squares(y[known], x[known], (ou[known], month[known]), ou[known])}
    count = np.bincount(ou[seen], minlength=len(panel.ous))
    mean = np.bincount(ou[seen], weights=x[seen], minlength=len(panel.ous)) / np.maximum(count, 1)
    some = np.flatnonzero(there & (count[ou] > 0))
    found[OU_MEAN] = least_squares(y[some], mean[ou][some], (month[some],), ou[some])
    last = pd.Series(x).groupby(ou).ffill().to_numpy()
    some = np.flatnonzero(there & np.isfinite(last))
    found[LAST] = least_squares(y[some], last[some], (ou[some], month[some]), ou[some])
    return found


def calibrated(panel: Panel, expected: np.ndarray) -> Slope:
    """The regression of rows with a survey on ``expected``, E[x* | x'] of every row, (row)."""
    rows, y = panel.rows, panel.rows["y"].to_numpy()
    at = panel.survey_rows[np.isfinite(y[panel.survey_rows])]
    ou, month = (rows[name].to_numpy()[at] for name in ("ou_idx", "month_idx"))
    return least_squares(y[at], expected[at], (ou, month), ou)


def expected_scores(fit: Fit, *, draws: int = 400) -> np.ndarray:
    """Posterior mean of E[x* | x'] of every row, which looks at no outcome of the row, (row)."""
    plain = alone(fit)
    mean = conditional(plain, outcome=False, draws=draws)["mean"]
    return mean.mean(SAMPLES).to_numpy()


def true_expected_scores(panel: Panel) -> np.ndarray:
    """E[x* | x'] of every row under the true parameters of a simulated panel, (row)."""
    t, rows = panel.truth, panel.rows
    assert t is not None  # as of any simulated panel
    gamma_x = float(t.get("gamma_x", 0.2))
    ou, month = rows["ou_idx"].to_numpy(), rows["month_idx"].to_numpy()
    prior = t["mu_x_ou"].to_numpy()[ou] + gamma_x * t["tau"].to_numpy()[month]
    sigma_x, sigma_meas = float(t["sigma_x"]), float(t["sigma_meas"])
    return given_survey(prior, sigma_x, sigma_meas, respondents(panel), scores(panel))[0]


def attenuation(panel: Panel, sigma_x: float, sigma_meas: float) -> float:
    """The share of a slope within OUs that measurement noise leaves; equation (16.4)
    (``eq-attenuation``).
    """
    n = respondents(panel)[panel.survey_rows]
    return float(sigma_x**2 / (sigma_x**2 + sigma_meas**2 * np.mean(1 / n)))


def expected_attenuation(fit: Fit) -> xr.DataArray:
    """:func:`attenuation` over the posterior, (chain, draw)."""
    n = respondents(fit.panel)[fit.panel.survey_rows]
    signal, noise = (fit.posterior[name] ** 2 for name in ("sigma_x", "sigma_meas"))
    return signal / (signal + noise * float(np.mean(1 / n)))


def estimates(panel: Panel, fit: Fit | None = None) -> pd.DataFrame:
    """Slopes by estimator, a row each.

    Columns ``mean``, ``se`` (of the latent model the posterior sd), ``q5``, ``q95`` and ``rows``.
    With ``fit``, calibration uses its posterior means and the latent model's mean slope stands
    below; without, calibration uses the panel's true parameters.  A panel with a truth has the
    slope on the true scores of the rows with a survey, too.
    """
    found = naive(panel)
    expected = true_expected_scores(panel) if fit is None else expected_scores(fit)
    slopes = {COMPLETE: found[COMPLETE], CALIBRATED: calibrated(panel, expected)}
    slopes |= {name: found[name] for name in (OU_MEAN, LAST)}
    if panel.truth is not None and "x_star" in panel.truth:
        slopes = {TRUE: calibrated(panel, panel.truth["x_star"].to_numpy())} | slopes
    table = {
        name: {
            "mean": one.value,
            "se": one.se,
            "q5": one.value - 1.645 * one.se,
            "q95": one.value + 1.645 * one.se,
            "rows": one.rows,
        }
        for name, one in slopes.items()
    }
    if fit is not None:
        own = standing(fit)
        table[LATENT] = {
            **{"mean": own["mean"], "se": own["sd"], "q5": own["q5"], "q95": own["q95"]},
            "rows": int(np.isfinite(panel.rows["y"].to_numpy()).sum()),
        }
    frame = pd.DataFrame.from_dict(table, orient="index").rename_axis("estimator")
    return frame.astype({"rows": int})


def attenuation_by_respondents(
    sizes: Sequence[float] = (2, 4, 8, 16, 32), *, panels: int = 6, seed: int = 0
) -> pd.DataFrame:
    """Slopes of simulated panels over the slope on their true scores, by respondents.

    Index ``respondents``; columns ``expected`` (the attenuation by the true reliability),
    ``naive`` and ``calibrated`` (with the true parameters), means over ``panels`` panels of 60 OUs,
    and ``naive_se`` and ``calibrated_se``, their standard errors.
    """
    rows = {}
    for size in sizes:
        found = []
        for k in range(panels):
            made = simulate(
                "baseline",
                n_ou=60,
                n_month=36,
                wave_every=3,
                respondents=size,
                seed=seed + k,
                parameters={"sigma_meas": 2.0},
            )
            assert made.truth is not None
            true = calibrated(made, made.truth["x_star"].to_numpy()).value
            both = (naive(made)[COMPLETE], calibrated(made, true_expected_scores(made)))
            scale = (float(made.truth[name]) for name in ("sigma_x", "sigma_meas"))
            found.append([attenuation(made, *scale), *(one.value / true for one in both)])
        ratios = np.array(found)
        mean, se = ratios.mean(axis=0), ratios.std(axis=0, ddof=1) / np.sqrt(panels)
        rows[size] = {
            "expected": mean[0],
            "naive": mean[1],
            "naive_se": se[1],
            "calibrated": mean[2],
            "calibrated_se": se[2],
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("respondents")


@dataclass(frozen=True)
class Span:
    """By how much the mean slope moves over a grid: standardised, and in its posterior sds."""

    moved: float
    sds: float


def span(table: pd.DataFrame) -> Span:
    """How far the mean slope moves, from a table with ``mean`` and ``sd`` a row a value."""
    moved = float(table["mean"].max() - table["mean"].min())
    return Span(moved, moved / float(table["sd"].mean()))
