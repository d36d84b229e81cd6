"""What an experiment may be called: its name is a folder's, a part of other files' names, and a word in commands."""

import re

LETTERS = 100
"""Names of files end at 255 bytes, and an experiment's has more in front of it and behind."""
OURS = re.compile(r"(tuner\.db|mlflow\.db).*|mlartifacts|logs", re.IGNORECASE)
"""What lies in `runs/` beside the reports. SQLite puts `-wal` and `-journal` behind the names of its files."""


def is_name(text: str) -> bool:
    """Whether an experiment can be called this: it is a file's name too, and part of other names.

    >>> is_name("mnist-cnn.v2"), is_name("../mnist")
    (True, False)
    """
    return re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", text) is not None


def name_problem(text: str) -> str:
    """Why a new experiment cannot have a name that `is_name`; empty if it can.

    >>> name_problem("mnist"), name_problem("Tuner.db-wal")
    ('', "is taken by a file of tuner's own in the folder of the reports; choose another name than 'Tuner.db-wal'")
    """
    if len(text) > LETTERS:
        return f"has {len(text)} letters; at most {LETTERS}"
    if OURS.fullmatch(text):
        return f"is taken by a file of tuner's own in the folder of the reports; choose another name than {text!r}"
    return ""
