"""What samplers share: the state of one study's search, by an Optuna sampler or by expected improvement."""
