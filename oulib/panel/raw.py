"""From a file to a table of text: the cells as they were written, and the rows they stand in."""

from __future__ import annotations

import csv
import gzip
import html
import io
import itertools
import re
import shlex
import warnings
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from oulib.panel.cells import WHITE, plain
from oulib.panel.problem import PanelError, Problem, quoted

PROGRAMS = {
    **{
        ".ods": "LibreOffice",
        ".xls": "Excel or LibreOffice",
        ".xlsb": "Excel",
        ".numbers": "Numbers",
    },
    **{".dta": "Stata or R", ".sav": "SPSS or R", ".rds": "R", ".feather": "pandas or R"},
}
"""What opens files that are not read here."""
DELIMITERS = (",", ";", "\t", "|")
HEADER_WITHIN = 50
"""So many lines with anything in them may stand above the header."""
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
class Wanted:
    """What a table is known by: names of columns, as :func:`oulib.panel.cells.plain` has them.

    ``required`` are those without which there is no panel; ``others`` are of use, too.
    """

    required: frozenset[str]
    others: frozenset[str] = frozenset()

    def matches(self, line: Sequence[str]) -> int:
        """How many of the required names stand in ``line``."""
        return len(self.required & {plain(cell) for cell in line})

    def places(self, header: Sequence[str]) -> set[int]:
        """Where the columns that are of use stand."""
        names = self.required | self.others
        return {place for place, name in enumerate(header) if plain(name) in names}


@dataclass(frozen=True)
class Source:
    """Where in a file its table was found, and what had to be understood for that.

    Attributes:
        form: the format in words, with encoding and separator where there are any.
        sheet: the sheet of a workbook that was read, None of other files.
        others: the names of its other sheets; ``hidden`` are those of all sheets that are hidden.
        header: the row of the header, None where it has none.
        delimiter: what separates the cells of a text file.
        remarks: sentences about what was read, and how, where one might think otherwise.
    """

    form: str
    sheet: str | None = None
    others: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    header: int | None = None
    delimiter: str | None = None
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Raw:
    """A file as text: nothing has been interpreted yet.

    Attributes:
        header: the names of the columns, white space around them stripped.
        cells: a text column for each name, under its position; the index counts rows as ``note``
            says.  An empty cell is empty text or missing.
        note: how rows are counted, for a message.
        source: where the table was found.
        problems: what stands in the way of reading it; rows that could not be cut into cells are
            not in ``cells``.
    """

    header: tuple[str, ...]
    cells: pd.DataFrame
    note: str
    source: Source
    problems: tuple[Problem, ...] = ()


