"""Compiled models: right for panels they were not compiled for; what the store keeps."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numba
import numpy as np
import nutpie
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import xarray as xr
from llvmlite.binding import Linkage
from numba.core.caching import Cache
from numba.core.codegen import CPUCodeLibrary
from numba.core.cpu import CPUContext
from pytensor.compile.mode import Mode
from pytensor.link.numba.dispatch import basic
from scipy import stats

from oulib import BASELINE, LADDER, ROBUST, STUDENT_T, UPGRADED, ModelSpec, Panel, simulate
from oulib.model import signs
from oulib.model.build import build_model
from oulib.model.groups import slope_centring
from oulib.model.months import accumulate
from oulib.sampling import compiled
from oulib.sampling.compiled import compiled_model, model_key
from oulib.sampling.one_piece import one_piece

pytestmark = pytest.mark.filterwarnings("ignore:Numba will use object mode")

LOGP = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_uint64, *[ctypes.c_void_p] * 4)


def small(**size: int) -> Panel:
    return simulate("upgraded", **{"n_ou": 6, "n_site": 2, "n_month": 9, "wave_every": 3} | size)


@pytest.fixture(scope="module")
def first() -> Panel:
    return small(seed=1)


@pytest.fixture(scope="module")
def other() -> Panel:
    """Of other lengths throughout, with gaps."""
    whole = small(n_ou=9, n_site=3, n_month=14, wave_every=4, seed=2)
    return whole.select_rows(np.flatnonzero(np.arange(whole.rows.sizes["row"]) % 7 != 3))


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty store on disk and none in memory."""
    monkeypatch.setenv("OULIB_COMPILED", str(tmp_path))
    held = dict(compiled._LOADED)
    compiled._LOADED.clear()
    yield tmp_path
    compiled._LOADED.clear()
    compiled._LOADED.update(held)


def call(made: compiled.CompiledPyMCModel, at: np.ndarray) -> tuple[float, np.ndarray]:
    """Log density and gradient as nutpie would be told them."""
    gradient, value = np.zeros_like(at), np.zeros(1)
    arrays = (at, gradient, value, made.user_data)
    status = LOGP(made.compiled_logp_func.address)(at.size, *(a.ctypes.data for a in arrays))
    assert status == 0
    return float(value[0]), gradient


# The parts of ``ar1`` and ``site`` are those of the others, and ``student_t``'s of ``upgraded``.
@pytest.mark.parametrize(
    ("spec", "both"),
    [
        *((spec, False) for spec in (BASELINE, UPGRADED, ROBUST)),
        *((spec, True) for spec in (BASELINE, STUDENT_T)),
    ],
    ids=lambda given: getattr(given, "name", "both signs" if given is True else "one sign"),
)
def test_a_panel_it_was_not_compiled_for(
    spec: ModelSpec, both: bool, first: Panel, other: Panel
) -> None:
    """Compiled for one panel, then given another: value and gradient are PyTensor's for that one.

    What both signs of slopes are sampled as is held against PyMC's own by ``test_signs``.
    """
    compiled_model(build_model(first, spec), spec, both=both)
    model = build_model(other, spec)
    entries = len(compiled._LOADED)
    made = compiled_model(model, spec, both=both)
    assert len(compiled._LOADED) == entries
    point = model.initial_point(random_seed=3)
    rng = np.random.default_rng(4)
    point = {name: v + 0.2 * rng.standard_normal(np.shape(v)) for name, v in point.items()}
    at = np.concatenate([np.ravel(point[v.name]) for v in model.value_vars]).astype(float)
    assert at.size == made.n_dim
    value, gradient = call(made, at)
    total = signs.log_density(model, both=both)
    outputs = [total, *pt.grad(total, model.value_vars)]
    plain = model.compile_fn(outputs, inputs=model.value_vars, mode=Mode("py", optimizer=None))
    expected, *slopes = plain(point)
    slopes = np.concatenate([np.ravel(each) for each in slopes])
    assert value == pytest.approx(float(expected), rel=1e-10)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-7, atol=1e-8 * np.abs(slopes).max())


