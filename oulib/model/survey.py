"""The latent survey score, its month effects, and what a survey says about it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from oulib.model import months, row_kernels
from oulib.model.spec import ModelSpec
from oulib.panel import Panel


@dataclass(frozen=True)
class Rows:
    """What the data say of each row, as data of the model; all are (row).

    ``n`` and ``x`` are the respondents and the score of the row's survey, 0 without one.
    """

    ou: TensorVariable
    month: TensorVariable
    n: TensorVariable
    x: TensorVariable

    def at(self, rows: TensorVariable) -> Rows:
        """Some of the rows."""
        return Rows(*(getattr(self, each.name)[rows] for each in fields(self)))


@dataclass(frozen=True)
class LatentScore:
    """The latent score as the outcome needs it.

    ``rows`` is what the data say of the rows at hand; ``movement[month]`` is what the months add to
    the expected score; ``mu_x_ou[ou]`` is each OU's mean score; ``sigma_x`` and ``sigma_meas`` are
    the sds of x* and of one respondent's answer; ``reliability`` is that of a typical survey
    within its OU.
    """

    rows: Rows
    movement: TensorVariable
    mu_x_ou: TensorVariable
    sigma_x: TensorVariable
    sigma_meas: TensorVariable
    reliability: TensorVariable

    def at(self, rows: TensorVariable) -> LatentScore:
        """The scores of some rows."""
        return replace(self, rows=self.rows.at(rows))

    @property
    def expected(self) -> TensorVariable:
        """What is expected of the row's OU and month, (row)."""
        return self.mu_x_ou[self.rows.ou] + self.movement[self.rows.month]

    def given_survey(self, *, within: bool = False) -> tuple[TensorVariable, TensorVariable]:
        """Mean and sd of x* given the row's own survey, where there is one, (row).

        The mean is less :attr:`expected` if ``within``: the OU's own departure.
        """
        r = self.rows
        return row_kernels.scores.pair(
            r.ou, r.month, r.n, r.x,
            self.mu_x_ou, self.movement, self.sigma_x, self.sigma_meas, np.array(within),
        )  # fmt: skip


def given_survey(prior_mean: Any, sigma_x: Any, sigma_meas: Any, n: Any, x: Any) -> tuple:
    """Mean and variance of x* given its own survey score ``x`` from ``n`` respondents.

    Arithmetic only, so that tensors, arrays and labelled arrays can all be passed.  A row
    without a survey has n = 0 (and any finite x) and gets its prior back.  Equation (2.8)
    (``eq-given-survey``).
    """
    noise = sigma_meas**2 + 1e-100  # so that n = 0 means the prior even where sigma_meas is 0
    total = noise + sigma_x**2 * n
    mean = prior_mean + sigma_x**2 * n / total * (x - prior_mean)
    # The share of the prior variance that is left is computed directly, not as 1 - weight:
    # where the weight rounds to one, the difference and the gradient of its root are lost.
    return mean, sigma_x**2 * (noise / total)


def respondents(panel: Panel) -> np.ndarray:
    """The n of each row as the likelihood counts it: at least 1 with a survey, else 0."""
    counted = np.maximum(panel.rows["respondents"].to_numpy(), 1.0)
    return np.where(panel.rows["observed"].to_numpy(), counted, 0.0)


def scores(panel: Panel) -> np.ndarray:
    """The standardised survey score of each row, 0 where none was observed."""
    return np.where(panel.rows["observed"].to_numpy(), panel.rows["x"].to_numpy(), 0.0)


def add(panel: Panel, spec: ModelSpec) -> LatentScore:
    """Add the latent process and the measurement model (spec 1.3) to the current PyMC model.

    The observed node ``survey`` has x* integrated out, x'_i ~ N(m_i, sigma_x^2 + v_i) with
    v_i = sigma_meas^2 / max(n_i, 1), except in the literal ``"explicit"`` form, where the
    outcome block adds the specification's own measurement node on the sampled x*.
    """
    shift = _common_movement(panel, spec)
    mu_x_ou = _ou_means(panel, spec, shift)
    root = typical_root(panel)
    if spec.survey_scale == "design" or spec.effects_summed_out:
        root = pm.Data("respondents_root", root)
    sigma_x, sigma_meas = _scales(panel, spec)

    rows = Rows(
        pm.Data("ou_idx", panel.rows["ou_idx"].to_numpy(), dims="row"),
        pm.Data("month_idx", panel.rows["month_idx"].to_numpy(), dims="row"),
        pm.Data("respondents", respondents(panel), dims="row"),
        pm.Data("score", scores(panel), dims="row"),
    )
    score = LatentScore(
        rows,
        shift,
        mu_x_ou,
        sigma_x,
        sigma_meas,
        sigma_x**2 / (sigma_x**2 + (sigma_meas / root) ** 2),
    )
    if spec.latent != "explicit":
        _observe(panel, score)
    return score


