"""A model that cannot describe a part of a large panel is not fitted to all of it."""

import numpy as np
import pandas as pd
import pytest

import oulib
from oulib import report
from oulib.panel import Panel
from oulib.posterior import pilot
from oulib.posterior.adequacy import PERSISTENCE
from oulib.report import chapter
from oulib.sampling.fit import Fit, Sampling

SIZE = {"n_ou": 70, "n_site": 7, "n_month": 30, "wave_every": 6}
SHORT = Sampling(seed=1)


@pytest.fixture(scope="module")
def clean() -> Panel:
    return oulib.simulate("baseline", **SIZE, seed=3)


@pytest.fixture(scope="module")
def lasting() -> Panel:
    return oulib.simulate("baseline", **SIZE, seed=3, phi_u=0.9, sigma_u=0.3)


def test_a_part_is_some_units_of_a_large_panel(clean: Panel):
    part = pilot.part(clean, 1)
    assert part is not None
    assert len(part.ous) == round(pilot.ROWS / 30)
    assert {*part.ous} < {*clean.ous}
    assert part.truth is None
    again, other = pilot.part(clean, 1), pilot.part(clean, 2)
    assert again is not None
    assert again.fingerprint == part.fingerprint
    assert other is not None
    assert other.ous != part.ous
    first = part.ous[0]
    own = [
        panel.rows["productivity"].to_numpy()[
            panel.rows["ou_idx"].to_numpy() == panel.ous.index(first)
        ]
        for panel in (part, clean)
    ]
    np.testing.assert_array_equal(*own)


def test_a_small_panel_is_asked_as_a_whole(clean: Panel):
    rows = np.flatnonzero(clean.rows["ou_idx"].to_numpy() < 60)
    assert pilot.part(clean.select_rows(rows), 1) is None
    few = oulib.simulate("baseline", n_ou=30, n_site=3, n_month=120, wave_every=6, seed=1)
    assert pilot.part(few, 1) is None


def test_what_a_part_has_and_a_model_has_not_gives_it_up(clean: Panel, lasting: Panel):
    assert pilot.given_up(clean, oulib.BASELINE, SHORT) is None
    verdict = pilot.given_up(lasting, oulib.BASELINE, SHORT)
    assert verdict is not None
    assert verdict.part == round(pilot.ROWS / 30)
    assert PERSISTENCE in {check.name for check in verdict.failed}
    assert all(check.value == 0 for check in verdict.failed)
    assert not verdict.sampled
    # A chapter that looks for a conclusion does not fit such a model to the whole panel.
    page = chapter.Chapter(lasting, SHORT)
    found = page.ask(oulib.BASELINE)
    assert not isinstance(found, Fit)
    assert chapter.judge(found) == verdict
    assert "months that hang together" in report.of_a_part(verdict)
    assert page.licensed(["baseline"]) == (None, [verdict])


def test_a_part_that_a_model_cannot_be_fitted_to_gives_nothing_up(lasting: Panel):
    part = pilot.part(lasting, SHORT.seed)
    assert part is not None
    alone = next(ou for ou in lasting.ous if ou not in part.ous)  # the only one with surveys
    frame = lasting.to_frame()
    frame.loc[frame["ou"] != alone, ["survey", "respondents"]] = [np.nan, 0]
    frame["month"] = pd.to_datetime(frame["month"])
    assert pilot.given_up(Panel.from_frame(frame), oulib.BASELINE, SHORT) is None
