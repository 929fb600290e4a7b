"""Kill a command at a place where it writes, and again elsewhere: ``python tests/killing.py``

A command is run in a process of its own that ends itself, by SIGKILL, at the n-th time that Python
makes, opens for writing, renames or removes anything in one of the folders it is given.  Run as a
script it kills ``fit``, ``report`` and ``run`` at many such places each, lets them end, and says
whether everything is as if nothing had been.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_CHILD = """
import os, signal, sys
from pathlib import Path
at, count, command = int(sys.argv[1]), sys.argv[2], sys.argv[4:]
folders = sys.argv[3].split(os.pathsep)
CHANGES = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink"}
seen = 0

def hook(event, args):
    global seen
    if event == "open":
        changes = isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
    else:
        changes = event in CHANGES
    if changes and isinstance(args[0], (str, os.PathLike)):
        if any(os.path.abspath(args[0]).startswith(one) for one in folders):
            seen += 1
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(hook)
from oulib.cli import main
if source := os.environ.get("A_BOOK"):
    from oulib.book import pipeline
    pipeline.source_root = lambda: Path(source)
status = main(command)
sys.stdout.flush()
if count:
    with open(count, "w") as file:
        file.write(str(seen))
os._exit(status)
"""


def killed(
    command: Sequence[object], at: int, folders: Sequence[Path], env: Mapping[str, str]
) -> tuple[int, str]:
    """Run ``command`` and kill it at its write number ``at``; 0 lets it end.

    Returns its exit status (-9 if it was killed) and what it said.
    """
    done = _run(command, at, folders, env, "")
    return done.returncode, done.stdout + done.stderr


def writes(command: Sequence[object], folders: Sequence[Path], env: Mapping[str, str]) -> int:
    """How many places there are at which ``command``, let to its end, can be killed."""
    with tempfile.TemporaryDirectory() as aside:
        done = _run(command, 0, folders, env, str(Path(aside, "count")))
        if done.returncode not in (0, 3):
            raise RuntimeError(done.stdout + done.stderr)
        return int(Path(aside, "count").read_text())


def _run(
    command: Sequence[object], at: int, folders: Sequence[Path], env: Mapping[str, str], count: str
) -> subprocess.CompletedProcess[str]:
    words = [str(at), count, os.pathsep.join(map(str, folders)), *map(str, command)]
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _CHILD, *words],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def left_over(*folders: Path) -> list[Path]:
    """Temporaries that a killed process has left in ``folders``."""
    return [
        file
        for folder in folders
        for file in folder.rglob(".*")
        if file.name not in (".oulib", ".gitignore") and "-" in file.name
    ]


def spread(most: int, points: int) -> list[int]:
    """About so many places of 1 to ``most``, spread evenly, the first and the last among them."""
    wanted = min(points, most)
    return sorted({1 + round(k * (most - 1) / max(wanted - 1, 1)) for k in range(wanted)})


def everywhere(
    command: Callable[[Path], Sequence[object]],
    result: Callable[[Path], object],
    env: Callable[[Path], Mapping[str, str]],
    points: int,
    warm: Callable[[Path], None] = lambda folder: None,
) -> tuple[int, list[int]]:
    """Kill a command in a folder of its own at many places; returns how many, and which ended ill.

    After each death it is run once more, and what it then has must be what an undisturbed run has.
    """
    with tempfile.TemporaryDirectory() as aside:
        plain = Path(aside, "plain")
        plain.mkdir()
        warm(plain)
        most = writes(command(plain), [plain], env(plain))
        expected = result(plain)
        wrong, places = [], spread(most, points)
        for at in places:
            place = Path(aside, f"at-{at}")
            place.mkdir()
            warm(place)
            status, _ = killed(command(place), at, [place], env(place))
            again, said = killed(command(place), 0, [place], env(place))
            whole = status == -signal.SIGKILL and again in (0, 3) and result(place) == expected
            if not whole or left_over(place):
                wrong.append(at)
                left = left_over(place)
                sys.stderr.write(f"{at}: {status}, then {again}: {said[-500:]} {left}\n")
            shutil.rmtree(place)
        return len(places), wrong


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return {str(file.relative_to(folder)): file.read_bytes() for file in files}


def main() -> int:
    """The script; returns its exit code."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--points", type=int, default=30, help="places a command is killed at")
    parser.add_argument("--commands", nargs="+", choices=list(CASES), default=list(CASES))
    given = parser.parse_args()
    failed = 0
    for name in given.commands:
        number, wrong = everywhere(**CASES[name](), points=given.points)
        failed += len(wrong)
        print(f"{name}: killed at {number} places, {number - len(wrong)} whole", flush=True)
    return 1 if failed else 0


