"""The range of seeds; importable without torch."""

MAX_SEED = 2**32 - 1
"""The largest seed: torch's Mersenne Twister takes 32 bits."""
