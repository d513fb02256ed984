"""Folders and archives of pictures: what is found, how it is decoded, what is refused."""

import io
import os
import pickle
import struct
import tarfile
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anime_dcgan.data import picture_files
from anime_dcgan.data.decoding import centre_square, fit
from anime_dcgan.data.folder import FolderFaces
from anime_dcgan.data.source import Unreadable
from anime_dcgan.system.errors import UserError

COLOUR = (200, 60, 20)


def encoded(image: Image.Image, format: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, format, **options)
    return stream.getvalue()


def plain(colour: tuple[int, int, int] = COLOUR, size: tuple[int, int] = (8, 8)) -> Image.Image:
    return Image.new("RGB", size, colour)


def quarters(size: int = 16) -> Image.Image:
    """Four quarters in four colours, so that each of the eight orientations looks different."""
    pixels = np.zeros((size, size, 3), np.uint8)
    half = size // 2
    pixels[:half, :half] = (255, 0, 0)
    pixels[:half, half:] = (0, 255, 0)
    pixels[half:, :half] = (0, 0, 255)
    pixels[half:, half:] = (255, 255, 0)
    return Image.fromarray(pixels)


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


def png_header(width: int, height: int) -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100))
    return b"\x89PNG\r\n\x1a\n" + part(b"IHDR", header) + part(b"IDAT", data) + part(b"IEND", b"")


def make_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def make_tar(path: Path, members: dict[str, bytes], mode: str) -> Path:
    with tarfile.open(path, mode) as archive:  # pyright: ignore[reportCallIssue, reportArgumentType]
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


@pytest.mark.parametrize(
    ("ending", "format", "options"),
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
def test_every_common_format(
    tmp_path: Path, ending: str, format: str, options: dict[str, object]
) -> None:
    pixels = read_one(tmp_path, f"face.{ending}", encoded(plain(), format, **options))
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
def test_every_mode(tmp_path: Path, data: bytes, expected: tuple[int, int, int]) -> None:
    pixels = read_one(tmp_path, "face.png", data)  # what is inside counts, not the ending
    assert np.abs(pixels.astype(int) - expected).max() <= 1


def test_integers_beyond_16_bits_are_stretched(tmp_path: Path) -> None:
    values = np.linspace(-100_000, 100_000, 64).reshape(8, 8).astype(np.int32)
    pixels = read_one(tmp_path, "face.tif", encoded(Image.fromarray(values), "TIFF"))
    assert pixels.min() == 0
    assert pixels.max() == 255
    assert (np.diff(pixels[..., 0].ravel().astype(int)) >= 0).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path: Path, orientation: int) -> None:
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


@pytest.mark.parametrize(("ending", "options"), [("gif", {}), ("webp", {"lossless": True})])
def test_first_frame_of_an_animation(
    tmp_path: Path, ending: str, options: dict[str, object]
) -> None:
    later = [plain((0, 0, 255)), plain((0, 255, 0))]
    data = encoded(plain(), ending.upper(), save_all=True, append_images=later, **options)
    assert (read_one(tmp_path, f"face.{ending}", data) == COLOUR).all()


def test_centre_square_is_kept(tmp_path: Path) -> None:
    wide = plain((0, 0, 255), (32, 8))
    wide.paste(quarters(8), (12, 0))
    np.testing.assert_array_equal(
        read_one(tmp_path, "face.png", encoded(wide)), np.asarray(quarters(8))
    )


