"""The state of one study's search, shared by the samplers: with an Optuna sampler, or by expected improvement."""
