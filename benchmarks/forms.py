"""How fast the forms of the baseline sample, and what a large panel costs.

    .venv/bin/python benchmarks/forms.py           # integrated against explicit forms
    .venv/bin/python benchmarks/forms.py --big     # 100,000 rows: time and peak memory of a fit

Every form samples the same Gaussian panel, simulated from the baseline itself, with nutpie, from
the same seed.  A form's figure is its smallest bulk ESS over the hyperparameters that all forms
share, per second of sampling; compiling is not counted.
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time

FORMS = {
    "integrated": (("integrated", "level"), (0.8, 0.9)),
    "explicit, informed": (("explicit_informed", "level"), (0.8, 0.9, 0.95)),
    "explicit, informed, z @ L.T": (("explicit_informed", "noncentred"), (0.8,)),
    "explicit, as written": (("explicit", "noncentred"), (0.8,)),
}


def forms(args: argparse.Namespace) -> None:
    """Sample every form at every target acceptance and print a Markdown table."""
    from oulib import BASELINE, Sampling, check, fit, simulate
    from oulib.posterior.checks import hyperparameters, summarise

    panel = simulate(
        "baseline", n_ou=args.ous, n_month=args.months, wave_every=args.wave_every, seed=args.seed
    )
    print(
        "| form | target | divergences | worst R-hat | min bulk ESS | sampling s | ESS/s | gate |"
    )
    print("|---|---|---|---|---|---|---|---|")
    found = []
    for form, ((latent, geometry), targets) in FORMS.items():
        spec = BASELINE.but(name=form, latent=latent, geometry=geometry)
        for target in targets:
            result = fit(panel, spec, Sampling(target_accept=target, draws=args.draws))
            verdict = check(result)
            ess = float(hyperparameters(result)["ess_bulk"].min())
            speed = ess / result.seconds["sample"]
            found.append((form, verdict.sampled, speed))
            print(
                f"| {form} | {target} "
                f"| {int(result.tree['sample_stats']['diverging'].sum())} "
                f"| {summarise(result)['r_hat'].max():.3f} | {ess:.0f} "
                f"| {result.seconds['sample']:.1f} | {speed:.1f} "
                f"| {'passed' if verdict.sampled else 'failed'} |",
                flush=True,
            )
    ours = max((s for form, passed, s in found if form == "integrated" and passed), default=0.0)
    for label, rivals in (
        ("that passed the gate", [s for f, passed, s in found if f != "integrated" and passed]),
        ("of all", [s for f, _, s in found if f != "integrated"]),
    ):
        if rivals:
            print(f"\nIntegrated against the best explicit form {label}: {ours / max(rivals):.1f}x")
        else:
            print(f"\nNo explicit form {label}.")


def big(args: argparse.Namespace) -> None:
    """Fit the baseline to 2,000 OUs x 50 months; print the time and the peak memory."""
    from oulib import BASELINE, Sampling, fit, simulate

    panel = simulate("baseline", n_ou=2000, n_site=50, n_month=50, wave_every=6, seed=args.seed)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    start = time.perf_counter()
    result = fit(panel, BASELINE, Sampling(draws=args.draws))
    total = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    steps = float(result.tree["sample_stats"]["n_steps"].mean())
    print(f"rows {panel.rows.sizes['row']:,}, draws {args.draws} x 4, steps a draw {steps:.0f}")
    print(f"compile {result.seconds['compile']:.0f} s, sample {result.seconds['sample']:.0f} s, ")
    print(f"fit in all {total:.0f} s, peak memory {peak:.2f} GiB ({before:.2f} GiB before)")


def main() -> None:
    """Parse the options and run one of the two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--big", action="store_true")
    parser.add_argument("--ous", type=int, default=48)
    parser.add_argument("--months", type=int, default=36)
    parser.add_argument("--wave-every", type=int, default=3)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        os.environ["OULIB_CACHE"] = cache  # a benchmark must not find its answers
        (big if args.big else forms)(args)


if __name__ == "__main__":
    main()
