"""What is known of a latent score in months with a survey, without one, and after one is hidden."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats

from oulib.model.draws.density import CHUNK, all_rows, movement_size, row_density, thinned
from oulib.model.draws.generate import normal_equivalent, standard_noise
from oulib.model.survey import respondents
from oulib.panel import Panel
from oulib.posterior.estimate import SAMPLES, DrawByDraw, Estimate, draw_by_draw, estimate
from oulib.posterior.latent import common_movement, conditional, own_grid, recover_latent
from oulib.sampling.fit import Fit

KINDS = ("survey seen", "planned, unanswered", "no survey")
"""Kinds of rows; without a schedule only the first and the last are told apart."""
WITH, WITHOUT, OU_MEAN, LAST, LINE = (
    "model, with the outcome",
    "model, without it",
    "unit mean",
    "last value",
    "straight line",
)
"""Forecasts of a hidden survey: the model's two, and the rules of thumb that it has to beat."""
RULES = (OU_MEAN, LAST, LINE)

_NODES = 161
_FAR = 4  # distances from here on are one group


# --- which rows, and how far from a survey


def kinds(panel: Panel) -> np.ndarray:
    """The kind of every row, one of :data:`KINDS`, (row)."""
    seen = panel.rows["observed"].to_numpy()
    planned = panel.rows["scheduled"].to_numpy() if panel.has_schedule else np.zeros_like(seen)
    return np.select([seen, planned], KINDS[:2], KINDS[2])


def neighbours(at: np.ndarray, length: int) -> tuple[np.ndarray, np.ndarray]:
    """Steps from each of ``length`` months back and ahead to the nearest month in ``at``.

    Infinite where there is none on that side, 0 at a month in ``at``; ``at`` is in order.
    """
    t, places = np.arange(length), np.concatenate([[-np.inf], at, [np.inf]])
    before = places[np.searchsorted(at, t, side="right")]
    after = places[np.searchsorted(at, t, side="left") + 1]
    return t - before, after - t


def distances(panel: Panel) -> pd.DataFrame:
    """How far each row is from a survey, in steps of the calendar; a row each.

    Columns ``kind``, ``to_wave`` (to the nearest month with a survey of any OU) and ``to_own`` (to
    the nearest survey of the OU itself, infinite if it has none).
    """
    ou, month = panel.rows["ou_idx"].to_numpy(), panel.rows["month_idx"].to_numpy()
    seen = panel.survey_rows

    def nearest(at: np.ndarray) -> np.ndarray:
        return np.minimum(*neighbours(np.unique(at), len(panel.months)))

    own = np.array([nearest(month[seen[ou[seen] == g]]) for g in range(len(panel.ous))])
    return pd.DataFrame(
        {"kind": kinds(panel), "to_wave": nearest(month[seen])[month], "to_own": own[ou, month]}
    ).rename_axis("row")


# --- closed forms


def known_sd(sigma_x: Any, sigma_meas: Any, n: Any, sigma_y: Any = np.inf, beta: Any = 0.0) -> Any:
    """Sd of x* given the parameters: precisions add up, one for each source.

    The population of months, ``n`` respondents and, if ``sigma_y`` is given, a normal outcome.
    Equation ``eq-precision``.
    """
    return 1 / np.sqrt(1 / sigma_x**2 + n / sigma_meas**2 + beta**2 / sigma_y**2)


def bridge_variance(phi: Any, left: Any, right: Any) -> Any:
    """Variance of a stationary AR(1) of unit variance, known ``left`` steps ago and in ``right``.

    Either may be infinite, for no neighbour on that side.  Equation ``eq-bridge``.
    """
    before, after = (phi**2) ** left, (phi**2) ** right
    return (1 - before) * (1 - after) / (1 - before * after)


def bridge_mean(phi: Any, left: Any, right: Any) -> tuple:
    """The weights of the two neighbours in the mean of that bridge."""
    share = 1 - (phi**2) ** (left + right)
    return (
        phi**left * (1 - (phi**2) ** right) / share,
        phi**right * (1 - (phi**2) ** left) / share,
    )


def outcome_share(beta: Any, sigma_y: Any, var: Any) -> Any:
    """Share of the variance ``var`` of x* that a normal outcome takes away.

    Equation ``eq-outcome-share``.
    """
    return beta**2 * var / (sigma_y**2 + beta**2 * var)


def slopes_from_scores(beta: float, sigma_y: float, var: float, spread: float) -> pd.Series:
    """What a regression of y on recovered scores finds, by how they were recovered; a Series.

    The scores are m + e: m varies between rows with variance ``spread`` and is known, e has
    variance ``var`` and is not, and y = beta x* + noise of sd ``sigma_y``.  Equation
    ``eq-four-slopes``.
    """
    share = outcome_share(beta, sigma_y, var)
    total = spread + var
    return pd.Series(
        {
            "means, without the outcome": beta,
            "draws, without the outcome": beta * spread / total,
            "means, with the outcome": beta * total / (spread + share * var),
            "draws, with the outcome": beta,
        }
    )


