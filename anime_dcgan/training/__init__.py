"""Training with Lightning: the module, its callbacks, jobs and sweeps."""
