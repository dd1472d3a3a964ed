"""Soft shapes on a picture: splines, tapered strokes, blobs, and laying colour through a mask."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Canvas", "Mask", "spline"]

Plane = NDArray[np.float32]
Points = NDArray[np.float64]
_SHIFT = 4


@lru_cache(maxsize=64)
def _weights(n: int, closed: bool, per_piece: int) -> Points:
    """Catmull-Rom weights: curve = weights @ control points."""
    t = np.arange(per_piece) / per_piece
    basis = 0.5 * np.stack(
        [-t + 2 * t**2 - t**3, 2 - 5 * t**2 + 3 * t**3, t + 4 * t**2 - 3 * t**3, t**3 - t**2]
    )
    pieces = n if closed else n - 1
    weights = np.zeros((pieces * per_piece + (not closed), n))
    for piece in range(pieces):
        for k in range(4):
            i = piece - 1 + k
            i = i % n if closed else min(max(i, 0), n - 1)
            weights[piece * per_piece : (piece + 1) * per_piece, i] += basis[k]
    if not closed:
        weights[-1, -1] = 1
    return weights


def spline(points: ArrayLike, *, closed: bool = False, per_piece: int = 6) -> Points:
    """Smooth curve (m, 2) through control points (n, 2)."""
    points = np.asarray(points, dtype=float)
    return np.asarray(_weights(len(points), closed, per_piece) @ points)


@dataclass(eq=False, slots=True)
class Mask:
    """Amounts 0-1 in a window of a picture, zero outside: most shapes are small and the picture is not."""

    values: Plane
    top: int
    left: int

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the picture."""
        h, w = self.values.shape
        return slice(self.top, self.top + h), slice(self.left, self.left + w)

    def __mul__(self, other: Mask | Plane | float) -> Mask:
        """Mask of a mask, of a full-size plane, or by a number."""
        if isinstance(other, Mask):
            top, left = max(self.top, other.top), max(self.left, other.left)
            bottom = max(top, min(self.window[0].stop, other.window[0].stop))
            right = max(left, min(self.window[1].stop, other.window[1].stop))
            a, b = (
                m.values[top - m.top : bottom - m.top, left - m.left : right - m.left] for m in (self, other)
            )
            return Mask(a * b, top, left)
        if isinstance(other, np.ndarray):
            return Mask(self.values * other[self.window], self.top, self.left)
        return Mask(self.values * np.float32(other), self.top, self.left)


