"""The report: what is in it, and how it behaves in a real browser."""

import base64
import hashlib
import re

import numpy as np
import pytest

from stages.lib.detection import report as report_module
from stages.lib.detection.json_report import verdict_as_json
from stages.lib.detection.observation import Note, NoteCode
from stages.lib.detection.report import Report
from stages.lib.reasons import VideoReject
from tests.helpers.pages import problems_on_screens
from tests.helpers.verdicts import (
    RATE,
    calibration_of,
    measured,
    observation_of,
    rejected,
    trained_on_fakes,
    verdict_of,
)

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>.mp4"
CALIBRATION = calibration_of([1.0, 1.5, 2.0, 1.2], test=[1.1, 1.9])


@pytest.fixture(scope="module")
def page() -> str:
    """A report of four videos: anomalous, not anomalous with notes, too few faces, unreadable."""
    report = Report(CALIBRATION, RATE)
    report.add(verdict_of(observation_of(HOSTILE), [9.0, 5.0, 7.0, 3.0, 20.0], CALIBRATION))
    real = observation_of("real.mp4", dropped=2, face_px=400)
    real.notes.append(Note(NoteCode.TRUNCATED, {"n_decoded": 3, "n_declared": 9}))
    report.add(verdict_of(real, [1.0, 2.0, 1.5, 1.0, 2.0], CALIBRATION))
    few, none = observation_of("few.mp4", 2, dropped=2), observation_of("text.mp4", 0)
    report.add(rejected(few, VideoReject.TOO_FEW_FACES, CALIBRATION))
    report.add(rejected(none, VideoReject.UNREADABLE, CALIBRATION))
    return report.page(["torch is 9 here"])