def read_raw(path: Path, wanted: Wanted, *, sheet: str | None = None) -> Raw:
    """The table in ``path``, by its suffix.

    Lines above the header are left out where a line below them has all the names that are
    ``wanted``.  Of a workbook ``sheet`` is read, or the one visible sheet with such a header.

    Raises:
        PanelError: there is no such file, it is not what its name says, it holds no rows, or more
            than one table.
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
        if sheet is not None and reader is not _read_excel:
            message = f"there is no sheet {quoted(sheet)}: only a workbook has sheets"
            raise _error(path, message, "Leave --sheet out.")
        return reader(path, wanted, sheet)
    except OSError as error:  # no permission, a disk that fails, a broken gzip
        reason = error.strerror or error
        advice = "Check that it is whole and that you may read it."
        raise _error(path, f"the file cannot be read ({reason})", advice) from error


def _format(path: Path) -> tuple[Callable[[Path, Wanted, str | None], Raw], str | None]:
    """The reader for ``path`` and what such a file begins with."""
    name = path.name.lower()
    excel = (_read_excel, SIGNATURES[b"PK\x03\x04"])
    parquet = (_read_parquet, SIGNATURES[b"PAR1"])
    formats = {
        ".csv": (_read_csv, None),
        ".csv.gz": (_read_csv, SIGNATURES[b"\x1f\x8b"]),
        ".tsv": (_read_csv, None),
        ".txt": (_read_csv, None),
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
    advice = SAVE_AS
    if program := PROGRAMS.get(path.suffix.lower()):
        advice = f"{program} can save it as .xlsx or .csv."
    raise _error(path, f"{suffix} stands for no format that can be read", advice)


def _read_csv(path: Path, wanted: Wanted, sheet: str | None) -> Raw:
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
    delimiter = _delimiter(text, wanted)
    lines: list[list[str]] = []
    try:
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
    found = _split(path, lines, wanted)
    width = len(found.header)
    whole, problems = {}, []
    # An empty cell more is what some programs end each line with; in some lines only it is what a
    # comma within a number makes of the empty cells after it.
    ended = all(len(line) > width for line in found.rows.values())
    for row, line in found.rows.items():
        if len(line) == width or (ended and not any(cell.strip() for cell in line[width:])):
            whole[row] = line[:width]
        else:
            problems.append(_ragged(row, line, width, delimiter))
    remarks = list(found.remarks)
    if whole and ended:
        remarks.append(
            f"Every row has more cells than the header ({width}); those beyond it are empty and "
            "left out. If numbers are written with a comma, they have been cut in two."
        )
    if not whole:
        message = f"no row has as many cells as the header ({width})"
        raise _error(path, message, "Remove what stands above the header.", None, HEADER_ROW)
    named = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}[delimiter]
    source = Source(
        form=f"text (UTF-8), cells separated by {named}",
        header=found.at,
        delimiter=delimiter,
        remarks=tuple(remarks),
    )
    frame = _text_frame(whole, width)
    return Raw(found.header, frame, HEADER_ROW, source, tuple(problems))


def _delimiter(text: str, wanted: Wanted) -> str:
    """What separates the cells: what cuts a line into the names wanted, or else into most cells.

    Excel writes semicolons where the comma is the decimal mark.
    """
    with_any = (line for line in io.StringIO(text, newline="") if line.strip())
    first = list(itertools.islice(with_any, HEADER_WITHIN + 1))

    def cut(line: str, mark: str) -> list[str]:
        try:
            return next(csv.reader([line], delimiter=mark), [])
        except csv.Error:
            return []

    def worth(mark: str) -> tuple[int, int]:
        named = max((wanted.matches(cut(line, mark)) for line in first), default=0)
        return named, len(cut(first[0], mark)) if first else 0

    return max(DELIMITERS, key=worth)


def _ragged(row: int, line: list[str], width: int, delimiter: str) -> Problem:
    if len(line) > width:
        advice = (
            f"Write decimals with a point, and put quotes around a cell with {delimiter!r} in it."
        )
        if not any(cell.strip() for cell in line[width:]):
            advice += f" If there is none, remove the {delimiter!r} at its end."
    else:
        advice = f"Complete the row (an empty cell needs its {delimiter!r}, too), or remove it."
    message = f"{len(line)} cells, but the header has {width}"
    return Problem(row, None, delimiter.join(line), message, advice, kind="ragged")


def _read_excel(path: Path, wanted: Wanted, sheet: str | None) -> Raw:
    import openpyxl

    with warnings.catch_warnings():
        # It warns of what it does not keep (styles, drop-down lists); only values are read here.
        warnings.filterwarnings("ignore", module="openpyxl")
        try:
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            try:
                chosen, source = _choose_sheet(path, book, wanted, sheet)
                lines = _lines(book[chosen])
                marks = _Marks.of(path, book[chosen])
            finally:
                book.close()
        except PanelError:
            raise
        except Exception as error:  # whatever the broken part of the workbook provokes
            message = f"the workbook cannot be read ({type(error).__name__}: {error})"
            raise _error(path, message, "Open it in Excel and save it again as .xlsx.") from error
    found = _split(path, lines, wanted)
    width, places = len(found.header), wanted.places(found.header)
    padded = {row: (line + [""] * width)[:width] for row, line in found.rows.items()}
    problems = [*_unsaved(marks.formulas, padded, found.header, places)]
    problems += _merged(marks.merged, padded, places)
    remarks = [*source.remarks, *found.remarks]
    if hidden := sorted(set(marks.hidden_rows) & set(padded)):
        remarks.append(
            f"{len(hidden)} hidden or filtered rows of the sheet are read as well "
            f"({_cells_listed([f'row {row}' for row in hidden])})."
        )
    if columns := sorted(marks.hidden_columns & places):
        listed = ", ".join(f"{_letter(place)} ({quoted(found.header[place])})" for place in columns)
        remarks.append(f"Hidden columns of the sheet are read as well: {listed}.")
    source = replace(source, header=found.at, remarks=tuple(remarks))
    note = HEADER_ROW
    if source.others:
        note += f"; of the workbook's sheets only {quoted(chosen)} is read"
    return Raw(found.header, _text_frame(padded, width), note, source, tuple(problems))


def _lines(sheet: Any, most: int | None = None) -> list[list[str]]:
    """The cells of a sheet as text, or of the ``most`` first rows that have any."""
    sheet.reset_dimensions()  # some writers state a size that is wrong
    lines, some = [], 0
    for line in sheet.values:
        lines.append([_excel_text(cell) for cell in line])
        some += any(lines[-1])
        if most is not None and some >= most:
            break
    return lines


def _choose_sheet(path: Path, book: Any, wanted: Wanted, asked: str | None) -> tuple[str, Source]:
    """The sheet with the table, and what is to be said of the choice."""
    sheets = book.worksheets
    hidden = tuple(sheet.title for sheet in sheets if sheet.sheet_state != "visible")
    titles = [sheet.title for sheet in sheets]

    def source(chosen: str, *remarks: str) -> Source:
        others = tuple(title for title in titles if title != chosen)
        return Source("Excel workbook", chosen, others, hidden, remarks=remarks)

    if asked is not None:
        match = [title for title in titles if plain(title) == plain(asked)]
        if not match:
            listed = ", ".join(map(quoted, titles))
            raise _error(path, f"there is no sheet {quoted(asked)}", f"Its sheets are {listed}.")
        return match[0], source(match[0])
    if len(sheets) == 1:
        return titles[0], source(titles[0])
    first = {sheet.title: _lines(sheet, HEADER_WITHIN + 1) for sheet in sheets}
    worth = {title: max(map(wanted.matches, lines), default=0) for title, lines in first.items()}
    cells = {title: sum(map(_filled, lines)) for title, lines in first.items()}
    whole = [title for title in titles if worth[title] == len(wanted.required)]
    seen = [title for title in whole if title not in hidden]
    if len(seen) > 1:
        listed = " and ".join(map(quoted, seen))
        message = f"more than one sheet holds such a table: {listed}"
        advice = f"Say which: --sheet {shlex.quote(seen[0])}."
        advice += " If each holds a part, such as a year, put them under one another in one sheet."
        raise _error(path, message, advice)
    if not seen and whole:
        listed = " and ".join(map(quoted, whole))
        message = f"only a hidden sheet holds such a table: {listed}"
        raise _error(path, message, f"If it is the one: --sheet {shlex.quote(whole[0])}.")
    if seen:
        left = [title for title in titles if title != seen[0]]
        notes = [quoted(title) + (" (hidden)" if title in hidden else "") for title in left]
        remark = f"The sheet {quoted(seen[0])} is read, and not {', '.join(notes)}."
        return seen[0], source(seen[0], remark)
    visible = [title for title in titles if title not in hidden] or titles
    best = max(visible, key=lambda title: (worth[title], cells[title]))
    return best, source(best)


@dataclass(frozen=True)
class _Marks:
    """What a sheet says beside its values: merged cells, hidden rows and columns, formulas."""

    merged: tuple[str, ...]
    hidden_rows: tuple[int, ...]
    hidden_columns: frozenset[int]
    formulas: Mapping[tuple[int, int], _Formula]

    @classmethod
    def of(cls, path: Path, sheet: Any) -> _Marks:
        """Read from the sheet's XML, of which openpyxl keeps the values when it reads only."""
        with zipfile.ZipFile(path) as archive:
            xml = archive.read(sheet._worksheet_path)
        rows = re.findall(rb"<(?:\w+:)?row\b[^>]*>", xml)
        hidden = (row for row in rows if re.search(rb'\bhidden="(?:1|true)"', row))
        numbers = (re.search(rb'\br="([0-9]+)"', row) for row in hidden)
        merged = re.findall(rb'<(?:\w+:)?mergeCell\b[^>]*ref="([^"]+)"', xml)
        return cls(
            merged=tuple(ref.decode() for ref in merged),
            hidden_rows=tuple(int(number[1]) for number in numbers if number),
            hidden_columns=frozenset(_hidden_columns(xml)),
            formulas=_formulas(xml),
        )