def test_right_size_is_not_resampled(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    pixels = read_one(tmp_path, "face.png", encoded(Image.fromarray(noise)), image_size=16)
    np.testing.assert_array_equal(pixels, noise)


def test_shrinking_is_antialiased_and_enlarging_works(tmp_path: Path) -> None:
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    data = encoded(Image.fromarray(stripes))
    assert np.abs(read_one(tmp_path, "face.png", data).astype(int) - 127).max() <= 12
    assert (read_one(tmp_path, "face.png", encoded(plain()), image_size=64) == COLOUR).all()


def test_draft_of_a_large_jpeg_is_close_to_the_whole(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 800).astype(np.uint8)
    photo = Image.fromarray(
        np.stack([*np.meshgrid(ramp, ramp), np.full((800, 800), 90)], -1).astype(np.uint8)
    )
    data = encoded(photo, "JPEG", quality=95)
    whole = Image.open(io.BytesIO(data)).resize((16, 16), Image.Resampling.LANCZOS)
    pixels = read_one(tmp_path, "face.jpg", data, image_size=16)
    assert np.abs(pixels.astype(int) - np.asarray(whole)).max() <= 3


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("size", [(16, 16), (61, 47)])
def test_jpegs_have_the_pixels_that_pillow_gives_them(
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


def test_postscript_is_never_run(tmp_path: Path) -> None:
    data = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\nshowpage\n"
    assert reason(tmp_path, "face.png", data) == "not a picture in a known format"


@pytest.mark.parametrize("side", [100_000, 9_000])
def test_decompression_bombs_are_refused_by_their_header(tmp_path: Path, side: int) -> None:
    message = reason(tmp_path, "face.png", png_header(side, side))
    assert "limit" in message


def test_jpeg_whose_header_promises_too_much(tmp_path: Path) -> None:
    jpeg = encoded(plain(), "JPEG")
    size_at = jpeg.index(b"\xff\xc0") + 5
    data = jpeg[:size_at] + struct.pack(">HH", 9000, 9001) + jpeg[size_at + 4 :]
    message = reason(tmp_path, "face.jpg", data)
    assert message == "9001 x 9000 px is more than the limit of 64 Mi pixels"


def test_our_limit_holds_below_that_of_pillow(tmp_path: Path) -> None:
    message = reason(tmp_path, "face.png", png_header(8193, 8192))
    assert message == "8193 x 8192 px is more than the limit of 64 Mi pixels"


def test_file_that_is_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(picture_files, "MAX_FILE_BYTES", 50)
    assert "limit" in reason(tmp_path, "face.png", encoded(plain()))


def test_vanished_file_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "face.png").write_bytes(encoded(plain()))
    faces = FolderFaces(str(tmp_path))
    (tmp_path / "face.png").unlink()
    with pytest.raises(Unreadable, match="No such file"):
        faces.read(0, 8)


def test_nested_folder_names_and_order(tmp_path: Path) -> None:
    names = ["b.png", "a/2.JPEG", "a/10.png", "顔/アニメ.png", "лицо.webp", "a b/é.gif", "وجه.bmp"]
    junk = [".hidden.png", "._b.png", "__MACOSX/c.png", ".git/d.png", "notes.txt", "noending"]
    for name in names + junk:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(encoded(plain()))
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "dangling.png").symlink_to("nowhere")
    faces = FolderFaces(str(tmp_path))
    assert [faces.name(index) for index in range(len(faces))] == sorted(names)
    for index in range(len(faces)):
        assert faces.read(index, 8).getpixel((0, 0)) == COLOUR


@pytest.mark.skipif(os.name != "posix", reason="names are bytes on POSIX alone")
def test_name_that_is_not_utf_8(tmp_path: Path) -> None:
    raw = os.fsencode(tmp_path) + b"/\xff\xfe.png"
    Path(os.fsdecode(raw)).write_bytes(encoded(plain()))
    faces = FolderFaces(str(tmp_path))
    assert faces.read(0, 8).getpixel((0, 0)) == COLOUR
    assert faces.identity()["pictures"] == 1


def test_symlinks_are_followed_and_loops_end(tmp_path: Path) -> None:
    elsewhere, root = tmp_path / "elsewhere", tmp_path / "root"
    for place in (elsewhere, root / "inner"):
        place.mkdir(parents=True)
        (place / "face.png").write_bytes(encoded(plain()))
    (root / "linked").symlink_to(elsewhere)
    (root / "inner" / "up").symlink_to(root)
    (elsewhere / "back").symlink_to(root)
    (root / "self.png").symlink_to("self.png")
    faces = FolderFaces(str(root))
    assert [faces.name(index) for index in range(2)] == ["inner/face.png", "linked/face.png"]
    assert len(faces) == 2


