"""What bends a slope without any survey, seen in panels and in fits, and what closes each path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from oulib.model import kalman_kernel
from oulib.model.spec import BASELINE, ROBUST, ModelSpec
from oulib.panel import Panel
from oulib.posterior.adequacy import FACTOR, NOISE, PERSISTENCE, held, two_way
from oulib.posterior.checks import hyperparameters, read, summarise
from oulib.posterior.estimate import SAMPLES, Estimate, estimate
from oulib.sampling.fit import Fit

INGREDIENTS = (NOISE, FACTOR, PERSISTENCE)
"""What real panels have and the specification's models do not, as :func:`ingredients` names it."""

UPGRADES: dict[str, dict[str, object]] = {
    "Student-t outcome": {"outcome": "student_t"},
    "AR(1) months": {"months": "ar1"},
    "sites": {"sites": True},
    "response part": {"response": True},
    "trends": {"trend": True},
    "covariates": {"covariates": "horseshoe"},
    "scores sampled by row": {"latent": "explicit"},
}
"""Upgrades of the book's other chapters, as changes of a spec, by what they are called."""


# --- closed forms of the two paths


def slope_from_noise(scale: np.ndarray, sigma_y: float, sigma_x: float) -> np.ndarray:
    """The size of the slope that best explains residuals of root mean square ``scale``.

    In rows without a survey y is normal with variance sigma_y^2 + beta^2 sigma_x^2, whatever the
    sign of beta: the likelihood is largest where that is the residuals' own mean square, or at 0
    where they are quieter than sigma_y.  Equation ``eq-variance-path``.
    """
    return np.sqrt(np.maximum(np.asarray(scale) ** 2 - sigma_y**2, 0.0)) / sigma_x


def noise_profile(
    beta: np.ndarray, scale: float, rows: int, sigma_y: float, sigma_x: float
) -> np.ndarray:
    """Log density of ``rows`` residuals of root mean square ``scale`` as a function of the slope.

    No survey is seen in any of them.  Less its largest value on the grid ``beta``.
    """
    variance = sigma_y**2 + np.asarray(beta) ** 2 * sigma_x**2
    log = -0.5 * rows * (np.log(variance) + scale**2 / variance)
    return log - log.max()


# --- an OU's series with its deviation and effects summed out, twice


@dataclass(frozen=True)
class Series:
    """One OU's outcomes less their expectation at the population's effects, and their parameters.

    ``left`` and ``x`` (what the slope multiplies) are by row, ``month`` the rows' places in the
    calendar; ``factor`` is varsigma_g; ``effects`` the 2 by 2 covariance of (alpha_g, beta_g).
    """

    left: np.ndarray
    x: np.ndarray
    month: np.ndarray
    factor: float
    phi: float
    sigma_u: float
    sigma_y: float
    effects: np.ndarray


def log_density_filtered(series: Series) -> float:
    """The series' log density by the filter and the closed form: equation (14.6)
    (``eq-summed``)."""
    s = series
    first = np.arange(s.left.size) == 0
    gap = np.concatenate([[1.0], np.diff(s.month)]).astype(float)
    columns = np.stack([s.left, np.ones_like(s.left), s.x], axis=1) / s.factor
    noise = np.full(s.left.size, s.sigma_y**2)
    white, log_f = kalman_kernel.whiten(columns, first, gap, s.phi, s.sigma_u**2, noise)
    e, design = white[:, 0], white[:, 1:]
    a, b = design.T @ design, design.T @ e
    # b' (Sigma^-1 + A)^-1 b = b' (I + Sigma A)^-1 Sigma b, where Sigma may be singular.
    inner = np.eye(2) + s.effects @ a
    told = b @ np.linalg.solve(inner, s.effects @ b)
    scale = np.sum(np.log(2 * np.pi) + log_f + 2 * np.log(s.factor))
    return float(-0.5 * (scale + e @ e - told + np.linalg.slogdet(inner)[1]))


