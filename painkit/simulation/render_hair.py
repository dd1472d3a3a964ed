"""Hair behind and before the face."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from painkit.simulation.brush import Canvas, Mask, spline
from painkit.simulation.look import Look

__all__ = ["back_hair", "front_hair", "hair_pins"]

Points = NDArray[np.float64]


def _skull(flat: Points, grow: float, down: int) -> Points:
    """Outline of the hair cap from the left over the top to the right; `down` chooses how low it goes."""
    left, right = [98, 100, 102, 104][: down + 1], [99, 101, 103, 105][: down + 1]
    ring = np.concatenate([flat[left[::-1]], flat[[96, 95, 97]], flat[right]])
    middle = np.array([0.0, -20.0])
    away = ring - middle
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    ring = ring + grow * away
    if down == 1:  # cut short: sideburns in front of the ears
        ring = np.concatenate([[(-56.0, 9.0), (-60.0, -8.0)], ring, [(60.0, -8.0), (56.0, 9.0)]])
    return np.asarray(ring)


def _strands(
    canvas: Canvas,
    mask: Mask,
    look: Look,
    rng: np.random.Generator,
    curves: list[Points],
    *,
    short: bool = False,
) -> None:
    """Light and dark strands along curves, broad and fine, only on the mask."""
    wide, depth = (0.9, 0.5) if short else (2.0, 1.0)
    order = rng.permutation(len(curves))
    tones = (
        (look.hair * (1 - 0.42 * depth), 1.1 * wide, 0.28),
        (look.hair * 0.80 + 50, wide, 0.26),
        (look.hair * (1 - 0.5 * depth), 0.8, 0.42),
        (look.hair * 0.80 + 62, 0.8, 0.36),
    )
    for k, (color, width, strength) in enumerate(tones):
        chosen = [curves[i] for i in order[k :: len(tones)]]
        canvas.lay(np.clip(color, 0, 255), canvas.strokes(chosen, width, 0.3 * width) * mask, strength)


def _rim(canvas: Canvas, mask: Mask, depth: float) -> Mask:
    """1 at the shape's edge, fading inwards over `depth` units."""
    inside = np.pad((mask.values > 0.5).astype(np.uint8), 1)
    deep = cv2.distanceTransform(inside, cv2.DIST_L2, 5)[1:-1, 1:-1] / np.float32(canvas.scale)
    return mask * Mask(np.exp(-deep / np.float32(depth)), mask.top, mask.left)


def _volume(canvas: Canvas, mask: Mask, look: Look) -> None:
    """Darker rim, gloss on the side of the light."""
    canvas.lay(look.hair * 0.5, _rim(canvas, mask, 3.5), 0.55)
    canvas.lay(look.hair * 0.7 + 78, canvas.blob(-24, -70, 17, 7, -0.45) * mask, 0.42)


def back_hair(canvas: Canvas, flat: Points, look: Look, rng: np.random.Generator) -> None:
    """Hair that the face covers: long locks, a bob, a bun, or nothing for short cuts."""
    if look.male:
        return
    cap = _skull(flat, 7, 2)
    style = look.hair_style
    if style == 3:  # tied up
        knot = canvas.ellipse(6, -97, 20, 14)
        canvas.cover(look.hair * 0.9, knot)
        swirls = [
            spline([(-12 + 5 * k, -106), (2 + 4 * k, -100 + k), (14 + 3 * k, -88)]) for k in range(-1, 4)
        ]
        _strands(canvas, knot, look, rng, swirls)
        return
    end = (112.0, 62.0, 96.0)[style]
    wide = (74.0, 77.0, 80.0)[style]
    left = [(-wide, 40), (-wide + 2, 0.7 * end), (-wide + 10, end), (-48, end + 3), (-41, end - 8), (-40, 60)]
    for sign in (1, -1):
        side = np.array(left) * (sign, 1)
        top = np.array([(-40, 0), (-52, -60), (-66, -40), (-73, 0)]) * (sign, 1)
        lock = canvas.polygon(spline(np.concatenate([top, side]), closed=True))
        canvas.cover(look.hair * 0.86, lock)
        curves = []
        for x in np.linspace(42, wide, 22):
            wave = rng.normal(0, 1.2) + (3.0 if style == 2 else 0.8) * np.sin(
                np.arange(5) * 1.7 + rng.uniform(0, 2)
            )
            xs = -sign * (np.array([x, x + 2, x + 1, x - 2, x - 5]) + wave)
            curves.append(spline(np.stack([xs, np.linspace(-30, end, 5)], axis=1)))
        _strands(canvas, lock, look, rng, curves)
        canvas.lay(look.hair * 0.45, _rim(canvas, lock, 4.0), 0.5)
        canvas.lay(look.hair * 0.35, canvas.blob(-sign * 42, 50, 7, 34) * lock, 0.6)
    crown = canvas.polygon(spline(cap))
    canvas.cover(look.hair * 0.8, crown)


