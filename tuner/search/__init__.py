"""One study, from its first point to its confirmed optimum."""
