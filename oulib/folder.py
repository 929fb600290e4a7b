"""A folder that a command is asked to write: can it be written, and is it ours to write?"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from oulib.errors import UserError


def check_folder(folder: Path, is_ours: Callable[[set[str]], bool]) -> None:
    """Refuse ``folder`` before any work is done; writes nothing.

    Args:
        folder: need not exist yet.
        is_ours: told the names in a folder that is not empty, whether an earlier run of the same
            command made it; nobody else's files are ever replaced.

    Raises:
        UserError: it is a file, lies in a file, cannot be written, or holds something else.
    """
    folder = Path(folder).absolute()
    nearest = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not nearest.is_dir():
        raise UserError(f"{nearest} is not a folder. Choose another folder for the result.")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise UserError(f"{nearest} cannot be written to. Choose another folder for the result.")
    if (
        nearest == folder
        and (names := {place.name for place in folder.iterdir()})
        and not is_ours(names)
    ):
        raise UserError(
            f"{folder} holds files that this command did not make, and it would replace them. "
            "Choose a new or an empty folder for the result."
        )


def make_folder(folder: Path) -> None:
    """Make ``folder`` and its parents; where the system forbids it, that is the user's to know."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be made ({error.strerror}).") from error
