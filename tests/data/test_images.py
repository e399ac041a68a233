"""Pictures of every kind become the same upright RGB, or a reason."""

from __future__ import annotations

import io
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from data_helpers import encoded, picture
from PIL import Image, ImageFile, ImageSequence

from clipgrip.data.images import UndecodableImage, check_signature, decode, quick_check
from clipgrip.data.issues import REASONS
from clipgrip.data.sources import BytesSource
from clipgrip.errors import DataError
from clipgrip_line.pictures.pixels import orientation, to_rgb

LOSSLESS = ["PNG", "BMP", "TIFF", "PPM", "GIF"]


@pytest.mark.parametrize("kind", [*LOSSLESS, "JPEG", "WEBP", "JPEG2000"])
def test_each_format_is_read(kind: str) -> None:
    data = encoded(picture(), kind)
    assert decode(data).mode == "RGB"
    assert decode(data).size == quick_check(data) == (8, 6)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_lossless_formats_keep_each_pixel(kind: str) -> None:
    assert np.array_equal(decode(encoded(picture(), kind)), picture())


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_all_eight_orientations_give_the_same_picture(kind: str, turn: int) -> None:
    upright = Image.new("RGB", (32, 16))
    upright.paste((255, 0, 0), (0, 0, 16, 8))
    upright.paste((0, 255, 0), (16, 8, 32, 16))
    undo = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270, 5: 5, 7: 6, 2: 0, 4: 1}
    undo |= {3: Image.Transpose.ROTATE_180}
    stored = upright.transpose(Image.Transpose(undo[turn])) if turn > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = turn
    options = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    options |= {"lossless": True} if kind == "WEBP" else {}
    got = decode(encoded(stored, kind, exif=exif, **options))
    difference = np.asarray(got, np.int16) - np.asarray(upright, np.int16)
    assert got.size == upright.size
    assert abs(difference).max() <= (3 if kind == "JPEG" else 0)


@pytest.mark.parametrize(
    "exif", [b"", b"II*\0", b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"II*\0\xff\xff\xff\xff", b"junk"]
)
def test_a_damaged_exif_block_means_upright(exif: bytes) -> None:
    assert orientation(exif) == 1


def test_transparency_lies_on_white() -> None:
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert decode(encoded(clear)).getpixel((0, 0)) == (255, 255, 255)
    half = decode(encoded(Image.new("RGBA", (4, 4), (255, 0, 0, 128)))).getpixel((0, 0))
    assert half == (255, 127, 127)
    grey = Image.new("LA", (4, 4), (0, 0))
    assert decode(encoded(grey)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize("mode", ["P", "L", "RGB", "1"])
def test_a_transparent_colour_lies_on_white(mode: str) -> None:
    image = Image.new(mode, (4, 4), 0)
    key = (0, 0, 0) if mode == "RGB" else 0
    assert decode(encoded(image, transparency=key)).getpixel((1, 1)) == (255, 255, 255)
    palette = picture(mode="P")
    decode(encoded(palette, transparency=bytes(range(256))))


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr"])
def test_other_colour_modes_are_read(mode: str) -> None:
    kind = "JPEG" if mode in ("CMYK", "YCbCr") else "PNG"
    grey = Image.new("L", (16, 16), 255).convert("RGB").convert(mode)
    pixel = decode(encoded(grey, kind)).getpixel((8, 8))
    assert isinstance(pixel, tuple)
    assert min(pixel) >= 254


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    values = np.array([[0, 256, 32768, 65535]], np.uint16)
    data = BytesSource.of(values).read()
    assert np.asarray(decode(data))[0, :, 0].tolist() == [0, 1, 128, 255]
    tiff = encoded(Image.fromarray(values), "TIFF")
    assert np.array_equal(decode(tiff), decode(data))


def test_twelve_bits_in_sixteen_use_the_whole_range() -> None:
    data = BytesSource.of(np.array([[0, 2048, 4095]], np.uint16)).read()
    assert np.asarray(decode(data))[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([[0.0, 0.5, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[0.0, 128.0, 255.0]], np.float32), [0, 128, 255]),
        (np.array([[-1.0, 0.0, 1.0]], np.float32), [0, 128, 255]),
        (np.array([[np.nan, 0.0, 1.0]], np.float32), [0, 0, 255]),
        (np.array([[np.nan, 500.0, 1000.0]], np.float32), [0, 0, 255]),
        (np.array([[-np.inf, 0.5, 1.0, np.inf]], np.float32), [128, 128, 255, 255]),
        (np.array([[-500, 0, 500]], np.int32), [0, 128, 255]),
        (np.array([[0, 100000, 200000]], np.int32), [0, 128, 255]),
        (np.array([[7, 7, 7]], np.int32), [0, 0, 0]),
    ],
)
def test_floats_and_wide_integers_find_their_range(values: np.ndarray, expected: list[int]) -> None:
    assert np.asarray(to_rgb(Image.fromarray(values)))[0, :, 1].tolist() == expected


def test_a_picture_without_a_single_number_is_refused() -> None:
    data = encoded(Image.fromarray(np.full((4, 4), np.nan, np.float32)), "TIFF")
    with pytest.raises(UndecodableImage, match="none of its values is a number"):
        decode(data)