def _hidden_columns(xml: bytes) -> Iterator[int]:
    """Positions of the hidden columns of a sheet, from 0."""
    for column in re.findall(rb"<(?:\w+:)?col\b[^>]*>", xml):
        if re.search(rb'\bhidden="(?:1|true)"', column):
            ends = [re.search(rb'\b%s="([0-9]+)"' % end, column) for end in (b"min", b"max")]
            if all(ends):
                first, last = (int(end[1]) for end in ends if end)
                yield from range(first - 1, min(last, 2**14))


def _letter(place: int) -> str:
    from openpyxl.utils import get_column_letter

    return str(get_column_letter(place + 1))


@dataclass(frozen=True)
class _Formula:
    """A formula, and the value that is stored of it: None where there is none."""

    text: str
    value: str | None


def _formulas(xml: bytes) -> dict[tuple[int, int], _Formula]:
    """The formulas of a sheet by row, from 1, and column, from 0.

    An empty text is a value: a program that does not calculate leaves the value out.
    """
    from openpyxl.utils.cell import coordinate_to_tuple

    found = {}
    for cell in re.finditer(rb"<(?:\w+:)?c\b([^>]*[^/])>(.*?)</(?:\w+:)?c>", xml, re.DOTALL):
        formula = re.search(rb"<(?:\w+:)?f\b[^>]*?(?:/>|>(.*?)</(?:\w+:)?f>)", cell[2], re.DOTALL)
        place = re.search(rb'\br="([A-Z]+[0-9]+)"', cell[1])
        if not formula or not place:
            continue
        value = re.search(rb"<(?:\w+:)?v\b[^>]*>(.*?)</(?:\w+:)?v>", cell[2], re.DOTALL)
        stored = value[1].decode() if value and value[1] else None
        if stored is None and re.search(rb'\bt="str"', cell[1]):
            stored = ""
        if re.search(rb'\bt="b"', cell[1]):  # false is stored as 0
            stored = str(stored == "1")
        row, column = coordinate_to_tuple(place[1].decode())
        text = html.unescape((formula[1] or b"").decode())
        found[row, column - 1] = _Formula(f"={text}", stored)
    return found


