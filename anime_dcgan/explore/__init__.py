"""Exploring a trained generator: name, render, mix, move and project faces.

The code here is independent of HTTP, the database and training: the studio is a thin layer over it.
"""
