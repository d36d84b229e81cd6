"""What trials measure: the steps, the examples, and how many of them are enough."""