def test_draws_have_the_labels_and_lengths_of_the_panel(first: Panel, other: Panel) -> None:
    compiled_model(build_model(first, BASELINE), BASELINE)
    model = build_model(other, BASELINE)
    made = compiled_model(model, BASELINE)
    tree = nutpie.sample(made, draws=5, tune=20, chains=1, seed=1, progress_bar=False)
    drawn = tree["posterior"].to_dataset()
    assert set(drawn.data_vars) == {variable.name for variable in model.unobserved_RVs}
    assert drawn["beta"]["ou"].to_numpy().tolist() == list(other.ous)
    assert drawn["lam"].sizes["month"] == len(other.months)
    np.testing.assert_allclose(drawn["lam"].sum("month"), 0, atol=1e-10)
    c = xr.DataArray(slope_centring(other), dims="ou")
    sigma = drawn["sigma_ou"].isel(effect=1, drop=True)
    raw = drawn["beta_raw"] - c * drawn["mu_beta"]
    recomputed = drawn["mu_beta"] + sigma ** (1 - c) * raw
    np.testing.assert_allclose(drawn["beta"], recomputed, rtol=1e-12)


# --- keys


def test_keys_tell_models_apart_and_panels_not(first: Panel, other: Panel) -> None:
    def key(panel: Panel, spec: ModelSpec) -> str:
        return model_key(build_model(panel, spec), spec)

    assert key(first, BASELINE) == key(other, BASELINE)
    model = build_model(first, BASELINE)
    assert model_key(model, BASELINE, both=True) != model_key(model, BASELINE)
    assert key(first, BASELINE.but(name="another")) == key(first, BASELINE)
    fixed = UPGRADED.but(rho_x=0.5)
    assert key(first, fixed) == key(other, UPGRADED.but(rho_x=-1.0))
    specs = [
        *(*LADDER, ROBUST, fixed),
        BASELINE.but(priors=replace(BASELINE.priors, sigma_y=0.4)),
        BASELINE.but(priors=replace(BASELINE.priors, lkj_eta=3.0)),
        BASELINE.but(group_scales="half_student_t"),
        BASELINE.but(geometry="noncentred"),
        BASELINE.but(slope="within"),
        UPGRADED.but(step=0.5),
    ]
    assert len({key(first, spec) for spec in specs}) == len(specs)


def tiny(constant: float = 1.0, data: float = 0.5, dim: str = "thing") -> pm.Model:
    with pm.Model(coords={dim: list("abc")}) as model:
        x = pm.Normal("x", constant, 2.0, dims=dim)
        pm.Normal("y", x.sum(), 1.0, observed=pm.Data("seen", data))
    return model


def test_keys_hold_constants_and_operations_and_not_data() -> None:
    def key(model: pm.Model) -> str:
        return model_key(model, BASELINE)

    assert key(tiny()) == key(tiny(data=2.0))
    assert key(tiny()) != key(tiny(constant=1.5))
    with pm.Model(coords={"thing": list("abc")}) as mean:
        x = pm.Normal("x", 1.0, 2.0, dims="thing")
        pm.Normal("y", x.mean(), 1.0, observed=pm.Data("seen", 0.5))
    with pm.Model(coords={"thing": list("abc")}) as scaled:
        x = pm.LogNormal("x", 1.0, 2.0, dims="thing")
        pm.Normal("y", x.sum(), 1.0, observed=pm.Data("seen", 0.5))
    with pm.Model(coords={"thing": list("abc")}) as both:
        x = pm.Normal("x", 1.0, 2.0, dims="thing")
        pm.Potential("more", pt.sum(x**2))
        pm.Normal("y", x.sum(), 1.0, observed=pm.Data("seen", 0.5))
    assert len({key(model) for model in (tiny(), mean, scaled, both)}) == 4


