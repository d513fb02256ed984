"""The parts of `data.drawn`: factors and drawing of synthetic faces."""
