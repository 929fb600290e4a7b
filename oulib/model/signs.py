"""Both signs of an OU's slope: what is sampled so that chains caught in one can leave it.

In rows without a survey the outcome has the variance sigma_y^2 + beta_g^2 sigma_x^2, which does not
know the slope's sign; that is left to a few rows with one.  So the density of an OU's data has two
peaks, near b and -b, and a barrier at 0 between them, which chains do not cross in either
direction.  An OU that started on the wrong side stays there, and drags ``mu_beta`` and ``sigma_y``
with it; and chains that all started on one side agree, whatever the other is worth.

Let p(z) be all that depends on the OU's slope, with its level where it is, and F the reflection
beta_g -> -beta_g, which keeps volumes.  What is sampled of such an OU is

    p(z) + p(F z),

equation (2.11) (``eq-signs``): each half of an orbit {z, F z} has half of the orbit's mass, so that
it does not matter on which side a chain is.  Within an orbit the sign is drawn as the model has it,
F z with probability p(F z) / (p(z) + p(F z)), when a draw is stored.  So the draws are the model's.

Such slopes are sampled centred, for F is then a change of sign whatever mu and sigma are; in sds
from the mean, a slope on the side that its prior does not centre would have to move whenever those
do.  Nothing is lost by it: an OU whose slope has two peaks is one whose data tell its size.

Which OUs they are is found from draws of the model as it is (:mod:`oulib.model.draws.mirror`), and
is data of the model: ``sign_both`` (ou), with ``beta_centring``.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import xarray as xr
from pytensor.graph import clone_replace
from pytensor.graph.basic import Variable
from pytensor.graph.traversal import ancestors
from pytensor.tensor import TensorVariable

from oulib.model.kernel_op import by_group, total
from oulib.model.sign_kernels import by_ou, either, turned

_OWN = ("beta_raw", "level_ou", "trend_raw")
"""Variables of an OU whose densities depend on its slope, besides its outcomes."""


@dataclass(frozen=True)
class Signs:
    """What a model's density is to be sampled as, and its draws stored as.

    ``rest`` is the log density of what does not depend on any OU's slope; ``here`` and
    ``mirrored`` are those of the rest, by OU, at a slope and at its negative; ``z`` the value of
    ``beta_raw``, ``other`` what it is at the negative, ``level`` the OUs' levels, and ``both`` is 1
    for OUs of which both are sampled as one, (ou).
    """

    rest: TensorVariable
    here: TensorVariable
    mirrored: TensorVariable
    z: TensorVariable
    other: TensorVariable
    level: TensorVariable
    both: TensorVariable

    @property
    def log_density(self) -> TensorVariable:
        """What is sampled."""
        return self.rest + either(self.here, self.mirrored, self.both).sum()

    def drawn(self, expressions: Sequence[TensorVariable]) -> list[TensorVariable]:
        """``expressions`` of a draw's values, with the signs that are drawn for it.

        Those that depend on slopes must be arrays over OUs.
        """
        turn = turned(self.here, self.mirrored, self.z, self.level) > 0.5
        swap: dict[Variable, Variable] = {self.z: self.other}
        return [
            pt.switch(turn, clone_replace(each, swap), each)
            if self.z in ancestors([each])
            else each
            for each in expressions
        ]


def signs(model: pm.Model) -> Signs | None:
    """The two signs of ``model``'s slopes; None where slopes are not sampled one by one.

    That is where OUs' effects are summed out or sampled in the specification's own coordinates, and
    where scores are sampled by row: a slope's negative would want other scores.

    Raises:
        ValueError: something that is not an OU's own depends on its slope.
    """
    if not {"beta_raw", "level_ou", "productivity"} <= set(model.named_vars):
        return None
    if {"x_star", "z_x"} & set(model.named_vars):
        return None
    own = [variable for variable in model.free_RVs if variable.name in _OWN]
    outcome = model["productivity"]
    others = [each for each in model.basic_RVs if each is not outcome and each not in own]
    rest = [*model.logp(vars=[*others, *model.potentials], sum=False)]
    z = model.rvs_to_values[model["beta_raw"]]
    level = model.rvs_to_values[model["level_ou"]]
    if any(z in ancestors([term]) for term in rest):
        raise ValueError("a term that is not an OU's own depends on slopes: signs are not its own")
    rows = model["ou_idx"]
    if "outcome_idx" in model.named_vars:  # some outcomes are left out
        rows = rows[model["outcome_idx"]]
    (of_rows,) = model.logp(vars=[outcome], sum=False)
    sums = by_group(of_rows)
    if sums is None:
        sums = by_ou(of_rows, rows, level)
    here = sum(model.logp(vars=own, sum=False)) + sums
    beta, sigma = model.replace_rvs_by_values([model["beta"], model["sigma_ou"][1]])
    other = z - 2 * beta / sigma ** (1 - model["beta_centring"])
    mirrored = clone_replace(here, {z: other})
    return Signs(_sum(rest), here, mirrored, z, other, level, model["sign_both"])


def log_density(model: pm.Model, *, both: bool) -> TensorVariable:
    """The log density of ``model`` in its values: as it is, or with both signs as one."""
    if both and (found := signs(model)) is not None:
        return found.log_density
    return _sum(model.logp(sum=False))


def _sum(terms: Sequence[TensorVariable]) -> TensorVariable:
    return sum(map(total, terms), start=pt.constant(0))


def stored(
    model: pm.Model, expressions: Sequence[TensorVariable], *, both: bool
) -> list[TensorVariable]:
    """``expressions`` of the model's values, as a draw of :func:`log_density` stores them."""
    if both and (found := signs(model)) is not None:
        return found.drawn(expressions)
    return [*expressions]


