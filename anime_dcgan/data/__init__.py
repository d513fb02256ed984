"""Faces: where they come from (sources), the cache that holds them, and the data module."""
