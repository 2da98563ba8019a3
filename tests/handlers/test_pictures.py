"""Figures of matplotlib and Plotly, and Pillow's images."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest
from matplotlib.figure import Figure
from PIL import Image

from findspot.handlers import (
    BadFiles,
    BadValue,
    PlainLoadFolder,
    PlainSaveFolder,
    SavedFigure,
    default_registry,
    round_trip,
)
from findspot.handlers.thumbnails import SIDE, png_size


@pytest.fixture
def figure() -> Figure:
    made = Figure(figsize=(4, 3))
    made.suptitle("Rescaled")
    axes = made.add_subplot()
    axes.plot([1, 2, 3], [1, 4, 9], label="squares")
    axes.set_title("Three ways")
    axes.legend()
    return made


def test_a_matplotlib_figure_is_loaded_as_its_pictures(figure: Figure, tmp_path: Path) -> None:
    handler = default_registry().for_value(figure)
    assert (handler.name, handler.kind) == ("matplotlib.figure", "plot")
    loaded = round_trip(figure, folder=tmp_path)
    assert isinstance(loaded, SavedFigure)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["figure.png", "figure.svg"]
    assert loaded._repr_png_() == loaded.png == (tmp_path / "figure.png").read_bytes()
    assert png_size(loaded.png) == (400, 300)
    assert loaded.svg is not None
    assert b"<svg" in loaded.svg
    assert handler.describe(figure) == {
        "width_inches": 4.0,
        "height_inches": 3.0,
        "axes": 1,
        "titles": ["Rescaled", "Three ways"],
    }
    shown = handler.preview(figure)
    assert shown is not None
    assert shown.media_type == "image/png"
    assert max(png_size(shown.data)) <= 2 * SIDE


def test_equal_figures_give_equal_bytes(figure: Figure) -> None:
    assert round_trip(figure) == round_trip(figure)


def test_the_resolution_can_be_chosen(figure: Figure) -> None:
    assert png_size(round_trip(figure, dpi=50).png) == (200, 150)


def test_a_figure_of_very_many_points_has_no_svg() -> None:
    figure = Figure()
    figure.add_subplot().plot(np.arange(60_000))
    assert round_trip(figure).svg is None


def test_a_saved_figure_is_written_to_files_and_saved_again(figure: Figure, tmp_path: Path) -> None:
    loaded = round_trip(figure)
    assert loaded.save(tmp_path / "a.PNG").read_bytes() == loaded.png
    assert loaded.save(str(tmp_path / "a.svg")).read_bytes() == loaded.svg
    with pytest.raises(BadValue, match=r"\.pdf"):
        loaded.save(tmp_path / "a.pdf")
    with pytest.raises(BadValue, match=r"\.svg"):
        SavedFigure(loaded.png).save(tmp_path / "b.svg")
    assert default_registry().for_value(loaded).name == "figure.saved"
    assert round_trip(loaded) == loaded
    assert round_trip(SavedFigure(loaded.png)) == SavedFigure(loaded.png)


def test_a_large_figure_has_a_small_preview() -> None:
    figure = Figure(figsize=(20, 10))
    figure.add_subplot().imshow(np.random.default_rng(0).random((100, 100)))
    handler = default_registry().for_value(figure)
    shown = handler.preview(figure)
    assert shown is not None
    assert png_size(shown.data) == (SIDE, SIDE // 2)


# --------------------------------------------------------------------------- Plotly


def test_a_plotly_figure_comes_back(tmp_path: Path) -> None:
    figure = go.Figure(
        [go.Scatter(x=np.arange(3), y=[1.5, None, 3], name="line"), go.Bar(y=[1, 2])],
        layout={"title": "Two traces"},
    )
    handler = default_registry().for_value(figure)
    assert (handler.name, handler.kind) == ("plotly.figure", "plot")
    loaded = round_trip(figure, folder=tmp_path, pictures=False)
    assert type(loaded) is go.Figure
    assert loaded == figure
    assert json.loads(loaded.to_json()) == json.loads(figure.to_json())
    assert handler.describe(figure) == {
        "traces": {"scatter": 1, "bar": 1},
        "title": "Two traces",
    }
    shown = handler.preview(figure)
    assert shown is not None
    assert shown.data.decode().splitlines() == ["Two traces", "scatter line", "bar"]


@pytest.mark.parametrize("data", [b"", b"[]", b'{"data": [{"type": "no such"}]}', b'{"data": 3}'])
def test_a_damaged_plotly_figure_gives_a_clear_error(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "figure.plotly.json").write_bytes(data)
    with pytest.raises(BadFiles, match=r"figure\.plotly\.json: it"):
        default_registry().by_name("plotly.figure").load(PlainLoadFolder(tmp_path))


# --------------------------------------------------------------------------- Pillow


def image_of(mode: str) -> Image.Image:
    rng = np.random.default_rng(0)
    image = Image.new(mode, (40, 30))
    if mode == "F":
        data = rng.normal(size=1200).astype("f4").tobytes()
    else:
        data = rng.integers(0, 255, len(image.tobytes()), dtype=np.uint8).tobytes()
    image.frombytes(data)
    if mode in ("P", "PA"):
        image.putpalette([*range(256)] * 3)
    return image


@pytest.mark.parametrize(
    "mode",
    [
        *(
            "1",
            "L",
            "LA",
            "P",
            "PA",
            "RGB",
            "RGBA",
            "RGBX",
            "CMYK",
            "YCbCr",
            "LAB",
            "HSV",
            "I",
            "F",
        ),
        *("I;16", "I;16B", "La", "RGBa"),
    ],
)
def test_images_of_every_mode_come_back_pixel_for_pixel(mode: str) -> None:
    image = image_of(mode)
    handler = default_registry().for_value(image)
    assert (handler.name, handler.kind) == ("pillow.image", "plot")
    loaded = round_trip(image)
    assert type(loaded) is Image.Image
    assert (loaded.mode, loaded.size) == (mode, (40, 30))
    assert loaded.tobytes() == image.tobytes()
    assert loaded.getpalette() == image.getpalette()
    assert handler.describe(image) == {"width": 40, "height": 30, "mode": mode}
    shown = handler.preview(image)
    assert shown is not None
    assert png_size(shown.data) == (40, 30)


def test_an_image_keeps_its_transparency_and_exif_data() -> None:
    image = image_of("P")
    image.info["transparency"] = 3
    exif = Image.Exif()
    exif[0x010E] = "a sherd"
    image.info["exif"] = exif.tobytes()
    loaded = round_trip(image)
    assert loaded.info["transparency"] == 3
    assert loaded.getexif()[0x010E] == "a sherd"


def test_an_opened_file_is_saved_as_its_pixels(tmp_path: Path) -> None:
    image_of("RGB").save(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        assert default_registry().for_value(image).name == "pillow.image"
        loaded = round_trip(image)
        assert loaded.tobytes() == image.tobytes()


def test_an_animation_is_refused(tmp_path: Path) -> None:
    frames = [Image.new("L", (4, 4), shade) for shade in (0, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    with Image.open(tmp_path / "a.gif") as image, pytest.raises(BadValue, match="2 frames"):
        round_trip(image)


def test_an_empty_image_comes_back() -> None:
    assert round_trip(Image.new("RGB", (0, 5))).size == (0, 5)


def test_large_images_have_small_previews() -> None:
    for mode in ("RGB", "F"):
        shown = default_registry().by_name("pillow.image").preview(Image.new(mode, (2000, 1000)))
        assert shown is not None
        assert png_size(shown.data) == (SIDE, SIDE // 2)


def test_equal_images_give_equal_bytes(tmp_path: Path) -> None:
    saved: list[Any] = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        round_trip(image_of("RGBA"), folder=tmp_path / name)
        saved.append(PlainSaveFolder(tmp_path / name).files())
    assert saved[0] == saved[1]


def test_damaged_images_give_a_clear_error(tmp_path: Path) -> None:
    sink = io.BytesIO()
    image_of("RGB").save(sink, "PNG")
    for data in (b"", b"no image", sink.getvalue()[:200]):
        (tmp_path / "image.png").write_bytes(data)
        with pytest.raises(BadFiles, match=r"image\.png"):
            default_registry().by_name("pillow.image").load(PlainLoadFolder(tmp_path))
