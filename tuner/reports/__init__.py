"""The report of an experiment: figures draw what analysis computed, the page assembles them."""
