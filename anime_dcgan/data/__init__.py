"""Faces: sources, the cache of decoded pictures, and the data module."""
