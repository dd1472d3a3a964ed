"""Lines and bulges that action units and age draw on the skin."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from painkit.simulation.brush import Canvas, spline
from painkit.simulation.look import Look

__all__ = ["Furrows", "paint_furrows", "resting_furrows", "unit_furrows"]

Points = NDArray[np.float64]


@dataclass
class Furrows:
    """Dark strokes (curve, width, blur, strength) with light beside them, and soft blobs."""

    strokes: list[tuple[Points, float, float, float]] = field(default_factory=list)
    blobs: list[tuple[float, float, float, float, float, float]] = field(default_factory=list)
    """x, y, rx, ry, angle, strength: below 0 lights the skin."""

    def line(
        self,
        points: list[tuple[float, float]],
        width: float,
        strength: float,
        blur: float = 0.7,
        *,
        twin: bool = True,
    ) -> None:
        """Add a furrow, and its mirror image unless it crosses the midline."""
        curve = spline(points)
        self.strokes.append((curve, width, blur, strength))
        if twin:
            self.strokes.append((curve * (-1, 1), width, blur, strength))

    def blob(self, x: float, y: float, rx: float, ry: float, angle: float, strength: float) -> None:
        """Add a soft spot, and its mirror image unless it lies on the midline."""
        self.blobs.append((x, y, rx, ry, angle, strength))
        if x != 0:
            self.blobs.append((-x, y, rx, ry, -angle, strength))


def _pt(flat: Points, i: int, dx: float = 0.0, dy: float = 0.0) -> tuple[float, float]:
    return float(flat[i, 0] + dx), float(flat[i, 1] + dy)


def _fold(flat: Points, end: float) -> list[tuple[float, float]]:
    """Nasolabial fold from the nostril's wing to beside the mouth; `end` 0-1 says how far down."""
    full = [
        _pt(flat, 31, -3.5, -3), _pt(flat, 31, -8.5, 3.5), _pt(flat, 48, -5.5, -9),
        _pt(flat, 48, -9.5, 0), _pt(flat, 48, -10.0, 7),
    ]  # fmt: skip
    curve = spline(full)
    keep = curve[: max(6, int(len(curve) * end))]
    return [(float(x), float(y)) for x, y in keep[:: max(1, len(keep) // 6)]]


def unit_furrows(flat: Points) -> dict[int, Furrows]:
    """What each action unit adds at intensity 5, at the resting points (106, 2) of a person."""
    f = {au: Furrows() for au in (1, 2, 4, 5, 6, 7, 9, 10, 12, 15, 17, 20, 26, 43)}
    brow = float(flat[[19, 24], 1].mean())
    for dy, w in ((9.0, 17.0), (15.5, 15.0), (22.0, 12.0)):
        f[1].line(
            [(-w, brow - dy + 1.5), (-6, brow - dy - 0.8), (6, brow - dy - 0.8), (w, brow - dy + 1.5)],
            1.7,
            0.62,
            twin=False,
        )
        f[2].line([(-41, brow - dy + 5), (-30, brow - dy - 1.5), (-19, brow - dy + 0.5)], 1.7, 0.58)
    inner = _pt(flat, 21)
    f[4].line([(-3.9, inner[1] - 8), (-4.4, inner[1]), (-3.2, inner[1] + 6)], 2.2, 0.85)
    f[4].line([(-9.5, inner[1] - 7), (-10.0, inner[1] - 3), (-9.0, inner[1] + 1)], 1.5, 0.4)
    f[4].blob(0, inner[1] - 2, 2.4, 6, 0, -0.40)
    f[4].blob(-25, flat[37, 1] - 6, 11, 3.2, 0, 0.35)
    f[4].blob(-14, inner[1] - 6, 4, 3, 0, -0.25)
    out, low = _pt(flat, 36), float(flat[41, 1])
    f[6].line(
        [(out[0] - 3.5, out[1] - 2.5), (out[0] - 8, out[1] - 5), (out[0] - 13, out[1] - 8.5)], 1.4, 0.66, 0.5
    )
    f[6].line(
        [(out[0] - 3.5, out[1] + 0.8), (out[0] - 9, out[1] + 0.4), (out[0] - 14, out[1] - 0.6)],
        1.4,
        0.66,
        0.5,
    )
    f[6].line(
        [(out[0] - 3, out[1] + 4), (out[0] - 8, out[1] + 6), (out[0] - 13, out[1] + 7.5)], 1.4, 0.6, 0.5
    )
    f[6].line([(-12.5, low + 3.5), (-20, low + 7.5), (-29, low + 7.0), (-36, low + 3)], 1.9, 0.6)
    f[6].blob(-25, low + 3.4, 8, 1.8, 0, -0.35)
    f[6].blob(_pt(flat, 80)[0], _pt(flat, 80)[1] - 2, 9, 6, 0, -0.35)
    f[6].blob(-33, flat[80, 1] + 11, 11, 3, -0.25, 0.22)
    f[7].line([(-13.5, low + 1.5), (-20, low + 4.2), (-28, low + 4.2), (-34.5, low + 1.2)], 1.8, 0.80, 0.5)
    f[7].line([(-16, low + 5.0), (-22, low + 7.4), (-29, low + 7.0)], 1.4, 0.42, 0.6)
    f[7].blob(-24.6, low + 2.0, 7.5, 1.3, 0, -0.40)
    f[7].blob(-24.6, float(flat[37, 1]) - 3.0, 9, 2.0, 0, 0.22)
    # Across the bridge below the brows, and down both flanks of the nose.
    root = float(flat[27, 1])
    for dy, w in ((1.5, 6.2), (6.5, 5.6)):
        f[9].line(
            [(-w, root + dy - 1.5), (0, root + dy + 0.8), (w, root + dy - 1.5)], 1.7, 0.72, 0.6, twin=False
        )
    for dy, depth in ((8.0, 0.64), (14.5, 0.56)):
        f[9].line([(-4.8, root + dy), (-8.8, root + dy + 4.6), (-13, root + dy + 7.2)], 1.6, depth, 0.5)
    f[9].line(_fold(flat, 0.55), 2.3, 0.50, 0.9)
    f[9].blob(-16, float(flat[82, 1]) + 1, 5, 4.5, 0.5, -0.38)
    f[9].blob(-13.5, float(flat[31, 1]) - 2, 2.2, 4.2, 0, 0.34)
    f[10].line(_fold(flat, 0.75), 2.3, 0.62, 0.9)
    f[10].blob(-22, float(flat[31, 1]) + 2, 5, 6, 0.6, -0.40)
    f[10].blob(-10, float(flat[50, 1]) - 4, 4, 3, 0, -0.15)
    f[12].line(_fold(flat, 0.9), 2.2, 0.55, 0.9)
    f[12].blob(_pt(flat, 80)[0] + 2, _pt(flat, 80)[1] + 4, 9, 7, 0, -0.40)
    corner = _pt(flat, 48)
    f[12].line(
        [(corner[0] - 1.5, corner[1] - 4), (corner[0] - 2.8, corner[1]), (corner[0] - 1.5, corner[1] + 4)],
        1.6,
        0.6,
    )
    f[12].blob(corner[0] - 11, corner[1] - 4, 5, 8, 0.2, -0.18)
    f[15].line(
        [
            (corner[0] - 1.5, corner[1] + 1),
            (corner[0] - 2.8, corner[1] + 6),
            (corner[0] - 3.0, corner[1] + 11),
        ],
        2.2,
        0.75,
    )
    f[15].blob(corner[0] + 1, corner[1] + 6, 4, 3, 0, 0.30)
    f[15].blob(corner[0] + 7, corner[1] + 13, 5, 3, 0, -0.18)
    boss, groove = float(flat[88, 1]), float(flat[89, 1])
    f[17].line(
        [(-12, groove + 3.0), (-5.5, groove - 0.4), (5.5, groove - 0.4), (12, groove + 3.0)],
        2.8,
        1.0,
        twin=False,
    )
    for x, y, r in (
        (-2.6, 1, 1.7), (-6.8, -1, 1.6), (-7.4, 4, 1.7), (-3, 6, 1.6), (-11.4, 2, 1.5), (-10, 7, 1.4),
        (0, 3.5, 1.5),
    ):  # fmt: skip
        f[17].blob(x, boss + y, r, 0.8 * r, 0, 0.46)
    f[17].blob(-5, boss + 2.0, 6, 5, 0, -0.24)
    f[20].line(
        [(corner[0] - 5, corner[1] - 6), (corner[0] - 6.5, corner[1]), (corner[0] - 5, corner[1] + 7)],
        2.4,
        0.42,
        1.1,
    )
    f[20].line(
        [(corner[0] - 9, corner[1] - 3), (corner[0] - 10.5, corner[1] + 2), (corner[0] - 9, corner[1] + 7)],
        2.0,
        0.22,
        1.1,
    )
    f[20].blob(-9, groove + 1, 6, 2, 0, 0.18)
    f[26].blob(-36, float(flat[3, 1]) + 6, 5, 13, 0.3, 0.25)
    f[43].line([(-15, low + 0.6), (-21, low + 3.0), (-28, low + 3.0), (-34, low + 0.9)], 1.1, 0.30, 0.5)
    f[43].blob(-24.6, float(flat[37, 1]) + 1.5, 6.5, 2.2, 0, -0.22)
    f[5].line(
        [
            (-14.5, flat[38, 1] - 2.4),
            (-20.8, flat[38, 1] - 5.2),
            (-28.6, flat[37, 1] - 5.0),
            (-36, flat[36, 1] - 1.5),
        ],
        1.4,
        0.5,
        0.5,
    )
    return f


def resting_furrows(flat: Points, look: Look) -> Furrows:
    """Lines of age at rest."""
    f, age = Furrows(), look.age
    f.line(_fold(flat, 0.75), 1.8, 0.16 + 0.50 * age)
    f.line(
        [(-13.5, flat[40, 1] + 4), (-21, flat[40, 1] + 7.6), (-30, flat[41, 1] + 6.4)], 1.6, 0.10 + 0.42 * age
    )
    if age > 0.2:
        brow = float(flat[[19, 24], 1].mean())
        for dy, w in ((11.0, 25), (18.0, 27), (25.0, 21)):
            f.line(
                [(-w, brow - dy + 2), (-9, brow - dy - 0.5), (7, brow - dy), (w, brow - dy + 1.6)],
                1.4,
                0.46 * age,
                twin=False,
            )
        out = _pt(flat, 36)
        for dy, slope in ((-2.0, -4.5), (1.2, 0.4), (4.0, 4.0)):
            f.line([(out[0] - 4, out[1] + dy), (out[0] - 11, out[1] + dy + slope)], 1.1, 0.46 * age, 0.5)
        f.line([(-3.8, flat[21, 1] - 5), (-4.0, flat[21, 1] + 2)], 1.3, 0.32 * age)
        c = _pt(flat, 48)
        f.line([(c[0] - 2, c[1] + 3), (c[0] - 4, c[1] + 11), (c[0] - 3, c[1] + 18)], 1.7, 0.48 * age)
        f.line([(-46, flat[4, 1] - 12), (-37, flat[5, 1] - 8), (-27, flat[5, 1] + 1)], 3.0, 0.24 * age, 1.8)
        f.blob(-24.6, flat[40, 1] + 4.5, 7, 2.0, 0, -0.16 * age)
        for x in (-9.0, -4.0, 4.5, 9.0):
            f.line([(x, flat[51, 1] - 5.5), (x * 0.95, flat[51, 1] - 1.0)], 0.8, 0.30 * age, 0.4, twin=False)
    return f


def paint_furrows(
    canvas: Canvas, furrows: Furrows, look: Look, where: NDArray[np.float32], strength: float = 1.0
) -> None:
    """Paint furrows: a dark line and a lit ridge below it, as light falls from above."""
    for curve, width, blur, depth in furrows.strokes:
        canvas.lay(
            look.light,
            canvas.strokes([curve + np.array([-0.5, width])], width, blur) * where,
            0.32 * depth * strength,
        )
    for x, y, rx, ry, angle, depth in furrows.blobs:
        color = look.shadow if depth > 0 else look.light
        canvas.lay(color, canvas.blob(x, y, rx, ry, angle) * where, abs(depth) * strength)
    for curve, width, blur, depth in furrows.strokes:
        canvas.lay(look.shadow * 0.82, canvas.strokes([curve], width, blur) * where, depth * strength)
