"""The default panel is what its data dictionary says it is."""

from __future__ import annotations

import re

import xarray as xr

from oulib import simulate
from oulib.files import default_panel
from oulib.panel import truth


def test_the_default_panel_is_the_simulated_one() -> None:
    text = (default_panel().parent / "README.md").read_text(encoding="utf-8")
    command = re.search(r"oulib simulate (.*)", text).group(1).split()
    given = dict(zip(command[::2], command[1::2], strict=True))
    made = simulate(
        given["--recipe"],
        n_ou=int(given["--ous"]),
        n_site=int(given["--sites"]),
        n_month=int(given["--months"]),
        wave_every=int(given["--wave-every"]),
        seed=int(given["--seed"]),
    )
    kept = truth.load(default_panel())
    assert kept.fingerprint == made.fingerprint
    xr.testing.assert_allclose(kept.truth, made.truth)
