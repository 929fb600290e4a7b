"""Hierarchical Bayesian models of operating units' productivity and their survey scores."""

from oulib.checks import check
from oulib.compare import compare
from oulib.effects import effects
from oulib.errors import UserError
from oulib.fit import Fit, Sampling, fit
from oulib.latent import recover_latent
from oulib.model import build_model
from oulib.panel import Panel, read_panel
from oulib.simulate import simulate
from oulib.spec import (
    AR1,
    BASELINE,
    LADDER,
    MODELS,
    ROBUST,
    SITE,
    STUDENT_T,
    UPGRADED,
    ModelSpec,
    Priors,
)

__all__ = [
    "AR1",
    "BASELINE",
    "LADDER",
    "MODELS",
    "ROBUST",
    "SITE",
    "STUDENT_T",
    "UPGRADED",
    "Fit",
    "ModelSpec",
    "Panel",
    "Priors",
    "Sampling",
    "UserError",
    "build_model",
    "check",
    "compare",
    "effects",
    "fit",
    "read_panel",
    "recover_latent",
    "simulate",
]
