"""The order in which the blocks of a model are put together."""

from __future__ import annotations

import pymc as pm
import pytensor

from oulib.errors import UserError
from oulib.model import covariates, groups, outcome, response, survey
from oulib.model.spec import ModelSpec
from oulib.panel import Panel

# Numba compiles our functions and calls SciPy's BLAS.  Only PyMC's draw of an initial point goes
# to the C compiler, which would look for a BLAS to link that tiny function to, find none in a pip
# installation and warn.  It needs none, so it is told to link none.
pytensor.config.blas__ldflags = ""


def build_model(panel: Panel, spec: ModelSpec) -> pm.Model:
    """The PyMC model of ``spec`` for ``panel``; nothing is sampled.

    Observed nodes are ``survey`` (rows with a survey), ``responded`` (planned rows, if the spec
    has a response part) and ``productivity`` (all rows), each a proper conditional density, so
    that ``pm.compute_log_likelihood`` and ``pm.sample_posterior_predictive`` need no help.
    Coordinates: ``ou``, ``site``, ``month``,
    ``effect``, ``row`` and ``survey_row`` (positions in the panel).

    Raises:
        UserError: the switches do not go together, or the panel lacks what one of them needs.
    """
    if problems := spec.problems():
        raise UserError(f"The model {spec.name} cannot be built: {'; '.join(problems)}.")
    coords = {
        "ou": list(panel.ous),
        "site": list(panel.sites),
        "month": list(panel.months),
        "row": panel.rows.get_index("row"),
        "survey_row": panel.survey_rows,
    }
    # Noting where each node of a graph was made would take a third of the time.
    with pytensor.config.change_flags(traceback__limit=0), pm.Model(coords=coords) as model:
        score = survey.add(panel, spec)
        known = covariates.add(panel, spec)
        people = groups.population(panel, spec, score.reliability)
        scale = outcome.scale(spec)
        lam = outcome.months_of(panel, spec, score, people.typical, scale)
        effects = groups.add(panel, spec, score, people, lam, known)
        answers = response.add(panel, spec, score)
        outcome.add(panel, spec, score, effects, lam, scale, answers, known)
    return model
