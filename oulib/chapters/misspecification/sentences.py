"""Sentences about slopes that were bent without any survey, and about what closes the paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from oulib.chapters.misspecification.analysis import (
    FACTOR,
    NOISE,
    PERSISTENCE,
    Learned,
    Outcome,
    Repaired,
    Together,
    VariancePath,
    switches,
)
from oulib.model.spec import BASELINE, ModelSpec, Priors
from oulib.report.text import count, interval, number, percent

_PRESENT = {
    NOISE: "units differ in how noisy they are",
    FACTOR: "units share a second movement, which some feel more than others",
    PERSISTENCE: "a unit that is above its expectation in one month tends to be in the next",
}
_STATISTIC = {
    NOISE: "sd of the units' log residual scale",
    FACTOR: "share of variance in the strongest common movement",
    PERSISTENCE: "correlation of residuals in successive months",
}

_SHORT = {
    NOISE: "differences of noise between units",
    FACTOR: "a second common movement",
    PERSISTENCE: "persistence",
}

WHY: dict[str, str] = {
    "months": "month effects of outcomes and scores persist, and their size is learned",
    "noise": "units may differ in noise, so that a slope need not say it (the variance path)",
    "score": "the outcome follows the expected score, so that no slope enters a variance",
    "slope": "a slope acts on what is the unit's own in a month; units' mean scores and the common "
    "movement have coefficients of their own (the factor path)",
    "movement": "no common movement of the score where no survey could have seen it (the factor "
    "path)",
    "deviations": "a unit may stray for months, so that its months are not counted as independent",
    "survey_scale": "the noise of one answer may be as large as the number of respondents implies",
}
"""Why each switch of the robust model is there."""


def ingredients(table: pd.DataFrame) -> str:
    """What a panel has that the specification's models lack, from ``analysis.ingredients``."""
    found = [_PRESENT[name] for name, row in table.iterrows() if row["present"]]
    figures = "; ".join(
        f"{_STATISTIC[name]} {number(row['value'])}, where chance gives {number(row['chance'])} "
        f"and rarely more than {number(row['high'])}"
        for name, row in table.iterrows()
    )
    if not found:
        text = (
            "Before any model, the outcomes of this panel show none of the three, or no more of "
            "each than chance gives"
        )
    else:
        text = f"Before any model, the outcomes of this panel show that {_list(found)}"
    text = f"{text} ({figures})."
    if found == [_PRESENT[NOISE]]:
        text += (
            " Slopes of different sizes also make units differ in noise, so this alone is no "
            "reason for alarm."
        )
    return text


def checked(table: pd.DataFrame) -> str:
    """Whether a model makes outcomes like the panel's, from ``analysis.checked``."""
    figures = "; ".join(
        f"{_STATISTIC[name]} {number(row['observed'])} in the data and "
        f"{interval(row['low'], row['high'])} in nine of ten replicates"
        for name, row in table.iterrows()
    )
    more = [_SHORT[name] for name, row in table.iterrows() if row["p"] < 0.01]
    less = [_SHORT[name] for name, row in table.iterrows() if row["p"] > 0.99]
    text = f"The three statistics: {figures}. "
    if not more and not less:
        return text + "None of them surprises the model."
    if more:
        text += f"The data have more of {_list(more)} than the model makes. "
    if less:
        text += f"The model makes more of {_list(less)} than the data have. "
    if FACTOR in table.index and table.loc[FACTOR, "p"] < 0.01:
        text += (
            "A second common movement is in no model of this book: it cannot reach the slopes "
            "here, but the intervals do not allow for it."
        )
    return text.strip()


def signs(result: Outcome, chains: Sequence[float]) -> str:
    """Whether chains disagree on the slopes' signs, from a fit's outcome and its slope by chain."""
    text = (
        f"The worst R-hat of a hyperparameter is {number(result.r_hat)}, that of "
        f"{_code(result.where)}, with {count(result.divergences, 'divergence')}. "
        f"By chain the average slope is {_list([number(c) for c in chains])}"
    )
    if np.isfinite(result.truth):
        text += f"; the true {_code('mu_beta')} is {number(result.truth)}"
    text += ". "
    if result.opposed > 0:
        return text + (
            f"For {percent(result.opposed)} of the units one chain is sure of a positive slope and "
            "another of a negative one: each chain has found its own mode."
        )
    if result.r_hat > 1.01:
        return text + "No two chains are sure of opposite signs, but they do not agree either."
    return text + "The chains agree, signs included."


