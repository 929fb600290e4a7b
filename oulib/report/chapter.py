"""What a notebook needs to say a result: its panel, the banner of the gate, tables, sentences."""

from __future__ import annotations

import inspect
import json
import textwrap
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import matplotlib.pyplot as plt
import pandas as pd
import pymc as pm
from IPython.display import HTML, Markdown, display
from matplotlib.figure import Figure

from oulib import report
from oulib.errors import UserError
from oulib.files import default_panel
from oulib.model.draws.names import HYPERPARAMETERS
from oulib.model.spec import CONCLUDING, LADDER, ROBUST, UPGRADED, ModelSpec
from oulib.panel import Panel, truth
from oulib.posterior import pilot, predict, ranks
from oulib.posterior.agreement import agreement
from oulib.posterior.checks import (
    Verdict,
    check,
    hyperparameters,
    read,
    summarise,
    worst,
)
from oulib.posterior.compare import compare, steps
from oulib.posterior.estimate import recovery
from oulib.report import interpret
from oulib.report.style import sharp_png
from oulib.sampling.fit import Fit, Sampling, fit
from oulib.sampling.looks import AUTO


@dataclass(frozen=True)
class Inapplicable:
    """A model that was not fitted to the panel, and why; it stands in the place of a fit.

    The panel cannot support it, or (``given_up``) it cannot describe a part of the panel.
    """

    spec: ModelSpec
    reason: str
    given_up: Verdict | None = None


@dataclass(frozen=True)
class Chapter:
    """The panel of a chapter and how its models are sampled.

    ``mnar_reason`` is why surveys may be missing for what they would have said, if there is a
    reason from outside the data.
    """

    panel: Panel
    sampling: Sampling
    mnar_reason: str = ""

    @property
    def default(self) -> bool:
        """Whether the panel is the one that comes with the book, of which more is known."""
        return self.panel.fingerprint == truth.load(default_panel()).fingerprint

    def fit(self, spec: ModelSpec, **sampling: Any) -> Fit:
        """The fit of ``spec`` to the chapter's panel, from the cache where it is there."""
        return fit(self.panel, spec, replace(self.sampling, **sampling), progress=False)

    def attempt(self, spec: ModelSpec, **sampling: Any) -> Fit | Inapplicable:
        """:meth:`fit`, or why the panel cannot support the model."""
        try:
            return self.fit(spec, **sampling)
        except UserError as error:
            return Inapplicable(spec, str(error))

    def ask(self, spec: ModelSpec) -> Fit | Inapplicable:
        """:meth:`attempt`, unless the model cannot describe a part of a large panel.

        It is what conclusions are looked for with: :func:`oulib.posterior.pilot.given_up`.
        """
        verdict = pilot.given_up(self.panel, spec, self.sampling)
        if verdict is not None:
            return Inapplicable(spec, report.of_a_part(verdict), verdict)
        return self.attempt(spec)

    def variant(
        self, base: Fit | Inapplicable, spec: ModelSpec, **sampling: Any
    ) -> Fit | Inapplicable:
        """:meth:`attempt` of a variant of ``base``; not where that failed its checks.

        Nothing could be read from it then, and a model that samples badly samples slowly.
        """
        if not judge(base).sampled:
            return Inapplicable(
                spec,
                f"It is a variant of {base.spec.name}, which is not interpreted here.",
            )
        return self.attempt(spec, **sampling)

    def licensed(self, models: Sequence[str] | None = None) -> tuple[Fit | None, list[Verdict]]:
        """The model that conclusions come from, and the verdicts of those that were asked before.

        The first of :data:`oulib.model.spec.CONCLUDING` that holds the whole licence, or None;
        where there is a reason from outside to think that surveys go missing for what they would
        have said (``mnar_reason``), the model of that comes first.  ``models`` are the names of
        those that are asked, all if None.  A model that cannot describe a part of a large panel is
        not fitted to all of it.
        """
        first = (UPGRADED,) if self.mnar_reason else ()
        order = [s for s in (*first, *CONCLUDING) if models is None or s.name in models]
        return self._first(order, lambda verdict: verdict.passed, self.ask)

    def highest(self) -> tuple[Fit | None, list[Verdict]]:
        """The highest model of the ladder that was sampled, and the verdicts of those above it.

        It is what chapters examine that conclude nothing from slopes.  Where none was sampled, the
        one for real panels if that was; else None.
        """
        order = (*reversed(LADDER), ROBUST)
        return self._first(order, lambda verdict: verdict.sampled, self.attempt)

    def _first(
        self,
        specs: Sequence[ModelSpec],
        good: Callable[[Verdict], bool],
        fitted: Callable[[ModelSpec], Fit | Inapplicable],
    ) -> tuple[Fit | None, list[Verdict]]:
        """The first model whose verdict is ``good``, or None; the verdicts of those before it."""
        before: list[Verdict] = []
        for spec in specs:
            result = fitted(spec)
            verdict = judge(result)
            if not isinstance(result, Inapplicable) and good(verdict):
                return result, before
            before.append(verdict)
        return None, before

    def every(self) -> dict[str, tuple[Fit | Inapplicable, Verdict]]:
        """Every named model with its verdict, in the order in which they are asked, MNAR last."""
        tried = ((spec.name, self.ask(spec)) for spec in (*CONCLUDING, UPGRADED))
        return {name: (result, judge(result)) for name, result in tried}

    def ladder(self, top: ModelSpec) -> list[Fit]:
        """The fits of the ladder's models up to ``top``, without those that do not apply."""
        names = [spec.name for spec in LADDER]
        tried = [self.attempt(spec) for spec in LADDER[: names.index(top.name) + 1]]
        return [result for result in tried if isinstance(result, Fit)]


