"""Text and figures as part of a page: SVG without ids that others have too, in colours that the page sets."""

import re
from collections.abc import Mapping, Sequence
from html import escape

from markupsafe import Markup

from tuner.reports.style import COLOURS

SAID = "said:"
"""Begins the address of a line whose points have something to say; its number follows."""


def marked(text: str) -> Markup:
    """A text for a page, what stands between backticks as code; everything else is escaped.

    >>> marked("`tuner time a` < 1")
    Markup('<code>tuner time a</code> &lt; 1')
    """
    return Markup(re.sub("`([^`]+)`", r"<code>\1</code>", escape(text)))  # noqa: S704 - it is escaped


def with_titles(svg: str, said: Sequence[Sequence[str]]) -> str:
    """Give points what a browser shows when the pointer is over them.

    Args:
        svg: As matplotlib writes it. The markers of a line with the address `said:N` get the texts of `said[N]`.
        said: A text for each point of a line. Those of a line are left out if it shows fewer points.
    """

    def titled(found: re.Match[str]) -> str:
        texts, body = said[int(found[1])], found[2]
        uses = re.findall(r"<use [^>]*/>", body)
        if len(uses) != len(texts):
            return body
        remaining = iter(texts)
        return re.sub(
            r"<use ([^>]*)/>", lambda use: f"<use {use[1]}><title>{escape(next(remaining))}</title></use>", body
        )

    return re.sub(rf'<a xlink:href="{SAID}(\d+)"[^>]*>(.*?)</a>', titled, svg, flags=re.DOTALL)


def inline(svg: str, *, name: str, alternative: str) -> str:
    """A figure's SVG for a page.

    Args:
        svg: As it stands in a file.
        name: Begins each id, so that no two figures have the same.
        alternative: What is read aloud in its place.
    """
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>|<style.*?</style>", "", body, flags=re.DOTALL)
    size = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', body)
    width, height = (size[1], size[2]) if size else ("720", "480")
    body = body[body.index(">") + 1 :]
    label = f'role="img" aria-label="{escape(alternative)}" style="--width: {float(width):.0f}"'
    return f'<svg viewBox="0 0 {width} {height}" {label}>{_coloured(_identified(_short(body), name))}'


def _short(body: str) -> str:
    """Coordinates to a hundredth of a point, and no white space between elements."""
    body = re.sub(r' (d|x|y)="([^"]*)"', lambda found: f' {found[1]}="{_rounded(found[2])}"', body)
    return re.sub(r">\s+<", "><", body)


def _rounded(numbers: str) -> str:
    return re.sub(r"(\.\d\d)\d+", r"\1", " ".join(numbers.split()))


def _identified(body: str, name: str) -> str:
    """Keep the ids that something refers to, and begin them with a name."""
    known = set(re.findall(r'(?:xlink:href="|url\()#([^")]+)', body))

    def own(found: re.Match[str]) -> str:
        return f' id="{name}-{found[1]}"' if found[1] in known else ""

    body = re.sub(r' id="([^"]*)"', own, body)
    return re.sub(r'(?:xlink:)?(href="|url\()#', rf"\g<1>#{name}-", body)


def _coloured(body: str, colours: Mapping[str, str] = COLOURS) -> str:
    """Let the page say what our colours look like."""
    return re.sub("|".join(colours), lambda found: f"var(--{colours[found[0]]}, {found[0]})", body, flags=re.IGNORECASE)
