"""Drawing faces from a generator."""
