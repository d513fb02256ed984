"""Faces that the program draws itself."""
