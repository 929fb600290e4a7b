"""How often the baseline may be read on panels like the default one, whose seed was chosen.

    python benchmarks/seeds.py [--panels 20] [--models baseline student_t]

The default panel's command (``data/README.md``) with the seeds 1, 2, ...; each is fitted at default
settings.  A row for each fit is added to ``data/seeds.csv``, which chapter 2 shows; fits that have
one are not made again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from licence import fitted

import oulib
from oulib.chapters.licence.analysis import SEEDS, append, read

LIKE = {"recipe": "upgraded", "n_ou": 40, "n_site": 8, "n_month": 48, "wave_every": 3}
"""The default panel but for its seed; ``tests/panel/test_data.py`` makes that one again."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", nargs="+", default=["baseline"])
    parser.add_argument("--panels", type=int, default=20)
    parser.add_argument("--first", type=int, default=1, help="seed of the first panel")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "data" / SEEDS)
    given = parser.parse_args()
    there = {(one.model, one.seed) for one in read(given.out)}
    for seed in range(given.first, given.first + given.panels):
        for model in given.models:
            if (model, seed) not in there:
                one = fitted(oulib.simulate(**LIKE, seed=seed), "default", seed, model)
                append(given.out, one)
                print(one, flush=True)


if __name__ == "__main__":
    main()