def open_chapter(
    panel_file: str | None = None,
    columns: Mapping[str, str] | None = None,
    covariates: Sequence[str] | None = None,
    *,
    draws: int | Literal["auto"],
    tune: int,
    chains: int,
    seed: int,
    mnar_reason: str = "",
) -> Chapter:
    """Read the chapter's panel, set the figure style and register ``%%interpret``.

    ``panel_file`` is resolved against the notebook's folder; None is the default panel.
    """
    report.use_style()
    interpret.register(may_speak, lambda sentences: say(*sentences), table)
    path = default_panel() if panel_file is None else Path(panel_file).resolve()
    panel = truth.load(path, columns=columns, covariates=covariates or ())
    sampling = Sampling(draws=draws, tune=tune, chains=chains, seed=seed)
    return Chapter(panel, sampling, mnar_reason.strip())


def at_most(
    given: int | Literal["auto"], most: int, *, auto: int | Literal["auto"] | None = None
) -> int | Literal["auto"]:
    """A number of draws for a fit that shall have no more than ``most``.

    It is ``auto``, or else ``most``, where all fits are given as many as it takes.
    """
    if given == AUTO:
        return most if auto is None else auto
    return min(given, most)


def times(given: int | Literal["auto"], factor: float) -> int | Literal["auto"]:
    """``factor`` times the draws that all fits are given; as many as it takes stays so."""
    return given if given == AUTO else max(int(factor * given), 1)


def say(*sentences: str) -> None:
    """Show sentences as paragraphs."""
    display(Markdown(report.lines(sentences)))


def judge(result: Fit | Inapplicable, *reads: str) -> Verdict:
    """The verdict of a fit, or of a model that was not fitted.

    With labels of scalars it is that of a refit off which nothing else is read
    (:func:`oulib.posterior.checks.read`); those that the model does not have are passed over.
    """
    if isinstance(result, Inapplicable):
        if result.given_up is not None:
            return result.given_up
        return Verdict(model=result.spec.name, checks=(), inapplicable=result.reason)
    if reads:
        return read(result, [label for label in reads if label in result.posterior])
    return check(result)


def first_failure(*verdicts: Verdict) -> Verdict:
    """What a comparison of models rests on: the first that was not sampled or else not adequate.

    The last one where all passed.
    """
    bad = [v for v in verdicts if not v.sampled] or [v for v in verdicts if not v.passed]
    return bad[0] if bad else verdicts[-1]


_EXCEL = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

NOTHING = Verdict(model="", checks=(), inapplicable="no model holds the licence")
"""What stands in the place of a verdict where there is no model to conclude from."""


