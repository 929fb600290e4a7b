"""Figures that move, operated in a browser; what they compute is held against Python."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from oulib.chapters import baseline, missing, next_survey, sensitivity
from oulib.files import source_root
from oulib.report.moving import Moving, moving

STATIC = source_root() / "book" / "_static"
THEMES = {
    "light": {"text-base": "#222832", "text-muted": "#48566b", "background": "#fff"},
    "dark": {"text-base": "#ced6dd", "text-muted": "#9ca4af", "background": "#14181e"},
}
HOSTILE = "</script><img src=x onerror=alert(1)> & $x$"

Opened = Callable[..., Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api")
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no chromium")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Opened]:
    """Opens a page with figures from a file, as a reader does; no script may have failed."""
    pages, failed = [], []

    def go(*figures: Moving, theme: str = "light", width: int = 1200, **options: Any) -> Any:
        style = "".join((STATIC / name).read_text("utf-8") for name in ("oulib.css", "moving.css"))
        colours = ";".join(f"--pst-color-{name}:{value}" for name, value in THEMES[theme].items())
        file = tmp_path / f"{len(pages)}.html"
        body = "".join(
            f'<figure><div class="cell_output"><div class="output text_html">{one._repr_html_()}'
            "</div></div><figcaption>A caption.</figcaption></figure>"
            for one in figures
        )
        file.write_text(
            f'<!DOCTYPE html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8"/>'
            '<meta name="viewport" content="width=device-width, initial-scale=1"/>'
            f"<title>A chapter</title><style>:root {{{colours}}} body {{ margin: 1rem; "
            "background: var(--pst-color-background); color: var(--pst-color-text-base); "
            f"font: 16px/1.6 sans-serif }} figure {{ margin: 0 0 1rem }} {style}</style>"
            f"<script>{(STATIC / 'moving.js').read_text('utf-8')}</script></head>"
            f'<body class="bd-content"><main><h1>A chapter</h1>{body}</main></body></html>',
            encoding="utf-8",
        )
        page = browser.new_page(viewport={"width": width, "height": 900}, **options)
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.on("console", lambda said: failed.append(said.text) if said.type == "error" else None)
        page.on("request", lambda asked: failed.append(asked.url) if "http" in asked.url else None)
        page.goto(file.as_uri())
        pages.append(page)
        return page

    yield go
    for page in pages:
        page.close()
    assert not failed


def drawn(page: Any) -> str:
    """The alternative text of the drawing."""
    return str(page.get_by_role("img").get_attribute("aria-label"))


def said(page: Any) -> str:
    return str(page.get_by_role("status").inner_text())


def computed(page: Any, formula: str, *values: Any) -> Any:
    return page.evaluate(f"values => oulibMoving.formulas.{formula}(...values)", list(values))


# --- what all of them share


def test_data_reach_the_page_as_data() -> None:
    data = {"name": HOSTILE, "line": np.array([0.1234567891, np.nan]), "n": np.int64(3), "no": None}
    before = plt.get_fignums()  # of other tests
    figure = moving("pooling", data, plt.figure(), alt='A "line" & a dot.')
    assert plt.get_fignums() == before
    html = figure._repr_html_()
    assert html.count("<script") == html.count("</script") == html.count("<img") == 1
    assert 'alt="A &quot;line&quot; &amp; a dot."' in html
    assert '"line":[0.123457,null],"n":3,"no":null' in html
    assert "PNG" not in repr(figure)


def alone(names: tuple[str, ...] = ("Ada", "Bo", "Cy", "Di")) -> baseline.analysis.Alone:
    return baseline.analysis.Alone(
        names,
        np.array([-0.4, 0.1, 0.35, 0.9]),
        np.array([0.3, 0.1, 0.2, 0.6]),
        np.array([6, 24, 12, 3]),
    )


MADE: dict[str, Callable[[], Moving]] = {
    "pooling": lambda: baseline.figures.pooling(alone(), 0.25),
}
MADE["signs"] = lambda: baseline.figures.two_signs(
    baseline.analysis.sign_densities(baseline.analysis.made_unit(), 8)
)
MADE["band"] = lambda: missing.figures.one_unit(missing.band.unit(missing.band.Scales()))


def economy(**other: Any) -> next_survey.budget.Economy:
    sizes = np.geomspace(1, 1000, 40)
    values = {
        **{"months": 36, "units": 40, "waves": 6, "respondents": 18.0, "answered": 0.9},
        **{"slope": 0.3, "prior": 0.5, "sigma_beta": 0.2, "sites": 6, "site": 5e-4, "level": 0.2},
        **{"sigma_x": 0.7, "sigma_mu_x": 0.6, "sigma_meas": 1.2, "noise": 0.12, "unknown": 0.13},
        **{"sizes": sizes, "doubt": (1 + sizes / 5) ** -2, "learnt": 40 * (1 + sizes / 5) ** 2},
    }
    return next_survey.budget.Economy(**{**values, **other})


MADE["budget"] = lambda: next_survey.figures.budget(economy())


def shifts() -> sensitivity.silence.Shifts:
    rng = np.random.default_rng(1)
    silent, score = rng.random(60) < 0.3, rng.standard_normal(60)
    outcome = 0.35 * score - 0.2 * silent + 0.5 * rng.standard_normal(60)
    delta = np.linspace(-2, 2, 17)
    mean = 0.5 / (1 + 0.2 * (delta - 0.5) ** 2)
    spread = {"q5": mean - 0.1, "q95": mean + 0.1, "positive": np.linspace(0.995, 0.6, 17)}
    table = pd.DataFrame({"mean": mean, **spread}, index=delta)
    return sensitivity.silence.Shifts(score, outcome, silent, 0.7, 0.5, table)


MADE["shifts"] = lambda: sensitivity.figures.shifts(shifts())
every = pytest.mark.parametrize("kind", sorted(MADE))


@every
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1200])
def test_nothing_is_wider_than_the_screen_and_axe_finds_nothing(
    opened: Opened, kind: str, theme: str, width: int
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright")
    page = opened(MADE[kind](), theme=theme, width=width)
    assert page.get_by_role("img").count() == 1  # the drawing, and no longer the picture
    assert page.evaluate("document.documentElement.scrollWidth") == width
    inside = page.evaluate(
        """() => [...document.querySelectorAll('.moving-live text')].every((text) => {
             const box = text.getBoundingClientRect();
             return box.left >= 0 && box.right <= innerWidth })"""
    )
    assert inside
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@every
def test_paper_and_browsers_without_javascript_have_the_picture(opened: Opened, kind: str) -> None:
    figure = MADE[kind]()
    page = opened(figure)
    assert not page.locator("img").is_visible()
    page.emulate_media(media="print")
    assert page.locator("img").is_visible()
    assert not page.locator(".moving-live").is_visible()
    plain = opened(figure, java_script_enabled=False)
    assert plain.locator("img").is_visible()
    assert plain.get_by_role("img").get_attribute("alt") == figure.alt


@every
def test_every_control_has_a_name_and_moves_something(opened: Opened, kind: str) -> None:
    page = opened(MADE[kind]())
    for place in range(page.get_by_role("slider").count()):
        page.reload()
        control = page.get_by_role("slider").nth(place)
        assert control.evaluate("one => one.labels[0].textContent.length > 3")
        control.focus()
        states = []
        for key in ("Home", "End"):
            page.keyboard.press(key)
            marks = page.locator("svg[role=img]").inner_html()
            states.append((re.sub(r"moving-clip-\d+", "", marks), said(page), drawn(page)))
            states[-1] += (control.get_attribute("aria-valuetext"),)
        (first, *_, one), (last, *_, other) = states
        assert first != last
        assert one != other


def test_what_cannot_be_drawn_leaves_the_picture(browser: Any, opened: Opened) -> None:
    broken = moving("pooling", {"names": None}, plt.figure(), alt="A picture that stays.")
    page = browser.new_page()
    page.set_content(
        f"{broken._repr_html_()}<script>{(STATIC / 'moving.js').read_text('utf-8')}</script>"
    )
    assert page.get_by_role("img").get_attribute("alt") == "A picture that stays."
    assert page.locator("img").is_visible()
    assert page.locator(".moving-live").count() == 0
    page.close()


# --- pooling


@pytest.mark.parametrize("tau", [0.0, 0.03, 0.25, 4.0])
def test_pooled_slopes_are_those_of_python(opened: Opened, tau: float) -> None:
    found = alone()
    page = opened(MADE["pooling"]())
    made = computed(page, "pooled", found.slope.tolist(), found.se.tolist(), tau)
    wanted = baseline.analysis.pooled(found, tau)
    assert made["mean"] == pytest.approx(wanted.mean, rel=1e-12)
    np.testing.assert_allclose(made["slope"], wanted.slope, rtol=1e-12)
    np.testing.assert_allclose(made["sd"], wanted.sd, rtol=1e-12)


def heights(page: Any) -> list[float]:
    dots = page.locator("svg[role=img] circle.dot").all()
    return [float(dot.get_attribute("cy")) for dot in dots]


def test_pooling_goes_from_none_to_complete(opened: Opened) -> None:
    page = opened(MADE["pooling"]())
    start = heights(page)
    assert "0.25, which is the model’s own" in said(page)
    page.get_by_role("slider").focus()
    page.keyboard.press("Home")
    open_ = [float(c.get_attribute("cy")) for c in page.locator("svg[role=img] circle.open").all()]
    assert heights(page) == pytest.approx(open_)
    assert "Nothing is pooled" in said(page)
    page.get_by_role("button", name="Complete").click()
    assert np.ptp(heights(page)) == pytest.approx(0)
    assert "pooled by 100%" in drawn(page)
    page.get_by_role("button", name="The model’s own").click()
    assert heights(page) == pytest.approx(start)
    assert re.search(r"Di moves most, from 0\.90 to 0\.\d\d", said(page))


def test_names_of_units_stay_text(opened: Opened) -> None:
    figure = baseline.figures.pooling(alone(("a", "b", "c", HOSTILE)), 0.25)
    page = opened(figure)
    assert f"{HOSTILE} moves most" in said(page)
    assert page.locator("img").count() == 1


# --- a slope's two signs


def outline(page: Any) -> np.ndarray:
    """The corners of the filled density, in pixels, (point, 2)."""
    path = page.locator("svg[role=img] path.area").get_attribute("d")
    return np.array([pair.split(",") for pair in path[1:-1].split("L")], dtype=float)


def test_surveys_are_counted_and_their_density_is_drawn(opened: Opened) -> None:
    found = baseline.analysis.sign_densities(baseline.analysis.made_unit(), 8)
    page = opened(MADE["signs"]())
    assert "With no survey: the slope is positive with probability 0.50" in said(page)
    assert "two peaks" in drawn(page)
    for surveys in range(1, 9):
        page.get_by_role("button", name="One more").click()
        across, up = outline(page)[found.grid.size :][::-1].T
        drawn_as = (up.max() - up) / np.ptp(up)
        wanted = found.density[surveys]
        np.testing.assert_allclose(drawn_as, (wanted - wanted.min()) / np.ptp(wanted), atol=2e-3)
        assert np.all(np.diff(across) > 0)
        assert f"probability {found.positive[surveys]:.2f}" in said(page)
    page.get_by_role("button", name="One more").click()  # there is no more, and nothing happens
    assert "With 8 surveys" in said(page)
    page.get_by_role("slider").focus()
    page.keyboard.press("ArrowLeft")
    assert "With 7 surveys" in said(page)


# --- the band of one unit


@pytest.mark.parametrize("spacing", [0, 1, 6])
@pytest.mark.parametrize("beta", [-0.8, 0.0, 0.35])
def test_the_band_is_that_of_a_dense_covariance(opened: Opened, spacing: int, beta: float) -> None:
    made = missing.band.unit(missing.band.Scales(mu_x=0.3), seed=5)
    seen = missing.band.every(spacing, 24)
    wanted = missing.band.known(made, seen, 8, beta)
    given = {name: value for name, value in vars(made.scales).items() if name != "beta"}
    asked, data = (8 * seen).tolist(), (made.surveys(8), made.residuals(beta))
    page = opened(MADE["band"]())
    found = computed(page, "band", given, beta, asked, *(one.tolist() for one in data))
    np.testing.assert_allclose(found["mean"], wanted.mean, atol=1e-10)
    np.testing.assert_allclose(found["sd"], wanted.sd, rtol=1e-10)


def widths(page: Any) -> np.ndarray:
    """How wide the band is in each month, in pixels."""
    up = outline(page)[:, 1]
    return up[: up.size // 2] - up[up.size // 2 :][::-1]


def test_a_month_is_given_a_survey_and_loses_it_again(opened: Opened) -> None:
    page = opened(MADE["band"]())
    before = widths(page)
    month = page.get_by_role("button", name="Survey in month 12")
    assert month.get_attribute("aria-pressed") == "false"
    month.click()
    assert month.get_attribute("aria-pressed") == "true"
    after = widths(page)
    assert after[11] < 0.7 * before[11]
    np.testing.assert_allclose(np.delete(after, 11), np.delete(before, 11), rtol=0.03)
    assert "5 surveys of 10" in said(page)
    assert "3, 9, 12, 15, 21" in drawn(page)
    month.click()
    np.testing.assert_allclose(widths(page), before)


def test_months_are_reached_by_keys(opened: Opened) -> None:
    page = opened(MADE["band"]())
    page.get_by_role("slider").last.focus()
    page.keyboard.press("Tab")  # one stop for all months
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    assert "in months 2, 3, 9" in drawn(page)
    page.keyboard.press("End")
    page.keyboard.press("Space")
    assert "21, 24." in drawn(page)
    page.keyboard.press("ArrowRight")  # there is no further month
    page.keyboard.press("Enter")
    assert "9, 15, 21." in drawn(page)
    page.keyboard.press("Shift+Tab")
    assert page.evaluate("document.activeElement.type") == "range"


@pytest.mark.parametrize("width", [375, 1200])
def test_a_month_of_the_drawing_can_be_pressed(opened: Opened, width: int) -> None:
    page = opened(MADE["band"](), width=width)
    cross = page.locator("svg[role=img] path.cross").nth(4)
    box = cross.bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] - 20)
    assert "in months 3, 5, 9" in drawn(page)
    first = page.get_by_role("button", name="Survey in month 1", exact=True).bounding_box()
    assert first["width"] >= 24


def test_the_picture_says_what_the_drawing_says(opened: Opened) -> None:
    figure = MADE["band"]()
    page = opened(figure)
    sds = re.findall(r"0\.\d\d", figure.alt)
    assert len(sds) == 2
    assert re.findall(r"0\.\d\d", drawn(page)) == sds


# --- waves, respondents and units


@pytest.mark.parametrize("other", [{}, {"level": None, "site": 0.0, "unknown": 0.0}])
def test_plans_are_those_of_python(opened: Opened, other: dict[str, Any]) -> None:
    given = economy(**other)
    figure = next_survey.figures.budget(given)
    page = opened(figure)
    data = json.loads(figure.data)
    for waves, respondents, units in ((1, 18.0, 40), (6, 3.3, 80), (36, 2000.0, 4)):
        found = computed(page, "plan", data, waves, respondents, units)
        wanted = vars(next_survey.budget.precision(given, waves, respondents, units))
        assert found == pytest.approx(wanted, rel=1e-4)  # data are rounded to six digits


def test_a_budget_is_held_along_the_dashed_lines(opened: Opened) -> None:
    page = opened(MADE["budget"]())
    given = economy()

    def best(each: float) -> tuple[int, float]:
        waves = [k for k in range(1, 37) if 6 * (18 + each) / k - each >= 1]
        sizes = [6 * (18 + each) / k - each for k in waves]
        sds = [
            next_survey.budget.precision(given, k, n, 40).average
            for k, n in zip(waves, sizes, strict=True)
        ]
        place = int(np.argmin(sds))
        return waves[place], sds[place]

    waves, sd = best(0)
    assert "6 waves of 18 respondents in 40 units are 4,320 questionnaires." in said(page)
    assert re.search(rf"best with {waves} waves of .*: {sd:.3f}\.$", said(page))
    page.get_by_role("slider", name="Cost of holding a survey").focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    waves, sd = best(20)
    assert waves < 20
    assert "and cost as much as 9,120 questionnaires" in said(page)
    assert re.search(rf"best with {waves} waves of .*: {sd:.3f}\.$", said(page))
    page.get_by_role("slider", name="Waves").focus()
    page.keyboard.press("End")
    assert "36 waves of 18" in said(page)
    page.get_by_role("button", name="The panel’s own design").click()
    assert "6 waves of 18" in said(page)


# --- scores that nobody saw


def places(page: Any, kind: str) -> np.ndarray:
    """Where dots of a kind are, in pixels, (dot, 2)."""
    dots = page.locator(f"svg[role=img] circle.{kind}")
    return np.array(
        dots.evaluate_all("all => all.map(o => [o.getAttribute('cx'), o.getAttribute('cy')])"),
        dtype=float,
    )


def test_a_shift_moves_silent_scores_and_nothing_that_was_seen(opened: Opened) -> None:
    given, page = shifts(), opened(MADE["shifts"]())
    before = {kind: places(page, kind) for kind in ("dot", "open")}
    assert [len(before[kind]) for kind in ("dot", "open")] == [
        int((~given.silent).sum()),
        int(given.silent.sum()),
    ]
    marks = page.locator("svg[role=img] path.line")
    lines = marks.evaluate_all("all => all.map(o => o.getAttribute('d'))")
    page.get_by_role("slider").focus()
    for _ in range(4):
        page.keyboard.press("ArrowRight")
    np.testing.assert_array_equal(places(page, "dot"), before["dot"])
    moved = places(page, "open") - before["open"]
    np.testing.assert_array_equal(moved[:, 1], 0)
    across, score = before["open"][:, 0], given.score[given.silent]
    pixels = np.ptp(across) / np.ptp(score)
    np.testing.assert_allclose(moved[:, 0], pixels, rtol=1e-3)  # one sd
    after = marks.evaluate_all("all => all.map(o => o.getAttribute('d'))")
    assert after[0] == lines[0]  # among months of a kind
    assert after[1] != lines[1]
    row = given.table.loc[1.0]
    assert f"is {row['mean']:.2f}, from {row['q5']:.2f} to {row['q95']:.2f}" in said(page)
    quiet = given.score[given.silent].mean() + 1
    assert f"{quiet:.2f} in silent months" in said(page)
    page.get_by_role("button", name="None").click()
    np.testing.assert_array_equal(places(page, "open"), before["open"])
    page.get_by_role("button", name="Lowest").click()
    assert "positive with probability above 0.99" in said(page)
