"""Reading a panel file: what is accepted, and what is said of everything else."""

from __future__ import annotations

import datetime as dt
import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from oulib.errors import UserError
from oulib.panel import Panel, PanelError, Problem, read_panel
from oulib.panel.table import COLUMNS, read_table

Cells = dict[tuple[int, str], str]


def rows(edits: Cells | None = None) -> pd.DataFrame:
    """A small sound panel as text (3 OUs, 6 months, 6 surveys), with cells changed.

    The index is the row of the CSV file: 2 to 7 for OU-1, 8 to 13 for OU-2, 14 to 19 for OU-3;
    surveys stand in the third and sixth row of each.
    """
    table = pd.DataFrame(
        [
            {
                "ou": f"OU-{ou}",
                "site": "North" if ou < 3 else "South",
                "month": f"2024-{month:02}",
                "productivity": f"{100 * ou + month}.5",
                "survey": f"{60 + ou + month}" if month % 3 == 0 else "",
                "respondents": "20" if month % 3 == 0 else "0",
                "scheduled": str(month % 3 == 0),
            }
            for ou in (1, 2, 3)
            for month in range(1, 7)
        ],
        index=range(2, 20),
    )
    for (row, column), cell in (edits or {}).items():
        table.loc[row, column] = cell
    return table