def _unsaved(
    formulas: Mapping[tuple[int, int], _Formula],
    rows: Mapping[int, Sequence[str]],
    header: Sequence[str],
    places: Collection[int],
) -> list[Problem]:
    """Formulas that nothing has calculated: what they come to is not in the file.

    Programs that write formulas store no value, or 0 for each of them.
    """
    found: dict[int, dict[int, _Formula]] = {}
    for (row, column), formula in formulas.items():
        if row in rows and column in places:
            found.setdefault(column, {})[row] = formula
    problems = []
    for column, cells in found.items():
        zero = len(cells) > 2 and all(cell.value == "0" for cell in cells.values())
        problems += [
            Problem(
                row,
                header[column],
                cell.text if len(cell.text) > 1 else None,
                f"cell {_cell_name(row, column)} is a formula, and "
                + ("0 is stored for it and all others" if zero else "its value is not stored"),
                "Open the workbook in Excel or LibreOffice and save it, or paste the values.",
                "formula",
            )
            for row, cell in cells.items()
            if zero or cell.value is None
        ]
    return problems


def _merged(
    ranges: Sequence[str], rows: dict[int, list[str]], places: Collection[int]
) -> list[Problem]:
    """Merged cells among those that are of use, in one problem; fills ``rows`` with their values.

    So that the cells they leave blank are not complained of one by one.
    """
    from openpyxl.utils import range_boundaries

    found = []
    for one in sorted(ranges, key=lambda one: range_boundaries(one)[1::-1]):
        left, top, right, bottom = range_boundaries(one)
        columns, inside = range(left - 1, right), [r for r in range(top, bottom + 1) if r in rows]
        if not inside or not set(columns) & set(places):
            continue
        value = rows[inside[0]][left - 1] if left <= len(rows[inside[0]]) else ""
        for row in inside:
            for column in columns[: max(len(rows[row]) - left + 1, 0)]:
                rows[row][column] = rows[row][column] or value
        found.append((inside[0], one))
    if not found:
        return []
    return [
        Problem(
            found[0][0],
            None,
            None,
            f"merged cells, of which only the first holds the value: "
            f"{_cells_listed([one for _, one in found])}",
            "Unmerge them, and fill the value into every row.",
            "merged",
        )
    ]