def closed_forms(fit: Fit, *, seed: int = 0) -> pd.DataFrame:
    """Posterior sds of x* under a normal outcome, drawn and by two closed forms; a row each.

    Columns ``n``; ``drawn``, the sd of :func:`oulib.posterior.latent.recover_latent`'s draws;
    ``total``, exact by the law of total variance (``eq-total-variance``); ``within``, the root of
    its first term; ``plug_in``, :func:`known_sd` at the posterior means of the parameters; and
    ``survey``, the noise of the row's survey alone at the same, NaN without one.
    """
    given = conditional(fit)
    within = (given["sd"] ** 2).mean(SAMPLES)
    mean = fit.posterior[["sigma_x", "sigma_meas", "sigma_y", "beta"]].mean(SAMPLES)
    n = respondents(fit.panel)
    ou = fit.panel.rows["ou_idx"].to_numpy()
    beta = mean["beta"].to_numpy()[ou]
    sigma_x, sigma_meas = (float(mean[name]) for name in ("sigma_x", "sigma_meas"))
    return pd.DataFrame(
        {
            "n": n,
            "drawn": recover_latent(fit, seed=seed).std(SAMPLES).to_numpy(),
            "total": np.sqrt((within + given["mean"].var(SAMPLES)).to_numpy()),
            "within": np.sqrt(within.to_numpy()),
            "plug_in": known_sd(sigma_x, sigma_meas, n, float(mean["sigma_y"]), beta),
            "survey": np.where(n > 0, sigma_meas / np.sqrt(np.maximum(n, 1)), np.nan),
        }
    ).rename_axis("row")


# --- what a fit knows of its rows


