"""Where optima lie in their search spaces: at an edge, outside, or inside; and which sides to widen."""