def gate(result: Fit | Inapplicable, *, expected_to_fail: bool = False) -> Verdict:
    """Hold a fit to the gate; show the banner and the table, and glue the verdict.

    ``expected_to_fail`` marks a fit that is made to fail, so that ``oulib run --strict`` does not
    count it against the book.
    """
    verdict = judge(result)
    if isinstance(result, Inapplicable):
        banner("This model was not fitted", f"<p>{escape(result.reason)}</p>", kind="note")
        glue(f"verdict_{result.spec.name}", {**verdict.to_dict(), "expected_to_fail": True})
        return verdict
    seconds = result.seconds
    timing = (
        f"{report.length(verdict)} Compiled in {seconds['compile']:.0f} s and sampled in "
        f"{seconds['sample']:.0f} s."
    )
    items = "".join(f"<li>{_inline(text)}</li>" for text in report.failures(verdict))
    if verdict.passed:
        body = f"<p>{report.passed(verdict)} {timing}</p>"
        banner("The gate is open", body, kind="tip")
    elif verdict.sampled:
        body = (
            f"<ul>{items}</ul><p>Every check of the sampler passed. But what the model has no "
            "place for may have ended up in its slopes, so nothing is concluded from them; what is "
            f"shown of them is a lesson about the model. {timing}</p>"
        )
        banner("Sampled, and not adequate", body, kind="warning")
    else:
        body = (
            f"<ul>{items}</ul><p>A model that fails its checks is not interpreted: the "
            f"conclusions below step aside. {timing}</p>"
        )
        banner("This model failed its checks", body, kind="danger")
    shown = verdict.to_frame()
    shown["where"] = [", ".join(w[:3]) + (" …" if len(w) > 3 else "") for w in shown["where"]]
    shown.index = [report.CHECK_NAMES.get(i, i) for i in shown.index]
    shown["passed"] = shown["passed"].map({True: "yes", False: "no"})
    for column in ("value", "threshold"):
        shown[column] = [f"{value:,.5g}" for value in shown[column]]
    table(shown.rename(columns={"value": "worst value"}), most=len(shown))
    _traces(result, verdict)
    about = {"fit": result.key, "panel": result.panel.fingerprint}
    glue(
        f"verdict_{result.spec.name}",
        {**verdict.to_dict(), **about, "expected_to_fail": expected_to_fail},
    )
    return verdict


def _traces(result: Fit, verdict: Verdict) -> None:
    """Traces of the scalars of which chains tell least the same, where a check of them failed."""
    labels = worst(verdict)
    if not labels:
        return
    variables = dict.fromkeys(label.partition("[")[0] for label in labels)
    scalars_ = ranks.by_label(result.posterior, [*variables])
    draws = {label: scalars_.sel(parameter=label) for label in labels}
    ranked = {label: ranks.ranks(values) for label, values in draws.items()}
    sizes = draws[labels[0]].sizes
    fig = report.traces(draws, ranked, ranks.rank_band(sizes["chain"], sizes["draw"]))
    names_ = report.names(labels)
    picture(
        fig,
        caption=f"Traces and ranks of {names_}, about which the chains of "
        f"{report.name(verdict.model)} agree least: each line is a chain. If all chains agreed, "
        "nine in ten of the bars would lie in the grey band.",
        alt=f"Line plots of the draws of {', '.join(labels)} by chain, and histograms of ranks.",
    )


def picture(fig: Figure, *, caption: str, alt: str) -> None:
    """A figure whose caption and alternative text depend on the fit; ``caption`` is Markdown."""
    drawn, width = sharp_png(fig)
    data = b64encode(drawn).decode()
    display(
        HTML(
            f'<figure><img alt="{escape(alt)}" width="{width}" '
            f'src="data:image/png;base64,{data}"/>'
            f'<figcaption><p><span class="caption-text">{_inline(caption)}</span></p></figcaption>'
            "</figure>"
        )
    )


def licence(chosen: Fit | None, before: Sequence[Verdict], mnar_reason: str = "") -> Verdict:
    """Say which model conclusions come from, or that there is none; its verdict, as of a gate.

    ``chosen`` and ``before`` are what :meth:`Chapter.licensed` returns.
    """
    if chosen is None:
        say(report.nothing_passed(before))
        glue("verdict_conclusions", {**NOTHING.to_dict(), "expected_to_fail": False})
        return NOTHING
    say(report.source_of_findings(chosen, before, mnar_reason))
    return gate(chosen)


def glue(name: str, value: Any) -> None:
    """Store a JSON value in the executed notebook under ``name``, without showing it.

    The format is scrapbook's, which MyST-NB and the pipeline both read.
    """
    display(
        {"application/papermill.record/application/json": json.dumps(value)},
        raw=True,
        metadata={
            "scrapbook": {"name": name, "mime_prefix": "application/papermill.record/"},
        },
    )


def banner(title: str, body_html: str, *, kind: str) -> None:
    """An admonition box; ``body_html`` must be safe already."""
    display(
        HTML(
            f'<div class="admonition {kind}"><p class="admonition-title">{title}</p>'
            f"{body_html}</div>"
        )
    )


def so_far(fits: Sequence[Fit]) -> None:
    """The table of LOO over the models that were sampled, and what each step brought."""
    sound = [result for result in fits if check(result).sampled]
    failed = [result.spec.name for result in fits if not check(result).sampled]
    if sound:
        table(compare(sound), digits=1)
    say(report.so_far(steps(sound), failed))