def log_density_dense(series: Series) -> float:
    """The same by the full covariance of equation (14.5) (``eq-deviation``), row by row."""
    s = series
    lag = np.abs(np.subtract.outer(s.month, s.month))
    deviation = s.sigma_u**2 / (1 - s.phi**2) * s.phi**lag
    design = np.stack([np.ones_like(s.x), s.x], axis=1)
    covariance = s.factor**2 * (deviation + s.sigma_y**2 * np.eye(s.left.size))
    covariance = covariance + design @ s.effects @ design.T
    return float(stats.multivariate_normal.logpdf(s.left, cov=covariance))


# --- what a panel has, before any model


def residuals(panel: Panel) -> np.ndarray:
    """Outcomes less OU and month means, (ou, month); NaN where there is none."""
    return two_way(panel, panel.rows["y"].to_numpy()[None])[0]


def spread_of_scales(left: np.ndarray) -> float:
    """Sd over OUs of the logarithm of the root mean square residual; ``left`` is (ou, month)."""
    several = np.isfinite(left).sum(axis=1) > 1
    return float(np.std(np.log(_scales(left[several]))))


def persistence(left: np.ndarray) -> float:
    """Correlation of an OU's residuals in successive months, over all pairs; 0 without any."""
    one, other = left[:, :-1], left[:, 1:]
    both = np.isfinite(one) & np.isfinite(other)
    size = np.sqrt(np.sum(one[both] ** 2) * np.sum(other[both] ** 2))
    return float(np.sum(one[both] * other[both]) / size) if size > 0 else 0.0


def second_factor(left: np.ndarray) -> float:
    """Share of the residuals' variance in their strongest common movement.

    That is the largest squared singular value, over the sum of all.
    """
    values = np.linalg.svd(np.nan_to_num(left), compute_uv=False) ** 2
    return float(values[0] / values.sum())


def ingredients(panel: Panel, *, times: int = 200, seed: int = 0) -> pd.DataFrame:
    """How much a panel has of what the specification's models leave out, before any model.

    Each statistic of the outcomes less OU and month means is held against what it is where the
    ingredient is absent: residuals in units of their OU's own scale, dealt anew to all rows for
    the noise of OUs and to the months of their own OU for persistence; for the second factor each
    OU's series is turned by a random number of months, which leaves persistence in place and
    breaks what OUs share.

    Returns:
        Index :data:`NOISE`, :data:`FACTOR`, :data:`PERSISTENCE`; columns ``value``, ``chance``
        (mean over ``times`` such panels), ``high`` (their 99th percentile) and ``present``.
    """
    left, rng = residuals(panel), np.random.default_rng(seed)
    seen = np.isfinite(left)
    scaled = left / _scales(left)

    def dealt() -> np.ndarray:
        out = scaled.copy()
        out[seen] = rng.permutation(out[seen])
        return out

    def shuffled() -> np.ndarray:
        out = scaled.copy()
        for row, has in zip(out, seen, strict=True):
            row[has] = rng.permutation(row[has])
        return out

    def turned() -> np.ndarray:
        out = scaled.copy()
        for row, has in zip(out, seen, strict=True):
            row[has] = np.roll(row[has], rng.integers(max(has.sum(), 1)))
        return out - _month_means(out)

    table = {}
    for name, value, statistic, without in (
        (NOISE, spread_of_scales(left), spread_of_scales, dealt),
        (FACTOR, second_factor(scaled), second_factor, turned),
        (PERSISTENCE, persistence(scaled), persistence, shuffled),
    ):
        chance = np.array([statistic(without()) for _ in range(times)])
        high = float(np.quantile(chance, 0.99))
        table[name] = (value, float(chance.mean()), high, value > high)
    return pd.DataFrame.from_dict(
        table, orient="index", columns=["value", "chance", "high", "present"]
    ).rename_axis("ingredient")


