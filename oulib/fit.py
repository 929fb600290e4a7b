"""Sampling a model: seeded, cached by content, written whole or not at all."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pymc as pm
import xarray as xr

from oulib import cache
from oulib.compiled import compiled_model
from oulib.model import build_model
from oulib.model.deviations import complete
from oulib.panel import Panel
from oulib.spec import ModelSpec

Sampler = Literal["nutpie", "pymc", "numpyro"]
_HERE = Path(__file__).parent
_CODE = (_HERE / "fit.py", _HERE / "compiled.py", _HERE / "model")


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """How to sample: draws and warm-up per chain, chains, seed, target acceptance, sampler.

    A trajectory has at most 2 ** ``max_depth`` steps.
    """

    draws: int = 2000
    tune: int = 1000
    chains: int = 4
    seed: int = 20261122
    target_accept: float = 0.9
    max_depth: int = 10
    sampler: Sampler = "nutpie"


@dataclass(frozen=True, eq=False)
class Fit:
    """A sampled model: what was asked, and the draws.

    ``tree`` is ArviZ's DataTree with the groups ``posterior``, ``sample_stats`` and
    ``observed_data``; its attributes record the question, the seeds, the versions and the
    seconds spent compiling and sampling.
    """

    panel: Panel
    spec: ModelSpec
    sampling: Sampling
    tree: xr.DataTree
    key: str

    @property
    def posterior(self) -> xr.Dataset:
        """The draws, (chain, draw, ...), under the names of the design."""
        return self.tree["posterior"].to_dataset()

    @property
    def seconds(self) -> dict[str, float]:
        """Seconds spent on ``compile`` and on ``sample`` when the fit was computed."""
        return {
            stage: float(self.tree.attrs[f"{stage}_seconds"]) for stage in ("compile", "sample")
        }

    def integrated(self) -> tuple[pm.Model, xr.Dataset]:
        """The model with the latent score integrated out, and this fit's draws of its variables.

        What is predicted or scored must not be given a row's sampled score, which has seen the
        row's outcome.  An explicit fit's parameters are those of the integrated model.
        """
        model = build_model(self.panel, self.spec.but(latent="integrated"))
        posterior = self.posterior
        if "signed_sigma_meas" not in posterior:
            posterior = posterior.assign(signed_sigma_meas=posterior["sigma_meas"])
        return model, posterior[[variable.name for variable in model.free_RVs]]


def fit(
    panel: Panel,
    spec: ModelSpec,
    sampling: Sampling | None = None,
    *,
    progress: bool | None = None,
) -> Fit:
    """Sample the model ``spec`` of ``panel``, or fetch the draws if they were computed before.

    Args:
        panel: the data.
        spec: the model.
        sampling: draws, chains, seed and sampler; :class:`Sampling`'s defaults if not given.
        progress: show a progress bar; by default only where standard error is a terminal.

    Returns:
        The fit.  The same panel, spec, sampling and library versions give the same draws.
    """
    sampling = sampling or Sampling()
    key = fit_key(panel, spec, sampling)
    show = sys.stderr.isatty() if progress is None else progress
    tree, _ = cache.fetch("fits", key, lambda: _sample(panel, spec, sampling, show))
    return Fit(panel=panel, spec=spec, sampling=sampling, tree=tree, key=key)


def fit_key(panel: Panel, spec: ModelSpec, sampling: Sampling) -> str:
    """The cache key of a fit; the name of the model does not enter it, its content does."""
    question = {
        "panel": panel.fingerprint,
        "spec": {k: v for k, v in spec.to_dict().items() if k != "name"},
        "sampling": asdict(sampling),
    }
    return cache.key_of(question, _CODE)


def _sample(panel: Panel, spec: ModelSpec, sampling: Sampling, progress: bool) -> xr.DataTree:
    model = build_model(panel, spec)
    if sampling.sampler == "nutpie":
        tree, seconds = _with_nutpie(model, spec, sampling, progress)
    else:
        tree, seconds = _with_pymc(model, sampling, progress)
    drawn = tree["posterior"].to_dataset()
    tree["posterior"] = xr.DataTree(complete(panel, spec, drawn, seed=sampling.seed))
    groups = ("posterior", "sample_stats")
    kept = xr.DataTree.from_dict({group: _storable(tree[group].to_dataset()) for group in groups})
    kept["observed_data"] = xr.DataTree(
        xr.Dataset(
            {"productivity": ("row", panel.rows["y"].to_numpy())},
            coords={"row": panel.rows.get_index("row")},
        )
    )
    kept.attrs = {
        "model": spec.name,
        "spec": json.dumps(spec.to_dict()),
        "sampling": json.dumps(asdict(sampling)),
        "panel": panel.fingerprint,
        "standardisation": json.dumps(asdict(panel.scale)),
        "versions": json.dumps(cache.versions()),
        "compile_seconds": seconds[0],
        "sample_seconds": seconds[1],
    }
    return kept


def _with_nutpie(
    model: pm.Model, spec: ModelSpec, sampling: Sampling, progress: bool
) -> tuple[xr.DataTree, tuple[float, float]]:
    import nutpie

    start = time.perf_counter()
    compiled = compiled_model(model, spec)
    ready = time.perf_counter()
    tree = nutpie.sample(
        compiled,
        draws=sampling.draws,
        tune=sampling.tune,
        chains=sampling.chains,
        seed=sampling.seed,
        target_accept=sampling.target_accept,
        maxdepth=sampling.max_depth,
        save_warmup=False,
        progress_bar=progress,
    )
    return tree, (ready - start, time.perf_counter() - ready)


def _with_pymc(
    model: pm.Model, sampling: Sampling, progress: bool
) -> tuple[xr.DataTree, tuple[float, float]]:
    """PyMC's own NUTS, or numpyro's; both compile inside the call, so that is not told apart."""
    depth = "max_treedepth" if sampling.sampler == "pymc" else "max_tree_depth"
    start = time.perf_counter()
    tree = pm.sample(
        draws=sampling.draws,
        tune=sampling.tune,
        chains=sampling.chains,
        random_seed=sampling.seed,
        nuts_sampler=sampling.sampler,
        nuts={"target_accept": sampling.target_accept, depth: sampling.max_depth},
        progressbar=progress,
        compute_convergence_checks=False,
        model=model,
    )
    return tree, (0.0, time.perf_counter() - start)


def _storable(dataset: xr.Dataset) -> xr.Dataset:
    """Without the columns of free text that netCDF cannot hold, and with plain labels."""
    objects = [name for name, values in dataset.data_vars.items() if values.dtype == object]
    dataset = dataset.drop_vars(objects)
    labels = {
        name: (coord.dims, coord.to_numpy().astype(str))
        for name, coord in dataset.coords.items()
        if coord.dtype == object
    }
    return dataset.assign_coords(labels)
