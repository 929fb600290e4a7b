"""Ranks of draws among all chains': what tells chains that agree from chains that do not."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import stats

from oulib.model.draws.names import NAMES, REDUNDANT
from oulib.posterior.estimate import SAMPLES


def by_label(tree: xr.Dataset, names: Sequence[str] = NAMES) -> xr.DataArray:
    """The scalars of the named variables as one array, sample dims and ``parameter``.

    Labels are those of :func:`oulib.posterior.checks.summarise`; a correlation matrix gives one
    element of each pair.  ``tree`` is a posterior, (chain, draw, ...), or a truth.
    """
    parts = []
    for name in (name for name in names if name in tree):
        values = tree[name]
        own = [dim for dim in values.dims if dim not in SAMPLES]
        labels = [str(name)]
        if own:
            indexes = [values.get_index(dim).astype(str) for dim in own]
            places = itertools.product(*indexes)
            labels = [f"{name}[{', '.join(place)}]" for place in places]
        plain = values.transpose(..., *own).to_numpy()
        samples = plain.shape[: plain.ndim - len(own)]
        dims = (*(dim for dim in SAMPLES if dim in values.dims), "parameter")
        flat = xr.DataArray(plain.reshape(*samples, -1), dims=dims, coords={"parameter": labels})
        parts.append(flat)
    joined = xr.concat(parts, dim="parameter")
    return joined.sel(parameter=~joined["parameter"].isin(REDUNDANT))


def ranks(draws: xr.DataArray, *, bins: int = 20) -> xr.DataArray:
    """Rank histogram of each chain, (chain, bin), relative to a flat one (Vehtari et al., 2021).

    ``draws`` (chain, draw) of one scalar are ranked together; chains that sample the same
    distribution have about 1 in every bin.
    """
    values = draws.transpose(*SAMPLES).to_numpy()
    rank = stats.rankdata(values, method="ordinal").reshape(values.shape).astype(int) - 1
    which = rank * bins // values.size
    counts = np.stack([np.bincount(chain, minlength=bins) for chain in which])
    return xr.DataArray(counts * bins / values.shape[1], dims=("chain", "bin"))


def rank_band(chains: int, draws: int, *, bins: int = 20, prob: float = 0.9) -> tuple[float, float]:
    """Where a bar of :func:`ranks` lies with probability ``prob`` if all draws are independent."""
    total = chains * draws
    found = stats.hypergeom(total, draws, total // bins)
    tail = (1 - prob) / 2
    low, high = found.ppf([tail, 1 - tail]) * bins / draws
    return float(low), float(high)
