"""Where the book's own files are: in a checkout, or in an installed package."""

from __future__ import annotations

from pathlib import Path

from oulib.errors import UserError

_PACKAGE = Path(__file__).resolve().parent


def source_root() -> Path:
    """The folder with ``_toc.yml``, ``notebooks``, ``book`` and ``data``.

    Raises:
        UserError: the installation holds no book.
    """
    for folder in (_PACKAGE.parent, _PACKAGE / "_book"):
        if (folder / "_toc.yml").is_file():
            return folder
    raise UserError(
        "This installation of oulib has no book in it. Install it again, or work in a checkout."
    )


def default_panel() -> Path:
    """The panel file that the book is about when it is given no other."""
    return source_root() / "data" / "panel.csv"
