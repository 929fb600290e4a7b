"""What is installed: one list of dependencies, and two files that are made from it."""

import ast
import re
import runpy
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
DEPENDENCIES = [Requirement(line) for line in PYPROJECT["project"]["dependencies"]]
DEV = [Requirement(line) for line in PYPROJECT["dependency-groups"]["dev"]]
OPTIONAL = [
    Requirement(line)
    for extra in PYPROJECT["project"]["optional-dependencies"].values()
    for line in extra
]
# Used by name or as a command, and so imported nowhere in oulib; and fonts, which are files.
FONTS = {"fontpkg-noto-sans-devanagari", "fontpkg-noto-sans-thai", "noto-cjk-sans-otc"}
NOT_IMPORTED = {"jupyter-book", "netcdf4", *FONTS}


def test_environment_yml_is_made_from_pyproject():
    made = runpy.run_path(str(ROOT / "tools" / "environment.py"))["environment"]()
    assert (ROOT / "environment.yml").read_text(encoding="utf-8") == made, (
        "environment.yml does not match pyproject.toml: run `make lock`."
    )


def test_the_lock_holds_every_dependency_in_a_version_that_is_allowed():
    pinned = dict(re.findall(r"^([\w.-]+)==(\S+)", _lock(), flags=re.MULTILINE))
    wrong = [
        str(requirement)
        for requirement in DEPENDENCIES + DEV
        if not requirement.specifier.contains(pinned.get(canonicalize_name(requirement.name), "0"))
    ]
    assert wrong == [], "requirements.lock does not match pyproject.toml: run `make lock`."


def test_the_lock_names_nothing_but_releases():
    for line in _lock().splitlines():
        release = re.fullmatch(r"[\w.-]+==[\w.]+( ; [^#]+)?\s*", line.partition("#")[0])
        assert line.startswith("#") or line.lstrip().startswith("#") or release, line


def test_every_import_is_a_declared_dependency():
    declared = {canonicalize_name(requirement.name) for requirement in DEPENDENCIES}
    optional = {canonicalize_name(requirement.name) for requirement in OPTIONAL}
    imported = _distributions_imported_in(ROOT / "oulib")
    assert imported - optional <= declared
    assert declared - imported == NOT_IMPORTED
    for_tests = _distributions_imported_in(ROOT / "tests")
    assert for_tests <= declared | {canonicalize_name(requirement.name) for requirement in DEV}


def _lock() -> str:
    return (ROOT / "requirements.lock").read_text(encoding="utf-8")


def _distributions_imported_in(folder: Path) -> set[str]:
    names = set()
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                names.add(node.module.partition(".")[0])
    ours = {"oulib", *(file.stem for file in folder.iterdir())}
    known = packages_distributions()
    return {
        canonicalize_name(known.get(name, [name])[0])
        for name in names - ours - sys.stdlib_module_names
    }
