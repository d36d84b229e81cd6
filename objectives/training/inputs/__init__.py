"""The inputs of networks: taken from the examples, standardised, and changed at random to be trained on."""
