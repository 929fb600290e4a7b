"""Every symbol of the book stands in the table of ``book/notation.md``."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from oulib.book.notebook import plain_code
from oulib.book.pipeline import pages
from oulib.files import source_root
from oulib.model.draws.names import NAMES
from oulib.report.symbols import SYMBOLS

ROOT = source_root()
NOTATION = ROOT / "book" / "notation.md"
PAGES = [page for page in pages(ROOT) if page != NOTATION]

_MATH = re.compile(r"^```\{math\}\n(.*?)^```|\$\$(.+?)\$\$|(?<![\\$])\$([^$]+?)\$", re.M | re.S)
_GREEK = (
    r"(?:alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|vartheta|iota|kappa|lambda|mu|nu"
    r"|xi|pi|rho|varrho|sigma|varsigma|tau|upsilon|phi|varphi|chi|psi|omega|ell"
    r"|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Upsilon|Phi|Psi|Omega)(?![a-zA-Z])"
)
_ARGUMENT = r"(?:\{(?:[^{}]|\{[^{}]*\})*\}|\\[a-zA-Z]+|[^\\{}\s])"
_TOKEN = re.compile(
    # Words are no symbols.
    r"\\(?:text|operatorname\*?|mathrm|end) ?\{[^{}]*\}|\\begin\{\w+\}(?:\{[lcr]+\})?"
    rf"|(?P<base>(?:\\(?:bar|hat|tilde|mathbf|mathcal) ?)?(?:\\{_GREEK}|\{{?(?<!\\)[a-zA-Z1]\}}?))"
    rf"(?P<scripts>(?:\s*[_^]{_ARGUMENT}|')*)"
    r"|\\[a-zA-Z]+",  # other commands
)


def prose(path: Path) -> str:
    """What a page says: its text without code."""
    if path.suffix == ".ipynb":
        return "\n\n".join(
            cell.source
            if cell.cell_type == "markdown"
            else cell.metadata.get("mystnb", {}).get("figure", {}).get("caption", "")
            for cell in nbformat.read(path, 4).cells
        )
    return re.sub(r"^```(?!\{).*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)


def formulas(text: str) -> Iterator[str]:
    """All mathematics of a Markdown text: blocks, and what stands between dollars."""
    text = re.sub(r"(?<!`)`[^`\n]+`(?!`)", "", text)  # code and roles hold no mathematics
    for found in _MATH.finditer(text):
        block = next(group for group in found.groups() if group is not None)
        yield re.sub(r"^:label:.*$", "", block, flags=re.M)


def symbols(formula: str) -> Iterator[str]:
    r"""The symbols of a formula, each with what marks it and the class of its subscript.

    ``\beta_{g(i)}`` is ``\beta_g``, ``\sigma_{\text{meas}}^2`` is ``\sigma_meas``, ``x^*_i`` is
    ``x*_i``.  Powers, digits and steps in time do not count, nor an index beside a word.
    """
    formula = re.sub(r"(\\,|\{|\s)d ?(?=\\(?!right)|[a-z]\b)", r"\1 ", formula)  # a differential
    for found in _TOKEN.finditer(formula):
        if not (base := re.sub(r"[{} ]", "", found["base"] or "")) or base == "1":
            continue
        marks, below = "", ""
        for script in re.findall(rf"[_^]{_ARGUMENT}|'", found["scripts"]):
            inner = script[1:].removeprefix("{").removesuffix("}")
            if script == "'":
                marks += "'"
            elif script[0] == "_":
                below = _class(inner)
            elif mark := "".join(
                re.findall(rf"\*|\\%|(?<=text\{{)\w+|(?<=mathrm\{{)\w+|^\\{_GREEK}$", inner)
            ):
                marks += f"^{mark}" if mark.isalpha() else mark
            else:
                yield from symbols(inner)  # a power
        yield base + marks + (f"_{below}" if below else "")


def _class(subscript: str) -> str:
    """What a subscript says of its symbol: its words, or else its indices without steps."""
    words = re.findall(
        rf"\\(?:text|mathrm)\{{(\w+)|(\\{_GREEK}|\\min|[BxyR]|(?<=,)g|^0$)", subscript
    )
    if words:
        return ",".join(text or other for text, other in words)
    subscript = re.sub(r"([a-z])\(\w\)", r"\1", re.sub(r"[+-] ?\w+(?:_\w)?", "", subscript))
    return "".join(re.findall("[a-zA-Z]", subscript))


def _rows() -> Iterator[tuple[set[str], set[str]]]:
    """Of each row of the tables its symbols, and the chapters it is for: none, if for all."""
    shared, local = NOTATION.read_text(encoding="utf-8").split("(notation-local)=")
    for part, own in ((shared, False), (local, True)):
        for line in re.findall(r"^\| (\$.*) \|$", part, re.M):
            first, *_, last = line.split(" | ")
            where = set(re.findall(r"\(#(chapter-[a-z0-9-]+)\)", last)) if own else set()
            assert bool(where) == own, line
            yield {s for f in formulas(first) for s in symbols(f)}, where


def _stem(symbol: str) -> str:
    """A symbol without its indices."""
    return re.sub(r"_[a-zA-Z]+$", "", symbol)


def test_every_symbol_stands_in_the_table() -> None:
    rows = list(_rows())
    shared = set().union(*(found for found, where in rows if not where))
    missing = {}
    for page in PAGES:
        text = prose(page)
        here = set(re.findall(r"^\((chapter-[a-z0-9-]+)\)=", text, re.M))
        known = shared.union(*(found for found, where in rows if where & here))
        known |= {_stem(symbol) for symbol in known}
        if unknown := {s for f in formulas(text) for s in symbols(f)} - known:
            missing[page.stem] = sorted(unknown)
    assert not missing, f"not in book/notation.md, or under another meaning: {missing}"


def _labels() -> Iterator[tuple[str, str]]:
    """Constants that hold mathematics, of what chapters show and say and of their code."""
    sources = {str(f): f.read_text(encoding="utf-8") for f in (ROOT / "oulib").rglob("*.py")}
    for page in PAGES:
        if page.suffix == ".ipynb":
            cells = [c for c in nbformat.read(page, 4).cells if c.cell_type == "code"]
            sources[page.stem] = "\n".join(plain_code(cell.source) for cell in cells)
    for name, source in sources.items():
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield name, node.value


def test_figures_and_sentences_keep_to_the_table() -> None:
    listed = set().union(*(found for found, _ in _rows()))
    listed |= {_stem(symbol) for symbol in listed}
    labels = [(name, text) for name, text in _labels() if re.search(r"\$[^$]*[\\_'^][^$]*\$", text)]
    assert len(labels) > 40
    for name, text in labels:
        assert not ({s for f in formulas(text) for s in symbols(f)} - listed), f"{name}: {text}"


def test_a_symbol_has_one_row() -> None:
    rows = list(_rows())
    shared = [symbol for found, where in rows if not where for symbol in found]
    assert not [symbol for symbol, times in Counter(shared).items() if times > 1]
    for found, where in rows:
        assert not (where and found & set(shared)), found
    local = [(symbol, chapter) for found, where in rows for symbol in found for chapter in where]
    assert not [symbol for symbol, times in Counter(local).items() if times > 1]


def test_every_row_is_of_use() -> None:
    texts = [*map(prose, PAGES), *(text for _, text in _labels())]
    used = {s for text in texts for f in formulas(text) for s in symbols(f)}
    used |= {s for shown in SYMBOLS.values() for s in symbols(shown)} | {r"C^site_\alpha,\beta"}
    used |= {_stem(symbol) for symbol in used}
    for found, _ in _rows():
        assert all(symbol in used for symbol in found), found - used


def test_figures_call_variables_by_the_symbols_of_the_table() -> None:
    rows = [line.split(" | ") for line in NOTATION.read_text(encoding="utf-8").splitlines()]
    for name, shown in SYMBOLS.items():
        cells = [row for row in rows if any(f"`{name}" in cell for cell in row[1:])]
        listed = {s for row in cells for cell in row for f in formulas(cell) for s in symbols(f)}
        assert set(symbols(shown)) & listed, f"{name} is {shown} in figures"


def test_every_posterior_variable_has_its_symbol() -> None:
    listed = set(re.findall(r"`([a-z_0]+)(?:\[\w+\])?`", NOTATION.read_text(encoding="utf-8")))
    assert set(NAMES) <= listed, set(NAMES) - listed


@pytest.mark.parametrize(
    ("formula", "found"),
    [
        (r"\beta_{g(i)} x^*_i + \lambda_{t(i)}", {r"\beta_g", "x*_i", r"\lambda_t"}),
        (r"\sigma_{\text{meas}}^2 / n_i", {r"\sigma_meas", "n_i"}),
        (r"\mu_{x,g(i)} + \mu_x", {r"\mu_x,g", r"\mu_x"}),
        (r"\bar x_{gt} = \operatorname{E} \rho^{\text{ou}}_g", {r"\barx_gt", r"\rho^ou_g"}),
        (r"\int p(x)\, d\theta, \quad \phi_u^{2h}", {"p", "x", r"\theta", r"\phi_u", "h"}),
        (r"u_{g,t-1}, \mathcal{D}_{-i}", {"u_gt", r"\mathcalD"}),
    ],
)
def test_what_counts_as_a_symbol(formula: str, found: set[str]) -> None:
    assert set(symbols(formula)) == found


def test_the_glossary_is_in_order() -> None:
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8").split(":::{glossary}")[1]
    terms = re.findall(r"^(?![ :])(.+)$", text, re.M)
    assert terms == sorted(terms, key=lambda term: term.lower().replace("-", " "))
