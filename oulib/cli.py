"""The command line: ``oulib check | simulate | fit | report | run`` and what stands beside them.

It reads options, calls the library and says what happened; it computes nothing.  What a command
needs is imported inside it, so that help and refusals come at once.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import signal
import sys
import textwrap
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from oulib.errors import UserError
from oulib.files import settle

if TYPE_CHECKING:
    from oulib.book.schedule import Progress
    from oulib.model.spec import ModelSpec
    from oulib.panel import Panel
    from oulib.sampling.fit import Sampling

OK, BROKEN, USER_ERROR, GATE_FAILED = 0, 1, 2, 3
INTERRUPTED, PIPE_CLOSED, TERMINATED = 130, 141, 143

_EPILOG = """\
exit status: 0 all well; 1 something broke (a chapter, the build of the pages); 2 a mistake in the
options or the panel file, and nothing was written; 3 with --strict, a gate that was not passed;
130 interrupted; 141 nobody read on; 143 terminated."""


class _Terminated(KeyboardInterrupt):
    """The system asked this process to end; it ends as after Ctrl-C, with another status."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    parser = _parser()
    try:
        args = parser.parse_args(argv)
        if getattr(args, "config", None) is not None:
            given = list(sys.argv[1:] if argv is None else argv)
            # After the command's name, and before what was given: that has the last word.
            words = configured(args.config, args.options())
            args = parser.parse_args([given[0], *words, *given[1:]])
    except UserError as error:
        _say(str(error))
        return USER_ERROR
    aside = settle()
    if aside and args.command in (_fit, _report, _run):
        _say(f"The home folder cannot be written; what is compiled is kept in {aside}.")
    try:
        status = args.command(args)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # who read what is printed has had enough
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        return PIPE_CLOSED
    except UserError as error:
        _say(str(error))
        return USER_ERROR
    except KeyboardInterrupt as stop:
        _say("Interrupted. The same command again goes on from what is finished.")
        return TERMINATED if isinstance(stop, _Terminated) else INTERRUPTED
    except Exception as error:
        if args.debug:
            traceback.print_exc()
        else:
            first = (str(error).strip().splitlines() or ["no message"])[0]
            _say(f"Something broke: {type(error).__name__}: {first}")
            _say("This is not a mistake in your options. Use --debug to see the traceback.")
        return BROKEN


def _check(args: argparse.Namespace) -> int:
    from oulib.panel import Panel, table
    from oulib.panel.understood import Understood

    read = table.read(args.file, **_reading(args))
    panel = Panel.from_frame(read.frame, covariates=tuple(dict.fromkeys(args.covariate)))
    found = Understood(args.file, read, panel)
    if args.json:
        print(json.dumps(found.to_dict(), indent=2, ensure_ascii=False))
    else:
        lines = found.lines()
        width = max(map(len, lines)) + 2
        print("\n".join(f"{label:<{width}}{value}" for label, value in lines.items()))
        if read.remarks:
            print("\nAs it was read:", *read.remarks, sep="\n  ")
        if read.doubts:
            print("\nLook at this:", *read.doubts, sep="\n  ")
    if args.strict and read.doubts:
        many = len(read.doubts)
        _say(f"{many} thing{'s' if many > 1 else ''} to look at, which --strict refuses.")
        return USER_ERROR
    return OK


def _simulate(args: argparse.Namespace) -> int:
    from oulib.files import check_folder
    from oulib.panel import truth
    from oulib.panel.simulate import simulate

    check_folder(args.out.parent, lambda names: True)
    if args.out.suffix != ".csv" or args.out.is_dir():
        raise UserError(f"--out {args.out}: give the name of a file that ends in .csv.")
    if args.out.exists() and not truth.truth_path(args.out).exists():
        raise UserError(f"--out {args.out}: this file was not simulated, so it is not replaced.")
    given = _given(args, "n_ou", "n_site", "n_month", "wave_every", "seed")
    for file in truth.write(simulate(args.recipe, **given), args.out):
        print(file)
    return OK


