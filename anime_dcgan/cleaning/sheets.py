"""Sheets of faces of a scan."""

import numpy as np

from anime_dcgan.cleaning.image_stats import SIDE
from anime_dcgan.cleaning.scan import Scan


def contact_sheet(scan: Scan, rows: np.ndarray, columns: int) -> np.ndarray:
    """Return the faces of `rows`, one line of `columns` after the other: uint8 (h, w, 3)."""
    sheet = np.zeros((max(1, -(-len(rows) // columns)) * SIDE, columns * SIDE, 3), np.uint8)
    for position, row in enumerate(rows.tolist()):
        top, left = position // columns * SIDE, position % columns * SIDE
        sheet[top : top + SIDE, left : left + SIDE] = scan.face(row)
    return sheet
