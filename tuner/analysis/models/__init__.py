"""What the analyses fit to trials: each model a module, over plain arrays."""
