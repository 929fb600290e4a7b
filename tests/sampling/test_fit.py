"""Fits: the same question has one answer, it is kept, and nothing half-written is."""

from __future__ import annotations

import _thread
import importlib
import json
import signal
import threading
from dataclasses import asdict, replace

import numpy as np
import nutpie
import pymc as pm
import pytest
import xarray as xr
from conftest import DRAWS, INTEGRATED, frame_of

from oulib import Panel, Priors, Sampling, UserError, check, fit
from oulib.sampling import cache
from oulib.sampling.fit import fit_key
from oulib.sampling.looks import LENGTHS, Look


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("OULIB_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def files(folder):
    """Names of what was written; the empty files of locks stay, because removing them is a race."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(path.name for path in found if path.parent.name != "locks")


def tree_of(values):
    return xr.DataTree.from_dict({"posterior": xr.Dataset({"a": ("draw", np.asarray(values))})})


# One real fit more, in a cache of its own.


@pytest.fixture(scope="module")
def again(fitted, tmp_path_factory):
    """The question of ``fitted`` asked elsewhere, where half a file lies in the way."""
    folder = tmp_path_factory.mktemp("elsewhere")
    whole = (cache.cache_dir() / "fits" / f"{fitted.key}.nc").read_bytes()
    (folder / "fits").mkdir()
    half = folder / "fits" / f"{fitted.key}.nc"
    half.write_bytes(whole[: len(whole) // 2])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OULIB_CACHE", str(folder))
        return fit(fitted.panel, fitted.spec, fitted.sampling), half


def test_same_question_same_draws(fitted, again):
    recomputed, _ = again
    assert recomputed.tree.attrs["sample_seconds"] != fitted.tree.attrs["sample_seconds"]
    for group in ("posterior", "observed_data"):
        xr.testing.assert_identical(
            recomputed.tree[group].to_dataset().drop_attrs(),
            fitted.tree[group].to_dataset().drop_attrs(),
        )
    for name in ("diverging", "energy", "n_steps"):
        assert recomputed.tree["sample_stats"][name].equals(fitted.tree["sample_stats"][name])


def test_half_a_file_is_computed_again(again):
    _, file = again
    assert files(file.parent) == [file.name]
    with xr.open_datatree(file) as tree:
        assert tree["posterior"].sizes["draw"] == DRAWS


def test_second_call_fetches(fitted):
    file = cache.cache_dir() / "fits" / f"{fitted.key}.nc"
    before = file.stat().st_ino  # whoever writes it puts another file in its place
    fetched = fit(fitted.panel, fitted.spec, fitted.sampling)
    assert file.stat().st_ino == before
    assert fetched.seconds == fitted.seconds  # of the run that computed it
    assert fetched.tree.attrs == fitted.tree.attrs
    xr.testing.assert_identical(fetched.posterior, fitted.posterior)


def test_draws_have_the_designs_names_and_labels(fitted, panel):
    posterior = fitted.posterior
    assert posterior.sizes["chain"] == 4
    assert posterior.sizes["draw"] == DRAWS
    assert posterior["alpha"].dims == ("chain", "draw", "ou")
    assert posterior["lam"].dims == ("chain", "draw", "month")
    assert posterior["ou"].to_numpy().tolist() == list(panel.ous)
    assert posterior["month"].to_numpy().tolist() == list(panel.months)
    assert posterior["effect"].to_numpy().tolist() == ["alpha", "beta"]
    observed = fitted.tree["observed_data"]["productivity"].to_numpy()
    np.testing.assert_array_equal(observed, panel.rows["y"])


def test_attributes_record_the_question(fitted, panel):
    attrs = fitted.tree.attrs
    assert attrs["model"] == "baseline"
    assert attrs["panel"] == panel.fingerprint
    assert json.loads(attrs["spec"]) == INTEGRATED.to_dict()
    assert json.loads(attrs["sampling"]) == asdict(fitted.sampling)
    assert json.loads(attrs["standardisation"]) == asdict(panel.scale)
    assert json.loads(attrs["versions"])["pymc"] == pm.__version__
    assert fitted.seconds["sample"] > 0


def test_another_seed_gives_other_draws(fitted, informed):
    assert fit_key(fitted.panel, fitted.spec, Sampling(seed=2)) != fitted.key
    assert not fitted.posterior["mu_beta"].equals(informed.posterior["mu_beta"])


# As many draws as it takes.


@pytest.fixture(scope="module")
def auto(fitted):
    """The question of ``fitted`` with the number of draws left open, and another seed.

    Chains that are caught in a sign begin again, sooner or later as their length has it: not here.
    """
    open_ = replace(fitted.sampling, draws="auto", seed=2, signs="one")
    return fit(fitted.panel, fitted.spec, open_)


def same_draws(one, other, draws):
    for group in ("posterior", "sample_stats"):
        mine, theirs = (f.tree[group].to_dataset().isel(draw=slice(draws)) for f in (one, other))
        assert set(mine) == set(theirs)
        for name in mine:
            np.testing.assert_array_equal(mine[name], theirs[name], err_msg=name)


def test_sampling_ends_at_the_first_length_that_suffices(auto):
    assert tuple(look.draws for look in auto.looks) == LENGTHS[: len(auto.looks)]
    assert [look.outcome for look in auto.looks] == ["more"] * (len(auto.looks) - 1) + ["enough"]
    assert all(look.failed for look in auto.looks[:-1])
    for group in ("posterior", "sample_stats"):
        assert auto.tree[group].sizes["draw"] == auto.looks[-1].draws < LENGTHS[-1]
    verdict = check(auto)
    assert verdict.passed
    assert verdict.looks == auto.looks
    assert verdict.draws == auto.looks[-1].draws
    seen = auto.looks[-1].values
    assert all(seen[one.name] == one.value for one in verdict.checks if one.name != "signs")


def test_a_fit_of_a_given_length_was_not_looked_at(fitted):
    assert fitted.looks == ()
    assert check(fitted).draws == DRAWS


@pytest.mark.parametrize("draws", [400, LENGTHS[-1]])
def test_the_draws_are_the_first_of_longer_chains(auto, draws):
    given = fit(auto.panel, auto.spec, replace(auto.sampling, draws=draws))
    same_draws(auto, given, min(auto.looks[-1].draws, draws))


def test_looking_leaves_no_trace_in_the_draws(auto, empty_cache, monkeypatch):
    """Whatever the timing, and whatever the variable says."""
    monkeypatch.setenv("OULIB_CORES", "1")
    again = fit(auto.panel, auto.spec, auto.sampling)
    assert again.key == auto.key
    assert again.looks == auto.looks
    same_draws(again, auto, None)


def test_draws_do_not_depend_on_the_cores(fitted, empty_cache, monkeypatch):
    monkeypatch.setenv("OULIB_CORES", "1")
    again = fit(fitted.panel, fitted.spec, fitted.sampling)
    assert again.key == fitted.key
    assert again.tree.attrs["sample_seconds"] != fitted.tree.attrs["sample_seconds"]
    same_draws(again, fitted, None)


@pytest.mark.parametrize("cores", ["0", "-1", "two", "1.5"])
def test_cores_must_be_a_whole_number(panel, empty_cache, monkeypatch, cores):
    monkeypatch.setenv("OULIB_CORES", cores)
    with pytest.raises(UserError, match="OULIB_CORES"):
        fit(panel, INTEGRATED, Sampling())
    assert not empty_cache.exists()


def test_sampling_ends_early_where_no_more_draws_would_help(fitted):
    """Long steps after a short warm-up diverge; then shorter ones are tried."""
    careless = {"draws": "auto", "target_accept": 0.3, "tune": 20, "signs": "one"}
    careless = replace(fitted.sampling, **careless)
    found = fit(fitted.panel, fitted.spec, careless)
    first, *later = found.looks
    assert first.outcome == "in vain"
    assert first.diverged
    assert first.draws == LENGTHS[0]
    assert (first.target_accept, later[0].target_accept) == (0.3, 0.97)
    assert found.looks[-1].target_accept in (0.97, 0.99)
    assert json.loads(found.tree.attrs["sampling"])["target_accept"] == 0.3  # what was asked


def test_rarer_signs_count_where_long_chains_fall_short():
    counting = importlib.import_module("oulib.sampling.fit")._counting
    short = Look(draws=LENGTHS[1], values={}, failed=("r_hat",), outcome="more")
    long = replace(short, draws=LENGTHS[2])
    ended = [None, short, replace(long, failed=()), long]
    assert [counting(0.05, one) for one in ended] == [0.05, 0.05, 0.05, 0.02]
    assert counting(0.002, long) == 0.002


def test_trajectories_that_are_cut_short_are_tried_longer(fitted):
    found = fit(fitted.panel, fitted.spec, replace(fitted.sampling, draws="auto", max_depth=2))
    assert found.looks[0].cut
    assert {look.max_depth for look in found.looks} == {2, 4}


def test_chains_of_a_given_length_are_drawn_once(fitted):
    careless = {"draws": 50, "target_accept": 0.3, "tune": 20, "signs": "one"}
    found = fit(fitted.panel, fitted.spec, replace(fitted.sampling, **careless))
    assert found.looks == ()
    assert found.tree["sample_stats"]["diverging"].any()


def test_an_interrupted_fit_is_not_stored(fitted, empty_cache, monkeypatch):
    """nutpie hands out what there is when it is interrupted, which is not what was asked for."""
    began, ended = threading.Event(), threading.Event()
    sample = nutpie.sample

    def beginning(*args, **kwargs):
        began.set()
        return sample(*args, **kwargs)

    def interrupt():
        # While a model is loaded, libraries may let an interruption pass.
        began.wait()
        while not ended.wait(2.0):
            _thread.interrupt_main()

    monkeypatch.setattr(nutpie, "sample", beginning)
    # A process that a script put into the background ignores interruptions.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    alarm = threading.Thread(target=interrupt, daemon=True)
    alarm.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(fitted.panel, fitted.spec, replace(fitted.sampling, draws=1_000_000))
    finally:
        ended.set()
        alarm.join()
        signal.signal(signal.SIGINT, before)
    assert not empty_cache.exists() or files(empty_cache) == []


def test_samplers_that_cannot_go_on_start_again():
    with pm.Model() as model:
        pm.Normal("mu_beta", shape=2)
    sampling = Sampling(sampler="pymc", chains=2, tune=100)
    chains = importlib.import_module("oulib.sampling.fit")._by_pymc(model, sampling, False)
    assert [next(chains)["posterior"].sizes["draw"] for _ in range(2)] == list(LENGTHS[:2])


def test_the_rule_is_part_of_the_question_where_it_decides(panel, tmp_path, monkeypatch):
    module = importlib.import_module("oulib.sampling.fit")
    keys = {}
    for rule in ("LENGTHS = (500,)", "LENGTHS = (600,)"):
        (tmp_path / "looks.py").write_text(rule)
        monkeypatch.setattr(module, "_RULE", (tmp_path / "looks.py",))
        for draws in ("auto", 500):
            keys.setdefault(draws, set()).add(fit_key(panel, INTEGRATED, Sampling(draws=draws)))
    assert (len(keys["auto"]), len(keys[500])) == (2, 1)
    assert not keys["auto"] & keys[500]


SAMPLINGS = (
    {"draws": 7},
    {"tune": 7},
    {"chains": 7},
    {"seed": 7},
    {"target_accept": 0.7},
    {"max_depth": 7},
    {"sampler": "pymc"},
)


def test_key_follows_the_content_of_the_question(panel):
    sampling = Sampling()
    keys = {fit_key(panel, INTEGRATED, sampling)}
    keys |= {fit_key(panel, INTEGRATED, replace(sampling, **change)) for change in SAMPLINGS}
    keys |= {
        fit_key(panel, INTEGRATED.but(**change), sampling)
        for change in ({"latent": "explicit"}, {"geometry": "noncentred"})
    }
    keys |= {
        fit_key(panel, INTEGRATED.but(priors=Priors(**{name: 3.25})), sampling)
        for name in asdict(Priors())
    }
    frame = frame_of(panel)
    frame.loc[3, "productivity"] += 0.01
    keys.add(fit_key(Panel.from_frame(frame), INTEGRATED, sampling))
    assert len(keys) == 1 + len(SAMPLINGS) + 2 + len(asdict(Priors())) + 1


def test_key_ignores_names_and_truth(panel):
    key = fit_key(panel, INTEGRATED, Sampling())
    assert fit_key(panel, INTEGRATED.but(name="other"), Sampling()) == key
    assert fit_key(replace(panel, name="other", truth=None), INTEGRATED, Sampling()) == key


def test_key_follows_libraries_and_code(tmp_path, monkeypatch):
    code = tmp_path / "code"
    code.mkdir()
    (code / "model.py").write_text("a = 1\n")
    keys = [cache.key_of({"a": 1}, (code,))]
    (code / "model.py").write_text("a = 2\n")
    keys.append(cache.key_of({"a": 1}, (code,)))
    monkeypatch.setattr(cache, "versions", lambda: {"pymc": "0"})
    keys.append(cache.key_of({"a": 1}, (code,)))
    assert len(set(keys)) == 3


def test_a_renamed_model_is_not_sampled_again(fitted):
    file = cache.cache_dir() / "fits" / f"{fitted.key}.nc"
    before = file.stat().st_ino  # whoever writes it puts another file in its place
    renamed = fit(fitted.panel, fitted.spec.but(name="mine"), fitted.sampling)
    assert file.stat().st_ino == before
    assert check(renamed).model == "mine"


# The store itself, without a sampler.


def test_fetch_computes_once(empty_cache):
    calls = []

    def compute():
        calls.append(1)
        return tree_of([1.5, np.nan])

    first, path = cache.fetch("fits", "k", compute)
    second, same = cache.fetch("fits", "k", compute)
    assert len(calls) == 1
    assert path == same == empty_cache / "fits" / "k.nc"
    assert files(empty_cache) == ["k.nc"]
    xr.testing.assert_identical(first["posterior"].to_dataset(), second["posterior"].to_dataset())


@pytest.mark.parametrize("left", [0, 1, 100, 2000, -1])
def test_a_damaged_file_is_computed_again(empty_cache, left):
    _, path = cache.fetch("fits", "k", lambda: tree_of(np.arange(500.0)))
    path.write_bytes(path.read_bytes()[:left])
    tree, _ = cache.fetch("fits", "k", lambda: tree_of([7.0]))
    assert tree["posterior"]["a"].to_numpy().tolist() == [7.0]
    kept, _ = cache.fetch("fits", "k", lambda: pytest.fail("not stored"))
    assert kept["posterior"]["a"].to_numpy().tolist() == [7.0]


def test_nothing_is_left_of_a_computation_that_fails(empty_cache):
    def compute():
        raise RuntimeError("the sampler gave up")

    with pytest.raises(RuntimeError, match="gave up"):
        cache.fetch("fits", "k", compute)
    assert not files(empty_cache) if empty_cache.exists() else True


@pytest.mark.parametrize("error", [OSError("disk full"), KeyboardInterrupt()])
def test_nothing_is_left_of_a_write_that_fails(empty_cache, monkeypatch, error):
    def half_write(tree, path, **_):
        path.write_bytes(b"\x89HDF")
        raise error

    monkeypatch.setattr(xr.DataTree, "to_netcdf", half_write)
    with pytest.raises(type(error)):
        cache.fetch("fits", "k", lambda: tree_of([1.0]))
    assert files(empty_cache) == []


def test_a_sampler_that_refuses_leaves_nothing(empty_cache, panel):
    with pytest.raises(Exception, match=r"(?i)sampler"):
        fit(panel, INTEGRATED, Sampling(sampler="no such sampler"))
    assert not empty_cache.exists() or files(empty_cache) == []


def test_where_results_are_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("OULIB_CACHE", str(tmp_path / "a" / ".." / "b"))
    assert cache.cache_dir() == (tmp_path / "b").resolve()
    monkeypatch.delenv("OULIB_CACHE")
    assert cache.cache_dir().name in (".cache", "oulib")
