"""Cells that speak of a fit only if its gate passed: the magics ``%%interpret``, ``%%conclude``.

    %%interpret verdict
    figures.bridges(analysis.bridges(result))
    sentences.bridges(analysis.bridges(result))

runs if the fit behind ``verdict`` was sampled, and shows the value of every expression in it, in
the branches of an ``if``, too: figures, tables, sentences as paragraphs.  Otherwise it says why
nothing is shown.  ``%%conclude`` wants the whole licence, and is for what is said of slopes.  What
follows the name of the magic is any Python expression; where it is None there is no fit to speak
of, and the cell does nothing.  The names that a cell defines stay, as those of any cell do.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from IPython import get_ipython
from IPython.core.error import UsageError
from IPython.display import display
from matplotlib.figure import Figure

from oulib.posterior.checks import Verdict

MAGICS = {"interpret": False, "conclude": True}
"""The magics, and whether what they show speaks of slopes."""

MaySpeak = Callable[[Verdict, bool], bool]
Say = Callable[[list[str]], None]


def register(may_speak: MaySpeak, say: Say, table: Callable[[pd.DataFrame], None]) -> None:
    """Make the magics known to the notebook that this runs in; outside of one do nothing.

    Args:
        may_speak: whether a verdict allows to speak, of slopes or not; says why where it does not.
        say: shows sentences as paragraphs.
        table: shows a table.
    """
    if shell := get_ipython():
        for name, of_slopes in MAGICS.items():
            magic = _magic(shell, name, of_slopes, may_speak, say, table)
            shell.register_magic_function(magic, "cell", name)


def _magic(
    shell: Any,
    name: str,
    of_slopes: bool,
    may_speak: MaySpeak,
    say: Say,
    table: Callable[[pd.DataFrame], None],
) -> Callable[[str, str], None]:
    def run(line: str, cell: str) -> None:
        if not line.strip():
            raise UsageError(f"%%{name} needs the verdict that it depends on: %%{name} verdict")
        verdict = eval(line, shell.user_ns)
        if verdict is None:  # nothing was fitted, and the page has said so
            return
        if not isinstance(verdict, Verdict):
            raise UsageError(f"%%{name} needs a verdict, and {line.strip()} is none.")
        if may_speak(verdict, of_slopes):
            show_values(cell, shell.user_ns, say, table, file=shell.compile.cache(cell))

    return run


def show_values(
    code: str,
    namespace: dict[str, Any],
    say: Say,
    table: Callable[[pd.DataFrame], None],
    *,
    file: str = "<cell>",
) -> None:
    """Run ``code`` and show the value of each expression in it, sentences that follow together."""
    said: list[str] = []
    for value in _values(ast.parse(code, file).body, namespace, file):
        if isinstance(value, str):
            said.append(value)
        elif isinstance(value, list) and all(isinstance(one, str) for one in value):
            said += value
        else:
            _finish(said, say)
            _show(value, table)
    _finish(said, say)


def _values(body: list[ast.stmt], namespace: dict[str, Any], file: str) -> Iterator[Any]:
    """Run statements one by one; the values of those that are expressions."""
    for statement in body:
        if isinstance(statement, ast.Expr):
            yield eval(compile(ast.Expression(statement.value), file, "eval"), namespace)
        elif isinstance(statement, ast.If):
            true = eval(compile(ast.Expression(statement.test), file, "eval"), namespace)
            yield from _values(statement.body if true else statement.orelse, namespace, file)
        else:
            exec(compile(ast.Module([statement], []), file, "exec"), namespace)


def _finish(said: list[str], say: Say) -> None:
    if said:
        say([*said])
        said.clear()


def _show(value: object, table: Callable[[pd.DataFrame], None]) -> None:
    if isinstance(value, pd.DataFrame):
        table(value)
    elif value is not None:
        display(value)
    if isinstance(value, Figure):
        plt.close("all")
