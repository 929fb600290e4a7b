"""Spreadsheets and exports as they really are: each is read, read and said, doubted or refused.

``python tests/panel/test_hard_inputs.py`` writes the table of ``docs/inputs.md`` anew.
"""

from __future__ import annotations

import datetime as dt
import re
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import openpyxl
import pandas as pd
import pytest

from oulib.panel import PanelError, table

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "inputs.md"
READ, SAID, DOUBTED, REFUSED = "read", "read, and said", "read, with a doubt", "refused"

OUS = ("A1", "A2", "B1", "B2")
MONTHS = pd.period_range("2023-01", "2023-12", freq="M")


def frame() -> pd.DataFrame:
    """A sound panel: 4 OUs by 12 months, a survey in every third."""
    rows = []
    for place, ou in enumerate(OUS):
        for number, month in enumerate(MONTHS):
            asked = number % 3 == 2
            rows.append(
                {
                    "ou": ou,
                    "site": "North" if ou[0] == "A" else "South",
                    "month": str(month),
                    "productivity": round(100 + 7 * place + 11 * ((5 * number + place) % 7) / 3, 2),
                    "survey": round(3 + 0.1 * ((number * 3 + place) % 9), 2) if asked else None,
                    "respondents": 11 + number + place if asked else 0,
                    "scheduled": asked,
                }
            )
    return pd.DataFrame(rows)


SOUND = frame()


@dataclass(frozen=True)
class Case:
    """An input: what it is, how it is written, what becomes of it and a phrase of what is said."""

    what: str
    make: Callable[[Path], Path]
    outcome: str
    said: str = ""
    same: bool = True  # where it is read, whether it gives the sound panel
    sheet: str | None = None
    covariates: tuple[str, ...] = ()


def csv(
    change: Callable[[pd.DataFrame], pd.DataFrame] = lambda t: t,
    text: Callable[[str], str] = lambda t: t,
    name: str = "panel.csv",
    **options: object,
) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_text(text(change(frame()).to_csv(index=False, **options)), encoding="utf-8")
        return path

    return make


def months(write: Callable[[pd.Period], str]) -> Callable[[Path], Path]:
    return csv(lambda t: t.assign(month=[write(m) for _ in OUS for m in MONTHS]))


def book(
    change: Callable[[openpyxl.Workbook], object] = lambda b: None,
    edit: Callable[[pd.DataFrame], pd.DataFrame] = lambda t: t,
    xml: Callable[[str], str] | None = None,
) -> Callable[[Path], Path]:
    """A workbook whose sheet ``Data`` holds the panel, changed by its cells or in its XML."""

    def make(folder: Path) -> Path:
        path = folder / "panel.xlsx"
        edit(frame()).to_excel(path, sheet_name="Data", index=False)
        workbook = openpyxl.load_workbook(path)
        change(workbook)
        workbook.save(path)
        if xml is not None:
            with zipfile.ZipFile(path) as old:
                parts = {name: old.read(name) for name in old.namelist()}
            sheet = "xl/worksheets/sheet1.xml"
            parts[sheet] = xml(parts[sheet].decode()).encode()
            with zipfile.ZipFile(path, "w") as new:
                for name, content in parts.items():
                    new.writestr(name, content)
        return path

    return make