def _fit(args: argparse.Namespace) -> int:
    from oulib.files import check_folder
    from oulib.model.spec import MODELS
    from oulib.panel import truth
    from oulib.posterior import export
    from oulib.sampling.fit import Sampling

    if args.model not in MODELS:
        raise UserError(f"--model {args.model}: the models are {', '.join(MODELS)}.")
    if args.sampler == "numpyro" and find_spec("numpyro") is None:
        raise UserError("--sampler numpyro is not installed: pip install 'oulib[numpyro]'.")
    places = _places(args.files, args.out)
    check_folder(args.out.absolute().parent, lambda names: True)
    if len(places) > 1:
        check_folder(args.out, lambda names: names <= {out.name for out in places.values()})
    for out in places.values():
        check_folder(out, lambda names: names <= export.FILES)
    panels, wrong = {}, []
    for file in places:
        try:
            panels[file] = truth.load(file, **_reading(args))
        except UserError as error:
            wrong.append(str(error))
    if wrong:
        raise UserError("\n".join(wrong))
    spec = MODELS[args.model]
    if args.covariate:
        spec = spec.but(covariates=args.covariate_prior)
    given = _given(args, "draws", "tune", "chains", "seed", "target_accept", "sampler")
    passed = []
    for place, (file, panel) in enumerate(panels.items(), start=1):
        if len(panels) > 1:
            _say(f"{file} ({place} of {len(panels)}):")
        _remark(panel)
        passed.append(_fitted(panel, spec, Sampling(**given), places[file]))
    if len(panels) > 1:
        _say(f"The gate was passed by {sum(passed)} of {len(passed)}.")
    return GATE_FAILED if args.strict and not all(passed) else OK


def _places(files: Sequence[Path], out: Path) -> dict[Path, Path]:
    """The folder of each file's fit: ``out`` for one file, else a folder in it of its name."""
    if len(files) == 1:
        return {files[0]: out}
    stems = [file.stem for file in files]
    again = sorted({stem for stem in stems if stems.count(stem) > 1})
    if again:
        raise UserError(
            f"FILE: several files are named {', '.join(again)}, and each fit goes into a folder of "
            "its file's name. Fit them one by one, each with an --out of its own."
        )
    return {file: out / file.stem for file in files}


def _fitted(panel: Panel, spec: ModelSpec, sampling: Sampling, out: Path) -> bool:
    """Fit one model, say what came of it and write it; returns whether the gate was passed."""
    from oulib import report
    from oulib.posterior import export
    from oulib.posterior.checks import check
    from oulib.sampling.fit import fit

    fitted = fit(panel, spec, sampling)
    _say("Checking whether it may be interpreted; that may take a second fit, with surveys alone.")
    verdict = check(fitted)
    _say(report.length(verdict))
    for failed in verdict.failed:
        known = f"{failed.value:.4g}" if math.isfinite(failed.value) else "not known"
        _say(f"{failed.name} is {known}, the limit {failed.threshold:.4g}.")
    if verdict.sampled and not verdict.adequate:
        for failed in verdict.failed:
            _say(f"{failed.name}: {failed.advice}")
        _say("The gate was not passed: the model was sampled, and does not describe this panel.")
    else:
        _say(f"The gate was {'passed' if verdict.passed else 'not passed'}.")
    for file in export.write(fitted, verdict, out):
        print(file, flush=True)
    return verdict.passed


def _run(args: argparse.Namespace) -> int:
    reading = _reading(args)
    from oulib.book import pipeline, schedule

    sampled = ("draws", "tune", "chains", "seed")
    what = {
        **reading,
        "chapters": args.chapters,
        "settings": _given(args, *sampled, "relevant", "points", "mnar_reason"),
    }
    if args.explain:
        print("\n".join(pipeline.explain(args.file, args.out, **what)))
        return OK
    shown = _Status() if sys.stderr.isatty() else _Lines()
    jobs = args.jobs or schedule.default_jobs()
    with _ended_by_sigterm(), shown:
        book = pipeline.run(
            args.file, args.out, **what, jobs=jobs, report=shown.say, progress=shown.show
        )
    for failure in book.failures:
        _say(str(failure))
    for warning in book.warnings:
        _say(f"The build of the pages warns: {warning}")
    withheld = [verdict.model for verdict in book.verdicts if verdict.withholds]
    if withheld:
        _say(f"The gate was not passed: {', '.join(withheld)}. The book says what failed.")
    print(book.index)
    if book.failures or book.warnings:
        return BROKEN
    return GATE_FAILED if args.strict and withheld else OK


def options_of(command: str) -> dict[str, argparse.Action]:
    """The options of a command that a configuration file may have, by their names there."""
    found: dict[str, argparse.Action] = _parser().parse_args(_LEAST[command]).options()
    return found


