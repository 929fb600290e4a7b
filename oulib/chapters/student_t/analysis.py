"""What heavy tails do: to signs by chain, degrees of freedom, slopes, the weights of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr
from scipy import stats


@dataclass(frozen=True)
class SignsByChain:
    """Of ``chains``, how many have more than 95 in 100 draws ``above`` zero, and ``below``."""

    chains: int
    above: int
    below: int


def signs_by_chain(draws: xr.DataArray) -> SignsByChain:
    """On which side of zero chains stayed, from draws (chain, draw)."""
    share = (draws > 0).mean("draw").to_numpy()
    return SignsByChain(share.size, int((share > 0.95).sum()), int((share < 0.05).sum()))


@dataclass(frozen=True)
class SlopesMoved:
    """How slopes changed from one model to the next, all in standardised units.

    ``width`` is the median over OUs of the ratio of the widths of 90% intervals; the slope that
    moved most is that of ``ou``, from ``before`` to ``after``; for ``apart`` OUs the two intervals
    do not overlap.
    """

    width: float
    ou: str
    before: float
    after: float
    apart: int


def slopes_moved(lower: pd.DataFrame, upper: pd.DataFrame) -> SlopesMoved:
    """How slopes changed, from two tables of ``effects.effects`` of the same OUs."""
    one, other = (table.drop(index="(mean)") for table in (lower, upper))
    width = (other["beta_q95"] - other["beta_q5"]) / (one["beta_q95"] - one["beta_q5"])
    top = (other["beta"] - one["beta"]).abs().idxmax()
    apart = (one["beta_q95"] < other["beta_q5"]) | (other["beta_q95"] < one["beta_q5"])
    return SlopesMoved(
        width=float(width.median()),
        ou=str(top),
        before=float(one.loc[top, "beta"]),
        after=float(other.loc[top, "beta"]),
        apart=int(apart.sum()),
    )


@dataclass(frozen=True)
class LightRows:
    """Of ``rows`` rows, ``light`` have a weight less than ``below``; the smallest is ``smallest``.

    ``gathered`` are an OU and a month with how many of them belong to it, where these are more than
    chance explains.
    """

    rows: int
    below: float
    light: int
    smallest: float
    gathered: tuple[tuple[str, int], ...]


def light_rows(
    weight: np.ndarray, ou: Sequence[str], month: Sequence[str], below: float = 0.5
) -> LightRows:
    """How many rows count for less than ``below``, and whether OUs or months gather them."""
    low = np.flatnonzero(np.asarray(weight) < below)
    return LightRows(
        rows=len(weight),
        below=below,
        light=low.size,
        smallest=float(np.min(weight)),
        gathered=tuple(
            one
            for labels in (ou, month)
            if low.size
            for one in _gathered(np.asarray(labels, dtype=object), low)
        ),
    )


def _gathered(labels: np.ndarray, chosen: np.ndarray) -> list[tuple[str, int]]:
    """The label that most of the ``chosen`` places have, if it has too many of them for chance."""
    kinds, kind, size = np.unique(labels.astype(str), return_inverse=True, return_counts=True)
    found = np.bincount(kind[chosen], minlength=kinds.size)
    # As if the rows were dealt at random; times the number of labels, for the most is picked.
    chance = kinds.size * stats.hypergeom.sf(found - 1, labels.size, size, chosen.size)
    top = int(np.argmin(chance))
    return [(str(kinds[top]), int(found[top]))] if chance[top] < 0.05 and found[top] > 1 else []


@dataclass(frozen=True)
class Pull:
    """How far outcomes move the scores of ``rows`` rows, in sds of the score, on average.

    In size, under a Student-t (``heavy``) and a normal outcome (``normal``, None where that model
    failed its checks).
    """

    rows: int
    heavy: float
    normal: float | None


def pull(heavy: np.ndarray, normal: np.ndarray | None) -> Pull:
    """How far outcomes move scores, from the shifts of the same rows under two models."""
    return Pull(
        rows=len(heavy),
        heavy=float(np.mean(np.abs(heavy))),
        normal=None if normal is None else float(np.mean(np.abs(normal))),
    )
