"""What the pixels of picture files are, held against Pillow, scikit-image and NumPy."""

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms, ImageOps
from skimage import color

from course_lib.data import own
from course_lib.data.own import picture_sets, pixels
from course_lib.errors import CourseError
from tests.own_pictures import picture, save


def values(file):
    """Rows, columns, colours, in 0 … 255."""
    return picture_sets.load(file).transpose(1, 2, 0) * 255


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
def test_pictures_are_turned_upright_as_pillow_turns_them(tmp_path, orientation, ending):
    exif = Image.Exif()
    exif[0x0112] = orientation
    tags = {"tiffinfo": {274: orientation}} if ending == "tif" else {"exif": exif.tobytes()}
    file = save(tmp_path / f"a.{ending}", picture(), **tags)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(file)))
    assert np.allclose(values(file), upright, atol=1e-3)


def test_a_given_size_says_whether_the_turn_is_wanted(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = save(tmp_path / "a.png", picture(height=40, width=60), exif=exif.tobytes())
    assert pixels.decoded(file).values.shape[:2] == (60, 40)
    assert pixels.decoded(file, (40, 60)).values.shape[:2] == (60, 40)
    assert np.array_equal(pixels.decoded(file, (60, 40)).values, picture(height=40, width=60))
    with pytest.raises(
        CourseError, match=r"a\.png is 40 x 60 pixels \(60 x 40 as stored\).*50 x 9"
    ):
        pixels.decoded(file, (50, 9))


@pytest.mark.parametrize(("mode", "ending"), [("CMYK", "jpg"), ("CMYK", "tif"), ("YCbCr", "tif")])
def test_colours_of_print_and_film_are_converted(tmp_path, mode, ending):
    bright = np.full((16, 16, 3), 20, np.uint8)
    bright[4:12, 4:12] = (235, 200, 90)
    file = tmp_path / f"a.{ending}"
    Image.fromarray(bright).convert(mode).save(file, **({"quality": 98} if ending == "jpg" else {}))
    found = values(file)
    assert found[8, 8] == pytest.approx([235, 200, 90], abs=6)
    assert found[0, 0] == pytest.approx([20, 20, 20], abs=6)
    assert (
        picture_sets.opened([file]).notes
        == (f"1 of 1 pictures: {mode} converted to red, green and blue",)
        or ending == "tif"
    )


def test_lab_is_converted_as_scikit_image_converts_it(tmp_path):
    soft = np.full((8, 8, 3), (150, 110, 90), np.uint8)
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(Image.fromarray(soft), *profiles, outputMode="LAB")
    lab.save(tmp_path / "a.tif")
    stored = np.asarray(lab).astype(float)
    about = np.stack([stored[..., 0] * 100 / 255, *(stored[..., 1:].astype(np.uint8).view(np.int8)
                      .astype(float).transpose(2, 0, 1))], -1)  # fmt: skip
    assert np.allclose(values(tmp_path / "a.tif"), 255 * color.lab2rgb(about), atol=4)


@pytest.mark.parametrize(
    ("array", "white"),
    [
        (np.array([[0, 3000], [100, 4095]], np.uint16), 4095),
        (np.array([[0, 60000], [100, 4095]], np.uint16), 65535),
        (np.array([[0, 900], [100, 409]], np.uint32), 1023),
        (np.array([[0, 250], [100, 40]], np.int64), 255),
    ],
)
def test_deep_pictures_are_divided_by_the_white_of_their_depth(tmp_path, array, white):
    tifffile.imwrite(tmp_path / "a.tif", array)
    found = picture_sets.opened([tmp_path / "a.tif"])
    assert np.allclose(found.pictures[0][0], array / white)
    assert found.notes == (f"1 pictures deeper than 8 bits: {white} is white",)


@pytest.mark.parametrize("kind", [np.int16, np.int8, np.float32, np.float64, np.int32])
def test_what_is_below_zero_or_beyond_runs_from_the_sets_smallest_to_its_largest(tmp_path, kind):
    first, second = np.array([[-50, 100], [0, 1]], kind), np.array([[0, 70], [5, 6]], kind)
    for name, array in (("a", first), ("b", second)):
        tifffile.imwrite(tmp_path / f"{name}.tif", array)
    found = picture_sets.opened([tmp_path / "a.tif", tmp_path / "b.tif"])
    assert np.allclose(found.pictures[0][0, :1], [[0, 1]])
    assert np.allclose(found.pictures[1][0, :1], [[50 / 150, 120 / 150]])  # one scale for the set
    assert "-50 is black and 100 white" in found.notes[0]


def test_parts_of_one_stay_and_nan_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.array([[0.25, 1.0]], np.float32))
    assert np.allclose(picture_sets.load(tmp_path / "a.tif"), [[[0.25, 1.0]]])
    tifffile.imwrite(tmp_path / "b.tif", np.array([[0.25, np.nan]], np.float32))
    with pytest.raises(CourseError, match=r"b\.tif holds NaN"):
        picture_sets.load(tmp_path / "b.tif")


