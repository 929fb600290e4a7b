"""The command line: what it prints, what it writes, and its exit status."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from oulib.book import pipeline, schedule
from oulib.book.notebook import ChapterFailed, GluedVerdict
from oulib.book.schedule import Progress, Running
from oulib.cli import configured, main, options_of
from oulib.files import source_root
from oulib.model.spec import MODELS
from oulib.panel import truth
from oulib.panel.simulate import simulate

HEADER = "ou,site,month,productivity,survey,respondents\n"


@pytest.fixture
def panel(tmp_path) -> Path:
    small = simulate("baseline", n_ou=6, n_site=2, n_month=12, wave_every=3, seed=1)
    truth.write(small, file := tmp_path / "in" / "panel.csv")
    return file


def status(*arguments: object) -> int:
    """The exit status, whether the options were refused or the command ran."""
    try:
        return main([str(argument) for argument in arguments])
    except SystemExit as stop:
        return stop.code


def test_help_lists_the_commands_and_the_exit_statuses():
    done = subprocess.run(
        [sys.executable, "-m", "oulib", "--help"], capture_output=True, text=True, check=True
    )
    for word in ("check", "simulate", "fit", "run", "exit status"):
        assert word in done.stdout
    assert done.stderr == ""


def test_check_shows_what_is_in_a_panel(panel, capsys):
    assert status("check", panel) == 0
    said = capsys.readouterr().out
    for line in ("OUs          6", "sites        2", "months       12 (2022-01 to 2022-12)"):
        assert line in said
    assert "of 24 planned surveys answered" in said


def test_check_maps_columns_and_says_that_there_is_no_schedule(panel, tmp_path, capsys):
    frame = pd.read_csv(panel).drop(columns="scheduled")
    frame = frame.rename(columns={"survey": "engagement = x", "ou": "unit"})
    frame.to_csv(other := tmp_path / "other.csv", index=False)
    assert status("check", other, "--column", "survey=engagement = x", "--column", "ou=unit") == 0
    assert "schedule     not in the file" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HEADER, ["no row under it"]),
        (HEADER + "a,s,2024-01,x,,\nb,s,2024-01,-1,,\n", ["row 2", "row 3", "'x'", "productivity"]),
    ],
)
def test_a_bad_panel_is_described_without_a_traceback(tmp_path, capsys, text, words):
    file, out = tmp_path / "bad.csv", tmp_path / "out"
    file.write_text(text)
    for command in (["check", file], ["run", file, "--out", out]):
        assert status(*command) == 2
        printed, said = capsys.readouterr()
        assert printed == ""
        assert "Traceback" not in said
        for word in words:
            assert word in said
    assert status("fit", file, "--model", "baseline", "--out", out) == 2
    assert sorted(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["fit", "F", "--model", "no such", "--out", "O"], [*MODELS, "no such"]),
        (["fit", "F", "--model", "baseline"], ["--out"]),
        (
            ["fit", "F", "--model", "baseline", "--out", "O", "--draws", "0"],
            ["--draws", "at least"],
        ),
        (["fit", "F", "--model", "baseline", "--out", "O", "--draws", "1e3"], ["--draws", "whole"]),
        (["fit", "F", "--model", "baseline", "--out", "O", "--chains", "-1"], ["--chains"]),
        (["fit", "F", "--model", "baseline", "--out", "O", "--target-accept", "1"], ["between 0"]),
        (["fit", "F", "--model", "baseline", "--out", "O", "--sampler", "gibbs"], ["nutpie"]),
        (["fit", "F", "--model", "baseline", "--out", "F"], ["not a folder"]),
        (["fit", "F", "--model", "baseline", "--out", "F/x"], ["not a folder"]),
        (["fit", "F", "--model", "baseline", "--out", "IN"], ["did not make"]),
        (["run", "F", "--out", "F"], ["not a folder"]),
        (["run", "F", "--out", "IN"], ["did not make"]),
        (["run", "F", "--out", "O", "--seed", str(2**32)], ["--seed"]),
        (["run", "F", "--out", "O", "--jobs", "0"], ["--jobs", "at least 1"]),
        (["run", "F", "--out", "O", "--column", "survey"], ["--column", "NAME=COLUMN"]),
        (["run", "F", "--out", "O", "--column", "=x"], ["NAME=COLUMN"]),
        (["run", "nowhere.csv", "--out", "O"], ["nowhere.csv"]),
        (["check", "F", "--column", "ou=a", "--column", "ou=b"], ["ou", "twice"]),
        (["check", "F", "--column", "mood=a"], ["mood"]),
        (["simulate", "--out", "O/p.xlsx"], [".csv"]),
        (["simulate", "--out", "IN"], [".csv"]),
        (["simulate", "--out", "O/p.csv", "--ous", "1"], ["--ous"]),
        (["simulate", "--out", "O/p.csv", "--ous", "3", "--sites", "4"], ["4 sites"]),
        (["simulate", "--out", "O/p.csv", "--recipe", "cake"], ["cake"]),
        (["simulate"], ["--out"]),
        ([], ["COMMAND"]),
        (["bake"], ["bake"]),
    ],
)
def test_a_bad_option_is_refused_before_any_work(panel, tmp_path, capsys, options, words):
    places = {"F": panel, "O": tmp_path / "O", "IN": panel.parent}
    before = sorted(tmp_path.rglob("*"))
    given = []
    for option in options:
        first, slash, rest = option.partition("/")
        given.append(f"{places.get(first, first)}{slash}{rest}")
    assert status(*given) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    for word in words:
        assert word in said
    assert sorted(tmp_path.rglob("*")) == before


def test_simulate_writes_a_panel_that_check_accepts(tmp_path, capsys):
    out = tmp_path / "new" / "p.csv"
    options = ["--ous", 5, "--sites", 2, "--months", 12, "--wave-every", 3, "--seed", 7]
    assert status("simulate", "--recipe", "baseline", *options, "--out", out) == 0
    assert capsys.readouterr().out.split() == [str(out), str(out.with_suffix(".truth.json"))]
    assert status("check", out) == 0
    first = out.read_bytes()
    assert status("simulate", "--recipe", "baseline", *options, "--out", out) == 0
    assert out.read_bytes() == first


def test_simulate_does_not_replace_a_file_it_did_not_make(tmp_path, capsys):
    out = tmp_path / "mine.csv"
    out.write_text("mine")
    assert status("simulate", "--out", out) == 2
    assert "not replaced" in capsys.readouterr().err
    assert out.read_text() == "mine"


def test_fit_leaves_draws_table_and_verdict(panel, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("OULIB_CACHE", str(tmp_path / "cache"))
    short = ["--draws", 50, "--tune", 50, "--chains", 2, "--seed", 1]
    command = ["fit", panel, "--model", "baseline", "--out", tmp_path / "fit", *short]
    assert status(*command) == 0
    names = ["fit.nc", "summary.csv", "verdict.json"]
    printed, said = capsys.readouterr()
    assert printed.split() == [str(tmp_path / "fit" / name) for name in names]
    assert "The gate was not passed" in said
    assert "Each chain has 50 draws." in said
    assert sorted(path.name for path in (tmp_path / "fit").iterdir()) == names

    with xr.open_datatree(tmp_path / "fit" / "fit.nc") as tree:
        assert tree["posterior"].sizes["draw"] == 50
    table = pd.read_csv(tmp_path / "fit" / "summary.csv", index_col=0)
    assert {"mu_beta", "alpha[OU-1]", "lam[2022-03]"} <= set(table.index)
    assert list(table.columns) == (
        ["mean", "sd", "mcse_mean", "q5", "q95", "ess_bulk", "ess_tail", "r_hat"]
    )
    verdict = json.loads((tmp_path / "fit" / "verdict.json").read_text())
    assert (verdict["model"], verdict["passed"]) == ("baseline", False)

    # Again, from the cache, over the former one; the gate decides only if it is asked to.
    assert status(*command, "--strict") == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "fit", "in"]


def test_several_panels_are_fitted_into_folders_of_their_names(
    panel, tmp_path, capsys, monkeypatch
):
    monkeypatch.setenv("OULIB_CACHE", str(tmp_path / "cache"))
    second = tmp_path / "in" / "north.csv"
    second.write_text(panel.read_text())
    short = ["--draws", 50, "--tune", 50, "--chains", 2, "--seed", 1]
    out = tmp_path / "fits"
    command = ["fit", panel, second, "--model", "baseline", "--out", out, *short]
    assert status(*command) == 0
    names = ["fit.nc", "summary.csv", "verdict.json"]
    printed, said = capsys.readouterr()
    assert printed.split() == [str(out / n / name) for n in ("panel", "north") for name in names]
    assert f"{second} (2 of 2)" in said
    assert "The gate was passed by 0 of 2." in said
    assert status(*command, "--strict") == 3


def test_several_panels_are_all_read_before_any_is_fitted(panel, tmp_path, capsys):
    bad, worse = tmp_path / "bad.csv", tmp_path / "worse.csv"
    bad.write_text(HEADER + "a,s,2024-01,-3,,0\n")
    out = tmp_path / "fits"
    assert status("fit", panel, bad, worse, "--model", "baseline", "--out", out) == 2
    said = capsys.readouterr().err
    assert "bad.csv" in said
    assert "worse.csv" in said
    assert not out.exists()


def test_two_panels_of_one_name_are_refused(panel, tmp_path, capsys):
    other = tmp_path / "panel.csv"
    other.write_text(panel.read_text())
    assert status("fit", panel, other, "--model", "baseline", "--out", tmp_path / "fits") == 2
    assert "several files are named panel" in capsys.readouterr().err


def book(**changes: object) -> pipeline.Book:
    parts = {"index": Path("/x/index.html"), "verdicts": (), "failures": (), "warnings": ()}
    return pipeline.Book(**(parts | changes))


FAILED = pipeline.Failure("02-x", ChapterFailed("KeyError: 'a'", cell=3), Path("/x/logs/02-x.txt"))
WITHHELD = GluedVerdict("baseline", sampled=False)


@pytest.mark.parametrize(
    ("made", "strict", "expected", "words"),
    [
        (book(), True, 0, []),
        (book(verdicts=(WITHHELD,)), False, 0, ["not passed: baseline"]),
        (book(verdicts=(WITHHELD,)), True, 3, ["not passed: baseline"]),
        (book(verdicts=(GluedVerdict("x", sampled=False, expected_to_fail=True),)), True, 0, []),
        (book(failures=(FAILED,)), False, 1, ["02-x did not finish: cell 3: KeyError: 'a'"]),
        (book(failures=(FAILED,), verdicts=(WITHHELD,)), True, 1, ["02-x", "baseline"]),
        (book(warnings=("a.md:1: WARNING: b",)), False, 1, ["a.md:1"]),
    ],
)
def test_the_exit_status_of_run(monkeypatch, capsys, made, strict, expected, words):
    monkeypatch.setattr(pipeline, "run", lambda *_, **__: made)
    assert status("run", "--out", "x", *(["--strict"] if strict else [])) == expected
    printed, said = capsys.readouterr()
    assert printed.splitlines()[-1] == "/x/index.html"
    for word in words:
        assert word in said


def test_run_hands_on_how_many_chapters_run_at_once(monkeypatch, capsys):
    given = []
    monkeypatch.setattr(pipeline, "run", lambda *_, **options: given.append(options) or book())
    monkeypatch.setattr(schedule, "default_jobs", lambda: 7)
    assert status("run", "--out", "x", "--jobs", 3) == 0
    assert status("run", "--out", "x") == 0
    assert [options["jobs"] for options in given] == [3, 7]


def test_explain_prints_what_would_be_done_and_runs_nothing(monkeypatch, capsys):
    given = []
    lines = ["01-a: kept", "pages: kept"]
    monkeypatch.setattr(pipeline, "run", lambda *_, **__: pytest.fail("it ran"))
    monkeypatch.setattr(pipeline, "explain", lambda *a, **options: given.append(options) or lines)
    assert status("run", "--out", "x", "--draws", 9, "--explain") == 0
    assert capsys.readouterr() == ("01-a: kept\npages: kept\n", "")
    assert given[0]["settings"] == {"draws": 9}


STAGES = [
    Progress((Running("notebooks/01-a", 0.0, 0, 30),), 0, 3, None),
    Progress((Running("notebooks/01-a", 9.0, 7, 30),), 0, 3, None),
    Progress(
        (Running("notebooks/01-a", 130.0, 9, 30), Running("notebooks/02-b", 0, 1, 20)), 0, 3, 7500.0
    ),
    Progress((Running("notebooks/02-b", 4.0, 2, 20),), 1, 3, 80.0),
    Progress((), 3, 3, 0.0),
]


def run_in_stages(monkeypatch) -> None:
    def staged(*_, report, progress, **__):
        for stage in STAGES:
            progress(stage)
        report("pages: built")
        return book()

    monkeypatch.setattr(pipeline, "run", staged)
    assert status("run", "--out", "x") == 0


def test_progress_is_told_in_plain_lines_where_there_is_no_terminal(monkeypatch, capsys):
    run_in_stages(monkeypatch)
    assert capsys.readouterr().err.splitlines() == [
        "Running notebooks/01-a; 0 of 3 chapters done, 2 waiting.",
        "Running notebooks/01-a, notebooks/02-b; 0 of 3 chapters done, 1 waiting, "
        "about 2 h 05 min left.",
        "pages: built",
    ]


def test_progress_is_one_line_at_a_terminal(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "70")
    run_in_stages(monkeypatch)
    first, *rest = capsys.readouterr().err.split("\r\x1b[K")
    assert first == ""
    assert rest[0] == "0 of 3 chapters done, 2 waiting; 01-a (cell 0 of 30, 0 s)"
    assert rest[2] == "0 of 3 chapters done, 1 waiting, about 2 h 05 min left; 01-a (cell 9…"
    assert "about 80 s left; 02-b (cell 2 of" in rest[3]
    assert all(len(line) <= 69 and "\n" not in line for line in rest[:4])
    assert rest[4:] == ["pages: built\n", ""]


def test_draws_are_a_number_or_as_many_as_it_takes(monkeypatch):
    settings = []

    def run(*_, **given):
        settings.append(given["settings"])
        return book()

    monkeypatch.setattr(pipeline, "run", run)
    for draws in ("auto", "250"):
        assert status("run", "--out", "x", "--draws", draws) == 0
    assert settings == [{"draws": "auto"}, {"draws": 250}]


def test_what_nobody_expected_is_said_in_a_sentence(monkeypatch, capsys):
    def broken(*_, **__):
        raise RuntimeError("first line\nsecond line")

    monkeypatch.setattr(pipeline, "run", broken)
    assert status("run", "--out", "x") == 1
    said = capsys.readouterr().err
    assert "RuntimeError: first line" in said
    assert "--debug" in said
    assert "Traceback" not in said
    assert status("run", "--out", "x", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interruption_has_its_own_status(monkeypatch, capsys):
    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "run", stopped)
    assert status("run", "--out", "x") == 130
    assert "Interrupted" in capsys.readouterr().err


def test_check_says_how_a_file_was_read_and_what_to_look_at(panel, tmp_path, capsys):
    frame = pd.read_csv(panel)
    total = frame.groupby("month", as_index=False)["productivity"].sum()
    total = total.assign(ou="Total", site="all", respondents=0, scheduled=False)
    with pd.ExcelWriter(other := tmp_path / "other.xlsx") as book:
        pd.DataFrame({"Made by": ["us"]}).to_excel(book, sheet_name="Cover", index=False)
        pd.concat([frame, total]).to_excel(book, sheet_name="Data", startrow=2, index=False)
    assert status("check", other) == 0
    said = capsys.readouterr().out
    for words in ("sheet        'Data'", "Excel workbook", "and not 'Cover'", "OUs          7: "):
        assert words in said
    assert "Look at this:\n  The outcome of the OU 'Total' is the sum" in said
    assert status("check", other, "--json", "--strict") == 2
    printed, said = capsys.readouterr()
    assert "--strict" in said
    found = json.loads(printed)
    assert (found["sheet"], found["other_sheets"], found["header_row"]) == ("Data", ["Cover"], 3)
    assert [doubt["kind"] for doubt in found["doubts"]] == ["total"]
    assert found["survey"]["least"] <= found["survey"]["median"] <= found["survey"]["most"]
    assert status("check", panel, "--strict") == 0
    assert status("check", other, "--sheet", "Cover") == 2
    assert "there is no such column" in capsys.readouterr().err


def test_other_commands_say_how_a_file_was_read(panel, tmp_path, capsys):
    (titled := tmp_path / "titled.csv").write_text("Our units\n" + panel.read_text())
    assert status("run", titled, "--out", tmp_path / "out", "--explain") == 0
    assert "left out: 'Our units'" in capsys.readouterr().out


def test_who_reads_on_no_further_gets_no_traceback(panel):
    done = subprocess.run(
        f"{sys.executable} -m oulib check {panel} | head -c 1; exit ${{PIPESTATUS[0]}}",
        **{"shell": True, "executable": "/bin/bash", "capture_output": True, "text": True},
        check=False,
    )
    assert done.returncode in (0, 141)  # it may have said all before the reader left
    assert done.stderr == ""


def test_the_chapters_are_listed(capsys):
    assert status("chapters") == 0
    said = capsys.readouterr().out
    assert " 0  summary" in said
    assert " 8  findings" in said
    assert status("chapters", "--json") == 0
    listed = json.loads(capsys.readouterr().out)
    assert [one["number"] for one in listed] == list(range(18))
    assert all(one["title"] and one["question"] for one in listed)


def test_a_chapter_that_there_is_not(panel, tmp_path, capsys):
    assert status("run", panel, "--out", tmp_path / "out", "--chapters", "2,poetry") == 2
    said = capsys.readouterr().err
    assert "poetry" in said
    assert "2 baseline" in said
    assert "index" in said
    assert not (tmp_path / "out").exists()


def test_pages_without_a_number_are_chosen_by_their_names():
    assert pipeline.chosen(source_root(), ["index", "Chains", "2"]) == {
        *("notebooks/index", "notebooks/chains", "notebooks/02-baseline")
    }


def test_chapters_can_stand_in_a_configuration_file(tmp_path):
    (file := tmp_path / "run.yml").write_text("chapters: [2, findings]\nsheet: Data\n")
    assert configured(file, options_of("run")) == ["--chapters=2,findings", "--sheet=Data"]


def test_everything_wrong_in_a_configuration_is_said_at_once(panel, tmp_path, capsys):
    (file := tmp_path / "run.yml").write_text(
        "drws: 500\nchains: two\nseed: -1\nstrict: perhaps\nmodel: baseline\ncolumns: survey\n"
    )
    assert status("run", panel, "--out", tmp_path / "out", "--config", file) == 2
    said = capsys.readouterr().err
    for words in (
        "drws is no option here. Is draws meant?",
        "chains: 'two' is not a whole number",
        "seed: '-1' is not a whole number, at least 0",
        "strict is true or false, and not 'perhaps'",
        "model is no option here",
        "columns must be a mapping",
    ):
        assert words in said
    assert not (tmp_path / "out").exists()


def test_every_key_of_a_configuration_is_documented():
    root = Path(__file__).parents[1]
    made = runpy.run_path(str(root / "tools" / "configuration.py"))["configuration"]()
    assert (root / "docs" / "configuration.md").read_text(encoding="utf-8") == made, (
        "docs/configuration.md does not match the options: run python tools/configuration.py."
    )


HOMELESS = """
import os
import oulib.files
from oulib.cli import main
from oulib.sampling.cache import cache_dir
from oulib.sampling.compiled import compiled_dir
print(oulib.files.settle(), compiled_dir(), os.environ["MPLCONFIGDIR"])
assert "generated_src_dir" in os.environ["PYTENSOR_FLAGS"]
import oulib.report, oulib.sampling.fit  # PyTensor, Numba and matplotlib find a place
main(["fit", "nothing.csv", "--model", "baseline", "--out", "x"])
"""


def test_a_home_that_cannot_be_written_is_done_without(tmp_path):
    kept = ("XDG_CACHE_HOME", "OULIB_COMPILED", "MPLCONFIGDIR", "NUMBA_CACHE_DIR", "PYTENSOR_FLAGS")
    env = {name: value for name, value in os.environ.items() if name not in kept}
    done = subprocess.run(
        [sys.executable, "-c", HOMELESS],
        env=env | {"HOME": "/dev/null/home", "TMPDIR": str(tmp_path)},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=True,
    )
    aside = tmp_path / f"oulib-{os.getuid()}"
    assert done.stdout.split() == [
        str(place) for place in (aside, aside / "cache/oulib/compiled", aside / "matplotlib")
    ]
    first, second, *_ = done.stderr.splitlines()
    assert first == f"The home folder cannot be written; what is compiled is kept in {aside}."
    assert "nothing.csv" in second
    assert [place.name for place in tmp_path.iterdir()] == [aside.name]


def test_a_home_that_is_not_there_is_not_made(tmp_path):
    home = tmp_path / "nobody"
    code = "import oulib.files; print(oulib.files.settle() is None)"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"HOME": str(home), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False\n"
    assert not home.exists()