# --- the store


def density(model: pm.Model) -> tuple[float, np.ndarray]:
    return call(compiled_model(model, BASELINE), np.array([0.3, -0.2, 1.0]))


def closed(data: float) -> float:
    x = np.array([0.3, -0.2, 1.0])
    terms = [*(-0.5 * ((x - 1) / 2) ** 2 - np.log(2)), -0.5 * (data - x.sum()) ** 2]
    return sum(terms) - 2 * np.log(2 * np.pi)


def forgotten() -> None:
    compiled._LOADED.clear()


def test_what_is_kept_serves_again(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    value, gradient = density(tiny())
    assert value == pytest.approx(closed(0.5))
    forgotten()
    monkeypatch.setattr(compiled, "_compile", lambda *_: pytest.fail("compiled again"))
    again, slopes = density(tiny())
    assert again == value
    np.testing.assert_array_equal(slopes, gradient)
    assert density(tiny(data=2.0))[0] == pytest.approx(closed(2.0))


@pytest.mark.parametrize("damage", ["cut", "changed", "foreign", "empty"])
def test_what_is_damaged_is_made_again(store: Path, damage: str) -> None:
    density(tiny())
    (entry,) = store.glob("*.model")
    whole = entry.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :]
    content = {"cut": whole[:-100], "changed": flipped, "foreign": b"PK" * 500, "empty": b""}
    entry.write_bytes(content[damage])
    forgotten()
    assert density(tiny())[0] == pytest.approx(closed(0.5))
    assert entry.stat().st_size > middle  # written anew
    assert len(list(store.glob("*.model"))) == 1


def test_what_others_can_write_is_not_read(store: Path) -> None:
    density(tiny())
    (entry,) = store.glob("*.model")
    assert compiled._read(entry) is not None
    entry.chmod(0o666)
    assert compiled._read(entry) is None
    forgotten()
    assert density(tiny())[0] == pytest.approx(closed(0.5))
    assert not entry.stat().st_mode & 0o022  # written anew


def test_keys_hold_settings_of_the_compiler() -> None:
    plain = model_key(tiny(), BASELINE)
    with pytensor.config.change_flags(numba__fastmath=not pytensor.config.numba__fastmath):
        assert model_key(tiny(), BASELINE) != plain


