"""What each named model costs on a panel: a gradient, compiling, sampling, effective draws.

    .venv/bin/python benchmarks/ladder.py [FILE] [--draws N]

Prints a Markdown table; the panel is the book's own if none is given.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path


def main() -> None:
    """Fit every model of the ladder that applies, from an empty cache."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path, nargs="?")
    parser.add_argument("--draws", type=int, default=1000)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["OULIB_CACHE"] = cache  # a benchmark must not find its answers
        table(args)


def table(args: argparse.Namespace) -> None:
    """A row a model."""
    from oulib import LADDER, ROBUST, Sampling, UserError, build_model, check, fit
    from oulib.files import default_panel
    from oulib.panel import truth
    from oulib.posterior.checks import hyperparameters, summarise

    panel = truth.load(args.file or default_panel())
    print(f"{panel.rows.sizes['row']:,} rows, 4 chains of {args.draws} draws\n")
    print(
        "| model | gradient us | compile s | sample s | steps | divergences | worst R-hat "
        "| min bulk ESS | ESS/s | gate |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|")
    for spec in (*LADDER, ROBUST):
        try:
            result = fit(panel, spec, Sampling(draws=args.draws), progress=False)
        except UserError as error:
            print(f"| {spec.name} | {error} |")
            continue
        verdict, seconds = check(result), result.seconds
        stats, ess = result.tree["sample_stats"], hyperparameters(result)["ess_bulk"].min()
        print(
            f"| {spec.name} | {gradient(build_model(panel, spec)):.0f} "
            f"| {seconds['compile']:.0f} | {seconds['sample']:.0f} "
            f"| {float(stats['n_steps'].mean()):.0f} | {int(stats['diverging'].sum())} "
            f"| {summarise(result)['r_hat'].max():.3f} | {ess:.0f} "
            f"| {ess / seconds['sample']:.1f} | {'passed' if verdict.sampled else 'failed'} |",
            flush=True,
        )


def gradient(model) -> float:
    """Microseconds of one value and gradient near the initial point."""
    from pymc.blocking import DictToArrayBijection

    function = model.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values({})
    point = DictToArrayBijection.map(model.initial_point())
    function(point)
    start = time.perf_counter()
    for _ in range(200):
        function(point)
    return (time.perf_counter() - start) / 200 * 1e6


if __name__ == "__main__":
    main()
