"""What lies behind and below the head: wall, shoulders, neck."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from painkit.simulation.anatomy import ORIGIN
from painkit.simulation.brush import Canvas, spline
from painkit.simulation.look import Look

__all__ = ["MARGIN", "paint_torso", "paint_wall"]

MARGIN: Final = 48
"""Pixels the torso's picture reaches beyond the image on every side, so that it can shift."""


def paint_wall(look: Look) -> NDArray[np.uint8]:
    """Background (240, 320, 3) RGB."""
    canvas = Canvas(np.empty((3, 240, 320), np.float32), 0, 0, 1)
    rng = np.random.default_rng(look.seed + 1)
    canvas.planes[:] = look.wall[:, None, None]
    if look.wall_style == 1:  # door frame
        x = float(rng.choice([rng.uniform(10, 50), rng.uniform(240, 285)]))
        canvas.lay(
            look.wall * 0.72, canvas.polygon([(x, -5), (x + 46, -5), (x + 46, 250), (x, 250)], 1.5), 0.8
        )
        canvas.lay(
            look.wall * 0.5, canvas.polygon([(x - 2, -5), (x + 1, -5), (x + 1, 250), (x - 2, 250)], 1.0), 0.7
        )
    elif look.wall_style == 2:  # curtain
        for x in np.arange(rng.uniform(0, 16), 330, 17.0):
            canvas.lay(
                look.wall * 0.7, canvas.polygon([(x, -5), (x + 7, -5), (x + 9, 250), (x + 1, 250)], 3), 0.5
            )
    elif look.wall_style == 3:  # board on the wall
        x, y = rng.choice([rng.uniform(-30, 10), rng.uniform(225, 245)]), rng.uniform(45, 75)
        tone = np.clip(look.wall * 0.6 + rng.uniform(0, 90, 3), 0, 255)
        canvas.lay(
            look.wall * 0.6,
            canvas.polygon([(x - 3, y - 3), (x + 73, y - 3), (x + 73, y + 63), (x - 3, y + 63)], 2),
            0.8,
        )
        canvas.lay(tone, canvas.polygon([(x, y), (x + 70, y), (x + 70, y + 60), (x, y + 60)], 1.5))
    canvas.lay((255, 252, 244), canvas.blob(70, 40, 130, 110), 0.34)
    canvas.lay((20, 20, 30), canvas.blob(330, 250, 130, 120), 0.30)
    grain = cv2.GaussianBlur(rng.normal(0, 4, (240, 320)).astype(np.float32), (0, 0), 1.0)
    return np.ascontiguousarray(np.clip(canvas.planes + grain, 0, 255).transpose(1, 2, 0), dtype=np.uint8)


def paint_torso(chin: float, look: Look) -> NDArray[np.uint8]:
    """Neck and shoulders as premultiplied RGBA, `MARGIN` larger than the image; `chin` is the chin's y."""
    size = (240 + 2 * MARGIN, 320 + 2 * MARGIN)
    canvas = Canvas(np.zeros((4, *size), np.float32), -ORIGIN[0] - MARGIN, -ORIGIN[1] - MARGIN, 1)
    wide = 33.0 + 7 * look.male
    pit = chin + 34
    top = [(-10, chin - 40), (-0.86 * wide, chin - 33), (-0.97 * wide, chin - 20), (-0.98 * wide, chin)]
    half = spline([*top, (-wide - 3, chin + 16), (-wide - 20, chin + 25)])
    neck = np.concatenate([half, [(-wide - 20, pit + 60), (wide + 20, pit + 60)], half[::-1] * (-1, 1)])
    skin = canvas.polygon(neck)
    canvas.cover(look.skin * 0.95, skin)
    canvas.lay(look.shadow, canvas.blob(0, chin - 2, 34, 16) * skin, 0.66)
    canvas.lay(look.shadow * 0.5, canvas.blob(0, chin - 3, 27, 9) * skin, 0.72)
    for sign, depth in ((-1, 0.25), (1, 0.5)):
        canvas.lay(
            look.shadow,
            canvas.stroke([(sign * wide, chin - 20), (sign * wide, chin + 24)], 12, 5, taper=(1, 1)) * skin,
            depth,
        )
        canvas.lay(
            look.shadow,
            canvas.stroke([(sign * 24, chin + 2), (sign * 8, pit + 2)], 3, 2) * skin,
            0.22 + 0.15 * look.age,
        )
    slope = 112.0 + 12 * look.male
    dip = (pit - 7, pit + 15, pit - 1)[look.cloth_style]
    collar = [
        (-wide - 8, chin + 17),
        (-20, 0.5 * (chin + 17 + dip)),
        (0, dip),
        (20, 0.5 * (chin + 17 + dip)),
        (wide + 8, chin + 17),
    ]
    if look.cloth_style == 1:
        collar = [(-wide - 8, chin + 17), (-14, chin + 30), (0, dip), (14, chin + 30), (wide + 8, chin + 17)]
    right = [(70, chin + 27), (slope - 14, chin + 38), (slope + 8, chin + 62), (slope + 22, chin + 120)]
    left = [(-x, y) for x, y in right[::-1]]
    edge = np.concatenate([spline(left), spline(collar), spline(right)])
    shirt = canvas.polygon(np.concatenate([edge, [(200, 260), (-200, 260)]]))
    canvas.cover(look.cloth, shirt)
    canvas.lay(look.cloth * 0.45, canvas.blob(90, chin + 70, 60, 40) * shirt, 0.55)
    canvas.lay(look.cloth * 0.6 + 90, canvas.blob(-66, chin + 36, 34, 10, 0.25) * shirt, 0.30)
    canvas.lay(look.cloth * 0.5, canvas.blob(0, chin + 24, 50, 12) * shirt, 0.35)
    canvas.lay(
        look.cloth * 0.45,
        canvas.strokes([spline(collar) + np.array([0, 3.5])], 1.6, 0.7, taper=(1, 1)) * shirt,
        0.8,
    )
    for x in (-58.0, 52.0):
        canvas.lay(
            look.cloth * 0.5, canvas.stroke([(x, chin + 42), (1.15 * x, chin + 66)], 4, 2.5) * shirt, 0.4
        )
    return np.ascontiguousarray(np.clip(canvas.planes, 0, 255).transpose(1, 2, 0), dtype=np.uint8)
