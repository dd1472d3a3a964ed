"""The pixel explorer as a person meets it."""

import base64
import io

import cv2
import numpy as np
import pandas as pd
from looks import SLIDER, in_one_row, place, saved, set_width

from painkit.attribution.lrp import Preset
from painkit.attribution.pixel_maps import pixel_maps
from painkit.attribution.region_reading import region_shares

CONTROLS = {
    ("slider", "image"),
    ("slider", "opacity of the map"),
    ("button", "Play"),
    ("button", "next image"),
    ("combobox", "true class"),
    ("combobox", "predicted class"),
    ("combobox", "model"),
    ("combobox", "class explained"),
    ("combobox", "uncertainty by"),
    ("radio", "LRPPresetBFlat"),
    ("radio", "guided backpropagation"),
    ("radio", "negative"),
    ("spinbutton", "alpha"),
    ("spinbutton", "epsilon"),
    ("checkbox", "flat first layer"),
    ("checkbox", "side by side"),
    ("checkbox", "outline the true regions"),
    ("button", "save as PNG"),
}


RED_BLUE = bytes.fromhex("053061 2166ac 4393c3 92c5de d1e5f0 f7f7f7 fddbc7 f4a582 d6604d b2182b 67001f")
COLOURS = np.frombuffer(RED_BLUE, np.uint8).reshape(11, 3)


STEP = 4  # of 255: colours come in 255 steps from blue to red


def coloured(values, whole=None):
    """Colours (height, width, 3) of a map: the deepest for the strongest half percent of the whole."""
    strongest = np.quantile(np.abs(values if whole is None else whole), 0.995)
    share = np.clip(0.5 + values / strongest / 2, 0, 1)
    return np.stack([np.interp(share, np.linspace(0, 1, 11), COLOURS[:, i]) for i in range(3)], axis=-1)


def wait_for_map(explorer, title=""):
    """Wait until the first map is there, and no other is being made."""
    explorer.locator(f".pk-large[aria-label*='Map: {title}']").first.wait_for()
    explorer.page.wait_for_function("!document.querySelector('.pk-panel[aria-busy=true]')")


def panel(explorer, name="first"):
    return explorer.get_by_role("group", name=f"{name} map")


def picture(explorer, number=0):
    """What the map's canvas shows in the middle of each pixel of the image: (48, 48, 3) RGB."""
    address = explorer.locator("canvas").nth(number).evaluate("canvas => canvas.toDataURL()")
    image = cv2.imdecode(np.frombuffer(base64.b64decode(address.split(",")[1]), np.uint8), cv2.IMREAD_COLOR)
    rows, columns = (((np.arange(48) + 0.5) * n / 48).astype(int) for n in image.shape[:2])
    return image[rows][:, columns, ::-1].astype(float)


def shown_row(explorer, record):
    place = int(explorer.locator(SLIDER).input_value())
    return int(record.errors_first("net 1")[place])


def heatmap(explorer, record, method, target=None, model="net 1"):
    row = shown_row(explorer, record)
    return pixel_maps(record.models[model], record.to_input(record.images[[row]]), method, target).heatmaps[0]


def parts_have_their_places(explorer):
    """On a wide page, one map."""
    set_width(explorer.page, 1400)
    assert in_one_row(explorer, ".pk-controls")
    names = ("large", "settings", "right")
    image, settings, right = (place(panel(explorer), f".pk-{name}") for name in names)
    assert image[2] - image[0] > 500
    assert settings[0] == right[0] > image[2]
    assert settings[3] < right[1]
    assert place(explorer, ".pk-player")[3] < image[1]
    assert panel(explorer).locator(".pk-truth path").count() > 0
    explorer.get_by_label("outline the true regions").uncheck()
    assert not panel(explorer).locator(".pk-truth").is_visible()
    explorer.get_by_label("outline the true regions").check()


def colours_are_the_map(explorer, record):
    """At full opacity the map alone is seen, at none the image alone; a sign can be left out."""
    panel(explorer).get_by_label("LRPZ", exact=True).check()
    wait_for_map(explorer, "LRPZ")
    opacity = explorer.get_by_label("opacity of the map")
    opacity.fill("1")
    values = heatmap(explorer, record, "LRPZ")
    for name, left in (("positive", values.clip(min=0)), ("negative", values.clip(max=0)), ("both", values)):
        explorer.get_by_label(name, exact=True).check()
        np.testing.assert_allclose(picture(explorer), coloured(left, values), atol=STEP)
    opacity.fill("0")
    alone = picture(explorer) - record.images[shown_row(explorer, record)]
    assert np.abs(alone).mean() < 5  # enlarged smoothly
    opacity.fill("0.6")