def _observe(panel: Panel, score: LatentScore) -> None:
    """Add the observed node ``survey``: x'_i ~ N(m_i, sigma_x^2 + v_i); equation (2.7)."""
    seen = panel.survey_rows
    ou, month, n = (
        pm.Data(f"survey_{name}", values[seen], dims="survey_row")
        for name, values in (
            ("ou", panel.rows["ou_idx"].to_numpy()),
            ("month", panel.rows["month_idx"].to_numpy()),
            ("respondents", respondents(panel)),
        )
    )

    def logp(
        value: TensorVariable,
        mu: TensorVariable,
        shift: TensorVariable,
        signal: TensorVariable,
        noise: TensorVariable,
        *where: TensorVariable,
    ) -> TensorVariable:
        return row_kernels.surveys(*where, value, mu, shift, signal, noise)

    def draw(
        mu: np.ndarray,
        shift: np.ndarray,
        signal: np.ndarray,
        noise: np.ndarray,
        ou: np.ndarray,
        month: np.ndarray,
        n: np.ndarray,
        rng: np.random.Generator,
        size: tuple[int, ...] | None = None,
    ) -> np.ndarray:
        sd = np.sqrt(signal**2 + noise**2 / np.maximum(n, 1))
        return mu[ou] + shift[month] + sd * rng.standard_normal(n.shape)

    pm.CustomDist(
        "survey",
        *(score.mu_x_ou, score.movement, score.sigma_x, score.sigma_meas, ou, month, n),
        logp=logp,
        random=draw,
        signature="(ou),(month),(),(),(row),(row),(row)->(row)",
        observed=pm.Data("seen_score", scores(panel)[seen], dims="survey_row"),
        dims="survey_row",
    )


def _common_movement(panel: Panel, spec: ModelSpec) -> TensorVariable:
    """gamma_x * tau[month], the score's common movement over months.

    With AR(1) months, (gamma_x, tau) and (-gamma_x, -tau) would be the same model, and only
    gamma_x times the sd of tau would matter: tau gets unit marginal sd and gamma_x one sign,
    unless the spec asks for a literal form.  The path is sampled at the survey months.
    """
    prior, at = spec.priors, _survey_months(panel)
    if spec.months == "iid":
        if spec.movement == "survey_months":
            tau = months.add_iid_only_at("tau", at, by=prior.gamma_x_fixed, c=0.0)
        else:
            tau = months.add_iid("tau", seen=at)
        return prior.gamma_x_fixed * tau
    if spec.tau == "identified":
        gamma_x = pm.HalfNormal("gamma_x", sigma=prior.gamma_x)
    else:
        gamma_x = pm.Normal("gamma_x", 0.0, prior.gamma_x)
    if spec.movement == "survey_months":
        c = movement_centring(panel) if spec.tau == "identified" else 0.0
        return gamma_x * months.add_iid_only_at("tau", at, by=gamma_x, c=c)
    phi = months.persistence("phi_tau")
    if spec.tau == "free_scale":
        sigma = pm.HalfNormal("sigma_tau", sigma=prior.sigma_tau)
    else:
        sigma = pt.sqrt(1 - phi**2)
    c = movement_centring(panel)
    return gamma_x * months.add_ar1_between("tau", at, phi=phi, sigma=sigma, c=c)


def _survey_months(panel: Panel) -> np.ndarray:
    """Positions of the months that surveys speak of: the planned waves, or where one was seen.

    The waves of a panel with rows left out are those of the whole, so that its model is, too.
    """
    seen = panel.rows["month"].to_numpy()[panel.survey_rows]
    return np.flatnonzero(np.isin(panel.months, [*panel.waves, *seen]))


