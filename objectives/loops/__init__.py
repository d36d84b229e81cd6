"""Training loops and scripts that were written for something else, as trainers: each lane holds one of them."""
