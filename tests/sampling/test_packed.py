"""Results that one machine computed are found on another, or refused with a reason."""

from __future__ import annotations

import json
import os
import time
import zipfile
from pathlib import Path

import pytest
import xarray as xr

from oulib.cli import main
from oulib.errors import UserError
from oulib.sampling import cache, packed

QUESTION = cache.key_of({"asked": 1}, ())


@pytest.fixture
def handed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two results, packed, and an empty cache to put them into."""
    monkeypatch.setenv("OULIB_CACHE", str(tmp_path / "theirs"))
    for kind in ("fits", "loo"):
        cache.fetch(kind, QUESTION, lambda: xr.DataTree(xr.Dataset({"mean": 2.5})))
    file = packed.pack(packed.used_since(0.0), tmp_path / "fits.zip")
    monkeypatch.setenv("OULIB_CACHE", str(tmp_path / "ours"))
    return file


def never() -> xr.DataTree:
    raise AssertionError("computed again")


def test_what_is_handed_out_is_not_computed_again(
    handed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["unpack", str(handed)]) == 0
    assert capsys.readouterr().out.startswith("2 results are in ")
    for kind in ("fits", "loo"):
        tree, _ = cache.fetch(kind, QUESTION, never)
        assert float(tree["mean"]) == 2.5


def test_only_what_was_read_or_computed_since_is_packed(
    handed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OULIB_CACHE", str(tmp_path / "theirs"))
    start = time.time()
    for kind in ("fits", "loo"):
        os.utime(cache.cache_dir() / kind / f"{QUESTION}.nc", (start - 60, start - 60))
    assert packed.used_since(start) == []
    cache.fetch("fits", QUESTION, never)
    new = cache.key_of({"asked": 2}, ())
    cache.fetch("loo", new, lambda: xr.DataTree(xr.Dataset({"mean": 1.0})))
    used = [f"{file.parent.name}/{file.stem}" for file in packed.used_since(start)]
    assert used == [f"fits/{QUESTION}", f"loo/{new}"]


@pytest.mark.parametrize("other", ["pymc", "oulib's code"])
def test_results_of_another_version_are_refused_and_which_is_said(
    handed: Path, tmp_path: Path, other: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rewritten(handed, lambda about: about | {other: "5.0"})
    assert main(["unpack", str(handed)]) == 2
    said = capsys.readouterr().err
    assert f"computed with {other} 5.0 (here " in said
    assert not (tmp_path / "ours").exists()


def rewritten(file: Path, change: object, **added: str) -> None:
    """The archive with another description, and more in it."""
    with zipfile.ZipFile(file) as archive:
        held = {name: archive.read(name) for name in archive.namelist()}
    held[packed.ABOUT] = json.dumps(change(json.loads(held[packed.ABOUT]))).encode()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in {**held, **added}.items():
            archive.writestr(name, content)


def test_what_would_be_written_elsewhere_is_refused(handed: Path, tmp_path: Path) -> None:
    rewritten(handed, lambda about: about, **{"../outside.nc": "x"})
    with pytest.raises(UserError, match="outside"):
        packed.unpack(handed)
    assert not (tmp_path / "ours").exists()


def test_other_files_are_refused(handed: Path, tmp_path: Path) -> None:
    whole = handed.read_bytes()
    damaged = bytearray(whole)
    at = whole.index(b".nc") + 200
    damaged[at : at + 20] = bytes(20)
    handed.write_bytes(damaged)
    with pytest.raises(UserError, match="damaged"):
        packed.unpack(handed)
    handed.write_bytes(whole[:-100])
    with pytest.raises(UserError, match="no ZIP archive"):
        packed.unpack(handed)
    with zipfile.ZipFile(handed, "w") as archive:
        archive.writestr("thesis.txt", "mine")
    with pytest.raises(UserError, match="no results"):
        packed.unpack(handed)
    with pytest.raises(UserError, match="No such file"):
        packed.unpack(tmp_path / "none.zip")
    assert not (tmp_path / "ours").exists()
