"""Whether a model can describe a part of a large panel, before it is fitted to all of it.

A model that has no place for something in most OUs cannot hold the licence, however long its chains
are drawn, and it is slow to sample for that very reason.  If it is right of a panel it is right of
any choice of its OUs; so large panels are asked for a few of them first.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from oulib.errors import UserError
from oulib.model.spec import ModelSpec
from oulib.panel import Panel
from oulib.posterior.adequacy import beyond
from oulib.posterior.checks import Verdict
from oulib.sampling.fit import Sampling, fit

ROWS = 1000
"""About so many rows make a part; panels of more than twice as many have one."""

OUS = 20
"""The fewest OUs of a part."""

DRAWS = 500
"""Draws a chain, and as many of warm-up: so few will do, for chains need not agree here."""


def part(panel: Panel, seed: int) -> Panel | None:
    """Some OUs of a large panel, chosen by chance.

    It is a panel of its own: standardised by itself, and without a truth.  None where a panel is
    not large, its OUs are few, or hardly one of those has a survey.
    """
    rows = panel.rows["ou_idx"].to_numpy()
    ous = len(panel.ous)
    wanted = max(round(ROWS * ous / rows.size), OUS)
    if ous <= 2 * wanted:
        return None
    chosen = np.random.default_rng(seed).choice(ous, wanted, replace=False)
    frame = panel.to_frame()
    kept = frame[frame["ou"].isin([panel.ous[place] for place in chosen])]
    if kept["survey"].nunique() < 2:  # too few surveys for a scale of their own
        return None
    return Panel.from_frame(kept.assign(month=pd.to_datetime(kept["month"])), name=panel.name)


def given_up(panel: Panel, spec: ModelSpec, sampling: Sampling) -> Verdict | None:
    """The verdict of a model that cannot describe a part of the panel; None if all are to be asked.

    Its ``part`` is the number of OUs that were asked, its ``adequacy`` what they have that the
    model has no place for.  A model of which :func:`oulib.posterior.adequacy.beyond` finds
    nothing, or that the part is too little for, is not given up.
    """
    try:
        asked = part(panel, sampling.seed)
        if asked is None:
            return None
        short = replace(sampling, draws=DRAWS, tune=DRAWS, signs="one")
        found = beyond(fit(asked, spec, short, progress=False))
    except UserError:
        return None
    if not found:
        return None
    return Verdict(model=spec.name, checks=(), adequacy=found, part=len(asked.ous))