def _panel(folder: Path) -> None:
    from oulib.panel import truth
    from oulib.panel.simulate import simulate

    small = simulate("baseline", n_ou=6, n_site=2, n_month=12, wave_every=3, seed=1)
    truth.write(small, folder / "in" / "panel.csv")


def fitting(*, compiled: bool = False) -> dict:
    """``fit``, with its cache; with ``compiled`` the compiled model is made anew, too."""

    def env(folder: Path) -> dict[str, str]:
        own = {"OULIB_COMPILED": str(folder / "compiled")} if compiled else {}
        return {"OULIB_CACHE": str(folder / "cache"), "TMPDIR": str(folder)} | own

    def command(folder: Path) -> list[object]:
        short = ["--draws", 50, "--tune", 50, "--chains", 2, "--seed", 1]
        panel = folder / "in" / "panel.csv"
        return ["fit", panel, "--model", "baseline", "--out", folder / "fit", *short]

    def result(folder: Path) -> object:
        import xarray as xr

        verdict = (folder / "fit" / "verdict.json").read_text()
        with xr.open_datatree(folder / "fit" / "fit.nc") as tree:
            draws = tree["posterior"].to_dataset().load()
        table = (folder / "fit" / "summary.csv").read_text()
        values = {str(name): draws[name].to_numpy().tobytes() for name in sorted(draws.data_vars)}
        return verdict, table, values

    return {"command": command, "result": result, "env": env, "warm": _panel}


def summing_up() -> dict:
    """``report``, of a chapter that fits nothing."""
    return _book("report", lambda folder: contents_but_state(folder / "out"))


def running() -> dict:
    """``run``, of two chapters that fit nothing, and their pages."""

    def result(folder: Path) -> object:
        pages = sorted((folder / "out" / "html").rglob("*.html"))
        chapters = sorted((folder / "out" / "source" / "notebooks").glob("*.ipynb"))
        return [(page.name, page.read_bytes()) for page in (*pages, *chapters)]

    return _book("run", result)


def contents_but_state(folder: Path) -> dict[str, bytes]:
    """The files of a summary, without what the run keeps for itself."""
    return {k: v for k, v in contents(folder).items() if not k.startswith(".oulib")}


def _book(name: str, result: Callable[[Path], object]) -> dict:
    def warm(folder: Path) -> None:
        from book.test_pipeline import chapter, make_source, write_chapter

        source = make_source(folder / "src")
        write_chapter(source, "00-summary", chapter("Summary", "print(1)"))
        contents = (source / "_toc.yml").read_text()
        first = "  chapters:\n  - file: notebooks/00-summary\n"
        (source / "_toc.yml").write_text(contents.replace("  chapters:\n", first))
        _panel(folder)

    def command(folder: Path) -> list[object]:
        return [name, folder / "in" / "panel.csv", "--out", folder / "out"]

    def env(folder: Path) -> dict[str, str]:
        return {"TMPDIR": str(folder), "A_BOOK": str(folder / "src")}

    return {"command": command, "result": result, "env": env, "warm": warm}


CASES: dict[str, Callable[[], dict]] = {
    "fit": fitting,
    "fit, compiling": lambda: fitting(compiled=True),
    "report": summing_up,
    "run": running,
}

if __name__ == "__main__":
    sys.exit(main())
