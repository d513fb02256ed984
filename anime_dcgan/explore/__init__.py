"""What one can do with a trained generator: name a face, draw it, mix it, move it, find it.

No HTTP, no database, no training: the studio is a thin layer over this.
"""
