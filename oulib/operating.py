"""What the licence is worth: fits to panels whose slopes are known, as they were measured.

The table is made by ``benchmarks/licence.py`` and comes with the book; it takes hours.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

FILE = "licence.csv"
"""Name of the table, in ``data/``."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """One fit to a simulated panel.

    ``kind`` is what the panel has besides the baseline's recipe, with its strength (1 to 3);
    ``failed`` names the checks that did not pass.  Of its ``ous`` OUs, ``covered`` have a true
    slope inside the 90% interval; of ``stated``, the sign has a probability above 0.95, and of
    ``wrong`` it is the other one.
    """

    kind: str
    seed: int
    model: str
    sampled: bool
    failed: tuple[str, ...]
    ous: int
    covered: int
    stated: int
    wrong: int

    @property
    def licensed(self) -> bool:
        """Whether its slopes may be read."""
        return self.sampled and not self.failed

    @property
    def ingredient(self) -> str:
        """The kind without its strength."""
        return self.kind.rstrip("123")


def read(path: Path) -> list[Made]:
    """The fits of a table; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [
            Made(
                kind=row["kind"],
                model=row["model"],
                sampled=row["sampled"] == "True",
                failed=tuple(row["failed"].split()),
                **{k: int(row[k]) for k in ("seed", "ous", "covered", "stated", "wrong")},
            )
            for row in csv.DictReader(file)
        ]


def append(path: Path, one: Made) -> None:
    """Add a fit to a table, which is begun if need be."""
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Made)], lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(asdict(one) | {"failed": " ".join(one.failed)})


def summary(fits: Sequence[Made]) -> pd.DataFrame:
    """A row for each kind: what would be said of its panels without the second gate, and with it.

    Index (model, kind), in the order of the fits; columns ``panels``, ``sampled``, ``licensed``;
    ``coverage`` of 90% intervals, ``stated`` signs and ``wrong`` ones, of fits that were sampled
    and, with ``_licensed``, of those that hold the licence.  NaN where there is none.
    """
    groups: dict[tuple[str, str], list[Made]] = {}
    for one in fits:
        groups.setdefault((one.model, one.kind), []).append(one)
    rows = {
        key: {
            "panels": len(those),
            "sampled": sum(one.sampled for one in those),
            "licensed": sum(one.licensed for one in those),
            **_told([one for one in those if one.sampled], ""),
            **_told([one for one in those if one.licensed], "_licensed"),
        }
        for key, those in groups.items()
    }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis(["model", "kind"])


def _told(fits: Sequence[Made], suffix: str) -> dict[str, float]:
    ous = sum(one.ous for one in fits)
    return {
        f"coverage{suffix}": sum(one.covered for one in fits) / ous if ous else float("nan"),
        f"stated{suffix}": sum(one.stated for one in fits),
        f"wrong{suffix}": sum(one.wrong for one in fits),
    }
