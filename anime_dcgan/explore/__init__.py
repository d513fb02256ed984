"""Exploring a trained generator: name, render, mix, move and project faces.

Nothing here knows HTTP, the database or training: the studio is a thin layer over this folder.
"""
