"""The command line: settings, overrides, and Hydra's errors as one-line messages."""
