"""The models that the chapters of the ladder type out in plain PyMC are the models of the book."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace

import nbformat
import numpy as np
import pymc as pm
import pytest
from scipy import optimize

import oulib
from oulib import Panel, Sampling, simulate
from oulib.files import PACKAGE
from oulib.model.spec import MODELS
from oulib.posterior.agreement import agreement, by_grid, rows
from oulib.posterior.predict import in_python, quiet
from oulib.report import sentences

CHAPTERS = {
    "baseline": "02-baseline",
    "student_t": "03-student-t",
    "ar1": "04-ar1",
    "site": "05-sites",
    "upgraded": "06-mnar",
}
OTHER = ("x_star", "lam_path", "tau_path", "tau_seen", "z_tau")  # scores, and months' coordinates
MONTHS = ("phi_lam", "sigma_lam", "lam", "phi_tau", "tau", "gamma_x")


def source(model: str) -> str:
    """The cells of the model's chapter that type it out."""
    file = PACKAGE.parent / "notebooks" / f"{CHAPTERS[model]}.ipynb"
    cells = nbformat.read(file, 4).cells
    return "\n\n".join(c.source for c in cells if "plain-model" in c.metadata.get("tags", []))


def typed(text: str, panel: Panel) -> pm.Model:
    found = {"np": np, "pm": pm, "panel": panel}
    exec(text, found)
    return found["model"]


def changed(model: str, old: str, new: str) -> str:
    text = source(model)
    assert text.count(old) == 1, (old, text.count(old))
    return text.replace(old, new)


def a_fit(model: str) -> oulib.Fit:
    panel = simulate("upgraded", n_ou=8, n_site=3, n_month=12, wave_every=2, seed=3)
    sampling = Sampling(draws=100, tune=400, chains=2, seed=1)
    return oulib.fit(panel, MODELS[model], sampling, progress=False)


@pytest.fixture(scope="module")
def fitted() -> Callable[[str], oulib.Fit]:
    found: dict[str, oulib.Fit] = {}
    return lambda model: found.setdefault(model, a_fit(model))


@pytest.mark.parametrize("model", CHAPTERS)
def test_what_is_typed_is_what_is_fitted(model: str, fitted: Callable[[str], oulib.Fit]) -> None:
    fit = fitted(model)
    found = agreement(typed(source(model), fit.panel), fit, draws=150)
    assert found.density < (1e-9 if model == "baseline" else 1e-5), found
    assert found.distance <= found.allowed, found
    public = {"mu_beta", "sigma_ou", "corr_ou", "alpha", "beta", "lam", "tau", "mu_x_ou", "sigma_x"}
    assert public <= {*found.names}
    assert found.same
    assert sentences.same_model(found).startswith("Nothing tells the two apart.")


@pytest.mark.parametrize(
    ("model", "old", "new", "tells"),
    [
        ("baseline", "0.2 * tau[month]", "0.25 * tau[month]", "density"),
        ("baseline", "sigma_meas / np.sqrt(n)", "sigma_meas / n", "density"),
        ("baseline", 'pm.HalfNormal("sigma_x", 1)', 'pm.HalfNormal("sigma_x", 3)', "distance"),
        ("upgraded", "+ rho_x * x_star", "- rho_x * x_star", "density"),
        ("upgraded", 'pm.Uniform("phi_lam", -1, 1)', 'pm.Uniform("phi_lam", 0, 1)', "distance"),
    ],
)
def test_another_model_is_told_apart(
    model: str, old: str, new: str, tells: str, fitted: Callable[[str], oulib.Fit]
) -> None:
    fit = fitted(model)
    found = agreement(typed(changed(model, old, new), fit.panel), fit, draws=100)
    assert not found.same
    limit = {"density": found.tolerance, "distance": found.allowed}[tells]
    assert getattr(found, tells) > limit
    assert "two models" in sentences.same_model(found)


def test_a_model_that_lacks_a_part_is_named(fitted: Callable[[str], oulib.Fit]) -> None:
    fit = fitted("student_t")
    with pytest.raises(ValueError, match="The plain model has no nu"):
        agreement(typed(source("baseline"), fit.panel), fit)


def test_what_cannot_be_summed_is_not_the_same(fitted: Callable[[str], oulib.Fit]) -> None:
    fit = fitted("baseline")
    lost = fit.posterior.copy(deep=True)
    lost["sigma_x"][1, -1] = np.nan  # of the second chain: what the first says must not hide it
    found = agreement(
        typed(source("baseline"), fit.panel),
        SimpleNamespace(panel=fit.panel, spec=fit.spec, posterior=lost),
        draws=20,
    )
    assert np.isnan(found.density)
    assert not found.same
    assert "two models" in sentences.same_model(found)