def variance_path(found: VariancePath) -> str:
    """Whether the size of slopes follows the OUs' noise."""
    text = (
        f"Across units the size of a slope has a rank correlation of {number(found.noise)} with "
        f"the unit's noise, and of {number(found.true)} with the size of its true slope. "
    )
    if found.noise > 0 and found.chance < 0.01:
        chance = max(found.chance, 1e-4)
        return text + (
            f"Chance alone would make the first so large with probability {chance:.1g} or less: "
            "the size of slopes follows the noise."
        )
    if found.noise <= 0:
        return text + "The size of slopes does not follow the noise."
    return text + "The first may be chance."


def factor_path(follows: np.ndarray, true: np.ndarray) -> str:
    """Whether slopes follow the OUs' loadings on the second factor, chain by chain.

    ``follows`` and ``true`` are the chains' correlations with the loadings and the true slopes.
    """
    text = (
        "Across units, chain by chain, the slopes have correlations of "
        f"{_list([number(value) for value in follows])} with how strongly a unit feels the months, "
        f"and of {_list([number(value) for value in true])} with the true slopes. "
    )
    strongest = np.abs(follows)
    if strongest.min() > 0.7:
        text += "In every chain the slopes are the loadings of the second factor"
        if (follows > 0).any() and (follows < 0).any():
            return text + ", in some with its sign and in others against it."
        return text + "."
    if strongest.max() > 0.7:
        return text + "In some chains the slopes are the loadings of the second factor."
    if (np.asarray(true) > strongest).all():
        return text + "The slopes follow the true ones more closely than the loadings."
    return text + "The slopes follow neither closely."


def repairs(found: Sequence[Repaired]) -> str:
    """Which models came through on which panel."""
    sentences = []
    for one in found:
        text = f"On the panel *{one.panel}* "
        if one.sound:
            text += f"slopes may be read off {_list([_code(m) for m in one.sound])}"
            text += f", and not off {_list([_code(m) for m in one.failed])}" if one.failed else ""
        else:
            text += "slopes may be read off no model"
        few = [f"{_code(model)} ({percent(share)})" for model, share in one.few]
        if few:
            text += f"; but too few true slopes lie in the 90% intervals of {_list(few)}"
        sentences.append(text + ".")
    return " ".join(sentences)


def independent_months(lower: Together, upper: Together) -> str:
    """Whether leaving deviations out misjudges slopes, from fits of two models to some panels.

    ``lower`` takes months for independent, ``upper`` has deviations.
    """
    text = (
        f"On {count(lower.panels, 'such panel')} together, {percent(lower.coverage)} of the true "
        f"slopes lie inside their 90% intervals with independent months and "
        f"{percent(upper.coverage)} with deviations. The posterior means are off by "
        f"{number(lower.error)} and {number(upper.error)} (root mean square), and the intervals "
        f"are {number(lower.width)} and {number(upper.width)} wide. "
    )
    one, other = lower.too_few, upper.too_few
    if one and not other:
        text += "Months counted as independent were not, and the intervals are too narrow."
    elif one:
        text += "Too few lie inside with either model."
    elif other:
        text += "Too few lie inside with deviations, which were to prevent just that."
    elif upper.error < 0.9 * lower.error:
        text += "Coverage does not tell the two apart here; errors do."
    else:
        text += "Chance could explain the difference."
    if lower.stuck:
        text += (
            f" On {lower.stuck} of the panels the model with independent months did not even pass "
            "its gate: it takes what lasts for noise of the unit, or for a second movement."
        )
    return text


