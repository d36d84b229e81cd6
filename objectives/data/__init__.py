"""Data sets, split and standardised."""
