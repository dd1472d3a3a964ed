"""Slow re-implementations of the equations of saliency supervision, one number at a time."""

from __future__ import annotations

import numpy as np


def plain_sets(va, vp, vn, alpha):
    """Eq. 1 and 3 for one triplet: A, B (lists of units) and W by unit."""
    a, b = [], []
    for k in range(len(va)):
        if np.isnan(va[k]) or np.isnan(vp[k]) or np.isnan(vn[k]):
            continue
        (a if abs(va[k] - vp[k]) < alpha and abs(va[k] - vn[k]) >= alpha else b).append(k)
    total = sum(abs(va[k] - vn[k]) for k in a)
    return a, b, {k: abs(va[k] - vn[k]) / total for k in a}


def plain_local(gap_p, gap_n, a, b, w, o, sign):
    """Eqs. 2 and 4 for one triplet, from g(a, p) and g(a, n) by unit; sign -1 is as printed."""
    loss_a = sum(max(sign * (gap_p[k] - gap_n[k]) + o * w[k], 0) for k in a)
    loss_b = sum(max(-(sign * (gap_p[k] - gap_n[k]) + o / len(b)), 0) for k in b)
    return loss_a, loss_b


def plain_global(fa, fp, fn, o, beta, sign):
    """Eq. 6 for one triplet."""
    return max(sign * (np.linalg.norm(fa - fp) - np.linalg.norm(fa - fn)) + o * beta, 0)


def plain_histogram(values, bins, width):
    """Soft histogram, value by value."""
    counts = np.zeros(bins)
    for value in values:
        at = min(max(value, 0), 1) * (bins - 1)
        share = np.array([max(1 - abs(at - k) / width, 0) for k in range(bins)])
        counts += share / share.sum()
    return counts


def plain_patch(image, x, y, side):
    """Pixels of a patch that lie in the image."""
    found = []
    for dy in range(-(side // 2), side // 2 + 1):
        for dx in range(-(side // 2), side // 2 + 1):
            i, j = round(y) + dy, round(x) + dx
            if 0 <= i < image.shape[0] and 0 <= j < image.shape[1]:
                found.append(image[i, j])
    return found


def plain_hardest(features, levels):
    """Batch-hard triplets: (anchor, positive, negative) by exhaustive search."""
    found = []
    for i in range(len(levels)):
        apart = [np.linalg.norm(features[i] - other) for other in features]
        same = [j for j in range(len(levels)) if levels[j] == levels[i] and j != i]
        other = [j for j in range(len(levels)) if levels[j] != levels[i]]
        if same and other:
            found.append((i, max(same, key=lambda j: apart[j]), min(other, key=lambda j: apart[j])))
    return found


def plain_transposed(signal, weight, padding):
    """Transposed 3x3 convolution of (c, h, w) with (c, d, 3, 3): every input paints its kernel."""
    h, w = signal.shape[1:]
    out = np.zeros((weight.shape[1], h + 2, w + 2))
    for i in range(h):
        for j in range(w):
            out[:, i : i + 3, j : j + 3] += np.tensordot(signal[:, i, j], weight, axes=1)
    return out[:, padding : h + 2 - padding, padding : w + 2 - padding]
