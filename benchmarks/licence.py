"""What the licence lets through: coverage and wrong signs of slopes, over kinds of panels.

    python benchmarks/licence.py [--models baseline robust] [--kinds clean tails2] [--panels 20]

Panels of 30 OUs in 5 sites by 30 months with waves every sixth, which follow the baseline's recipe
but for one ingredient, at three strengths (the kind is followed by 1, 2 or 3).  Each is fitted with
the models in their order until one holds the licence (``--every``: with all).  A row for each fit
is added to the table that the book shows (``data/licence.csv``); fits that have one are not made
again.  ``--again`` begins a new table.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import oulib
from oulib.chapters.licence.analysis import FILE, Made, append, read
from oulib.model.spec import MODELS
from oulib.panel import Panel
from oulib.posterior.checks import check
from oulib.sampling.fit import Sampling

SIZE = {"n_ou": 30, "n_site": 5, "n_month": 30, "wave_every": 6}
_GAUSSIAN = {"recipe": "upgraded", "parameters": {"nu": 1e6, "rho_x": 0.0}}
KINDS: dict[str, dict[str, Any]] = {
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
    **{f"shift{k}": {"shift": s} for k, s in ((1, 0.2), (2, 0.4), (3, 0.8))},
    **{f"curve{k}": {"curve": s} for k, s in ((1, 0.05), (2, 0.1), (3, 0.2))},
}  # fmt: skip
"""What a panel has, as arguments of :func:`oulib.simulate`; or what is added to its outcomes."""


def shifted(panel: Panel, sd: float, rng: np.random.Generator) -> np.ndarray:
    """Each OU's level moves once, by a normal amount of this sd, in a month of its own."""
    ou, month = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    size = rng.normal(0, sd, len(panel.ous))
    when = rng.integers(len(panel.months), size=len(panel.ous))
    return size[ou] * (month >= when[ou])


def curved(panel: Panel, curvature: float, rng: np.random.Generator) -> np.ndarray:
    """The outcome bends upwards in the score; the slope at an OU's mean score is as before."""
    assert panel.truth is not None
    mean = panel.truth["mu_x_ou"].to_numpy()[panel.rows["ou_idx"].to_numpy()]
    return curvature * (panel.truth["x_star"].to_numpy() - mean) ** 2


ADDED: dict[str, Callable[[Panel, float, np.random.Generator], np.ndarray]] = {
    "shift": shifted,
    "curve": curved,
}


def made(kind: str, seed: int) -> Panel:
    """A panel of a kind."""
    given = {"recipe": "baseline", **SIZE, **KINDS[kind], "seed": seed}
    sizes = {name: given.pop(name) for name in ADDED if name in given}
    panel = oulib.simulate(**given)
    for name, size in sizes.items():
        panel = _with(panel, ADDED[name](panel, size, np.random.default_rng([seed, 6])))
    return panel


def _with(panel: Panel, added: np.ndarray) -> Panel:
    """The panel with something added to its standardised outcomes, and its slopes in new units."""
    assert panel.truth is not None
    frame = panel.to_frame()
    frame["month"] = pd.to_datetime(frame["month"])
    frame["productivity"] *= np.exp(panel.scale.s_y * added)
    changed = Panel.from_frame(frame, name=panel.name)
    beta = panel.truth["beta"] * panel.scale.s_y / changed.scale.s_y
    return replace(changed, truth=beta.to_dataset(name="beta"))


def fitted(panel: Panel, kind: str, seed: int, model: str) -> Made:
    """The model at its default settings, and what it says of slopes whose truth is known."""
    fit = oulib.fit(panel, MODELS[model], Sampling(seed=1), progress=False)
    verdict, slopes = check(fit), fit.posterior["beta"]
    assert panel.truth is not None
    true = panel.truth["beta"].to_numpy()
    low, high = slopes.quantile([0.05, 0.95], ("chain", "draw")).to_numpy()
    positive = (slopes > 0).mean(("chain", "draw")).to_numpy()
    sure = np.maximum(positive, 1 - positive)
    stated, strong = sure > 0.95, sure > 0.99
    wrong = (positive > 0.5) != (true > 0)
    return Made(
        kind=kind,
        seed=seed,
        model=model,
        sampled=verdict.sampled,
        failed=tuple(one.name for one in verdict.failed),
        ous=true.size,
        covered=int(((true >= low) & (true <= high)).sum()),
        stated=int(stated.sum()),
        wrong=int((stated & wrong).sum()),
        expected=round(float((1 - sure)[stated].sum()), 3),
        strong=int(strong.sum()),
        strong_wrong=int((strong & wrong).sum()),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["baseline", "robust"])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--panels", type=int, default=20)
    parser.add_argument("--first", type=int, default=101, help="seed of the first panel")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data" / FILE)
    parser.add_argument("--every", action="store_true", help="fit every model")
    parser.add_argument("--again", action="store_true", help="begin a new table")
    given = parser.parse_args()
    if given.again:
        given.out.unlink(missing_ok=True)
    there = {(one.kind, one.model, one.seed): one for one in read(given.out)}
    for seed in range(given.first, given.first + given.panels):
        for kind in given.kinds:
            for model in given.models:
                one = there.get((kind, model, seed))
                if one is None:
                    one = fitted(made(kind, seed), kind, seed, model)
                    append(given.out, one)
                    print(one, flush=True)
                if one.licensed and not given.every:
                    break


if __name__ == "__main__":
    main()
