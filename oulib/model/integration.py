"""Sums over a row's latent score where no closed form exists: Gauss-Hermite quadrature."""

from __future__ import annotations

import numpy as np


def nodes(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and log weights for the expectation over a standard normal variable, (count,) each."""
    at, weight = np.polynomial.hermite_e.hermegauss(count)
    return at, np.log(weight / weight.sum())
