"""Eyes and mouth, which open and close and so are drawn anew in every frame."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from painkit.simulation.brush import Canvas, spline
from painkit.simulation.look import Look

__all__ = ["TEETH", "draw_eyes", "draw_mouth"]

Points = NDArray[np.float64]

_X = np.array([-24.0, -17, -11, -5.5, 0, 5.5, 11, 17, 24])
_Z = 13 - (_X / 7.5) ** 2
# Upper gum line, upper edge, lower edge, lower gum line; y from the line between the lips.
TEETH: Final = np.stack(
    [
        np.stack([_X, y + bow * (_X / 17) ** 2, _Z], axis=1)
        for y, bow in ((-9, 1.5), (1.8, -2.2), (3.2, -1.5), (12, -2))
    ]
)
"""(4, 9, 3) points of the teeth relative to the middle of the lips at rest."""
_GLEAM: Final = np.array([0.7, 2.2])
_LOW_A, _LOW_B = np.array([39, 40, 41, 36]), np.array([45, 46, 47, 42])


def draw_eyes(canvas: Canvas, points: Points, centres: Points, look: Look, size: float) -> None:
    """Draw both eyes.

    Parameters
    ----------
    canvas : Canvas
        Three planes, several pixels per unit.
    points : (66, 2) array
        Landmarks.
    centres : (2, 2) array
        Where the irises sit.
    look : Look
    size : float
        Image pixels per face unit.
    """
    down = np.array([0.0, size])
    uppers, lowers = (
        [spline(points[36:40]), spline(points[42:46])],
        [spline(points[_LOW_A]), spline(points[_LOW_B])],
    )
    opening = float((points[[40, 41, 46, 47], 1] - points[[38, 37, 44, 43], 1]).mean()) / size
    if opening > 0.4:
        ball = Canvas(np.empty_like(canvas.planes), canvas.x0, canvas.y0, canvas.scale)
        ball.planes[:] = np.array([240, 236, 232], np.float32)[:, None, None] - np.float32(14 * look.age)
        ball.lay((196, 138, 128), ball.discs(points[[36, 39, 42, 45]], 2.4 * size, 1.2 * size), 0.6)
        ball.lay(look.iris * 0.45, ball.discs(centres, 4.7 * size, 0.28 * size))
        ball.lay(look.iris, ball.discs(centres, 3.7 * size, 0.4 * size), 0.9)
        ball.lay(look.iris * 0.7 + 70, ball.discs(centres + size * _GLEAM, 1.0 * size, 0.5 * size), 0.5)
        ball.lay((14, 11, 11), ball.discs(centres, 1.9 * size, 0.25 * size))
        ball.lay((40, 24, 22), ball.strokes([u + 0.9 * down for u in uppers], 2.6 * size, 0.8 * size), 0.55)
        ball.lay((255, 255, 255), ball.discs(centres - (1.5 * size, 1.6 * size), 0.95 * size), 0.95)
        holes = [np.concatenate([u, low[1:-1]]) for u, low in zip(uppers, lowers, strict=True)]
        canvas.merge(ball.planes, canvas.polygons(holes, 0.25 * size))
        canvas.lay((214, 150, 138), canvas.strokes(lowers, 0.9 * size, 0.3 * size), 0.45)
    lash = np.array([34, 22, 18], np.float32) if look.age < 1 else np.array([62, 46, 40], np.float32)
    # From the outer corner inwards, so that both taper alike.
    lids = [curve - 0.25 * down for curve in (uppers[0], uppers[1][::-1])]
    canvas.lay(
        lash, canvas.strokes(lids, (2.1 - 0.5 * look.male) * size, 0.22 * size, taper=(0.55, 0.15)), 0.92
    )
    if not look.male:
        flicks = []
        for corner, inner in ((points[36], points[37]), (points[45], points[44])):
            along = (corner - inner) / max(float(np.linalg.norm(corner - inner)), 1e-6)
            tip = corner + along * 2.6 * size - 1.2 * min(1.0, opening / 4) * down
            flicks.append(spline([0.75 * corner + 0.25 * inner, corner, tip]))
        canvas.lay(lash, canvas.strokes(flicks, 1.3 * size, 0.2 * size, taper=(0.8, 0)), 0.85)
    rims = [low + 0.35 * down for low in lowers]
    canvas.lay(look.shadow * 0.7, canvas.strokes(rims, 0.9 * size, 0.3 * size), 0.55)


def draw_mouth(canvas: Canvas, points: Points, teeth: Points, look: Look, size: float) -> None:
    """Draw the lips and what shows between them.

    Parameters
    ----------
    canvas : Canvas
        Three channels, several pixels per unit.
    points : (66, 2) array
        Landmarks.
    teeth : (4, 9, 2) array
        `TEETH` in the image; the lower two rows move with the jaw.
    look : Look
    size : float
        Image pixels per face unit.
    """
    down = np.array([0.0, size])
    top, bottom = spline(points[48:55]), spline(points[[54, 55, 56, 57, 58, 59, 48]])
    # Between corner and inner landmarks the open mouth is round.
    part = points[64] - points[61]
    gap = float(part[1]) / size
    lift, sag = 0.08 * part, 0.2 * part
    p = points
    inner_top = spline(
        [p[48], 0.5 * (p[48] + p[60]) - lift, p[60], p[61], p[62], 0.5 * (p[62] + p[54]) - lift, p[54]]
    )
    inner_bottom = spline(
        [p[54], 0.5 * (p[54] + p[63]) + sag, p[63], p[64], p[65], 0.5 * (p[65] + p[48]) + sag, p[48]]
    )
    if gap > 0.9:
        inside = Canvas(np.empty_like(canvas.planes), canvas.x0, canvas.y0, canvas.scale)
        inside.planes[:] = np.array([58, 18, 20], np.float32)[:, None, None]
        middle = 0.5 * (teeth[2, 4] + teeth[3, 4])
        inside.lay((176, 84, 84), inside.blob(middle[0], middle[1] + 3.5 * size, 10 * size, 4.0 * size), 0.85)
        ivory = np.array([240, 234, 220], np.float32) - np.array([8, 14, 26], np.float32) * np.float32(
            look.age
        )
        rows = ((teeth[3], teeth[2]), (teeth[0], teeth[1]))
        bands = [np.concatenate([gum, edge[::-1]]) for gum, edge in rows]
        inside.lay(ivory, inside.polygons(bands, 0.25 * size))
        half = np.array([0.25 * size, 0])
        seams = [np.stack([gum - half, gum + half, edge + half, edge - half], axis=1) for gum, edge in rows]
        inside.lay((120, 92, 84), inside.polygons([quad for row in seams for quad in row[1:-1]]), 0.35)
        # the lips' shadow, and the dark of the corners
        inside.lay((40, 12, 14), inside.strokes([inner_top + 0.6 * down], 1.8 * size, 0.7 * size), 0.4)
        for corner in (points[48], points[54]):
            inside.lay((46, 14, 16), inside.blob(corner[0], corner[1], 4.5 * size, 5.5 * size), 0.9)
        canvas.merge(inside.planes, canvas.polygon(np.concatenate([inner_top, inner_bottom[1:-1]])))
    upper = canvas.polygon(np.concatenate([top, inner_top[::-1]]), 0.35 * size)
    lower = canvas.polygon(np.concatenate([inner_bottom[::-1], bottom[::-1]]), 0.45 * size)
    tint = 0.88 - 0.16 * look.male
    canvas.lay(look.lip * 0.84, upper, tint)
    canvas.lay(look.lip, lower, tint)
    canvas.lay(look.lip * 0.62, canvas.strokes([inner_top - 0.9 * down], 2.2 * size, 0.9 * size) * upper, 0.4)
    x, y = 0.5 * (points[64] + points[57])
    canvas.lay(
        0.5 * look.lip + 122, canvas.blob(x - 2 * size, y - 0.6 * size, 6 * size, 1.5 * size) * lower, 0.42
    )
    canvas.lay(look.lip * 0.6, canvas.strokes([bottom - 0.6 * down], 2.4 * size, 1.0 * size) * lower, 0.35)
    line = np.array([70, 26, 26], np.float32) * np.float32(0.5 + 0.5 * look.lip.mean() / 150)
    if gap > 0.9:
        canvas.lay(line, canvas.strokes([inner_top, inner_bottom], 0.8 * size, 0.3 * size), 0.55)
    else:
        middle_line = 0.5 * (inner_top + inner_bottom[::-1])
        canvas.lay(line, canvas.strokes([middle_line], 1.5 * size, 0.35 * size, taper=(0.35, 0.35)), 0.85)
    canvas.lay(
        look.shadow * 0.7,
        canvas.discs(points[[48, 54]] + [[-0.4 * size, 0], [0.4 * size, 0]], 1.7 * size, 0.9 * size),
        0.5,
    )