ARCHIVES = [".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"]


def make_archive(path: Path, members: dict[str, bytes]) -> Path:
    if path.name.endswith(".zip"):
        return make_zip(path, members)
    compression = {".tgz": "gz", ".gz": "gz", ".bz2": "bz2", ".xz": "xz"}.get(path.suffix, "")
    return make_tar(path, members, f"w:{compression}")


@pytest.mark.parametrize("ending", ARCHIVES)
def test_archives(tmp_path: Path, ending: str) -> None:
    shades = {f"./deep/{'x' * number}顔{number}.png": number * 20 for number in range(10)}
    members = {name: encoded(plain((shade, 0, 0))) for name, shade in shades.items()}
    members |= {"__MACOSX/._a.png": b"junk", "deep/readme.txt": b"text", "deep/bad.png": b"bad"}
    faces = FolderFaces(str(make_archive(tmp_path / f"faces{ending}", members)))
    copy = pickle.loads(pickle.dumps(faces))
    names = [faces.name(index) for index in range(len(faces))]
    assert names == sorted([*shades, "deep/bad.png"])
    for index in reversed(range(len(faces))):
        for opened in (faces, copy):
            if names[index] in shades:
                expected = (shades[names[index]], 0, 0)
                assert opened.read(index, 8).getpixel((0, 0)) == expected
            else:
                with pytest.raises(Unreadable):
                    opened.read(index, 8)
    copy.close()
    faces.close()


def test_compressed_tar_leaves_no_temporary_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    path = make_archive(tmp_path / "faces.tar.gz", {"face.png": encoded(plain())})
    faces = FolderFaces(str(path))
    faces.identity()
    assert not list(temporary.iterdir())
    faces.read(0, 8)
    copy = pickle.loads(pickle.dumps(faces))
    assert len(list(temporary.iterdir())) == 1
    copy.close()
    del copy
    assert faces.read(0, 8).getpixel((0, 0)) == COLOUR
    del faces
    assert not list(temporary.iterdir())


@pytest.mark.parametrize("ending", [".tar", ".tar.gz"])
def test_hard_links_in_a_tar(tmp_path: Path, ending: str) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(encoded(plain()))
    (tmp_path / "in" / "b.png").hardlink_to(tmp_path / "in" / "a.png")
    path = tmp_path / f"faces{ending}"
    with tarfile.open(path, "w:gz" if ending == ".tar.gz" else "w") as archive:
        archive.add(tmp_path / "in", "in")
    faces = FolderFaces(str(path))
    assert [faces.read(index, 8).getpixel((0, 0)) for index in range(len(faces))] == [COLOUR] * 2
    faces.close()


@pytest.mark.parametrize("ending", [".zip", ".tar", ".tar.gz"])
def test_outward_names_are_only_names(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner, temporary = tmp_path / "inner", tmp_path / "temporary"
    inner.mkdir()
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    monkeypatch.chdir(inner)
    outward = ["../outside.png", f"{tmp_path}/absolute.png"]
    path = make_archive(inner / f"faces{ending}", dict.fromkeys(outward, encoded(plain())))
    faces = FolderFaces(str(path))
    assert [faces.read(index, 8).getpixel((0, 0)) for index in range(len(faces))] == [COLOUR] * 2
    faces.close()
    assert [found.name for found in tmp_path.rglob("*.png")] == []


@pytest.mark.parametrize("ending", ARCHIVES)
def test_members_that_are_too_large(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picture_files, "MAX_FILE_BYTES", 10_000)
    members = {"a.png": encoded(plain()), "bomb.png": bytes(10_001)}
    faces = FolderFaces(str(make_archive(tmp_path / f"faces{ending}", members)))
    faces.read(0, 8)
    with pytest.raises(Unreadable, match="10,001 bytes"):
        faces.read(1, 8)
    faces.close()


def test_zip_member_that_lies_about_its_size(tmp_path: Path) -> None:
    path = tmp_path / "faces.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(1_000_000))
    data = path.read_bytes().replace(struct.pack("<I", 1_000_000), struct.pack("<I", 100))
    path.write_bytes(data)
    faces = FolderFaces(str(path))
    with pytest.raises(Unreadable, match="CRC"):
        faces.read(0, 8)
    faces.close()


def test_encrypted_zip_member(tmp_path: Path) -> None:
    path = make_zip(tmp_path / "faces.zip", {"a.png": encoded(plain())})
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 8] |= 1
    data[data.index(b"PK\x03\x04") + 6] |= 1
    path.write_bytes(data)
    faces = FolderFaces(str(path))
    with pytest.raises(Unreadable, match="encrypted"):
        faces.read(0, 8)
    faces.close()


