"""How long to sample: what a look concludes from chains whose faults are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from oulib import BASELINE, UserError, report
from oulib.posterior.checks import Verdict
from oulib.report import chapter
from oulib.sampling.fit import Sampling
from oulib.sampling.looks import LENGTHS, MCSE, SLACK, Look, look, monte_carlo_error, out_of_reach


def chains(draws: int, *, phi: float = 0.0, count: int = 4, seed: int = 0) -> np.ndarray:
    """Stationary AR(1) chains of unit variance, (chain, draw)."""
    z = np.random.default_rng(seed).standard_normal((count, draws))
    for t in range(1, draws):
        z[:, t] = phi * z[:, t - 1] + np.sqrt(1 - phi**2) * z[:, t]
    return z


def looked(values: np.ndarray, *, diverging: int = 0, depth: int = 3) -> Look:
    rng, shape = np.random.default_rng(1), values.shape
    stats = xr.Dataset(
        {
            "diverging": (("chain", "draw"), np.zeros(shape, dtype=bool)),
            "energy": (("chain", "draw"), rng.standard_normal(shape)),
            "tree_depth": (("chain", "draw"), np.full(shape, depth)),
        }
    )
    stats["diverging"][0, :diverging] = True
    posterior = xr.Dataset(
        {
            "mu_alpha": (("chain", "draw"), rng.standard_normal(shape)),
            "mu_beta": (("chain", "draw"), values),
        }
    )
    return look(posterior, stats, BASELINE)


def test_good_chains_are_enough_at_once():
    found = looked(chains(500))
    assert (found.draws, found.outcome, found.failed) == (500, "enough", ())
    assert found.values["r_hat"] < 1.01
    assert found.values["divergences"] == 0


def test_slow_chains_go_on():
    """An autocorrelation of 0.95 leaves about one effective draw in forty."""
    assert looked(chains(1000, phi=0.95)).outcome == "more"
    assert "ess_bulk" in looked(chains(1000, phi=0.95)).failed
    assert looked(chains(4000, phi=0.8)).outcome == "enough"


def test_a_near_miss_of_r_hat_goes_on():
    values = chains(1000)
    values[0] += 0.36
    found = looked(values)
    assert 1.01 < found.values["r_hat"] < 1.02
    assert "r_hat" in found.failed
    assert set(found.failed) <= {"r_hat", "ess_bulk", "ess_tail", "mcse"}
    assert found.outcome == "more"


def test_what_must_not_happen_ends_it_at_once():
    assert looked(chains(500), diverging=1).outcome == "in vain"
    assert looked(chains(500), diverging=1).failed == ("divergences",)
    assert looked(chains(500), depth=10).failed == ("tree_depth",)
    assert looked(chains(500), depth=10).outcome == "in vain"


def test_two_modes_end_it_at_the_second_length():
    for draws, outcome in ((LENGTHS[0], "more"), (LENGTHS[1], "in vain")):
        values = chains(draws)
        values[:2] += 6
        assert looked(values).outcome == outcome
    values[0] -= 6  # one chain in another mode
    assert looked(values).outcome == "in vain"


def test_draws_that_are_not_numbers_are_not_enough():
    values = chains(1000)
    values[1, 7] = np.nan
    found = looked(values)
    assert found.outcome == "in vain"
    assert found.values["mcse"] == np.inf


def test_the_monte_carlo_error_decides_where_the_gate_passes():
    """Two chains may have 200 effective draws; the error of their means is 7% of an sd."""
    values = chains(500, phi=0.5, count=2, seed=3)
    found = looked(values)
    assert found.failed == ("mcse",)
    assert found.outcome == "more"
    # An AR(1) chain has (1 - phi) / (1 + phi) effective draws a draw.
    assert found.values["mcse"] == pytest.approx(np.sqrt(3 / 1000), rel=0.2)
    assert found.values["mcse"] > MCSE


def test_monte_carlo_error_of_a_table():
    table = pd.DataFrame({"mcse_mean": [0.1, 0.3], "sd": [1.0, 10.0]})
    assert monte_carlo_error(table) == 0.1
    assert monte_carlo_error(table.assign(sd=[0.0, 10.0])) == np.inf
    assert monte_carlo_error(table.assign(mcse_mean=[np.nan, 0.1])) == np.inf


def test_what_is_out_of_reach():
    longest, needed = LENGTHS[-1], 400.0
    assert not out_of_reach(1.0, LENGTHS[0], needed)  # chains may not have met yet
    for draws in LENGTHS[1:]:
        edge = needed * draws / longest / SLACK
        assert out_of_reach(edge - 1, draws, needed)
        assert not out_of_reach(edge + 1, draws, needed)


def test_only_one_text_stands_for_a_number():
    with pytest.raises(UserError, match="whole number"):
        Sampling(draws="many")
    assert Sampling(draws=7).lengths == (7,)
    assert Sampling(draws="auto").lengths == LENGTHS


def test_what_is_said_of_the_length():
    first = Look(draws=500, values={}, failed=("r_hat", "mcse"), outcome="more")
    given = Verdict(model="m", checks=(), draws=300)
    assert report.length(given) == "Each chain has 300 draws."
    one = replace(given, looks=(replace(first, failed=(), outcome="enough"),))
    assert report.length(one) == "Draws per chain: 500 were enough."
    two = replace(one, looks=(first, replace(one.looks[0], draws=1000)))
    assert report.length(two) == (
        "Draws per chain: 500 fell short (R-hat, Monte Carlo error), 1,000 were enough."
    )
    last = replace(given, looks=(replace(first, draws=4000),))
    assert report.length(last).endswith("Monte Carlo error), the most tried.")
    vain = replace(first, failed=("divergences",), outcome="in vain")
    assert "could not help" in report.length(replace(given, looks=(vain,)))
    kept = replace(given, looks=(vain,)).to_dict()
    assert kept["draws"] == 300
    assert kept["looks"][0]["outcome"] == "in vain"


def test_a_page_says_how_long_its_chains_are():
    assert "4 chains of 2,000 draws after" in report.setting(Sampling(draws=2000))
    assert "500 to 4,000 draws, as many as it takes, after" in report.setting(Sampling())


def test_draws_of_a_chapters_lesser_fits():
    assert [chapter.at_most(n, 500) for n in (300, 2000, "auto")] == [300, 500, 500]
    assert [chapter.at_most(n, 500, auto="auto") for n in (300, "auto")] == [300, "auto"]
    assert [chapter.times(n, 0.5) for n in (1, 2000, "auto")] == [1, 1000, "auto"]


def test_what_is_said_of_chains_that_were_drawn_again():
    first = Look(draws=500, values={}, failed=("r_hat",), outcome="caught")
    again = Look(draws=500, values={}, failed=(), outcome="enough", both=3)
    given = Verdict(model="m", checks=(), draws=500, looks=(first, again))
    assert report.length(given) == (
        "Draws per chain: 500 were stuck at one sign of a slope. Where surveys hardly tell the two "
        "signs of a slope apart, chains do not cross from one to the other, so they were drawn "
        "again with both signs as one in 3 units: 500 were enough."
    )


def test_what_is_said_of_shorter_steps():
    first = Look(draws=500, values={}, failed=("divergences",), outcome="in vain")
    again = replace(first, failed=(), outcome="enough", target_accept=0.97)
    given = Verdict(model="m", checks=(), draws=500, looks=(first, again))
    assert report.length(given) == (
        "Draws per chain: 500 fell short (divergences), and more of the same chains could not "
        "help. Shorter steps may follow the density where trajectories diverge, so chains were "
        "drawn again for a target acceptance of 0.97: 500 were enough."
    )
    cut = replace(first, failed=("tree_depth",))
    again = replace(again, target_accept=cut.target_accept, max_depth=12)
    assert report.length(replace(given, looks=(cut, again))).endswith(
        "cut short at 1,024 steps, so chains were drawn again with up to 4,096: 500 were enough."
    )


@pytest.mark.parametrize(
    ("failed", "outcome", "disagree"),
    [
        (("r_hat",), "in vain", True),
        (("r_hat", "mcse"), "more", False),
        (("ess_bulk",), "in vain", False),
        (("r_hat", "divergences"), "in vain", False),  # which both signs would not mend
        ((), "enough", False),
    ],
)
def test_which_chains_are_drawn_again(failed, outcome, disagree):
    assert Look(draws=1000, values={}, failed=failed, outcome=outcome).disagree == disagree