def _hairline(flat: Points, look: Look) -> Points:
    """Edge of the hair on the forehead, from the left temple to the right."""
    brow, top = flat[17:27, 1].min(), flat[92, 1]
    up = 19.0 * look.bald if look.male else 0.0
    temple = [(-53, 9), (-53.5, -14), (-50, -34)] if _short(look) else [(-60, 25), (-55, -6)]
    match (bool(look.male), look.hair_style):
        case (True, 0):  # straight
            half = [(-43, top + 6 - up), (-22, top + 3 - up), (0, top + 2 - 0.8 * up)]
        case (True, 1):  # parted to the side
            half = [(-43, top + 8 - up), (-30, top - 1 - up), (-8, top + 6 - up), (18, top + 9 - up)]
        case (True, _):  # higher at the temples
            half = [
                (-40, top - 4 - up * (1 + 0.72 * look.bald)),
                (-20, top - 3 - up),
                (0, top + 1 - 0.7 * up),
            ]
        case (False, 0):  # parted in the middle
            half = [(-45, -34), (-22, top + 4), (0, top - 12)]
        case (False, 1):  # fringe
            half = [(-48, brow - 9), (-24, brow - 12), (0, brow - 13)]
        case (False, 2):  # swept from a side parting
            half = [(-44, -36), (-28, top - 8), (-6, top + 2), (24, brow - 17)]
        case _:  # drawn back
            half = [(-41, top + 8), (-20, top - 2), (0, top - 4)]
    if half[-1][0] == 0:
        right = [(-x, y) for x, y in half[-2::-1]]
    else:
        right = [(43, top + 11 - up)] if look.male else [(46, brow - 7)]
    line = [*temple, *half, *right, *[(-x, y) for x, y in temple[::-1]]]
    edge = np.array(line, dtype=float)
    order = [98, 96, 95, 97, 99]
    skull = np.interp(edge[:, 0], flat[order, 0], flat[order, 1])
    edge[:, 1] = np.maximum(edge[:, 1], skull + 7)
    return edge


def _short(look: Look) -> bool:
    return bool(look.male) or look.hair_style == 3


def hair_pins(rest: Points, look: Look) -> Points:
    """Points (m, 3) of the hair and around the head, which no action unit moves."""
    line = _hairline(rest[:, :2], look)
    depth = 6 - 40 * (line[:, 0] / 56) ** 2 - 1.6 * np.maximum(-60 - line[:, 1], 0)
    around = [(x, y, -42) for x in (-92, 92) for y in (-115, -40, 20, 70, 134)]
    hanging = [(70, 20, -40), (70, -20, -40), (62, 48, -40), (48, 70, -24), (47, 90, -24), (60, 112, -40)]
    locks = [(s * x, y, z) for s in (-1, 1) for x, y, z in hanging[: 2 if _short(look) else None]]
    return np.concatenate([np.column_stack([line, depth]), around, locks, [(0, -115, -42), (0, 134, -30)]])


def _crop(rng: np.random.Generator) -> list[Points]:
    """Short hairs all over the skull, lying away from the crown."""
    curves = []
    for angle, far in zip(rng.uniform(-np.pi, 0.15 * np.pi, 620), rng.uniform(0, 1, 620), strict=True):
        angle = angle if rng.random() < 0.5 else np.pi - angle
        root = np.array([64 * far * np.cos(angle), -46 + 44 * far * np.sin(angle)])
        away = np.array([np.cos(angle), 0.6 * np.sin(angle) + 0.75]) + rng.normal(0, 0.12, 2)
        curves.append(spline([root, root + 4 * away, root + (7, 9) * away], per_piece=3))
    return curves


def front_hair(canvas: Canvas, flat: Points, look: Look, rng: np.random.Generator) -> NDArray[np.float32]:
    """Hair over the head; returns where it is, 0-1, as a plane."""
    short = _short(look)
    line = spline(_hairline(flat, look))
    cap = _skull(flat, 3 if short else 7, 1 if short else 2)
    if look.male and look.bald > 0.72:  # a wreath of hair
        side = flat[[100, 98]] - ((2.5, 0), (1.5, 1.5))
        wreath = np.array([(-53, 9), (-58, 2), *side, flat[98] + (5, 5), (-52, -38), (-52.5, -14)])
        mask = canvas.polygons([spline(wreath, closed=True), spline(wreath * (-1, 1), closed=True)], 0.8)
        canvas.cover(look.hair, mask * 0.9)
        _volume(canvas, mask, look)
        canvas.lay(look.light, canvas.blob(-14, -66, 14, 8, -0.3), 0.35)
        return canvas.full(mask)
    outer = spline(cap)
    mask = canvas.polygon(np.concatenate([outer, line[::-1]]), 0.5)
    # shade under the edge of the hair, then the hair
    below = canvas.polygon(np.concatenate([outer, line[::-1] + np.array([0, 3.0])]), 2.2)
    canvas.lay(look.shadow * 0.9, below, 0.5)
    canvas.cover(look.hair, mask)
    if look.male:
        _strands(canvas, mask, look, rng, _crop(rng), short=True)
        _volume(canvas, mask, look)
        return canvas.full(mask)
    parting = np.array({1: (-28.0, -84.0), 2: (-28.0, -86.0)}.get(look.hair_style, (0.0, -88.0)))
    curves = []
    for _ in range(110):
        target = line[rng.integers(len(line))] + rng.normal(0, 1.5, 2)
        start = parting + rng.normal(0, (9, 3))
        bend = 0.5 * (start + target) + np.array([np.sign(target[0] - start[0]) * 13, -9.0]) * rng.uniform(
            0.3, 1.2
        )
        curves.append(spline([start, bend, target]))
    for _ in range(110):
        k = rng.integers(2, len(outer) - 2)
        start = parting + rng.normal(0, (14, 3))
        bend = 0.5 * (start + outer[k]) * (1.1, 1.06)
        curves.append(spline([start, bend, outer[k]]))
    _strands(canvas, mask, look, rng, curves)
    _volume(canvas, mask, look)
    return canvas.full(mask)
