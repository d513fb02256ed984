"""The command line: settings and their checks, overrides, and Hydra's errors in one line."""
