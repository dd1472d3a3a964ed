"""Numbers of 16 characters each, as MATLAB's ``save -ascii`` writes them and the archive holds them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fixed_width_rows"]

#: "   1.2345678e+02": two spaces, sign or space, digit, point, seven digits, e, sign, two digits.
_WIDTH = 16
_DIGITS = (3, 5, 6, 7, 8, 9, 10, 11, 14, 15)
_SPACE, _PLUS, _MINUS, _POINT, _ZERO, _E = b" +-.0e"
# Powers that a double holds exactly: dividing whole numbers by them rounds once, as strtod does.
_POWERS = 10.0 ** np.arange(23)


def fixed_width_rows(files: list[bytes], width: int) -> tuple[NDArray[np.float32], NDArray[np.int64]] | None:
    """Read many files of rows of `width` numbers by arithmetic on their characters.

    Returns
    -------
    (n_rows, width) float32 and (len(files),) rows of each file, or None
        None unless every character of every file is where this format has it.
    """
    length = _WIDTH * width + 1
    sizes = np.fromiter(map(len, files), np.int64, len(files))
    if not len(files) or (sizes == 0).any() or (sizes % length).any():
        return None
    lines = np.frombuffer(b"".join(files), np.uint8).reshape(-1, length)
    if (lines[:, -1] != ord("\n")).any():
        return None
    text = np.ascontiguousarray(lines[:, :-1].reshape(-1, _WIDTH).T)
    digits = text[list(_DIGITS)] - np.uint8(_ZERO)  # what lies below "0" wraps round to above 9
    negative, shrinking = text[2] == _MINUS, text[13] == _MINUS
    in_place = (
        digits.max() <= 9
        and (text[:2] == _SPACE).all()
        and (negative | (text[2] == _SPACE)).all()
        and (text[4] == _POINT).all()
        and (text[12] == _E).all()
        and (shrinking | (text[13] == _PLUS)).all()
    )
    if not in_place:
        return None
    mantissa = digits[0].astype(np.int32)
    for digit in digits[1:8]:
        mantissa = 10 * mantissa + digit
    exponent = digits[8].astype(np.int32) * 10 + digits[9]
    shift = 7 + np.where(shrinking, exponent, -exponent)  # the mantissa was read without its point
    if shift.max() > 22 or shift.min() < -14:
        return None
    values = mantissa / _POWERS[np.maximum(shift, 0)] * _POWERS[np.maximum(-shift, 0)]
    values = np.where(negative, -values, values).astype(np.float32)
    return values.reshape(-1, width), sizes // length
