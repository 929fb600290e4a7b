"""How noisy each OU is: one residual scale for all, or one for each, pooled."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.tensor import TensorVariable

from oulib.model.spec import ModelSpec
from oulib.panel import Panel


def add(panel: Panel, spec: ModelSpec) -> TensorVariable | None:
    """Add ``noise_ou[ou]``, what multiplies an OU's residual scale, to the current PyMC model.

    Its logarithm is normal with sd ``sigma_noise_ou`` and sums to zero over OUs, so ``sigma_y``
    stays the scale of a typical OU.  Sampled as centred as the OUs' own residuals tell their
    scales apart.  None if OUs share one scale.
    """
    if spec.noise == "common":
        return None
    sigma = pm.HalfNormal("sigma_noise_ou", spec.priors.sigma_noise_ou)
    c = pm.Data("noise_centring", centring(panel))
    raw = pm.ZeroSumNormal("log_noise_raw", sigma=sigma**c, dims="ou")
    return pm.Deterministic("noise_ou", pt.exp(sigma ** (1 - c) * raw), dims="ou")


def centring(panel: Panel) -> float:
    """How far to centre the log scales, in [0, 1]: the reliability of the OUs' own estimates.

    The scale of an OU with m changes from row to row is known to about 1 / sqrt(2 m) in its
    logarithm; what the estimates differ by beyond that is real.
    """
    scale, changes = residual_scales(panel)
    known = changes > 1
    if known.sum() < 3:
        return 0.0
    log_scale, error = np.log(scale[known]), 1 / (2 * changes[known])
    # A median sees through the few OUs whose scale a single jump makes.
    spread = (np.subtract(*np.quantile(log_scale, [0.75, 0.25])) / 1.349) ** 2
    between = max(float(spread - np.median(error)), 0.0)
    return between / (between + float(np.median(error)))


def month_means(panel: Panel) -> tuple[np.ndarray, float]:
    """The months' mean outcomes less OU means, and about how far they change by chance alone.

    Only chooses coordinates.  A month without outcomes lies on the line between its neighbours.
    """
    ou, month = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    y = panel.rows["y"].to_numpy()
    seen = np.isfinite(y)
    ou, month, y = ou[seen], month[seen], y[seen]
    of_month = np.zeros(len(panel.months))
    count = np.bincount(month, minlength=len(panel.months))
    rows = np.maximum(np.bincount(ou), 1)
    for _ in range(20):
        of_ou = np.bincount(ou, weights=y - of_month[month]) / rows
        of_month = np.bincount(month, weights=y - of_ou[ou], minlength=len(panel.months))
        of_month = of_month / np.maximum(count, 1)
    has, at = count > 0, np.arange(len(panel.months))
    of_month = np.interp(at, at[has], of_month[has])
    scale, _ = residual_scales(panel)
    return of_month - of_month.mean(), float(np.median(scale) / np.sqrt(np.median(count[has])))


def residual_scales(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """Root mean square change, from row to row, of each OU's outcome less its month's mean.

    Returns:
        The scales and the numbers of changes behind them, arrays over OUs; a scale without
        changes is 1.
    """
    ou, month = (panel.rows[name].to_numpy() for name in ("ou_idx", "month_idx"))
    y = panel.rows["y"].to_numpy()
    seen = np.isfinite(y)
    ou, month, y = ou[seen], month[seen], y[seen]
    count = np.maximum(np.bincount(month), 1)
    y = y - (np.bincount(month, weights=y) / count)[month]
    same = ou[1:] == ou[:-1]
    size = len(panel.ous)
    changes = np.bincount(ou[1:][same], minlength=size)
    squares = np.bincount(ou[1:][same], weights=np.diff(y)[same] ** 2, minlength=size)
    scale = np.sqrt(squares / np.maximum(changes, 1))
    return np.where(changes > 0, np.maximum(scale, 1e-6), 1.0), changes