def _scales(panel: Panel, spec: ModelSpec) -> tuple[TensorVariable, TensorVariable]:
    """``sigma_x`` and ``sigma_meas``, half-normal: the sds of x* and of one respondent's answer.

    Surveys often leave ``sigma_meas`` compatible with 0, where the logarithm that a half-normal is
    usually sampled on runs off to minus infinity.  The likelihood sees only its square, so a normal
    variable whose size it is passes through 0 without noticing; the prior is the same.

    With the prior scaled to the design, both are about as large as each other in a typical survey,
    of which the data know the sum of squares and hardly the parts.  Two half-normals in polar
    coordinates are a Rayleigh radius and a share of noise in its square that is Beta(1/2, 1/2):
    the same prior without the funnel.  A larger number than 1/2 says that a survey is neither all
    noise nor free of it; with as many respondents everywhere, nothing else can.
    """
    prior = spec.priors
    if spec.survey_scale == "design":
        total = pm.Weibull("total_x", alpha=2.0, beta=np.sqrt(2.0))
        share = pm.Beta("noise_share", prior.noise_share, prior.noise_share)
        # Data of the model, so that designs of surveys share a compiled one.
        noise = pm.Data("noise_scale", prior.sigma_meas * typical_root(panel))
        return (
            pm.Deterministic("sigma_x", prior.sigma_x * total * pt.sqrt(1 - share)),
            pm.Deterministic("sigma_meas", noise * total * pt.sqrt(share)),
        )
    sigma_x = pm.HalfNormal("sigma_x", sigma=prior.sigma_x)
    if spec.latent == "explicit":
        return sigma_x, pm.HalfNormal("sigma_meas", sigma=prior.sigma_meas)
    signed = pm.Normal("signed_sigma_meas", 0.0, prior.sigma_meas)
    return sigma_x, pm.Deterministic("sigma_meas", pt.abs(signed))


def typical_root(panel: Panel) -> float:
    """The root of the median number of respondents: what ``design`` scales a prior by."""
    return float(np.sqrt(np.median(respondents(panel)[panel.survey_rows])))


def _ou_means(panel: Panel, spec: ModelSpec, shift: TensorVariable) -> TensorVariable:
    """Mean scores ``mu_x_ou[ou]`` ~ N(mu_x, sigma_mu_x), as centred as the surveys allow.

    An OU that its surveys pin down samples best centred, one without surveys non-centred; in
    between, raw ~ N(c mu_x, sigma_mu_x^c) for a share c between 0 and 1 (Papaspiliopoulos et
    al., 2007).  The distribution of ``mu_x_ou`` does not depend on c.
    """
    # What surveys pin down are means over the months that had one, whatever the movement's mean
    # over all months is, of which its autocorrelation has a say: those are sampled.
    months = pm.Data("survey_share", _survey_share(panel), dims="month")
    usual = (months * shift).sum()
    here = pm.Normal("mu_x_surveyed", mu=usual, sigma=spec.priors.mu_x)
    mu_x = pm.Deterministic("mu_x", here - usual)
    sigma_mu_x = pm.HalfNormal("sigma_mu_x", sigma=spec.priors.sigma_mu_x)
    c = pm.Data("centring", centring(panel), dims="ou")
    raw = pm.Normal("mu_x_ou_raw", mu=c * here, sigma=sigma_mu_x**c, dims="ou")
    return pm.Deterministic("mu_x_ou", mu_x + sigma_mu_x ** (1 - c) * (raw - c * here), dims="ou")


def _survey_share(panel: Panel) -> np.ndarray:
    """Share of the surveys that each month had; array over months, its sum 1 if there are any."""
    month = panel.rows["month_idx"].to_numpy()[panel.survey_rows]
    return np.bincount(month, minlength=len(panel.months)) / max(len(month), 1)


def centring(panel: Panel) -> np.ndarray:
    """How far to centre each OU's mean score, in [0, 1], array over OUs.

    It is the reliability of the OU's observed mean in a one-way analysis of variance of the
    scores: 0 without a survey, towards 1 with many.
    """
    return _reliability(panel, panel.rows["ou_idx"].to_numpy(), len(panel.ous), least=0.05)


def movement_centring(panel: Panel) -> float:
    """How far to centre the score's common movement, in [0, 1]: how clear its waves stand out."""
    month = panel.rows["month_idx"].to_numpy()
    by_month = _reliability(panel, month, len(panel.months), least=0.0, chance=2.0)
    waves = by_month[np.unique(month[panel.survey_rows])]
    return float(np.median(waves))


def _reliability(
    panel: Panel, group: np.ndarray, size: int, *, least: float, chance: float = 0.0
) -> np.ndarray:
    """Reliability of the groups' mean scores, 0 where there is none; ``group`` is by row.

    The variance between groups is at least ``least``; from what is observed of it ``chance``
    standard errors of what noise alone makes of it are taken off, besides that itself.
    """
    seen = panel.survey_rows
    group, x = group[seen], panel.rows["x"].to_numpy()[seen]
    count = np.bincount(group, minlength=size)
    means = np.bincount(group, weights=x, minlength=size) / np.maximum(count, 1)
    groups = np.count_nonzero(count)
    spare = len(x) - groups
    within = max(np.sum((x - means[group]) ** 2) / spare, 1e-6) if spare > 0 else 1.0
    noise = within * groups / len(x) * (1 + chance * np.sqrt(2 / groups))
    between = max(np.var(means[count > 0]) - noise, least)
    return count * between / (count * between + within)
