"""Both signs of an OU's slope: what is sampled so that chains caught in one can leave it.

In rows without a survey the outcome has the variance sigma_y^2 + beta_g^2 sigma_x^2, which does not
know the slope's sign; that is left to a few rows with one.  So the density of an OU's data has two
peaks, near b and -b, and a barrier at 0 between them, which chains do not cross in either
direction.  An OU that started on the wrong side stays there, and drags ``mu_beta`` and ``sigma_y``
with it.

Let p(z) be all that depends on the OU's slope, beta_g = mu + sigma z, with its level where it is,
and F the reflection beta_g -> -beta_g, which keeps volumes: F z = z - 2 beta_g / sigma.  (Where the
slope is centred by a degree c, sigma is sigma^(1 - c) there, and all else the same.)  What is
sampled is

    p(z) + leak p(F z),

equation (2.11) (``eq-signs``), of which an orbit {z, F z} has the mass (1 + leak) (p(z) + p(F z)):
for any ``leak`` that of the model, but for a constant.  Within an orbit the sign is drawn as the
model has it, F z with probability p(F z) / (p(z) + p(F z)), when a draw is stored.  So the draws
are the model's, and a chain on the wrong side of a barrier is not: it sees the right one from
there.

With ``leak`` 1 a chain would spend half its time on the side that the prior of z does not centre,
where sigma moves slopes by too much; ``LEAK`` lets it there rarely.  That is still too often where
sigma may be near zero: small panels whose slopes hardly differ got a few divergences, and chains
agreed on them without it.  So :func:`oulib.fit` begins with the density as it is, and turns to this
one where chains disagree.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pymc as pm
import pytensor.tensor as pt
from pytensor.graph import clone_replace
from pytensor.graph.traversal import ancestors
from pytensor.tensor import TensorVariable

from oulib.model.kernel_op import by_group, total
from oulib.model.sign_kernels import by_ou, either, turned

LEAK = 0.01
"""Weight of the other sign while sampling."""

_OWN = ("beta_raw", "level_ou", "trend_raw")
"""Variables of an OU whose densities depend on its slope, besides its outcomes."""


@dataclass(frozen=True)
class Signs:
    """What a model's density is to be sampled as, and its draws stored as.

    ``rest`` is the log density of what does not depend on any OU's slope; ``here`` and
    ``mirrored`` are those of the rest, by OU, at a slope and at its negative; ``z`` the value of
    ``beta_raw``, ``other`` what it is at the negative, ``level`` the OUs' levels.
    """

    rest: TensorVariable
    here: TensorVariable
    mirrored: TensorVariable
    z: TensorVariable
    other: TensorVariable
    level: TensorVariable

    @property
    def log_density(self) -> TensorVariable:
        """What is sampled."""
        return self.rest + either(self.here, self.mirrored, LEAK).sum()

    def drawn(self, expressions: Sequence[TensorVariable]) -> list[TensorVariable]:
        """``expressions`` of a draw's values, with the signs that are drawn for it.

        Those that depend on slopes must be arrays over OUs.
        """
        turn = turned(self.here, self.mirrored, self.z, self.level) > 0.5
        return [
            pt.switch(turn, clone_replace(each, {self.z: self.other}), each)
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
    return Signs(sum(map(total, rest)), here, mirrored, z, other, level)


def log_density(model: pm.Model, *, both: bool) -> TensorVariable:
    """The log density of ``model`` in its values: as it is, or with both signs as one."""
    if both and (found := signs(model)) is not None:
        return found.log_density
    return sum(map(total, model.logp(sum=False)))


def stored(
    model: pm.Model, expressions: Sequence[TensorVariable], *, both: bool
) -> list[TensorVariable]:
    """``expressions`` of the model's values, as a draw of :func:`log_density` stores them."""
    if both and (found := signs(model)) is not None:
        return found.drawn(expressions)
    return [*expressions]
