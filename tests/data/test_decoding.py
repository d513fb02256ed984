"""Decoding of pictures: formats, pixel modes, sizes, and invalid files."""

import io
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.data import decoding, picture_files
from anime_dcgan.data.decoding import centre_square, fit
from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.source import Unreadable
from tests.data.pictures import (
    COLOUR,
    encoded,
    plain,
    png_header,
)


def read_one(tmp_path: Path, name: str, data: bytes, image_size: int = 8) -> np.ndarray:
    (tmp_path / name).write_bytes(data)
    face = FolderFaces(str(tmp_path)).read(0, image_size)
    assert face.mode == "RGB"
    assert face.size == (image_size, image_size)
    return np.asarray(face)


def reason(tmp_path: Path, name: str, data: bytes) -> str:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(Unreadable) as caught:
        FolderFaces(str(tmp_path)).read(0, 8)
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


def quarters(size: int = 16) -> Image.Image:
    """Return four quarters in four colours, which look different in each of 8 orientations."""
    pixels = np.zeros((size, size, 3), np.uint8)
    half = size // 2
    pixels[:half, :half] = (255, 0, 0)
    pixels[:half, half:] = (0, 255, 0)
    pixels[half:, :half] = (0, 0, 255)
    pixels[half:, half:] = (255, 255, 0)
    return Image.fromarray(pixels)


@pytest.mark.parametrize(
    ("extension", "format", "options"),
    [
        ("png", "PNG", {}),
        ("JPG", "JPEG", {"quality": 95}),
        ("webp", "WEBP", {"lossless": True}),
        ("gif", "GIF", {}),
        ("bmp", "BMP", {}),
        ("tiff", "TIFF", {}),
        ("avif", "AVIF", {"quality": 95}),
        ("jp2", "JPEG2000", {}),
        ("ppm", "PPM", {}),
        ("tga", "TGA", {}),
        ("ico", "ICO", {"sizes": [(8, 8)]}),
        ("pcx", "PCX", {}),
        ("qoi", "QOI", {}),
        ("sgi", "SGI", {}),
        ("dds", "DDS", {}),
    ],
)
def test_common_formats_are_decoded(
    tmp_path: Path, extension: str, format: str, options: dict[str, object]
) -> None:
    pixels = read_one(tmp_path, f"face.{extension}", encoded(plain(), format, **options))
    assert np.abs(pixels.astype(int) - COLOUR).max() <= 6


def palette_with_transparency() -> Image.Image:
    image = Image.new("P", (8, 8), 1)
    image.putpalette([0, 0, 0, *COLOUR])
    return image


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (encoded(Image.new("1", (8, 8), 1)), (255, 255, 255)),
        (encoded(Image.new("L", (8, 8), 77)), (77, 77, 77)),
        (encoded(palette_with_transparency()), COLOUR),
        (encoded(palette_with_transparency(), transparency=1), (255, 255, 255)),
        (encoded(Image.new("L", (8, 8), 77), transparency=77), (255, 255, 255)),
        (encoded(Image.new("LA", (8, 8), (77, 0))), (255, 255, 255)),
        (encoded(Image.new("LA", (8, 8), (77, 255))), (77, 77, 77)),
        (encoded(Image.new("RGBA", (8, 8), (*COLOUR, 255))), COLOUR),
        (encoded(Image.new("RGBA", (8, 8), (0, 0, 0, 51))), (204, 204, 204)),
        (encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "TIFF"), (255, 0, 0)),
        (encoded(Image.new("CMYK", (8, 8), (0, 255, 255, 0)), "JPEG"), (254, 0, 0)),
        (encoded(Image.new("I;16", (8, 8), 128 * 257)), (128, 128, 128)),
        (encoded(Image.new("I", (8, 8), 128 * 257), "TIFF"), (128, 128, 128)),
        (encoded(Image.new("F", (8, 8), 0.5), "TIFF"), (128, 128, 128)),
        (encoded(Image.new("F", (8, 8), 200.0), "TIFF"), (200, 200, 200)),
        (encoded(Image.new("YCbCr", (8, 8), (100, 128, 128)), "JPEG"), (100, 100, 100)),
    ],
)
def test_every_pixel_mode_becomes_rgb(
    tmp_path: Path, data: bytes, expected: tuple[int, int, int]
) -> None:
    pixels = read_one(
        tmp_path, "face.png", data
    )  # the contents determine the format, not the extension
    assert np.abs(pixels.astype(int) - expected).max() <= 1


def test_integers_beyond_16_bits_are_stretched(tmp_path: Path) -> None:
    values = np.linspace(-100_000, 100_000, 64).reshape(8, 8).astype(np.int32)
    pixels = read_one(tmp_path, "face.tif", encoded(Image.fromarray(values), "TIFF"))
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert (np.diff(pixels[..., 0].ravel().astype(int)) >= 0).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    stored_from_upright = {
        1: lambda upright: upright,
        2: lambda upright: upright[:, ::-1],
        3: lambda upright: upright[::-1, ::-1],
        4: lambda upright: upright[::-1],
        5: lambda upright: upright.swapaxes(0, 1),
        6: lambda upright: np.rot90(upright, 1),
        7: lambda upright: upright[::-1, ::-1].swapaxes(0, 1),
        8: lambda upright: np.rot90(upright, -1),
    }
    upright = np.asarray(quarters())
    stored = Image.fromarray(np.ascontiguousarray(stored_from_upright[orientation](upright)))
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = read_one(tmp_path, "face.png", encoded(stored, exif=exif), image_size=16)
    np.testing.assert_array_equal(pixels, upright)


