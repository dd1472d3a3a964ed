"""Draw a simulated person's face as a colour image.

Skin, hair, nose and brows are painted once per person and then bent to the landmarks of each frame; furrows
of the acting units are added before bending, so they move with the skin. Eyes and mouth are drawn on top.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import RBFInterpolator
from scipy.spatial.distance import cdist

from painkit.errors import PainkitError
from painkit.simulation.action_units import MAX_INTENSITY, moved_points
from painkit.simulation.anatomy import Person, project, resting_points
from painkit.simulation.brush import Canvas
from painkit.simulation.look import look_of
from painkit.simulation.regions import SHORTCUT_REGION
from painkit.simulation.render_features import TEETH, draw_eyes, draw_mouth
from painkit.simulation.render_furrows import paint_furrows, unit_furrows
from painkit.simulation.render_hair import hair_pins
from painkit.simulation.render_head import TEXTURE_ORIGIN, TEXTURE_SCALE, paint_head
from painkit.simulation.render_scene import MARGIN, paint_torso, paint_wall
from painkit.vocabulary.action_units import AUS

__all__ = ["Renderer", "render"]

Image = NDArray[np.uint8]
Points = NDArray[np.float64]
_HEIGHT, _WIDTH = 240, 320
_STEP: Final = 5  # grid of the bending field, pixels of the image and units of the head alike
_FINE: Final = 2  # features are drawn this many times larger and then averaged
_REACH: Final = 34.0  # units from an anchor beyond which the skin stays
_TURNS: Final = 5  # fixed-point steps that invert the bending field
# The skin does not follow the upper lids (they glide over the eye) nor the inner lips (they part).
_BENDING: Final = np.setdiff1d(np.arange(106), [37, 38, 43, 44, *range(60, 66)])


class Renderer:
    """Draws one person; what does not change between frames is drawn once.

    Parameters
    ----------
    person : Person
    """

    def __init__(self, person: Person) -> None:
        self.person = person
        look = self._look = look_of(person)
        rest = resting_points(person)
        self._chin = float(rest[8, 1])
        head, bare = paint_head(rest, look)
        self._head = np.ascontiguousarray(np.clip(np.rint(head), 0, 255).astype(np.uint8).transpose(1, 2, 0))
        self._wall = paint_wall(look)
        self._torso = paint_torso(self._chin, look)
        self._furrows: list[tuple[int, tuple[slice, slice], Image, Image]] = []
        for au, furrows in unit_furrows(rest[:, :2]).items():
            painted = Canvas(head.copy(), *TEXTURE_ORIGIN, TEXTURE_SCALE)
            paint_furrows(painted, furrows, look, bare, 0.85 + 0.3 * look.age)
            change = (painted.planes - head).transpose(1, 2, 0)
            ys, xs = np.nonzero(np.abs(change).max(axis=2) > 0.5)
            part = np.s_[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
            lighter, darker = (
                np.ascontiguousarray(np.rint(np.clip(s * change[part], 0, 255)).astype(np.uint8))
                for s in (1, -1)
            )
            self._furrows.append((AUS.index(au), part, lighter, darker))
        self._pins = hair_pins(rest, look)
        self._still = np.concatenate([rest[_BENDING], self._pins])
        anchors = self._still[:, :2]
        self._design = np.linalg.pinv(np.column_stack([anchors, np.ones(len(anchors))]))
        # Rows of the head's own grid; displacement there = weights @ displacement of the anchors.
        columns = np.arange(TEXTURE_ORIGIN[0], TEXTURE_ORIGIN[0] + head.shape[2] / TEXTURE_SCALE + 1, _STEP)
        rows = np.arange(TEXTURE_ORIGIN[1], TEXTURE_ORIGIN[1] + head.shape[1] / TEXTURE_SCALE + 1, _STEP)
        grid = np.stack(np.meshgrid(columns, rows), axis=2)
        turning = RBFInterpolator(anchors, np.eye(len(anchors)), kernel="linear", degree=0)(
            grid.reshape(-1, 2)
        )
        self._weights = np.hstack([turning, _local_weights(grid.reshape(-1, 2), anchors)]).astype(np.float32)
        self._grid_shape = grid.shape[:2]
        middle = np.array([0.0, rest[[61, 64], 1].mean(), 0.0])
        self._teeth = (TEETH + middle).reshape(-1, 3)
        corners = rest[[36, 39, 42, 45]].reshape(2, 2, 3)
        self._eyes = corners.mean(axis=1) + np.array([0.0, -1.1, 4.0])

    def frame(self, aus: ArrayLike, pose: ArrayLike, *, shortcut: bool = False) -> Image:
        """Draw one frame.

        Parameters
        ----------
        aus : (15,) array
            Intensities 0-5 in the order of `AUS`.
        pose : (6,) array
            Yaw, pitch, roll in radians, tx, ty in pixels, scale.
        shortcut : bool
            Put the mark into `SHORTCUT_REGION`.

        Returns
        -------
        (240, 320, 3) uint8 array
            RGB.
        """
        aus, pose = np.asarray(aus, dtype=float), np.asarray(pose, dtype=float)
        if aus.shape != (len(AUS),) or pose.shape != (6,):
            raise PainkitError(f"units {aus.shape} with pose {pose.shape}", expected="(15,) with (6,)")
        solid = moved_points(self.person, aus[None])[0]
        teeth = self._teeth.copy()
        # The chin raiser lifts skin, not teeth.
        teeth[18:, 1] += max(float(solid[8, 1]) - self._chin, 0.0)
        parts = (solid[:66], teeth, self._eyes, solid[_BENDING], self._pins, self._still)
        flat = project(np.concatenate(parts)[None], pose[None])[0]
        points, bite, eyes, goal, rest = np.split(flat, np.cumsum([66, len(teeth), 2, len(self._still)]))
        image = self._scene(pose)
        self._lay_head(image, self._texture(aus), goal, rest)
        self._features(image, points, bite.reshape(*TEETH.shape[:2], 2), eyes, float(pose[5]))
        if shortcut:
            x0, y0, x1, y1 = SHORTCUT_REGION
            image[y0:y1, x0:x1] = (246, 206, 52)
            cv2.rectangle(image, (x0, y0), (x1 - 1, y1 - 1), (40, 36, 30), 1)
        return image

    def _scene(self, pose: Points) -> Image:
        # Shoulders follow the head only in part, by whole pixels.
        dx, dy = np.clip(np.round((0.75 * pose[3], 0.6 * pose[4])).astype(int), -MARGIN, MARGIN)
        image = self._wall.copy()
        part = self._torso[MARGIN - dy : MARGIN - dy + _HEIGHT, MARGIN - dx : MARGIN - dx + _WIDTH]
        top = 120
        image[top:] = _over(part[top:], image[top:])
        return image

    def _texture(self, aus: Points) -> Image:
        texture = self._head.copy()
        for column, part, lighter, darker in self._furrows:
            amount = aus[column] / MAX_INTENSITY
            if amount > 0:
                view = texture[part]
                cv2.addWeighted(view, 1, lighter, amount, 0, dst=view)
                cv2.addWeighted(view, 1, darker, -amount, 0, dst=view)
        return texture

    def _lay_head(self, image: Image, texture: Image, moved: Points, still: Points) -> None:
        """Bend the texture so that its anchors come to lie on `moved`, and lay it over the image.

        `still` is where pose alone would take the anchors; it gives the bending's affine part.
        """
        affine = self._design @ still
        turned = still - (self._still[:, :2] @ affine[:2] + affine[2])
        residual = np.concatenate([turned, moved - still])
        back = np.linalg.inv(affine[:2])
        # Pull the residual back into head units, so that the inversion below stays on the head's own grid.
        field = (self._weights @ (residual @ back).astype(np.float32)).reshape(*self._grid_shape, 2)
        # The pins surround all that is painted.
        left, top = np.floor(np.clip(moved.min(axis=0), 0, (_WIDTH - 8, _HEIGHT - 8))).astype(int)
        right, bottom = np.ceil(np.clip(moved.max(axis=0), (left + 4, top + 4), (_WIDTH, _HEIGHT))).astype(
            int
        )
        w, h = -(-(right - left) // _STEP), -(-(bottom - top) // _STEP)
        x = left + (np.arange(w) + 0.5) * _STEP - 0.5
        y = top + (np.arange(h) + 0.5) * _STEP - 0.5
        goal = (np.stack(np.meshgrid(x, y), axis=2) - affine[2]) @ back
        goal = ((goal - TEXTURE_ORIGIN) / _STEP).astype(np.float32)
        field /= _STEP
        at = goal
        for _ in range(_TURNS):
            at = goal - cv2.remap(field, at, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
        maps = cv2.resize(at * np.float32(_STEP * TEXTURE_SCALE) - np.float32(0.5), (w * _STEP, h * _STEP))
        maps = maps[: bottom - top, : right - left]
        layer = cv2.remap(texture, maps, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
        image[top:bottom, left:right] = _over(layer, image[top:bottom, left:right])

    def _features(self, image: Image, points: Points, teeth: Points, eyes: Points, size: float) -> None:
        close = _Close(image, points[36:48], 6 * size)
        draw_eyes(close.canvas, points, eyes, self._look, size)
        close.put_back()
        close = _Close(image, points[48:], 5 * size)
        draw_mouth(close.canvas, points, teeth, self._look, size)
        close.put_back()


class _Close:
    """A part of the image, enlarged for drawing fine things, and averaged back."""

    def __init__(self, image: Image, points: Points, margin: float) -> None:
        x0, y0 = np.clip(np.floor(points.min(axis=0) - margin).astype(int), 0, (_WIDTH - 2, _HEIGHT - 2))
        x1, y1 = np.clip(
            np.ceil(points.max(axis=0) + margin).astype(int), (x0 + 2, y0 + 2), (_WIDTH, _HEIGHT)
        )
        self._part = image[y0:y1, x0:x1]
        big = cv2.resize(self._part, None, fx=_FINE, fy=_FINE, interpolation=cv2.INTER_LINEAR).astype(
            np.float32
        )
        self._before = big
        # Pixel (x, y) covers the square around it, so the canvas starts half a pixel earlier.
        self.canvas = Canvas(np.stack(cv2.split(big)), x0 - 0.5, y0 - 0.5, _FINE)

    def put_back(self) -> None:
        change = cv2.merge(tuple(self.canvas.planes)) - self._before
        change = cv2.resize(change, self._part.shape[1::-1], interpolation=cv2.INTER_AREA)
        self._part[:] = np.clip(np.rint(self._part + change), 0, 255)


def _local_weights(grid: Points, anchors: Points) -> Points:
    """Interpolation weights (grid, anchors) of a compactly supported radial function (Wendland's C2).

    What a unit moves must not stir skin far from it.
    """

    def kernel(a: Points, b: Points) -> Points:
        r = np.minimum(cdist(a, b) / _REACH, 1)
        return np.asarray((1 - r) ** 4 * (4 * r + 1))

    return np.asarray(np.linalg.solve(kernel(anchors, anchors), kernel(grid, anchors).T).T, dtype=float)


def _over(layer: Image, below: Image) -> Image:
    """Lay premultiplied RGBA over RGB."""
    alpha = cv2.extractChannel(layer, 3)
    clear = cv2.cvtColor(cv2.bitwise_not(alpha, dst=alpha), cv2.COLOR_GRAY2RGB)
    kept = cv2.multiply(below, clear, dst=clear, scale=1 / 255)
    return np.asarray(cv2.add(kept, cv2.cvtColor(layer, cv2.COLOR_RGBA2RGB), dst=kept), dtype=np.uint8)


@lru_cache(maxsize=8)
def _renderer(person: Person) -> Renderer:
    return Renderer(person)


def render(
    person: Person,
    aus: ArrayLike,
    pose: ArrayLike,
    *,
    size: tuple[int, int] = (_HEIGHT, _WIDTH),
    shortcut: bool = False,
) -> Image:
    """Draw one frame.

    Parameters
    ----------
    person : Person
    aus : (15,) array
        Intensities 0-5 in the order of `AUS`.
    pose : (6,) array
        Yaw, pitch, roll in radians, tx, ty in pixels, scale.
    size : (height, width)
        The picture is drawn at 240x320 and resized when another size is asked for.
    shortcut : bool
        Put the mark into `SHORTCUT_REGION`.

    Returns
    -------
    (height, width, 3) uint8 array
        RGB. The same input gives the same bytes.
    """
    image = _renderer(person).frame(aus, pose, shortcut=shortcut)
    if size == (_HEIGHT, _WIDTH):
        return image
    return np.asarray(cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA), dtype=np.uint8)