def robust(spec: ModelSpec, base: ModelSpec = BASELINE) -> pd.DataFrame:
    """The switches of ``spec`` that differ from ``base``: value, default, priors and why."""
    rows = {
        name: {
            "value": str(value),
            "default": str(getattr(base, name)),
            "priors": "; ".join(_priors(name, spec.priors)),
            "why": WHY[name],
        }
        for name, value in switches(spec, base).items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("switch")


def _priors(switch: str, p: Priors) -> Sequence[str]:
    """The priors that a switch brings with it, from the values of the spec."""

    def beta(a: float, b: float) -> str:
        return f"Beta({a:g}, {b:g})"

    def half(scale: float) -> str:
        return f"HalfNormal({scale:g})"

    brought = {
        "months": (
            "phi_lam, phi_tau ~ Uniform(-1, 1)",
            f"sigma_lam ~ {half(p.sigma_lam)}",
            f"gamma_x ~ {half(p.gamma_x)}",
        ),
        "noise": (f"sigma_noise_ou ~ {half(p.sigma_noise_ou)}",),
        "slope": (f"beta_between ~ Normal(0, {p.mu_beta:g})",),
        "deviations": (
            f"phi_u ~ {beta(p.phi_u, 1)}",
            f"sigma_u ~ {half(p.sigma_u)}",
            f"sigma_y ~ {half(p.sigma_y)}",
        ),
        "survey_scale": (
            f"share of noise ~ {beta(p.noise_share, p.noise_share)}",
            "total ~ Rayleigh, sigma_x in units of "
            f"{p.sigma_x:g}, sigma_meas in {p.sigma_meas:g} sqrt(median n)",
        ),
    }
    return brought.get(switch, ("none of its own",))


def composes(table: pd.DataFrame, reasons: Mapping[str, Sequence[str]]) -> str:
    """What the whole composes with and why it does not with the rest: ``analysis.composition``."""
    whole = table.iloc[-1]
    text = f"All of them together go with {_list(list(whole.index[whole])) or 'nothing else'}"
    if whole.all():
        return text + "."
    sentences = dict.fromkeys(sentence for upgrade in reasons for sentence in reasons[upgrade])
    why = "\n".join(f"- {sentence}" for sentence in sentences)
    return f"{text}, and not with {_list(list(whole.index[~whole]))}:\n\n{why}"


def cost(robust_: Outcome, other: Outcome, model: str) -> str:
    """What the robust model costs against ``model`` on data that follow the latter."""
    ratio = robust_.width / other.width
    wider = "wider" if ratio >= 1 else "narrower"
    text = f"Under the robust model the intervals of slopes are {percent(abs(ratio - 1))} {wider} "
    text += f"than under {_code(model)} on average"
    if np.isfinite(other.coverage):
        text += (
            f", and hold {percent(robust_.coverage)} of the true slopes instead of "
            f"{percent(other.coverage)}; its posterior means are off by {number(robust_.error)} "
            f"(root mean square) instead of {number(other.error)}"
        )
    text += (
        f". For {_code('mu_beta')} it gives {number(robust_.mean)} (sd {number(robust_.sd)}), the "
        f"other {number(other.mean)} (sd {number(other.sd)})"
    )
    if np.isfinite(other.truth):
        text += f", and the truth is {number(other.truth)}"
    text += ". "
    if not np.isfinite(other.coverage):
        return text
    if robust_.too_few:
        return text + "Too few slopes lie inside: here robustness did not prevent bias."
    if robust_.error > 1.1 * other.error:
        return text + "That is the premium on the insurance."
    if robust_.error < other.error / 1.1:
        return text + "Here the insurance cost nothing."
    return text + "The premium is small here."


def own(found: Learned) -> str:
    """What the robust model learned of the three ingredients on a panel."""
    share, phi, noise, between = found.share, found.phi, found.noise, found.between
    text = (
        f"Deviations make up {percent(share)} of the variance that score, unit and month leave "
        "unexplained. "
    )
    if share > 0.5:
        text += "Most of what the specification calls noise lasts"
    elif share > 0.1:
        text += "A part of what the specification calls noise lasts"
    else:
        text += "Hardly any of what the specification calls noise lasts"
    if share > 0.1:
        text += (
            f": from one month to the next a deviation keeps {number(phi.mean)} of its size (90% "
            f"interval {interval(phi.low, phi.high)}). "
        )
    else:
        text += ", and how long such deviations would last is left to the prior. "
    factor = np.exp(2 * 1.645 * noise.mean)
    text += (
        f"The logarithms of the units' noise scales have a standard deviation of "
        f"{number(noise.mean)} ({interval(noise.low, noise.high)}): among nine units in ten the "
        f"noisiest is {number(factor, 1)} times as noisy as the quietest. "
    )
    return text + (
        f"Between units, a mean score higher by one standard deviation goes with an outcome that "
        f"differs by {number(between.mean)} ({interval(between.low, between.high)}) of its own, "
        "whatever happens within units."
    )


def _code(label: str) -> str:
    return f"`{label.replace('`', '')}`"


def _list(texts: Sequence[str]) -> str:
    texts = list(texts)
    if len(texts) < 2:
        return "".join(texts)
    return ", ".join(texts[:-1]) + " and " + texts[-1]
