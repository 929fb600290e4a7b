"""Names, numbers and intervals as Markdown text."""

from __future__ import annotations

import html
import math
import re
from collections.abc import Iterable, Sequence
from decimal import Decimal


def name(label: object) -> str:
    """A label from the data as Markdown text, with every mark that could be markup disarmed."""
    escaped = html.escape(str(label), quote=False)
    return re.sub(r"[\\`*_{}\[\]()#+!|~^$:@-]", lambda m: f"&#{ord(m.group())};", escaped)


def names(labels: Iterable[object], most: int = 6) -> str:
    """A list of labels in words, cut after ``most`` with the number of the others."""
    labels = list(labels)
    shown = [name(label) for label in labels[:most]]
    if len(labels) > most:
        shown.append(f"{len(labels) - most} more")
    if len(shown) < 2:
        return "".join(shown)
    return ", ".join(shown[:-1]) + " and " + shown[-1]


def number(value: float, digits: int = 2) -> str:
    """A number with ``digits`` decimals, a true minus sign and thousands separated."""
    text = f"{value:,.{digits}f}"
    if float(text.replace(",", "")) == 0:
        text = text.lstrip("-")
    return text.replace("-", "−")


def power_of_ten(value: float) -> str:
    """A small number as mathematics: ``$6 \\cdot 10^{-14}$``."""
    if not math.isfinite(value):
        return str(value)
    digit, exponent = f"{value:.0e}".split("e")
    return rf"${digit} \cdot 10^{{{int(exponent)}}}$"


def told_apart(value: float, threshold: float) -> tuple[str, str]:
    """A value and what it is held to, with as many decimals as the threshold needs, or two.

    More where they would look alike: 1.0102 is not "1.01, and should be at most 1.01".  Whole
    numbers have none.
    """
    least = max(2, -int(Decimal(str(threshold)).as_tuple().exponent))
    apart = (d for d in range(least, 10) if round(value, d) != threshold)
    texts = [
        number(v, 0 if float(v).is_integer() else digits)
        for v, digits in ((value, next(apart, least)), (threshold, least))
    ]
    return texts[0], texts[1]


def count(n: int, thing: str, things: str | None = None) -> str:
    """``1 row``, ``12 rows``."""
    return f"{n:,} {thing if n == 1 else things or thing + 's'}"


def percent(share: float) -> str:
    """A share in per cent, never rounded to 0 or 100 unless it is."""
    if 0 < share < 0.01:
        return "less than 1%"
    if 0.99 < share < 1:
        return "more than 99%"
    return f"{100 * share:.0f}%"


def probability(p: float) -> str:
    """A probability to two decimals, with its ends spelled out."""
    if p > 0.99:
        return "above 0.99"
    if p < 0.01:
        return "below 0.01"
    return f"{p:.2f}"


def interval(low: float, high: float, digits: int = 2) -> str:
    """``−0.10 to 0.32``."""
    return f"{number(low, digits)} to {number(high, digits)}"


def versions(found: dict[str, str]) -> str:
    """Library versions in a line."""
    return ", ".join(f"{library} {number_}" for library, number_ in found.items())


def lines(sentences: Sequence[str] | str) -> str:
    """Paragraphs of Markdown from one sentence or many."""
    return sentences if isinstance(sentences, str) else "\n\n".join(sentences)
