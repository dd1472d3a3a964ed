"""Maps read by parts of the face: shares by hand, their spread by hand, and the sentence."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from painkit.attribution.pixel_maps import pixel_maps
from painkit.attribution.region_reading import RegionReading, read_regions, region_shares
from painkit.errors import PainkitError
from painkit.faces.regions import PARTS, part_masks, unit_masks
from painkit.models.nets.face_net import PainNet
from painkit.simulation.anatomy import MEAN_FACE
from painkit.vocabulary.classes import EXPRESSIONS

SIZE = (60, 48)
FACE = MEAN_FACE[:, :2] / 4 + (24, 26)


def net(dropout: float = 0.5) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(3, 4, 3, stride=3), relu=nn.ReLU(), flatten=nn.Flatten(),
            fc1=nn.Linear(4 * 320, 12), relu1=nn.ReLU(), drop=nn.Dropout(dropout), fc2=nn.Linear(12, 3),
        )
    ).double()  # fmt: skip


X = torch.randn(3, 3, *SIZE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
LANDMARKS = np.stack([FACE, FACE + 1, np.full((66, 2), np.nan)])


def test_shares_are_sums_over_the_parts_pixels() -> None:
    rng = np.random.default_rng(0)
    heatmaps = rng.normal(size=(2, *SIZE)).astype(np.float32)
    table = region_shares(heatmaps, LANDMARKS[:2])
    for image, heatmap in enumerate(heatmaps.astype(np.float64)):
        masks = {("part", k): v for k, v in part_masks(LANDMARKS[image], SIZE).items()}
        masks |= {("unit", f"AU{k}"): v for k, v in unit_masks(LANDMARKS[image], SIZE).items()}
        own = table[table["image"] == image].set_index(["kind", "name"])
        assert list(own.index) == list(masks)
        for row, mask in masks.items():
            up, down = heatmap.clip(min=0), (-heatmap).clip(min=0)
            assert own.loc[row, "positive"] == pytest.approx(up[mask].sum() / up.sum())
            assert own.loc[row, "negative"] == pytest.approx(down[mask].sum() / down.sum())
            assert own.loc[row, "area"] == pytest.approx(mask.mean())
        parts = own.loc["part"]
        assert parts["positive"].sum() == pytest.approx(1)
        assert parts["negative"].sum() == pytest.approx(1)


def test_relevance_in_one_place_is_read_there() -> None:
    heatmap = np.zeros(SIZE)
    heatmap[part_masks(FACE, SIZE)["nose"]] = 2.0
    own = region_shares(heatmap[None], FACE[None]).set_index("name")
    assert own.loc["nose", "positive"] == 1
    assert own.loc["brows", "positive"] == 0
    assert np.isnan(own.loc["nose", "negative"])  # nothing is negative


def test_images_without_landmarks_are_masked() -> None:
    table = region_shares(np.ones((3, *SIZE)), LANDMARKS)
    assert table.query("image == 2")[["positive", "negative", "area"]].isna().all(axis=None)
    assert table.query("image < 2")["positive"].notna().all()
    assert len(table.query("image == 2")) == len(table.query("image == 1"))


def test_noise_disturbs_as_it_says() -> None:
    found = read_regions(
        net(), X, LANDMARKS, "LRPZ", outputs=EXPRESSIONS, uncertainty="noise", n_samples=6, noise=0.2, seed=3
    )
    own = pixel_maps(net(), X, "LRPZ")
    np.testing.assert_array_equal(found.maps.relevance, own.relevance)
    generator = torch.Generator().manual_seed(3)
    shares, scores, kept, alike = [], [], [], []
    for _ in range(6):
        spread = torch.stack([0.2 * (image.max() - image.min()) for image in X])[:, None, None, None]
        moved = X + spread * torch.randn(X.shape, generator=generator, dtype=X.dtype)
        maps = pixel_maps(net(), moved, "LRPZ", own.target)
        shares.append(region_shares(maps.heatmaps, LANDMARKS)["positive"])
        scores.append(maps.logits[np.arange(3), own.target])
        kept.append(maps.logits.argmax(axis=1) == own.logits.argmax(axis=1))
        alike.append(
            [
                spearmanr(a.ravel(), b.ravel()).statistic
                for a, b in zip(own.heatmaps, maps.heatmaps, strict=True)
            ]
        )
    low, high = np.quantile(shares, [0.025, 0.975], axis=0)
    np.testing.assert_allclose(found.shares["positive_low"], low)
    np.testing.assert_allclose(found.shares["positive_high"], high)
    np.testing.assert_allclose(found.stability["score_sd"], np.std(scores, axis=0, ddof=1))
    np.testing.assert_allclose(found.stability["kept"], np.mean(kept, axis=0))
    np.testing.assert_allclose(found.stability["map_correlation"], np.mean(alike, axis=0))


def test_dropout_disturbs_by_its_seed_and_nothing_else() -> None:
    one = net()
    before = torch.get_rng_state()
    first, again, other = (read_regions(one, X, LANDMARKS, "LRPZ", n_samples=4, seed=s) for s in (1, 1, 2))
    pd.testing.assert_frame_equal(first.shares, again.shares)
    assert not first.shares.equals(other.shares)
    assert (first.stability["score_sd"] > 0).all()
    assert torch.equal(before, torch.get_rng_state())
    known = first.shares.dropna()
    assert (known["positive_low"] <= known["positive_high"]).all()


def test_passes_without_relevance_of_a_sign_do_not_undo_the_interval() -> None:
    torch.manual_seed(0)
    # In about half of the passes dropout takes the one unit that all relevance goes through.
    one = nn.Sequential(
        nn.Flatten(), nn.Linear(3 * 60 * 48, 1), nn.ReLU(), nn.Dropout(0.5), nn.Linear(1, 2)
    ).double()
    one[1].bias.data.fill_(5.0)
    found = read_regions(one, X[:1], LANDMARKS[:1], "LRPZ", 0, n_samples=10)
    own = found.shares.query("kind == 'part'")
    for sign in ("positive", "negative"):  # no share but that of the net as it is
        np.testing.assert_allclose(own[f"{sign}_low"], own[sign])
        np.testing.assert_allclose(own[f"{sign}_high"], own[sign])


def test_a_level_is_read_too() -> None:
    torch.manual_seed(0)
    x = torch.randn(1, 3, 112, 96)
    face = MEAN_FACE[None, :, :2] / 2 + (48, 56)
    found = read_regions(PainNet(1 / 32), x, face, outputs=["pain level"], n_samples=3)
    assert np.isnan(found.stability["kept"]).all()
    assert "For *pain level*, the " in found.sentence(0)
    assert "the score varies by" in found.sentence(0)


def hand_made(uncertainty: str | None) -> RegionReading:
    maps = pixel_maps(net(), X, "LRPZ", [0, 1, 2])
    shares = dict.fromkeys(PARTS, 0.05) | {"brows": 0.31, "nose": 0.224}
    table = pd.DataFrame(
        [
            (image, "part", name, share, 0.1, 0.2, share - 0.04, share + 0.03)
            for image in (0, 1)
            for name, share in shares.items()
        ],
        columns=["image", "kind", "name", "positive", "negative", "area", "positive_low", "positive_high"],
    )
    table = pd.concat([table, table.query("image == 0").assign(image=2, area=np.nan)])
    table.loc[table["image"] == 1, "positive"] = np.nan
    stability = pd.DataFrame(
        {
            "target": [0, 1, 2],
            "highest": [1, 1, 2],
            "kept": 0.9,
            "score": 2.0,
            "score_sd": 0.5,
            "map_correlation": 0.834,
        }
    )
    return RegionReading(maps, table, stability, EXPRESSIONS, uncertainty, 20)


def test_the_sentence() -> None:
    assert hand_made(None).sentence(0) == (
        "For *pain*, the brows carry 31 % and the nose 22 % of the positive relevance."
    )
    assert hand_made("dropout").sentence(0) == (
        "For *pain*, the brows carry 31 % (27 to 34 %) and the nose 22 % (18 to 25 %) of the positive "
        "relevance; over 20 passes with Monte-Carlo dropout disgust stays the highest score in 90 %, and the "
        "maps keep a rank correlation of 0.83 with this one."
    )
    assert "20 passes with input noise" in hand_made("noise").sentence(0)
    assert (
        hand_made(None)
        .sentence(0, parts=3)
        .startswith("For *pain*, the brows carry 31 %, the nose 22 % and the ")
    )
    assert hand_made("dropout").sentence(1) == "No pixel speaks for *disgust*."
    assert hand_made("dropout").sentence(2).startswith("Without landmarks, the map for *happiness*")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"outputs": ["pain"]}, "1 names for 3 outputs"),
        ({"uncertainty": "both"}, "uncertainty='both'"),
        ({"n_samples": 1}, "n_samples=1"),
        ({"uncertainty": "noise", "noise": 0.0}, "noise=0.0"),
        ({"landmarks": LANDMARKS[:2]}, "2 sets of landmarks for 3 images"),
        ({"model": net(0.0)}, "no dropout to leave on.*uncertainty='noise'"),
    ],
)
def test_settings_that_mean_nothing_are_refused(settings: dict, message: str) -> None:
    given = {"model": net(), "x": X, "landmarks": LANDMARKS, "method": "LRPZ"} | settings
    with pytest.raises(PainkitError, match=message):
        read_regions(**given)
