"""How good generated faces are: distances to real ones, and what they cover or repeat."""