def same_model(plain: pm.Model, result: Fit | Inapplicable) -> None:
    """Say whether the plain PyMC model of a chapter is the one that was fitted."""
    if not isinstance(result, Inapplicable):
        say(report.same_model(agreement(plain, result)))


def scalars(result: Fit | Inapplicable, verdict: Verdict, names: Sequence[str]) -> None:
    """Prior, posterior and truth of the named scalars, the OU scales and correlations beside."""

    if not may_speak(verdict):
        return
    assert not isinstance(result, Inapplicable)  # what was not fitted was not sampled
    levels = ("sigma_ou", "corr_ou", "sigma_site", "corr_site")
    extra = [name for name in levels if name in result.posterior]
    prior = predict.prior_draws(result, [*names, *extra])
    true = result.panel.truth
    fig = report.posterior_against_prior(
        predict.scalars(result.posterior, names),
        predict.scalars(prior, names),
        None if true is None else predict.scalars(true, names),
    )
    display(fig)
    plt.close(fig)


def against_truth(result: Fit | Inapplicable, verdict: Verdict) -> None:
    """How many true hyperparameters and slopes the intervals hold, where there is a truth."""
    if isinstance(result, Inapplicable) or (true := result.panel.truth) is None:
        return
    if not may_speak(verdict):
        return
    # With slopes within OUs an intercept is that of another score, so not the simulator's.
    other = ("mu_alpha", "sigma_ou", "corr_ou") if result.spec.slope == "within" else ()
    shared = report.truth_series(true, [name for name in HYPERPARAMETERS if name not in other])
    slopes = report.truth_series(true, ["beta"])
    say(
        report.recovered(recovery(hyperparameters(result), shared), "hyperparameters"),
        report.recovered(recovery(summarise(result), slopes), "slopes"),
    )


def may_speak(verdict: Verdict, of_slopes: bool = False) -> bool:
    """Whether anything may be read from a fit, or of its slopes; where not, why is said."""
    if not verdict.sampled:
        say(report.withheld(verdict))
        return False
    if of_slopes and not verdict.adequate:
        say(report.lesson(verdict))
        return False
    return True


def table(frame: pd.DataFrame, *, digits: int = 2, most: int = 15) -> None:
    """A table of text and numbers, labels escaped; long ones are cut and say so."""
    shown = frame.head(most)
    formats = {
        column: (lambda v, d=digits: report.number(v, d))
        for column in shown.columns
        if pd.api.types.is_float_dtype(shown[column])
    }
    for column in shown.select_dtypes(bool):
        shown = shown.assign(**{column: shown[column].map({True: "yes", False: "no"})})
    text = shown.to_html(escape=True, border=0, classes="table", formatters=formats, na_rep="")
    text = text.replace("<th></th>", "<td></td>")  # what is empty heads nothing
    if len(frame) > most:
        text += f"<p>{most} of {len(frame):,} rows.</p>"
    display(HTML(f'<div class="pst-scrollable-table-container">{text}</div>'))


def download(frame: pd.DataFrame, file: str) -> None:
    """A link that saves ``frame`` as ``file``, .csv or .xlsx; the data are in the page itself."""
    if file.endswith(".xlsx"):
        frame.to_excel(buffer := BytesIO())
        content, kind = buffer.getvalue(), _EXCEL
    else:
        content, kind = frame.to_csv(float_format="%.6g").encode(), "text/csv"
    display(
        HTML(
            f'<p><a download="{escape(file)}" href="data:{kind};base64,'
            f'{b64encode(content).decode()}">'
            f"Save this table as {escape(file)}</a></p>"
        )
    )


def source(thing: Callable[..., Any]) -> None:
    """Show the code of a library function, as it runs, without its docstring."""
    code = textwrap.dedent(inspect.getsource(thing))
    doc = thing.__doc__
    if doc:
        start = code.index('"""')
        end = code.index('"""', start + 3) + 3
        code = code[: code.rindex("\n", 0, start)] + code[end:]
    display(Markdown(f"```python\n{code.strip()}\n```"))


def versions() -> None:
    """The versions of the libraries that the chapter ran with."""
    libraries = ("oulib", "pymc", "nutpie", "arviz", "numpy", "pandas", "xarray")
    say("Run with " + report.versions({name: version(name) for name in libraries}) + ".")


def _inline(markdown: str) -> str:
    """Bold Markdown of our own sentences as HTML; labels in them are escaped already."""
    parts = markdown.split("**")
    return "".join(f"<strong>{p}</strong>" if i % 2 else p for i, p in enumerate(parts))
