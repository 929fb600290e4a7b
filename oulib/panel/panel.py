"""The panel as every model sees it: a frozen value on a calendar grid, standardised once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from oulib.panel.covariates import coded

GIVEN = "given:"
"""What the names of covariates as they were given begin with, among the coordinates of rows."""


@dataclass(frozen=True)
class Standardisation:
    """The constants that turn raw values into the model's scale, computed once per panel.

    ``m_y`` and ``s_y`` are the mean and standard deviation (ddof 0) of log productivity over all
    rows; ``m_x`` and ``s_x`` are those of the observed survey scores.  Equation (1.1)
    (``eq-standardise``).
    """

    m_y: float
    s_y: float
    m_x: float
    s_x: float

    def y(self, productivity: np.ndarray) -> np.ndarray:
        """Standardised log productivity of raw ``productivity`` (any shape)."""
        return (np.log(productivity) - self.m_y) / self.s_y

    def x(self, survey: np.ndarray) -> np.ndarray:
        """Standardised survey score of raw ``survey`` (any shape; NaN stays NaN)."""
        return (survey - self.m_x) / self.s_x

    def productivity(self, y: np.ndarray) -> np.ndarray:
        """Raw productivity of standardised log productivity ``y``: the inverse of :meth:`y`."""
        return np.exp(self.m_y + self.s_y * y)

    def survey(self, x: np.ndarray) -> np.ndarray:
        """Raw survey score of standardised ``x``: the inverse of :meth:`x`."""
        return self.m_x + self.s_x * x


@dataclass(frozen=True, eq=False)
class Panel:
    """A validated panel: rows, labels, calendar, standardisation and, if simulated, the truth.

    ``rows`` is a dataset over the dimension ``row`` (sorted by OU, then month) with the variables
    ``ou_idx``, ``month_idx``, ``productivity`` and ``survey`` (raw), ``y`` and ``x``
    (standardised; ``x`` is NaN where no survey was observed), ``respondents``, ``observed`` (the
    specification's R) and, only if the file had it, ``scheduled`` (its W).  ``months`` is the full
    calendar grid from the first month to the last, so a month that no row has still counts as a
    step of time.  ``waves`` are the months in which some row was planned for a survey.

    With covariates, ``covariates`` (row, covariate) holds them as a model uses them: a number
    standardised, a category as a column for each of its values but the most frequent, 1 or 0 and
    centred.  As they were given they are coordinates of ``row``, under ``given:`` and their name.

    ``remarks`` are sentences about how the panel's file was read, and what in it may be a mistake.
    """

    rows: xr.Dataset
    ous: tuple[str, ...]
    sites: tuple[str, ...]
    months: tuple[str, ...]
    site_idx: np.ndarray
    scale: Standardisation
    waves: tuple[str, ...] = ()
    truth: xr.Dataset | None = None
    name: str = "panel"
    remarks: tuple[str, ...] = ()

    @classmethod
    def from_frame(
        cls,
        frame: pd.DataFrame,
        *,
        covariates: Sequence[str] = (),
        truth: xr.Dataset | None = None,
        name: str = "panel",
    ) -> Panel:
        """Build a panel from a validated frame (see :func:`oulib.panel.read_panel`).

        ``frame`` has the columns ``ou, site, month, productivity, survey, respondents``, perhaps
        ``scheduled``, and those named in ``covariates``, with months as first-of-month timestamps
        and one row per OU and month.  Nothing is checked here: reading a file is where mistakes
        are met.
        """
        frame = frame.sort_values(["ou", "month"], ignore_index=True)
        ous, ou_idx = np.unique(frame["ou"].to_numpy(dtype=str), return_inverse=True)
        by_ou = frame.groupby("ou", sort=True)["site"].first()
        sites, site_idx = np.unique(by_ou.to_numpy(dtype=str), return_inverse=True)
        months, month_idx = _calendar(frame["month"])
        productivity = frame["productivity"].to_numpy(dtype=float)
        survey = frame["survey"].to_numpy(dtype=float)
        log_y = np.log(productivity)
        scale = Standardisation(
            m_y=float(log_y.mean()),
            s_y=float(log_y.std()),
            m_x=float(np.nanmean(survey)),
            s_x=float(np.nanstd(survey)),
        )
        variables = {
            "ou_idx": ou_idx,
            "month_idx": month_idx,
            "productivity": productivity,
            "survey": survey,
            "y": scale.y(productivity),
            "x": scale.x(survey),
            "respondents": frame["respondents"].to_numpy(dtype=np.int64),
            "observed": ~np.isnan(survey),
        }
        if "scheduled" in frame:
            variables["scheduled"] = frame["scheduled"].to_numpy(dtype=bool)
        rows = xr.Dataset(
            {key: ("row", _frozen(value)) for key, value in variables.items()},
            coords={
                "ou": ("row", ous.astype(object)[ou_idx]),
                "site": ("row", sites.astype(object)[site_idx][ou_idx]),
                "month": ("row", np.array(months)[month_idx]),
            },
        )
        if covariates:
            rows = rows.assign(covariates=coded(frame[list(covariates)]))
            given = {GIVEN + one: ("row", frame[one].to_numpy()) for one in covariates}
            rows = rows.assign_coords(given)
        return cls(
            rows=rows,
            ous=tuple(map(str, ous)),
            sites=tuple(map(str, sites)),
            months=months,
            site_idx=_frozen(site_idx),
            scale=scale,
            waves=_waves(rows),
            truth=truth,
            name=name,
        )

    def select_rows(self, rows: np.ndarray) -> Panel:
        """The panel with only ``rows`` (positions), for fitting while others are left out.

        Labels, calendar, waves and standardisation stay those of the whole panel, so a model of
        the rest has the parameters of a model of the whole.
        """
        kept = self.rows.isel(row=np.sort(np.asarray(rows)))
        return replace(self, rows=kept, truth=None)

    def without_outcome(self, rows: np.ndarray) -> Panel:
        """The panel with the outcome of ``rows`` (positions) unseen, and their surveys kept.

        ``y`` is NaN there, and a model leaves the row out of its outcome's likelihood.
        """
        y = self.rows["y"].copy()
        y[{"row": np.asarray(rows)}] = np.nan
        return replace(self, rows=self.rows.assign(y=y), truth=None)

    def without_covariates(self) -> Panel:
        """The panel with its own columns alone."""
        given = [name for name in self.rows.coords if str(name).startswith(GIVEN)]
        return replace(
            self, rows=self.rows.drop_vars([*given, "covariates", "covariate"], errors="ignore")
        )

    @property
    def covariates(self) -> tuple[str, ...]:
        """Labels of the covariates as a model uses them, a category's values apart."""
        if "covariates" not in self.rows:
            return ()
        return tuple(map(str, self.rows["covariate"].to_numpy()))

    @property
    def has_schedule(self) -> bool:
        """Whether the file said which months were planned survey waves."""
        return "scheduled" in self.rows

    @property
    def survey_rows(self) -> np.ndarray:
        """Positions of the rows that carry a survey score, in row order."""
        return np.flatnonzero(self.rows["observed"].to_numpy())

    @property
    def scheduled_rows(self) -> np.ndarray:
        """Positions of the rows of planned waves, in row order (empty without a schedule)."""
        if not self.has_schedule:
            return np.array([], dtype=int)
        return np.flatnonzero(self.rows["scheduled"].to_numpy())

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what a model can see: rows and labels, not the name and not the truth."""
        digest = hashlib.sha256()
        for labels in (self.ous, self.sites, self.months):
            digest.update("\x1f".join(labels).encode() + b"\x1e")
        digest.update(np.ascontiguousarray(self.site_idx, dtype="<i8").tobytes())
        for key in sorted(map(str, self.rows.data_vars)):
            values = self.rows[key].to_numpy()
            kind = "<f8" if values.dtype.kind == "f" else "<i8"
            digest.update(key.encode() + np.ascontiguousarray(values, dtype=kind).tobytes())
        if self.covariates:
            digest.update("\x1f".join(self.covariates).encode() + b"\x1e")
        if self.waves != _waves(self.rows):
            digest.update("\x1f".join(self.waves).encode())
        return digest.hexdigest()

    def to_frame(self) -> pd.DataFrame:
        """The panel as a table in the file format, with months as ``2024-03``."""
        columns = ["productivity", "survey", "respondents"]
        columns += ["scheduled"] if self.has_schedule else []
        labels = {key: self.rows[key].to_numpy() for key in ("ou", "site", "month")}
        given = {
            str(key).removeprefix(GIVEN): values.to_numpy()
            for key, values in self.rows.coords.items()
            if str(key).startswith(GIVEN)
        }
        return pd.DataFrame(labels | {key: self.rows[key].to_numpy() for key in columns} | given)


def _calendar(month: pd.Series) -> tuple[tuple[str, ...], np.ndarray]:
    """Labels of the full calendar grid and each row's position on it.

    The step of the grid is the greatest common divisor of the gaps between the months that occur:
    one month for a monthly panel with gaps, three for a quarterly one, twelve for a yearly one.
    """
    number = month.dt.year.to_numpy() * 12 + month.dt.month.to_numpy() - 1
    offset = number - number.min()
    step = max(int(np.gcd.reduce(offset)), 1)
    grid = range(int(number.min()), int(number.max()) + 1, step)
    labels = tuple(f"{n // 12:04d}-{n % 12 + 1:02d}" for n in grid)
    return labels, offset // step


def _waves(rows: xr.Dataset) -> tuple[str, ...]:
    """Labels of the months in which some of ``rows`` was planned, in order."""
    if "scheduled" not in rows:
        return ()
    return tuple(map(str, np.unique(rows["month"].to_numpy()[rows["scheduled"].to_numpy()])))


def _frozen(values: np.ndarray) -> np.ndarray:
    """A read-only copy: a panel that changed after its fingerprint was taken would be a lie."""
    values = np.array(values)
    values.setflags(write=False)
    return values
