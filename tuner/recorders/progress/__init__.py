"""The views of a run in a terminal or a log."""
