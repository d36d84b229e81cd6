"""Commands that train more of a complete experiment, and what they print."""
