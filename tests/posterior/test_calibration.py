"""Panels of a model's own making, and the ranks of what made them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pymc as pm
import pytest
import xarray as xr
from scipy import special, stats

from oulib import MODELS, Fit, ModelSpec, Panel, Sampling, build_model
from oulib.cli import main
from oulib.errors import UserError
from oulib.model.spec import BASELINE, ROBUST, UPGRADED
from oulib.posterior import calibration
from oulib.posterior.calibration import DRAWS, OUTCOMES, SURVEYS
from oulib.posterior.predict import in_python, quiet


@pytest.fixture(scope="module")
def design() -> Panel:
    return calibration.design()


def by_row(panel: Panel, name: str, index: str) -> np.ndarray:
    return panel.truth[name].to_numpy()[panel.rows[index].to_numpy()]


def test_the_baseline_s_panels_follow_its_equations(design: Panel) -> None:
    """Surveys and outcomes given them, standardised by formulas of the test's own."""
    z_x, z_y = [], []
    for seed in range(30):
        panel = calibration.panel_of(design, BASELINE, seed=seed)
        p = {name: float(panel.truth[name]) for name in ("sigma_x", "sigma_meas", "sigma_y")}
        seen, n = panel.rows["observed"].to_numpy(), panel.rows["respondents"].to_numpy()
        np.testing.assert_array_equal(seen, design.rows["observed"])
        m = by_row(panel, "mu_x_ou", "ou_idx") + 0.2 * by_row(panel, "tau", "month_idx")
        noise = p["sigma_meas"] ** 2 / np.maximum(n, 1)
        w = np.where(seen, p["sigma_x"] ** 2 / (p["sigma_x"] ** 2 + noise), 0.0)
        x = np.where(seen, panel.rows["x"].to_numpy(), m)
        z_x.append(((x - m) / np.sqrt(p["sigma_x"] ** 2 + noise))[seen])
        beta = by_row(panel, "beta", "ou_idx")
        mean = by_row(panel, "alpha", "ou_idx") + by_row(panel, "lam", "month_idx")
        mean = mean + beta * (m + w * (x - m))
        sd = np.sqrt(p["sigma_y"] ** 2 + beta**2 * p["sigma_x"] ** 2 * (1 - w))
        z_y.append((panel.rows["y"].to_numpy() - mean) / sd)
    for z in (z_x, z_y):
        assert stats.kstest(np.concatenate(z), "norm").pvalue > 0.001


def test_robust_panels_follow_its_equations(design: Panel) -> None:
    """Outcomes of a month, of which each unit has one: noise of its own and where its path is."""
    found, along, size = [], 0.0, 0.0
    for seed in range(40):
        panel = calibration.panel_of(design, ROBUST, seed=seed)
        t = panel.truth
        sigma_x, sigma_meas = float(t["sigma_x"]), float(t["sigma_meas"])
        mu = by_row(panel, "mu_x_ou", "ou_idx")
        m = mu + float(t["gamma_x"]) * by_row(panel, "tau", "month_idx")
        seen, n = panel.rows["observed"].to_numpy(), panel.rows["respondents"].to_numpy()
        w = np.where(seen, sigma_x**2 / (sigma_x**2 + sigma_meas**2 / np.maximum(n, 1)), 0.0)
        told = m + w * (np.where(seen, panel.rows["x"].to_numpy(), m) - m)
        mean = by_row(panel, "alpha", "ou_idx") + by_row(panel, "lam", "month_idx")
        mean = mean + float(t["beta_between"]) * mu + by_row(panel, "beta", "ou_idx") * (told - m)
        path = float(t["sigma_u"]) ** 2 / (1 - float(t["phi_u"]) ** 2)
        sd = by_row(panel, "noise_ou", "ou_idx") * np.sqrt(float(t["sigma_y"]) ** 2 + path)
        z = (panel.rows["y"].to_numpy() - mean) / sd
        found.append(z[panel.rows["month_idx"].to_numpy() == seed % len(panel.months)])
        wave = panel.rows["month_idx"].to_numpy() == panel.rows["month_idx"].to_numpy()[seen].min()
        part = by_row(panel, "beta", "ou_idx") * (told - m) / sd
        along, size = along + (z * part)[wave].sum(), size + (part[wave] ** 2).sum()
    assert abs(along) < 4 * np.sqrt(size)  # what surveys say is in the outcome, once
    assert stats.kstest(np.concatenate(found), "norm").pvalue > 0.001


