"""What figures share: names that fit and stay apart, and settings that are the book's alone."""

from io import BytesIO

import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest

from oulib.report import fonts
from oulib.report.style import plain, plain_all, sharp_png, shortened, use_style


def test_short_names_are_left_alone():
    assert shortened(["OU-1", "x" * 28]) == ["OU-1", "x" * 28]
    assert plain("$5") == r"\$5"


@pytest.mark.parametrize(
    "names",
    [
        [f"Regional Operations Department {place}" for place in ("North", "South", "West")],
        [f"Department of {place} and its several annexes" for place in ("Art", "Law", "Music")],
        [f"{'y' * 40}{number}{'z' * 40}" for number in range(12)],
    ],
    ids=["at the end", "in the middle", "far inside"],
)
def test_long_names_stay_apart(names: list[str]):
    shown = shortened(names)
    assert len(set(shown)) == len(names)
    assert all(len(one) <= 28 for one in shown)
    assert all(one[:4] == name[:4] for one, name in zip(shown, names, strict=True))


def test_wide_letters_count_twice():
    names = [f"{'東京大阪' * 8}{place}" for place in "北南西"]
    shown = shortened(names)
    assert len(set(shown)) == 3
    assert all(fonts.width(one) <= 28 for one in shown)


NAMES = ["東京", "서울 병원", "โรงพยาบาล", "مستشفى", "अस्पताल", "Zürich", "e\u0301cole", "🏥 North"]


@pytest.mark.filterwarnings("error")
def test_names_of_any_script_are_drawn_without_a_warning():
    with mpl.rc_context():
        use_style()
        fig, ax = plt.subplots()
        ax.set_yticks(range(len(NAMES)), plain_all(NAMES))
        fig.savefig(BytesIO())
        plt.close(fig)
    assert plain_all(NAMES)[:-1] == NAMES[:-1]


def test_what_no_font_has_is_said_in_words():
    assert plain("🏥\ufe0f North") == "(hospital) North"
    assert plain("\U0001e900 x") == "□ x"  # a letter of Adlam


def test_the_style_does_not_build_on_the_users_own(monkeypatch: pytest.MonkeyPatch):
    with mpl.rc_context({"text.usetex": True, "font.size": 30}):
        use_style()
        assert mpl.rcParams["text.usetex"] is False
        assert mpl.rcParams["font.size"] == 10


def test_a_picture_has_twice_the_dots_of_its_width():
    fig = plt.figure(figsize=(2, 1), dpi=100)
    drawn, width = sharp_png(fig)
    assert width == 200
    assert plt.imread(BytesIO(drawn)).shape[:2] == (200, 400)
    assert not plt.fignum_exists(fig.number)
