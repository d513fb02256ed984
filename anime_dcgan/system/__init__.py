"""Files, errors, the console and the process."""