def typed() -> pd.DataFrame:
    """The same panel with the types its columns mean."""
    table = rows().reset_index(drop=True)
    return table.assign(
        month=pd.to_datetime(table["month"]),
        productivity=table["productivity"].astype(float),
        survey=pd.to_numeric(table["survey"]),
        respondents=table["respondents"].astype(int),
        scheduled=table["scheduled"] == "True",
    )


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Writes a table, text or bytes to a file and returns its path."""

    def write(content: pd.DataFrame | str | bytes, name: str = "panel.csv") -> Path:
        path = tmp_path / name
        match content:
            case pd.DataFrame():
                content.to_csv(path, index=False)
            case str():
                path.write_text(content, encoding="utf-8", newline="")
            case bytes():
                path.write_bytes(content)
        return path

    return write


def refused(path: Path, **options: dict[str, str]) -> PanelError:
    with pytest.raises(PanelError) as caught:
        read_table(path, **options)
    return caught.value


def places(error: PanelError) -> list[tuple[int | None, str | None, str | None]]:
    return [(problem.row, problem.column, problem.value) for problem in error.problems]


# What is accepted ------------------------------------------------------------------------------


def test_the_clean_frame_is_as_promised(write: Callable[..., Path]) -> None:
    shuffled = rows().sample(frac=1, random_state=1)
    frame = read_table(write(shuffled))
    assert tuple(frame.columns) == COLUMNS
    assert list(map(str, frame.dtypes)) == [
        *("str", "str", "datetime64[us]", "float64", "float64", "int64", "bool"),
    ]
    pd.testing.assert_frame_equal(frame, typed(), check_dtype=False)


def test_read_panel_gives_a_panel_named_after_its_file(write: Callable[..., Path]) -> None:
    content = gzip.compress(rows().to_csv(index=False).encode())
    panel = read_panel(str(write(content, "north.east.csv.gz")))
    assert isinstance(panel, Panel)
    assert panel.name == "north.east"
    assert panel.ous == ("OU-1", "OU-2", "OU-3")
    assert panel.has_schedule


def test_the_schedule_is_optional(write: Callable[..., Path]) -> None:
    frame = read_table(write(rows().drop(columns="scheduled")))
    assert "scheduled" not in frame


PARQUET = {
    "timestamps": lambda table: table,
    "dates": lambda table: table.assign(month=table["month"].dt.date),
    "zoned": lambda table: table.assign(month=table["month"].dt.tz_localize("Europe/London")),
    "text": lambda table: rows(),
    "categories": lambda table: table.assign(site=table["site"].astype("category")),
    "labels in the index": lambda table: table.set_index(["ou", "month"]),
    "periods": lambda table: table.assign(month=table["month"].dt.to_period("M")),
    "integers with gaps": lambda table: table.assign(
        respondents=table["respondents"].astype(float)
    ),
    "a column of lists": lambda table: table.assign(other=[[1, 2]] * len(table)),
}


@pytest.mark.parametrize("change", PARQUET.values(), ids=PARQUET.keys())
@pytest.mark.parametrize("suffix", [".parquet", ".pq"])
def test_parquet_reads_as_csv_does(
    change: Callable[[pd.DataFrame], pd.DataFrame], suffix: str, write: Callable[..., Path]
) -> None:
    path = write(rows()).with_suffix(suffix)
    change(typed()).to_parquet(path)
    pd.testing.assert_frame_equal(read_table(path), read_table(write(rows())))


@pytest.mark.parametrize("table", [typed(), rows()], ids=["typed", "text"])
@pytest.mark.parametrize("place", [(0, 0), (3, 2)], ids=["at the top", "further down"])
def test_excel_reads_as_csv_does(
    table: pd.DataFrame, place: tuple[int, int], write: Callable[..., Path]
) -> None:
    path = write(rows()).with_suffix(".xlsx")
    table.to_excel(path, index=False, startrow=place[0], startcol=place[1])
    pd.testing.assert_frame_equal(read_table(path), read_table(write(rows())))


def test_numbers_as_labels_are_the_same_in_every_format(write: Callable[..., Path]) -> None:
    numbered = typed().assign(ou=[101] * 6 + [102] * 6 + [103] * 6)
    csv = write(numbered)
    numbered.to_excel(csv.with_suffix(".xlsx"), index=False)
    numbered.astype({"ou": float}).to_parquet(csv.with_suffix(".parquet"))
    for path in (csv, csv.with_suffix(".xlsx"), csv.with_suffix(".parquet")):
        assert set(read_table(path)["ou"]) == {"101", "102", "103"}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda text: b"\xef\xbb\xbf" + text.encode(), id="byte order mark"),
        pytest.param(lambda text: text.replace(",", ";"), id="semicolons"),
        pytest.param(lambda text: text.replace(",", "\t"), id="tabs"),
        pytest.param(lambda text: text.replace("\n", "\r\n"), id="Windows line ends"),
        pytest.param(lambda text: "\n \n" + text.replace("\n", "\n\n"), id="blank lines"),
        pytest.param(lambda text: text.replace("\n", ",,\n"), id="blank columns"),
        pytest.param(lambda text: text.replace("site,", " Site ,"), id="column name"),
        pytest.param(lambda text: text.replace("OU-1", " OU-1\u00a0\u200b"), id="hidden space"),
        pytest.param(lambda text: text.replace("North", '"\tNorth"'), id="quotes"),
        pytest.param(lambda text: text.replace(",,0,", ",NaN,n/a,"), id="words for nothing"),
        pytest.param(lambda text: text.replace("True", "yes").replace("False", "0"), id="yes"),
        pytest.param(lambda text: text.replace("20,True", "2e1,TRUE"), id="exponent"),
    ],
)
def test_other_ways_to_write_the_same_csv(
    change: Callable[[str], str | bytes], write: Callable[..., Path]
) -> None:
    expected = read_table(write(rows()))
    path = write(change(rows().to_csv(index=False)), "other.csv")
    pd.testing.assert_frame_equal(read_table(path), expected)


@pytest.mark.parametrize(
    "cell",
    [
        "2024-3",
        "2024/03",
        "2024.03",
        "2024-03-31",
        "2024/3/7",
        " 2024-03-01 12:30:00",
        "2024-03-01T00:00Z",
    ],
)
def test_ways_to_write_a_month(cell: str, write: Callable[..., Path]) -> None:
    frame = read_table(write(rows({(4, "month"): cell})))
    assert frame["month"][2] == pd.Timestamp("2024-03-01")


def test_names_are_text_whatever_they_say(write: Callable[..., Path]) -> None:
    names = ["NA", "None", "null", "=1+1", "<b>bold</b>", "a\nb", "Zürich", "x" * 5000]
    table = rows()
    table = pd.concat([table.head(6).assign(ou=name, site="nan") for name in names])
    frame = read_table(write(table))
    assert set(frame["ou"]) == set(names)
    assert set(frame["site"]) == {"nan"}


def test_names_that_look_the_same_are_the_same(write: Callable[..., Path]) -> None:
    frame = read_table(write(rows({(2, "ou"): "Me\u0301x", (3, "ou"): "M\u00e9x"})))
    assert (frame["ou"] == "M\u00e9x").sum() == 2


def test_a_survey_outside_the_schedule_is_allowed(write: Callable[..., Path]) -> None:
    frame = read_table(write(rows({(4, "scheduled"): "False"})))
    assert frame["survey"].notna()[2]
    assert not frame["scheduled"][2]


# Column mapping --------------------------------------------------------------------------------


def test_columns_can_have_other_names(write: Callable[..., Path]) -> None:
    table = rows().rename(columns={"survey": "Engagement score", "ou": "Trust"})
    table["survey"] = "not this one"
    frame = read_table(write(table), columns={"survey": "engagement score", "ou": "Trust"})
    pd.testing.assert_frame_equal(frame, read_table(write(rows())))


def test_a_problem_names_the_columns_as_the_file_does(write: Callable[..., Path]) -> None:
    table = rows({(4, "survey"): "high"}).rename(columns={"survey": "Engagement"})
    error = refused(write(table), columns={"survey": "engagement"})
    assert places(error) == [(4, "Engagement", "high")]


def test_missing_columns_are_named_at_once_with_the_closest_others(
    write: Callable[..., Path],
) -> None:
    table = rows({(5, "productivity"): "x"})
    table = table.rename(columns={"survey": "Survey score", "site": "Region", "month": "months"})
    error = refused(write(table))
    assert places(error) == [
        (None, "site", None),
        (None, "month", None),
        (None, "survey", None),
        (5, "productivity", "x"),
    ]
    assert "--column 'survey=Survey score'" in str(error)
    assert "--column month=months" in str(error)
    assert "same word in every row" in error.problems[0].advice
    assert "'Region'" in str(error)


@pytest.mark.parametrize(
    ("columns", "column", "said"),
    [
        ({"survey": "engagement"}, "engagement", "no such column for survey"),
        ({"scheduled": "planned"}, "planned", "no such column for scheduled"),
        ({"surveys": "survey"}, None, "Do you mean survey?"),
        ({"site": "ou"}, "ou", "both site and ou"),
    ],
)
def test_a_mapping_that_cannot_be(
    columns: dict[str, str], column: str | None, said: str, write: Callable[..., Path]
) -> None:
    error = refused(write(rows()), columns=columns)
    assert places(error) == [(None, column, None)]
    assert said in str(error)


def test_a_column_that_is_there_twice(write: Callable[..., Path]) -> None:
    error = refused(write(rows().rename(columns={"scheduled": "Survey"})))
    assert "columns 5 and 7" in str(error)
    again = rows().assign(other="", more="")
    again.columns = [*COLUMNS, "other", "other"]  # of no use, so of no harm
    read_table(write(again))


# Files that hold no table ----------------------------------------------------------------------

TEXT = rows().to_csv(index=False)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("panel.csv", None, "there is no such file", id="missing"),
        pytest.param("panel.xls", b"x", "'.xls' stands for no format", id="old Excel"),
        pytest.param("panel", b"x", "without a suffix", id="no suffix"),
        pytest.param("panel.csv", b"", "the file is empty", id="empty"),
        pytest.param("panel.csv", b" \n,,\n", "the file is empty", id="blank"),
        pytest.param("panel.csv", TEXT.split("\n")[0].encode(), "no row under it", id="header"),
        pytest.param(
            "panel.csv", b"PAR1....", "not CSV, as its name says, but Parquet", id="not CSV"
        ),
        pytest.param("panel.parquet", TEXT.encode(), "not Parquet", id="not Parquet"),
        pytest.param("panel.parquet", b"PAR1....", "is damaged", id="half Parquet"),
        pytest.param("panel.xlsx", TEXT.encode(), "not an Excel (.xlsx) workbook", id="not Excel"),
        pytest.param("panel.xlsx", b"PK\x03\x04..", "cannot be read (BadZip", id="half Excel"),
        pytest.param("panel.xlsx", b"\xd0\xcf\x11\xe0", "with a password", id="password"),
        pytest.param("panel.csv.gz", TEXT.encode(), "not gzip", id="not gzip"),
        pytest.param("panel.csv.gz", gzip.compress(TEXT.encode())[:50], "damaged", id="half gzip"),
        pytest.param("panel.csv", TEXT.encode("utf-16"), "UTF-16", id="UTF-16"),
        pytest.param("panel.csv", b"My panel\na,b\n1,2,3\n", "above the header", id="title"),
    ],
)
def test_a_file_that_holds_no_table(
    name: str, content: bytes | None, said: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    error = refused(path)
    assert str(error).startswith(f"{path}: ")
    assert said in str(error)
    assert len(error.problems) == 1
    assert error.problems[0].advice


def test_a_folder(tmp_path: Path) -> None:
    assert "folder" in str(refused(tmp_path))


def test_parquet_and_excel_without_rows(tmp_path: Path) -> None:
    typed().head(0).to_parquet(tmp_path / "panel.parquet")
    typed().head(0).to_excel(tmp_path / "panel.xlsx", index=False)
    assert "no rows" in str(refused(tmp_path / "panel.parquet"))
    assert "no row under it" in str(refused(tmp_path / "panel.xlsx"))


@pytest.mark.parametrize(
    ("content", "row", "said"),
    [
        pytest.param(rows({(3, "ou"): "Zürich"}), 3, "not UTF-8 (byte 0xfc)", id="Latin-1"),
        pytest.param(rows({(4, "ou"): "a\0b"}), 4, "NUL", id="NUL"),
        pytest.param(rows({(5, "ou"): '"OU'}), 5, "quotes", id="quotes"),
        pytest.param(rows({(6, "productivity"): "12,5"}), 6, "8 cells", id="too many cells"),
        pytest.param(TEXT + "OU-4,North\n", 20, "2 cells", id="too few cells"),
    ],
)
def test_a_row_that_cannot_be_read(
    content: pd.DataFrame | str, row: int, said: str, tmp_path: Path
) -> None:
    if isinstance(content, pd.DataFrame):
        lines = [COLUMNS, *content.itertuples(index=False)]
        content = "\n".join(map(",".join, lines))
    path = tmp_path / "panel.csv"
    path.write_bytes(content.encode("latin-1"))
    error = refused(path)
    assert [problem.row for problem in error.problems] == [row]
    assert said in str(error)


# Cells and rows --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edits", "column", "said"),
    [
        ({(5, "ou"): " "}, "ou", "no OU"),
        ({(5, "site"): ""}, "site", "no site"),
        ({(5, "month"): "NaN"}, "month", "no month"),
        ({(5, "month"): "03/04/2024"}, "month", "2024-04 or 2024-03: write the year first"),
        ({(5, "month"): "25/12/2024"}, "month", "It may mean 2024-12:"),
        ({(5, "month"): "Mar 24"}, "month", "such as 2024-03"),
        ({(5, "month"): "45352"}, "month", "format the column as a date"),
        ({(5, "month"): "202403"}, "month", "between year and month: 2024-03"),
        ({(5, "month"): "2024-02-31"}, "month", "not clearly a month"),
        ({(5, "month"): "2024-03 and more"}, "month", "not clearly a month"),
        ({(5, "productivity"): ""}, "productivity", "Fill it in, or remove the row"),
        ({(5, "productivity"): "NA"}, "productivity", "no productivity"),
        ({(5, "productivity"): "0"}, "productivity", "not greater than 0"),
        ({(5, "productivity"): "-3.5"}, "productivity", "not greater than 0"),
        ({(5, "productivity"): "inf"}, "productivity", "infinite"),
        ({(5, "productivity"): "-Infinity"}, "productivity", "infinite"),
        ({(5, "productivity"): "1e400"}, "productivity", "infinite"),
        ({(5, "productivity"): "12,5"}, "productivity", "decimal point instead of the comma: 12.5"),
        ({(5, "productivity"): "1,250"}, "productivity", "1.250 if the comma is a decimal comma"),
        ({(5, "productivity"): "1,250.75"}, "productivity", "without separators: 1250.75"),
        ({(5, "productivity"): "12%"}, "productivity", "without the percent sign"),
        ({(5, "productivity"): "#DIV/0!"}, "productivity", "formula failed"),
        ({(5, "productivity"): "1e3x"}, "productivity", "not a number"),
        ({(5, "productivity"): "0x10"}, "productivity", "not a number"),
        ({(4, "survey"): "high"}, "survey", "not a number"),
        ({(4, "survey"): "-inf"}, "survey", "infinite"),
        ({(4, "respondents"): ""}, "respondents", "no respondents, but a survey score"),
        ({(4, "respondents"): "0"}, "respondents", "no respondents, but a survey score"),
        ({(4, "respondents"): "-2"}, "respondents", "not a whole number of people"),
        ({(4, "respondents"): "2.5"}, "respondents", "not a whole number of people"),
        ({(4, "respondents"): "many"}, "respondents", "not a whole number of people"),
        ({(4, "respondents"): "1e30"}, "respondents", "not a whole number of people"),
        ({(4, "survey"): ""}, "respondents", "write 0 respondents or nothing"),
        ({(5, "scheduled"): ""}, "scheduled", "remove the column"),
        ({(5, "scheduled"): "maybe"}, "scheduled", "neither true nor false"),
        ({(5, "month"): "2024-03-15"}, "month", "'OU-1' already has this month in row 4"),
        ({(5, "site"): "South"}, "site", "'OU-1' is in site 'North' in row 2"),
    ],
)
def test_a_cell_that_cannot_be(
    edits: Cells, column: str, said: str, write: Callable[..., Path]
) -> None:
    (row, changed), cell = next(iter(edits.items()))
    table = rows(edits)
    error = refused(write(table))
    value = cell if changed == column else table.loc[row, column]
    assert places(error) == [(row, column, value or None)]
    assert said in str(error)
    assert f"row {row}, column '{column}'" in str(error)


def test_an_ou_in_another_site_is_said_once(write: Callable[..., Path]) -> None:
    error = refused(write(rows({(row, "site"): "South" for row in (5, 6, 7)})))
    assert [problem.row for problem in error.problems] == [5]


def test_a_nul_character_in_a_name(tmp_path: Path) -> None:
    path = tmp_path / "panel.parquet"
    rows({(5, "ou"): "a\0b"}).to_parquet(path)
    assert places(refused(path)) == [(4, "ou", "a\0b")]


# The file as a whole ---------------------------------------------------------------------------


def surveys(values: list[str]) -> pd.DataFrame:
    """The panel with these scores in its first rows, and no others."""
    table = rows().assign(survey="", respondents="0")
    for row, value in enumerate(values, start=2):
        table.loc[row, ["survey", "respondents"]] = [value, "9"]
    return table


@pytest.mark.parametrize(
    ("table", "column", "said"),
    [
        pytest.param(rows().head(6), "ou", "only one OU, 'OU-1'", id="one OU"),
        pytest.param(
            rows()[rows()["month"].isin(["2024-03", "2024-06"])],
            "month",
            "only 2 different months",
            id="two months",
        ),
        pytest.param(
            rows({(4, "month"): "2042-03"}),
            "month",
            "no row at all between 2024-06 and 2042-03",
            id="mistyped year",
        ),
        pytest.param(
            rows().assign(productivity="7"), "productivity", "the same value", id="productivity"
        ),
        pytest.param(surveys([]), "survey", "no survey score", id="no survey"),
        pytest.param(surveys(["60"]), "survey", "only one survey score", id="one survey"),
        pytest.param(surveys(["60", "60.0"]), "survey", "the same score", id="constant survey"),
    ],
)
def test_a_panel_that_nothing_can_be_learnt_from(
    table: pd.DataFrame, column: str, said: str, write: Callable[..., Path]
) -> None:
    error = refused(write(table))
    assert places(error) == [(None, column, None)]
    assert said in str(error)


def test_two_survey_scores_that_differ_will_do(write: Callable[..., Path]) -> None:
    assert read_table(write(surveys(["60", "61"])))["survey"].notna().sum() == 2


def test_a_pause_of_five_years_will_do(write: Callable[..., Path]) -> None:
    read_table(write(rows({(7, "month"): "2029-07"})))


# The report ------------------------------------------------------------------------------------


def test_everything_is_reported_at_once(write: Callable[..., Path]) -> None:
    edits = {
        (2, "productivity"): "0",
        (3, "month"): "soon",
        (4, "respondents"): "",
        (9, "site"): "South",
        (15, "scheduled"): "maybe",
        (16, "survey"): "1,5",
        (19, "month"): "2024-05",
    }
    error = refused(write(rows(edits)))
    assert [problem.row for problem in error.problems] == [2, 3, 4, 9, 15, 16, 19]
    assert str(error).startswith(f"{write(rows())}: 7 problems (row 1 is the first line")
    assert all(str(problem) in str(error) for problem in error.problems)
    assert isinstance(error, UserError)


def test_many_problems_of_a_kind_are_counted(write: Callable[..., Path]) -> None:
    edits = {(row, "productivity"): "x" for row in range(2, 17)} | {(18, "scheduled"): "x"}
    error = refused(write(rows(edits)))
    assert len(error.problems) == 16
    lines = str(error).splitlines()
    assert len(lines) == 1 + 10 + 1 + 1
    assert lines[11].strip() == "... and 5 more like this, in rows 12 to 16"


def test_rows_are_counted_as_the_file_shows_them(tmp_path: Path) -> None:
    table = rows({(4, "productivity"): "x"})
    text = table.to_csv(index=False)
    (tmp_path / "a.csv").write_text(
        "\n\n" + text.replace("\nOU-1,North,2024-02", "\n\n\nOU-1,North,2024-02")
    )
    table.to_excel(tmp_path / "b.xlsx", index=False, startrow=2)
    table.to_parquet(tmp_path / "c.parquet", index=False)
    assert refused(tmp_path / "a.csv").problems[0].row == 8
    assert refused(tmp_path / "b.xlsx").problems[0].row == 6
    parquet = refused(tmp_path / "c.parquet")
    assert parquet.problems[0].row == 3
    assert "row 1 is the first row of data" in str(parquet)


def test_an_excel_cell_is_shown_as_it_reads(tmp_path: Path) -> None:
    table = typed().astype({"month": object, "productivity": object, "respondents": float})
    table.loc[1, "month"] = dt.datetime(2024, 1, 17)
    table.loc[3, "productivity"] = -5.0
    path = tmp_path / "panel.xlsx"
    with pd.ExcelWriter(path) as book:
        table.to_excel(book, sheet_name="Data", index=False)
        pd.DataFrame({"Made by": ["somebody"]}).to_excel(book, sheet_name="Notes", index=False)
    error = refused(path)
    assert places(error) == [(3, "month", "2024-01-17"), (5, "productivity", "-5")]
    assert "of the workbook's sheets only 'Data' is read" in str(error)


def test_a_problem_is_one_readable_line() -> None:
    problem = Problem(5, "productivity", "12,5", "not a number", "Write 12.5.")
    assert str(problem) == ("row 5, column 'productivity', value '12,5': not a number. Write 12.5.")
    wild = str(Problem(5, "ou", "a\x1b[31m\n" + "b" * 1000, "wrong", "Mend it."))
    assert wild.isprintable()
    assert len(wild) < 150


def test_a_large_file_is_read_whole(write: Callable[..., Path]) -> None:
    one = rows().head(6)
    many = pd.concat([one.assign(ou=f"OU-{n:05}") for n in range(2000)], ignore_index=True)
    frame = read_table(write(many))
    assert len(frame) == 12_000
    np.testing.assert_array_equal(frame["ou"].unique(), sorted(many["ou"].unique()))