def bars_and_words_are_the_shares(explorer, record):
    row = shown_row(explorer, record)
    shares = region_shares(heatmap(explorer, record, "LRPZ")[None], record.landmarks[[row]])
    for division, kind in (("action units", "unit"), ("facial regions", "part")):
        explorer.get_by_label("shares of", exact=True).select_option(division)
        explorer.page.wait_for_function(
            "word => document.querySelector('.pk-panel .pk-bars').textContent.includes(word)",
            arg="AU4" if kind == "unit" else "brows",
        )
        rows = panel(explorer).locator(".pk-bars .pk-row")
        told = dict(zip(rows.evaluate_all("all => all.map(one => one.dataset.part.split(' ')[0])"),
                        rows.locator("text:last-child").all_text_contents(), strict=True))  # fmt: skip
        own = shares[shares["kind"] == kind].set_index("name")
        assert told.keys() == {*own.index}
        for name, words in told.items():
            numbers = [float(one.replace("−", "-")) for one in words.split(" / ")]
            expected = [100 * own.loc[name, "positive"], -100 * own.loc[name, "negative"]]
            np.testing.assert_allclose(numbers, expected, atol=0.051)
    assert "of the positive relevance" in panel(explorer).inner_text()
    assert "Monte-Carlo dropout" in panel(explorer).inner_text()


def rules_can_be_set_freely(explorer, record):
    alpha = panel(explorer).get_by_label("alpha", exact=True)
    panel(explorer).get_by_label("LRPPresetAFlat", exact=True).check()
    assert alpha.input_value() == "1"
    alpha.fill("1.5")
    alpha.press("Enter")
    assert panel(explorer).get_by_label("beta", exact=True).input_value() == "0.5"
    wait_for_map(explorer, "LRP with epsilon 0.1, alpha 1.5, beta 0.5, flat True")
    assert panel(explorer).locator("input[type=radio]:checked").count() == 0
    values = heatmap(explorer, record, Preset(epsilon=0.1, alpha=1.5, beta=0.5, flat=True))
    explorer.get_by_label("opacity of the map").fill("1")
    np.testing.assert_allclose(picture(explorer), coloured(values), atol=STEP)
    explorer.get_by_label("opacity of the map").fill("0.6")
    panel(explorer).get_by_label("gradient", exact=True).check()
    assert alpha.is_disabled()
    panel(explorer).get_by_label("LRPPresetAFlat", exact=True).check()


def keys_move_the_image(explorer, record):
    slider = explorer.locator(SLIDER)
    slider.focus()
    shown = []
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowLeft", "PageUp", "End", "ArrowRight"):
        explorer.page.keyboard.press(key)
        shown.append(int(slider.input_value()))
    last = len(record.images) - 1
    assert shown == [0, 1, 2, 1, last, last, last]
    explorer.page.keyboard.press("Home")
    row = record.errors_first("net 1")[0]
    assert slider.get_attribute("aria-valuetext").startswith("image 1 of 9; s")
    words = f"{record.classes[record.true[row]]}, taken for {record.classes[record.predicted('net 1')[row]]}"
    explorer.locator(".pk-caption", has_text=words).wait_for()


def images_are_chosen_by_class(explorer, record):
    explorer.get_by_label("true class", exact=True).select_option("pain")
    explorer.locator("output", has_text=f"of {(record.true == 0).sum()}").wait_for()
    explorer.get_by_label("predicted class", exact=True).select_option("disgust")
    explorer.locator(".pk-caption", has_text="No image is like that").wait_for()
    for name in ("true class", "predicted class"):
        explorer.get_by_label(name, exact=True).select_option("any")
    explorer.locator("output", has_text=f"image 1 of {len(record.images)}").wait_for()


def two_maps_stand_side_by_side(explorer, record):
    explorer.get_by_label("side by side").check()
    second = panel(explorer, "second")
    second.get_by_label("model").select_option("net 2")
    second.get_by_label("class explained").select_option("happiness")
    second.get_by_label("gradient", exact=True).check()
    second.locator(".pk-large[aria-label*='Map: gradient for happiness, net 2']").wait_for()
    wait_for_map(explorer)
    assert "LRPPresetAFlat" in panel(explorer).locator(".pk-large").get_attribute("aria-label")
    values = heatmap(explorer, record, "gradient", 2, "net 2")
    explorer.get_by_label("opacity of the map").fill("1")
    np.testing.assert_allclose(picture(explorer, 1), coloured(values), atol=STEP)
    explorer.get_by_label("opacity of the map").fill("0.6")


def pictures_and_tables_are_saved(explorer, record):
    frame = record.frames.iloc[shown_row(explorer, record)]
    begins = f"{frame['subject']}-{frame['sequence']}-frame"
    picture, words, table = saved(explorer, begins)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10_000  # the images, too
    assert "Simulated cohort" in words
    assert "LRPPresetAFlat for" in words
    assert "gradient for happiness, net 2" in words
    table = pd.read_csv(io.BytesIO(table))
    assert [*table["method"].unique()] == ["LRPPresetAFlat", "gradient"]
    assert table["simulated"].all()
