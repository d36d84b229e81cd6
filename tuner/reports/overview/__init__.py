"""The sections that every experiment has once it has results, and the answer in short."""
