"""The landmark explorer as a person meets it."""

import io
import re

import numpy as np
import pandas as pd
from looks import SLIDER, in_one_row, place, saved, set_width

CONTROLS = {
    ("slider", "frame"),
    ("button", "Play"),
    ("button", "previous subject"),
    ("button", "next sequence"),
    ("combobox", "subject"),
    ("combobox", "colour range of the"),
    ("radio", "VAS"),
    ("radio", "average face"),
    ("checkbox", "x and y as vectors"),
    ("button", "save as CSV"),
}


def parts_have_their_places(explorer):
    """On a wide page."""
    set_width(explorer.page, 1400)
    assert in_one_row(explorer, ".pk-controls")
    face, play, right, trace = (
        place(explorer, f".pk-{name}") for name in ("large", "player", "right", "trace")
    )
    whole = explorer.bounding_box()["width"]
    assert face[2] - face[0] > 0.45 * whole
    assert face[3] - face[1] > 500
    assert play[1] >= face[3]
    assert (play[0], play[2]) == (face[0], face[2])
    assert right[0] > face[2]
    for part in (".pk-bars", "dl"):
        box = place(explorer, f".pk-right {part}")
        assert right[0] <= box[0] < box[2] <= right[2]
    assert trace[1] >= max(play[3], right[3])
    assert trace[2] - trace[0] > 0.98 * whole
    facts = "frame estimate, PSPI (0-16), action units, reported, Gaussian process, subject"
    assert ", ".join(explorer.locator("dt").all_text_contents()) == facts
    assert explorer.locator(".pk-trace text[transform]").text_content() == "VAS 0-10"
    assert explorer.locator(".pk-trace .pk-band").count() == 2  # one in the legend
    # On a narrow one the columns stand below each other.
    set_width(explorer.page, 420)
    assert place(explorer, ".pk-right")[1] >= place(explorer, ".pk-left")[3]
    set_width(explorer.page, 1400)


# The subjects chosen, in words of the choosers and, once the kernel answered, of the maps.
SIDE_BY_SIDE = """expected => {
  const chosen = [...document.querySelectorAll(".pk-maps select")].map(one => one.value);
  const drawn = [...document.querySelectorAll(".pk-map")].filter(one => one.checkVisibility());
  const subjects = expected.filter(one => one !== "none");
  return chosen.join() === expected.join() && drawn.length === subjects.length
    && drawn.every((one, i) => one.getAttribute("aria-label").includes(`of ${subjects[i]}:`));
}"""


def up_to_four_subjects_stand_side_by_side(explorer):
    first, second, *others = explorer.locator(".pk-maps select").evaluate_all(
        "all => all.map(one => one.value)"
    )
    assert len(others) == 2
    explorer.page.wait_for_function(SIDE_BY_SIDE, arg=[first, second, *others])
    explorer.get_by_label("2. subject").select_option("none")
    explorer.page.wait_for_function(SIDE_BY_SIDE, arg=[first, *others, "none"])
    explorer.get_by_label("4. subject").select_option(second)
    explorer.page.wait_for_function(SIDE_BY_SIDE, arg=[first, *others, second])


def a_frame_is_told_in_words(explorer):
    words = explorer.locator(SLIDER).get_attribute("aria-valuetext")
    assert re.fullmatch(r"frame \d+, \d+ of \d+; estimate .* VAS; PSPI .*; largest contribution .*", words)


def frame_shown(explorer):
    return int(re.match(r"frame (\d+)", explorer.locator(".pk-player output").inner_text())[1])


def tracked_rows(cohort, subject, sequence):
    rows = cohort.rows_of(subject, sequence)
    return rows[cohort.frames["tracked"].to_numpy()[rows]]


def keys_move_the_frame(explorer, result):
    subject, sequence = (
        explorer.get_by_label(name, exact=True).input_value() for name in ("subject", "sequence")
    )
    numbers = result.cohort.frames["frame"].to_numpy()[tracked_rows(result.cohort, subject, sequence)]
    explorer.locator(SLIDER).focus()
    shown = []
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowLeft", "PageUp", "End", "ArrowRight"):
        explorer.page.keyboard.press(key)
        shown.append(frame_shown(explorer))
    assert shown == [*numbers[[0, 1, 2, 1, 11, -1, -1]]]
    explorer.page.keyboard.press("Home")
    explorer.page.keyboard.press("Space")
    explorer.get_by_role("button", name="Pause").wait_for()
    explorer.page.keyboard.press("Space")
    explorer.get_by_role("button", name="Play").wait_for()
    explorer.page.keyboard.press("Home")


def arrow_keys_stay_with_the_slider(explorer):
    explorer.locator(SLIDER).focus()
    explorer.page.keyboard.press("ArrowDown")
    assert explorer.locator(SLIDER).evaluate("slider => slider === document.activeElement")
    assert explorer.locator(".jp-Notebook.jp-mod-editMode").count() == 0


def told_by_points(explorer):
    words = explorer.locator(".pk-large circle title").evaluate_all("all => all.map(one => one.textContent)")
    return np.array([float(re.search(r": ([+−]?[\d.]+)", one)[1].replace("−", "-")) for one in words])


