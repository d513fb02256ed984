"""From found pictures to a set of faces: what is cut out of them, and what is left out."""
