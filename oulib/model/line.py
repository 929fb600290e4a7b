"""What the outcome of a row is expected to be."""

from __future__ import annotations

from dataclasses import dataclass

from pytensor.tensor import TensorVariable

from oulib.model import row_kernels
from oulib.model.survey import LatentScore


@dataclass(frozen=True)
class Line:
    """The expected outcome of a row: level_g + lam_t + beta_g x*, and what else is ``extra``.

    ``extra`` is (row), or None; ``level``, ``beta`` and ``factor``, which multiplies the scale of
    the OU's noise, are by OU.  If ``within``, beta multiplies x* less what is expected of the OU
    and the month.
    """

    score: LatentScore
    level: TensorVariable
    beta: TensorVariable
    lam: TensorVariable
    within: bool
    extra: TensorVariable | None
    factor: TensorVariable

    def parts(self) -> tuple[TensorVariable, TensorVariable]:
        """The expected outcome given the row's survey, and its loading on x* in sds, (row)."""
        rows, given = self.score.rows, self.score.given_survey(within=self.within)
        mean, loading = row_kernels.lines.pair(
            rows.ou, rows.month, *given, self.level, self.beta, self.lam
        )
        return self._with_extra(mean), loading

    def given(self, x_star: TensorVariable) -> TensorVariable:
        """The expected outcome given the score itself, (row)."""
        ou, month = self.score.rows.ou, self.score.rows.month
        x = x_star - self.score.expected if self.within else x_star
        return self._with_extra(self.level[ou] + self.lam[month] + self.beta[ou] * x)

    @property
    def extras(self) -> tuple[TensorVariable, ...]:
        """``extra`` as a parameter of a distribution, if there is any."""
        return () if self.extra is None else (self.extra,)

    def _with_extra(self, mean: TensorVariable) -> TensorVariable:
        return mean if self.extra is None else mean + self.extra
