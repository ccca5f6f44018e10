"""The report: what is in it, and how it behaves in a real browser."""

import re

import numpy as np
import pytest

from stages.lib.detection import report as report_module
from stages.lib.detection.observation import Note, NoteCode
from stages.lib.detection.report import Report
from stages.lib.reasons import VideoReject
from tests.helpers.verdicts import RATE, calibration_of, measured, observation_of, rejected, verdict_of

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
    """The section of the video that was added first."""
    return page.split('<section id="video-1"')[1].split("</section>")[0]


def test_the_most_anomalous_pairs_come_first(section):
    assert re.findall(r"Anomaly score (\S+)</p>", section) == ["20.00", "9.00", "7.00"]


def test_a_pair_stands_with_its_frames(section):
    assert re.findall(r"<figcaption>(Frame \d+, at \S+) s<", section)[:2] == ["Frame 20, at 0.80", "Frame 25, at 1.00"]


def test_each_face_used_is_shown(section):
    assert section.count('alt="Face at ') == 6


@pytest.mark.parametrize("script", ["<script", "onerror=alert(2)>"])
def test_it_runs_nothing(page, script):
    assert script not in page


def test_it_links_to_nothing_but_itself(page):
    targets = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert [target for target in targets if not target.startswith(("data:image/", "#"))] == []


@pytest.mark.parametrize("load", ["url(", "@import"])
def test_its_styles_load_nothing(page, load):
    assert load not in page


def test_its_policy_forbids_what_it_does_not_need(page):
    assert "default-src 'none'" in page


@pytest.fixture
def sections(monkeypatch) -> dict[str, str]:
    """The sections of four videos by their names, of which two may keep their pictures, in the order of the page."""
    monkeypatch.setattr(report_module, "MOST_PICTURED", 2)
    report = Report(CALIBRATION, RATE)
    for name, score in (("a", 5.0), ("b", 1.0), ("c", 9.0), ("d", 7.0)):
        report.add(verdict_of(observation_of(name), [score] * 5, CALIBRATION))
    return {re.search(r"-name\">(\w)</h2>", part)[1]: part for part in report.page([]).split("<section ")[1:]}


def test_the_most_anomalous_video_comes_first(sections):
    assert list(sections) == ["c", "d", "a", "b"]


def test_of_many_videos_only_the_most_anomalous_keep_their_pictures(sections):
    assert {name for name, part in sections.items() if "<img" in part} == {"c", "d"}


@pytest.mark.parametrize("name", "ab")
def test_a_video_without_its_pictures_says_so(sections, name):
    assert "only the 2 most anomalous" in sections[name]


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


def test_a_screen_reader_finds_nothing_unnamed(browser, address):
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport={"width": 375, "height": 800})
    page.goto(address)
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert all(page.evaluate("[...document.images].map(image => image.alt.length > 8)"))
    page.close()


def test_it_prints(browser, address, tmp_path):
    page = browser.new_page()
    page.goto(address)
    page.pdf(path=tmp_path / "report.pdf", format="A4")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.querySelector('.verdict')).breakInside") == "avoid"
    assert (tmp_path / "report.pdf").read_bytes().count(b"/Type /Page\n") >= 4  # a page for each video at least
    page.close()