_LEAST = {
    "check": ["check", "FILE"],
    "fit": ["fit", "FILE", "--model", "NAME", "--out", "DIR"],
    "report": ["report", "--out", "DIR"],
    "run": ["run", "--out", "DIR"],
}
"""What the commands that read a configuration cannot do without."""


def configured(path: Path, options: Mapping[str, argparse.Action]) -> list[str]:
    """The options in a configuration file, as they would be written on the command line.

    Args:
        path: a YAML file, a mapping of names to values.
        options: those that the command knows (:func:`options_of`).

    Raises:
        UserError: the file cannot be read, or is no such mapping, or names or values are wrong; all
            of these are named.
    """
    import yaml

    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"--config {path}: {error.strerror or error}.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        where = "" if line is None else f" (line {line + 1})"
        raise UserError(f"--config {path}: this is not YAML{where}.") from error
    if not isinstance(found, dict):
        raise UserError(f"--config {path}: options are wanted, one a line, such as 'draws: 500'.")
    words: list[str] = []
    wrong: list[str] = []
    for key, value in found.items():
        try:
            words += _typed(str(key).replace("_", "-"), value, options)
        except UserError as error:
            wrong.append(str(error))
    if wrong:
        raise UserError("\n  ".join([f"--config {path}:", *wrong]))
    return words


def _typed(key: str, value: Any, options: Mapping[str, argparse.Action]) -> list[str]:
    """One option as it would be typed."""
    if key not in options:
        near = get_close_matches(key, options, 1)
        meant = f" Is {near[0]} meant?" if near else ""
        raise UserError(f"{key} is no option here.{meant} There are {', '.join(options)}.")
    action = options[key]
    option = action.option_strings[-1]
    if key in _SEVERAL:
        if not isinstance(value, _SEVERAL[key]):
            wanted = "a mapping" if _SEVERAL[key] is dict else "a list"
            raise UserError(f"{key} must be {wanted}, not {value!r}.")
        pairs = value.items() if isinstance(value, dict) else ()
        several = [f"{ours}={theirs}" for ours, theirs in pairs] or [*map(str, value)]
        return [f"{option}={one}" for one in several]
    if action.nargs == 0:
        if not isinstance(value, bool):
            raise UserError(f"{key} is true or false, and not {value!r}.")
        return [option] if value else []
    if key == "chapters" and isinstance(value, list):
        value = ",".join(map(str, value))
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UserError(f"{key} has no single value, but {value!r}.")
    if callable(action.type):
        try:
            action.type(str(value))
        except argparse.ArgumentTypeError as error:
            raise UserError(f"{key}: {error}.") from error
    if action.choices is not None and str(value) not in action.choices:
        raise UserError(f"{key}: {value!r} is none of {', '.join(map(str, action.choices))}.")
    return [f"{option}={value}"]


_SEVERAL: dict[str, Any] = {"columns": dict, "covariates": list}
"""Options that are given again for each value, and stand in the plural in a file."""


def _teach(args: argparse.Namespace) -> int:
    from oulib.book import classroom, pipeline, schedule

    shown = _Status() if sys.stderr.isatty() else _Lines()

    def run(out: Path) -> pipeline.Book:
        return pipeline.run(
            None,
            out,
            chapters=args.fits or None,
            jobs=schedule.default_jobs(),
            report=shown.say,
            progress=shown.show,
        )

    with _ended_by_sigterm(), shown:
        files = classroom.write(args.out, None if args.fits is None else run)
    for file in files:
        print(file)
    return OK


def _unpack(args: argparse.Namespace) -> int:
    from oulib.sampling import cache, packed

    many = packed.unpack(args.file)
    print(f"{many} results are in {cache.cache_dir()}; chapters that need them compute nothing.")
    return OK


def _sbc(args: argparse.Namespace) -> int:
    from oulib.files import check_folder
    from oulib.model.spec import MODELS
    from oulib.posterior import calibration

    unknown = [name for name in args.models if name not in MODELS]
    if unknown or not args.models:
        raise UserError(f"--models {','.join(unknown)}: the models are {', '.join(MODELS)}.")
    ours = {f"{name}.csv" for name in MODELS}
    check_folder(args.out, lambda names: names <= ours)
    broken, seeds = 0, range(args.first, args.first + args.replications)
    for name in args.models:
        file = args.out / f"{name}.csv"

        def told(table: Any, name: str = name) -> None:
            settled = int(table["sampled"].sum())
            _say(f"{name}: {len(table)} replications, {settled} of them settled.")

        with _ended_by_sigterm():  # the workers, too
            lost = calibration.calibrate(
                MODELS[name],
                seeds,
                file,
                workers=args.workers,
                scheduler=args.scheduler,
                report=told,
            )
        for one in lost:
            _say(f"{name}, seed {one.item}: {one.error}")
        broken += len(lost)
        if file.exists():
            print(file)
    return BROKEN if broken else OK