def test_one_compiles_and_the_others_wait(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    real = compiled._compile
    monkeypatch.setattr(compiled, "_compile", lambda *given: made.append(1) or real(*given))
    models = [tiny(), tiny(data=2.0)]
    key = model_key(models[0], BASELINE)
    threads = [
        threading.Thread(target=compiled._fetch, args=(key, model, False)) for model in models
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made == [1]


def test_another_process_finds_it(store: Path, first: Panel) -> None:
    """A fit there compiles nothing, and draws what it draws here."""
    script = (
        "import sys; from oulib import build_model, simulate, BASELINE; import nutpie\n"
        "from oulib.sampling import compiled\n"
        "compiled._compile = lambda *_: sys.exit('compiled again')\n"
        "panel = simulate('upgraded', n_ou=6, n_site=2, n_month=9, wave_every=3, seed=1)\n"
        "made = compiled.compiled_model(build_model(panel, BASELINE), BASELINE)\n"
        "tree = nutpie.sample(made, draws=9, tune=50, chains=1, seed=1, progress_bar=False)\n"
        "print(tree['posterior']['mu_beta'].to_numpy().ravel().tolist())"
    )
    made = compiled_model(build_model(first, BASELINE), BASELINE)
    tree = nutpie.sample(made, draws=9, tune=50, chains=1, seed=1, progress_bar=False)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == str(tree["posterior"]["mu_beta"].to_numpy().ravel().tolist())


def test_nothing_is_called_that_another_has_by_the_same_name(store: Path) -> None:
    """A kernel that this process compiled, say: the next process has it from this one's file."""
    compiled_model(tiny(), BASELINE)
    ((logp, expand),) = [(entry.logp, entry.expand) for entry in compiled._LOADED.values()]
    for made in (logp, expand):
        library, about = made.keep.library, made.keep.fndesc
        seen = [f.name for f in library.get_defined_functions() if f.linkage is Linkage.external]
        assert seen == [about.llvm_cfunc_wrapper_name]


@pytest.mark.parametrize("spec", [UPGRADED, ROBUST], ids=lambda spec: spec.name)
def test_chains_start_where_pymc_starts_them(spec: ModelSpec, first: Panel) -> None:
    """By its support points, each moved by up to 1; the same seed gives the same point."""
    model = build_model(first, spec)
    start = compiled._starting_points(model)
    np.testing.assert_array_equal(start(1), start(1))
    many = np.array([start(seed) for seed in range(300)])
    assert many.shape == (300, sum(np.size(v) for v in model.initial_point().values()))
    assert (np.ptp(many, axis=0) > 1).all()
    # Of variables that depend on no other the middle is known: PyMC's point without its jitter.
    place, known = 0, {"mu_alpha", "mu_beta", "mu_x", "sigma_x_log__", "sigma_y_log__"}
    for name, middle in model.initial_point().items():
        if name in known:
            moved = many[:, place] - middle
            assert abs(moved).max() <= 1
            assert abs(moved.mean()) < 0.15
            assert moved.std() == pytest.approx(1 / np.sqrt(3), rel=0.15)
            known.remove(name)
        place += np.size(middle)
    assert len(known) < 5  # some were found


def test_old_entries_are_forgotten(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "_KEPT", 2)
    for age in range(4):
        file = store / f"{age}.model"
        file.touch()
        compiled.os.utime(file, (age, age))
    compiled._forget_old(store)
    assert sorted(file.name for file in store.glob("*.model")) == ["2.model", "3.model"]


def test_a_folder_that_cannot_be_written_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OULIB_COMPILED", raising=False)
    (tmp_path / "file").touch()
    monkeypatch.setattr(compiled, "user_cache_path", lambda _: tmp_path / "file")
    found = compiled.compiled_dir()
    assert str(compiled.os.getuid()) in found.name


# --- in one piece


def test_what_is_replaced_is_put_back() -> None:
    def now() -> list:
        return [
            basic.numba_funcify_ensure_cache,
            CPUCodeLibrary._finalize_final_module,
            CPUContext.get_executable,
            Cache.load_overload,
            Cache.save_overload,
            int(numba.core.config.OPT),
        ]

    def fails() -> None:
        with one_piece():
            assert all(a != b for a, b in zip(before, now(), strict=True))
            raise ZeroDivisionError

    before = now()
    with pytest.raises(ZeroDivisionError):
        fails()
    assert now() == before


def test_a_kernel_of_what_does_not_lie_in_order() -> None:
    """Kernels are kept for arrays in C's order; one of any other is a version of its own."""
    with pm.Model(coords={"month": range(6)}) as model:
        x = pm.Normal("x", dims="month")
        path = accumulate(x[::-1], pm.Data("phi", 0.5))
        pm.Normal("y", path[-1], 1.0, observed=pm.Data("seen", 0.3))
    at = np.array([0.3, -1.0, 0.2, 0.8, -0.5, 1.1])
    end = at @ 0.5 ** np.arange(6)
    value, gradient = call(compiled_model(model, BASELINE), at)
    assert value == pytest.approx(stats.norm.logpdf(at).sum() + stats.norm.logpdf(0.3, end))
    np.testing.assert_allclose(gradient, -at + (0.3 - end) * 0.5 ** np.arange(6))
    plain = model.compile_fn(path[-1], inputs=[x], mode="FAST_COMPILE", point_fn=False)
    assert plain(at) == pytest.approx(end)  # not by the version that only a graph can call
