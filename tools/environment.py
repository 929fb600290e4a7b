"""Write environment.yml, the dependencies of pyproject.toml under their conda-forge names."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# matplotlib itself brings a Qt window system as well there, for which the book has no use.
CONDA_NAMES = {
    "jupyter-client": "jupyter_client",
    "matplotlib": "matplotlib-base",
    "playwright": "playwright-python",
}

# Not on conda-forge under these names.  Fonts come with the checkout; what is for development pip
# is told to bring.
PIP_ONLY = (
    *("axe-playwright-python", "fontpkg-noto-sans-devanagari", "fontpkg-noto-sans-thai"),
    "noto-cjk-sans-otc",
)


def environment() -> str:
    """What environment.yml must hold."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, groups = pyproject["project"], pyproject["dependency-groups"]
    wanted = [f"python{project['requires-python']}", "pip"]
    named = [one for one in project["dependencies"] + groups["dev"] if one not in PIP_ONLY]
    wanted += sorted(map(_conda_name, named))
    brought = ", ".join(["--editable .", *(one for one in groups["dev"] if one in PIP_ONLY)])
    return "\n".join(
        [
            "# Made from pyproject.toml by `make lock`; change that file, not this one.",
            f"name: {project['name']}",
            "channels: [conda-forge, nodefaults]",
            "dependencies:",
            *(f"  - {requirement}" for requirement in wanted),
            f"  - pip: [{brought}]",
            "",
        ]
    )


def _conda_name(requirement: str) -> str:
    name, rest = re.fullmatch(r"([\w.-]+)(.*)", requirement).groups()
    return CONDA_NAMES.get(name, name) + rest


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(environment(), encoding="utf-8")
