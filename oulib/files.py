"""Files and folders: the book's own, those a command may write, and writing whole or not at all."""

from __future__ import annotations

import errno
import glob
import os
import platform
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

from oulib.errors import UserError

PACKAGE = Path(__file__).resolve().parent
"""The folder of the package."""

MODEL_CODE = tuple(sorted((PACKAGE / "model").glob("*.py")))
"""The files that a model is built by; what is said of its draws stands in a folder below."""


def write_atomically(path: Path, content: str | Callable[[Path], object]) -> Path:
    """Write ``path`` so that a reader, or a crash, sees the old file or the new one, never half.

    ``content`` is the text, or a function that writes the file it is given.
    """
    path = Path(path)
    with room_for(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _forget_abandoned(path)
        start = f"{_aside(path)}{os.getpid()}-"
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=start, suffix=path.suffix)
        os.close(handle)
    temporary = Path(name)
    try:
        with room_for(path):  # asked before what has filled the disk is removed
            if callable(content):
                content(temporary)
            else:
                temporary.write_text(content, encoding="utf-8")
        temporary.chmod(0o644)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return path


@contextmanager
def folder_aside(path: Path) -> Iterator[Path]:
    """A folder beside ``path`` for what is put in its place when it is whole; gone afterwards.

    So is what a process left there that was killed.
    """
    _forget_abandoned(path)
    start = f"{_aside(path)}{os.getpid()}-"
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=start) as aside:
        yield Path(aside)


@contextmanager
def room_for(path: Path) -> Iterator[None]:
    """What fails for want of room on the disk is the user's to know, whatever a library calls it.

    Raises:
        UserError: the disk of ``path`` is full.
    """
    try:
        yield
    except Exception as error:
        number = getattr(error, "errno", None)
        if number not in (errno.ENOSPC, errno.EDQUOT):
            if isinstance(error, UserError) or not path.parent.is_dir():
                raise
            if shutil.disk_usage(path.parent).free >= _LITTLE:
                raise
        raise UserError(
            f"There is no room left on the disk of {path.parent}, so {path.name} was not written. "
            "Make room, or choose another folder."
        ) from error


_LITTLE = 2**17
"""A disk with fewer bytes is full: libraries of C do not say why they could not write."""


def _aside(path: Path) -> str:
    """How names of temporaries beside ``path`` begin, before the process that writes them."""
    machine = re.sub(r"\W", "", platform.node())[:20]
    return f".{path.name[:100]}.{machine}-"


def _forget_abandoned(path: Path) -> None:
    """Remove temporaries for ``path`` of processes of this machine that are no more."""
    start = _aside(path)
    for left in path.parent.glob(f"{glob.escape(start)}*"):
        writer = left.name.removeprefix(start).partition("-")[0]
        if writer.isdecimal() and not _alive(int(writer)):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it is somebody else's
        return True
    return True


def own_temporary_folder(name: str) -> Path:
    """A folder among the temporary files that nobody else could have put anything into.

    The same one each time, so that what it keeps is found again; another one, for this process,
    where somebody else has taken its name.
    """
    folder = Path(tempfile.gettempdir()) / f"{name}-{os.getuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    theirs = found.st_uid != os.getuid() or found.st_mode & 0o022
    if theirs or not stat.S_ISDIR(found.st_mode):  # a link is not a folder
        return Path(tempfile.mkdtemp(prefix=f"{name}-"))
    return folder


@cache
def writable(folder: Path, name: str) -> Path:
    """``folder``, made if need be, or where it cannot be written :func:`own_temporary_folder`."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
    return folder if _can_write(folder) else own_temporary_folder(name)


def _can_write(folder: Path) -> bool:
    """Whether files can be made in ``folder``; it is tried."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


@cache
def settle() -> Path | None:
    """See that libraries have a place for what they keep, and leave nothing lying about.

    PyTensor, Numba, matplotlib and Jupyter each keep something in the home folder, and some end
    where they cannot (containers, service accounts).  PyTensor also leaves the source text of what
    it compiles among the temporary files, under a new name each time.  They are told by environment
    variables, which other processes inherit; what is set already stays as it is.

    Returns:
        Where things are kept if the home folder cannot be written, else None.
    """
    try:
        aside = own_temporary_folder("oulib")
    except OSError:  # nothing can be written anywhere: that is for whoever wants to
        return None
    flags = {"generated_src_dir": aside / "source"}
    try:
        home = _can_write(Path.home())
    except RuntimeError:  # an account without one
        home = False
    if not home:
        flags["base_compiledir"] = aside / "pytensor"
        for variable, place in _KEPT_AT_HOME.items():
            os.environ.setdefault(variable, str(aside / place))
    given = os.environ.get("PYTENSOR_FLAGS", "")
    added = [f"{flag}={place}" for flag, place in flags.items() if flag not in given]
    os.environ["PYTENSOR_FLAGS"] = ",".join(filter(None, [given, *added]))
    return None if home else aside


_KEPT_AT_HOME = {
    "XDG_CACHE_HOME": "cache",
    "NUMBA_CACHE_DIR": "numba",
    "MPLCONFIGDIR": "matplotlib",
    "JUPYTER_CONFIG_DIR": "jupyter",
    "JUPYTER_DATA_DIR": "jupyter",
    "JUPYTER_RUNTIME_DIR": "jupyter/runtime",
    "IPYTHONDIR": "ipython",
}


def source_root() -> Path:
    """The folder with ``_toc.yml``, ``notebooks``, ``book`` and ``data``.

    Raises:
        UserError: the installation holds no book.
    """
    for folder in (PACKAGE.parent, PACKAGE / "_book"):
        if (folder / "_toc.yml").is_file():
            return folder
    raise UserError(
        "This installation of oulib has no book in it. Install it again, or work in a checkout."
    )


def default_panel() -> Path:
    """The panel file that the book is about when it is given no other."""
    return source_root() / "data" / "panel.csv"


def measured(name: str) -> Path:
    """A table that comes with the book, in ``data/``, of what was measured and takes hours.

    Chapters that show one are executed again when one has changed, so they ask for it here.
    """
    return source_root() / "data" / name


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
