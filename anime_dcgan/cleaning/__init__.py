"""Cleaning of a set of pictures: cropping faces, and excluding duplicates and bad pictures."""
