"""Further columns of a panel: how they are coded, what is refused, and the configuration file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oulib import read_panel, simulate
from oulib.cli import configured, main, options_of
from oulib.errors import UserError
from oulib.panel import PanelError, truth


@pytest.fixture
def frame() -> pd.DataFrame:
    """A small panel with a number and a category of three values beside its own columns."""
    small = simulate("baseline", n_ou=6, n_site=2, n_month=12, wave_every=3, seed=1).to_frame()
    rng = np.random.default_rng(1)
    regions = ["North", "South", "South", "West", "West", "West"]
    return small.assign(
        size=np.round(rng.normal(50, 10, len(small)), 2),
        region=np.repeat(regions, 12),
    )


def written(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(path := folder / "panel.csv", index=False)
    return path


def test_numbers_are_standardised_and_categories_compared_with_the_most_frequent(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    panel = read_panel(written(frame, tmp_path), covariates=["size", "region"])
    assert panel.covariates == ("size", "region=North", "region=South")
    z = panel.rows["covariates"].to_pandas()
    size = frame["size"]
    np.testing.assert_allclose(z["size"], (size - size.mean()) / size.std(ddof=0))
    np.testing.assert_allclose(z.mean(), 0, atol=1e-12)
    north = z["region=North"].to_numpy()
    assert np.ptp(north) == pytest.approx(1)
    assert ((north > 0) == (frame["region"] == "North")).all()


def test_names_are_found_whatever_their_case_and_the_panel_is_whole_again_as_a_table(
    frame: pd.DataFrame, tmp_path: Path
) -> None:
    panel = read_panel(written(frame, tmp_path), covariates=["Size", "REGION"])
    table = panel.to_frame()
    np.testing.assert_array_equal(table["Size"], frame["size"])
    np.testing.assert_array_equal(table["REGION"], frame["region"])
    again = read_panel(written(table, tmp_path), covariates=["Size", "REGION"])
    assert again.fingerprint == panel.fingerprint
    assert panel.fingerprint != panel.without_covariates().fingerprint
    bare = read_panel(written(frame, tmp_path))
    assert panel.without_covariates().fingerprint == bare.fingerprint
    rest = panel.select_rows(np.arange(10))
    np.testing.assert_array_equal(
        rest.rows["covariates"], panel.rows["covariates"].isel(row=slice(10))
    )


def test_the_rows_may_stand_in_any_order(frame: pd.DataFrame, tmp_path: Path) -> None:
    mixed = frame.sample(frac=1, random_state=1)
    one = read_panel(written(frame, tmp_path), covariates=["size", "region"])
    other = read_panel(written(mixed, tmp_path), covariates=["size", "region"])
    np.testing.assert_allclose(one.rows["covariates"], other.rows["covariates"])


def test_every_problem_is_named_at_once(frame: pd.DataFrame, tmp_path: Path) -> None:
    broken = frame.assign(
        size=frame["size"].where(frame.index != 3),
        same=1,
        many=[f"v{k}" for k in range(len(frame))],
        mixed=["?" if k == 5 else str(k) for k in range(len(frame))],
    )
    wanted = ["size", "same", "many", "mixed", "regoin", "survey"]
    with pytest.raises(PanelError) as caught:
        read_panel(written(broken, tmp_path), covariates=wanted)
    message = str(caught.value)
    assert "row 5, column 'size': a covariate is missing here" in message
    assert "column 'same': the same value in every row" in message
    assert "column 'many': 72 different values, so it is a label" in message
    assert "column 'mixed': 1 of 72 cells are not numbers ('?')" in message
    assert "Do you mean 'region'?" in message
    assert "it is the panel's survey and cannot be a covariate" in message
    assert len(caught.value.problems) == 6


def test_a_simulated_truth_is_found_with_covariates_and_without(tmp_path: Path) -> None:
    size = {"n_ou": 6, "n_site": 2, "n_month": 12, "wave_every": 3}
    made = simulate("baseline", **size, seed=1, coef=(0.5, 0.0))
    truth.write(made, path := tmp_path / "panel.csv")
    found = truth.load(path, covariates=["z01", "z02"])
    np.testing.assert_allclose(found.truth["coef"], made.truth["coef"])
    assert truth.load(path).truth is not None
    assert found.fingerprint == made.fingerprint


def test_covariates_do_not_change_what_is_simulated_without_them() -> None:
    size = {"n_ou": 6, "n_site": 2, "n_month": 12, "wave_every": 3}
    plain = simulate("upgraded", **size, seed=1)
    rich = simulate("upgraded", **size, seed=1, coef=(0.0,), sigma_trend=0.0)
    assert rich.without_covariates().fingerprint == plain.fingerprint


def test_a_configuration_is_the_options_it_stands_for(tmp_path: Path) -> None:
    file = tmp_path / "run.yml"
    file.write_text(
        "covariates: [size, region]\ncolumns: {survey: engagement}\ndraws: 500\nstrict: true\n"
        "target_accept: 0.95\n"
    )
    assert configured(file, options_of("fit")) == [
        *("--covariate=size", "--covariate=region", "--column=survey=engagement"),
        *("--draws=500", "--strict", "--target-accept=0.95"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("- a\n", "options are wanted"),
        ("a: [1\n", "not YAML"),
        ("covariates: size\n", "covariates must be a list"),
        ("draws: {a: 1}\n", "draws has no single value"),
    ],
)
def test_a_configuration_that_says_nothing_is_refused(
    text: str, message: str, tmp_path: Path
) -> None:
    (file := tmp_path / "run.yml").write_text(text)
    with pytest.raises(UserError, match=message):
        configured(file, options_of("run"))


def test_the_command_line_reads_covariates_from_a_configuration(
    frame: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (file := tmp_path / "run.yml").write_text("covariates: [size, region]\n")
    path = written(frame, tmp_path)
    assert main(["check", str(path), "--config", str(file)]) == 0
    assert "size, region=North, region=South" in capsys.readouterr().out
    assert main(["check", str(path), "--config", str(tmp_path / "none.yml")]) == 2
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "odd.yml").write_text("colour: red\n")
    assert main(["check", str(path), "--config", str(tmp_path / "odd.yml")]) == 2
    assert "colour is no option here" in capsys.readouterr().err
