"""What the licence is worth: fits to panels whose slopes are known, as they were measured.

The table is made by ``benchmarks/licence.py`` and comes with the book; it takes hours.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd

from oulib.files import measured

FILE = "licence.csv"
"""Name of the table, in ``data/``."""

SEEDS = "seeds.csv"
"""Name of the table of panels like the default one, in ``data/``."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """One fit to a simulated panel.

    ``kind`` is what the panel has besides the baseline's recipe, with its strength (1 to 3);
    ``failed`` names the checks that did not pass.  Of its ``ous`` OUs, ``covered`` have a true
    slope inside the 90% interval; of ``stated``, the sign has a probability above 0.95, and of
    ``wrong`` it is the other one; ``expected`` is how many those probabilities let expect.
    ``strong`` and ``strong_wrong`` are the same as ``stated`` and ``wrong`` for 0.99.
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
    expected: float
    strong: int
    strong_wrong: int

    @property
    def licensed(self) -> bool:
        """Whether its slopes may be read."""
        return self.sampled and not self.failed


_COUNTS = ("seed", "ous", "covered", "stated", "wrong", "strong", "strong_wrong")


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
                expected=float(row["expected"]),
                **{k: int(row[k]) for k in _COUNTS},
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


def published(name: str = FILE) -> list[Made]:
    """The fits of a table that comes with the book."""
    return read(measured(name))


def models(fits: Sequence[Made]) -> list[str]:
    """The models of the fits, in the order in which they are asked."""
    return list(dict.fromkeys(one.model for one in fits))


def conclusions(fits: Sequence[Made]) -> list[Made]:
    """Of each panel, the first fit that holds the licence, in the order of the fits, if any."""
    found: dict[tuple[str, int], Made] = {}
    for one in fits:
        if one.licensed:
            found.setdefault((one.kind, one.seed), one)
    return list(found.values())


def summary(fits: Sequence[Made]) -> pd.DataFrame:
    """A row for each kind: what its panels would have been said, by the chains alone and in fact.

    Index ``kind``, in the order of the fits.  ``panels`` is their number; ``sampled`` of the fits
    of the model that is asked first were sampled, with ``coverage`` of 90% intervals, and ``wrong``
    of ``stated`` signs where ``expected`` were to be expected, and so on.  The same of conclusions,
    which are the first fits that hold the licence: ``concluded``, and the others with
    ``_concluded`` after their names.  NaN is the coverage of none.  ``error`` is the standard error
    of the latter's coverage, from how it varies between panels; NaN for fewer than two.
    """
    first = fits[0].model if fits else ""
    rows = {}
    for kind in dict.fromkeys(one.kind for one in fits):
        those = [one for one in fits if one.kind == kind]
        sampled = [one for one in those if one.model == first and one.sampled]
        said = conclusions(those)
        shares = pd.Series([one.covered / one.ous for one in said], dtype=float)
        rows[kind] = (
            {"panels": len({one.seed for one in those}), "sampled": len(sampled)}
            | told(sampled)
            | {"concluded": len(said), "error": float(shares.sem())}
            | {f"{name}_concluded": value for name, value in told(said).items()}
        )
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("kind")


def told(fits: Sequence[Made]) -> dict[str, float]:
    """``coverage`` of several fits together, and sums of what they stated: as in :class:`Made`."""
    ous = sum(one.ous for one in fits)
    return {
        "coverage": sum(one.covered for one in fits) / ous if ous else float("nan"),
        "stated": sum(one.stated for one in fits),
        "wrong": sum(one.wrong for one in fits),
        "expected": sum(one.expected for one in fits),
        "strong": sum(one.strong for one in fits),
        "strong_wrong": sum(one.strong_wrong for one in fits),
    }


@dataclass(frozen=True)
class Signs:
    """What fits told of signs: ``alone`` by the chains of the ``first`` model, ``said`` concluded.

    Each is that of :func:`told`.
    """

    first: str
    alone: Mapping[str, float]
    said: Mapping[str, float]


def signs(fits: Sequence[Made]) -> Signs:
    """What fits of all kinds told of signs, by the chains alone and of conclusions."""
    first = fits[0].model
    alone = [one for one in fits if one.model == first and one.sampled]
    return Signs(first, told(alone), told(conclusions(fits)))


def typical_error(table: pd.DataFrame) -> float:
    """Standard error of a kind's coverage, the mean over kinds; NaN where none has one.

    From :func:`summary`.
    """
    return float(table["error"].mean())


@dataclass(frozen=True)
class Seeds:
    """How a model fared on panels that differ in their seed alone.

    Of ``panels``, ``sampled`` were sampled reliably and ``licensed`` may be read; ``failed`` counts
    the panels by check, the most frequent first.  Of ``ous`` slopes in the sampled ones
    ``covered`` lie inside their 90% intervals, and of ``stated`` signs ``wrong`` are wrong.
    """

    panels: int
    sampled: int
    licensed: int
    failed: dict[str, int]
    ous: int
    covered: int
    stated: int
    wrong: int


def seeds(fits: Sequence[Made]) -> Seeds:
    """The fits of one model, counted."""
    settled = [one for one in fits if one.sampled]
    failed = Counter(check for one in fits for check in one.failed)
    return Seeds(
        panels=len(fits),
        sampled=len(settled),
        licensed=sum(one.licensed for one in fits),
        failed=dict(failed.most_common()),
        ous=sum(one.ous for one in settled),
        covered=sum(one.covered for one in settled),
        stated=sum(one.stated for one in settled),
        wrong=sum(one.wrong for one in settled),
    )
