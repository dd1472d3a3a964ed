"""Eyes and mouth, which open and close and so are drawn anew in every frame."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from painkit.data.simulated.brush import Canvas, spline
from painkit.data.simulated.look import Look

__all__ = ["TEETH", "draw_eye", "draw_mouth"]

Points = NDArray[np.float64]

_X = np.array([-17.0, -11, -5.5, 0, 5.5, 11, 17])
_Z = 13 - (_X / 7.5) ** 2
# Upper gum line, upper edge, lower edge, lower gum line; y from the line between the lips.
TEETH: Final = np.stack(
    [np.stack([_X, y + bow * (_X / 17) ** 2, _Z], axis=1) for y, bow in ((-9, 1.5), (1.8, -2.2), (3.2, -1.5), (12, -2))]
)
"""(4, 7, 3) points of the teeth relative to the middle of the lips at rest."""


def draw_eye(canvas: Canvas, six: Points, centre: Points, look: Look, size: float, *, outer_first: bool) -> None:
    """Draw one eye.

    Parameters
    ----------
    canvas : Canvas
        Three channels, several pixels per unit.
    six : (6, 2) array
        Corner, two upper points, corner, two lower points, in landmark order.
    centre : (2,) array
        Where the iris sits.
    look : Look
    size : float
        Image pixels per face unit.
    outer_first : bool
        Whether the first corner is the outer one.
    """
    upper, lower = spline(six[:4]), spline(six[[3, 4, 5, 0]])
    opening = float(six[4:, 1].mean() - six[1:3, 1].mean()) / size
    outline = np.concatenate([upper, lower[1:-1]])
    if opening > 0.4:
        ball = Canvas(np.empty_like(canvas.planes), canvas.x0, canvas.y0, canvas.scale)
        ball.planes[:] = np.array([240, 236, 232], np.float32)[:, None, None] - np.float32(14 * look.age)
        for corner in (six[0], six[3]):
            ball.lay((196, 138, 128), ball.blob(corner[0], corner[1], 2.6 * size, 2.2 * size), 0.6)
        x, y = centre
        ball.lay(look.iris * 0.45, ball.ellipse(x, y, 4.7 * size, 4.7 * size, 0.28 * size))
        ball.lay(look.iris, ball.ellipse(x, y, 3.7 * size, 3.7 * size, 0.4 * size), 0.9)
        ball.lay(look.iris * 0.7 + 70, ball.blob(x + 0.8 * size, y + 1.9 * size, 1.5 * size, 0.9 * size), 0.55)
        ball.lay((14, 11, 11), ball.ellipse(x, y, 1.9 * size, 1.9 * size, 0.25 * size))
        ball.lay((40, 24, 22), ball.strokes([upper + (0, 0.9 * size)], 2.6 * size, 0.8 * size), 0.55)
        ball.lay((255, 255, 255), ball.ellipse(x - 1.5 * size, y - 1.6 * size, 0.95 * size, 0.95 * size), 0.95)
        canvas.merge(ball.planes, canvas.polygon(outline, 0.25 * size))
        canvas.lay((214, 150, 138), canvas.strokes([lower], 0.9 * size, 0.3 * size), 0.45)
    lash = np.array([34, 22, 18], np.float32) if look.age < 1 else np.array([62, 46, 40], np.float32)
    width = (2.1 - 0.5 * look.male) * size
    taper = (0.55, 0.15) if outer_first else (0.15, 0.55)
    canvas.lay(lash, canvas.strokes([upper - (0, 0.25 * size)], width, 0.22 * size, taper=taper), 0.92)
    if not look.male:
        corner, inner = (six[0], six[1]) if outer_first else (six[3], six[2])
        along = (corner - inner) / max(float(np.linalg.norm(corner - inner)), 1e-6)
        tip = corner + along * 2.6 * size + np.array([0, -1.2 * size * min(1.0, opening / 4)])
        canvas.lay(lash, canvas.stroke([0.75 * corner + 0.25 * inner, corner, tip], 1.3 * size, 0.2 * size, taper=(0.8, 0)), 0.85)
    canvas.lay(look.shadow * 0.7, canvas.strokes([lower + (0, 0.35 * size)], 0.9 * size, 0.3 * size), 0.55)


def draw_mouth(canvas: Canvas, points: Points, teeth: Points, look: Look, size: float) -> None:
    """Draw the lips and what shows between them.

    Parameters
    ----------
    canvas : Canvas
        Three channels, several pixels per unit.
    points : (66, 2) array
        Landmarks.
    teeth : (4, 7, 2) array
        `TEETH` in the image; the lower two rows move with the jaw.
    look : Look
    size : float
        Image pixels per face unit.
    """
    top, bottom = spline(points[48:55]), spline(points[[54, 55, 56, 57, 58, 59, 48]])
    inner_top, inner_bottom = spline(points[[48, 60, 61, 62, 54]]), spline(points[[54, 63, 64, 65, 48]])
    gap = float(points[64, 1] - points[61, 1]) / size
    if gap > 0.9:
        inside = Canvas(np.empty_like(canvas.planes), canvas.x0, canvas.y0, canvas.scale)
        inside.planes[:] = np.array([58, 18, 20], np.float32)[:, None, None]
        middle = 0.5 * (teeth[2, 3] + teeth[3, 3])
        inside.lay((176, 84, 84), inside.blob(middle[0], middle[1] + 3.5 * size, 10 * size, 4.0 * size), 0.85)
        ivory = np.array([240, 234, 220], np.float32) - np.array([14, 22, 40], np.float32) * np.float32(look.age)
        for gum, edge, tone in ((teeth[3], teeth[2], 0.86), (teeth[0], teeth[1], 1.0)):
            inside.lay(ivory * tone, inside.polygon(np.concatenate([gum, edge[::-1]]), 0.25 * size))
            seams = [np.stack([a, b]) for a, b in zip(gum[1:-1], edge[1:-1], strict=True)]
            inside.lay((120, 92, 84), inside.strokes(seams, 0.5 * size, taper=(1, 1)), 0.35)
        # the lips' shadow, and the dark of the corners
        inside.lay((40, 12, 14), inside.strokes([inner_top + (0, 0.6 * size)], 1.8 * size, 0.7 * size), 0.4)
        for corner in (points[48], points[54]):
            inside.lay((46, 14, 16), inside.blob(corner[0], corner[1], 6.5 * size, 7 * size), 0.75)
        canvas.merge(inside.planes, canvas.polygon(np.concatenate([inner_top, inner_bottom[1:-1]])))
    upper = canvas.polygon(np.concatenate([top, inner_top[::-1]]), 0.35 * size)
    lower = canvas.polygon(np.concatenate([inner_bottom[::-1], bottom[::-1]]), 0.45 * size)
    tint = 0.88 - 0.16 * look.male
    canvas.lay(look.lip * 0.84, upper, tint)
    canvas.lay(look.lip, lower, tint)
    canvas.lay(look.lip * 0.62, canvas.strokes([inner_top + (0, -0.9 * size)], 2.2 * size, 0.9 * size) * upper, 0.4)
    x, y = 0.5 * (points[64] + points[57])
    canvas.lay(0.5 * look.lip + 122, canvas.blob(x - 2 * size, y - 0.6 * size, 6 * size, 1.5 * size) * lower, 0.42)
    canvas.lay(look.lip * 0.6, canvas.strokes([bottom + (0, -0.6 * size)], 2.4 * size, 1.0 * size) * lower, 0.35)
    line = np.array([70, 26, 26], np.float32) * np.float32(0.5 + 0.5 * look.lip.mean() / 150)
    if gap > 0.9:
        canvas.lay(line, canvas.strokes([inner_top, inner_bottom], 0.8 * size, 0.3 * size), 0.55)
    else:
        middle_line = 0.5 * (inner_top + inner_bottom[::-1])
        canvas.lay(line, canvas.strokes([middle_line], 1.5 * size, 0.35 * size, taper=(0.35, 0.35)), 0.85)
    for corner, sign in ((points[48], -1), (points[54], 1)):
        canvas.lay(look.shadow * 0.7, canvas.blob(corner[0] + sign * 0.4 * size, corner[1], 1.5 * size, 1.5 * size), 0.5)
