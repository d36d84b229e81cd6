"""Figures in a page: their points speak, their ids are their own, and the page says what their colours look like."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tuner.reports.figures import Drawing
from tuner.reports.page import Picture, picture, write_pictures
from tuner.reports.style import BLUE, house_style, new_figure, say

SVG = "{http://www.w3.org/2000/svg}"


def drawn(texts: list[str], name: str = "points") -> Picture:
    """A figure of three points, which say this."""
    with house_style():
        figure = new_figure(4, 3)
        axes = figure.add_subplot()
        (line,) = axes.plot([1, 2, 3], [0.125, 0.25, 0.5], "o-", color=BLUE)
        axes.set_title("1 < 2 & 3")
        say(line, texts)
    return picture(Drawing(name=name, figure=figure, alternative='three "points"', caption=""))


@pytest.fixture(scope="module")
def shown() -> Picture:
    return drawn(["first", "a < b", "third"])


def test_a_point_says_what_it_is(shown: Picture) -> None:
    root = ElementTree.fromstring(shown.svg)

    uses = [each for each in root.iter(f"{SVG}use") if each.find(f"{SVG}title") is not None]
    assert [each.findtext(f"{SVG}title") for each in uses] == ["first", "a < b", "third"]
    assert not list(root.iter(f"{SVG}a"))


def test_points_are_silent_where_texts_do_not_fit_them() -> None:
    silent = drawn(["first", "second"])

    assert b"<title>" not in silent.svg
    assert b"said:" not in silent.svg


def test_two_figures_of_a_page_share_no_id(shown: Picture) -> None:
    other = drawn(["first", "a < b", "third"], name="other")
    first, second = (set(re.findall(r' id="([^"]*)"', each.markup)) for each in (shown, other))
    referred = set(re.findall(r'(?:href="|url\()#([^")]+)', shown.markup))

    assert first == referred
    assert first
    assert not first & second


def test_a_part_of_a_page_is_well_formed_and_says_what_it_shows(shown: Picture) -> None:
    root = ElementTree.fromstring(shown.markup)

    assert root.attrib["aria-label"] == 'three "points"'
    assert root.attrib["viewBox"] == "0 0 288 216"
    assert "1 < 2 & 3" in [each.text for each in root.iter("text")]
    assert len(shown.markup) < len(shown.svg)


def test_the_page_says_what_colours_look_like_and_files_have_their_own(shown: Picture) -> None:
    colours = set(re.findall(r"(?:fill|stroke): ([^;\"]+)", shown.markup))

    assert f"var(--blue, {BLUE})" in colours
    assert "var(--paper, #ffffff)" in colours
    assert not {each for each in colours if each.startswith("#")}
    assert BLUE.encode() in shown.svg
    assert b"var(" not in shown.svg


def test_files_are_replaced_at_once(shown: Picture, tmp_path: Path) -> None:
    write_pictures(tmp_path, [shown])

    assert {each.name for each in tmp_path.iterdir()} == {"points.png", "points.svg"}
