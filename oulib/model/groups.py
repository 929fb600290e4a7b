"""What OUs differ in: effects, correlated or not, pooled over one level or, with sites, two."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.distributions.transforms import CholeskyCorrTransform
from pytensor.graph.basic import Variable
from pytensor.tensor import TensorVariable

from oulib.errors import UserError
from oulib.model.spec import ModelSpec
from oulib.model.survey import LatentScore
from oulib.panel import Panel

EFFECTS = ("alpha", "beta")
"""The varying effects that every model has, in the order of ``sigma_ou[effect]``."""

TREND = "trend"
"""The third one, of a model with ``trend``."""

_SAMPLED = ("beta", "alpha", TREND)
"""The order in which the effects of an OU are sampled, each given those before."""

_CHANCE = 4.0  # sds of what chance makes of differences, before slopes are taken to differ


def effect_names(spec: ModelSpec) -> tuple[str, ...]:
    """The varying effects of a model, in the order of ``sigma_ou[effect]`` and ``corr_ou``."""
    return (*EFFECTS, TREND) if spec.trend else EFFECTS


class _CholeskyCorr(CholeskyCorrTransform):
    # PyMC reads a variable's name back from "name_transform__" and assumes that the transform's
    # name has no underscore; its own "cholesky_corr" makes compute_log_likelihood fail.
    name = "choleskycorr"

    def backward(self, value: TensorVariable, *inputs: Variable) -> TensorVariable:
        """The factor, written out: PyMC's way of filling a matrix is a fourth of a compiled model.

        Rows of length 1, each of some of the values and a 1, in the order that PyMC has them.
        """
        n, number = self.n - 1, self.n * (self.n - 1) // 2
        place = np.concatenate([np.arange(n, number), np.arange(number)[::-1]]).reshape(n, n)
        rows = [[1.0, *[0.0] * n]]
        for k in range(n):
            below = [value[place[k, j]] for j in range(k + 1)]
            norm = pt.sqrt(1.0 + sum(each**2 for each in below))
            rows.append([*(each / norm for each in below), 1.0 / norm, *[0.0] * (n - k - 1)])
        return pt.stacklists(rows)


@dataclass(frozen=True)
class Effects:
    """What an OU adds to its rows: arrays over ``ou``, and ``time`` over ``month``.

    ``alpha`` and ``beta`` are total effects, population plus site plus OU; ``trend`` is that of
    site and OU alone, or None.  ``between`` is the slope on the OUs' mean scores where it is not
    ``beta``.  Where the OUs' own part is summed out, ``alpha`` and ``beta`` are the population's
    (with the site's), and ``spread`` holds the sds (effect) and the correlation of that part.
    """

    alpha: TensorVariable
    beta: TensorVariable
    trend: TensorVariable | None
    time: TensorVariable | None
    between: TensorVariable | None
    spread: tuple[TensorVariable, TensorVariable] | None = None


@dataclass(frozen=True)
class Population:
    """What OUs' effects are drawn around: ``means`` by name (of OUs or scalar) and their sds.

    ``chol`` is the Cholesky factor of the correlations, of the effects in the order of
    :data:`_SAMPLED` in level geometry and of :func:`effect_names` otherwise.
    """

    means: dict[str, TensorVariable | float]
    sigma: TensorVariable
    chol: TensorVariable

    @property
    def typical(self) -> TensorVariable:
        """The mean over OUs of the slopes that they are drawn around."""
        return pt.as_tensor(self.means["beta"]).mean()


def time(panel: Panel) -> np.ndarray:
    """Time as trends count it, over months: mean 0 and standard deviation 1 on the calendar."""
    month = np.arange(len(panel.months))
    return (month - month.mean()) / month.std()


def add(
    panel: Panel,
    spec: ModelSpec,
    score: LatentScore,
    people: Population,
    lam: TensorVariable,
    covariates: TensorVariable | None = None,
) -> Effects:
    """Add ``alpha[ou]``, ``beta[ou]`` and perhaps ``trend[ou]`` to the current PyMC model.

    Spec 1.1, with sites 2.1, with a trend 10; with slopes within OUs also ``beta_between``.

    Args:
        panel: the panel.
        spec: the model.
        score: the latent score.
        people: what the effects are drawn around, from :func:`population`.
        lam: the months' effects, (month).
        covariates: their contribution to each row, if any.
    """
    names = effect_names(spec)
    within = spec.slope == "within"
    between = pm.Normal("beta_between", 0.0, spec.priors.mu_beta) if within else None
    if spec.effects_summed_out:
        each = pt.zeros(pm.modelcontext(None).dim_lengths["ou"])
        alpha, beta = (each + people.means[name] for name in EFFECTS)
        spread = (people.sigma, people.chol[1, 0])
        return Effects(alpha, beta, None, None, between, spread)
    at = pm.Data("time", time(panel), dims="month") if spec.trend else None
    if spec.geometry == "level":
        shift = _seen_months(panel, lam)
        if covariates is not None:
            shift = shift + _mean_by_ou(covariates)
        found = _level(panel, spec, people, score.mu_x_ou, between, shift)
    else:
        drawn = _correlated("ou", spec, people.sigma, people.chol, "ou")
        found = {name: people.means[name] + drawn[name] for name in names}
    made = {name: pm.Deterministic(name, found[name], dims="ou") for name in names}
    return Effects(
        alpha=made["alpha"],
        beta=made["beta"],
        trend=made.get(TREND),
        time=at,
        between=between,
    )


def population(panel: Panel, spec: ModelSpec, reliability: TensorVariable) -> Population:
    """Add the parameters that OUs' effects are drawn from to the current PyMC model.

    Raises:
        UserError: a site level was asked for and the panel has a single site.
    """
    model = pm.modelcontext(None)
    names = effect_names(spec)
    model.add_coords({"effect": names, "effect_bis": names})
    mu_alpha = pm.Normal("mu_alpha", 0.0, spec.priors.mu_alpha)
    if spec.effects_summed_out:
        mu_beta, sigma = _attenuated(panel, spec, reliability)
    else:
        mu_beta = pm.Normal("mu_beta", 0.0, spec.priors.mu_beta)
        sigma = _scales("sigma_ou", spec, spec.priors.sigma_ou)
    means: dict[str, TensorVariable | float] = {"alpha": mu_alpha, "beta": mu_beta}
    if spec.trend:
        means[TREND] = 0.0  # the months have a trend of their own: a second one would be lost
    if spec.sites:
        if len(panel.sites) < 2:
            raise UserError(
                f"The model {spec.name} has a site level, and the panel has one site. "
                "Fit a model without it."
            )
        site = pm.Data("site_idx", panel.site_idx, dims="ou")
        means = {name: means[name] + of_site[site] for name, of_site in _sites(spec).items()}
    # In level geometry the slope comes first, then alpha given it.
    order = _SAMPLED if spec.geometry == "level" else None
    return Population(means, sigma, _correlation("ou", spec, order=order))


def _scales(
    name: str, spec: ModelSpec, scale: TensorVariable | float, dims: str | None = "effect"
) -> TensorVariable:
    if spec.group_scales == "half_student_t":
        return pm.HalfStudentT(name, nu=4, sigma=scale, dims=dims)
    return pm.HalfNormal(name, sigma=scale, dims=dims)


def _attenuated(
    panel: Panel, spec: ModelSpec, reliability: TensorVariable
) -> tuple[TensorVariable, TensorVariable]:
    """``mu_beta`` and ``sigma_ou`` in coordinates of the slope that the surveys can show.

    Where the outcome follows the expected score, what it tells is the slope on the surveys
    themselves, the reliability w times beta; the surveys may say little of w.  So beta is known to
    e / w, and (beta, w) is a ridge that widens as w falls.  With b and e a rough estimate of the
    slope on the surveys and its error, beta given w would be about normal with precision
    1 / s^2 + w^2 / e^2; what is sampled is its distance from that mean in those sds, and
    the slopes' spread in such units.  Linear maps given w, so the priors are the same.
    """
    prior = spec.priors
    estimate, error, error_ou = (
        pm.Data(f"rough_slope_{name}", value)
        for name, value in zip(("mean", "error", "error_ou"), rough_slopes(panel), strict=True)
    )
    variance = 1 / (1 / prior.mu_beta**2 + (reliability / error) ** 2)
    mean, sd = variance * reliability * estimate / error**2, pt.sqrt(variance)
    distance = pm.Normal("mu_beta_raw", -mean / sd, prior.mu_beta / sd)
    mu_beta = pm.Deterministic("mu_beta", mean + sd * distance)
    unit = 1 / pt.sqrt(1 + (reliability / error_ou) ** 2)
    sigma_alpha = _scales("sigma_alpha_raw", spec, prior.sigma_ou, dims=None)
    sigma_beta = unit * _scales("sigma_beta_raw", spec, prior.sigma_ou / unit, dims=None)
    sigma = pm.Deterministic("sigma_ou", pt.stack([sigma_alpha, sigma_beta]), dims="effect")
    return mu_beta, sigma


def rough_slopes(panel: Panel) -> tuple[float, float, float]:
    """Slope of the outcome on the surveys themselves, from changes within OUs; only roughly.

    Changes between an OU's successive surveys, less those of the months.

    Returns:
        The pooled slope, its standard error, and that of a single OU's slope.
    """
    rows = panel.rows.isel(row=panel.survey_rows)
    ou, month, y, x = (rows[name].to_numpy() for name in ("ou_idx", "month_idx", "y", "x"))
    seen = np.isfinite(y)
    ou, month, y, x = ou[seen], month[seen], y[seen], x[seen]
    count = np.maximum(np.bincount(month), 1)
    y, x = (v - (np.bincount(month, weights=v) / count)[month] for v in (y, x))
    same = ou[1:] == ou[:-1]
    dy, dx = np.diff(y)[same], np.diff(x)[same]
    squares = float(dx @ dx)
    if dx.size < 3 or squares < 1e-9:
        return 0.0, 1.0, 1.0
    slope = float(dx @ dy) / squares
    error = np.sqrt(max(float(np.mean((dy - slope * dx) ** 2)), 1e-8) / squares)
    return slope, float(error), float(error * np.sqrt(len(np.unique(ou[1:][same]))))


def _correlation(
    level: str, spec: ModelSpec, *, order: tuple[str, ...] | None = None
) -> TensorVariable:
    """Cholesky factor of the correlation matrix ``corr_<level>`` under its LKJ prior.

    ``order`` is that of the effects in the factor; the LKJ density does not mind.  Independent
    effects have the identity, and nothing to report.
    """
    names = effect_names(spec)
    size = len(names)
    if not spec.correlated:
        return pt.eye(size)
    chol = pm.LKJCorr(
        f"chol_corr_{level}",
        n=size,
        eta=spec.priors.lkj_eta,
        default_transform=_CholeskyCorr(n=size, upper=False),
    )
    place = range(size) if order is None else [order.index(name) for name in names]
    corr = pt.stacklists([[_product(chol, i, j) for j in place] for i in place])
    pm.Deterministic(f"corr_{level}", corr, dims=("effect", "effect_bis"))
    return chol


def _product(chol: TensorVariable, i: int, j: int) -> TensorVariable | float:
    """A correlation from two rows of the factor."""
    return 1.0 if i == j else sum(chol[i, k] * chol[j, k] for k in range(min(i, j) + 1))


def _correlated(
    level: str, spec: ModelSpec, sigma: TensorVariable, chol: TensorVariable, dim: str
) -> dict[str, TensorVariable]:
    """Mean-zero correlated effects by the specification's transform, z @ L.T.

    ``z`` has one group a row, so z @ L.T has rows with covariance L @ L.T; z @ L would not.
    """
    z = pm.Normal(f"z_{level}", dims=(dim, "effect"))
    factor = sigma[:, None] * chol
    # Written out: a matrix product would call on BLAS for a few numbers, and take long to compile.
    names = effect_names(spec)
    return {
        name: sum(factor[place, k] * z[:, k] for k in range(len(names)))
        for place, name in enumerate(names)
    }


def _sites(spec: ModelSpec) -> dict[str, TensorVariable]:
    """Site effects ``alpha_site[site]`` and so on, non-centred: sites are few."""
    sigma = _scales("sigma_site", spec, spec.priors.sigma_site)
    chol = _correlation("site", spec)
    return {
        name: pm.Deterministic(f"{name}_site", of_site, dims="site")
        for name, of_site in _correlated("site", spec, sigma, chol, "site").items()
    }


def _level(
    panel: Panel,
    spec: ModelSpec,
    people: Population,
    mu_x_ou: TensorVariable,
    between: TensorVariable | None,
    shift: TensorVariable,
) -> dict[str, TensorVariable]:
    """The same prior, sampled where the data are: level centred, slope as far as it is clear.

    An OU's level, its expected outcome at its own mean score in the months that were seen (and
    with its covariates: their ``shift``), is what months of outcomes pin down; its intercept and
    slope alone slide along a ridge.  The map
    from level to intercept is a shift, so its Jacobian is one and the prior is untouched.
    """
    names, means, sigma, chol = effect_names(spec), people.means, people.sigma, people.chol
    # Where surveys alone speak of slopes, they may leave the scale of their differences at 0.
    latent = spec.score == "latent"
    told = slope_centring(panel, sites=spec.sites) if latent else np.zeros(len(panel.ous))
    beta = _by_degrees("beta", means["beta"], sigma[1], told)
    pm.Data("sign_both", np.zeros(len(panel.ous)), dims="ou")  # for oulib.model.signs
    z = (beta - means["beta"]) / sigma[1]
    shift = shift + (beta if between is None else between) * mu_x_ou
    mean = means["alpha"] + sigma[0] * chol[1, 0] * z + shift
    sd = sigma[0] * chol[1, 1]
    level = pm.Normal("level_ou", mu=mean, sigma=sd, dims="ou")
    found = {"alpha": level - shift, "beta": beta}
    if spec.trend:
        given = chol[2, 0] * z + chol[2, 1] * (level - mean) / sd
        scale = sigma[names.index(TREND)]
        mean, sd = means[TREND] + scale * given, scale * chol[2, 2]
        centring = trend_centring(panel, sites=spec.sites)
        found[TREND] = _by_degrees(TREND, mean, sd, centring)
    return found


def _by_degrees(
    name: str, mean: TensorVariable | float, sd: TensorVariable, centring: np.ndarray
) -> TensorVariable:
    """An effect with this mean and sd, sampled centred (1), non-centred (0) or in between."""
    c = pm.Data(f"{name}_centring", centring, dims="ou")
    raw = pm.Normal(f"{name}_raw", mu=c * mean, sigma=sd**c, dims="ou")
    return mean + sd ** (1 - c) * (raw - c * mean)


def trend_centring(panel: Panel, *, sites: bool = False) -> np.ndarray:
    """How far to centre each OU's trend, in [0, 1], array over OUs: as far as its line is clear."""
    return _clarity(panel, time(panel)[panel.rows["month_idx"].to_numpy()], sites=sites)


