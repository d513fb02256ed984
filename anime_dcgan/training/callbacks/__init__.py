"""Callbacks that observe, save and end a training; none of them changes a seeded run."""