def checked(fit: Fit, *, draws: int = 100, seed: int = 0) -> pd.DataFrame:
    """The statistics of :func:`ingredients` in the data and in outcomes that the fit replicates.

    Index as there; columns ``observed``, ``low`` and ``high`` (where nine in ten of the replicates
    lie) and ``p``, the share of replicates at least as large as the observed.
    """
    found = held(fit, draws=draws, seed=seed)
    observed, made = (each.sel(check=[*INGREDIENTS]) for each in (found.observed, found.replicated))
    low, high = made.quantile([0.05, 0.95], "sample").to_numpy()
    return pd.DataFrame(
        {
            "observed": observed.mean("sample").to_numpy(),
            "low": low,
            "high": high,
            "p": found.p.sel(check=[*INGREDIENTS]).to_numpy(),
        },
        index=pd.Index(INGREDIENTS, name="ingredient"),
    )


def _scales(left: np.ndarray) -> np.ndarray:
    """Each OU's root mean square residual, (ou, 1)."""
    count = np.maximum(np.isfinite(left).sum(axis=1, keepdims=True), 1)
    return np.maximum(np.sqrt(np.nansum(left**2, axis=1, keepdims=True) / count), 1e-12)


def _month_means(left: np.ndarray) -> np.ndarray:
    seen = np.isfinite(left)
    return np.where(seen, left, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)


# --- what fits to a panel with a truth made of it


@dataclass(frozen=True)
class Outcome:
    """What a fit to a panel with a known truth came to.

    ``sound`` is whether slopes may be read off it (:func:`oulib.posterior.checks.read`); ``r_hat``
    is the worst of the hyperparameters, at ``where``; ``coverage`` the share of the OUs' true
    slopes inside their 90% intervals, ``width`` and ``error`` (root mean square of the posterior
    means) of these, ``mean`` and ``sd`` of mu_beta and its ``truth``; ``opposed`` the share of OUs
    whose slope has one sign in one chain and the other in another; ``ous`` their number.
    """

    sound: bool
    r_hat: float
    where: str
    divergences: int
    opposed: float
    coverage: float
    width: float
    error: float
    mean: float
    sd: float
    truth: float
    ous: int

    @property
    def too_few(self) -> bool:
        """Whether chance explains so few slopes inside less than one time in twenty."""
        return too_few(self.coverage, self.ous)


def too_few(coverage: float, ous: int) -> bool:
    """Whether chance explains so few slopes inside 90% intervals less than one time in twenty."""
    return bool(stats.binom.cdf(round(coverage * ous), ous, 0.9) < 0.05)


def outcome(fit: Fit) -> Outcome:
    """Hold a fit against the truth of its panel; without a truth what needs it is NaN."""
    table, people = summarise(fit), hyperparameters(fit)
    names = [f"beta[{label}]" for label in fit.panel.ous]
    slopes, true = table.loc[names], fit.panel.truth
    beta = np.full(len(names), np.nan) if true is None else true["beta"].to_numpy()
    inside = (slopes["q5"] <= beta) & (beta <= slopes["q95"])
    mu_beta = fit.posterior["mu_beta"]
    return Outcome(
        sound=read(fit, [*names, "mu_beta"]).sampled,
        r_hat=float(people["r_hat"].max()),
        where=str(people["r_hat"].idxmax()),
        divergences=int(fit.tree["sample_stats"]["diverging"].sum()),
        opposed=float(opposed(fit.posterior["beta"]).mean()),
        coverage=np.nan if true is None else float(inside.mean()),
        width=float((slopes["q95"] - slopes["q5"]).mean()),
        error=float(np.sqrt(np.mean((slopes["mean"] - beta) ** 2))),
        mean=float(mu_beta.mean()),
        sd=float(mu_beta.std()),
        truth=np.nan if true is None else float(true["mu_beta"]),
        ous=len(names),
    )