def test_palettes_bits_and_alpha(tmp_path):
    colours = picture()
    few = Image.fromarray(colours).quantize(8)
    few.save(tmp_path / "palette.png")
    assert np.allclose(values(tmp_path / "palette.png"), np.asarray(few.convert("RGB")))
    grey = Image.fromarray(picture(colours=False)).convert("P")
    grey.save(tmp_path / "grey.gif")
    assert picture_sets.load(tmp_path / "grey.gif").shape == (1, 40, 60)
    Image.fromarray(colours[..., 0] > 30).save(tmp_path / "bit.png")
    assert set(np.unique(values(tmp_path / "bit.png"))) == {0, 255}
    for mode in ("RGBA", "LA"):
        Image.fromarray(colours).convert(mode).save(tmp_path / f"{mode}.png")
    assert np.allclose(values(tmp_path / "RGBA.png"), colours)
    assert picture_sets.load(tmp_path / "LA.png").shape == (1, 40, 60)


@pytest.mark.parametrize("ending", ["gif", "tif", "png"])
def test_films_and_stacks_are_refused_by_name(tmp_path, ending):
    frames = [Image.fromarray(picture(k)) for k in range(3)]
    frames[0].save(tmp_path / f"film.{ending}", save_all=True, append_images=frames[1:])
    with pytest.raises(CourseError, match=rf"film\.{ending} holds 3 pictures"):
        picture_sets.load(tmp_path / f"film.{ending}")


def test_a_preview_behind_the_picture_is_passed_over_and_said(tmp_path):
    big, small = Image.fromarray(picture()), Image.fromarray(picture(1, 10, 15))
    big.save(tmp_path / "a.tif", save_all=True, append_images=[small])
    found = picture_sets.opened([tmp_path / "a.tif"])
    assert np.allclose(found.pictures[0].transpose(1, 2, 0) * 255, picture())
    assert "only the first picture" in found.notes[0]


def test_what_systems_leave_behind_is_passed_over_and_all_that_is_broken_is_named(tmp_path):
    for k in range(4):
        save(tmp_path / f"s{k}.png", picture(k))
        (tmp_path / f"._s{k}.png").write_bytes(b"\x00\x05\x16\x07Mac OS X")
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    (tmp_path / ".DS_Store").write_bytes(b"x")
    assert own.read(f"path:{tmp_path}").names == ("s0", "s1", "s2", "s3")
    whole = (tmp_path / "s0.png").read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.jpg").write_text("no picture")
    with pytest.raises(CourseError, match=r"2 faults.*cut\.png.*text\.jpg.*--skip"):
        own.read(f"path:{tmp_path}")
    found = own.read(f"path:{tmp_path}?skip=yes")
    assert len(found.images) == 4 and {each.name for each in found.left_out} == {
        "cut.png",
        "text.jpg",
    }


def test_pictures_are_grey_and_named_by_their_files(tmp_path):
    for folder in ("x", "y"):
        save(tmp_path / folder / "a.png", picture())
    found = own.read(f"path:{tmp_path}")
    assert found.names == ("x/a", "y/a")
    assert np.allclose(found.images[0], picture().mean(2) / 255, atol=1e-6)


@pytest.mark.parametrize(("content", "why"), [(b"", "it is empty"), (b"hello", "is no picture")])
def test_files_that_are_no_pictures_say_so_plainly(tmp_path, content, why):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(CourseError, match=rf"a\.png cannot be read as a picture: .*{why}\.$"):
        picture_sets.load(tmp_path / "a.png")
