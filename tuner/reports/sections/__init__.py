"""The sections of a report: one question each, in a module each, answered from the findings."""
