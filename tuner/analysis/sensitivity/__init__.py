"""How far each hyperparameter may be off, what share of the space trains, and which hyperparameters matter."""