def user_error(path: object) -> str:
    with pytest.raises(UserError) as caught:
        len(FolderFaces(path))  # pyright: ignore[reportArgumentType]
    message = str(caught.value)
    assert "data.path=" in message
    assert message.count("\n") <= 1
    return message


@pytest.mark.parametrize("path", [None, "", "???"])
def test_no_path(path: str | None) -> None:
    assert "data.path=FOLDER" in user_error(path)


def test_paths_that_cannot_be_used(tmp_path: Path) -> None:
    assert "No such file" in user_error(str(tmp_path / "nowhere"))
    (tmp_path / "text.txt").write_text("text")
    assert "neither a folder nor a supported archive" in user_error(str(tmp_path / "text.txt"))
    assert "Not a directory" in user_error(str(tmp_path / "text.txt" / "below"))
    message = user_error(str(tmp_path))
    assert "holds no pictures" in message
    assert ".jpg" in message


@pytest.mark.parametrize("ending", ARCHIVES)
def test_archives_that_cannot_be_used(tmp_path: Path, ending: str) -> None:
    path = make_archive(tmp_path / f"faces{ending}", {"notes.txt": b"text"})
    assert "holds no pictures" in user_error(str(path))
    noise = np.random.default_rng(0).bytes(50_000)
    path = make_archive(tmp_path / f"cut{ending}", {"a.png": noise, "b.png": noise})
    path.write_bytes(path.read_bytes()[:30_000])
    assert "broken archive" in user_error(str(path))
    path.write_bytes(b"")
    assert "broken archive" in user_error(str(path))


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_zip(tmp_path / "faces.zip", {"a.png": encoded(plain())})

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("zipfile.ZipFile", refuse)
    assert "Permission denied" in user_error(str(path))
    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(UserError, match=r"cannot be listed \(Permission denied\)"):
        FolderFaces(str(tmp_path))


def test_identity_of_a_folder_follows_its_pictures(tmp_path: Path) -> None:
    def identity() -> dict[str, object]:
        return FolderFaces(str(tmp_path)).identity()

    (tmp_path / "a.png").write_bytes(encoded(plain()))
    seen = [identity()]
    assert identity() == seen[0]
    assert seen[0]["path"] == str(tmp_path.resolve())
    (tmp_path / "b.png").write_bytes(encoded(plain()))
    seen.append(identity())
    (tmp_path / "b.png").rename(tmp_path / "c.png")
    seen.append(identity())
    (tmp_path / "c.png").write_bytes(encoded(plain(size=(9, 9))))
    seen.append(identity())
    os.utime(tmp_path / "c.png", ns=(1, 1))
    seen.append(identity())
    for index, one in enumerate(seen):
        assert one not in seen[:index]
    (tmp_path / "notes.txt").write_text("text")
    assert identity() == seen[-1]


@pytest.mark.parametrize("ending", [".zip", ".tar.gz"])
def test_identity_of_an_archive_follows_the_file(tmp_path: Path, ending: str) -> None:
    path = make_archive(tmp_path / f"faces{ending}", {"a.png": encoded(plain())})
    faces = FolderFaces(str(path))
    os.utime(path, ns=(1, 1))
    later = FolderFaces(str(path))
    assert faces.identity() != later.identity()
    faces.close()
    later.close()
