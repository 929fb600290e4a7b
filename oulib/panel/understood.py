"""What was understood of a panel file: for a person to see that it is the table that was meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from oulib.panel.panel import Panel
from oulib.panel.problem import quoted
from oulib.panel.table import Table

FIRST = 5
"""So many names of OUs are shown."""


@dataclass(frozen=True)
class Spread:
    """A column's numbers, from the least to the greatest."""

    least: float
    low: float
    median: float
    high: float
    most: float

    @classmethod
    def of(cls, values: np.ndarray) -> Spread:
        """Range and quartiles of ``values``."""
        return cls(*map(float, np.quantile(values, [0, 0.25, 0.5, 0.75, 1])))

    def __str__(self) -> str:
        least, low, median, high, most = (f"{v:.6g}" for v in asdict(self).values())
        return f"{least} to {most}, half of them {low} to {high} (median {median})"


@dataclass(frozen=True)
class Understood:
    """A file as it was understood: its table, its panel, and what to look at."""

    path: Path
    table: Table
    panel: Panel

    def lines(self) -> Mapping[str, str]:
        """What a person would want to see, by label."""
        panel, source, found = self.panel, self.table.source, self.to_dict()
        survey_months = found["survey_months"]
        shown = ", ".join(map(quoted, panel.ous[:FIRST]))
        more = len(panel.ous) - FIRST
        lines = {
            "file": f"{self.path} ({source.form})",
            "OUs": f"{len(panel.ous)}: {shown}" + (f" and {more} more" if more > 0 else ""),
            "sites": str(len(panel.sites)),
            "months": f"{len(panel.months)} ({panel.months[0]} to {panel.months[-1]})",
            "rows": f"{found['rows']} of {found['possible_rows']} possible (OU, month) pairs",
            "outcome": str(Spread(**found["productivity"])),
            "surveys": f"{found['surveys']} in {len(survey_months)} months "
            f"({survey_months[0]} to {survey_months[-1]})",
            "scores": str(Spread(**found["survey"])),
            "respondents": f"{found['respondents']['least']:.0f} to "
            f"{found['respondents']['most']:.0f} a survey",
            "schedule": self._schedule(),
        }
        if source.sheet is not None:
            lines["sheet"] = quoted(source.sheet)
        if panel.covariates:
            lines["covariates"] = ", ".join(panel.covariates)
        renamed = {
            ours: theirs for ours, theirs in self.table.names.items() if ours != theirs.casefold()
        }
        if renamed:
            lines["columns"] = ", ".join(f"{o} is {quoted(t)}" for o, t in renamed.items())
        order = ("file", "sheet", "columns")
        first = {label: lines.pop(label) for label in order if label in lines}
        return first | lines

    def to_dict(self) -> dict[str, Any]:
        """The same as plain values, for a program."""
        rows, source = self.panel.rows, self.table.source
        observed = rows["observed"].to_numpy()
        return {
            "file": str(self.path),
            "format": source.form,
            "sheet": source.sheet,
            "other_sheets": list(source.others),
            "hidden_sheets": list(source.hidden),
            "header_row": source.header,
            "columns": dict(self.table.names),
            "ous": list(self.panel.ous),
            "sites": list(self.panel.sites),
            "months": list(self.panel.months),
            "rows": int(rows.sizes["row"]),
            "possible_rows": len(self.panel.ous) * len(self.panel.months),
            "productivity": asdict(Spread.of(rows["productivity"].to_numpy())),
            "surveys": int(observed.sum()),
            "survey_months": sorted(map(str, set(rows["month"].to_numpy()[observed]))),
            "survey": asdict(Spread.of(rows["survey"].to_numpy()[observed])),
            "respondents": asdict(Spread.of(rows["respondents"].to_numpy()[observed])),
            "planned": len(self.panel.scheduled_rows) if self.panel.has_schedule else None,
            "covariates": list(self.panel.covariates),
            "remarks": list(self.table.remarks),
            "doubts": [asdict(doubt) for doubt in self.table.doubts],
        }

    def _schedule(self) -> str:
        if not self.panel.has_schedule:
            return "not in the file: how nonresponse works cannot be modelled"
        scheduled = self.panel.rows["scheduled"].to_numpy()
        observed = self.panel.rows["observed"].to_numpy()
        answered, planned = int((scheduled & observed).sum()), int(scheduled.sum())
        extra = int((observed & ~scheduled).sum())
        text = f"{answered} of {planned} planned surveys answered"
        return text + (f", {extra} more outside the schedule" if extra else "")