def _cell_name(row: int, column: int) -> str:
    from openpyxl.utils import get_column_letter

    return f"{get_column_letter(column + 1)}{row}"


def _cells_listed(names: Sequence[str], most: int = 3) -> str:
    if len(names) <= most:
        return ", ".join(names)
    return f"{', '.join(names[:most])} and {len(names) - most} more"


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


def _read_parquet(path: Path, wanted: Wanted, sheet: str | None) -> Raw:
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
    return Raw(header, frame, "row 1 is the first row of data", Source("Parquet"))


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


@dataclass(frozen=True)
class _Table:
    """Lines cut into a header, which stands in row ``at``, and the rows below it."""

    header: tuple[str, ...]
    at: int
    rows: dict[int, list[str]]
    remarks: tuple[str, ...]


def _split(path: Path, lines: Sequence[list[str]], wanted: Wanted) -> _Table:
    """The header and the rows under it by their numbers, without those that are blank."""
    rows = {
        number: line
        for number, line in enumerate(lines, start=1)
        if any(cell and not cell.isspace() for cell in line)
    }
    if not rows:
        raise _error(path, "the file is empty", EXPORT_AGAIN)
    first = next(iter(rows))
    at = _header_at(rows, wanted)
    header = [name.strip(WHITE) for name in rows[at]]
    while header and not header[-1]:
        header.pop()
    above = [row for row in rows if row < at]
    below = {row: line for row, line in rows.items() if row > at}
    if not below:
        raise _error(path, "there is a header but no row under it", ADD_ROWS)
    remarks = []
    if above:
        many = "A line" if len(above) == 1 else f"{len(above)} lines"
        verb = "is" if len(above) == 1 else "are"
        text = " ".join(cell for cell in rows[first] if cell.strip())
        remarks.append(f"{many} above the header in row {at} {verb} left out: {quoted(text)}.")
    return _Table(tuple(header), at, below, tuple(remarks))


def _header_at(rows: Mapping[int, list[str]], wanted: Wanted) -> int:
    """The first row with all the names wanted, or else with most of them, if that is half.

    Else the first that is as wide as rows are: its names are other ones, which a message shows.
    """
    near = dict(itertools.islice(rows.items(), HEADER_WITHIN + 1))
    best = max(near, key=lambda row: wanted.matches(near[row]))
    if 2 * wanted.matches(near[best]) >= max(len(wanted.required), 1):
        return best
    usual = sorted(map(_filled, near.values()))[len(near) // 2]
    return next(row for row, line in near.items() if _filled(line) >= usual)


def _filled(line: Sequence[str]) -> int:
    """How many cells of a line hold anything."""
    return sum(bool(cell.strip()) for cell in line)


def _text_frame(rows: dict[int, list[str]], width: int) -> pd.DataFrame:
    columns = zip(*rows.values(), strict=True) if rows else [()] * width
    cells = {position: list(column) for position, column in enumerate(columns)}
    return pd.DataFrame(cells, index=list(rows), dtype="str")


def _error(
    path: Path, message: str, advice: str, row: int | None = None, note: str = ""
) -> PanelError:
    return PanelError(str(path), [Problem(row, None, None, message, advice)], note)
