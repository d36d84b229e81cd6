"""The optimum of one study: its candidates, its confirmation, and the trials around it."""