@pytest.fixture(scope="module")
def address(page, tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(page, encoding="utf-8")
    return path.as_uri()


@pytest.mark.parametrize(
    "part",
    [
        "4 videos: 1 anomalous, 2 cannot tell, 1 not anomalous",
        "higher than those of 4 of 4 real videos",
        "fewer than 1 in 5 would be expected to score as high",
        "not proof that it is fake",
        "not proof that the video is real",
        "Cannot tell: too little face to judge: a face was found in 2 of 4 frames looked at, and 4 are needed",
        "The face is 400 px wide",
        "The file ends early",
        "Achieved on real test videos: 0 of 2",
        "generated as a whole",
        "trained on the rendered demo alone",
        "torch is 9 here",
        "0" * 64,
        "no face found",
        "1.20, 1.40 s",
    ],
)
def test_it_says_the_verdict_its_limits_and_what_they_rest_on(page, part):
    assert part in re.sub(r"<[^>]*>|data:\S*", " ", page)


@pytest.fixture(scope="module")
def section(page) -> str:
    """The section of the most anomalous video."""
    return page.split('<section id="video-')[1].split("</section>")[0]


def test_the_most_anomalous_pairs_come_first(section):
    assert re.findall(r"Anomaly score (\S+)</p>", section) == ["20.00", "9.00", "7.00"]


def test_a_pair_stands_with_its_frames(section):
    assert re.findall(r"<figcaption>(Frame \d+, at \S+) s<", section)[:2] == ["Frame 20, at 0.80", "Frame 25, at 1.00"]


def test_each_face_used_is_shown(section):
    assert section.count('alt="Face at ') == 6


@pytest.mark.parametrize("script", ["<script>alert", "onerror=alert(2)>"])
def test_it_runs_nothing_that_a_name_holds(page, script):
    assert script not in page


def test_its_policy_lets_the_tables_script_run_and_no_other(page):
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert re.findall(r"script-src ([^\";]*)", page) == [f"'sha256-{digest}'"]


@pytest.fixture(scope="module")
def single() -> str:
    """The report of one video, for a page at /back."""
    report = Report(CALIBRATION, RATE)
    report.add(verdict_of(observation_of("Clip & <b>.mp4"), [9.0, 5.0, 7.0, 3.0, 20.0], CALIBRATION))
    return report.page([], "/back")


@pytest.mark.parametrize("part", ["<script", "script-src", '<table class="videos"'])
def test_of_a_single_video_it_has_no_table_and_runs_no_script(single, part):
    assert part not in single


def test_of_a_single_video_its_title_is_the_verdict(single):
    assert "<title>Anomalous: Clip &amp; &lt;b&gt;.mp4 – DiffFake report</title>" in single


def test_of_several_videos_its_title_is_how_many(page):
    assert "<title>4 videos – DiffFake report</title>" in page


def test_it_leads_back_to_the_page_that_asked_for_it(single):
    assert '<a href="/back">Analyse another video</a>' in single


def test_it_leads_nowhere_where_nobody_asked_for_it(page):
    assert "<nav" not in page


def test_it_links_to_nothing_but_itself(page):
    targets = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert [target for target in targets if not target.startswith(("data:image/", "#"))] == []


@pytest.mark.parametrize("load", ["url(", "@import"])
def test_its_styles_load_nothing(page, load):
    assert load not in page


def test_its_policy_forbids_what_it_does_not_need(page):
    assert "default-src 'none'" in page


@pytest.fixture
def of_four(monkeypatch) -> str:
    """A report of four videos, of which two may have a section."""
    monkeypatch.setattr(report_module, "MOST_SHOWN", 2)
    report = Report(CALIBRATION, RATE)
    for name, score in (("a", 5.0), ("b", 1.0), ("c", 9.0), ("d", 7.0)):
        report.add(verdict_of(observation_of(name), [score] * 5, CALIBRATION))
    return report.page([])


def test_of_many_videos_the_most_anomalous_are_shown_and_come_first(of_four):
    assert re.findall(r"-name\">(\w)</h2>", of_four) == ["c", "d"]


def test_of_the_others_the_table_has_a_row_and_says_so(of_four):
    assert re.findall(r"<th scope=\"row\">(?:<a [^>]*>)?(\w)(</a>)?</th>", of_four) == [
        *(("c", "</a>"), ("d", "</a>"), ("a", ""), ("b", "")),
    ]
    assert "The 2 most anomalous are shown below" in of_four


@pytest.mark.parametrize("scores", [[1e9] * 5, [-1e9, -1e8, -1e9, -1e9, -1e9], [2.0] * 5])
def test_any_score_can_be_drawn(scores):
    report = Report(CALIBRATION, RATE)
    report.add(verdict_of(observation_of("v"), scores, CALIBRATION))
    assert f"{np.mean(scores):.2f}" in report.page([])


@pytest.mark.parametrize(
    "part",
    ["Beside known forgeries", "face swaps (x, y: 20 videos of 10 people)", "It is not how probable a forgery is"],
)
def test_likelihood_ratios_are_said_where_there_are_some(part):
    with_ratios = calibration_of([1.0, 1.5, 2.0, 1.2], measured=measured())
    report, without = Report(with_ratios, RATE), Report(CALIBRATION, RATE)
    report.add(verdict_of(observation_of("v"), [4.5] * 5, with_ratios))
    without.add(verdict_of(observation_of("v"), [4.5] * 5, CALIBRATION))
    assert part in report.page([])
    assert part not in without.page([])


def test_the_fakes_that_were_trained_on_stand_in_a_videos_section_and_beside_the_model():
    calibration = trained_on_fakes(CALIBRATION, "X", "Y")
    report = Report(calibration, RATE)
    report.add(verdict_of(observation_of("a.mp4"), [9.0, 5.0, 7.0, 3.0, 20.0], calibration))
    section, rest = report.page([]).split('<section id="video-')[1].split("</section>", 1)
    assert "The model was trained on fakes: X, Y." in section and "The model was trained on fakes: X, Y." in rest


def test_a_video_that_too_few_reals_leave_without_a_score_has_its_reason():
    none = calibration_of([])
    report = Report(none, RATE)
    report.add(rejected(observation_of("v"), VideoReject.UNCALIBRATED, none))
    assert "Cannot tell: the model was calibrated on too few real videos" in report.page([])


@pytest.mark.parametrize("width", [375, 1200])
def test_in_a_browser_everything_is_seen_at_any_width(browser, address, width):
    page = browser.new_page(viewport={"width": width, "height": 800})
    told, asked = [], []
    page.on("console", lambda message: told.append(message.text))
    page.on("dialog", lambda dialog: (told.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(address)
    assert told == []
    assert [url for url in asked if not url.startswith("data:")] == [address]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.evaluate("document.images.length") > 20
    assert page.get_by_role("heading", name="<script>").inner_text() == HOSTILE
    page.get_by_role("link", name="text.mp4").click()
    assert page.get_by_role("region", name="text.mp4").is_visible()
    page.close()


def test_of_several_videos_it_is_accessible_on_every_screen(browser, address):
    assert problems_on_screens(browser, address) == {}


def test_of_a_single_video_it_is_accessible_on_every_screen(browser, single, tmp_path):
    (tmp_path / "single.html").write_text(single, encoding="utf-8")
    assert problems_on_screens(browser, (tmp_path / "single.html").as_uri()) == {}


def test_every_picture_has_words(opened):
    assert all(opened.evaluate("[...document.images].map(image => image.alt.length > 8)"))


def test_in_the_dark_plots_keep_a_white_ground(browser, address):
    page = browser.new_page(color_scheme="dark")
    page.goto(address)
    colours = page.evaluate(
        "['body', '.plot img'].map(name => getComputedStyle(document.querySelector(name)).backgroundColor)"
    )
    assert colours == ["rgb(18, 21, 23)", "rgb(255, 255, 255)"]
    page.close()


@pytest.fixture
def opened(browser, address):
    """The report of four videos in a browser."""
    page = browser.new_page()
    page.goto(address)
    yield page
    page.close()


SHORT = {HOSTILE: "hostile"}
FIRST, LAST = ["hostile", "real.mp4"], ["few.mp4", "text.mp4"]  # with a score, the highest first; without


def _order(page) -> list[str]:
    names = page.locator("table.videos tbody th").all_inner_texts()
    return [SHORT.get(name, name) for name in names]


def _sorted_by(page) -> dict[str, str]:
    """{heading: its aria-sort} of the headings that have one."""
    headings = page.locator("table.videos thead th[aria-sort]").all()
    return {heading.inner_text().strip(): heading.get_attribute("aria-sort") for heading in headings}


def test_the_table_starts_with_the_highest_score(opened):
    assert _order(opened) == FIRST + LAST
    assert _sorted_by(opened) == {"Score": "descending"}


@pytest.mark.parametrize(
    ("heading", "once", "order", "twice", "told"),
    [
        ("Video", ["hostile", "few.mp4", "real.mp4", "text.mp4"], "ascending", None, "video, from A to Z"),
        ("Verdict", ["hostile", "few.mp4", "text.mp4", "real.mp4"], "ascending", None, "verdict, from A to Z"),
        ("Score", ["real.mp4", "hostile", *LAST], "ascending", FIRST + LAST, "score, lowest first"),
        ("Percentile", FIRST + LAST, "descending", ["real.mp4", "hostile", *LAST], "percentile, highest first"),
        (
            "Reason",
            ["text.mp4", "few.mp4", *FIRST],
            "ascending",
            ["few.mp4", "text.mp4", *FIRST],
            "reason, from A to Z",
        ),
    ],
)
def test_each_column_sorts_on_a_click_and_back_on_the_next(opened, heading, once, order, twice, told):
    button = opened.get_by_role("columnheader", name=heading).get_by_role("button")
    button.click()
    assert _order(opened) == once
    assert _sorted_by(opened) == {heading: order}
    assert opened.get_by_role("status").inner_text() == f"Sorted by {told}."
    button.click()
    if twice:
        assert _order(opened) == twice
    assert _sorted_by(opened) == {heading: {"ascending": "descending", "descending": "ascending"}[order]}


def test_numbers_sort_by_their_value(browser, tmp_path):
    report = Report(CALIBRATION, RATE)
    for name, score in (("a", 9.0), ("b", 10.0), ("c", -2.0), ("d", 9.001)):
        report.add(verdict_of(observation_of(name), [score] * 5, CALIBRATION))
    (tmp_path / "r.html").write_text(report.page([]), encoding="utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "r.html").as_uri())
    page.get_by_role("button", name="Score").click()
    assert _order(page) == ["c", "a", "d", "b"]
    page.close()


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_table_sorts_by_keyboard_alone(opened, key):
    reached = []
    for _ in range(4):  # the table, which may have to be scrolled, and the first three headings
        opened.keyboard.press("Tab")
        reached.append(opened.evaluate("document.activeElement.innerText.trim().split('\\n')[0].split('\\t')[0]"))
    assert reached[1:] == ["Video", "Verdict", "Score"]
    assert opened.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    opened.keyboard.press(key)
    assert _order(opened) == ["real.mp4", "hostile", *LAST]
    assert opened.evaluate("document.activeElement.innerText") == "Score"  # who sorts stays where they are


def test_without_scripts_the_table_is_read_as_it_stands(browser, address):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(address)
    assert page.locator("table.videos tbody th").count() == 4
    headings = page.locator("table.videos thead th").all_inner_texts()
    assert headings == ["Video", "Verdict", "Score", "Percentile", "Reason"]
    assert page.get_by_role("button").count() == 0
    context.close()


def test_it_prints_dark_on_light_from_a_dark_screen_too(opened):
    opened.emulate_media(media="print", color_scheme="dark")
    assert opened.evaluate("getComputedStyle(document.body).color") == "rgb(27, 30, 33)"


def test_it_prints(browser, address, tmp_path):
    page = browser.new_page()
    page.goto(address)
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('.verdict')).breakInside") == "avoid"
    assert (tmp_path / "report.pdf").read_bytes().count(b"/Type /Page\n") >= 4  # a page for each video at least
    page.close()


def test_a_video_that_an_interrupted_run_judged_stands_there_without_pictures_until_it_is_added_again():
    earlier, report = Report(CALIBRATION, RATE), Report(CALIBRATION, RATE)
    verdict = verdict_of(observation_of("a.mp4"), [9.0] * 5, CALIBRATION)
    earlier.add(verdict)
    report.restore(verdict_as_json(verdict, CALIBRATION, RATE))
    assert report.lacking() == ["a.mp4"]
    assert "data:image/jpeg" not in report.page([])
    report.add(verdict)
    assert report.lacking() == []
    assert report.page([]).split("Made on")[1][30:] == earlier.page([]).split("Made on")[1][30:]


def test_restoring_a_video_that_is_there_changes_nothing():
    report, verdict = Report(CALIBRATION, RATE), verdict_of(observation_of("a.mp4"), [9.0] * 5, CALIBRATION)
    report.add(verdict)
    report.restore(verdict_as_json(verdict, CALIBRATION, RATE))
    assert report.lacking() == []