def ledger(fits: Mapping[tuple[str, str], Fit]) -> pd.DataFrame:
    """:func:`outcome` of several fits, a row each; keys are (panel, model), as is the index."""
    rows = {key: asdict(outcome(fit)) for key, fit in fits.items()}
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.index = pd.MultiIndex.from_tuples(table.index, names=["panel", "model"])
    return table


def positive(beta: xr.DataArray) -> np.ndarray:
    """Share of positive draws of each OU's slope in each chain, (chain, ou)."""
    return (beta > 0).mean("draw").transpose("chain", "ou").to_numpy()


def opposed(beta: xr.DataArray, *, sure: float = 0.95) -> np.ndarray:
    """Whether chains are ``sure`` of opposite signs of an OU's slope, (ou)."""
    share = positive(beta)
    return (share > sure).any(axis=0) & (share < 1 - sure).any(axis=0)


def fingerprint(fit: Fit) -> pd.DataFrame:
    """What each OU's slope follows, chain by chain, on a panel simulated with ingredients.

    A row an OU and chain: ``chain``, ``ou``, ``slope`` (the chain's posterior mean), ``size`` (the
    chain's root mean square), ``true``, and where the panel has them ``noise_ou`` and ``loading``.
    """
    beta = fit.posterior["beta"].transpose(*SAMPLES, "ou")
    slope = beta.mean("draw").to_numpy()
    size = np.sqrt((beta**2).mean("draw").to_numpy())
    chains, ous = slope.shape
    table = pd.DataFrame(
        {
            "chain": np.repeat(np.arange(chains), ous),
            "ou": np.tile(np.arange(ous), chains),
            "slope": slope.ravel(),
            "size": size.ravel(),
        }
    )
    truth = fit.panel.truth
    assert truth is not None  # as of any simulated panel
    for name, column in (("beta", "true"), ("noise_ou", "noise_ou"), ("loading", "loading")):
        if name in truth:
            table[column] = np.tile(truth[name].to_numpy(), chains)
    return table


def follows(table: pd.DataFrame, column: str) -> np.ndarray:
    """Correlation over OUs of the slopes with ``column`` in each chain, from `fingerprint`."""
    return np.array(
        [np.corrcoef(part["slope"], part[column])[0, 1] for _, part in table.groupby("chain")]
    )


# --- the switches


def switches(spec: ModelSpec = ROBUST, base: ModelSpec = BASELINE) -> dict[str, object]:
    """The switches of ``spec`` that differ from those of ``base``, in the order of the spec.

    Without the name and the priors.
    """
    return {
        field.name: getattr(spec, field.name)
        for field in fields(ModelSpec)
        if field.name not in ("name", "priors")
        and getattr(spec, field.name) != getattr(base, field.name)
    }


def composition(
    chosen: Sequence[tuple[str, object]] | None = None,
) -> tuple[pd.DataFrame, dict[str, tuple[str, ...]]]:
    """Which upgrades each switch composes with, by trying, and the reasons of those that do not.

    Args:
        chosen: switches and their values; by default those of :data:`oulib.ROBUST` and the whole
            of it.

    Returns:
        A table of booleans, a row a switch (and ``all of them``) and a column each of
        :data:`UPGRADES`; and the sentences of ``ModelSpec.problems`` by upgrade.
    """
    pairs = tuple(switches().items()) if chosen is None else chosen
    rows = {f"{name} = {value!r}": {name: value} for name, value in pairs if name != "months"}
    rows["all of them"] = dict(pairs)
    table: dict[str, dict[str, bool]] = {}
    reasons: dict[str, tuple[str, ...]] = {}
    for label, change in rows.items():
        found = {}
        for upgrade, more in UPGRADES.items():
            problems = BASELINE.but(**change).but(**more).problems()
            found[upgrade] = not problems
            reasons[upgrade] = tuple(dict.fromkeys((*reasons.get(upgrade, ()), *problems)))
        table[label] = found
    frame = pd.DataFrame.from_dict(table, orient="index").rename_axis("switch")
    return frame, {upgrade: why for upgrade, why in reasons.items() if why}


