"""What a section of the report is."""

from dataclasses import dataclass

from tuner.analysis.summary import Json
from tuner.reports.figures import Drawing
from tuner.reports.rows import Table


@dataclass(frozen=True, slots=True)
class Item:
    """A line of a list.

    Attributes:
        head: What it is about, in a word or two; may be empty.
        aside: What is less important.
        urgent: Whether something should be done about it.
    """

    sentence: str
    head: str = ""
    aside: str = ""
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """A text that is to be copied as it is."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Section:
    """A question and its answer.

    Attributes:
        name: The anchor on the page, and the key in the JSON.
        question: The heading.
        answer: One or two sentences that answer it, with the uncertainty.
        drawings: Figures; they come after the answer.
        tables: They come after the figures.
        items: A list; it comes after the tables.
        notes: Paragraphs for whoever reads on: how it was computed, and what it does not say.
        listings: Texts to copy; they come last.
        values: The answer as JSON. A number that is not finite becomes null.
    """

    name: str
    question: str
    answer: str
    drawings: tuple[Drawing, ...] = ()
    tables: tuple[Table, ...] = ()
    items: tuple[Item, ...] = ()
    notes: tuple[str, ...] = ()
    listings: tuple[Listing, ...] = ()
    values: Json | None = None
