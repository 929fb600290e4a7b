"""Month effects: their coordinates, and months of which nobody saw anything."""

import arviz as az
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from conftest import SMALL

from oulib.model import months
from oulib.model.spec import BASELINE
from oulib.panel.simulate import simulate
from oulib.sampling.fit import fit

CALENDAR = [f"2024-{month:02}" for month in range(1, 8)]


SEEN = {
    "all": None,
    "all but the last": [0, 1, 2, 3, 4, 5],
    "some": [1, 2, 5],
    "one": [3],
    "none": [],
}


@pytest.mark.parametrize("seen", SEEN.values(), ids=SEEN)
def test_independent_effects_are_those_of_pymc(seen: list[int] | None):
    """The density over what is sampled, and that this is all vectors that sum to zero."""
    value = np.random.default_rng(1).standard_normal(len(CALENDAR) - 1)
    at = None if seen is None else np.array(seen, dtype=int)
    with pm.Model(coords={"month": CALENDAR}) as ours:
        months.add_iid("lam", seen=at)
    with pm.Model(coords={"month": CALENDAR}) as theirs:
        pm.ZeroSumNormal("lam", sigma=1.0, dims="month")
    (name,) = (variable.name for variable in ours.value_vars)
    (other,) = (variable.name for variable in theirs.value_vars)
    density = ours.compile_logp()({name: value})
    assert density == pytest.approx(theirs.compile_logp()({other: value}))
    backward = ours.compile_fn(ours.replace_rvs_by_values([ours["lam"]]), inputs=ours.value_vars)
    columns = np.array([backward({name: one})[0] for one in np.eye(value.size)]).T
    np.testing.assert_allclose(columns.T @ columns, np.eye(value.size), atol=1e-12)
    np.testing.assert_allclose(columns.sum(axis=0), 0, atol=1e-12)
    drawn = pm.draw(ours["lam"], draws=4000, random_seed=2)
    np.testing.assert_allclose(drawn.sum(axis=1), 0, atol=1e-12)
    expected = np.eye(len(CALENDAR)) - 1 / len(CALENDAR)
    np.testing.assert_allclose(np.cov(drawn.T), expected, atol=0.08)
    transform = ours.rvs_to_transforms[ours["lam"]]
    there = transform.forward(pt.constant(columns @ value), *ours["lam"].owner.inputs[-4:])
    np.testing.assert_allclose(there.eval(), value, atol=1e-12)


def test_what_was_not_seen_moves_no_difference_between_what_was():
    seen = np.array([1, 2, 5])
    with pm.Model(coords={"month": CALENDAR}) as model:
        months.add_iid("lam", seen=seen)
    transform, inputs = model.rvs_to_transforms[model["lam"]], model["lam"].owner.inputs[-4:]
    columns = np.array([transform.backward(pt.constant(one), *inputs).eval() for one in np.eye(6)])
    unseen, other = columns[:4], columns[4:]  # in this order
    np.testing.assert_allclose(np.ptp(unseen[:, seen], axis=1), 0, atol=1e-12)
    np.testing.assert_allclose(np.delete(other, seen, axis=1), 0, atol=1e-12)


def test_a_month_without_outcomes_is_sampled_as_well_as_any():
    """It may be anything, and moves the effects of all others: that must cost nothing.

    With coordinates that the last month shifts, and levels that go along, its effective sample
    size was 222 of 16,000.
    """
    panel = simulate("baseline", n_ou=20, n_site=2, n_month=20, wave_every=4, seed=2)
    month = panel.rows["month_idx"].to_numpy()
    fitted = fit(panel.select_rows(np.flatnonzero(month < 19)), BASELINE, SMALL)
    lam = fitted.posterior["lam"]
    assert float(lam[..., -1].std()) == pytest.approx(1, rel=0.25)
    assert az.ess(lam[..., -1].transpose("chain", "draw").to_numpy()) > 200  # of 600
