"""Shrinkage of many coefficients: its formulas by hand, its sentences and figures."""

from __future__ import annotations

from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import integrate, stats

from oulib import BASELINE, STUDENT_T, Panel, Priors, chapters, simulate
from oulib.chapters.covariates import analysis as shrinkage
from oulib.model.build import build_model
from oulib.model.covariates import global_scale, rough
from oulib.posterior.estimate import update

COEF = (0.5, 0.0, -0.3, 0.0, 0.0, 0.0, 0.0, 0.0)


@pytest.fixture(scope="module")
def panel() -> Panel:
    size = {"n_ou": 6, "n_site": 2, "n_month": 12, "wave_every": 3}
    return simulate("baseline", **size, seed=1, coef=COEF)


def fake(panel: Panel, prior: str, *, student: bool = False, draws: int = 30) -> SimpleNamespace:
    """A fit whose draws are made up, but consistent in shape."""
    rng = np.random.default_rng(5)
    spec = (STUDENT_T if student else BASELINE).but(name=prior, covariates=prior)

    def drawn(dim: str | None = None, scale: float = 0.1, mean: float = 0.0) -> tuple:
        shape = (2, draws) + ((panel.rows.sizes.get(dim) or len(labels[dim]),) if dim else ())
        dims = ("chain", "draw") + ((dim,) if dim else ())
        return dims, mean + scale * rng.standard_normal(shape)

    labels = {"ou": panel.ous, "month": panel.months, "covariate": panel.covariates}
    values = {name: drawn("ou", mean=0.3) for name in ("alpha", "beta", "mu_x_ou")}
    values |= {name: drawn("month") for name in ("lam", "tau")}
    values |= {name: drawn(None, 0.01, 0.5) for name in ("sigma_y", "sigma_x", "sigma_meas")}
    if student:
        values["nu"] = drawn(None, 0.1, 5.0)
    true = panel.truth["coef"].to_numpy()
    dims, noise = drawn("covariate", 0.02)
    values["coef"] = (dims, true + noise)
    if prior == "ard":
        values["sigma_coef"] = (dims, np.abs(noise) + 0.1)
    if prior == "horseshoe":
        values["sigma_coef"] = drawn(None, 0.001, 0.02)
        values["local_coef"] = (dims, 1 + 10 * np.abs(true) + np.abs(noise))
        values["slab2"] = drawn(None, 0.01, 1.0)
    posterior = xr.Dataset(values, coords={dim: list(names) for dim, names in labels.items()})
    posterior = posterior.assign_coords(chain=[0, 1], draw=np.arange(draws))
    return SimpleNamespace(panel=panel, spec=spec, posterior=posterior)


@pytest.fixture
def fits(panel: Panel, monkeypatch: pytest.MonkeyPatch) -> dict[str, SimpleNamespace]:
    return {prior: fake(panel, prior) for prior in ("wide", "ridge", "ard", "horseshoe")}


@pytest.mark.parametrize("student", [False, True])
def test_information_by_hand(panel: Panel, student: bool) -> None:
    fit = fake(panel, "ridge", student=student)
    found = shrinkage.information(fit)
    p = fit.posterior.isel(chain=1, draw=4)
    rows = panel.to_frame()
    z = rows[list(panel.covariates)]
    z = (z - z.mean()) / z.std(ddof=0)
    total = np.zeros(len(panel.covariates))
    for i, row in rows.iterrows():
        u = float(p["sigma_x"]) ** 2
        if np.isfinite(row["survey"]):  # two normal sources about x*
            u = 1 / (1 / u + max(row["respondents"], 1) / float(p["sigma_meas"]) ** 2)
        noise = float(p["sigma_y"]) ** 2
        if student:
            nu = float(p["nu"])
            noise *= (nu + 3) / (nu + 1)
        total += z.loc[i].to_numpy() ** 2 / (noise + float(p["beta"].sel(ou=row["ou"])) ** 2 * u)
    np.testing.assert_allclose(found.isel(chain=1, draw=4), total)
    assert found.dims == ("chain", "draw", "covariate")


