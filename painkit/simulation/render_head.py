"""The resting head as a picture: skin with shading, ears, nose, brows, and the lines of age."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from painkit.simulation.brush import Canvas, Mask, spline
from painkit.simulation.look import Look
from painkit.simulation.render_furrows import paint_furrows, resting_furrows
from painkit.simulation.render_hair import back_hair, front_hair

__all__ = ["TEXTURE_ORIGIN", "TEXTURE_SCALE", "paint_head"]

Plane = NDArray[np.float32]
Points = NDArray[np.float64]
TEXTURE_SCALE: Final = 2.0
TEXTURE_ORIGIN: Final = (-96.0, -112.0)
_SIZE: Final = (496, 384)


def _head_outline(rest: Points) -> Points:
    jaw = rest[:17, :2]
    skull = rest[[103, 101, 99, 97, 95, 96, 98, 100, 102], :2].copy()
    skull[[0, -1], 0] *= 0.93
    skull[[1, -2], 0] *= 0.97
    return spline(np.concatenate([jaw, skull[1:-1]]), closed=True)


def paint_head(rest: Points, look: Look) -> tuple[Plane, Plane]:
    """Paint the head at rest, seen from the front, without eyes and lips.

    Parameters
    ----------
    rest : (106, 3) array
        Resting points.
    look : Look

    Returns
    -------
    texture : (4, 496, 384) float32 array
        RGB and alpha, 0-255, premultiplied; two pixels per unit.
    bare : (496, 384) float32 array
        Where skin shows (not hair), 0-1.
    """
    canvas = Canvas(np.zeros((4, *_SIZE), np.float32), *TEXTURE_ORIGIN, TEXTURE_SCALE)
    rng = np.random.default_rng(look.seed)
    flat = rest[:, :2]
    back_hair(canvas, flat, look, rng)
    _ears(canvas, flat, look)
    shape = canvas.polygon(_head_outline(rest))
    canvas.cover(look.skin, shape)
    face = canvas.full(shape)
    _shade(canvas, flat, look, face, rng)
    _nose(canvas, flat, look)
    _eye_surround(canvas, flat, look)
    _stubble(canvas, flat, look, face, rng)
    paint_furrows(canvas, resting_furrows(flat, look), look, face)
    _brows(canvas, flat, look, rng)
    hair = front_hair(canvas, flat, look, rng)
    for plane in canvas.planes:
        cv2.GaussianBlur(plane, (0, 0), 0.75, dst=plane)  # read at half size
    return canvas.planes, np.asarray(face * (1 - hair), dtype=np.float32)


def _ears(canvas: Canvas, flat: Points, look: Look) -> None:
    if not look.male and look.hair_style != 3:
        return  # under the hair
    for top, lobe, sign in ((flat[102], flat[104], -1), (flat[103], flat[105], 1)):
        x = top[0] - sign * 3.5
        shape = np.array([(-2, -14), (4, -17), (8.5, -12), (8.5, -2), (5.5, 8), (3, 15), (-2, 14), (-5, 0)])
        outline = spline(shape * (sign, 1) + (x, 0.5 * (top[1] + lobe[1])), closed=True)
        canvas.cover(look.skin * 0.96, canvas.polygon(outline))
        middle = outline.mean(axis=0)
        canvas.lay(look.shadow, canvas.blob(middle[0] - sign * 1, middle[1] + 1, 2.6, 7), 0.65)
        canvas.lay(look.shadow, canvas.strokes([outline[6:30]], 1.6, 0.8), 0.35)
        canvas.lay(look.light, canvas.blob(middle[0] + sign * 4, middle[1] - 7, 1.5, 4), 0.3)


def _shade(canvas: Canvas, flat: Points, look: Look, face: Plane, rng: np.random.Generator) -> None:
    deep = cv2.distanceTransform((face > 0.5).astype(np.uint8), cv2.DIST_L2, 5) / TEXTURE_SCALE
    rim = cv2.GaussianBlur(np.exp(-deep / 9.0).astype(np.float32), (0, 0), 3) * face
    canvas.lay(look.shadow, Mask(rim, 0, 0), 0.62)
    # Light comes from the upper left.
    x = ((np.arange(_SIZE[1]) + 0.5) / TEXTURE_SCALE + TEXTURE_ORIGIN[0]) / 60
    side = np.broadcast_to(np.clip(x, -1, 1), _SIZE).astype(np.float32) * face
    canvas.lay(look.shadow, Mask(np.clip(side, 0, 1), 0, 0), 0.26)
    canvas.lay(look.light, Mask(np.clip(-side, 0, 1), 0, 0), 0.10)
    brow, eye_y = flat[17:27, 1].min(), flat[36:48, 1].mean()
    canvas.lay(look.light, canvas.blob(-7, brow - 16, 20, 11) * face, 0.42)
    blush = look.skin * np.array([0.98, 0.74, 0.70], np.float32)
    for sign in (-1, 1):
        cheek = flat[80 if sign < 0 else 81]
        canvas.lay(
            blush, canvas.blob(cheek[0] + 2 * sign, cheek[1] + 5, 11, 8) * face, 0.42 - 0.12 * look.male
        )
        canvas.lay(look.light, canvas.blob(cheek[0] - 1, cheek[1] - 5, 9, 5, sign * -0.35) * face, 0.36)
        # below the cheekbone
        canvas.lay(
            look.shadow,
            canvas.blob(sign * 42, flat[48, 1] - 6, 6, 16, sign * 0.5) * face,
            0.16 + 0.12 * look.age,
        )
        canvas.lay(look.shadow, canvas.blob(sign * 13, eye_y - 3, 4.5, 6) * face, 0.42)
        canvas.lay(look.shadow, canvas.blob(sign * 27, eye_y - 6, 12, 5) * face, 0.20)
        canvas.lay(look.shadow, canvas.blob(sign * 25, eye_y + 9, 9, 3) * face, 0.12 + 0.22 * look.age)
    lower, chin = flat[57, 1], flat[8, 1]
    canvas.lay(look.shadow, canvas.blob(0, lower + 4, 10, 2.6) * face, 0.42)
    canvas.lay(look.light, canvas.blob(-2, 0.45 * lower + 0.55 * chin + 2, 8, 5) * face, 0.34)
    for dx in (-3, 3):
        canvas.lay(
            look.shadow, canvas.stroke([(dx * 0.8, flat[33, 1] + 2), (dx, flat[51, 1] - 1)], 1.6, 1.0), 0.20
        )
    coarse = rng.normal(0, 1, (_SIZE[0] // 4, _SIZE[1] // 4)).astype(np.float32)
    grain = cv2.resize(cv2.GaussianBlur(coarse, (0, 0), 1.2), _SIZE[::-1], interpolation=cv2.INTER_CUBIC)
    canvas.planes[:3] += grain * face * 3.0
    _spots(canvas, look, face, rng)


def _spots(canvas: Canvas, look: Look, face: Plane, rng: np.random.Generator) -> None:
    count = int(46 * look.freckles * (1 - look.age)) + int(9 * look.age)
    for x, y, r in zip(
        rng.normal(0, 24, count),
        rng.normal(20, 8 + 20 * look.age, count),
        rng.uniform(0.5, 0.9, count),
        strict=True,
    ):
        canvas.lay(look.shadow, canvas.ellipse(x, y, r, r, 0.35) * face, 0.30)


def _nose(canvas: Canvas, flat: Points, look: Look) -> None:
    root, tip, base = flat[27], flat[30], flat[33]
    wing_x, wing_y = abs(flat[31, 0]) + 2.2, flat[31, 1] - 3
    # flank away from the light, then the lit one, fainter
    for sign, depth in ((1, 0.55), (-1, 0.26)):
        canvas.lay(
            look.shadow,
            canvas.stroke(
                np.array([(8, root[1] - 7), (5.8, root[1] + 5), (6.5, tip[1] - 8), (wing_x, wing_y)])
                * (sign, 1),
                5.0, 2.2, taper=(0.6, 0.6),
            ),
            depth,
        )  # fmt: skip
    canvas.lay(
        look.light, canvas.stroke([(-1.2, root[1] - 4), (-1, root[1] + 10), (-1, tip[1] - 4)], 3.6, 1.4), 0.5
    )
    canvas.lay(look.shadow, canvas.blob(0, base[1] + 1.6, wing_x * 0.75, 2.2), 0.55)
    for sign in (-1, 1):
        wing = canvas.ellipse(sign * (wing_x - 3.6), wing_y + 0.4, 4.4, 4.6, 1.5)
        canvas.lay(look.skin, wing, 0.45)
        crease = [
            (sign * (wing_x - 2.0), wing_y - 5.5), (sign * (wing_x + 0.9), wing_y - 1.0),
            (sign * (wing_x - 0.6), wing_y + 4.2), (sign * (wing_x - 4), wing_y + 4.6),
        ]  # fmt: skip
        canvas.lay(look.shadow * 0.8, canvas.stroke(crease, 1.5, 0.55), 0.62 if sign > 0 else 0.5)
        nostril = canvas.polygon(
            spline(
                np.array([(2.4, 1.2), (3.8, -0.3), (6.8, -0.7), (8.0, 0.7), (5.8, 1.6)])
                * (sign * wing_x / 13, 1)
                + (0, wing_y + 4.0),
                closed=True,
            ),
            0.45,
        )
        canvas.lay(look.shadow * 0.4, nostril, 0.8)
    canvas.lay(look.light, canvas.blob(-1.4, tip[1] - 0.5, 3.2, 2.6), 0.62)
    canvas.lay(
        look.shadow,
        canvas.stroke([(-5, base[1] - 2.2), (0, base[1] + 0.4), (5, base[1] - 2.2)], 1.2, 0.6),
        0.45,
    )


def _eye_surround(canvas: Canvas, flat: Points, look: Look) -> None:
    for ids, outer in (((36, 37, 38, 39), -1), ((45, 44, 43, 42), 1)):
        lid = flat[list(ids)]
        upper = spline(lid + np.array([(0, 0.8), (0, 0), (0, 0), (0, 0)]))
        crease = spline(lid + np.array([(outer * 2.2, 0.2), (0, -3.6), (0, -3.4), (outer, -2.6)]))
        skin = canvas.polygon(np.concatenate([crease, upper[::-1]]), 0.9)
        canvas.lay(0.5 * look.skin + 0.5 * look.light, skin, 0.35)
        canvas.lay(
            look.shadow * 0.85, canvas.strokes([crease], 1.5 + 0.3 * look.age, 0.55, taper=(0.3, 0.2)), 0.62
        )
        # closed-lid skin under the eye opening, seen when the lid comes down
        below = flat[[36, 41, 40, 39]] if outer < 0 else flat[[45, 46, 47, 42]]
        ball = canvas.polygon(np.concatenate([upper, spline(below)[::-1]]), 0.7)
        canvas.lay(0.80 * look.skin + 0.20 * look.shadow, ball, 0.85)
        middle = lid[1:3].mean(axis=0)
        canvas.lay(look.light, canvas.blob(middle[0] - 1, middle[1] + 1.5, 4.5, 1.6), 0.3)


def _stubble(canvas: Canvas, flat: Points, look: Look, face: Plane, rng: np.random.Generator) -> None:
    if look.stubble == 0:
        return
    jaw = flat[2:15]
    line = np.array([(44, 36), (33, 48), (17, 44), (0, 41), (-17, 44), (-33, 48), (-44, 36)], dtype=float)
    mouth = canvas.full(canvas.polygon(spline(flat[48:60], closed=True), 1.0))
    zone = (
        canvas.polygon(np.concatenate([jaw, line]), 3.5)
        * face
        * np.asarray(1 - 0.9 * mouth, dtype=np.float32)
    )
    grain = np.asarray(cv2.GaussianBlur(rng.uniform(0.4, 1.0, _SIZE), (0, 0), 0.7), dtype=np.float32)
    tone = 0.55 * look.hair + 0.45 * look.shadow
    canvas.lay(tone, zone * grain, 0.46 * look.stubble)


def _brows(canvas: Canvas, flat: Points, look: Look, rng: np.random.Generator) -> None:
    thick = 3.4 + 1.8 * look.male
    for ids in ((17, 18, 19, 20, 21), (26, 25, 24, 23, 22)):
        middle = spline(flat[list(ids)] + (0, 1.0))
        t = np.linspace(0, 1, len(middle))
        half = 0.5 * thick * np.interp(t, (0, 0.25, 0.8, 1), (0.15, 0.65, 1.0, 0.75))[:, None]
        up = np.array([[0, -1.0]])
        body = np.concatenate([middle + half * up, (middle - half * up)[::-1]])
        canvas.lay(look.brow, canvas.polygon(body, 0.9), 0.72)
        hairs = []
        inwards = np.sign(middle[-1, 0] - middle[0, 0])
        for at in rng.uniform(0.03, 0.99, 46):
            i = int(at * (len(middle) - 1))
            root = middle[i] + (0, half[i, 0] * rng.uniform(-0.8, 1.0))
            length = (2.5 + 1.5 * look.male) * rng.uniform(0.7, 1.2)
            lean = np.array(
                [
                    -inwards * np.interp(at, (0, 0.75, 1), (1.0, 0.8, 0.25)),
                    np.interp(at, (0, 0.4, 1), (0.45, -0.15, -0.75)),
                ]
            )
            hairs.append(np.array([root, root + 0.5 * length * lean, root + length * lean]))
        canvas.lay(look.brow * 0.8, canvas.strokes(hairs, 0.7, 0.25), 0.75)
