"""What a run leaves for other programs: the fits of its own panel, tables, a record of them."""

import hashlib
import json
from base64 import b64encode
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from nbformat import v4

from oulib.book.handed import RECORD, hand_over
from oulib.panel import Panel
from oulib.panel.simulate import simulate


@pytest.fixture(scope="module")
def panel() -> Panel:
    return simulate("baseline", n_ou=4, n_site=2, n_month=6, wave_every=2, seed=1)


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two fits in a cache of their own."""
    monkeypatch.setenv("OULIB_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    (tmp_path / "cache" / "fits").mkdir(parents=True)
    for key in ("one", "two"):
        draws = xr.Dataset({"mu_beta": (("chain", "draw"), rng.normal(size=(2, 50)))})
        tree = xr.DataTree.from_dict({"posterior": draws})
        tree.attrs["sampling"] = json.dumps({"seed": 7})
        tree.to_netcdf(tmp_path / "cache" / "fits" / f"{key}.nc", engine="netcdf4")
    return ["one", "two"]


def chapter(*glued: dict, table: str = "", content: bytes = b"a,b") -> object:
    cells = [v4.new_code_cell("")]
    for one in glued:
        record = {"application/papermill.record/application/json": json.dumps(one)}
        about = {"scrapbook": {"name": f"verdict_{one['model']}"}}
        cells[0].outputs.append(v4.new_output("display_data", record, metadata=about))
    if table:
        link = f'<a download="{table}" href="data:text/csv;base64,{b64encode(content).decode()}">'
        cells[0].outputs.append(v4.new_output("display_data", {"text/html": link}))
    return v4.new_notebook(cells=cells)


def glued(panel: Panel, model: str, fit: str, **more: object) -> dict:
    return {"model": model, "sampled": True, "fit": fit, "panel": panel.fingerprint} | more


def test_fits_and_tables_lie_beside_the_book(panel: Panel, keys: list[str], tmp_path: Path):
    other = glued(panel, "site", keys[1]) | {"panel": "another"}
    variant = glued(panel, "baseline, narrow", keys[1])
    chapters = {
        "02": chapter(glued(panel, "baseline", keys[0], adequate=True), table="../effects.csv"),
        "03": chapter(
            glued(panel, "baseline", keys[1]), other, variant, table="effects.csv", content=b"c"
        ),
    }
    out = tmp_path / "out"
    about = {"settings": {"seed": 3}}
    files = hand_over(out, chapters, panel, about)
    names = ["fits/baseline.nc", "fits/baseline.csv", "tables/effects.csv"]
    assert files == (*(out / name for name in names), out / RECORD)
    record = json.loads((out / RECORD).read_text())
    assert (record["settings"], record["panel"]) == ({"seed": 3}, panel.fingerprint)
    for name in names:
        content = (out / name).read_bytes()
        assert record["files"][name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert record["files"][name]["chapter"] == "02"
    assert record["files"][names[0]]["key"] == keys[0]
    assert record["files"][names[0]]["adequate"] is True
    assert record["files"][names[0]]["sampling"] == {"seed": 7}
    assert (out / names[2]).read_bytes() == b"a,b"
    with xr.open_datatree(out / names[0]) as tree:
        drawn = float(tree["posterior"]["mu_beta"].mean())
    assert pd.read_csv(out / names[1], index_col=0).loc["mu_beta", "mean"] == pytest.approx(drawn)


def test_what_is_not_of_this_run_goes(panel: Panel, keys: list[str], tmp_path: Path):
    out = tmp_path / "out"
    first = {"02": chapter(glued(panel, "baseline", keys[0]), table="effects.csv")}
    hand_over(out, first, panel, {})
    (out / "tables" / "mine.csv").touch()
    draws = out / "fits" / "baseline.nc"
    before = draws.stat().st_mtime_ns
    hand_over(out, first, panel, {})
    assert draws.stat().st_mtime_ns == before
    content = draws.read_bytes()
    draws.write_bytes(b"altered")
    hand_over(out, first, panel, {})
    assert draws.read_bytes() == content
    hand_over(out, {"02": chapter(glued(panel, "robust", keys[1]))}, panel, {})
    assert sorted(file.name for file in (out / "fits").iterdir()) == ["robust.csv", "robust.nc"]
    assert [file.name for file in (out / "tables").iterdir()] == ["mine.csv"]
    # Of a fit that the cache has no more nothing is left, and of a broken record nothing is made.
    (tmp_path / "mine.txt").touch()
    (out / RECORD).write_text(json.dumps({"files": {"../mine.txt": {}, "fits/../../mine.txt": {}}}))
    hand_over(out, {}, panel, {})
    assert (tmp_path / "mine.txt").exists()
    (out / RECORD).write_text("[]")
    assert hand_over(out, {"02": chapter(glued(panel, "ar1", "gone"))}, panel, {}) == (
        out / RECORD,
    )
