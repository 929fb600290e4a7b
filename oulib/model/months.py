"""Month effects: independent normals, centred to sum to zero."""

from __future__ import annotations

import pymc as pm
from pytensor.tensor import TensorVariable


def add_iid(name: str) -> TensorVariable:
    """Month effects ``name[month]``, iid N(0, 1) and centred; spec 1.2.

    A vector of iid normals minus its mean has exactly the distribution of PyMC's
    ``ZeroSumNormal``, which has one coordinate fewer and no direction that the data cannot see.
    """
    return pm.ZeroSumNormal(name, sigma=1.0, dims="month")
