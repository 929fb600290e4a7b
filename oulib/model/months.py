"""Month effects that sum to zero: independent normals, or a centred autoregression."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pymc.logprob.transforms import Transform
from pytensor.tensor import TensorVariable

from oulib.model import row_kernels

_LOG_2PI = float(np.log(2 * np.pi))
_WHERE = "(month),(month),(month),(two)"  # of _seen_first


class _SeenZeroSum(Transform):
    """Coordinates of a vector that sums to zero, of which some entries were seen by nobody.

    PyMC's coordinates leave the last entry out and shift all others by a part of it: an unseen
    one, which may be anything, would move them all.  Here the seen entries have PyMC's among
    themselves, an unseen one has a coordinate of its own, and a reflection, which takes the mean
    of the seen ones to that of all, moves the seen ones by the same amount: no differences
    between them.  The map is orthonormal.  The last parameters of the distribution are those of
    :func:`_seen_first`.
    """

    name = "zerosum"  # the same variable as in coordinates of PyMC
    ndim_supp = 1

    @staticmethod
    def _parts(inputs: tuple[TensorVariable, ...]) -> tuple[TensorVariable, ...]:
        order, place, seen, shifts = inputs[-4:]
        return order, place, seen, shifts[0], shifts[1], seen.sum()

    def forward(self, value: TensorVariable, *inputs: TensorVariable) -> TensorVariable:
        order, _, seen, up, down, size = self._parts(inputs)
        x, unseen = value[order], 1 - seen
        total = (x * unseen).sum() / (1 - (value.shape[0] - size) * down)
        z = x + total * (unseen * down - seen * up)
        whole = -z[-1] * pt.sqrt(size)
        return z[:-1] + seen[:-1] * whole / (pt.sqrt(size) + size)

    def backward(self, value: TensorVariable, *inputs: TensorVariable) -> TensorVariable:
        _, place, seen, up, down, size = self._parts(inputs)
        unseen = 1 - seen
        whole, total = (value * seen[:-1]).sum(), (value * unseen[:-1]).sum()
        own = value - seen[:-1] * whole / (pt.sqrt(size) + size)
        z = pt.concatenate([own, (-whole / pt.sqrt(size))[None]])
        return (z + total * (seen * up - unseen * down))[place]

    def log_jac_det(self, value: TensorVariable, *inputs: TensorVariable) -> TensorVariable:
        return value.sum().zeros_like()


def _seen_first(name: str, seen: np.ndarray | None) -> tuple[TensorVariable, ...]:
    """What :class:`_SeenZeroSum` goes by, as data of the model.

    ``seen`` are the positions of months that data speak of, at least one; all if None.  They are
    taken last, and the unseen ones first.
    """
    months = np.arange(len(pm.modelcontext(None).coords["month"]))
    found = months if seen is None or not len(seen) else np.unique(seen)
    order = np.concatenate([np.setdiff1d(months, found), found])
    n, size = months.size, found.size
    square = 2 - 2 * np.sqrt(size / n)  # of the reflection's vector, before it is of length 1
    shifts = np.zeros(2)
    if size < n:
        up = 2 * (1 / np.sqrt(size) - 1 / np.sqrt(n)) / (np.sqrt(n) * square)
        shifts = np.array([up, 2 / (n * square)])
    return (
        pm.Data(f"{name}_order", order, dims="month"),
        pm.Data(f"{name}_place", np.argsort(order), dims="month"),
        pm.Data(f"{name}_was_seen", np.isin(order, found).astype(float), dims="month"),
        pm.Data(f"{name}_shifts", shifts),
    )


def add_iid(name: str, *, seen: np.ndarray | None = None) -> TensorVariable:
    """Month effects ``name[month]``, iid N(0, 1) and centred; spec 1.2.

    A vector of iid normals minus its mean has exactly the distribution of PyMC's
    ``ZeroSumNormal``, which has one coordinate fewer and no direction that the data cannot see.
    ``seen`` are the positions of the months that data speak of, all if None.
    """
    return pm.CustomDist(
        name,
        *_seen_first(name, seen),
        logp=lambda value, *_: -0.5 * ((value**2).sum() + (value.shape[0] - 1) * _LOG_2PI),
        random=_draw_centred_iid,
        support_point=_middle,
        signature=f"{_WHERE}->(month)",
        default_transform=_SeenZeroSum(),
        dims="month",
    )


def add_ar1(
    name: str,
    *,
    phi: TensorVariable,
    sigma: TensorVariable | float,
    along: Along | None = None,
    seen: np.ndarray | None = None,
) -> TensorVariable:
    """Month effects ``name[month]``: a stationary AR(1) path minus its mean; spec 2.2.

    ``phi`` is the autocorrelation and ``sigma`` the sd of the innovations.  The path's mean is
    integrated out, so only the centred path is sampled; see :func:`centred_ar1_logp`.  ``along``
    chooses other coordinates for the sampler; the distribution is the same.  ``seen`` are the
    positions of the months that data speak of, all if None.
    """
    # The last parameters tell the distribution how long it is, and its coordinates where to be.
    where = () if along is None else (along.centre, along.phi, along.scale)
    return pm.CustomDist(
        name,
        phi,
        sigma,
        *where,
        *_seen_first(name, seen),
        logp=lambda value, phi, sigma, *_: centred_ar1_logp(value, phi, sigma),
        random=_draw_centred_ar1,
        support_point=_middle if along is None else _centre,
        signature=f"(),(),{'(month),(),(),' if along else ''}{_WHERE}->(month)",
        default_transform=_SeenZeroSum() if along is None else _AlongTransform(),
        dims="month",
    )


def _middle(rv: TensorVariable, size: object, *params: TensorVariable) -> TensorVariable:
    return pt.zeros_like(params[-2])


def _centre(
    rv: TensorVariable,
    size: object,
    phi: TensorVariable,
    sigma: TensorVariable,
    centre: TensorVariable,
    *_: TensorVariable,
) -> TensorVariable:
    return centre - centre.mean()


@dataclass(frozen=True)
class Along:
    """Where and along what a path is to be sampled: what the data make of it, whatever its prior.

    ``centre[month]`` is near the path; the errors of such an estimate persist like an AR(1) with
    autocorrelation ``phi``, and have innovations of about ``scale``.
    """

    centre: TensorVariable
    phi: TensorVariable
    scale: TensorVariable


class _AlongTransform(Transform):
    """A path that sums to zero as innovations of its distance from a known one.

    With z_t = d_t - phi d_(t-1) the innovations of the distance d, in units of ``scale``, and d
    shifted so that z sums to zero, what is sampled is z in an orthonormal basis.  phi = 0 leaves
    d itself.  The map z -> d less its mean has the determinant (T - phi (T - 1)) / T.
    """

    name = "along"
    ndim_supp = 1

    def __init__(self) -> None:
        self.zero_sum = _SeenZeroSum()

    @staticmethod
    def _weight(months: TensorVariable, phi: TensorVariable) -> TensorVariable:
        return months - phi * (months - 1)  # the sum of 1, less phi times 1 shifted

    def forward(self, value: TensorVariable, *inputs: TensorVariable) -> TensorVariable:
        centre, phi, scale = inputs[-7:-4]
        distance = value - centre
        distance = distance - (distance.sum() - phi * distance[:-1].sum()) / self._weight(
            value.shape[0], phi
        )
        z = pt.concatenate([distance[:1], distance[1:] - phi * distance[:-1]]) / scale
        return self.zero_sum.forward(z, *inputs)

    def backward(self, value: TensorVariable, *inputs: TensorVariable) -> TensorVariable:
        centre, phi, scale = inputs[-7:-4]
        path = centre + accumulate(scale * self.zero_sum.backward(value, *inputs), phi)
        return path - path.mean()

    def log_jac_det(self, value: TensorVariable, *inputs: TensorVariable) -> TensorVariable:
        centre, phi, scale = inputs[-7:-4]
        months = centre.shape[0]
        return pt.log(self._weight(months, phi) / months) + (months - 1) * pt.log(scale)


def add_places(name: str, at: np.ndarray) -> TensorVariable:
    """Add the dim ``<name>_month`` of the months ``at`` (positions) that ``name`` is sampled at.

    Returns:
        The positions, as data of the model.
    """
    model, dim = pm.modelcontext(None), f"{name}_month"
    model.add_coords({dim: [model.coords["month"][t] for t in at]})
    return pm.Data(f"{name}_at", at, dims=dim)


def only_at(name: str, at: TensorVariable, values: TensorVariable) -> TensorVariable:
    """``name[month]``: ``values`` at the months ``at`` (positions), 0 in the others."""
    nothing = pt.zeros(pm.modelcontext(None).dim_lengths["month"])
    return pm.Deterministic(name, pt.set_subtensor(nothing[at], values), dims="month")


def add_iid_only_at(
    name: str, at: np.ndarray, *, by: TensorVariable | float, c: float
) -> TensorVariable:
    """Independent effects ``name[month]``, N(0, 1) and centred, at the months ``at``; else 0.

    They are going to be multiplied by ``by``, a scale, and are sampled as by^c times themselves:
    centred where c is 1, as suits a movement that the data show clearly, non-centred where it is 0.
    """
    if len(at) < 2:  # a single effect that sums to zero
        nothing = pt.zeros(pm.modelcontext(None).dim_lengths["month"])
        return pm.Deterministic(name, nothing, dims="month")
    places = add_places(name, at)
    scale = by ** pm.Data(f"{name}_centring", c)
    raw = pm.ZeroSumNormal(f"{name}_seen", sigma=scale, dims=f"{name}_month")
    return only_at(name, places, raw / scale)


class _StepsTransform(Transform):
    """An AR(1) of unit variance seen some steps apart, by its values or by its innovations.

    With d the correlation with the value before and s^2 = 1 - d^2, what is sampled is
    (w_k - (1 - c) d w_(k-1)) / s^(1 - c): the value itself where c is 1, as suits values that the
    data show, and the innovation where it is 0.  Values alone make a funnel near |d| = 1 where no
    data speak of them.
    """

    name = "steps"
    ndim_supp = 1

    @staticmethod
    def _parts(*inputs: TensorVariable) -> tuple[TensorVariable, TensorVariable]:
        phi, gaps, c = inputs[-3:]
        decay = phi ** gaps[1:]
        scale = (1 - decay**2) ** ((1 - c) / 2)
        first = pt.ones_like(gaps[:1])
        return pt.concatenate([0 * first, (1 - c) * decay]), pt.concatenate([first, scale])

    def forward(self, value: TensorVariable, *inputs: TensorVariable) -> TensorVariable:
        decay, scale = self._parts(*inputs)
        before = pt.concatenate([pt.zeros_like(value[:1]), value[:-1]])
        return (value - decay * before) / scale

    def backward(self, value: TensorVariable, *inputs: TensorVariable) -> TensorVariable:
        decay, scale = self._parts(*inputs)
        return accumulate(scale * value, decay)

    def log_jac_det(self, value: TensorVariable, *inputs: TensorVariable) -> TensorVariable:
        _, scale = self._parts(*inputs)
        return pt.log(scale).sum()


def add_ar1_between(
    name: str,
    at: np.ndarray,
    *,
    phi: TensorVariable,
    sigma: TensorVariable | float,
    c: float,
) -> TensorVariable:
    """The distribution of :func:`add_ar1`, for data that speak of the months ``at`` alone.

    The path is sampled where the data are, and between them by innovations that no data see, so
    that ``phi`` is free to move without dragging unseen months along.  A path x from innovations
    alone is made to pass through the sampled values w by adding what w - x at those months lets
    one expect in between (conditioning by kriging); the result has the AR(1)'s distribution, and
    w its own.  ``at`` are positions of months, at least one, in order.
    """
    places = add_places(name, at)
    stationary = sigma / pt.sqrt(1 - phi**2)
    w = stationary * pm.CustomDist(
        f"{name}_seen",
        phi,
        pm.Data(f"{name}_gaps", np.concatenate([[np.inf], np.diff(at)]), dims=f"{name}_month"),
        pm.Data(f"{name}_centring", c),
        logp=lambda value, phi, gaps, c: _spaced_ar1_logp(value, phi, gaps),
        random=_draw_spaced_ar1,
        support_point=lambda rv, size, phi, gaps, c: pt.zeros_like(gaps),
        signature="(),(n),()->(n)",
        default_transform=_StepsTransform(),
        dims=f"{name}_month",
    )
    z = pm.Normal(f"z_{name}", dims="month")
    start = pt.concatenate([(stationary * z[0])[None], sigma * z[1:]])
    path = accumulate(start, phi)

    left, right, to_left, to_right, span, outside = (
        pm.Data(f"{name}_{part}", values, dims="month")
        for part, values in _neighbours(at, len(pm.modelcontext(None).coords["month"])).items()
    )
    share = 1 - phi ** (2 * span)
    from_left = (1 - outside) * phi**to_left * (1 - phi ** (2 * to_right)) / share
    both = phi**to_right * (1 - phi ** (2 * to_left)) / share
    from_right = outside * phi**to_right + (1 - outside) * both
    miss = w - path[places]
    path = path + from_left * miss[left] + from_right * miss[right]
    return pm.Deterministic(name, path - path.mean(), dims="month")


def _neighbours(at: np.ndarray, length: int) -> dict[str, np.ndarray]:
    """Of each month, the seen months ``at`` around it (places in ``at``), and how far they are.

    Beyond the first and the last seen month (``outside`` is 1) there is one neighbour, which is
    called the right one; between two, both, ``span`` apart.
    """
    t = np.arange(length)
    after = np.searchsorted(at, t)  # the first seen month at t or later
    right, left = np.minimum(after, len(at) - 1), np.maximum(after - 1, 0)
    outside = (after == 0) | (after == len(at))
    # Where there is no left neighbour any distances do whose powers have derivatives.
    return {
        "left": left,
        "right": right,
        "to_left": np.where(outside, 1.0, np.abs(t - at[left])),
        "to_right": np.abs(at[right] - t).astype(float),
        "span": np.where(outside, 1.0, at[right] - at[left]),
        "outside": outside.astype(float),
    }


def _spaced_ar1_logp(
    value: TensorVariable, phi: TensorVariable, gaps: TensorVariable
) -> TensorVariable:
    """Log density of a stationary AR(1) of unit variance seen ``gaps`` steps apart."""
    decay = phi ** gaps[1:]
    var = 1 - decay**2
    step = value[1:] - decay * value[:-1]
    total = -0.5 * (value[0] ** 2 + pt.sum(step**2 / var + pt.log(var)))
    return total - 0.5 * value.shape[0] * np.log(2 * np.pi)


def _draw_spaced_ar1(
    phi: np.ndarray,
    gaps: np.ndarray,
    *_: np.ndarray,
    rng: np.random.Generator,
    size: tuple[int, ...] | None = None,
) -> np.ndarray:
    shape, length = tuple(size or ()), gaps.shape[-1]
    phi = np.broadcast_to(phi, shape)
    path = rng.normal(size=(*shape, length))
    for k in range(1, length):
        decay = phi ** gaps.reshape(-1, length)[0, k]
        path[..., k] = decay * path[..., k - 1] + np.sqrt(1 - decay**2) * path[..., k]
    return path


def accumulate(innovations: TensorVariable, decay: TensorVariable) -> TensorVariable:
    """The path x_t = decay x_(t-1) + innovation_t, as long as the innovations.

    ``decay`` is one number or a step's own, of which the first does nothing.
    """
    return row_kernels.accumulate(innovations, pt.zeros_like(innovations) + decay)


def _draw_centred_ar1(
    phi: np.ndarray,
    sigma: np.ndarray,
    *where: np.ndarray,
    rng: np.random.Generator,
    size: tuple[int, ...] | None = None,
) -> np.ndarray:
    shape, months = tuple(size or ()), where[-2].shape[-1]
    phi, sigma = np.broadcast_to(phi, shape), np.broadcast_to(sigma, shape)
    path = np.empty((*shape, months))
    path[..., 0] = rng.normal(size=shape) * sigma / np.sqrt(1 - phi**2)
    for t in range(1, months):
        path[..., t] = phi * path[..., t - 1] + sigma * rng.normal(size=shape)
    return path - path.mean(axis=-1, keepdims=True)


def _draw_centred_iid(
    *where: np.ndarray, rng: np.random.Generator, size: tuple[int, ...] | None = None
) -> np.ndarray:
    z = rng.normal(size=(*(size or ()), where[-2].shape[-1]))
    return z - z.mean(axis=-1, keepdims=True)


def centred_ar1_logp(
    value: TensorVariable, phi: TensorVariable, sigma: TensorVariable
) -> TensorVariable:
    """Log density of a stationary AR(1) path minus its mean, on the subspace that sums to zero.

    With f the density of the path and Q its precision matrix, integrating over the mean c gives
    f(lam) exp(b^2 / 2q) sqrt(2 pi T / q) with q = 1'Q1, b = 1'Q lam, both sums of T terms.
    ``ZeroSumNormal`` would be wrong here: it has the covariance of independent months.
    """
    months = value.shape[-1]
    start = 1 - phi**2
    step = value[..., 1:] - phi * value[..., :-1]
    squares = start * value[..., 0] ** 2 + pt.sum(step**2, axis=-1)
    q = start + (months - 1) * (1 - phi) ** 2
    b = start * value[..., 0] + (1 - phi) * pt.sum(step, axis=-1)
    log_path = (
        -0.5 * (months - 1) * pt.log(2 * np.pi * sigma**2)
        + 0.5 * pt.log(start)
        - 0.5 * (squares - b**2 / q) / sigma**2
    )
    return log_path + 0.5 * pt.log(months / q)


def persistence(name: str) -> TensorVariable:
    """The autocorrelation ``name`` ~ Uniform(-1, 1), which makes the AR(1) stationary."""
    return pm.Uniform(name, -1.0, 1.0)
