"""What workers are to do with studies: search and confirm them, or train further trials of complete ones."""
