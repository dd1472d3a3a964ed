"""Both explorers as a person meets them, in JupyterLab (dark) and in Voila (light).

They stand in one notebook, so that each server and its kernel start once.
"""

import os
import re
import tempfile
from pathlib import Path

import landmark_page
import pixel_page
import pytest
from browsing import CHROMIUM, browsed, uploads
from explanations import linear
from looks import brightness, names_of_controls, nothing_overlaps, tab_reaches_every_control
from pixel_records import drawn_faces
from served import FIGURES, LAB, LANDMARKS, PIXELS, VOILA, explorer_site, run_in_lab, served

pytestmark = [
    pytest.mark.browser,
    pytest.mark.notebook,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]

# What the browser shows, for whoever wants to see it.
PICTURES = Path(os.environ.get("PAINKIT_SCREENSHOTS", tempfile.gettempdir()))


@pytest.fixture(scope="module")
def result(smoke):
    return linear(smoke)


@pytest.fixture(scope="module")
def record():
    return drawn_faces()


@pytest.fixture
def site(tmp_path, smoke):
    def write(*, dark):
        return explorer_site(
            tmp_path, LANDMARKS.format(root=str(smoke)), PIXELS.format(settings=""), FIGURES, dark=dark
        )

    return write


def both(page):
    """The explorers, once what they show first is drawn."""
    page.wait_for_selector(".pk-large .pk-on-photo", state="attached")
    landmarks, pixels = (
        page.get_by_role("region", name=f"{kind} explorer") for kind in ("Landmark", "Pixel")
    )
    pixel_page.wait_for_map(pixels)
    return landmarks, pixels


def everything_at_once(landmarks, pixels, shown):
    landmarks.get_by_label("what really moved").set_checked(shown)
    landmarks.get_by_label("of", exact=True).select_option("action units" if shown else "landmarks")
    pixels.get_by_label("shares of", exact=True).select_option("action units" if shown else "facial regions")
    pixels.get_by_label("side by side").set_checked(shown)
    pixel_page.wait_for_map(pixels)


def controls_are_named_and_reached_by_tab(landmarks, pixels):
    for explorer, its_page in ((landmarks, landmark_page), (pixels, pixel_page)):
        assert names_of_controls(explorer) >= its_page.CONTROLS
        tab_reaches_every_control(explorer)


def nothing_offers_to_upload(page):
    """Neither explorers nor figures; a figure that is told to does, so that the look is known to see it."""
    figures = page.locator(".js-plotly-plot:has(.modebar-btn)")
    figures.nth(2).wait_for()
    assert [bool(uploads(figures.nth(i))) for i in range(figures.count())] == [False, False, True]
    assert uploads(page.locator("body")) == uploads(figures.nth(2))


def test_explorers_in_jupyterlab(site, result, record):
    with served(site(dark=True), LAB) as address, browsed(height=4000) as (page, elsewhere):
        run_in_lab(page, address)
        landmarks, pixels = both(page)
        nothing_offers_to_upload(page)
        controls_are_named_and_reached_by_tab(landmarks, pixels)
        everything_at_once(landmarks, pixels, True)
        nothing_overlaps([landmarks, pixels], "lab-dark-all", PICTURES)
        for explorer in (landmarks, pixels):
            assert brightness(explorer, "backgroundColor") < 80 < 170 < brightness(explorer, "color")
        landmark_page.keys_move_the_frame(landmarks, result)
        pixel_page.keys_move_the_image(pixels, record)
        landmark_page.arrow_keys_stay_with_the_slider(landmarks)
        assert elsewhere == []


def test_explorers_in_voila(site, result, record):
    with served(site(dark=False), VOILA) as address, browsed(height=4000) as (page, elsewhere):
        page.goto(address, wait_until="commit")
        page.locator("#loading_text", has_text=re.compile("explorer .* every frame")).wait_for()
        landmarks, pixels = both(page)
        nothing_overlaps([landmarks, pixels], "voila-light", PICTURES)
        for explorer in (landmarks, pixels):
            assert brightness(explorer, "color") < 80 < 170 < brightness(explorer, "backgroundColor")
        nothing_offers_to_upload(page)
        controls_are_named_and_reached_by_tab(landmarks, pixels)
        landmark_page.parts_have_their_places(landmarks)
        pixel_page.parts_have_their_places(pixels)
        everything_at_once(landmarks, pixels, True)
        nothing_overlaps([landmarks, pixels], "voila-light-all", PICTURES)
        everything_at_once(landmarks, pixels, False)
        landmark_page.a_frame_is_told_in_words(landmarks)
        landmark_page.keys_move_the_frame(landmarks, result)
        landmark_page.colours_and_bars_are_the_contributions(landmarks, result)
        landmark_page.the_average_face_is_a_photo(landmarks)
        landmark_page.vectors_point_along_the_contributions(landmarks, result)
        landmark_page.a_click_on_the_trace_goes_to_the_frame(landmarks)
        landmark_page.up_to_four_subjects_stand_side_by_side(landmarks)
        landmark_page.play_ends_at_the_last_frame(landmarks)
        landmark_page.pictures_and_tables_are_saved(landmarks, result)
        landmark_page.other_sequences_are_opened(landmarks, result)
        pixel_page.keys_move_the_image(pixels, record)
        pixel_page.colours_are_the_map(pixels, record)
        pixel_page.bars_and_words_are_the_shares(pixels, record)
        pixel_page.rules_can_be_set_freely(pixels, record)
        pixel_page.images_are_chosen_by_class(pixels, record)
        pixel_page.two_maps_stand_side_by_side(pixels, record)
        pixel_page.pictures_and_tables_are_saved(pixels, record)
        assert elsewhere == []
