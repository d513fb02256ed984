"""The report of a run: one HTML page of its files alone. Nothing in here loads torch."""