def sample_both(model: pm.Model, ous: Collection[str]) -> None:
    """Have both signs of the slopes of ``ous`` sampled as one: data of ``model``, set in place.

    They are centred, so that their other sign is as easy to sample as the one.
    """
    both = np.isin([*model.coords["ou"]], list(ous))
    centring = np.where(both, 1.0, model["beta_centring"].get_value())
    pm.set_data({"sign_both": both.astype(float), "beta_centring": centring}, model=model)


def start_from(model: pm.Model, pilot: xr.Dataset, ous: Collection[str]) -> None:
    """Have chains of ``model`` begin at the slopes of earlier draws, (chain, draw, ...).

    Those of ``ous``, which a chain does not take from one sign to the other, begin on the side of
    ``mu_beta``, and all are centred as far as these draws tell them apart, by the low end of what
    the sd of the slopes may be: near 0 a centred slope makes a funnel.
    """
    labels = [*model.coords["ou"]]
    beta = pilot["beta"].sel(ou=labels)
    if not np.isfinite(beta).all():  # nowhere to begin
        return
    mu = float(pilot["mu_beta"].mean())
    size = abs(beta).mean(("chain", "draw")).to_numpy()
    mean = beta.mean(("chain", "draw")).to_numpy()
    start = np.where(np.isin(labels, list(ous)), np.copysign(size, mu), mean)
    sigma = pilot["sigma_ou"].mean(("chain", "draw")).to_numpy()
    sigma[1] = max(start.std(), 1e-3)
    spread = pilot["sigma_ou"].sel(effect="beta")
    low = min(float(spread.quantile(0.05, "draw").min()), sigma[1])
    own = np.maximum(beta.var("draw").mean("chain").to_numpy(), 1e-12)
    told = np.maximum(1 / own - 1 / float((spread**2).mean()), 0.0) * low**2
    centring = np.maximum(model["beta_centring"].get_value(), told / (1 + told))
    pm.set_data({"beta_centring": centring}, model=model)
    raw = centring * mu + (start - mu) / sigma[1] ** (1 - centring)
    given = {"mu_beta": mu, "sigma_ou": sigma, "beta_raw": raw}
    if "z_site" in model.named_vars:
        given["z_site"] = np.zeros((len(model.coords["site"]), len(model.coords["effect"])))
    for name, value in given.items():
        model.rvs_to_initial_values[model[name]] = value