def moments(fit: Fit, *, rows: np.ndarray | None = None, draws: int = 400) -> xr.Dataset:
    """Mean and sd of x* given each posterior draw and all of the row's data, by quadrature.

    Like :func:`oulib.posterior.latent.conditional`, for any outcome: dims (chain, draw, row).
    """
    posterior, rows = thinned(fit.posterior, draws), all_rows(fit, rows)
    size = posterior.sizes["chain"] * posterior.sizes["draw"] * _NODES
    step, parts = max(CHUNK // size, 1), []
    for i in range(0, rows.size, step):
        r = row_density(fit, posterior, rows[i : i + step])
        node, log = own_grid(r, _NODES)
        weight = xr.ufuncs.exp(log - log.max("node"))
        weight = weight / weight.sum("node")
        z = (weight * node).sum("node")
        spread = (weight * (node - z) ** 2).sum("node")
        parts.append(
            xr.Dataset({"mean": r.mean + np.sqrt(r.var) * z, "sd": np.sqrt(r.var * spread)})
        )
    return xr.concat(parts, dim="row").transpose(*SAMPLES, "row")


def known(fit: Fit, *, draws: int = 400) -> pd.DataFrame:
    """What is known of the score of every row, with the row's outcome and without; a row each.

    Columns of :func:`distances`, and ``ou``; ``n``; posterior ``mean`` and ``sd`` of x*, and
    ``within``, the root mean variance given the parameters; the same with ``_alone``, from the
    row's survey, the OU and the months, under parameters that have seen all data; and ``common``,
    the posterior sd of the common movement gamma_x tau_t.
    """
    table = distances(fit.panel)
    table["ou"] = fit.panel.rows["ou_idx"].to_numpy()
    table["n"] = respondents(fit.panel)
    given = {"": moments(fit, draws=draws), "_alone": conditional(fit, outcome=False, draws=draws)}
    for suffix, one in given.items():
        within = (one["sd"] ** 2).mean(SAMPLES)
        table[f"mean{suffix}"] = one["mean"].mean(SAMPLES).to_numpy()
        table[f"sd{suffix}"] = np.sqrt((within + one["mean"].var(SAMPLES)).to_numpy())
        table[f"within{suffix}"] = np.sqrt(within.to_numpy())
    common = common_movement(fit).std(SAMPLES).to_numpy()
    table["common"] = common[fit.panel.rows["month_idx"].to_numpy()]
    return table


def by_distance(table: pd.DataFrame) -> pd.DataFrame:
    """Rows without a survey by their distance to a wave, from :func:`known`.

    Index ``to_wave``; columns ``rows`` and root mean squares of ``sd``, ``sd_alone`` and
    ``common``.
    """
    unseen = table[table["kind"] != KINDS[0]]
    squares = unseen[["sd", "sd_alone", "common"]] ** 2
    group = squares.groupby(unseen["to_wave"])
    return np.sqrt(group.mean()).assign(rows=group.size())


def bridges(fit: Fit) -> pd.DataFrame:
    """The score's common movement between waves, sampled and by the AR(1) bridge; a row a month.

    Of a model with AR(1) months of unit variance.  Columns ``distance`` to the nearest wave;
    ``sd`` of gamma_x tau_t; ``rest``, the sd of what neither neighbouring wave can tell of it,
    gamma_x times the path less its mean given the two; ``bridge``, what ``rest`` is in closed form
    if the month's outcomes tell nothing; and ``stationary``, what it would be without any wave.
    """
    p = fit.posterior
    months = list(fit.panel.months)
    at = np.array([months.index(label) for label in p["tau_month"].to_numpy()])
    waves, tau = (
        p["tau_seen"].transpose(..., "tau_month").to_numpy(),
        p["tau"].transpose(..., "month").to_numpy(),
    )
    path = tau + (waves[..., :1] - tau[..., at[:1]])  # before its mean was taken off
    phi, gamma = (p[name].to_numpy()[..., None] for name in ("phi_tau", "gamma_x"))
    left, right = neighbours(at, len(months))
    t = np.arange(len(months))
    is_wave = np.isin(t, at)  # known itself, and its own neighbour: 0 / 0 in the formulas
    span = np.where(is_wave, 1, left), np.where(is_wave, 1, right)
    from_left, from_right = bridge_mean(phi, *span)
    before = waves[..., np.maximum(np.searchsorted(at, t, side="right") - 1, 0)]
    after = waves[..., np.minimum(np.searchsorted(at, t), len(at) - 1)]
    expected = np.where(is_wave, path, from_left * before + from_right * after)
    variance = np.where(is_wave, 0.0, bridge_variance(phi, *span))
    return pd.DataFrame(
        {
            "distance": np.minimum(left, right),
            "sd": (gamma * tau).std(axis=(0, 1)),
            "rest": (gamma * (path - expected)).std(axis=(0, 1)),
            "bridge": np.sqrt((gamma**2 * variance).mean(axis=(0, 1))),
            "stationary": np.sqrt((gamma**2).mean()),
        },
        index=pd.Index(months, name="month"),
    )


def floor(fit: Fit) -> float:
    """What no other month can tell: the root mean square of sigma_x over the posterior."""
    return float(np.sqrt((fit.posterior["sigma_x"] ** 2).mean()))


def sources(fit: Fit, table: pd.DataFrame) -> pd.Series:
    """Variance of x* in rows without a survey: at first, after the panel, and after the outcome.

    ``population`` is that of a score of which nothing is known, sigma_mu^2 + gamma_x^2 + sigma_x^2;
    ``alone`` is what the OU's surveys and the months leave of it, ``both`` what the row's outcome
    leaves then; means over the posterior and the rows.  ``share`` is the part of all that is known,
    population less both, which the row's outcome brought.
    """
    p = fit.posterior
    gamma = movement_size(fit, p)
    first = float((p["sigma_mu_x"] ** 2 + gamma**2 + p["sigma_x"] ** 2).mean())
    unseen = table[table["kind"] != KINDS[0]]
    alone, both = (float((unseen[name] ** 2).mean()) for name in ("sd_alone", "sd"))
    share = (alone - both) / (first - both) if first > both else np.nan
    return pd.Series({"population": first, "alone": alone, "both": both, "share": share})


def feedback(fit: Fit, table: pd.DataFrame) -> pd.DataFrame:
    """What outcomes add to the scores of an OU's months without a survey, from :func:`known`.

    A row an OU that has such months; columns ``beta`` (posterior root mean square), ``taken``, the
    share of the variance given the parameters that the outcome takes away, ``closed``, the same by
    :func:`outcome_share`, and ``shift``, the root mean square move of the posterior mean in sds.
    With a Student-t outcome ``closed`` counts its noise by its Fisher information, (nu + 1) /
    ((nu + 3) sigma_y^2), which holds where beta sigma_x is small beside sigma_y.
    """
    p = fit.posterior
    noise = p["sigma_y"] * normal_equivalent(p)
    var = p["sigma_x"] ** 2
    closed = (outcome_share(p["beta"], noise, var) * var).mean(SAMPLES) / var.mean()
    unseen = table[table["kind"] != KINDS[0]]
    parts = pd.DataFrame(
        {
            "after": unseen["within"] ** 2,
            "before": unseen["within_alone"] ** 2,
            "shift": ((unseen["mean"] - unseen["mean_alone"]) / unseen["sd_alone"]) ** 2,
        }
    )
    mean = parts.groupby(unseen["ou"]).mean()
    return pd.DataFrame(
        {
            "beta": np.sqrt((p["beta"] ** 2).mean(SAMPLES).to_numpy())[mean.index],
            "taken": 1 - mean["after"] / mean["before"],
            "closed": closed.to_numpy()[mean.index],
            "shift": np.sqrt(mean["shift"]),
        }
    )


def covered(fit: Fit, *, prob: float = 0.9, draws: int = 500, seed: int = 0) -> pd.DataFrame:
    """Whether the true score of a simulated panel lies inside its interval, by kind and distance.

    Index ``kind`` and ``to_wave`` (the last group holds all that are farther); columns ``rows``,
    ``coverage``, ``expected_low`` and ``expected_high`` (where the coverage of independent rows
    lies nine times in ten; rows that share a month or an OU vary more) and ``error``, the root
    mean square of the posterior mean.
    """
    x = recover_latent(fit, draws=draws, seed=seed)
    tail = (1 - prob) / 2
    low, high = (x.quantile(q, SAMPLES).to_numpy() for q in (tail, 1 - tail))
    assert fit.panel.truth is not None  # as of any simulated panel
    truth = fit.panel.truth["x_star"].to_numpy()
    rows = distances(fit.panel).assign(
        inside=(low <= truth) & (truth <= high),
        error=(x.mean(SAMPLES).to_numpy() - truth) ** 2,
    )
    rows["to_wave"] = rows["to_wave"].clip(upper=_FAR).astype(int)
    group = rows.groupby(["kind", "to_wave"])
    size = group.size()
    table = pd.DataFrame(
        {
            "rows": size,
            "coverage": group["inside"].mean(),
            "expected_low": stats.binom.ppf(0.05, size, prob) / size,
            "expected_high": stats.binom.ppf(0.95, size, prob) / size,
            "error": np.sqrt(group["error"].mean()),
        }
    )
    return table.reindex([kind for kind in KINDS if kind in rows["kind"].to_numpy()], level=0)


# --- surveys that are hidden, to be found again


def held_out(panel: Panel, *, share: float = 0.1, seed: int = 0) -> np.ndarray:
    """Positions of a random ``share`` of the rows with a survey, in row order; at least one."""
    seen = panel.survey_rows
    size = max(round(share * seen.size), 1)
    return np.sort(np.random.default_rng(seed).choice(seen, size, replace=False))


def hide_surveys(panel: Panel, rows: np.ndarray) -> Panel:
    """The panel with the surveys of ``rows`` (positions) unseen, their outcomes and plans kept.

    The standardisation stays that of the whole panel, so that the scores mean the same.
    """
    nothing = {"survey": np.nan, "x": np.nan, "respondents": 0, "observed": False}
    changed = {name: panel.rows[name].copy() for name in nothing}
    for name, values in changed.items():
        values[{"row": np.asarray(rows)}] = nothing[name]
    return replace(panel, rows=panel.rows.assign(changed), truth=None)


def predict_surveys(
    refit: Fit, panel: Panel, rows: np.ndarray, *, outcome: bool, draws: int = 2000, seed: int = 0
) -> np.ndarray:
    """Draws of the hidden scores x' of ``rows``, (sample, row), from a fit that has not seen them.

    ``panel`` has the surveys; only how many people answered is taken from it.  ``outcome`` says
    whether the row's outcome may be looked at.

    Raises:
        ValueError: the model has a response part, to which a hidden survey is an answer refused.
    """
    if refit.spec.response:
        raise ValueError("A hidden survey is not one that nobody answered.")
    rng = np.random.default_rng(seed)
    if outcome:
        score = recover_latent(refit, rows=rows, draws=draws, seed=seed)
    else:
        given = conditional(refit, outcome=False, rows=rows, draws=draws)
        score = given["mean"] + given["sd"] * rng.standard_normal(given["mean"].shape)
    x = score.transpose(*SAMPLES, "row").to_numpy()
    sigma = thinned(refit.posterior, draws)["sigma_meas"].to_numpy()[..., None]
    noise = sigma / np.sqrt(respondents(panel)[rows])
    return (x + noise * rng.standard_normal(x.shape)).reshape(-1, len(rows))


def rules_of_thumb(hidden: Panel, rows: np.ndarray) -> pd.DataFrame:
    """Normal forecasts of the scores of ``rows`` from the surveys that are left, a row each.

    Columns ``unit mean`` (of its other surveys), ``last value`` (its latest earlier survey) and
    ``straight line`` (in time between its neighbouring surveys, the nearest beyond the first and
    the last); the mean of all surveys where the OU has none.  Under ``... sd`` stands the root mean
    square error of the same rule among the surveys that are left, each left out in turn.
    """
    data = hidden.rows[["ou_idx", "month_idx", "x"]].reset_coords(drop=True).to_dataframe()
    kept = data.iloc[hidden.survey_rows]
    grand, by_ou = kept["x"].mean(), kept.groupby("ou_idx")["x"]
    count, total = by_ou.transform("size"), by_ou.transform("sum")
    others = ((total - kept["x"]) / (count - 1).where(count > 1)).fillna(grand)
    errors = {
        OU_MEAN: kept["x"] - others,
        LAST: kept["x"] - by_ou.shift().fillna(grand),
        LINE: kept["x"] - on_line(kept, kept).fillna(grand),
    }
    wanted = data.iloc[rows]
    last = pd.merge_asof(
        wanted[["ou_idx", "month_idx"]]
        .assign(place=np.arange(len(wanted)))
        .sort_values("month_idx"),
        kept.sort_values("month_idx"),
        on="month_idx",
        by="ou_idx",
    ).sort_values("place")
    table = pd.DataFrame(
        {
            OU_MEAN: wanted["ou_idx"].map(by_ou.mean()).fillna(grand).to_numpy(),
            LAST: last["x"].fillna(grand).to_numpy(),
            LINE: on_line(wanted, kept).fillna(grand).to_numpy(),
        },
        index=pd.Index(rows, name="row"),
    )
    for rule, error in errors.items():
        table[f"{rule} sd"] = np.sqrt((error**2).mean())
    return table


def on_line(wanted: pd.DataFrame, kept: pd.DataFrame) -> pd.Series:
    """Scores of ``wanted`` on straight lines in time between the OU's scores in ``kept``.

    Both have ``ou_idx`` and ``month_idx``, ``kept`` also ``x``, in order of time within OUs.  A row
    that is in both (by its index) is predicted from the others.  Before the first score and after
    the last it is the nearest; NaN where the OU has no other.
    """
    found = pd.Series(np.nan, index=wanted.index)
    own = dict(list(kept.groupby("ou_idx")))
    for row, ou, month in wanted[["ou_idx", "month_idx"]].itertuples():
        if ou in own:
            others = own[ou].drop(index=row, errors="ignore")
            if len(others):
                found[row] = np.interp(month, others["month_idx"], others["x"])
    return found


def crps(draws: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Continuous ranked probability score of draws (sample, row) at ``observed``, (row).

    E|x1 - x| - E|x1 - x2| / 2 over draws x1 and x2, in units of the score; smaller is better
    (Gneiting & Raftery, 2007).  Equation ``eq-crps``.
    """
    n = len(draws)
    rank = 2 * np.arange(1, n + 1) - n - 1
    spread = (rank[:, None] * np.sort(draws, axis=0)).sum(axis=0) / n**2
    return np.abs(draws - observed).mean(axis=0) - spread


def crps_normal(mean: np.ndarray, sd: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """:func:`crps` of a normal distribution, in closed form."""
    z = (observed - mean) / sd
    return sd * (z * (2 * stats.norm.cdf(z) - 1) + 2 * stats.norm.pdf(z) - 1 / np.sqrt(np.pi))


def found_again(
    refit: Fit,
    panel: Panel,
    rows: np.ndarray,
    *,
    models: Sequence[str] = (WITH, WITHOUT),
    rules: Sequence[str] = (OU_MEAN, LAST),
    prob: float = 0.9,
    seed: int = 0,
) -> xr.Dataset:
    """How well hidden surveys were predicted by the model and by rules of thumb.

    Args:
        refit: a fit to ``hide_surveys(panel, rows)``.
        panel: the panel with all its surveys.
        rows: the hidden ones.
        models: which of the model's forecasts; both are the same where the outcome's mean follows
            the expected score, for then no row's outcome moves its score.
        rules: which of :data:`RULES`.
        prob: of the predictive intervals.
        seed: of the draws.

    Returns:
        ``mean``, ``low``, ``high``, ``crps`` and ``pit`` (the forecast's probability of a score
        below the hidden one) over (forecast, row), ``observed`` over (row).
    """
    x = panel.rows["x"].to_numpy()[rows]
    tail = (1 - prob) / 2
    found = {}
    for label in models:
        drawn = predict_surveys(refit, panel, rows, outcome=label == WITH, seed=seed)
        low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
        found[label] = (drawn.mean(axis=0), low, high, crps(drawn, x), (drawn < x).mean(axis=0))
    simple, z = rules_of_thumb(refit.panel, rows), stats.norm.ppf(1 - tail)
    for label in rules:
        mean, sd = simple[label].to_numpy(), simple[f"{label} sd"].to_numpy()
        ends = mean - z * sd, mean + z * sd
        found[label] = (mean, *ends, crps_normal(mean, sd, x), stats.norm.cdf(x, mean, sd))
    values = np.array(list(found.values()))
    dims = ("forecast", "row")
    names = ("mean", "low", "high", "crps", "pit")
    return xr.Dataset(
        {name: (dims, values[:, i]) for i, name in enumerate(names)} | {"observed": ("row", x)},
        coords={"forecast": list(found), "row": rows},
    )


def score_table(found: xr.Dataset) -> pd.DataFrame:
    """:func:`found_again` in a line a forecast: coverage, width, error and CRPS, means over rows.

    ``gain`` is how much smaller the CRPS is than the best rule of thumb's, ``gain_se`` the
    standard error of that mean of paired differences.
    """
    x = found["observed"]
    table = xr.Dataset(
        {
            "coverage": ((found["low"] <= x) & (x <= found["high"])).mean("row"),
            "width": (found["high"] - found["low"]).mean("row"),
            "error": np.sqrt(((found["mean"] - x) ** 2).mean("row")),
            "crps": found["crps"].mean("row"),
        }
    ).to_dataframe()
    best = table.loc[table.index.isin(RULES), "crps"].idxmin()
    gain = found["crps"].sel(forecast=best, drop=True) - found["crps"]
    table["gain"] = gain.mean("row").to_numpy()
    table["gain_se"] = (gain.std("row", ddof=1) / np.sqrt(gain.sizes["row"])).to_numpy()
    return table


def paired_error(difference: np.ndarray, *groups: np.ndarray) -> float:
    """Standard error of the mean of ``difference`` (row) whose rows are alike within groups.

    ``groups`` has the row's label in one classification, or in two (OUs and months): then the
    variances by either add up, less that by both (Cameron, Gelbach & Miller, 2011), and it is never
    less than by one of them alone.  Equation ``eq-two-ways``.
    """

    def variance(group: np.ndarray) -> float:
        _, place = np.unique(group, return_inverse=True)
        sums = np.bincount(place, weights=difference - difference.mean())
        if sums.size < 2:
            return np.nan
        return sums.size / (sums.size - 1) * float(np.sum(sums**2)) / difference.size**2

    by = [variance(group) for group in groups]
    if len(groups) == 2:
        pairs = np.unique(
            np.stack([np.unique(g, return_inverse=True)[1] for g in groups]),
            axis=1,
            return_inverse=True,
        )[1]
        by.append(by[0] + by[1] - variance(np.ravel(pairs)))
    return float(np.sqrt(max(by)))


def imputation_table(
    found: xr.Dataset, model: str, panel: Panel, *, unit: float = 1.0
) -> pd.DataFrame:
    """:func:`found_again` in a line a forecast, each against the forecast ``model``.

    Columns ``rows``; ``coverage_50`` and ``coverage_90`` of central intervals; ``width`` of the
    latter; ``error`` (root mean square) and ``crps``, means over rows times ``unit``; and ``lead``,
    by how much the CRPS is larger than that of ``model``, positive where ``model`` is better, with
    its ``lead_se`` by :func:`paired_error` over OUs and months of ``panel``.
    """
    where = found["row"].to_numpy()
    groups = [panel.rows[name].to_numpy()[where] for name in ("ou_idx", "month_idx")]
    lead = unit * (found["crps"] - found["crps"].sel(forecast=model, drop=True))
    away = abs(found["pit"] - 0.5)
    table = xr.Dataset(
        {
            "coverage_50": (away <= 0.25).mean("row"),
            "coverage_90": (away <= 0.45).mean("row"),
            "width": unit * (found["high"] - found["low"]).mean("row"),
            "error": unit * np.sqrt(((found["mean"] - found["observed"]) ** 2).mean("row")),
            "crps": unit * found["crps"].mean("row"),
            "lead": lead.mean("row"),
        }
    ).to_dataframe()
    table.insert(0, "rows", where.size)
    return table.assign(
        lead_se=[paired_error(one.to_numpy(), *groups) for one in lead.transpose("forecast", "row")]
    )


def persistence(fit: Fit, *, draws: int = 400, seed: int = 0) -> xr.Dataset:
    """Whether an OU's departures last from one of its surveys to the next; dim ``sample``.

    A departure is a survey score less what OU and month let one expect in a posterior draw, in
    units of its sd; the model takes them to be independent.  ``observed`` is the correlation of
    those of successive surveys of an OU, ``replicated`` that of independent ones.  An OU's mean
    was learnt from the same few surveys, which makes the observed one too small, if anything.

    Raises:
        ValueError: no OU has two surveys.
    """
    p, rows = thinned(fit.posterior, draws), fit.panel.survey_rows
    ou, month = (fit.panel.rows[name].to_numpy()[rows] for name in ("ou_idx", "month_idx"))
    same = np.flatnonzero(ou[1:] == ou[:-1])
    if not same.size:
        raise ValueError("No OU has two surveys.")
    gamma = movement_size(fit, p)
    place = {dim: xr.DataArray(i, dims="row") for dim, i in (("ou", ou), ("month", month))}
    expected = p["mu_x_ou"].isel(ou=place["ou"]) + (gamma * p["tau"]).isel(month=place["month"])
    x = xr.DataArray(fit.panel.rows["x"].to_numpy()[rows], dims="row")
    n = xr.DataArray(respondents(fit.panel)[rows], dims="row")
    away = (x - expected) / np.sqrt(p["sigma_x"] ** 2 + p["sigma_meas"] ** 2 / n)
    z = away.transpose(*SAMPLES, "row").to_numpy().reshape(-1, rows.size)
    fresh = np.random.default_rng(seed).standard_normal(z.shape)
    return xr.Dataset(
        {
            name: ("sample", _row_correlations(values[:, same], values[:, same + 1]))
            for name, values in (("observed", z), ("replicated", fresh))
        },
        attrs={"steps": float(np.mean(month[same + 1] - month[same]))},
    )


# --- is the line straight?


def bends(fit: Fit, *, draws: int = 400, seed: int = 0, most: int = 8) -> xr.Dataset:
    """Residuals of the outcome against the score, observed and replicated, in bins of rows.

    Rows with a survey are put in order by how far the score, as the survey, the OU and the months
    tell it without the outcome, lies from the OU's own mean score; ``score`` is a bin's mean of
    that.  The residual is the outcome less intercept, month effect and slope times the score, all
    of the same posterior draw, and a bin has the median of it: ``observed`` and ``replicated``,
    (sample, bin).  ``curvature`` and ``curvature_replicated``, (sample), are the coefficients of a
    parabola through the bins (Gelman, Meng & Stern, 1996); NaN with fewer than four bins.
    """
    rng, rows = np.random.default_rng(seed), fit.panel.survey_rows
    posterior = thinned(fit.posterior, draws)
    r = row_density(fit, posterior, rows)
    centre = r.mean.transpose(*SAMPLES, "row")
    own = posterior["mu_x_ou"].mean(SAMPLES).to_numpy()
    away = centre.mean(SAMPLES).to_numpy() - own[fit.panel.rows["ou_idx"].to_numpy()[rows]]

    def normal() -> xr.DataArray:
        return centre.copy(data=rng.standard_normal(centre.shape))

    noise = centre.copy(data=standard_noise(posterior, (rows.size,), rng))
    fresh = r.loading * np.sqrt(r.var) * normal() + r.sigma * noise
    stacked = [
        part.transpose(*SAMPLES, "row").to_numpy().reshape(-1, rows.size)
        for part in (r.residual, fresh)
    ]
    bins = np.array_split(np.argsort(away, kind="stable"), max(min(most, rows.size // 10), 1))
    score = np.array([away[b].mean() for b in bins])
    medians = [np.array([np.median(part[:, b], axis=1) for b in bins]).T for part in stacked]
    curved = [np.full(len(part), np.nan) for part in medians]
    if len(bins) >= 4:
        curved = [part @ np.linalg.pinv(np.vander(score, 3))[0] for part in medians]
    return xr.Dataset(
        {
            "observed": (("sample", "bin"), medians[0]),
            "replicated": (("sample", "bin"), medians[1]),
            "score": ("bin", score),
            "rows": ("bin", np.array([b.size for b in bins])),
            "curvature": ("sample", curved[0]),
            "curvature_replicated": ("sample", curved[1]),
        }
    )


def levels(fit: Fit, *, draws: int = 1000, seed: int = 0) -> xr.Dataset:
    """The correlation of OUs' intercepts with their mean scores, and what it is by chance.

    The models take the two to be independent.  ``observed`` (sample) is the correlation over the
    OUs of alpha_g and mu_x,g in a posterior draw, ``replicated`` that of as many independent
    pairs of normals, which is what a model without a site level would draw for other OUs.
    """
    p = thinned(fit.posterior, draws)
    pair = [
        p[name].transpose(*SAMPLES, "ou").to_numpy().reshape(-1, p.sizes["ou"])
        for name in ("alpha", "mu_x_ou")
    ]
    fresh = np.random.default_rng(seed).standard_normal((2, *pair[0].shape))
    return xr.Dataset(
        {
            "observed": ("sample", _row_correlations(*pair)),
            "replicated": ("sample", _row_correlations(*fresh)),
        }
    )


def _row_correlations(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The correlation of each row of ``one`` with that of ``other``."""
    one, other = (z - z.mean(axis=1, keepdims=True) for z in (one, other))
    return (one * other).sum(axis=1) / np.sqrt((one**2).sum(axis=1) * (other**2).sum(axis=1))


# --- facts for sentences


@dataclass(frozen=True)
class Inventory:
    """How many ``rows`` a panel has, by kind, and how far those without a survey are from one.

    In steps of the calendar: ``wave`` on average and ``farthest`` at most to a month in which any
    OU had a survey, ``own`` on average to one of its own OU, None where no such row has any.
    ``never`` rows belong to OUs that never had a survey.
    """

    rows: int
    kinds: Mapping[str, int]
    wave: float
    farthest: float
    own: float | None
    never: int


def inventory(table: pd.DataFrame) -> Inventory:
    """How many rows of each kind there are, and how far from a survey, from :func:`distances`."""
    unseen = table[table["kind"] != KINDS[0]]
    own = unseen["to_own"][np.isfinite(unseen["to_own"])]
    return Inventory(
        rows=len(table),
        kinds={str(kind): int(rows) for kind, rows in table["kind"].value_counts().items()},
        wave=float(unseen["to_wave"].mean()),
        farthest=float(unseen["to_wave"].max()),
        own=float(own.mean()) if len(own) else None,
        never=int(np.isinf(unseen["to_own"]).sum()),
    )


@dataclass(frozen=True)
class Closed:
    """How closed forms of the sd of x* compare with draws over some rows.

    ``drawn`` is the mean of the drawn sds, in sds of the score; ``exact`` and ``plug_in`` are their
    ratios to the exact form and to the one with posterior means put in; ``parameters`` is the share
    of the variance that is uncertainty of the parameters.
    """

    drawn: float
    exact: Estimate
    plug_in: Estimate
    parameters: float


def closed(table: pd.DataFrame) -> dict[bool, Closed]:
    """Closed forms beside draws in rows with a survey (True) and without, where there are any.

    From :func:`closed_forms`.
    """
    found = {}
    for seen in (True, False):
        part = table[(table["n"] > 0) == seen]
        if part.empty:
            continue
        found[seen] = Closed(
            drawn=float(part["drawn"].mean()),
            exact=estimate(part["drawn"] / part["total"]),
            plug_in=estimate(part["drawn"] / part["plug_in"]),
            parameters=float(1 - (part["within"] ** 2).sum() / (part["total"] ** 2).sum()),
        )
    return found


@dataclass(frozen=True)
class Bridged:
    """How far waves bridge the ``months`` between them.

    Two waves known without error would tell a share ``known`` of the common movement's variance,
    and outcomes ``told`` of what they leave.  In sds of the score, as roots of mean squares: what
    they leave in closed form, ``bridge``, and in the posterior, ``rest``, and the movement's own
    posterior ``sd``.
    """

    months: int
    known: float
    told: float
    bridge: float
    rest: float
    sd: float


def bridged(table: pd.DataFrame) -> Bridged | None:
    """How far waves bridge the months between them, from :func:`bridges`; None without any."""
    gap = table[table["distance"] > 0]
    if gap.empty:
        return None
    return Bridged(
        months=len(gap),
        known=float(1 - (gap["bridge"] ** 2).mean() / (gap["stationary"] ** 2).mean()),
        told=float(1 - (gap["rest"] ** 2).mean() / (gap["bridge"] ** 2).mean()),
        bridge=_rms(gap["bridge"]),
        rest=_rms(gap["rest"]),
        sd=_rms(gap["sd"]),
    )


@dataclass(frozen=True)
class Unseen:
    """The sd of an unseen score without its own outcome, over all rows, and its mean variance."""

    sd: float
    variance: float


def unseen(table: pd.DataFrame) -> Unseen:
    """How well unseen scores are known without their outcomes, from :func:`by_distance`."""
    variance = (table["rows"] * table["sd_alone"] ** 2).sum() / table["rows"].sum()
    sd = _rms(np.repeat(table["sd_alone"], table["rows"].astype(int)))
    return Unseen(sd, float(variance))


@dataclass(frozen=True)
class Fed:
    """What outcomes take away of the variance of unseen scores, from 0 to 1.

    In the OU with the flattest slope and in the one with the steepest; scores are moved by
    ``shift`` sds, the root mean square.  The closed form is off by ``off`` on average and by
    ``most`` at most.
    """

    flattest: float
    steepest: float
    shift: float
    off: float
    most: float


def fed(table: pd.DataFrame) -> Fed | None:
    """What outcomes take away, from :func:`feedback`; None where no OU has an unseen month."""
    if table.empty:
        return None
    gap = (table["taken"] - table["closed"]).abs()
    return Fed(
        flattest=float(table.loc[table["beta"].idxmin(), "taken"]),
        steepest=float(table.loc[table["beta"].idxmax(), "taken"]),
        shift=_rms(table["shift"]),
        off=float(gap.mean()),
        most=float(gap.max()),
    )


def share_covered(table: pd.DataFrame) -> float:
    """The share of all true scores inside their 90% intervals, from :func:`covered`."""
    return float((table["coverage"] * table["rows"]).sum() / table["rows"].sum())


@dataclass(frozen=True)
class Gain:
    """By how much looking at the outcome lowers the CRPS of ``rows`` hidden surveys, and its error.

    In units of the standardised score.
    """

    rows: int
    mean: float
    error: float


def outcome_gain(found: xr.Dataset) -> Gain:
    """What the row's outcome adds to a forecast of its survey, from :func:`found_again`."""
    gain = (found["crps"].sel(forecast=WITHOUT) - found["crps"].sel(forecast=WITH)).to_numpy()
    if gain.size < 2:
        return Gain(gain.size, np.nan, np.nan)
    return Gain(gain.size, float(gain.mean()), float(gain.std(ddof=1) / np.sqrt(gain.size)))


def curvature(found: xr.Dataset) -> DrawByDraw | None:
    """The curvature of the residuals, from :func:`bends`; None where there are too few bins."""
    if found.sizes["bin"] < 4:
        return None
    return draw_by_draw(found["curvature"], found["curvature_replicated"])


def _rms(values: pd.Series) -> float:
    return float(np.sqrt((values**2).mean()))
