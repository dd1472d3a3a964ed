"""Soft shapes on a picture: splines, tapered strokes, blobs, and laying colour through a mask."""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Canvas", "spline"]

Mask = NDArray[np.float32]
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


class Canvas:
    """A float32 picture with its own coordinates.

    Parameters
    ----------
    pixels : (h, w, c) float32 array
        Painted in place; 0-255.
    x0, y0 : float
        Coordinates of the picture's upper left corner.
    scale : float
        Pixels per unit.
    """

    def __init__(self, pixels: NDArray[np.float32], x0: float, y0: float, scale: float) -> None:
        self.pixels, self.x0, self.y0, self.scale = pixels, x0, y0, scale

    def window(self, points: ArrayLike, margin: float) -> tuple[Canvas, tuple[slice, slice]]:
        """A view of the part around `points`, `margin` units wider; and where it lies."""
        at = (np.asarray(points, dtype=float) - (self.x0, self.y0)) * self.scale
        grow = margin * self.scale
        h, w = self.pixels.shape[:2]
        left, top = np.clip(np.floor(at.min(axis=0) - grow).astype(int), 0, (w - 1, h - 1))
        right, bottom = np.clip(np.ceil(at.max(axis=0) + grow).astype(int), (left + 1, top + 1), (w, h))
        part = np.s_[top:bottom, left:right]
        return Canvas(self.pixels[part], self.x0 + left / self.scale, self.y0 + top / self.scale, self.scale), part

    def _fixed(self, points: ArrayLike) -> NDArray[np.int32]:
        at = (np.asarray(points, dtype=float) - (self.x0, self.y0)) * self.scale - 0.5
        return np.round(at * 2**_SHIFT).astype(np.int32)

    def polygons(self, outlines: list[Points], blur: float = 0.0) -> Mask:
        """Union of filled outlines, 0-1; `blur` is the Gaussian's standard deviation in units."""
        mask = np.zeros(self.pixels.shape[:2], np.uint8)
        for outline in outlines:
            cv2.fillPoly(mask, [self._fixed(outline)], 255, cv2.LINE_AA, _SHIFT)
        return self._soft(mask, blur)

    def polygon(self, outline: ArrayLike, blur: float = 0.0) -> Mask:
        """One filled outline (n, 2), 0-1."""
        return self.polygons([np.asarray(outline, dtype=float)], blur)

    def strokes(
        self, curves: list[Points], width: float, blur: float = 0.0, *, taper: tuple[float, float] = (0.0, 0.0)
    ) -> Mask:
        """Union of strokes along curves, `width` units in the middle, `taper` of it at the two ends."""
        outlines = []
        for curve in curves:
            along = np.gradient(curve, axis=0)
            normal = np.stack([-along[:, 1], along[:, 0]], axis=1)
            normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-6)
            t = np.linspace(0, 1, len(curve))[:, None]
            ends = taper[0] * (1 - t) + taper[1] * t
            half = 0.5 * width * (ends + (1 - ends) * np.sqrt(np.sin(np.pi * t)))
            outlines.append(np.concatenate([curve + half * normal, (curve - half * normal)[::-1]]))
        return self.polygons(outlines, blur)

    def stroke(
        self, points: ArrayLike, width: float, blur: float = 0.0, *, taper: tuple[float, float] = (0.0, 0.0)
    ) -> Mask:
        """A stroke along the spline through `points`."""
        return self.strokes([spline(points)], width, blur, taper=taper)

    def blob(self, x: float, y: float, rx: float, ry: float, angle: float = 0.0) -> Mask:
        """Gaussian spot with standard deviations rx, ry units, turned by `angle` radians; peak 1."""
        h, w = self.pixels.shape[:2]
        dx = (np.arange(w, dtype=np.float32) + 0.5) / self.scale + self.x0 - x
        dy = ((np.arange(h, dtype=np.float32) + 0.5) / self.scale + self.y0 - y)[:, None]
        c, s = np.cos(angle), np.sin(angle)
        return np.asarray(
            np.exp(-0.5 * (((c * dx + s * dy) / rx) ** 2 + ((c * dy - s * dx) / ry) ** 2)), dtype=np.float32
        )

    def ellipse(self, x: float, y: float, rx: float, ry: float, blur: float = 0.0) -> Mask:
        """Filled ellipse, 0-1."""
        mask = np.zeros(self.pixels.shape[:2], np.uint8)
        axes = (round(rx * self.scale * 2**_SHIFT), round(ry * self.scale * 2**_SHIFT))
        centre = self._fixed([x, y])
        cv2.ellipse(
            mask, (int(centre[0]), int(centre[1])), axes, 0, 0, 360, 255, cv2.FILLED, cv2.LINE_AA, _SHIFT
        )
        return self._soft(mask, blur)

    def _soft(self, mask: NDArray[np.uint8], blur: float) -> Mask:
        soft = np.multiply(mask, np.float32(1 / 255), dtype=np.float32)
        if blur > 0:
            cv2.GaussianBlur(soft, (0, 0), blur * self.scale, dst=soft)
        return soft

    def lay(self, color: ArrayLike, mask: Mask, strength: float = 1.0) -> None:
        """Blend `color` (3 values, 0-255) into what is there, through a mask."""
        amount = (mask * np.float32(strength))[..., None]
        rgb = self.pixels[..., :3]
        paint = np.asarray(color, dtype=np.float32)
        if self.pixels.shape[2] == 4:  # premultiplied: nothing sticks where nothing is
            paint = paint * (self.pixels[..., 3:] / 255)
        rgb += (paint - rgb) * amount

    def cover(self, color: ArrayLike, mask: Mask) -> None:
        """Put an opaque shape of `color` on a picture with premultiplied alpha (four channels)."""
        paint = np.append(np.asarray(color, dtype=np.float32), np.float32(255))
        self.pixels += (paint - self.pixels) * mask[..., None]