def _chapters(args: argparse.Namespace) -> int:
    from oulib.book import pipeline

    listed = pipeline.chapters()
    if args.json:
        print(json.dumps([asdict(one) for one in listed], indent=2, ensure_ascii=False))
        return OK
    for one in listed:
        print(f"{one.number:>2}  {one.name:<14}{one.title}")
        print(textwrap.fill(one.question, 78, initial_indent=" " * 18, subsequent_indent=" " * 18))
    return OK


def _report(args: argparse.Namespace) -> int:
    reading = _reading(args)
    from oulib.book import pipeline

    settings = _given(args, "draws", "tune", "chains", "seed", "relevant", "points", "mnar_reason")
    shown = _Status() if sys.stderr.isatty() else _Lines()
    with _ended_by_sigterm(), shown:
        made = pipeline.summarise(
            args.file,
            args.out,
            **reading,
            settings=settings,
            quick=args.quick,
            report=shown.say,
            progress=shown.show,
        )
    for failure in made.failures:
        _say(str(failure))
    if made.failures:
        return BROKEN
    for file in (made.page, *made.files):
        print(file)
    withheld = any(verdict.withholds for verdict in made.verdicts)
    if withheld:
        _say("No model may speak about this panel. The page says what each failed.")
    return GATE_FAILED if args.strict and withheld else OK


def _reading(args: argparse.Namespace) -> dict[str, Any]:
    """How the panel file is to be read."""
    return {"columns": _columns(args), "covariates": args.covariate, "sheet": args.sheet}


def _remark(panel: Panel) -> None:
    """Say how a panel was read, where one might think otherwise."""
    for remark in panel.remarks:
        _say(remark)


def _columns(args: argparse.Namespace) -> dict[str, str] | None:
    pairs: dict[str, str] = {}
    for ours, theirs in args.column:
        if ours in pairs:
            raise UserError(f"--column {ours}=...: given twice; one column of the file is wanted.")
        pairs[ours] = theirs
    return pairs or None


