"""The networks of all lanes: their modules, layers, gradients and how many lanes train at once."""