def by_chain(beta: xr.DataArray) -> list[float]:
    """The average slope over OUs by chain, from draws (chain, draw, ou)."""
    return [float(mean) for mean in beta.mean(("draw", "ou")).to_numpy()]


@dataclass(frozen=True)
class VariancePath:
    """Rank correlations over OUs of the size of a slope.

    With how noisy the OU is (``noise``, which chance would make so large with probability
    ``chance``) and with the size of its true slope (``true``).
    """

    noise: float
    chance: float
    true: float


def variance_path(table: pd.DataFrame) -> VariancePath:
    """Whether the size of slopes follows the OUs' noise, from :func:`fingerprint`."""
    by_ou = table.groupby("ou").mean()
    found = stats.spearmanr(by_ou["size"], by_ou["noise_ou"])
    own = stats.spearmanr(by_ou["size"], by_ou["true"].abs())
    return VariancePath(float(found.statistic), float(found.pvalue), float(own.statistic))


@dataclass(frozen=True)
class Repaired:
    """Off which models slopes of a ``panel`` may be read (``sound``), and off which not.

    ``few`` are those of the former whose 90% intervals hold too few true slopes, with the share.
    """

    panel: str
    sound: tuple[str, ...]
    failed: tuple[str, ...]
    few: tuple[tuple[str, float], ...]


def repaired(table: pd.DataFrame) -> list[Repaired]:
    """Which models came through on which panel, from :func:`ledger`."""
    found = []
    for panel, part in table.groupby(level="panel", sort=False):
        part = part.droplevel("panel")
        sound = tuple(part.index[part["sound"]])
        few = [
            (model, float(part.loc[model, "coverage"]))
            for model in sound
            if too_few(part.loc[model, "coverage"], int(part.loc[model, "ous"]))
        ]
        failed = tuple(model for model in part.index if model not in sound)
        found.append(Repaired(str(panel), sound, failed, tuple(few)))
    return found


@dataclass(frozen=True)
class Together:
    """Fits of one model to several ``panels``: means of their outcomes, as in :class:`Outcome`.

    ``error`` is the root of the mean square; ``stuck`` fits did not pass, and ``too_few`` is of all
    OUs together.
    """

    panels: int
    coverage: float
    error: float
    width: float
    stuck: int
    too_few: bool


def together(results: Sequence[Outcome]) -> Together:
    """What fits of one model to several panels came to."""
    coverage = float(np.mean([one.coverage for one in results]))
    return Together(
        panels=len(results),
        coverage=coverage,
        error=float(np.sqrt(np.mean([one.error**2 for one in results]))),
        width=float(np.mean([one.width for one in results])),
        stuck=sum(not one.sound for one in results),
        too_few=too_few(coverage, sum(one.ous for one in results)),
    )


@dataclass(frozen=True)
class Learned:
    """What the robust model learned of a panel.

    ``share`` is that of deviations in the variance of what score, OU and month leave of an outcome,
    the posterior mean; ``phi`` carries a deviation over from month to month; ``noise`` is the sd of
    the logarithms of the OUs' scales; ``between`` the coefficient of an OU's mean score.
    """

    share: float
    phi: Estimate
    noise: Estimate
    between: Estimate


def learned(posterior: xr.Dataset) -> Learned:
    """What the robust model learned of the three ingredients, from its draws."""
    stray = posterior["sigma_u"] / np.sqrt(1 - posterior["phi_u"] ** 2)
    return Learned(
        float((stray**2 / (stray**2 + posterior["sigma_y"] ** 2)).mean()),
        *(estimate(posterior[name]) for name in ("phi_u", "sigma_noise_ou", "beta_between")),
    )