def put(column: str, cells: dict[int, object]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(t: pd.DataFrame) -> pd.DataFrame:
        t[column] = t[column].astype(object)
        for row, cell in cells.items():
            t.loc[row, column] = cell
        return t

    return change


def another_sheet(title: str, *, hidden: bool = False, first: bool = False, table: bool = True):
    def change(workbook: openpyxl.Workbook) -> None:
        sheet = workbook.create_sheet(title, 0 if first else None)
        if table:
            for line in workbook["Data"].values:
                sheet.append([90.5 if value == 100.0 else value for value in line])
        else:
            sheet.append(["Productivity of our units"])
            sheet.append(["Prepared by", "somebody"])
        if hidden:
            sheet.sheet_state = "hidden"
        workbook.active = workbook.sheetnames.index("Data")

    return change


def formulas(workbook: openpyxl.Workbook) -> None:
    sheet = workbook["Data"]
    for row in (4, 7, 10):
        sheet.cell(row, 5).value = f"=ROUND({sheet.cell(row, 5).value}, 2)"


def empty_texts(xml: str) -> str:
    """Formulas that come to an empty text, as a program stores them that has calculated them."""
    return re.sub(
        r'<c r="E2"[^>]*?(?:/>|>.*?</c>)',
        '<c r="E2" t="str"><f>IF(F2=0,"",1)</f><v></v></c>',
        re.sub(r'(<c r="D2".*?</c>)(?!<c r="E2")', r'\1<c r="E2"/>', xml, count=1),
        count=1,
    )


def not_calculated(xml: str) -> str:
    """Formulas as XlsxWriter stores them: 0, whatever they come to."""
    return re.sub(
        r'<c r="(E\d+)"([^>]*)><v>[0-9.]+</v></c>', r'<c r="\1"\2><f>1+1</f><v>0</v></c>', xml
    )


def merge(workbook: openpyxl.Workbook) -> None:
    for start in range(2, 50, 12):
        workbook["Data"].merge_cells(f"A{start}:A{start + 11}")


def title_rows(workbook: openpyxl.Workbook) -> None:
    sheet = workbook["Data"]
    sheet.insert_rows(1, 3)
    sheet["A1"] = "Productivity of our units"
    sheet.merge_cells("A1:G1")


def hide_rows(workbook: openpyxl.Workbook) -> None:
    for row in (5, 6):
        workbook["Data"].row_dimensions[row].hidden = True


def total(t: pd.DataFrame, name: str, how: str = "sum") -> pd.DataFrame:
    made = t.groupby("month", as_index=False).agg(
        {"productivity": how, "survey": "mean", "respondents": "sum", "scheduled": "any"}
    )
    return pd.concat([t, made.assign(ou=name, site="All").round(2)])


def parquet(change: Callable[[pd.DataFrame], pd.DataFrame]) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = folder / "panel.parquet"
        change(frame()).to_parquet(path)
        return path

    return make


def german(t: str) -> str:
    return t.replace(",", ";").replace(".", ",")


def by_decimal_months(m: pd.Period) -> str:
    return f"{m.year + m.month / 100:.2f}".rstrip("0")


def thousands(t: pd.DataFrame) -> pd.DataFrame:
    """One site's outcomes ten times as large, with a point between thousands."""
    made = put("productivity", {})(t)
    large = made["site"] == "South"
    made["productivity"] = made["productivity"].map(round).astype(object)
    made.loc[large, "productivity"] = [
        f"{10 * one:,}".replace(",", ".") for one in made.loc[large, "productivity"]
    ]
    return made.assign(
        survey=made["survey"].map(lambda x: "" if x != x else f"{x}".replace(".", ","))
    )


def carried(t: pd.DataFrame) -> pd.DataFrame:
    filled = t.assign(respondents=t["respondents"].where(t["survey"].notna()))
    columns = ["survey", "respondents"]
    filled[columns] = filled.groupby("ou")[columns].ffill()
    return filled.assign(respondents=filled["respondents"].fillna(0).astype(int))


def subtotals(t: pd.DataFrame) -> pd.DataFrame:
    made = t.groupby(["site", "month"], as_index=False).agg({"productivity": "sum"})
    return pd.concat([t, made.assign(ou=made["site"], respondents=0, scheduled=False)])


def three(t: pd.DataFrame) -> pd.DataFrame:
    """A third OU in the north, so that a sum is of more than one."""
    more = t[t["ou"] == "A1"].assign(ou="A3", productivity=lambda x: x["productivity"] * 1.1 + 3)
    return pd.concat([t, more])


def hide_column(workbook: openpyxl.Workbook) -> None:
    workbook["Data"].column_dimensions["D"].hidden = True


def wide(t: pd.DataFrame) -> pd.DataFrame:
    return t.pivot(index=["ou", "site"], columns="month", values="productivity").reset_index()


def one_score(t: pd.DataFrame) -> pd.DataFrame:
    first = t[t["ou"] == "A1"].set_index("month")
    return t.assign(
        survey=t["survey"].where(t["survey"].isna(), 3 + t["month"].str[-2:].astype(int) / 10),
        respondents=t["month"].map(first["respondents"]),
    )


CASES = [
    # Months
    Case("months `230101`", months(lambda m: f"{m:%y%m}01"), REFUSED, "century"),
    Case("months `1`", months(lambda m: f"{m.month}"), REFUSED, "year is missing"),
    Case("months in columns", csv(wide), REFUSED, "turn the table"),
    Case("months that have been a number, `2023.1`", months(by_decimal_months), REFUSED, "2023-10"),
    Case(
        "the same in Parquet, as numbers",
        parquet(lambda t: t.assign(month=[m.year + m.month / 100 for _ in OUS for m in MONTHS])),
        REFUSED,
        "2023-10",
    ),
    Case("months `2023.1` beside `2023.10`", months(lambda m: f"{m.year}.{m.month}"), READ),
    Case("months `2023,1`", months(lambda m: f"{m.year},{m.month}"), REFUSED, "2023-10"),
    Case(
        "UTC midnights, `2022-12-31T23:00:00Z` for January",
        months(lambda m: f"{m.start_time - pd.Timedelta(hours=1):%Y-%m-%dT%H:%M:%S}Z"),
        REFUSED,
        "another time zone",
    ),
    Case("dates with a midnight, `2023-01-01 00:00:00`", months(lambda m: str(m.start_time)), READ),
    Case(
        "months `20230131`", months(lambda m: f"{m.end_time:%Y%m%d}"), SAID, "20230131 as 2023-01"
    ),
    Case("months `202301`", months(lambda m: f"{m:%Y%m}"), REFUSED, "Put a hyphen"),
    Case("months `Jan 2023`", months(lambda m: f"{m:%b %Y}"), SAID, "Jan 2023 as 2023-01"),
    Case("months `2023 January`", months(lambda m: f"{m:%Y %B}"), SAID, "as 2023-01"),
    Case("months `Jan 23`", months(lambda m: f"{m:%b %y}"), REFUSED, "such as 2024-03"),
    Case("months `2023m1` (Stata)", months(lambda m: f"{m.year}m{m.month}"), SAID, "2023m1"),
    Case("months `756` (Stata)", months(lambda m: str(m.ordinal + 120)), REFUSED, "Stata"),
    Case("months `45292` (Excel)", months(lambda m: str(44927 + m.month)), REFUSED, "Excel"),
    Case(
        "weeks `2023-W05`", months(lambda m: f"{m.year}-W{m.month:02}"), REFUSED, "weeks to months"
    ),
    Case("dates `31.01.2023`", months(lambda m: f"{m.end_time:%d.%m.%Y}"), SAID, "the year last"),
    Case("dates `01.03.2023`", months(lambda m: f"{m.start_time:%d.%m.%Y}"), SAID, "the year last"),
    Case("dates `1/3/2023`, the first of each month", months(lambda m: f"1/{m.month}/2023"), SAID),
    Case("dates `3/1/2023`, the same in America", months(lambda m: f"{m.month}/1/2023"), SAID),
    Case(
        "dates `05/03/2023` that may be of March or of May",
        months(lambda m: f"{m.month:02}/{max(1, (m.month * 5) % 12):02}/2023"),
        REFUSED,
        "write the year first",
    ),
    Case(
        "quarters `2023Q1`",
        csv(
            lambda t: t[t["scheduled"]].assign(
                month=[f"2023Q{q}" for _ in OUS for q in range(1, 5)]
            )
        ),
        SAID,
        "2023Q1 as 2023-01",
        same=False,
    ),
    Case(
        "quarters `Q1 2023`",
        csv(
            lambda t: t[t["scheduled"]].assign(
                month=[f"Q{q} 2023" for _ in OUS for q in range(1, 5)]
            )
        ),
        SAID,
        "Q1 2023 as 2023-01",
        same=False,
    ),
    Case("quarters among months", csv(put("month", {2: "2023Q1"})), REFUSED, "Quarters and months"),
    # Numbers
    Case(
        "semicolons and decimal commas",
        csv(text=german),
        SAID,
        "read as decimal points",
    ),
    Case(
        "commas with three digits after each, between tabs",
        csv(lambda t: t.assign(productivity=[f"1,{int(v)}" for v in t["productivity"]]), sep="\t"),
        REFUSED,
        "decimal comma",
    ),
    Case("cells separated by bars", csv(sep="|"), READ),
    Case("tabs, in a file named `.tsv`", csv(sep="\t", name="panel.tsv"), READ),
    Case("shares of respondents, `66%`", csv(put("respondents", {2: "66%"})), REFUSED, "count"),
    Case("shares of respondents, `0.66`", csv(put("respondents", {2: "0.66"})), REFUSED, "count"),
    Case(
        "a column `Response rate`",
        csv(lambda t: t.rename(columns={"respondents": "Response rate"})),
        DOUBTED,
        "sounds like a rate",
    ),
    Case(
        "respondents that say yes or no",
        csv(lambda t: t.assign(respondents=t["survey"].notna().astype(int))),
        DOUBTED,
        "yes or no",
        same=False,
    ),
    Case(
        "suppressed respondents, `<10`", csv(put("respondents", {2: "<10"})), REFUSED, "suppressed"
    ),
    Case("suppressed scores, `*`", csv(put("survey", {2: "*"})), REFUSED, "suppressed"),
    Case("scores `n/a`", csv(put("survey", {3: "n/a"})), SAID, "count as empty"),
    Case("a score of 99", csv(put("survey", {2: 99})), DOUBTED, "codes", same=False),
    Case("a score of -1 from 3 to 4", csv(put("survey", {2: -1})), DOUBTED, "codes", same=False),
    Case("a score of 0 from 3 to 4", csv(put("survey", {2: 0})), DOUBTED, "codes", same=False),
    Case(
        "an outcome in thousands",
        csv(put("productivity", {5: 0.1})),
        DOUBTED,
        "another unit",
        same=False,
    ),
    Case(
        "scores that change from 1 to 5 to per cent",
        csv(lambda t: t.assign(survey=t["survey"].where(t["month"] < "2023-07", t["survey"] * 20))),
        DOUBTED,
        "different scales",
        same=False,
    ),
    # Names
    Case(
        "an OU `Total` that adds up the others",
        csv(lambda t: total(t, "Total")),
        DOUBTED,
        "sum",
        same=False,
    ),
    Case("an OU `Gesamt`", csv(lambda t: total(t, "Gesamt", "max")), DOUBTED, "total", same=False),
    Case(
        "the mean of all OUs, `Trust 0`",
        csv(lambda t: total(t, "Trust 0", "mean")),
        DOUBTED,
        "mean of all others",
        same=False,
    ),
    Case(
        "OUs `A1` and `a1`",
        csv(put("ou", dict.fromkeys(range(6), "a1"))),
        DOUBTED,
        "differ only",
        same=False,
    ),
    Case(
        "a Cyrillic А among Latin ones",
        csv(put("ou", dict.fromkeys(range(6), "\u04101"))),
        DOUBTED,
        "look alike",
        same=False,
    ),
    Case(
        "names in several scripts",
        csv(
            lambda t: t.assign(
                ou=t["ou"].map(dict(zip(OUS, ["東京", "서울", "กรุงเทพ", "🚀 unit"], strict=True)))
            ),
        ),
        READ,
        same=False,
    ),
    Case(
        "a covariate `Re\u0301gion` asked for as `R\u00e9gion`",
        csv(lambda t: t.assign(**{"Re\u0301gion": ["x", "y"] * 24})),
        READ,
        covariates=("R\u00e9gion",),
    ),
    # Sheets and lines that are no part of the table
    Case("a title above the header", csv(text=lambda t: "Our units\n" + t), SAID, "left out"),
    Case(
        "a title, and semicolons",
        csv(text=lambda t: "Our units\n\n" + t, sep=";"),
        SAID,
        "left out",
    ),
    Case("`sep=;` in the first line", csv(text=lambda t: "sep=;\n" + t, sep=";"), SAID, "left out"),
    Case("title rows in a workbook", book(title_rows), SAID, "left out"),
    Case("a cover sheet", book(another_sheet("Cover", first=True, table=False)), SAID, "'Cover'"),
    Case(
        "a hidden first sheet with an older table",
        book(another_sheet("old", hidden=True, first=True)),
        SAID,
        "'old' (hidden)",
    ),
    Case("two sheets with such a table", book(another_sheet("2022")), REFUSED, "--sheet"),
    Case("two such sheets and `--sheet Data`", book(another_sheet("2022")), READ, sheet="Data"),
    Case(
        "only a hidden sheet holds it",
        book(
            lambda b: (
                another_sheet("Cover", table=False)(b),
                setattr(b["Data"], "sheet_state", "hidden"),
                setattr(b, "active", b.sheetnames.index("Cover")),
            )
        ),
        REFUSED,
        "hidden sheet",
    ),
    Case("`--sheet` of no such name", book(), REFUSED, "there is no sheet", sheet="Dat"),
    Case("filtered rows", book(hide_rows), SAID, "hidden or filtered"),
    Case("formulas that nothing has calculated", book(formulas), REFUSED, "cell E4 is a formula"),
    Case("formulas for which 0 is stored", book(xml=not_calculated), REFUSED, "0 is stored"),
    Case("formulas that come to an empty text", book(xml=empty_texts), READ),
    Case("merged cells", book(merge), REFUSED, "Unmerge"),
    Case(
        "dates as Excel has them",
        book(
            edit=lambda t: t.assign(
                month=[dt.datetime(m.year, m.month, 17) for _ in OUS for m in MONTHS]
            )
        ),
        READ,
    ),
    Case("a hidden column", book(hide_column), SAID, "D ('productivity')"),
    Case(
        "points between thousands, and decimal commas elsewhere",
        csv(thousands, sep=";"),
        REFUSED,
        "may stand between thousands",
    ),
    Case(
        "`1.000` respondents among whole numbers",
        csv(put("respondents", {2: "1.000"})),
        REFUSED,
        "Write 1000 if",
    ),
    Case(
        "an empty cell at the end of every row",
        csv(
            text=lambda t: "\n".join(
                f"{x},"[: -1 if n == 0 else None] for n, x in enumerate(t.split())
            )
        ),
        SAID,
        "beyond it are empty",
    ),
    Case(
        "a cell more in some rows, though it is empty",
        csv(text=lambda t: t.replace("2023-03,", "2023-03,1,", 1).replace("True\n", "\n", 1)),
        REFUSED,
        "8 cells",
    ),
    Case(
        "one outcome a hundred times as large",
        csv(lambda t: put("productivity", {5: 100 * t.loc[5, "productivity"]})(t)),
        DOUBTED,
        "decimal mark",
        same=False,
    ),
    Case(
        "a site in per cent, the other in fractions",
        csv(
            lambda t: t.assign(
                productivity=t["productivity"].where(t["site"] == "North", t["productivity"] / 100)
            )
        ),
        DOUBTED,
        "in two units",
        same=False,
    ),
    Case(
        "subtotals of sites",
        csv(lambda t: subtotals(three(t))),
        DOUBTED,
        "site 'North'",
        same=False,
    ),
    Case(
        "a row `Average`", csv(lambda t: total(t, "Average", "max")), DOUBTED, "sounds", same=False
    ),
    Case(
        "scores from 1 to 10 in one site, from 1 to 5 in the other",
        csv(
            lambda t: t.assign(
                survey=t["survey"].where(t["site"] == "North", 2.1 * t["survey"] - 0.4)
            )
        ),
        DOUBTED,
        "different scales",
        same=False,
    ),
    Case("a survey carried forward", csv(carried), DOUBTED, "carried forward", same=False),
    Case("one survey for all OUs", csv(one_score), DOUBTED, "one survey of all", same=False),
    Case(
        "`9999` respondents",
        csv(put("respondents", {2: 9999})),
        DOUBTED,
        "9999 respondents",
        same=False,
    ),
    Case(
        "names that have lost their zeros",
        csv(lambda t: put("ou", {row: "007" if row < 6 else "7" for row in range(12)})(t)),
        DOUBTED,
        "leading zeros",
        same=False,
    ),
    Case(
        "scores with a typeset minus",
        csv(
            lambda t: t.assign(
                survey=[
                    f"{x - 3.4:.2f}".replace("-", "\u2212") if x == x else "" for x in t["survey"]
                ]
            )
        ),
        SAID,
        "Minus signs",
        same=False,
    ),
    Case(
        "dashes for no survey",
        csv(lambda t: t.astype({"survey": object}).fillna({"survey": "-"})),
        SAID,
        "'-' (32)",
    ),
    Case("a spreadsheet of LibreOffice, `.ods`", csv(name="panel.ods"), REFUSED, "LibreOffice"),
]


def outcome(case: Case, folder: Path) -> tuple[str, list[str]]:
    """What becomes of an input, and the sentences that are said of it."""
    try:
        found = table.read(
            case.make(folder), sheet=case.sheet, covariates=case.covariates, columns=_columns(case)
        )
    except PanelError as error:
        return REFUSED, [f"{p.message}. {p.advice}" for p in error.problems]
    if found.doubts:
        return DOUBTED, list(map(str, found.doubts))
    return (SAID, list(found.remarks)) if found.remarks else (READ, [])


def _columns(case: Case) -> dict[str, str]:
    return {"respondents": "Response rate"} if "Response rate" in case.what else {}


@pytest.mark.parametrize("case", CASES, ids=[case.what for case in CASES])
def test_a_hard_input(case: Case, tmp_path: Path) -> None:
    became, said = outcome(case, tmp_path)
    assert became == case.outcome, said
    assert case.said in " ".join(said)
    if became != REFUSED and case.same:
        columns = _columns(case)
        read = table.read(case.make(tmp_path), sheet=case.sheet, columns=columns).frame
        pd.testing.assert_frame_equal(read, table.read_table(csv()(tmp_path)))


def test_merged_cells_are_one_problem(tmp_path: Path) -> None:
    with pytest.raises(PanelError) as caught:
        table.read(book(merge)(tmp_path))
    assert len(caught.value.problems) == 1


def test_every_formula_that_is_not_stored_is_named(tmp_path: Path) -> None:
    with pytest.raises(PanelError) as caught:
        table.read(book(formulas)(tmp_path))
    assert [p.row for p in caught.value.problems if p.kind == "formula"] == [4, 7, 10]


def test_dates_of_one_month_a_year_may_be_of_another(tmp_path: Path) -> None:
    """1/2 in several years: the first of February, or the second of January."""
    change = months(lambda m: f"1/2/{2000 + m.month}")
    with pytest.raises(PanelError, match="write the year first"):
        table.read(change(tmp_path))


def test_scores_around_zero_are_no_codes(tmp_path: Path) -> None:
    """Standardised scores, among which -1 and 0 are usual."""
    scores = {
        row: float(value) for row, value in zip(range(2, 48, 3), [-1, 0, 1, -2] * 4, strict=True)
    }
    assert table.read(csv(put("survey", scores))(tmp_path)).doubts == ()


def test_a_formula_that_is_false_is_calculated(tmp_path: Path) -> None:
    def false(xml: str) -> str:
        return re.sub(
            r'<c r="(G\d+)" t="b"><v>0</v></c>', r'<c r="\1" t="b"><f>FALSE()</f><v>0</v></c>', xml
        )

    assert "<f>" in false('<c r="G2" t="b"><v>0</v></c>')
    read = table.read(book(xml=false)(tmp_path)).frame
    pd.testing.assert_frame_equal(read, table.read_table(csv()(tmp_path)))


@pytest.mark.parametrize("unit", [1, 1000])
def test_sound_panels_raise_no_doubt(unit: int, tmp_path: Path) -> None:
    change = csv(lambda t: t.assign(productivity=t["productivity"] * unit))
    assert table.read(change(tmp_path)).doubts == ()


@pytest.mark.parametrize("covered", [False, True], ids=["title", "title and cover sheet"])
def test_a_table_under_other_names_is_found_to_name_its_columns(
    covered: bool, tmp_path: Path
) -> None:
    def change(workbook: openpyxl.Workbook) -> None:
        title_rows(workbook)
        if covered:
            another_sheet("Cover", first=True, table=False)(workbook)

    path = book(change, lambda t: t.rename(columns=str.upper).add_prefix("THE "))(tmp_path)
    with pytest.raises(PanelError, match="its columns are 'THE OU', 'THE SITE'"):
        table.read(path)


def written() -> str:
    """The table of all inputs, made by reading them."""
    lines = ["| Input | What becomes of it | What is said |", "|---|---|---|"]
    for case in CASES:
        with tempfile.TemporaryDirectory() as folder:
            became, said = outcome(case, Path(folder))
        text = re.sub(r"([|*_<])", r"\\\1", said[0].replace(folder, "")) if said else ""
        lines.append(f"| {case.what} | {became} | {text} |")
    return "\n".join(lines)


def test_the_table_of_inputs_is_current() -> None:
    assert written() in DOCUMENT.read_text(encoding="utf-8")


if __name__ == "__main__":
    head, _, _ = DOCUMENT.read_text(encoding="utf-8").partition("| Input |")
    DOCUMENT.write_text(f"{head}{written()}\n", encoding="utf-8")