@pytest.mark.parametrize(("extension", "options"), [("gif", {}), ("webp", {"lossless": True})])
def test_the_first_frame_of_an_animation_is_read(
    tmp_path: Path, extension: str, options: dict[str, object]
) -> None:
    later = [plain((0, 0, 255)), plain((0, 255, 0))]
    data = encoded(plain(), extension.upper(), save_all=True, append_images=later, **options)
    assert (read_one(tmp_path, f"face.{extension}", data) == COLOUR).all()


def test_the_centre_square_is_kept(tmp_path: Path) -> None:
    wide = plain((0, 0, 255), (32, 8))
    wide.paste(quarters(8), (12, 0))
    np.testing.assert_array_equal(
        read_one(tmp_path, "face.png", encoded(wide)), np.asarray(quarters(8))
    )


def test_a_picture_of_the_right_size_is_not_resampled(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    pixels = read_one(tmp_path, "face.png", encoded(Image.fromarray(noise)), image_size=16)
    np.testing.assert_array_equal(pixels, noise)


def test_shrinking_is_antialiased_and_enlarging_is_possible(tmp_path: Path) -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    data = encoded(Image.fromarray(stripes))
    assert np.abs(read_one(tmp_path, "face.png", data).astype(int) - 127).max() <= 12
    assert (read_one(tmp_path, "face.png", encoded(plain()), image_size=64) == COLOUR).all()


def test_a_draft_of_a_large_jpeg_is_close_to_full_decoding(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 800).astype(np.uint8)
    photo = Image.fromarray(
        np.stack([*np.meshgrid(ramp, ramp), np.full((800, 800), 90)], -1).astype(np.uint8)
    )
    data = encoded(photo, "JPEG", quality=95)
    full = Image.open(io.BytesIO(data)).resize((16, 16), Image.Resampling.LANCZOS)
    pixels = read_one(tmp_path, "face.jpg", data, image_size=16)
    assert np.abs(pixels.astype(int) - np.asarray(full)).max() <= 3


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (61, 47)])
def test_jpegs_have_the_same_pixels_as_in_pillow(
    tmp_path: Path, mode: str, subsampling: str, progressive: bool, size: tuple[int, int]
) -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (9, 9, 3), dtype=np.uint8)
    picture = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(mode)
    data = encoded(picture, "JPEG", subsampling=subsampling, progressive=progressive)
    (tmp_path / "face.jpg").write_bytes(data)
    expected = Image.open(io.BytesIO(data)).convert("RGB")
    found = FolderFaces(str(tmp_path)).picture(0)
    np.testing.assert_array_equal(np.asarray(found), np.asarray(expected))
    square = fit(centre_square(expected), 16)
    np.testing.assert_array_equal(read_one(tmp_path, "face.jpg", data, 16), np.asarray(square))


def test_plain_jpegs_are_decoded_without_pillow(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(plain(), "JPEG", quality=100)
    monkeypatch.setattr(Image, "open", None)
    assert np.abs(read_one(tmp_path, "face.jpg", data).astype(int) - COLOUR).max() <= 2
    assert "NoneType" in reason(tmp_path, "face.jpg", encoded(plain(), "PNG"))


def test_damaged_pictures_are_unreadable(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    jpeg = encoded(Image.fromarray(noise), "JPEG")
    assert "truncated" in reason(tmp_path, "face.png", jpeg[: len(jpeg) // 2])
    assert reason(tmp_path, "face.png", b"not a picture") == "not a picture in a known format"
    assert reason(tmp_path, "face.png", b"") == "not a picture in a known format"
    reason(tmp_path, "face.png", encoded(plain())[:40])


def test_postscript_is_never_executed(tmp_path: Path) -> None:
    data = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage\n"
    assert reason(tmp_path, "face.png", data) == "not a picture in a known format"


@pytest.mark.parametrize("side", [100_000, 9_000])
def test_decompression_bombs_are_rejected_by_their_header(tmp_path: Path, side: int) -> None:
    message = reason(tmp_path, "face.png", png_header(side, side))
    assert "limit" in message


def test_a_jpeg_that_declares_too_many_pixels_is_rejected(tmp_path: Path) -> None:
    jpeg = encoded(plain(), "JPEG")
    size_at = jpeg.index(b"\xff\xc0") + 5
    data = jpeg[:size_at] + struct.pack(">HH", 9000, 9001) + jpeg[size_at + 4 :]
    message = reason(tmp_path, "face.jpg", data)
    assert message == "9001 x 9000 px is more than the limit of 64 Mi pixels"


def test_the_pixel_limit_is_stricter_than_pillows(tmp_path: Path) -> None:
    message = reason(tmp_path, "face.png", png_header(8193, 8192))
    assert message == "8193 x 8192 px is more than the limit of 64 Mi pixels"


def test_a_file_of_too_many_bytes_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_files, "MAX_FILE_BYTES", 50)
    assert "limit" in reason(tmp_path, "face.png", encoded(plain()))


def test_a_jpeg_of_too_many_scans_is_unreadable(tmp_path: Path) -> None:
    """Each of its scans costs a pass over the picture, however few bytes it has."""
    jpeg = encoded(plain(size=(64, 64)), "JPEG", progressive=True)
    start = jpeg.rindex(decoding.START_OF_SCAN)
    scan = jpeg[start:-2]
    (tmp_path / "many.jpg").write_bytes(jpeg[:start] + scan * 8000 + jpeg[-2:])
    with pytest.raises(Unreadable, match="JPEG of 8,"):
        FolderFaces(str(tmp_path)).read(0, 16)
    with pytest.raises(Unreadable, match="JPEG of 8,"):
        FolderFaces(str(tmp_path)).picture(0)
