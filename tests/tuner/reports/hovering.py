"""What a page shows of points while the pointer is over them."""

import re
from html import unescape

from tuner.reports.figures import Drawing
from tuner.reports.page import picture


def hovering(drawing: Drawing) -> list[str]:
    """The texts of a figure's points."""
    return [unescape(each) for each in re.findall("<title>(.*?)</title>", picture(drawing).svg.decode())]
