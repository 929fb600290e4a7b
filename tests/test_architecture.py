"""Imports go one way, room by room: the order is that of the table in CONTRIBUTING.md."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from oulib.model.draws.names import COORDINATES, NAMES

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "oulib"
FACE = {"__init__", "__main__"}  # what users call; it may import anything and nothing imports it
FILES = {
    ".".join(("oulib", *file.relative_to(PACKAGE).with_suffix("").parts)): file
    for file in sorted(PACKAGE.rglob("*.py"))
}
MODULES = {name.removesuffix(".__init__"): file for name, file in FILES.items()}


def _rows() -> list[set[str]]:
    """The rooms of each row of the table, from the top; a row may import from those above it."""
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = guide.partition("| Room |")[2].partition("\n\n")[0]
    first_cells = re.findall(r"^\| ([^|]+) \|", table, flags=re.MULTILINE)
    return [names for cell in first_cells if (names := set(re.findall(r"`(\w+)`", cell)))]


def _imports(file: Path) -> set[str]:
    """The modules of oulib that a file imports, wherever in it: inside a function counts too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            inside = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if name in MODULES else str(node.module) for name in inside]
        else:
            continue
        found |= {name for name in names if name.partition(".")[0] == "oulib"}
    return found


def _room(module: str) -> str:
    return f"{module}.".split(".")[1]


def test_the_table_of_rooms_is_complete():
    rooms = {_room(module) for module in MODULES if module != "oulib"}
    assert sorted(name for row in _rows() for name in row) == sorted(rooms - FACE)


@pytest.mark.parametrize("room", [room for row in _rows() for room in sorted(row)])
def test_imports_go_one_way(room):
    rows = _rows()
    place = next(number for number, row in enumerate(rows) if room in row)
    above = set().union(*rows[:place]) | {room}
    for module, file in MODULES.items():
        if _room(module) == room:
            wrong = {name for name in _imports(file) if _room(name) not in above}
            assert not wrong, f"{file.relative_to(ROOT)} imports {', '.join(sorted(wrong))}"


def test_no_module_leads_back_to_itself():
    """Within a room, too.  A package's face only gathers what its modules offer."""
    faces = {module for module, file in MODULES.items() if file.name == "__init__.py"}
    TopologicalSorter(
        {module: _imports(file) for module, file in MODULES.items() if module not in faces}
    ).prepare()


ESTIMATES = {
    *("mean", "median", "average", "sum", "std", "var", "quantile", "percentile", "groupby"),
    *("cov", "corr", "corrcoef", "nanmean", "nanmedian", "nanquantile", "nanstd", "nanpercentile"),
}
"""What makes numbers of draws or tables: the names of functions and methods."""


def _estimates(file: Path) -> set[str]:
    """Where a module calls what estimates, or takes it from NumPy: ``line 12: mean``."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            named = node.func  # a field of that name, as the mean of an estimate, is no call
        elif isinstance(node, ast.Attribute) and getattr(node.value, "id", None) == "np":
            named = node
        elif isinstance(node, ast.ImportFrom) and node.module in ("numpy", "statistics"):
            found |= {f"line {node.lineno}: {alias.name}" for alias in node.names}
            continue
        else:
            continue
        if isinstance(named, ast.Attribute) and named.attr in ESTIMATES:
            found.add(f"line {node.lineno}: {named.attr}")
        if getattr(named, "id", None) == "prior_distance":
            found.add(f"line {node.lineno}: prior_distance")
    return found


@pytest.mark.parametrize(
    "module", [name for name in sorted(MODULES) if name.endswith(".sentences")]
)
def test_sentences_estimate_nothing(module):
    """They put facts into words; a chapter's ``analysis`` makes them, or ``posterior``."""
    found = _estimates(MODULES[module])
    assert not found, f"{module} estimates: {', '.join(sorted(found))}"


def _guesses(file: Path) -> set[str]:
    """Where a module asks whether draws have a variable of the models: ``line 12: nu``."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn):
            name, of = node.left, ast.unparse(node.comparators[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(".get") and node.args:
            name, of = node.args[0], ast.unparse(node.func).removesuffix(".get")
        else:
            continue
        known = isinstance(name, ast.Constant) and name.value in {*NAMES, *COORDINATES}
        if known and not re.search(r"truth|\bt\b", of):  # what a simulated panel was made with
            found.add(f"line {name.lineno}: {ast.unparse(name)} in {of}")
    return found


def test_models_are_asked_and_not_guessed():
    """What parts a model has is told by its spec and by ``model/draws``: one switch, one place."""
    outside = [file for name, file in MODULES.items() if _room(name) not in {"model", "panel"}]
    wrong = {str(file.relative_to(ROOT)): found for file in outside if (found := _guesses(file))}
    assert not wrong