def test_the_information_of_a_student_t_is_that_of_its_location() -> None:
    nu, sigma = 5.0, 0.7

    def squared_score(x: float) -> float:
        score = (nu + 1) * x / (nu * sigma**2 + x**2)
        return score**2 * stats.t.pdf(x, nu, scale=sigma)

    fisher = integrate.quad(squared_score, -np.inf, np.inf)[0]
    assert fisher == pytest.approx(1 / (sigma**2 * (nu + 3) / (nu + 1)), rel=1e-6)


def test_a_shrinkage_factor_is_what_the_posterior_mean_loses() -> None:
    """On a grid: the posterior mean of a normal coefficient is (1 - kappa) times its estimate."""
    n, sigma, s, estimate = 50, 0.4, 0.07, 0.21
    grid = np.linspace(-1, 1, 40001)
    log = -0.5 * (grid / s) ** 2 - 0.5 * n * ((estimate - grid) / sigma) ** 2
    weight = np.exp(log - log.max())
    kappa = float(shrinkage.factors(xr.DataArray(s), xr.DataArray(n / sigma**2)))
    assert np.average(grid, weights=weight) == pytest.approx((1 - kappa) * estimate, rel=1e-6)


def test_scales_of_every_prior(fits: dict[str, SimpleNamespace]) -> None:
    assert np.unique(shrinkage.scales(fits["wide"])) == 1.0
    assert np.unique(shrinkage.scales(fits["ridge"])) == 0.1
    p = fits["ard"].posterior
    np.testing.assert_array_equal(shrinkage.scales(fits["ard"]), p["sigma_coef"])
    p = fits["horseshoe"].posterior
    # A product of two normal densities: precisions of slab and horseshoe add up.
    expected = 1 / np.sqrt(1 / p["slab2"] + 1 / (p["sigma_coef"] * p["local_coef"]) ** 2)
    np.testing.assert_allclose(shrinkage.scales(fits["horseshoe"]), expected)


def test_prior_scales_follow_their_distributions(panel: Panel) -> None:
    def drawn(prior: str) -> np.ndarray:
        return shrinkage.prior_scales(panel, BASELINE.but(covariates=prior), draws=6000, seed=2)

    assert np.unique(drawn("ridge")) == 0.1
    assert drawn("ard").mean() == pytest.approx(0.5 * np.sqrt(2 / np.pi), rel=0.02)
    spec = BASELINE.but(covariates="horseshoe", priors=Priors(slab=1e6))
    free = shrinkage.prior_scales(panel, spec, draws=6000, seed=2)
    # The median of the product of two half-Cauchy variables is the product of their scales.
    assert np.median(free) == pytest.approx(global_scale(panel, spec), rel=0.1)
    bounded = shrinkage.prior_scales(panel, spec.but(priors=Priors(slab=1e-6)), draws=6000, seed=2)
    # Only the slab is left: c^2 is inverse gamma with shape and scale 2 (in units of slab^2).
    c2 = bounded[:, 0] ** 2 * 1e12
    assert stats.kstest(c2[:2000], stats.invgamma(2, scale=2).cdf).pvalue > 0.001


def test_effective_coefficients_by_hand(fits: dict[str, SimpleNamespace]) -> None:
    known = shrinkage.information(fits["ridge"]).to_numpy()
    found = shrinkage.effective(shrinkage.shrunk(fits["ridge"]))
    np.testing.assert_allclose(found, (known * 0.01 / (1 + known * 0.01)).sum(-1))
    before = shrinkage.prior_effective(fits["ridge"], draws=10)
    assert np.ptp(before) == 0
    assert before[0] == pytest.approx(float(found.mean()), rel=0.01)
    spread = shrinkage.prior_effective(fits["horseshoe"], draws=2000)
    assert 0 <= spread.min() < spread.max() <= len(COEF)
    assert np.ptp(spread) > np.ptp(shrinkage.prior_effective(fits["ard"], draws=2000))