class Canvas:
    """A float32 picture with its own coordinates.

    Parameters
    ----------
    planes : (c, h, w) float32 array
        Painted in place; 0-255. Three planes are RGB; a fourth is alpha, with RGB premultiplied.
    x0, y0 : float
        Coordinates of the picture's upper left corner.
    scale : float
        Pixels per unit.
    """

    def __init__(self, planes: Plane, x0: float, y0: float, scale: float) -> None:
        self.planes, self.x0, self.y0, self.scale = planes, x0, y0, scale
        self._origin = np.array([x0, y0]) + 0.5 / scale

    def full(self, mask: Mask) -> Plane:
        """The mask as a plane of the whole picture."""
        plane = np.zeros(self.planes.shape[1:], np.float32)
        plane[mask.window] = mask.values
        return plane

    def _window(self, x0: float, y0: float, x1: float, y1: float, margin: float) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of a box (in pixels) grown by a margin, cut to the picture."""
        h, w = self.planes.shape[1:]
        left, top = min(max(int(x0 - margin), 0), w - 1), min(max(int(y0 - margin), 0), h - 1)
        return (
            left,
            top,
            min(max(int(x1 + margin) + 2, left + 1), w),
            min(max(int(y1 + margin) + 2, top + 1), h),
        )

    def polygons(self, outlines: list[Points], blur: float = 0.0) -> Mask:
        """Union of filled outlines; `blur` is the Gaussian's standard deviation in units."""
        fine = self.scale * 2**_SHIFT
        joined = outlines[0] if len(outlines) == 1 else np.concatenate(outlines)
        fixed = np.rint((joined - self._origin) * fine).astype(np.int32)
        x, y, w, h = cv2.boundingRect(fixed)
        corners = (x / 2**_SHIFT, y / 2**_SHIFT, (x + w) / 2**_SHIFT, (y + h) / 2**_SHIFT)
        left, top, right, bottom = self._window(*corners, 3 * blur * self.scale + 1)
        mask = np.zeros((bottom - top, right - left), np.uint8)
        fixed -= np.array([left, top], np.int32) * 2**_SHIFT
        start = 0
        for outline in outlines:
            # One by one: together, overlapping shapes would cancel out.
            stop = start + len(outline)
            cv2.fillPoly(mask, [fixed[start:stop]], 255, cv2.LINE_AA, _SHIFT)
            start = stop
        soft = np.multiply(mask, np.float32(1 / 255), dtype=np.float32)
        if blur * self.scale > 0.4:  # edges are anti-aliased anyway
            side = 2 * int(2.5 * blur * self.scale + 0.9) + 1  # cv2 itself would reach out to 4 sigma
            soft = cv2.GaussianBlur(soft, (side, side), blur * self.scale, borderType=cv2.BORDER_REPLICATE)
        return Mask(soft, top, left)

    def polygon(self, outline: ArrayLike, blur: float = 0.0) -> Mask:
        """One filled outline (n, 2)."""
        return self.polygons([np.asarray(outline, dtype=float)], blur)

    def strokes(
        self,
        curves: list[Points],
        width: float,
        blur: float = 0.0,
        *,
        taper: tuple[float, float] = (0.0, 0.0),
    ) -> Mask:
        """Union of strokes along curves, `width` units in the middle, `taper` of it at the two ends."""
        return self.polygons([_ribbon(curve, width, taper) for curve in curves], blur)

    def stroke(
        self, points: ArrayLike, width: float, blur: float = 0.0, *, taper: tuple[float, float] = (0.0, 0.0)
    ) -> Mask:
        """A stroke along the spline through `points`."""
        return self.strokes([spline(points)], width, blur, taper=taper)

    def blob(self, x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> Mask:
        """Gaussian spot with standard deviations rx, ry units, turned by `angle` radians; peak 1."""
        cx, cy = ((np.array([x, y]) - self._origin) * self.scale).tolist()
        rx, ry = rx * self.scale, ry * self.scale
        reach = 3.2 * (max(rx, ry) if angle else 1)
        wide, high = (reach, reach) if angle else (reach * rx, reach * ry)
        left, top, right, bottom = self._window(cx - wide, cy - high, cx + wide, cy + high, 0)
        dx = np.arange(left, right, dtype=np.float32) - np.float32(cx)
        dy = np.arange(top, bottom, dtype=np.float32) - np.float32(cy)
        if not angle:
            return Mask(np.outer(np.exp(-0.5 * (dy / ry) ** 2), np.exp(-0.5 * (dx / rx) ** 2)), top, left)
        c, s = np.float32(np.cos(angle)), np.float32(np.sin(angle))
        along, across = c * dx + s * dy[:, None], c * dy[:, None] - s * dx
        return Mask(np.exp(-0.5 * ((along / rx) ** 2 + (across / ry) ** 2)), top, left)

    def ellipse(self, x: float, y: float, rx: float, ry: float, blur: float = 0.0) -> Mask:
        """Filled ellipse."""
        return self.polygons([_CIRCLE * (rx, ry) + (x, y)], blur)

    def discs(self, centres: Points, radius: float, blur: float = 0.0) -> Mask:
        """Filled discs of one size around `centres` (n, 2)."""
        return self.polygons([_CIRCLE * radius + centre for centre in centres], blur)

    def lay(self, color: ArrayLike, mask: Mask, strength: float = 1.0) -> None:
        """Blend `color` (3 values, 0-255) into what is there, through a mask."""
        amount = mask.values if strength == 1.0 else mask.values * np.float32(strength)
        rows, columns = mask.window
        part = self.planes[:3, rows, columns]
        tone = np.asarray(color, dtype=np.float32)[:, None, None]
        if len(self.planes) == 4:  # premultiplied: nothing sticks where nothing is
            tone = tone * (self.planes[3, rows, columns] / np.float32(255))
        change = tone - part
        change *= amount
        part += change

    def merge(self, planes: Plane, mask: Mask) -> None:
        """Blend another picture of the same size into this one through a mask."""
        at = (slice(None), *mask.window)
        self.planes[at] += (planes[at] - self.planes[at]) * mask.values

    def cover(self, color: ArrayLike, mask: Mask) -> None:
        """Put an opaque shape of `color` on a picture with alpha."""
        part = self.planes[(slice(None), *mask.window)]
        tone = np.append(np.asarray(color, np.float32), np.float32(255))[:, None, None]
        part += (tone - part) * mask.values


_CIRCLE = np.stack([np.cos(np.arange(28) * np.pi / 14), np.sin(np.arange(28) * np.pi / 14)], axis=1)


@lru_cache(maxsize=256)
def _half_width(n: int, width: float, taper: tuple[float, float]) -> Points:
    t = np.linspace(0, 1, n)
    ends = taper[0] * (1 - t) + taper[1] * t
    return 0.5 * width * (ends + (1 - ends) * np.sqrt(np.sin(np.pi * t)))


def _ribbon(curve: Points, width: float, taper: tuple[float, float]) -> Points:
    """Outline of a stroke along a curve."""
    z = np.ascontiguousarray(curve, dtype=float).view(complex)[:, 0]
    along = np.empty_like(z)
    along[1:-1] = z[2:] - z[:-2]
    along[0], along[-1] = z[1] - z[0], z[-1] - z[-2]
    side = 1j * along * (_half_width(len(z), width, taper) / np.maximum(np.abs(along), 1e-6))
    return np.concatenate([z + side, (z - side)[::-1]]).view(float).reshape(-1, 2)
