"""Numbers, axes, pictures and lines as reports show them."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest

from cd40l_flow.figures.binned import readable_ticks
from cd40l_flow.figures.drawing import polyline, staircase
from cd40l_flow.figures.png import encode_png
from cd40l_flow.result.numbers import format_against, format_interval, format_limit, format_measure, format_unit


@pytest.mark.parametrize(
    ("measure", "value", "text"),
    [
        ("percent_positive", 92.04, "92.0\u202f%"),
        ("percent_positive", 0.031, "0.03\u202f%"),
        ("percent_positive", -0.4, "−0.40\u202f%"),
        ("negative_fraction", 0.482, "48.2\u202f%"),
        ("mfi_ratio", 0.9712, "0.97"),
        ("relative_positive", 0.0001, "<0.01"),
        ("mfi_positive", 9120.4, "9,120"),
        ("mfi_positive", -12.34, "−12.3"),
        ("dip_p", 0.00002, "<0.001"),
        ("events", 2810, "2,810"),
        ("some_new_percent", 12.0, "12.0\u202f%"),
        ("separation", None, "not computed"),
    ],
)
def test_numbers_have_a_unit_and_sensible_digits(measure: str, value: float | None, text: str) -> None:
    assert format_measure(measure, value) == text


def test_a_number_is_distinguished_from_its_limit() -> None:
    assert format_against("level", 0.4996, 0.5) == "0.4996"
    assert format_against("positive_fraction", 0.6999, 0.7) == "69.99\u202f%"
    assert format_against("level", 0.43, 0.5) == "0.43"
    assert format_against("level", 0.5, 0.5) == "0.50"
    assert format_limit("positive_high", 0.1) == "10\u202f%"
    assert format_unit("channel value", 4183.2, limit=True) == "4,183\u202fchannel value"
    assert format_unit("h", 6.0) == "6\u202fh"
    interval = {"negative_fraction_low": 0.004, "negative_fraction_high": 0.021}
    assert format_interval("negative_fraction", interval) == "0.40 to 2.10\u202f%"


def test_labels_of_an_axis_do_not_touch_and_stay_inside() -> None:
    ticks = [(fraction, f"{fraction * 200:g}k") for fraction in (0.0, 0.25, 0.5, 0.75, 1.0)]
    chosen = readable_ticks(ticks, 0.05)

    assert [fraction for fraction, _, _ in chosen] == [1.0, 0.5, 0.25, 0.0]
    assert chosen[0][1] < 1.0


@pytest.mark.parametrize(("colours", "width"), [(3, 4), (3, 5), (16, 7), (17, 6), (256, 9)])
def test_a_png_is_what_another_program_reads(colours: int, width: int) -> None:
    """Four or eight bits a pixel, odd widths, rows that repeat: Pillow reads the colours that were put in."""
    from PIL import Image

    random = np.random.default_rng(colours)
    palette = random.permutation(256 * 3).reshape(-1, 3)[:colours].astype(np.int32) % 256
    indices = np.repeat(random.integers(0, colours, (4, width)), 2, axis=0).astype(np.uint8)

    picture = Image.open(io.BytesIO(encode_png(indices, palette))).convert("RGB")

    assert np.array_equal(np.asarray(picture), palette[indices])


def test_a_palette_too_large_for_a_png_is_refused() -> None:
    with pytest.raises(ValueError, match="256 colours, not 257"):
        encode_png(np.zeros((1, 1), dtype=np.uint8), np.zeros((257, 3), dtype=np.int32))


def _followed(path: str) -> list[tuple[float, float]]:
    """Return the corners of an SVG path of the commands M, l, h and v."""
    places: list[tuple[float, float]] = []
    x = y = 0.0
    for command, text in re.findall(r"([Mlhv])([^Mlhv]*)", path):
        numbers = [float(number) for number in re.findall(r"-?(?:\d+\.?\d*|\.\d+)", text)]
        if command == "h":
            x += numbers[0]
        elif command == "v":
            y += numbers[0]
        for across, down in zip(numbers[::2], numbers[1::2], strict=True) if command in "Ml" else ():
            x, y = (across, down) if command == "M" else (x + across, y + down)
            if command == "M":
                places.append((x, y))
                continue
            places.append((x, y))
        if command in "hv":
            places.append((x, y))
    return places


def test_a_polyline_goes_through_its_points_and_leaves_gaps() -> None:
    """Relative steps do not add up their rounding; a point that is not known parts the line."""
    random = np.random.default_rng(5)
    points = random.uniform(-50, 500, (400, 2))

    assert np.allclose(_followed(polyline(points)), points, atol=0.051)
    points[200] = np.nan
    assert polyline(points).count("M") == 2


def test_a_staircase_is_the_outline_of_a_histogram() -> None:
    heights = np.array([30.0, 12.5, 12.5, 40.0])

    corners = _followed(staircase(heights, 100.0, 40.0))

    assert corners[0] == (0.0, 40.0)
    assert np.allclose(corners[-1], (100.0, 40.0))
    assert {(0.0, 30.0), (25.0, 30.0), (25.0, 12.5), (75.0, 12.5), (75.0, 40.0)} <= {
        (round(x, 1), round(y, 1)) for x, y in corners
    }
