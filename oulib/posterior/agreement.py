"""Whether a model that somebody typed in plain PyMC is one of this book's.

The book's models have the latent score integrated out and are sampled in coordinates of their own.
A model as one would type it has neither.  So the two are held against each other where they must
be equal whatever the coordinates: in the density of each row's data, given the parameters, and in
the distribution of the parameters before any data.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pymc as pm
from scipy import special, stats

from oulib.model.build import build_model
from oulib.model.draws.names import NAMES
from oulib.panel import Panel
from oulib.posterior.predict import in_python, quiet
from oulib.sampling.fit import Fit

_REACH = 15.0  # scores are looked at from minus to plus this first, in sds of observed scores
_NODES = 151  # on the first pass over that reach, and on each later one over what is left of it
_PASSES = 3
_MOST_LOOKS = 40
_MOST_NODES = 20_000
_SETTLED = 1e-7  # change of a log density under twice as many nodes
_STEP = 0.3  # of the other model's sums, in widths of the row's integrand
_LOST = 36.0  # log density below the peak at which nothing is lost by ending there,
_FADED = 45.0  # and at which a narrower look does: further down, for it may find a lower peak
_LEVEL = 0.001  # how often two sets of draws of one prior may be said to differ
_OF_ROWS = (
    *("alpha", "beta", "lam", "tau", "gamma_x", "mu_x_ou", "sigma_x", "sigma_meas"),
    *("sigma_y", "nu", "rho_0", "rho_x", "rho_ou", "rho_month"),
)  # what a row's density may depend on


@dataclass(frozen=True)
class Agreement:
    """How far a plain model and one of the book's are apart.

    Attributes:
        rows, points: rows compared, at the last draws of that many chains.
        density: the largest difference of a row's log density, the latent score summed out.
        names: parameters that both models have, of which draws of the priors are compared.
        draws: draws of either prior.
        distance: the largest Kolmogorov-Smirnov distance of a quantity between the two priors.
        furthest: the quantity that has it.
        allowed: the distance that two sets of draws from one prior exceed, in any of the
            quantities, at most once in a thousand times.  It is coarse: with 800 draws a prior's
            scale has to be off by a third to go beyond it.
        tolerance: the difference of log densities up to which they count as equal.
    """

    rows: int
    points: int
    density: float
    names: tuple[str, ...]
    draws: int
    distance: float
    furthest: str
    allowed: float
    tolerance: float = 1e-4

    @property
    def same(self) -> bool:
        """Whether nothing tells the two models apart."""
        return self.density <= self.tolerance and self.distance <= self.allowed  # NaN is not


def agreement(plain: pm.Model, fit: Fit, *, draws: int = 800, seed: int = 0) -> Agreement:
    """Hold a plain PyMC model of a fit's panel against the model that was fitted.

    The plain model has the latent score as ``x_star``, a variable over the panel's rows, the
    observed nodes ``survey`` (rows with a survey), ``productivity`` (all rows) and, where planned
    rows have one, ``responded``; and the parameters under the names of the book.

    Raises:
        ValueError: the plain model lacks a variable that the rows of the other depend on.
    """
    # With more nodes than it is sampled with: the question is which model, and how well a row's sum
    # is done at a fit's draws is another, which the gate asks.
    ours = build_model(fit.panel, fit.spec.but(latent="integrated", step=_STEP))
    names = [name for name in NAMES if name in plain.named_vars and name in ours.named_vars]
    if missing := [name for name in _OF_ROWS if name in ours.named_vars and name not in names]:
        raise ValueError(f"The plain model has no {', '.join(missing)}.")
    of_rows = [name for name in _OF_ROWS if name in names]
    ends = fit.posterior[of_rows].isel(draw=-1).transpose("chain", ...)
    with quiet(), in_python():
        summed, given = by_grid(plain, fit.panel, of_rows), rows(ours, fit.panel, of_rows)
        gaps = []
        for k in range(ends.sizes["chain"]):
            at = {name: ends[name].to_numpy()[k] for name in of_rows}
            gaps.append(np.abs(summed(at) - given(at)))
        one, other = (
            quantities(_drawn(model, names, draws, seed + k))
            for k, model in enumerate((plain, ours))
        )
    distances = {label: float(stats.ks_2samp(one[label], other[label])[0]) for label in one}
    furthest = max(distances, key=distances.__getitem__)
    return Agreement(
        rows=fit.panel.rows.sizes["row"],
        points=len(gaps),
        density=float(np.max(gaps)),  # not a number, if any of them is not
        names=tuple(names),
        draws=draws,
        distance=distances[furthest],
        furthest=furthest,
        # The tail of Kolmogorov's distribution, shared out over the quantities (Bonferroni).
        allowed=float(special.kolmogi(_LEVEL / len(distances)) * np.sqrt(2 / draws)),
    )


def by_grid(
    plain: pm.Model, panel: Panel, names: Sequence[str]
) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """A function of parameters: log density of each row's data, ``x_star`` summed out, (row).

    All rows' scores are put at a node of their own grids at once; what the density of each row is
    there, PyMC says.  The grid is a wide one first, then as wide as the row's own peak, and then
    finer until its sum has settled; NaN where it does not.
    """
    fixed, joint = _given(plain, names), ("x_star", *_observed(plain))
    density = pm.compile(
        inputs=[fixed.rvs_to_values[fixed["x_star"]]],
        outputs=fixed.logp([fixed[name] for name in joint], sum=False),
        on_unused_input="ignore",
    )

    def on(low: np.ndarray, high: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Log densities on even grids of the rows' own, (node, row), and the steps, (row)."""
        nodes = np.linspace(low, high, count)
        found = [_by_row(panel, dict(zip(joint, density(x), strict=True))) for x in nodes]
        return np.stack(found), nodes[1] - nodes[0]

    @np.errstate(invalid="ignore")  # a row that has no density anywhere comes out as NaN
    def at(values: dict[str, np.ndarray]) -> np.ndarray:
        pm.set_data(values, model=fixed)
        low, high = (np.full(panel.rows.sizes["row"], edge) for edge in (-_REACH, _REACH))
        passes = 0
        for _ in range(_MOST_LOOKS):
            found, step = on(low, high, _NODES)
            below = found.max(axis=0) - found
            outside = np.minimum(below[0], below[-1]) < _LOST
            if outside.any():  # an outcome that would take a score beyond what was looked at
                more = np.where(outside, high - low, 0.0)
                low, high = low - more, high + more
                continue
            seen = below < _FADED
            first, last = seen.argmax(axis=0), _NODES - 1 - seen[::-1].argmax(axis=0)
            low, high = low + (first - 1) * step, low + (last + 1) * step
            passes += 1
            if passes == _PASSES:
                break
        # A heavy tail is wide and its peak narrow, so the grid is made finer until nothing changes.
        count, before = _NODES, np.full_like(low, np.nan)
        while passes == _PASSES and count <= _MOST_NODES:
            found, step = on(low, high, count)
            total = special.logsumexp(found, axis=0) + np.log(step)
            if np.abs(total - before).max() < _SETTLED:
                return total
            count, before = 2 * count - 1, total
        return np.full_like(low, np.nan)  # a row that cannot be summed like this

    return at


