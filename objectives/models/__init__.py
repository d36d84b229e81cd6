"""Models whose parameters are stacked over lanes."""