def test_what_is_found_missed_and_claimed(fits: dict[str, SimpleNamespace]) -> None:
    tables = {prior: shrinkage.coefficients(fit) for prior, fit in fits.items()}
    table = tables["horseshoe"]
    assert list(table.index) == list(fits["ridge"].panel.covariates)
    assert table["found"].tolist() == [value != 0 for value in COEF]
    row = shrinkage.findings(tables).loc["horseshoe"]
    assert (row["found"], row["missed"], row["false claims"]) == (2, 0, 0)
    off = (table["mean"] - table["true"]).to_numpy()
    zero = np.array(COEF) == 0
    assert row["error_zero"] == pytest.approx(np.sqrt(np.mean(off[zero] ** 2)))
    assert row["error_true"] == pytest.approx(np.sqrt(np.mean(off[~zero] ** 2)))
    text = chapters.covariates.sentences.found("horseshoe", table)
    assert "finds 2 of 2 true effects (z01 and z03)" in text
    assert "misses" not in text
    assert text.endswith("claims none.")
    worse = table.assign(found=[False, True, True, False, False, False, False, False])
    text = chapters.covariates.sentences.found("ard", worse)
    assert "The ARD prior finds 1 of 2 true effects (z03) and misses z01." in text
    assert text.endswith("6 coefficients that are zero it claims 1 (z02).")
    row = shrinkage.findings({"ard": worse}).loc["ard"]
    assert (row["found"], row["missed"], row["false claims"]) == (1, 1, 1)
    assert "about 1 of the 6 coefficients" in chapters.covariates.sentences.by_chance(
        shrinkage.zeros(table)
    )


def test_a_part_of_the_covariates(panel: Panel) -> None:
    part = shrinkage.some_of(panel, 3)
    assert part.covariates == panel.covariates[:3]
    np.testing.assert_allclose(part.rows["y"], panel.rows["y"])
    np.testing.assert_allclose(part.rows["covariates"], panel.rows["covariates"][:, :3])
    assert shrinkage.relevant(panel) == 3.0
    assert shrinkage.relevant(part) == 1.5


