"""What all tests share: a cache of their own, no windows, one small panel and its fit."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from pytensor.compile.mode import Mode, predefined_linkers
from pytensor.link.vm import VMLinker

os.environ["MPLBACKEND"] = "Agg"

from oulib import (
    BASELINE,
    Fit,
    ModelSpec,
    Panel,
    Priors,
    Sampling,
    build_model,
    fit,
    simulate,
)
from oulib.model.draws.names import NAMES

# Where in the code a node of a graph was made: noting it takes a third of a small model's time.
pytensor.config.traceback__limit = 0

# What a test compiles is called a few times: Python takes less than Numba, and, for the loops and
# distributions inside of a function, than a C compiler, which PyTensor would call for each step of
# theirs.  Fits are compiled by Numba all the same: `oulib/compiled.py` asks for it by name.
pytensor.config.mode = "FAST_COMPILE"
predefined_linkers["vm"] = VMLinker(use_cloop=False, c_thunks=False)

# The two forms of the baseline that are sampled once for all tests.
INTEGRATED = BASELINE
DRAWS = 2000
INFORMED = BASELINE.but(name="explicit_informed", latent="explicit_informed")

# Trends, covariates, wide scales and answers in one, which is compiled once for all tests.
RICH = BASELINE.but(
    name="rich",
    trend=True,
    covariates="horseshoe",
    group_scales="half_student_t",
    response=True,
    rho_x=0.0,
)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test reads results of another run, and none leaves any behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OULIB_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def panel() -> Panel:
    """A small panel from the baseline's own recipe: 12 OUs, 24 months, waves every 2."""
    noisy = {"sigma_meas": 2.0}  # away from 0, where a small panel's posterior has an edge
    size = {"n_ou": 12, "n_site": 3, "n_month": 24, "wave_every": 2}
    return simulate("baseline", **size, seed=1, parameters=noisy)


@pytest.fixture(scope="session")
def fitted(panel: Panel) -> Fit:
    """The integrated baseline on the small panel."""
    return fit(panel, INTEGRATED, Sampling(seed=1, draws=DRAWS, target_accept=0.95))


@pytest.fixture(scope="session")
def informed(panel: Panel) -> Fit:
    """The same model with the latent scores sampled row by row, the witness."""
    return fit(panel, INFORMED, Sampling(seed=2, draws=DRAWS, target_accept=0.95))


@pytest.fixture(scope="session")
def awkward() -> Panel:
    """Three OUs that have every kind of row: the case for densities.

    The first has no survey at all; the second has surveys of 1, 3 and 1,000,000 respondents; the
    third has one of 0 respondents, one survey outside the schedule and two months without a row.
    """
    frame = frame_of(simulate("baseline", n_ou=3, n_site=2, n_month=8, wave_every=2, seed=4))
    frame["survey"], frame["respondents"] = float("nan"), 0
    cells = {("OU-2", 1): (3.9, 1), ("OU-2", 3): (3.2, 3), ("OU-2", 5): (3.6, 1_000_000)}
    cells |= {("OU-3", 1): (4.1, 0), ("OU-3", 4): (3.5, 20)}
    for (ou, month), cell in cells.items():
        where = frame.index[frame["ou"] == ou][month]
        frame.loc[where, ["survey", "respondents"]] = cell
    gone = frame.index[frame["ou"] == "OU-3"][[2, 6]]
    return Panel.from_frame(frame.drop(index=gone))


def gradient(model: pm.Model, point: dict[str, np.ndarray]) -> list[np.ndarray]:
    """The gradient of the log density at a point, by value variable.

    Of the graph as it was written: rewriting takes longer than calling, and it makes sums of more
    terms than Python can take.
    """
    total, by = sum(term.sum() for term in model.logp(sum=False)), model.value_vars
    plain = Mode(linker="py", optimizer=None)
    return model.compile_fn(pt.grad(total, by), inputs=by, mode=plain)(point)


def frame_of(panel: Panel) -> pd.DataFrame:
    """The frame that ``Panel.from_frame`` takes."""
    frame = panel.to_frame()
    return frame.assign(month=pd.to_datetime(frame["month"]))


def some_rows(panel: Panel, keep: list[int]) -> Panel:
    """The panel with some of its rows only, its standardisation and labels kept."""
    return replace(panel, rows=panel.rows.isel(row=keep))


# Small scales: prior draws with slopes that a posterior would have.
PRIORS = Priors(
    mu_alpha=0.3, mu_beta=0.3, sigma_ou=0.2, sigma_site=0.2, sigma_mu_x=0.5, sigma_x=0.5
)


def parameters_at(fit, chain, draw):
    """One posterior draw, under the names and as the arrays that ``reference_densities`` takes."""
    one = fit.posterior.isel(chain=chain, draw=draw)
    return {name: one[name].to_numpy() for name in NAMES if name in one}


SMALL = Sampling(draws=300, tune=300, chains=2, seed=3)
"""Short fits, for what hangs on no posterior."""


def one_draw(panel: Panel, spec: ModelSpec, times: int, seed: int = 1, **values: object) -> Fit:
    """A fit that holds one draw from the prior ``times`` times over, some of it replaced."""
    with build_model(panel, spec):
        quick = {"mode": "FAST_COMPILE"}  # Python: for functions that are called once
        tree = pm.sample_prior_predictive(1, random_seed=seed, compile_kwargs=quick)
    prior = tree["prior"].to_dataset()
    p = prior.isel(draw=np.zeros(times, dtype=int))
    if "alpha" not in p:  # summed out, and drawn after sampling
        rng = np.random.default_rng(seed)
        own = {name: rng.normal(0, 0.5, len(panel.ous)) for name in ("alpha", "beta")}
        p = p.assign({n: p["mu_x_ou"] * 0 + v for n, v in own.items()})
    for name, value in values.items():
        p[name] = p[name] * 0 + value
    tree = xr.DataTree.from_dict({"posterior": p})
    return Fit(
        panel=panel,
        spec=spec,
        sampling=SMALL,
        tree=tree,
        key="none",
    )