def test_who_answers_follows_the_score(design: Panel) -> None:
    """How many answer and who, against a sum over the latent score by the test itself."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    more = along = variance = size = 0.0
    for seed in range(15):
        panel = calibration.panel_of(design, UPGRADED, seed=seed)
        planned = design.rows["observed"].to_numpy()
        seen = panel.rows["observed"].to_numpy()
        assert not (seen & ~planned).any()
        assert np.isnan(panel.rows["x"].to_numpy()[~seen]).all()
        p = panel.truth
        m = by_row(panel, "mu_x_ou", "ou_idx")
        m = m + float(p["gamma_x"]) * by_row(panel, "tau", "month_idx")
        wave = {label: place for place, label in enumerate(p["wave"].to_numpy())}
        at = [wave[month] for month in panel.rows["month"].to_numpy()[planned]]
        offset = float(p["rho_0"]) + by_row(panel, "rho_ou", "ou_idx")[planned]
        offset = offset + p["rho_month"].to_numpy()[at]
        score = m[planned, None] + float(p["sigma_x"]) * nodes
        chance = special.expit(offset[:, None] + float(p["rho_x"]) * score) @ weights
        chance = chance / np.sqrt(2 * np.pi)
        left, spread = seen[planned] - chance, chance * (1 - chance)
        pull = float(p["rho_x"]) * m[planned]
        more, variance = more + left.sum(), variance + spread.sum()
        along, size = along + left @ pull, size + spread @ pull**2
    assert abs(more) < 3.5 * np.sqrt(variance)
    assert abs(along) < 3.5 * np.sqrt(size)  # who should answer more does


@pytest.mark.parametrize("spec", MODELS.values(), ids=lambda spec: spec.name)
def test_every_model_has_panels_and_quantities(design: Panel, spec: ModelSpec) -> None:
    panel = calibration.panel_of(design, spec, seed=3)
    assert np.isfinite(panel.rows["y"]).all()
    again = calibration.panel_of(design, spec, seed=3)
    assert again.fingerprint == panel.fingerprint
    assert calibration.panel_of(design, spec, seed=4).fingerprint != panel.fingerprint
    truth = panel.truth.expand_dims(["chain", "draw"])
    found = calibration.quantities(panel, spec, truth)
    assert np.isfinite(found).all()
    labels = found["parameter"].to_numpy().tolist()
    assert len(labels) == len(set(labels))
    assert {"mu_beta", "sigma_ou[beta]", "beta[OU-1]", "sigma_y", OUTCOMES, SURVEYS} < {*labels}


def prior_as_posterior(panel: Panel, seed: int) -> Fit:
    """What a sampler would leave that looks at no data."""
    model = build_model(panel, BASELINE)
    names = [name for name in panel.truth if name in model.named_vars]
    with quiet(), in_python():
        values = pm.draw([model[name] for name in names], draws=DRAWS, random_seed=seed)
    drawn = xr.Dataset(
        {
            name: (("chain", "draw", *panel.truth[name].dims), np.asarray(value)[None])
            for name, value in zip(names, values, strict=True)
        },
        coords=panel.truth.coords,
    )
    tree = xr.DataTree.from_dict({"posterior": drawn})
    return Fit(panel=panel, spec=BASELINE, sampling=Sampling(), tree=tree, key="")


def test_a_posterior_that_is_the_prior_is_found_by_what_depends_on_the_data(design: Panel) -> None:
    found = []
    for seed in range(25):
        panel = calibration.panel_of(design, BASELINE, seed=seed)
        found.append(calibration.ranks(prior_as_posterior(panel, 1000 + seed)))
    table = np.array([one.to_numpy() for one in found])
    p_value = {
        label: stats.kstest((column + 0.5) / (DRAWS + 1), "uniform").pvalue
        for label, column in zip(found[0].index, table.T, strict=True)
    }
    of_data = {p_value.pop(OUTCOMES), p_value.pop(SURVEYS)}
    assert min(p_value.values()) > 1e-4  # twenty of them, and not independent
    assert max(of_data) < 1e-6


SHORT = Sampling(draws=100, tune=200, chains=2, signs="one", seed=1)


def test_a_table_of_replications_goes_on_where_it_was(tmp_path: Path) -> None:
    file, told = tmp_path / "baseline.csv", []
    assert calibration.calibrate(BASELINE, [5, 4], file, sampling=SHORT, workers=1) == []
    table = calibration.read(file)
    assert table["seed"].tolist() == [4, 5]
    for _, row in table.iterrows():
        assert row["sampled"] == (not row["failed"])
        assert all(0 <= row[label] <= DRAWS for label in ("mu_beta", "beta[OU-2]", OUTCOMES))
    before = file.read_text()
    calibration.calibrate(BASELINE, [4, 5], file, sampling=SHORT, workers=1, report=told.append)
    assert not told
    assert file.read_text() == before
    broken = calibration.calibrate(BASELINE, [6, -1], file, sampling=SHORT, workers=2)
    assert [(one.item, "ValueError" in one.error) for one in broken] == [(-1, True)]
    other = tmp_path / "other.csv"
    calibration.calibrate(BASELINE, [4, 5, 6], other, sampling=SHORT, workers=2)
    assert other.read_text() == file.read_text()


def test_rows_of_another_way_are_not_added_to(tmp_path: Path) -> None:
    file = tmp_path / "baseline.csv"
    calibration.calibrate(BASELINE, [5], file, sampling=SHORT, workers=1)
    before = file.read_text()
    for spec, sampling in ((UPGRADED, SHORT), (BASELINE, replace(SHORT, draws=101))):
        with pytest.raises(UserError, match="another model, way of sampling"):
            calibration.calibrate(spec, [6], file, sampling=sampling, workers=1)
    assert file.read_text() == before
    file.write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="no table of replications"):
        calibration.calibrate(BASELINE, [6], file, sampling=SHORT, workers=1)


@pytest.mark.parametrize(("above", "rank"), [(-100.0, 0), (100.0, DRAWS)])
def test_a_rank_counts_the_draws_below_the_truth(design: Panel, above: float, rank: int) -> None:
    panel = calibration.panel_of(design, BASELINE, seed=1)
    truth = panel.truth.assign(mu_beta=panel.truth["mu_beta"] + above)
    made = prior_as_posterior(replace(panel, truth=truth), 1)
    assert calibration.ranks(made)["mu_beta"] == rank


def test_the_command_says_what_is_wrong_and_leaves_tables(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["sbc", "--out", str(tmp_path / "sbc"), "--replications", "2", "--workers", "1"]
    assert main([*command, "--models", "baseline,other"]) == 2
    assert "--models other" in capsys.readouterr().err
    assert not (tmp_path / "sbc").exists()

    def made(seed: int, **given: object) -> dict[str, int | bool | str]:
        if seed == 2:
            raise ValueError("no such panel")
        return {"seed": seed, "sampled": True, "failed": "", "mu_beta": 7}

    monkeypatch.setattr(calibration, "replication", made)
    assert main([*command, "--models", "baseline"]) == 1
    found = capsys.readouterr()
    assert "baseline: 1 replications, 1 of them settled." in found.err
    assert "baseline, seed 2: ValueError: no such panel" in found.err
    assert found.out.splitlines() == [str(tmp_path / "sbc" / "baseline.csv")]
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    assert main(["sbc", "--out", str(tmp_path / "mine"), "--models", "baseline"]) == 2


def test_a_panel_without_a_truth_has_no_ranks(design: Panel) -> None:
    with pytest.raises(ValueError, match="truth"):
        calibration.ranks(prior_as_posterior_without_truth(design))


def prior_as_posterior_without_truth(design: Panel) -> Fit:
    panel = calibration.panel_of(design, BASELINE, seed=1)
    return replace(prior_as_posterior(panel, 1), panel=replace(panel, truth=None))
