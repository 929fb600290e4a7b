"""Hierarchical Bayesian models of operating units' productivity and their survey scores.

What is offered here is imported when it is first asked for: help and refusals need no PyTensor.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from oulib.files import settle

settle()  # before any library looks for a home

if TYPE_CHECKING:
    from oulib.errors import UserError
    from oulib.model.build import build_model
    from oulib.model.spec import (
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
    from oulib.panel import Panel, read_panel
    from oulib.panel.simulate import simulate
    from oulib.posterior.checks import check
    from oulib.posterior.compare import compare
    from oulib.posterior.effects import effects
    from oulib.posterior.latent import recover_latent
    from oulib.sampling.fit import Fit, Sampling, fit

_FROM = {
    "AR1": "model.spec",
    "BASELINE": "model.spec",
    "Fit": "sampling.fit",
    "LADDER": "model.spec",
    "MODELS": "model.spec",
    "ModelSpec": "model.spec",
    "Panel": "panel",
    "Priors": "model.spec",
    "ROBUST": "model.spec",
    "SITE": "model.spec",
    "STUDENT_T": "model.spec",
    "Sampling": "sampling.fit",
    "UPGRADED": "model.spec",
    "UserError": "errors",
    "build_model": "model.build",
    "check": "posterior.checks",
    "compare": "posterior.compare",
    "effects": "posterior.effects",
    "fit": "sampling.fit",
    "read_panel": "panel",
    "recover_latent": "posterior.latent",
    "simulate": "panel.simulate",
}
"""The module of each name, as the imports above have it."""

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


def __getattr__(name: str) -> Any:
    if name not in _FROM:
        raise AttributeError(f"module 'oulib' has no attribute {name!r}")
    value = getattr(import_module(f"oulib.{_FROM[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_FROM})