def slope_centring(panel: Panel, *, sites: bool = False) -> np.ndarray:
    """The same for slopes, by the lines of outcomes over surveys."""
    return _clarity(panel, panel.rows["x"].to_numpy(), sites=sites)


def _clarity(panel: Panel, at: np.ndarray, *, sites: bool) -> np.ndarray:
    """Reliability of a line through the outcomes of each OU, less OU and month means, over ``at``.

    That is the variance of the lines' slopes beyond their errors, over that and the OU's own error:
    0 where nothing tells it from chance.  The variance is a low one, for where the sd of the
    slopes may be near 0 a centred slope makes a funnel; with ``sites`` it is that around the means
    of sites.  ``at`` is an array over rows; NaN leaves a row out.
    """
    ou, month = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    y = panel.rows["y"].to_numpy()
    seen = np.isfinite(y) & np.isfinite(at)
    ou, month, y, at = ou[seen], month[seen], y[seen], at[seen]

    def less_means(values: np.ndarray, by: np.ndarray) -> np.ndarray:
        count = np.maximum(np.bincount(by), 1)
        return values - (np.bincount(by, weights=values) / count)[by]

    size = len(panel.ous)
    at = less_means(at, ou)
    left = less_means(less_means(y, month), ou)
    spread = np.bincount(ou, weights=at**2, minlength=size)
    slope = np.bincount(ou, weights=at * left, minlength=size) / np.maximum(spread, 1e-12)
    clear = spread > 1e-12
    free = y.size - 2 * clear.sum()  # a level and a slope of each OU are taken from its rows
    if clear.sum() < 2 or free < 1:
        return np.zeros(size)
    noise = max(float(np.sum((left - slope[ou] * at) ** 2)) / free, 1e-300)
    weight = np.where(clear, spread / noise, 0.0)  # 1 / the slope's own error squared
    group = panel.site_idx if sites else np.zeros(size, dtype=int)
    whole = np.maximum(np.bincount(group, weights=weight), 1e-300)
    mean = (np.bincount(group, weights=weight * slope) / whole)[group]
    count = clear.sum() - len(np.unique(group[clear]))
    if count < 1:
        return np.zeros(size)
    # Cochran's Q, less what errors alone make of it and some of its sds: the scale's low end.
    excess = np.sum(weight * (slope - mean) ** 2) - count - _CHANCE * np.sqrt(2 * count)
    squares = np.bincount(group, weights=weight**2) / whole
    between = max(float(excess / (weight.sum() - squares.sum())), 0.0)
    return between * weight / (1 + between * weight)


def _seen_months(panel: Panel, lam: TensorVariable) -> TensorVariable:
    """The mean month effect over the outcomes that were seen.

    Effects sum to zero over all months, those without any outcome among them: free to be anything,
    they move all others the other way, and every OU's intercept along, but no level.
    """
    rows = panel.rows
    seen = np.isfinite(rows["y"].to_numpy())
    share = np.bincount(rows["month_idx"].to_numpy()[seen], minlength=len(panel.months))
    return (pm.Data("month_share", share / max(seen.sum(), 1), dims="month") * lam).sum()


def _mean_by_ou(values: TensorVariable) -> TensorVariable:
    """The mean of the rows' ``values`` by OU; 0 for an OU without rows."""
    model = pm.modelcontext(None)
    ou, counts = model["ou_idx"], pt.zeros(model.dim_lengths["ou"])
    totals = pt.inc_subtensor(counts[ou], values)
    return totals / pt.maximum(pt.inc_subtensor(counts[ou], 1.0), 1.0)