def test_structure_counts_and_gains(
    fits: dict[str, SimpleNamespace], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = fake(fits["ridge"].panel, "ridge")
    bare.spec = BASELINE
    bare.posterior = bare.posterior.drop_vars("coef")
    results = {"baseline": (-90.0, 8.0), "ridge": (-80.0, 14.5)}
    monkeypatch.setattr(
        shrinkage,
        "loo",
        lambda fit: SimpleNamespace(
            elpd=results[fit.spec.name][0], se=5.0, p=results[fit.spec.name][1]
        ),
    )
    table = shrinkage.structure([bare, fits["ridge"]])
    assert table["coefficients"].tolist() == [0, 8]
    assert table["gained"].tolist() == [0.0, 10.0]
    assert 0 < table.loc["ridge", "effective"] < 8
    text = chapters.covariates.sentences.spent(table)
    assert "baseline spends 8.0 effective parameters" in text
    assert "With 8 coefficients, ridge spends 6.5 more." in text
    table.loc["ridge", "p"] = 7.0
    assert "spends 1.0 fewer." in chapters.covariates.sentences.spent(table)


def test_sentences_on_estimates(panel: Panel, fits: dict[str, SimpleNamespace]) -> None:
    assert "2 of them matter: z01 (" in chapters.covariates.sentences.sparse(panel)
    table = shrinkage.coefficients(fits["horseshoe"])
    found = shrinkage.zeros(table)
    kappa = table.loc[table["true"] == 0, "kappa"]
    assert found.coefficients == 6
    assert (found.low, found.high) == (kappa.min(), kappa.max())
    assert found.mean == pytest.approx(kappa.mean())
    text = chapters.covariates.sentences.recovered("horseshoe", table, found)
    assert "z01, in truth 0.541, comes out as" in text
    assert "shrinkage factors of" in text
    table = pd.DataFrame(
        {"error_zero": [0.1, 0.05, 0.102, 0.3], "error_true": [0.1, 0.11, 0.1, 0.1]},
        index=["wide", "ridge", "ard", "horseshoe"],
    )
    text = chapters.covariates.sentences.errors(table)
    assert "The wide" not in text
    assert "ridge prior's errors are 50% smaller on the zeros and 10% larger on" in text
    assert "ARD prior's errors are about the same on the zeros and about the same on" in text
    assert "3.0 times as large on the zeros" in text


def test_effective_coefficients_in_words() -> None:
    rng = np.random.default_rng(0)
    wide, narrow = rng.uniform(0, 40, 2000), rng.uniform(3, 6, 2000)
    learnt = chapters.covariates.sentences.effective("horseshoe", update(narrow, wide))
    assert "4.5 effective" in learnt
    assert "of the width of the prior's interval is left" in learnt
    assert "mostly the prior" in chapters.covariates.sentences.effective("ard", update(wide, wide))
    assert "out of the prior's" in chapters.covariates.sentences.effective(
        "ard", update(narrow, narrow + 20)
    )


def test_what_is_selected_without_a_truth(fits: dict[str, SimpleNamespace]) -> None:
    table = shrinkage.coefficients(fits["ridge"]).drop(columns="true")
    text = chapters.covariates.sentences.selected("ridge", table)
    assert "2 of 8 coefficients exclude zero: z01 (" in text
    none = table.assign(found=False)
    assert "little evidence that any" in chapters.covariates.sentences.selected("ridge", none)
    many = table.assign(found=True)
    assert "and 2 more." in chapters.covariates.sentences.selected("ridge", many)
    same = chapters.covariates.sentences.agree({"ridge": table, "horseshoe": table})
    assert "the same coefficients" in same
    other = chapters.covariates.sentences.agree({"ridge": many, "horseshoe": table})
    assert "only under the ridge prior" in other
    assert "only under the horseshoe" not in other


def test_divergences_and_panels_without_covariates() -> None:
    assert "None of the horseshoe's 8,000" in chapters.covariates.sentences.divergences(
        0, 8000, 0.9
    )
    assert "83 diverged" in chapters.covariates.sentences.divergences(83, 4000, 0.9)
    text = chapters.covariates.sentences.none_named()
    assert "`--covariate NAME`" in text
    assert "`covariates:`" in text


def test_figures_are_drawn(fits: dict[str, SimpleNamespace]) -> None:
    tables = {prior: shrinkage.coefficients(fit) for prior, fit in fits.items()}
    fig = chapters.covariates.figures.coefficients(tables)
    assert [ax.get_title() for ax in fig.axes] == ["wide", "ridge", "ARD", "horseshoe"]
    assert len(fig.axes[0].get_yticklabels()) == len(COEF)
    few = chapters.covariates.figures.coefficients(
        {"ridge": tables["ridge"].drop(columns="true").rename(index={"z01": "$z$"})}, most=2
    )
    few.canvas.draw()
    shown = [label.get_text() for label in few.axes[0].get_yticklabels()]
    assert shown == [r"\$z\$", "z03"]
    assert "truth" not in [text.get_text() for text in few.legends[0].get_texts()]
    fig = chapters.covariates.figures.unshrunk(tables["wide"])
    assert [text.get_text() for text in fig.legends[0].get_texts()][-1] == "truth"
    assert len(fig.axes[0].get_xticks()) == len(COEF)
    fig = chapters.covariates.figures.shrinkage(tables)
    assert fig.axes[1].get_ylabel().startswith("shrinkage factor")
    named = [text.get_text() for text in fig.legends[0].get_texts()]
    assert named == ["ridge", "ARD", "horseshoe", "true effects"]
    draws = {"ard": (np.ones(5), np.ones(7)), "horseshoe": (np.ones(5), np.ones(7))}
    fig = chapters.covariates.figures.effective(draws, most=8)
    assert [ax.get_title() for ax in fig.axes] == ["ARD", "horseshoe"]
    plt.close("all")


@pytest.fixture(scope="module")
def coordinates(panel: Panel) -> tuple:
    """The horseshoe's model, and a function of a point that gives its variables and densities."""
    model = build_model(panel, BASELINE.but(covariates="horseshoe"))
    names = ["coef", "sigma_coef", "local_coef", "slab2", "z_coef", "u_coef"]
    outputs = model.replace_rvs_by_values([model[name] for name in names])
    mode = "FAST_COMPILE"
    values = model.compile_fn(outputs, inputs=model.value_vars, mode=mode, on_unused_input="ignore")
    density = model.compile_logp(vars=[model["u_coef"]], sum=False, mode=mode)
    return model, lambda point: (dict(zip(names, values(point), strict=True)), density(point)[0])


@pytest.mark.parametrize("seed", range(4))
def test_the_horseshoes_coordinates_leave_its_prior_alone(coordinates: tuple, seed: int) -> None:
    """p(u) du = p(coef) dcoef, with coef a linear function of u whose slope a difference gives."""
    model, at = coordinates
    rng = np.random.default_rng(seed)
    point = {
        name: value + rng.standard_normal(value.shape)
        for name, value in model.initial_point().items()
    }
    v, density = at(point)
    scale = shrinkage.regularised(v["sigma_coef"], v["local_coef"], v["slab2"])
    step = 0.5
    moved, _ = at(point | {"u_coef": point["u_coef"] + step})
    slope = (moved["coef"] - v["coef"]) / step
    expected = stats.norm.logpdf(v["coef"], 0, scale) + np.log(slope)
    np.testing.assert_allclose(density, expected, rtol=1e-8)
    np.testing.assert_allclose(v["z_coef"], v["coef"] / scale)


def test_the_horseshoes_coordinates_are_standard_where_the_guess_is_right(
    panel: Panel, coordinates: tuple
) -> None:
    """u = 0 is the conditional mean of a coefficient with that estimate and information."""
    model, at = coordinates
    point = model.initial_point()
    point["u_coef"] = np.zeros_like(point["u_coef"])
    v, _ = at(point)
    scale = shrinkage.regularised(v["sigma_coef"], v["local_coef"], v["slab2"])
    b, known = rough(panel)
    mean = b * known / (known + 1 / scale**2)  # of two normal densities multiplied
    np.testing.assert_allclose(v["coef"], mean)
    point["u_coef"] = np.ones_like(point["u_coef"])
    np.testing.assert_allclose(at(point)[0]["coef"], mean + 1 / np.sqrt(known + 1 / scale**2))


def test_rough_estimates_are_least_squares_with_dummies(panel: Panel) -> None:
    y = panel.rows["y"].to_numpy()
    z = panel.rows["covariates"].to_numpy()
    dummies = [pd.get_dummies(panel.rows[n].to_numpy()).to_numpy() for n in ("ou", "month")]
    design = np.column_stack([z, *dummies]).astype(float)
    expected, *_ = np.linalg.lstsq(design, y)
    estimate, known = rough(panel)
    np.testing.assert_allclose(estimate, expected[: z.shape[1]], atol=0.01)
    left = y - design @ expected
    noise = left @ left / (len(y) - np.linalg.matrix_rank(design))
    sd = np.sqrt(noise * np.diag(np.linalg.pinv(design.T @ design))[: z.shape[1]])
    np.testing.assert_allclose(1 / np.sqrt(known), sd, rtol=0.15)


def test_rough_estimates_do_not_fall_over_what_moves_together_or_not_at_all(panel: Panel) -> None:
    frame = panel.to_frame()
    frame = frame.assign(month=pd.to_datetime(frame["month"]), twin=frame["z01"])
    frame["still"] = frame["ou"].str[-1].astype(float)  # the same in all months of an OU
    odd = Panel.from_frame(frame, covariates=["z01", "twin", "still"])
    estimate, known = rough(odd)
    assert np.isfinite(estimate).all()
    assert (known >= 0).all()
    assert known[0] < 2
    assert known[1] < 2
    assert known[2] == pytest.approx(0, abs=1e-6)
    unseen = odd.without_outcome(np.arange(10))
    assert np.isfinite(rough(unseen)[0]).all()