def here(explorer, result, frame):
    subject, sequence = (
        explorer.get_by_label(name, exact=True).input_value() for name in ("subject", "sequence")
    )
    rows = tracked_rows(result.cohort, subject, sequence)
    return rows, rows[frame]


def colours_and_bars_are_the_contributions(explorer, result):
    explorer.locator(SLIDER).focus()
    for frame in (0, 1):
        rows, row = here(explorer, result, frame)
        scores = result.contributions["vas"].scores
        np.testing.assert_allclose(told_by_points(explorer), scores[row], atol=5.1e-4)
        values = explorer.locator(".pk-bars").first.locator(".pk-row text:last-child").all_text_contents()
        largest = np.sort(np.abs(scores[row]))[::-1]
        np.testing.assert_allclose(
            [abs(float(value.replace("−", "-"))) for value in values], largest[: len(values)], atol=5.1e-4
        )
        explorer.page.keyboard.press("ArrowRight")
    # One range for the sequence: a frame has the deepest colour only where its range is its own.
    assert np.abs(scores[here(explorer, result, 2)[1]]).max() < 0.9 * np.abs(scores[rows]).max()
    deepest = {"rgb(103,0,31)", "rgb(5,48,97)"}
    assert deepest.isdisjoint(fills(explorer))
    explorer.get_by_label("colour range").select_option("frame")
    assert not deepest.isdisjoint(fills(explorer))
    explorer.get_by_label("colour range").select_option("sequence")


def fills(explorer):
    return explorer.locator(".pk-large circle").evaluate_all(
        "all => all.map(one => one.getAttribute('fill'))"
    )


def the_average_face_is_a_photo(explorer):
    for background in ("average face", "frame"):
        explorer.get_by_role("radio", name=background, exact=True).check()
        explorer.locator(".pk-large .pk-on-photo").wait_for(state="attached")
        seen = explorer.locator(".pk-photo").evaluate(
            "photo => new Set(new Uint32Array(photo.getContext('2d').getImageData("
            "0, 0, photo.width, photo.height).data.buffer)).size"
        )
        assert seen > 1000
    maps = explorer.locator(".pk-map").filter(visible=True)
    assert maps.locator("image").count() == maps.count() > 0


def vectors_point_along_the_contributions(explorer, result):
    explorer.get_by_label("x and y as").check()
    drawn = re.findall(r"l([-\d.e]+),([-\d.e]+)", explorer.locator(".pk-arrows").get_attribute("d"))
    along = result.contributions["vas"].vectors[here(explorer, result, 2)[1]].astype(float) @ [1, 1j]
    strokes = np.array(drawn, float) @ [1, 1j]
    np.testing.assert_allclose(np.angle(strokes / along), 0, atol=1e-4)
    explorer.get_by_label("x and y as").uncheck()


def a_click_on_the_trace_goes_to_the_frame(explorer):
    box = explorer.locator(".pk-trace").bounding_box()
    last = int(explorer.locator(SLIDER).get_attribute("max"))
    for share, expected in ((0.999, last), (0.001, 0)):
        explorer.page.mouse.click(box["x"] + share * box["width"], box["y"] + box["height"] / 2)
        assert explorer.locator(SLIDER).input_value() == str(expected)


def play_ends_at_the_last_frame(explorer):
    last = int(explorer.locator(SLIDER).get_attribute("max"))
    explorer.locator(SLIDER).focus()
    explorer.page.keyboard.press("End")
    explorer.page.keyboard.press("PageDown")
    explorer.page.keyboard.press("Space")
    explorer.get_by_role("button", name="Pause").wait_for()
    explorer.get_by_role("button", name="Play").wait_for()
    assert explorer.locator(SLIDER).input_value() == str(last)


def pictures_and_tables_are_saved(explorer, result):
    picture, words, table = saved(explorer, "042-ll042-ll042t1aaaff")
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 10_000  # the face, too
    assert "Simulated cohort" in words
    assert "contribution of a landmark, VAS 0-10" in words
    table = pd.read_csv(io.BytesIO(table))
    rows, _ = here(explorer, result, 0)
    np.testing.assert_allclose(
        table["contribution"], result.contributions["vas"].scores[rows].ravel(), rtol=1e-5, atol=1e-6
    )
    assert table["simulated"].all()


def other_sequences_are_opened(explorer, result):
    explorer.get_by_role("button", name="next subject").click()
    explorer.page.wait_for_function(
        "document.querySelector('.pk-root select[id*=-sequence]').value.startsWith('ak064')"
    )
    explorer.get_by_role("button", name="next sequence").click()
    explorer.get_by_label("OPI", exact=True).check()
    explorer.get_by_text("contribution to the estimate, OPI 0-5").wait_for()
    rows, row = here(explorer, result, 0)
    assert explorer.locator(SLIDER).get_attribute("max") == str(len(rows) - 1)
    np.testing.assert_allclose(told_by_points(explorer), result.contributions["opi"].scores[row], atol=5.1e-4)
    explorer.get_by_label("of", exact=True).select_option("action units")
    assert "AU4 brow lowerer" in explorer.locator(".pk-bars").first.text_content()
