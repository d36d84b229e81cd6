"""Training many trials in lockstep."""
