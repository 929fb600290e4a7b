"""Imports go one way: down the table of modules in CONTRIBUTING.md, which this reads."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "oulib"
MODULES = {file.stem for file in PACKAGE.glob("*.py")} | {
    folder.parent.name for folder in PACKAGE.glob("*/__init__.py")
}
FACE = {"__init__", "__main__"}  # what users call; it may import anything and nothing imports it


def _rows() -> list[set[str]]:
    """The modules of each row of the table, from the top; a row may import from those above it."""
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    table = guide.partition("| Module |")[2].partition("\n\n")[0]
    first_cells = re.findall(r"^\| ([^|]+) \|", table, flags=re.MULTILINE)
    return [names for cell in first_cells if (names := set(re.findall(r"`(\w+)`", cell)))]


def _imported_by(file: Path) -> set[str]:
    """The modules of oulib that a file imports, wherever in it: inside a function counts too."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names = [node.module]
            if node.module == "oulib":
                names = [f"oulib.{alias.name}" for alias in node.names]
        else:
            continue
        found |= {f"{name}.".split(".")[1] for name in names if name.split(".")[0] == "oulib"}
    return found


def test_the_table_of_modules_is_complete():
    named = [name for row in _rows() for name in row]
    assert sorted(named) == sorted(MODULES - FACE)


@pytest.mark.parametrize("module", sorted(MODULES - FACE))
def test_imports_go_one_way(module):
    rows = _rows()
    place = next(number for number, row in enumerate(rows) if module in row)
    above = set().union(*rows[:place])
    files = [PACKAGE / f"{module}.py"] if (PACKAGE / f"{module}.py").exists() else None
    for file in files or sorted((PACKAGE / module).rglob("*.py")):
        assert _imported_by(file) - {module} <= above, (
            f"{file.relative_to(ROOT)} imports what stands beside or below it in CONTRIBUTING.md"
        )
