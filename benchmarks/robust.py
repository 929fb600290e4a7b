"""How the model for real panels and its neighbours predict months that they have not seen.

    .venv/bin/python benchmarks/robust.py [FILE | states] [--months N] [--draws N] [--only NAME ...]

Prints a Markdown table: what each variant's last months are predicted better or worse than by
`ROBUST` (differences of log densities), and whether the fit to all months passes the gate.  The
panel is the book's own if none is given; `states` is the real one of its chapter.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from oulib import AR1, ROBUST, Sampling, UserError, check, fit
from oulib.files import default_panel
from oulib.panel import munnell, truth
from oulib.posterior.leaveout import months_ahead

VARIANTS = {
    "robust": ROBUST,
    "with sites": ROBUST.but(sites=True),
    "independent months": ROBUST.but(months="iid"),
    "common noise": ROBUST.but(noise="common"),
    "no deviations": ROBUST.but(deviations=False),
    "one slope": ROBUST.but(slope="total"),
    "movement in all months": ROBUST.but(movement="all_months"),
    "ar1": AR1,
}


def main() -> None:
    """Fit every variant to all months, then to those before each of the last ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("panel", nargs="?")
    parser.add_argument("--months", type=int, default=3)
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--only", nargs="*", default=[], choices=VARIANTS)
    args = parser.parse_args()
    panel = (
        munnell.states().panel
        if args.panel == "states"
        else truth.load(Path(args.panel) if args.panel else default_panel())
    )
    sampling = Sampling(draws=args.draws, tune=500)
    first = None
    print("| model | elpd less robust's | by month | R-hat of refits | divergences | gate |")
    print("|---|---|---|---|---|---|")
    for name in {"robust": None} | dict.fromkeys(args.only or VARIANTS):
        try:
            result = fit(panel, VARIANTS[name].but(name=name), sampling, progress=False)
            ahead = months_ahead(result, months=args.months, sampling=sampling)
        except UserError as error:
            print(f"| {name} | {error} |", flush=True)
            continue
        values = ahead.elpd.elpd_i
        first = values if first is None else first
        less = (values - first).to_numpy()
        failed = ", ".join(f"{c.name} {c.value:.3g}" for c in check(result).failed)
        print(
            f"| {name} | {less.sum():+.1f} | {', '.join(f'{d:+.1f}' for d in less)} "
            f"| {ahead.r_hat:.3f} | {ahead.divergences} | {failed or 'passed'} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
