"""What a model is made of: a frozen value of switches and priors, with no data in it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Latent = Literal["integrated", "explicit", "explicit_informed"]
Geometry = Literal["level", "noncentred"]


@dataclass(frozen=True, kw_only=True)
class Priors:
    """Prior scales, on the standardised scale; the specification's values are the defaults.

    Each is the standard deviation of a normal or the scale of a half-normal distribution, except
    ``gamma_x``, which is the fixed size of the survey's month effects, and ``lkj_eta``, the
    concentration of the LKJ prior on correlations.
    """

    mu_alpha: float = 1.0
    mu_beta: float = 0.5
    sigma_ou: float = 1.0
    lkj_eta: float = 2.0
    mu_x: float = 1.0
    sigma_mu_x: float = 1.0
    sigma_x: float = 1.0
    sigma_meas: float = 1.0
    sigma_y: float = 0.5
    gamma_x: float = 0.2


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """One model of the ladder, as a value.

    Attributes:
        name: what the model is called in tables, files and on the command line.
        latent: how the latent score x* is treated.  ``"integrated"`` sums it out of the
            likelihood; ``"explicit"`` samples it row by row as the specification writes it;
            ``"explicit_informed"`` samples it around what the row's own survey says.
        geometry: coordinates of the OU effects.  ``"level"`` samples an OU's expected outcome at
            its own mean score, centred, and its slope non-centred; ``"noncentred"`` is the
            specification's ``z @ L.T``.  The prior is the same.
        priors: prior scales.
    """

    name: str = "baseline"
    latent: Latent = "integrated"
    geometry: Geometry = "level"
    priors: Priors = field(default_factory=Priors)

    def but(self, **changes: Any) -> ModelSpec:
        """A copy with some switches changed: ``BASELINE.but(latent="explicit")``."""
        return replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """The switches and priors as plain values, for a cache key or a file."""
        return asdict(self)


BASELINE = ModelSpec()

LADDER: tuple[ModelSpec, ...] = (BASELINE,)
"""The models in the order of the book, each one upgrade above the one before."""

MODELS: dict[str, ModelSpec] = {spec.name: spec for spec in LADDER}
"""The named models, as the command line knows them."""
