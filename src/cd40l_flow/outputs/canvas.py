"""A sheet of paper in CSS pixels: matplotlib's renderer puts the ink on it, words are laid over it as text of the page.

Axes and their ticks cost about 10 ms each and a report holds some eighty panels; lines placed by ourselves cost a
fiftieth, and words kept out of the picture stay sharp, searchable and small.
"""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Points = Sequence[tuple[float, float]] | NDArray[np.float64]
Dash = tuple[float, ...]
Box = tuple[float, float, float, float]
Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Label:
    """Words at a place, CSS pixels from the top left; ``style`` is a class of the style sheet.

    ``room`` is the width the words are squeezed into, or None where they fit as they are.
    """

    x: float
    y: float
    words: str
    style: str = "tick"
    anchor: str = "middle"
    room: float | None = None


@dataclass(frozen=True)
class Drawing:
    """A picture of ``width`` x ``height`` CSS pixels: ``image`` (a PNG) in ``box`` (x, y, width, height), labels."""

    width: float
    height: float
    image: bytes
    box: Box
    labels: tuple[Label, ...]

    @property
    def uri(self) -> str:
        """The image as a data URI."""
        return "data:image/png;base64," + base64.b64encode(self.image).decode("ascii")


def hex_rgb(colour: str) -> Colour:
    """Return red, green and blue, 0 to 255, of ``#rrggbb``."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mix(colour: str, other: str, share: float) -> Colour:
    """Return the colour that holds ``share`` (0 to 1) of ``other``."""
    pairs = zip(hex_rgb(colour), hex_rgb(other), strict=True)
    red, green, blue = (round(a + (b - a) * share) for a, b in pairs)
    return red, green, blue


def ramp(colour: str, ground: str = "#ffffff", steps: int = 4) -> list[Colour]:
    """Return the colours between ``ground`` and ``colour``, both included: what anti-aliasing makes of a line."""
    return [mix(ground, colour, step / (steps - 1)) for step in range(steps)]


class Canvas:
    """A drawing of ``width`` x ``height`` CSS pixels, origin bottom left, ``scale`` device pixels to each."""

    def __init__(self, width: int, height: int, scale: int = 2) -> None:
        from matplotlib.backends import backend_agg
        from matplotlib.transforms import Affine2D

        self.width, self.height, self.scale = width, height, scale
        # The renderer has no annotations. At this resolution a point, its unit of widths and dashes, is one CSS pixel.
        make: Any = backend_agg.RendererAgg
        self._renderer = make(width * scale, height * scale, 72 * scale)
        self._transform = Affine2D().scale(scale)
        self.area([(0, 0), (width, 0), (width, height), (0, height)], "#ffffff")

    def paper(self, pixels: Pixels) -> None:
        """Lay an image under the ink, (height, width, 3) in device pixels, first row on top."""
        opaque = np.full((*pixels.shape[:2], 4), 255, dtype=np.uint8)
        opaque[..., :3] = pixels[::-1]
        self._renderer.draw_image(self._renderer.new_gc(), 0, 0, opaque)

    def line(
        self, points: Points, colour: str, width: float = 1, dash: Dash | None = None, clip: Box | None = None
    ) -> None:
        """Draw a polyline; ``dash`` is on, off, ... and ``clip`` left, bottom, right, top, all in CSS pixels."""
        self._path(points, colour, None, width, dash, clip)

    def area(self, outline: Points, colour: str, clip: Box | None = None) -> None:
        """Fill a polygon."""
        self._path(outline, colour, colour, 0, None, clip)

    def _path(
        self, points: Points, colour: str, fill: str | None, width: float, dash: Dash | None, clip: Box | None
    ) -> None:
        from matplotlib.path import Path
        from matplotlib.transforms import Bbox

        context = self._renderer.new_gc()
        context.set_foreground(colour)
        context.set_linewidth(width)
        context.set_capstyle("butt")
        context.set_joinstyle("round")
        if dash is not None:
            context.set_dashes(0, list(dash))
        if clip is not None:
            context.set_clip_rectangle(Bbox.from_extents(*(edge * self.scale for edge in clip)))
        face = None if fill is None else tuple(part / 255 for part in hex_rgb(fill))
        self._renderer.draw_path(context, Path(np.asarray(points, dtype=np.float64)), self._transform, face)

    def pixels(self) -> Pixels:
        """Return the finished drawing, (height, width, 3) in device pixels, first row on top."""
        return np.asarray(self._renderer.buffer_rgba())[..., :3]


class Palette:
    """A fixed set of colours: every pixel becomes the nearest one, which makes a PNG small."""

    def __init__(self, colours: Sequence[Colour]) -> None:
        self.colours = np.unique(np.array(colours, dtype=np.int32), axis=0)
        if len(self.colours) > 256:
            raise ValueError(f"a PNG palette holds 256 colours, not {len(self.colours)}")
        # 5 bits a channel, each cell standing for its middle: small enough to fill once, fine enough to the eye.
        steps = np.arange(32, dtype=np.int32) * 8 + 4
        red, green, blue = (((steps[:, None] - self.colours[None, :, part]) ** 2) for part in range(3))
        distance = red[:, None, None] + green[None, :, None] + blue[None, None, :]
        self._nearest = distance.argmin(axis=3).astype(np.uint8).ravel()

    def png(self, pixels: Pixels) -> bytes:
        """Return ``pixels``, (height, width, 3), as the bytes of a PNG."""
        five = (pixels >> 3).astype(np.uint16)
        return encode_png(self._nearest[(five[..., 0] << 10) | (five[..., 1] << 5) | five[..., 2]], self.colours)


def encode_png(indices: Pixels, colours: NDArray[np.int32]) -> bytes:
    """Encode (height, width) palette indices as PNG.

    Two screen pixels show one bin, so every second row repeats the one above it. Written as a difference to it (filter
    2 of the PNG specification, section 9) such a row is all zeros; image libraries do not choose this for palettes.
    """
    height, width = indices.shape
    rows = np.zeros((height, width + 1), dtype=np.uint8)
    rows[:, 1:] = indices
    repeated = np.zeros(height, dtype=bool)
    repeated[1:] = (indices[1:] == indices[:-1]).all(axis=1)
    rows[repeated, 0] = 2
    rows[repeated, 1:] = 0
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", colours.astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 6)),
        (b"IEND", b""),
    )
    body = b"".join(struct.pack(">I", len(data)) + kind + data + _checksum(kind + data) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def _checksum(data: bytes) -> bytes:
    return struct.pack(">I", zlib.crc32(data))