def _given(args: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that were given: what was not keeps the library's own default."""
    return {name: value for name in names if (value := getattr(args, name)) is not None}


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _ended_by_sigterm() -> Iterator[None]:
    """A polite request to end is heeded as Ctrl-C is: by ending the children, too."""

    def end(*_: Any) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once is enough
        raise _Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Lines(AbstractContextManager):
    """How a run goes, in plain lines: one when a chapter has ended and one when others begin."""

    def __init__(self) -> None:
        self._last: set[str] = set()

    def say(self, line: str) -> None:
        _say(line)

    def show(self, progress: Progress) -> None:
        names = [one.name for one in progress.running]
        if not set(names) <= self._last:
            _say(f"Running {', '.join(names)}; {_counts(progress)}.")
        self._last = set(names)

    def __exit__(self, *_: object) -> None:
        pass


class _Status(AbstractContextManager):
    """How a run goes, in one line at the foot of a terminal, refreshed in place."""

    def say(self, line: str) -> None:
        self._write("")
        _say(line)

    def show(self, progress: Progress) -> None:
        if not progress.running:
            return
        running = ", ".join(
            f"{one.name.rpartition('/')[2]} (cell {one.step} of {one.steps}, {_span(one.seconds)})"
            for one in progress.running
        )
        line = f"{_counts(progress)}; {running}"
        width = shutil.get_terminal_size().columns - 1
        self._write(line if len(line) <= width else line[: max(width - 1, 0)] + "…")

    def __exit__(self, *_: object) -> None:
        self._write("")

    def _write(self, line: str) -> None:
        sys.stderr.write(f"\r\x1b[K{line}")
        sys.stderr.flush()


def _counts(progress: Progress) -> str:
    left = f"{progress.done} of {progress.total} chapters done, {progress.waiting} waiting"
    if progress.seconds_left is None:
        return left
    return f"{left}, about {_span(progress.seconds_left)} left"


def _span(seconds: float) -> str:
    """A time in the unit that tells most: seconds, minutes, or hours and minutes."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60:02d} min"


def _whole(least: int, most: int | None = None) -> Callable[[str], int]:
    wanted = f"a whole number, at least {least}" + (f" and at most {most}" if most else "")

    def parse(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = None
        if number is None or number < least or (most is not None and number > most):
            raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
        return number

    return parse


def _between_0_and_1(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number between 0 and 1")
    return number


def _above_0(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def _names(text: str) -> list[str]:
    return [part for part in text.split(",") if part.strip()]


def _column(text: str) -> tuple[str, str]:
    ours, equals, theirs = (part.strip() for part in text.partition("="))
    if not (ours and equals and theirs):
        raise argparse.ArgumentTypeError(
            f"{text!r} is not of the form NAME=COLUMN, such as survey=engagement"
        )
    return ours, theirs


def _in_a_file(command: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """A command's options by the names that they have in a configuration file."""
    found = {}
    for action in command._actions:
        name = (action.option_strings or [""])[-1].removeprefix("--")
        if name not in ("", "help", "debug", "config", "json") and not action.required:
            found[f"{name}s" if f"{name}s" in _SEVERAL else name] = action
    return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="oulib",
        description="Hierarchical Bayesian models of productivity and survey scores, and the book "
        "about them.",
        epilog=_EPILOG,
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, does: Callable[[argparse.Namespace], int], help: str) -> Any:
        sub = commands.add_parser(name, help=help, description=help, epilog=_EPILOG)
        sub.set_defaults(command=does, options=lambda: _in_a_file(sub))
        sub.add_argument("--debug", action="store_true", help="show the traceback of a failure")
        return sub

    def column(sub: Any) -> None:
        sub.add_argument(
            "--column",
            action="append",
            default=[],
            type=_column,
            metavar="NAME=COLUMN",
            help="the file's own COLUMN for our NAME, such as survey=engagement; repeatable",
        )
        sub.add_argument(
            "--covariate",
            action="append",
            default=[],
            metavar="COLUMN",
            help="a further column that may explain productivity; repeatable",
        )
        sub.add_argument(
            "--sheet",
            metavar="NAME",
            help="the sheet of a workbook; if not given, the visible one with such a table",
        )
        sub.add_argument(
            "--config",
            type=Path,
            metavar="FILE",
            help="a YAML file of options, such as 'covariates: [size, region]', 'columns: "
            "{survey: engagement}' or 'draws: 500'; an option on the command line goes before it",
        )

    def sampling(sub: Any) -> None:
        sub.add_argument(
            "--draws",
            type=lambda text: text if text == "auto" else _whole(4)(text),
            metavar="N",
            help="draws kept, per chain; auto, the default, is as many as the gate takes",
        )
        sub.add_argument("--tune", type=_whole(1), metavar="N", help="warm-up draws, per chain")
        sub.add_argument(
            "--chains", type=_whole(1), metavar="N", help="chains, each with a start of its own"
        )
        seed(sub)

    def seed(sub: Any) -> None:
        sub.add_argument(
            "--seed",
            type=_whole(0, 2**32 - 1),
            metavar="N",
            help="seed of all random numbers; the same seed gives the same result",
        )

    check = command("check", _check, "Read a panel file; show what is in it, or all its problems.")
    check.add_argument("file", type=Path, metavar="FILE")
    column(check)
    check.add_argument("--json", action="store_true", help="write it as JSON, for a program")
    check.add_argument("--strict", action="store_true", help="exit 2 if anything may be a mistake")

    make = command(
        "simulate", _simulate, "Write a simulated panel (CSV) and, beside it, its truth."
    )
    make.add_argument("--recipe", choices=["baseline", "upgraded"], default="upgraded")
    make.add_argument("--ous", dest="n_ou", type=_whole(2), metavar="N")
    make.add_argument("--sites", dest="n_site", type=_whole(1), metavar="N")
    make.add_argument("--months", dest="n_month", type=_whole(3), metavar="N")
    make.add_argument("--wave-every", type=_whole(1), metavar="N", help="months between waves")
    seed(make)
    make.add_argument("--out", type=Path, required=True, metavar="FILE")

    fit = command("fit", _fit, "Fit one model; write fit.nc, summary.csv and verdict.json.")
    fit.add_argument(
        "files",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="a panel; the fits of several go into folders of their names in DIR",
    )
    fit.add_argument("--model", required=True, metavar="NAME")
    fit.add_argument("--out", type=Path, required=True, metavar="DIR")
    column(fit)
    fit.add_argument(
        "--covariate-prior",
        choices=["wide", "ridge", "ard", "horseshoe"],
        default="ridge",
        help="prior of the covariates' coefficients, if there are any; default ridge",
    )
    sampling(fit)
    fit.add_argument(
        "--target-accept",
        type=_between_0_and_1,
        metavar="P",
        help="acceptance that the sampler's steps are made for, to begin with; default 0.9",
    )
    fit.add_argument(
        "--sampler",
        choices=["nutpie", "pymc", "numpyro"],
        help="default nutpie; the numpyro one is installed apart",
    )
    fit.add_argument("--strict", action="store_true", help="exit 3 if the gate is not passed")

    sbc = command(
        "sbc",
        _sbc,
        "Simulation-based calibration: fit panels that a model makes, rank their truth.",
    )
    sbc.add_argument("--out", type=Path, required=True, metavar="DIR")
    sbc.add_argument("--models", type=_names, required=True, metavar="NAME,NAME")
    sbc.add_argument(
        "--replications", type=_whole(1), default=300, metavar="N", help="a model; default 300"
    )
    sbc.add_argument(
        "--first", type=_whole(0), default=1, metavar="SEED", help="of the first; default 1"
    )
    sbc.add_argument(
        "--workers", type=_whole(1), metavar="N", help="processes here; default one a core"
    )
    sbc.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a running Dask scheduler, such as tcp://10.0.0.5:8786, instead",
    )

    listed = command("chapters", _chapters, "List the chapters: number, name, what it asks.")
    listed.add_argument("--json", action="store_true", help="write it as JSON, for a program")

    teach = command(
        "teach", _teach, "Write notebooks with gaps and panels to be marked, and the answers apart."
    )
    teach.add_argument("--out", type=Path, required=True, metavar="DIR")
    teach.add_argument(
        "--fits",
        nargs="?",
        const=[],
        type=_names,
        metavar="N,N",
        help="run these chapters on the book's own panel first, all if none are named, and add "
        "their fits for students",
    )

    unpack = command(
        "unpack", _unpack, "Take over fits that were handed out, so that chapters need not compute."
    )
    unpack.add_argument("file", type=Path, metavar="FILE", help="fits.zip of `oulib teach --fits`")

    def conclusions(sub: Any) -> None:
        sub.add_argument(
            "--relevant",
            type=_above_0,
            metavar="PERCENT",
            help="smallest change of productivity that would matter; default 1",
        )
        sub.add_argument(
            "--points",
            type=_above_0,
            metavar="POINTS",
            help="change of the raw survey score that effects are stated for; by default the sd "
            "of an OU's own scores",
        )
        sub.add_argument(
            "--mnar-reason",
            metavar="TEXT",
            help="why surveys may be missing for what they would have said, a reason from outside "
            "the data; without one, no conclusion comes from the model that supposes it",
        )

    summary = command("report", _report, "Sum up a panel on one page, with tables and figures.")
    summary.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="the book's own panel if not given"
    )
    summary.add_argument("--out", type=Path, required=True, metavar="DIR")
    column(summary)
    sampling(summary)
    conclusions(summary)
    summary.add_argument(
        "--quick",
        action="store_true",
        help="ask the model for real panels alone; the page says that it is a first answer",
    )
    summary.add_argument("--strict", action="store_true", help="exit 3 if no model may speak")

    run = command("run", _run, "Execute the chapters on a panel and build the book.")
    run.add_argument(
        "file", type=Path, nargs="?", metavar="FILE", help="the book's own panel if not given"
    )
    run.add_argument("--out", type=Path, required=True, metavar="DIR")
    run.add_argument(
        "--chapters",
        type=_names,
        metavar="N,N",
        help="numbers or names of the chapters to execute, such as 2,8; all if not given",
    )
    column(run)
    sampling(run)
    conclusions(run)
    run.add_argument(
        "--jobs",
        type=_whole(1),
        metavar="N",
        help="chapters that run at once, sharing the cores; by default one a core, if there are "
        "2.5 GiB of memory for each",
    )
    run.add_argument(
        "--explain",
        action="store_true",
        help="only say which chapters would be executed and why, and whether pages would be built",
    )
    run.add_argument("--strict", action="store_true", help="exit 3 if a gate is not passed")
    return parser


if __name__ == "__main__":
    sys.exit(main())
