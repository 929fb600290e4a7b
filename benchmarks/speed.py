"""What a fit of each named model costs on the default panel, here and in another checkout.

    python benchmarks/speed.py [--before CHECKOUT] [--models baseline robust] [--draws 1000]

For each model, in processes of their own and in turn: CPU seconds to compile with empty caches and,
in a second process, with what the first left; gradients by row at the posterior's draws; smallest
bulk ESS over hyperparameters per CPU second of sampling, warm-up counted.  Only ratios mean
something: the machine's speed is not the same from one hour to the next.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent

ONE = """
import json, sys, time
import nutpie, oulib
from oulib import MODELS, Sampling, check

try:
    from oulib.files import default_panel
    from oulib.panel import truth
    from oulib.posterior.checks import hyperparameters
except ImportError:  # a checkout before there were rooms
    from oulib import truth
    from oulib.checks import hyperparameters
    from oulib.source import default_panel

name, draws, tune, seed = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
panel, found, real = truth.load(default_panel()), {"compile": 0.0, "sample": 0.0}, nutpie.sample
start = time.process_time()

def sample(compiled, **options):  # more than once where chains are drawn again
    global start
    before = time.process_time()
    found["compile"] += before - start
    tree = real(compiled, **{**options, "blocking": True, "progress_callback": None})
    start = time.process_time()
    found["last"] = start - before
    found["sample"] += found["last"]

    class Done:
        wait = staticmethod(lambda timeout=None: tree)
        cancel = staticmethod(lambda: None)

    return Done() if options.get("blocking") is False else tree

nutpie.sample = sample
sampling = Sampling(draws=draws, tune=tune, seed=seed)
fit = oulib.fit(panel, MODELS[name], sampling, progress=False)
stats = fit.tree["sample_stats"].to_dataset()
ess = float(hyperparameters(fit)["ess_bulk"].min())
steps = float(stats["n_steps"].mean()) * sampling.chains * (draws + tune)
found |= {
    "ess_per_second": ess / found["sample"],
    "ns_a_row": 1e9 * found["last"] / steps / panel.rows.sizes["row"],
    "ess": ess,
    "passed": getattr(check(fit), "sampled", check(fit).passed),  # of a checkout before: passed
}
print(json.dumps(found))
"""


def measure(checkout: Path, caches: Path, name: str, draws: int, tune: int, seed: int) -> dict:
    """One fit in a process of its own; its draws are not kept, its compiled code is."""
    with tempfile.TemporaryDirectory() as fits:
        env = os.environ | {
            "PYTHONPATH": str(checkout),
            "OULIB_CACHE": fits,
            "OULIB_COMPILED": str(caches / "models"),
            "NUMBA_CACHE_DIR": str(caches / "numba"),
            "PYTENSOR_FLAGS": f"base_compiledir={caches / 'pytensor'}",
        }
        command = [sys.executable, "-W", "ignore", "-c", ONE, name, *map(str, (draws, tune, seed))]
        done = subprocess.run(
            command, env=env, cwd=checkout, check=True, stdout=subprocess.PIPE, text=True
        )
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="another checkout to hold this one against")
    parser.add_argument("--models", nargs="+", default=["baseline", "robust", "upgraded"])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--tune", type=int, default=500)
    given = parser.parse_args()
    places = {"here": HERE} | ({"before": given.before.resolve()} if given.before else {})
    for name in given.models:
        table = {}
        for place, checkout in places.items():
            with tempfile.TemporaryDirectory() as caches:
                cold, warm = (
                    measure(checkout, Path(caches), name, given.draws, given.tune, seed)
                    for seed in (1, 2)
                )
            table[place] = {
                "compile, cold": cold["compile"],
                "compile, warm": warm["compile"],
                "ns a row and gradient": min(cold["ns_a_row"], warm["ns_a_row"]),
                "ESS a second": (cold["ess_per_second"] + warm["ess_per_second"]) / 2,
            }
            print(f"{name}, {place}: passed {cold['passed']} {warm['passed']}, ", end="")
            print(", ".join(f"{what} {value:.2f}" for what, value in table[place].items()))
        if "before" in table:
            ratios = {what: table["before"][what] / value for what, value in table["here"].items()}
            ratios["ESS a second"] = 1 / ratios["ESS a second"]
            print(f"{name}, gain: " + ", ".join(f"{k} {v:.1f} times" for k, v in ratios.items()))


if __name__ == "__main__":
    main()