def test_of_an_animation_the_first_picture_is_used() -> None:
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert len(list(ImageSequence.Iterator(Image.open(io.BytesIO(data))))) == 2
    assert decode(data).getpixel((0, 0)) == (255, 0, 0)


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_of_size(width: int, height: int) -> bytes:
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    line = zlib.compress(bytes(1 + (width + 7) // 8) * min(height, 2000), 9)
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", line) + chunk(b"IEND", b"")


def gif_of_frames(number: int) -> bytes:
    one = encoded(Image.new("L", (500, 500)), "GIF")
    start = one.index(b"\x2c")
    return one[:start] + one[start:-1] * number + b";"


def tiff_of_pages(number: int) -> bytes:
    """Pages of one white 8 x 8 picture, chained by hand, as Pillow needs a minute for so many."""
    values = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 8, 279: 64}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items())
    size = 2 + len(entries) + 4
    pages = [
        struct.pack("<H", len(values)) + entries + struct.pack("<I", 72 + size * following)
        for following in range(1, number)
    ]
    last = struct.pack("<H", len(values)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 72) + b"\xff" * 64 + b"".join(pages) + last


def test_a_huge_picture_is_refused_by_its_header(monkeypatch: pytest.MonkeyPatch) -> None:
    pixels_read = list[tuple[int, int]]()
    load = ImageFile.ImageFile.load

    def watched(image: ImageFile.ImageFile) -> object:
        pixels_read.append(image.size)
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", watched)
    for check in (quick_check, decode):
        with pytest.raises(UndecodableImage, match="30000 x 30000") as error:
            check(png_of_size(30000, 30000))
        assert error.value.reason == "too-large"
    assert pixels_read == []
    decode(png_of_size(300, 300))
    assert set(pixels_read) == {(300, 300)}


def test_thousands_of_frames_or_pages_cost_nothing() -> None:
    bombs = gif_of_frames(5000), tiff_of_pages(10_000)
    start = time.thread_time()
    for data in bombs:
        quick_check(data)
        decode(data)
    assert time.thread_time() - start < 1


def test_a_picture_between_pillows_warning_and_the_limit_is_read() -> None:
    data = encoded(Image.new("1", (10_000, 10_000)))
    assert decode(data).size == (10_000, 10_000)


@pytest.mark.parametrize(
    ("data", "reason", "words"),
    [
        (b"", "empty-file", "no content"),
        (b"hello, world", "not-an-image", "JPEG, PNG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "not-an-image", "not one of"),
        (b"\xff\xd8\xff", "corrupt", "damaged or cut off"),
        (b"\x89PNG\r\n\x1a\n", "corrupt", "damaged or cut off"),
        (b"P5\n0 0\n255\n", "corrupt", "0 x 0 pixels|damaged"),
        (encoded(picture(size=(64, 64)))[:-300], "corrupt", "damaged or cut off"),
        (encoded(picture(size=(64, 64)), "JPEG")[:-300], "corrupt", "damaged or cut off"),
    ],
)
def test_what_cannot_be_used_has_a_reason(data: bytes, reason: str, words: str) -> None:
    with pytest.raises(UndecodableImage, match=words) as error:
        decode(data)
    assert error.value.reason == reason
    assert reason in REASONS
    assert isinstance(error.value, DataError)


@pytest.mark.parametrize("brands", [b"heic", b"mif1\0\0\0\0mif1heic", b"hevc", b"msf1"])
def test_heic_without_its_package_says_what_to_install(
    brands: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(UndecodableImage, match=r"HEIC.*pip install pillow-heif.*convert") as error:
        decode((8 + len(brands)).to_bytes(4) + b"ftyp" + brands + bytes(50))
    assert error.value.reason == "not-an-image"


def test_the_signature_tells_an_image_from_other_files() -> None:
    check_signature(encoded(picture())[:32])
    with pytest.raises(UndecodableImage):
        check_signature(b"PK\x03\x04")


def test_memory_that_runs_out_means_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", explode)
    with pytest.raises(UndecodableImage) as error:
        decode(encoded(picture()))
    assert error.value.reason == "too-large"


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F", "HSV"])
def test_a_pillow_image_becomes_bytes_and_back(mode: str) -> None:
    image = picture(mode="L").convert(mode) if mode in ("I;16", "F") else picture(mode=mode)
    got = decode(BytesSource.of(image).read())
    expected = to_rgb(picture(mode="L") if mode in ("I;16", "F") else image)
    if mode not in ("I;16", "F"):
        assert np.array_equal(got, expected)
    assert got.size == image.size


def test_an_orientation_noted_in_a_pillow_image_is_kept() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    opened = Image.open(io.BytesIO(encoded(picture(), "JPEG", exif=exif)))
    assert decode(BytesSource.of(opened).read()).size == (6, 8)


def test_arrays_of_other_shapes_and_types_are_refused() -> None:
    pixels = np.zeros((4, 5, 3), np.uint8)
    assert decode(BytesSource.of(pixels).read()).size == (5, 4)
    for wrong in (pixels[..., :2], pixels.astype(float), pixels[0, 0], pixels[:0]):
        with pytest.raises(DataError, match="an image array has shape"):
            BytesSource.of(wrong)


def test_threads_decode_at_the_same_time() -> None:
    data = [encoded(picture(seed, (200, 200)), "JPEG") for seed in range(8)]
    expected = [np.asarray(decode(item)) for item in data]
    wrong: list[int] = []

    def work(number: int) -> None:
        same = all(np.array_equal(decode(data[number]), expected[number]) for _ in range(20))
        wrong.extend([] if same else [number])

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_jpeg_for_the_eye_comes_smaller_but_never_too_small() -> None:
    out = io.BytesIO()
    Image.new("RGB", (1200, 900), "red").save(out, "JPEG")
    assert decode(out.getvalue()).size == (1200, 900)
    assert decode(out.getvalue(), at_least=200).size == (300, 225)
    assert decode(out.getvalue(), at_least=5000).size == (1200, 900)
