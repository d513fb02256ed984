"""Generators for others: exported folders, programs of other runtimes, the hub."""
