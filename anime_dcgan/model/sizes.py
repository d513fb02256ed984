"""Sizes of the maps of networks that double from 4 px to the image."""

from anime_dcgan.system.errors import UserError

FIRST_SIZE = 4  # px
MAX_SIZE = 1024


def doubled_sizes(model: str, image_size: int) -> list[int]:
    """Return 4, 8, 16... `image_size` px; raise `UserError` unless it is one of 8 to 1024 px.

    Parameters:
        model: name of the networks' config.
    """
    sizes = [FIRST_SIZE]
    while sizes[-1] < min(image_size, MAX_SIZE):
        sizes.append(2 * sizes[-1])
    if len(sizes) < 2 or sizes[-1] != image_size:
        raise UserError(
            f"model={model} doubles from {FIRST_SIZE} px, which data.image_size={image_size} does "
            f"not allow: use a power of two from {2 * FIRST_SIZE} to {MAX_SIZE}, for example "
            "data.image_size=64"
        )
    return sizes
