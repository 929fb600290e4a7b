"""From a file to a table of text: the cells as they were written, and the rows they stand in."""

from __future__ import annotations

import csv
import gzip
import io
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from oulib.panel.cells import WHITE
from oulib.panel.problem import PanelError, Problem, quoted

SAVE_AS = "Save it as .csv, .csv.gz, .parquet or .xlsx."
OLD_EXCEL = "an Excel workbook with a password or from before 2007"
SIGNATURES = {
    b"PK\x03\x04": "an Excel (.xlsx) workbook",
    b"PAR1": "Parquet",
    b"\x1f\x8b": "gzip",
    b"\xd0\xcf\x11\xe0": OLD_EXCEL,
}
AS_UTF8 = "Save it as UTF-8 (in Excel: Save As, 'CSV UTF-8'; in pandas: encoding='utf-8')."
ADD_ROWS = "Add a row for each OU and month."
EXPORT_AGAIN = "Export or download it again."
CHECK_NAME = "Check the name and the folder."
HEADER_ROW = "row 1 is the first line of the file"


@dataclass(frozen=True)
class Raw:
    """A file as text: nothing has been interpreted yet.

    Attributes:
        header: the names of the columns, white space around them stripped.
        cells: a text column for each name, under its position; the index counts rows as ``note``
            says.  An empty cell is empty text or missing.
        note: how rows are counted, for a message.
        problems: rows that could not be cut into cells; they are not in ``cells``.
    """

    header: tuple[str, ...]
    cells: pd.DataFrame
    note: str
    problems: tuple[Problem, ...] = ()


def read_raw(path: Path) -> Raw:
    """The table in ``path``, by its suffix.

    Raises:
        PanelError: there is no such file, it is not what its name says, or it holds no rows.
    """
    try:
        reader, signature = _format(path)
        with path.open("rb") as file:
            start = file.read(4)
        if not start:
            raise _error(path, "the file is empty", EXPORT_AGAIN)
        content = SIGNATURES.get(start, SIGNATURES.get(start[:2]))
        if content != signature:
            message = f"this is not {signature or 'CSV'}, as its name says"
            message += f", but {content}" if content else ""
            advice = (
                SAVE_AS if content == OLD_EXCEL else f"Correct the suffix, or {SAVE_AS.lower()}"
            )
            raise _error(path, message, advice)
        return reader(path)
    except OSError as error:  # no permission, a disk that fails, a broken gzip
        reason = error.strerror or error
        advice = "Check that it is whole and that you may read it."
        raise _error(path, f"the file cannot be read ({reason})", advice) from error


def _format(path: Path) -> tuple[Callable[[Path], Raw], str | None]:
    """The reader for ``path`` and what such a file begins with."""
    name = path.name.lower()
    excel = (_read_excel, SIGNATURES[b"PK\x03\x04"])
    parquet = (_read_parquet, SIGNATURES[b"PAR1"])
    formats = {
        ".csv": (_read_csv, None),
        ".csv.gz": (_read_csv, SIGNATURES[b"\x1f\x8b"]),
        ".parquet": parquet,
        ".pq": parquet,
        ".xlsx": excel,
        ".xlsm": excel,
    }
    if path.is_dir():
        raise _error(path, "this is a folder, not a file", "Name the panel file itself.")
    if not path.is_file():
        raise _error(path, f"there is no such file (looked for {path.absolute()})", CHECK_NAME)
    for suffix, known in formats.items():
        if name.endswith(suffix):
            return known
    suffix = quoted(path.suffix) if path.suffix else "a name without a suffix"
    raise _error(path, f"{suffix} stands for no format that can be read", SAVE_AS)


def _read_csv(path: Path) -> Raw:
    data = path.read_bytes()
    if path.name.lower().endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (EOFError, zlib.error) as error:
            raise _error(path, f"the gzip file is damaged ({error})", EXPORT_AGAIN) from error
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _error(path, "the text is UTF-16, not UTF-8", AS_UTF8)
    if (position := data.find(b"\0")) >= 0:
        row = data.count(b"\n", 0, position) + 1
        advice = "Remove it; if the file is UTF-16, save it as UTF-8."
        raise _error(path, "a NUL byte, which no text contains", advice, row, HEADER_ROW)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        message = f"the text is not UTF-8 (byte 0x{data[error.start]:02x})"
        raise _error(path, message, AS_UTF8, row, HEADER_ROW) from error
    first = next((line for line in io.StringIO(text, newline="") if line.strip()), "")
    lines: list[list[str]] = []
    try:
        # Excel writes semicolons where the comma is the decimal mark; the header gives it away.
        delimiter = max(",;\t", key=lambda mark: len(next(csv.reader([first], delimiter=mark), [])))
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            lines.append(line)
    except csv.Error as error:
        raise _error(
            path,
            f"the quotes of this row do not match ({error})",
            'Close each opening ", and write a quote inside a quoted cell as "".',
            len(lines) + 1,
            HEADER_ROW,
        ) from error
    header, rows = _split(path, lines)
    width = len(header)
    whole, problems = {}, []
    for row, line in rows.items():
        if len(line) >= width and not any(cell.strip() for cell in line[width:]):
            whole[row] = line[:width]
        else:
            problems.append(_ragged(row, line, width, delimiter))
    if not whole:
        message = f"no row has as many cells as the header ({width})"
        raise _error(path, message, "Remove what stands above the header.", None, HEADER_ROW)
    return Raw(header, _text_frame(whole, width), HEADER_ROW, tuple(problems))