def densities(model: pm.Model, names: Sequence[str]) -> tuple[Callable, Callable, int]:
    """Of a model's vector of unconstrained values: parameters, log prior density, and its length.

    The parameters are made real numbers: logarithms of scales and an atanh of correlations.
    """
    free = [variable for variable in model.free_RVs if variable.name not in OTHER]
    values, priors = [model.rvs_to_values[v] for v in free], model.logp(vars=free, sum=False)
    parts = model.replace_rvs_by_values([model[name] for name in names])
    function = pm.compile(values, [*parts, *priors], on_unused_input="ignore")
    start = model.initial_point()
    shapes = [np.shape(start[value.name]) for value in values]
    sizes = [int(np.prod(shape)) for shape in shapes]

    def both(vector: np.ndarray) -> tuple[np.ndarray, float]:
        cut = np.split(vector, np.cumsum(sizes)[:-1])
        result = function(*(p.reshape(shape) for p, shape in zip(cut, shapes, strict=True)))
        found, densities = result[: len(names)], result[len(names) :]
        real = []
        for name, value in zip(names, found, strict=True):
            value = np.asarray(value)
            if name.startswith("corr"):
                real.append([np.arctanh(value[0, 1])])
            else:
                real.append(np.log(value).ravel() if "sigma" in name else value.ravel())
        return np.concatenate(real), float(sum(np.sum(one) for one in densities))

    return lambda q: both(q)[0], lambda q: both(q)[1], sum(sizes)


def slopes(function: Callable, at: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Derivatives by central differences, (value, element)."""
    moves = step * np.eye(at.size)
    return np.column_stack([(function(at + m) - function(at - m)) / (2 * step) for m in moves])


@pytest.mark.parametrize("model", CHAPTERS)
def test_priors_have_one_density(model: str) -> None:
    """The density of the parameters, months aside, whatever the coordinates they are sampled in.

    Of the vectors q that the models are sampled in, the parameters have the density
    p(q) / |d parameters / d q|.  Months, whose redundant coordinates leave that without a meaning,
    have their densities tested with the blocks; here they are given.
    """
    panel = simulate("upgraded", n_ou=4, n_site=3, n_month=10, wave_every=2, seed=3)
    spec = MODELS[model]
    with quiet(), in_python():
        plain, ours = typed(source(model), panel), oulib.build_model(panel, spec)
        months = [name for name in MONTHS if name in ours.named_vars]
        given = dict(zip(months, pm.draw([plain[name] for name in months], random_seed=1),
                         strict=True))  # fmt: skip
        plain, ours = (pm.do(one, given) for one in (plain, ours))
        names = [
            *("mu_alpha", "mu_beta", "sigma_ou", "corr_ou", "alpha", "beta"),
            *("mu_x", "sigma_mu_x", "mu_x_ou", "sigma_x", "sigma_meas", "sigma_y"),
            *(name for name in (
                *("nu_minus_two", "sigma_site", "corr_site", "alpha_site", "beta_site"),
                *("rho_0", "rho_x", "sigma_rho_ou", "rho_ou", "sigma_rho_month", "rho_month"),
            ) if name in ours.named_vars),
        ]  # fmt: skip
        at, prior, size = densities(ours, names)
        their_at, their_prior, their_size = densities(plain, names)
        assert size == their_size
        rng, differences = np.random.default_rng(2), []
        for _ in range(3):
            q = 0.7 * rng.standard_normal(size)
            wanted = at(q)
            solved = optimize.root(
                lambda v, wanted=wanted: their_at(v) - wanted,
                np.zeros(size),
                jac=lambda v: slopes(their_at, v),
            )
            np.testing.assert_allclose(their_at(solved.x), wanted, atol=1e-8)
            one = prior(q) - np.linalg.slogdet(slopes(at, q))[1]
            other = their_prior(solved.x) - np.linalg.slogdet(slopes(their_at, solved.x))[1]
            differences.append(one - other)
    # The library samples sigma_meas with both signs, each of which has half of the density.
    np.testing.assert_allclose(differences, -np.log(2), atol=1e-5)


def test_a_narrow_peak_on_a_wide_tail_is_summed() -> None:
    """Where an outcome loads steeply, a Student-t's peak is far narrower than its tail is wide."""
    panel = simulate("upgraded", n_ou=4, n_site=3, n_month=10, wave_every=2, seed=3)
    ours = oulib.build_model(panel, MODELS["student_t"].but(step=0.3))
    with quiet(), in_python():
        plain = typed(source("student_t"), panel)
        names = ["alpha", "beta", "lam", "tau", "mu_x_ou", "sigma_x", "sigma_meas", "sigma_y", "nu"]
        drawn = pm.draw([plain[name] for name in names], random_seed=1)
        at = dict(zip(names, drawn, strict=True))
        at |= {"beta": np.full(4, 0.9), "sigma_x": np.array(1.5), "sigma_y": np.array(0.05)}
        at |= {"nu": np.array(6.0), "alpha": np.array([0.0, 3.0, -3.0, 8.0])}
        one = by_grid(plain, panel, names)(at)
        other = rows(ours, panel, names)(at)
    np.testing.assert_allclose(one, other, atol=1e-5)
