"""What the licence lets through: wrong signs and coverage of slopes, over kinds of panels.

    python benchmarks/licence.py [--models baseline robust] [--kinds clean tails2] [--panels 20]

Panels of 30 OUs in 5 sites by 30 months with waves every sixth, which follow the baseline's recipe
but for one ingredient, at three strengths (the kind is followed by 1, 2 or 3).  For each kind and
model: how many fits were sampled, how many hold the licence, and of both the coverage of 90%
intervals of slopes, and how many signs were stated with a probability above 0.95 and were wrong.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import dataclass

import numpy as np

import oulib
from oulib.checks import check
from oulib.fit import Sampling
from oulib.panel import Panel
from oulib.spec import MODELS

SIZE = {"n_ou": 30, "n_site": 5, "n_month": 30, "wave_every": 6}
_GAUSSIAN = {"recipe": "upgraded", "parameters": {"nu": 1e6, "rho_x": 0.0}}
KINDS = {
    "clean": {},
    **{f"persistence{k}": {"phi_u": p, "sigma_u": s}
       for k, p, s in ((1, 0.7, 0.15), (2, 0.9, 0.15), (3, 0.9, 0.3))},
    **{f"noise{k}": {"sigma_noise_ou": s} for k, s in ((1, 0.15), (2, 0.3), (3, 0.6))},
    **{f"trend{k}": {"sigma_trend": s} for k, s in ((1, 0.1), (2, 0.2), (3, 0.4))},
    **{f"factor{k}": _GAUSSIAN | {"sigma_loading": s} for k, s in ((1, 0.2), (2, 0.5), (3, 1.0))},
    **{f"tails{k}": {"recipe": "upgraded", "parameters": {"nu": nu, "rho_x": 0.0}}
       for k, nu in ((1, 8.0), (2, 4.0), (3, 3.0))},
    **{f"nonresponse{k}": {"recipe": "upgraded", "parameters": {"nu": 1e6, "rho_x": r}}
       for k, r in ((1, 0.5), (2, 1.0), (3, 2.0))},
}  # fmt: skip
"""What a panel has, as arguments of :func:`oulib.simulate`."""


@dataclass(frozen=True)
class Fitted:
    """One fit: its licence, the share of slopes inside their intervals, signs stated and wrong."""

    sampled: bool
    failed: tuple[str, ...]
    coverage: float
    stated: int
    wrong: int


def made(kind: str, seed: int) -> Panel:
    """A panel of a kind."""
    return oulib.simulate(**{"recipe": "baseline", **SIZE, **KINDS[kind], "seed": seed})


def fitted(panel: Panel, model: str) -> Fitted:
    """The model at its default settings, and what it says of slopes whose truth is known."""
    fit = oulib.fit(panel, MODELS[model], Sampling(seed=1), progress=False)
    verdict, slopes = check(fit), fit.posterior["beta"]
    true = panel.truth["beta"].to_numpy()
    low, high = slopes.quantile([0.05, 0.95], ("chain", "draw")).to_numpy()
    positive = (slopes > 0).mean(("chain", "draw")).to_numpy()
    stated = np.maximum(positive, 1 - positive) > 0.95
    wrong = stated & ((positive > 0.5) != (true > 0))
    return Fitted(
        verdict.sampled,
        tuple(one.name for one in verdict.failed),
        float(np.mean((true >= low) & (true <= high))),
        int(stated.sum()),
        int(wrong.sum()),
    )


def told(found: list[Fitted]) -> str:
    """Coverage, and wrong signs among those stated."""
    if not found:
        return "none | |"
    coverage = np.mean([one.coverage for one in found])
    wrong, stated = sum(one.wrong for one in found), sum(one.stated for one in found)
    return f"{len(found)} | {coverage:.2f} | {wrong} of {stated}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["baseline", "robust"])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--panels", type=int, default=20)
    parser.add_argument("--first", type=int, default=101, help="seed of the first panel")
    given = parser.parse_args()
    print("| kind | model | sampled | coverage | wrong | licensed | coverage | wrong | failed |")
    print("|---|---|---|---|---|---|---|---|---|")
    for kind in given.kinds:
        for model in given.models:
            seeds = range(given.first, given.first + given.panels)
            every = [fitted(made(kind, seed), model) for seed in seeds]
            sampled = [one for one in every if one.sampled]
            licensed = [one for one in sampled if not one.failed]
            why = Counter(name for one in sampled for name in one.failed)
            row = f"| {kind} | {model} | {told(sampled)} | {told(licensed)} |"
            print(f"{row} {', '.join(f'{n} {name}' for name, n in why.items())} |", flush=True)


if __name__ == "__main__":
    main()