def _ragged(row: int, line: list[str], width: int, delimiter: str) -> Problem:
    if len(line) > width:
        advice = (
            f"Write decimals with a point, and put quotes around a cell with {delimiter!r} in it."
        )
    else:
        advice = f"Complete the row (an empty cell needs its {delimiter!r}, too), or remove it."
    message = f"{len(line)} cells, but the header has {width}"
    return Problem(row, None, delimiter.join(line), message, advice, kind="ragged")


def _read_excel(path: Path) -> Raw:
    import openpyxl

    with warnings.catch_warnings():
        # It warns of what it does not keep (styles, drop-down lists); only values are read here.
        warnings.filterwarnings("ignore", module="openpyxl")
        try:
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                sheets = book.worksheets
                sheet = sheets[0]
                sheet.reset_dimensions()  # some writers state a size that is wrong
                lines = [[_excel_text(cell) for cell in line] for line in sheet.values]
            finally:
                book.close()
        except Exception as error:  # whatever the broken part of the workbook provokes
            message = f"the workbook cannot be read ({type(error).__name__}: {error})"
            raise _error(path, message, "Open it in Excel and save it again as .xlsx.") from error
    header, rows = _split(path, lines)
    width = len(header)
    padded = {row: (line + [""] * width)[:width] for row, line in rows.items()}
    others = f"; only the first sheet, {quoted(sheet.title)}, is read" if len(sheets) > 1 else ""
    return Raw(header, _text_frame(padded, width), HEADER_ROW + others)


def _excel_text(cell: Any) -> str:
    match cell:
        case None:
            return ""
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime():
            return cell.isoformat(" ").removesuffix(" 00:00:00")
        case _:
            return str(cell)


def _read_parquet(path: Path) -> Raw:
    import pandas.core.arrays.arrow.extension_types  # noqa: F401 (Arrow learns pandas' periods)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).strip().splitlines()[0]
        raise _error(path, f"the Parquet file is damaged ({reason})", EXPORT_AGAIN) from error
    if not table.num_rows:
        raise _error(path, "there are columns but no rows", ADD_ROWS)
    cells = {position: _arrow_text(column) for position, column in enumerate(table.columns)}
    frame = pd.DataFrame(cells, dtype="str")
    frame.index += 1
    header = tuple(name.strip(WHITE) for name in table.column_names)
    return Raw(header, frame, "row 1 is the first row of data")


def _arrow_text(column: Any) -> pd.Series:
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = column.type
    try:
        if isinstance(kind, pa.BaseExtensionType):
            return column.to_pandas().astype("str")  # for one, pandas' periods
        if pa.types.is_floating(kind):  # a NaN is an empty cell, not the word
            column = pc.if_else(pc.is_nan(column), None, column)
        text = pc.cast(column, pa.string()).to_pandas().astype("str")
    except pa.ArrowException:  # lists and the like, of no use but not in the way
        return column.to_pandas().astype("str")
    if pa.types.is_timestamp(kind):
        return text.str.replace(r" 00:00:00(\.0+)?$", "", regex=True)
    return text


def _split(path: Path, lines: Sequence[list[str]]) -> tuple[tuple[str, ...], dict[int, list[str]]]:
    """The header and the other rows under their numbers, without those that are blank."""
    rows = {
        number: line
        for number, line in enumerate(lines, start=1)
        if any(cell and not cell.isspace() for cell in line)
    }
    if not rows:
        raise _error(path, "the file is empty", EXPORT_AGAIN)
    header = [name.strip(WHITE) for name in rows.pop(next(iter(rows)))]
    while header and not header[-1]:
        header.pop()
    if not rows:
        raise _error(path, "there is a header but no row under it", ADD_ROWS)
    return tuple(header), rows


def _text_frame(rows: dict[int, list[str]], width: int) -> pd.DataFrame:
    columns = zip(*rows.values(), strict=True) if rows else [()] * width
    cells = {position: list(column) for position, column in enumerate(columns)}
    return pd.DataFrame(cells, index=list(rows), dtype="str")


def _error(
    path: Path, message: str, advice: str, row: int | None = None, note: str = ""
) -> PanelError:
    return PanelError(str(path), [Problem(row, None, None, message, advice)], note)