def rows(
    model: pm.Model, panel: Panel, names: Sequence[str]
) -> Callable[[dict[str, np.ndarray]], np.ndarray]:
    """A function of parameters: log density of each row's data in a model of the book, (row)."""
    fixed, observed = _given(model, names), _observed(model)
    density = pm.compile(
        inputs=[],
        outputs=fixed.logp([fixed[name] for name in observed], sum=False),
        on_unused_input="ignore",
    )

    def at(values: dict[str, np.ndarray]) -> np.ndarray:
        pm.set_data(values, model=fixed)
        return _by_row(panel, dict(zip(observed, density(), strict=True)))

    return at


def quantities(values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Numbers that draws (draw, ...) are compared by, (draw) each.

    Every scalar and the first two elements of what has several, with their difference, which
    tells how neighbours hang together; and the product of an OU's intercept and slope.
    """
    found = {}
    for name, value in values.items():
        flat = value.reshape(len(value), -1)
        if name.startswith("corr"):
            found[name] = flat[:, 1]  # the ends of the diagonal are 1
        elif flat.shape[1] == 1:
            found[name] = flat[:, 0]
        else:
            found |= {f"{name}, first": flat[:, 0], f"{name}, second": flat[:, 1]}
            found[f"{name}, second less first"] = flat[:, 1] - flat[:, 0]
    if {"alpha", "beta"} <= values.keys():
        found["alpha times beta"] = values["alpha"][:, 0] * values["beta"][:, 0]
    return found


def _observed(model: pm.Model) -> tuple[str, ...]:
    return tuple(variable.name for variable in model.observed_RVs)


def _given(model: pm.Model, names: Sequence[str]) -> pm.Model:
    """The model with the named variables as data, so that it is about its rows alone."""
    start = dict(zip(names, pm.draw([model[name] for name in names], random_seed=0), strict=True))
    return pm.do(model, start)


def _drawn(model: pm.Model, names: Sequence[str], draws: int, seed: int) -> dict[str, np.ndarray]:
    found = pm.draw([model[name] for name in names], draws=draws, random_seed=seed)
    return dict(zip(names, map(np.asarray, found), strict=True))


def _by_row(panel: Panel, parts: dict[str, np.ndarray]) -> np.ndarray:
    """The sum over a row of the parts' log densities, (row)."""
    where = {"survey": panel.survey_rows, "responded": panel.scheduled_rows}
    total = np.zeros(panel.rows.sizes["row"])
    for name, value in parts.items():
        total[where.get(name, slice(None))] += value
    return total
