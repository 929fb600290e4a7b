"""What can be wrong with a panel file, as values, and the error that lists it all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from oulib.errors import UserError

SHOWN = 10  # problems of one kind that a message spells out
WIDTH = 60  # characters of a cell or label that a message shows


@dataclass(frozen=True)
class Problem:
    """One thing to mend in a panel file: where it is, what is wrong and what to do.

    ``row`` is counted as the file shows it (see :class:`PanelError`), ``column`` is the file's own
    name for it and ``value`` the cell as it was written; each is None where it does not apply.
    ``kind`` groups problems that one message can stand for.
    """

    row: int | None
    column: str | None
    value: str | None
    message: str
    advice: str
    kind: str = field(default="", repr=False, compare=False)

    def __str__(self) -> str:
        where = [
            f"row {self.row}" if self.row is not None else "",
            f"column {quoted(self.column)}" if self.column is not None else "",
            f"value {quoted(self.value)}" if self.value is not None else "",
        ]
        place = ", ".join(part for part in where if part)
        return f"{place}{': ' if place else ''}{self.message}. {self.advice}"


class PanelError(UserError):
    """A panel file that cannot be used, with every problem it has.

    Attributes:
        problems: all of them; the message spells out ten of each kind and counts the others.
        source: the file, as it was named.
    """

    def __init__(self, source: str, problems: Iterable[Problem], note: str = "") -> None:
        # Problems of the whole file first; then by row, so that a kind stands where it begins.
        self.problems = tuple(sorted(problems, key=lambda problem: problem.row or 0))
        self.source = source
        if len(self.problems) == 1 and self.problems[0].row is None and not note:
            message = f"{source}: {self.problems[0]}"
        else:
            count = f"{len(self.problems)} problem{'s' if len(self.problems) > 1 else ''}"
            head = f"{source}: {count}{f' ({note})' if note else ''}"
            message = "\n  ".join([head, *_lines(self.problems)])
        super().__init__(message)


def quoted(text: str) -> str:
    """``text`` in quotes on one line: control characters escaped, and cut if it is long."""
    return repr(text if len(text) <= WIDTH else text[: WIDTH - 1] + "…")


def _lines(problems: Iterable[Problem]) -> Iterable[str]:
    kinds: dict[tuple[str, str | None], list[Problem]] = {}
    for problem in problems:
        kinds.setdefault((problem.kind or problem.message, problem.column), []).append(problem)
    for alike in kinds.values():
        shown = SHOWN if alike[0].row is not None else len(alike)
        yield from map(str, alike[:shown])
        rest = [problem.row for problem in alike[shown:]]
        if len(rest) == 1:
            yield f"... and 1 more like this, in row {rest[0]}"
        elif rest:
            yield f"... and {len(rest)} more like this, in rows {rest[0]} to {rest[-1]}"
