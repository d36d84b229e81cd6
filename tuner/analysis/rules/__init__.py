"""What rules of thumb for the learning rate would have cost, had one batch size been tuned and the others not."""
