"""Figures that move: a still picture with its data, in whose place a page's script draws.

The script is ``book/_static/moving.js``, which every page of the book loads.  Where it does not
run, in Jupyter, on paper and in a browser without JavaScript, the picture stands.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from oulib.report.style import sharp_png

_DIGITS = 6  # significant ones: more than a screen can show


@dataclass(frozen=True)
class Moving:
    """A figure that moves, as a notebook displays it.

    ``kind`` names its function in the script, ``data`` is the JSON that this gets, ``alt`` says
    what the ``still`` picture (PNG) shows, ``width`` pixels wide on the page.
    """

    kind: str
    data: str = field(repr=False)
    alt: str
    still: bytes = field(repr=False)
    width: int

    def _repr_html_(self) -> str:
        """The still picture and the data; text in either is text and never markup."""
        picture = b64encode(self.still).decode()
        return (
            f'<div class="moving" data-moving="{escape(self.kind)}">'
            f'<img class="moving-still" alt="{escape(self.alt)}" '
            f'width="{self.width}" '
            f'src="data:image/png;base64,{picture}"/>'
            f'<script type="application/json">{self.data}</script></div>'
        )


def moving(kind: str, data: Mapping[str, Any], still: Figure, *, alt: str) -> Moving:
    """A figure that moves from its data and its still picture, which is closed.

    Args:
        kind: the function of ``moving.js`` that draws it.
        data: texts, numbers, and lists, mappings or arrays of them; NaN and infinities become null.
        still: what is shown where nothing moves.
        alt: what ``still`` shows, in words.
    """
    picture, width = sharp_png(still)
    return Moving(kind=kind, data=_json(data), alt=alt, still=picture, width=width)


def _json(data: Mapping[str, Any]) -> str:
    """JSON that may stand in an HTML script: nothing in it can end the element or begin another."""
    text = json.dumps(_plain(data), ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("&", r"\u0026").replace("<", r"\u003c").replace(">", r"\u003e")


def _plain(value: Any) -> Any:
    """``value`` with arrays as lists, numbers in few digits and None for what is not finite."""
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(f"{value:.{_DIGITS}g}") if np.isfinite(value) else None
    return value if value is None else str(value)
