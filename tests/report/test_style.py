"""What figures share: names that fit and stay apart, and settings that are the book's alone."""

import matplotlib as mpl
import pytest

from oulib.report.style import plain, shortened, use_style


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


def test_the_style_does_not_build_on_the_users_own(monkeypatch: pytest.MonkeyPatch):
    with mpl.rc_context({"text.usetex": True, "font.size": 30}):
        use_style()
        assert mpl.rcParams["text.usetex"] is False
        assert mpl.rcParams["font.size"] == 10
