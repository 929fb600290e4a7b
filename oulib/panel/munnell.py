"""A real panel for the book: productivity and unemployment of the US states, 1970 to 1986.

Munnell (1990) collected the data; the package linearmodels ships them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from oulib.panel import Panel

DIVISIONS = {
    "New England": "CT ME MA NH RI VT",
    "Middle Atlantic": "NJ NY PA",
    "East North Central": "IL IN MI OH WI",
    "West North Central": "IA KS MN MO NE ND SD",
    "South Atlantic": "DE FL GA MD NC SC VA WV",
    "East South Central": "AL KY MS TN",
    "West South Central": "AR LA OK TX",
    "Mountain": "AZ CO ID MT NV NM UT WY",
    "Pacific": "CA OR WA",
}
"""The nine census divisions: the states (postal codes) of the panel in each."""


@dataclass(frozen=True)
class Thinned:
    """A panel whose surveys were thinned, and ``whole``, the same rows with all of them.

    Both are on the scale of ``panel``, whose constants know nothing of what was taken away.
    ``hidden`` are the positions of the rows whose survey was taken away.
    """

    panel: Panel
    whole: Panel
    hidden: np.ndarray


def states(*, staggered: bool = True, missed: float = 0.15, seed: int = 0) -> Thinned:
    """Output per job as productivity, the unemployment rate as a survey of alternate years.

    A state's rate is kept in every other year; of those planned waves a share ``missed`` is taken
    away, too, at random.  ``respondents`` is 1 everywhere: the size of the sample behind a rate is
    not in the data, so ``sigma_meas`` is the error of a rate as it was published.

    Args:
        staggered: half of the states have their waves in even years and half in odd ones, as in
            a rotating survey; otherwise all in the same years.
        missed: share of the planned waves without a survey.
        seed: which those are.
    """
    from linearmodels.datasets import munnell  # imports much that nothing else here needs

    data = munnell.load()
    site = {state: name for name, states in DIVISIONS.items() for state in states.split()}
    ou = data["ST_ABB"].to_numpy(dtype=str)
    _, place = np.unique(ou, return_inverse=True)
    year = data["YR"].to_numpy()
    planned = (year + (place if staggered else 0)) % 2 == 0
    asked = np.random.default_rng(seed).random(len(data)) >= missed
    rate = data["UNEMP"].to_numpy(dtype=float)
    frame = pd.DataFrame(
        {
            "ou": ou,
            "site": [site[state] for state in ou],
            "month": pd.to_datetime(year.astype(str), format="%Y"),
            "productivity": data["GSP"].to_numpy(dtype=float) / data["EMP"].to_numpy(dtype=float),
            "survey": np.where(planned & asked, rate, np.nan),
            "respondents": (planned & asked).astype(int),
            "scheduled": planned,
        }
    )
    panel = Panel.from_frame(frame, name="US states")
    whole = Panel.from_frame(frame.assign(survey=rate, respondents=1), name="US states")
    rows = whole.rows.assign(x=("row", panel.scale.x(whole.rows["survey"].to_numpy())))
    return Thinned(
        panel=panel,
        whole=replace(whole, rows=rows, scale=panel.scale),
        hidden=np.flatnonzero(~panel.rows["observed"].to_numpy()),
    )


def divisions(panel: Panel) -> dict[str, str]:
    """The site of each OU of ``panel`` by label; of the states, their division."""
    return dict(zip(panel.ous, np.array(panel.sites)[panel.site_idx].tolist(), strict=True))


def correlations(panel: Panel) -> pd.Series:
    """Correlations of outcome and score over rows with both, by what of them is looked at.

    ``between`` OUs' means; ``within`` OUs, of departures from those means; and ``within, less
    years``, of departures from OUs' and months' means together.  NaN where nothing varies.
    """
    y, x = (panel.rows[name].to_numpy() for name in ("y", "x"))
    both = np.isfinite(y) & np.isfinite(x)
    ou, month = (panel.rows[name].to_numpy()[both] for name in ("ou_idx", "month_idx"))
    pair = np.stack([y[both], x[both]])

    def means(values: np.ndarray, group: np.ndarray) -> np.ndarray:
        count = np.maximum(np.bincount(group), 1)
        return np.stack([np.bincount(group, weights=one) / count for one in values])

    def correlation(values: np.ndarray) -> float:
        one, other = values - values.mean(axis=1, keepdims=True)
        size = np.sqrt(one @ one * (other @ other))
        return float(one @ other / size) if size > 1e-12 else float("nan")

    of_ou = means(pair, ou)
    left = pair
    for _ in range(200):  # alternately, which settles where rows are missing, too
        before = left
        for group in (ou, month):
            left = left - means(left, group)[:, group]
        if np.max(np.abs(left - before), initial=0.0) < 1e-10:
            break
    return pd.Series(
        {
            "between": correlation(of_ou[:, np.unique(ou)]),
            "within": correlation(pair - of_ou[:, ou]),
            "within, less years": correlation(left),
        }
    )
