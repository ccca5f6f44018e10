"""The web page, by its client alone and end to end in a real browser."""

import io
import os
import re
import subprocess
import threading
import time
from pathlib import Path

import cv2
import pytest
from werkzeug.serving import make_server

from stages.app import AnalysisFailed, Limits, analyse, create_app, rendered
from stages.lib.calibration.bundle import CARD
from tests.helpers.pages import problems, problems_on_screens
from tests.helpers.pipeline import BIN
from tests.helpers.verdicts import calibration_of, write_models
from tests.helpers.videos import face_frames, write_video

ALLOWED = Limits(megabytes=1, minutes=1, timeout_s=300, at_once=2)


@pytest.fixture
def app(tmp_path):
    """The application over models that can't be loaded: enough for what is refused before anything is loaded."""
    write_models(tmp_path, calibration_of([1.0, 2.0, 3.0]))
    return create_app(tmp_path, ALLOWED)


def _post(app, content: bytes, name: str = "v.mp4", **headers: str):
    return app.test_client().post("/", data={"video": (io.BytesIO(content), name)}, headers=headers)


@pytest.mark.parametrize(
    "part",
    [
        "At most 1 MB and 1 minutes",
        "not proof",
        "3 real videos",
        "generated as a whole",
        "trained on 3 real videos",
        "at its best",
    ],
)
def test_the_form_says_limits(app, part):
    assert part in app.test_client().get("/").text


def test_the_form_runs_only_its_own_script(app):
    response = app.test_client().get("/")
    nonce = re.search(r"script-src 'nonce-([^']+)'", response.headers["Content-Security-Policy"])[1]
    assert response.text.count("<script") == 1
    assert f'<script nonce="{nonce}">' in response.text
    assert nonce not in app.test_client().get("/").text


def test_the_form_is_not_stored(app):
    assert app.test_client().get("/").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("post", "status", "message"),
    [
        (lambda app: app.test_client().post("/"), 400, "Choose a video first"),
        (lambda app: _post(app, b"x", name=""), 400, "Choose a video first"),
        (lambda app: _post(app, b"x" * 1_020_000), 413, "too large: 1 MB are allowed"),
        (lambda app: _post(app, b"x", **{"Sec-Fetch-Site": "cross-site"}), 403, "Another web page"),
        (lambda app: app.test_client().get("/x"), 404, "not found"),
        (lambda app: app.test_client().post("/example"), 400, "Choose one of the examples"),
        (lambda app: app.test_client().post("/example", data={"example": "../x"}), 400, "Choose one of the examples"),
        (
            lambda app: app.test_client().post(
                "/example", data={"example": "real"}, headers={"Sec-Fetch-Site": "cross-site"}
            ),
            403,
            "Another web page",
        ),
        (lambda app: app.test_client().get("/example"), 405, "not allowed"),
    ],
)
def test_what_is_refused_says_why(app, post, status, message):
    response = post(app)
    assert response.status_code == status
    assert message in response.text.split("<title>Error: ")[1].split("</title>")[0]
    assert message in response.text.split('<p role="alert"')[1].split("</p>")[0]
    assert response.text.count("<form") == 2


def test_a_failed_analysis_is_told_and_logged_not_shown(app, caplog):
    response = _post(app, b"x")  # the models can't be loaded
    assert response.status_code == 500
    assert "The analysis of this file failed" in response.text
    assert "not a whole backbone" in caplog.text
    assert "backbone" not in response.text.split("<h2>")[0]


def test_an_analysis_that_takes_too_long_is_stopped(tmp_path):
    with (tmp_path / "v").open("wb+") as upload, pytest.raises(AnalysisFailed, match="longer than 0 s"):
        analyse(upload, "v", tmp_path, Limits(1, 1, timeout_s=0.05, at_once=1))


@pytest.fixture(scope="module")
def videos() -> dict[str, bytes]:
    """The example's video, real and with a swapped face, and what name they have on the disk."""
    with rendered("") as real, rendered("swap-3") as swapped:
        assert [Path(video.name).exists() for video in (real, swapped)] == [False, False]
        return {"real": real.read(), "swapped": swapped.read()}


@pytest.mark.parametrize("name", ["real", "swapped"])
def test_an_example_is_two_seconds_of_video(videos, name, tmp_path):
    (tmp_path / "v.mp4").write_bytes(videos[name])
    video = cv2.VideoCapture(str(tmp_path / "v.mp4"))
    assert (video.get(cv2.CAP_PROP_FRAME_COUNT), video.get(cv2.CAP_PROP_FPS)) == (50, 25)


def test_an_example_with_a_swapped_face_is_another_video(videos):
    assert videos["real"] != videos["swapped"]


@pytest.mark.parametrize(("key", "name"), [("real", "an unaltered face"), ("swap", "a swapped face")])
def test_an_example_is_analysed_as_an_upload_is_and_called_one(app, monkeypatch, key, name):
    asked = []
    monkeypatch.setattr("stages.app.analyse", lambda video, *more: asked.append((video.read(8), more)) or b"report")
    assert app.test_client().post("/example", data={"example": key}).data == b"report"
    ((begin, (called, _, allowed, *more)),) = asked
    assert begin[4:] == b"ftyp"
    assert called == f"Rendered example: {name}"
    assert allowed == ALLOWED
    assert more == ["--rendered"]


def test_the_form_links_to_the_models_card(tmp_path):
    write_models(tmp_path, calibration_of([1.0, 2.0, 3.0]))
    (tmp_path / CARD).write_text("# <b>Ünser</b> model", encoding="utf-8")
    client = create_app(tmp_path, ALLOWED).test_client()
    assert '<a href="/model-card">' in client.get("/").text
    card = client.get("/model-card")
    assert (card.text, card.content_type) == ("# <b>Ünser</b> model", "text/plain; charset=utf-8")


def test_without_a_card_there_is_no_link(app):
    assert "model-card" not in app.test_client().get("/").text


def test_more_uploads_than_may_wait_are_told_to_come_back(app, monkeypatch):
    go_on, started, told = threading.Event(), threading.Semaphore(0), []

    def wait(*_):
        started.release()
        assert go_on.wait(30)
        return b"report"

    monkeypatch.setattr("stages.app.analyse", wait)
    threads = [threading.Thread(target=lambda: told.append(_post(app, b"x").status_code)) for _ in range(7)]
    for thread in threads:
        thread.start()
    for _ in range(ALLOWED.at_once):
        assert started.acquire(timeout=30)
    deadline = time.monotonic() + 30
    while not told and time.monotonic() < deadline:
        time.sleep(0.01)
    assert app.test_client().post("/example", data={"example": "real"}).status_code == 503  # examples wait with them
    assert told == [503]  # two are analysed, four wait, and one is sent away at once
    assert not started.acquire(timeout=0.2)
    go_on.set()
    for thread in threads:
        thread.join(30)
    assert told == [503] + [200] * 6
    assert _post(app, b"x").status_code == 200


@pytest.fixture(scope="module")
def served(ran, tmp_path_factory):
    """The address of a server over the tiny models, its folder for temporary files, and its process."""
    folder = tmp_path_factory.mktemp("uploads")
    command = [BIN / "python", "-m", "stages.app", "--port", "0", "--max-megabytes", "2", "--max-minutes", "0.5"]
    environment = os.environ | {"TMPDIR": str(folder), "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    process = subprocess.Popen(command, cwd=ran, env=environment, stdout=subprocess.PIPE, text=True)
    address = re.match(r"(http://127\.0\.0\.1:\d+) ", process.stdout.readline())[1]
    yield address, folder, process
    process.kill()
    process.wait()


def _choose(browser, address: str, path: Path):
    page = browser.new_page()
    page.goto(address)
    page.get_by_label("Drop a video").set_input_files(path)
    return page


def _analyse(page) -> None:
    """Press the button, and don't wait for the page that it leads to."""
    page.get_by_role("button", name="Analyse").evaluate("button => setTimeout(() => button.click())")


def _files(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if path.is_file()]


def _report(page):
    page.get_by_role("heading", name="DiffFake report").wait_for(timeout=300_000)
    return page


def _n_children(process: subprocess.Popen) -> int:
    return sum(len(path.read_text().split()) for path in Path(f"/proc/{process.pid}/task").glob("*/children"))


# A page that is being left can't be asked: what it showed meanwhile is kept where the next page finds it.
_REMEMBER = """() => new MutationObserver(() => {
  const progress = document.querySelector("progress"), button = document.querySelector("button");
  sessionStorage.shown = [progress.ariaLabel, progress.checkVisibility(), button.ariaDisabled];
}).observe(document.querySelector("[role=status]"), {childList: true, subtree: true})"""


def test_two_people_drop_videos_at_once_and_get_their_reports(browser, served, ran, tmp_path):
    address, folder, process = served
    (tmp_path / "broken & <b>.mp4").write_bytes(os.urandom(100_000))
    first = _choose(browser, address, ran / "inputs/messy/лица/Zoë, 2.mp4")
    second = _choose(browser, address, tmp_path / "broken & <b>.mp4")
    first.evaluate(_REMEMBER)
    for page in (first, second):
        _analyse(page)
    deadline = time.monotonic() + 30
    while (at_once := _n_children(process)) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)
    assert at_once == 2
    assert _files(folder) == []  # uploads have no name, even now
    text = _report(first).inner_text("main")
    for part in ("Zoë, 2.mp4", "Its anomaly score", "The most anomalous pairs"):
        assert part in text
    assert first.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert first.evaluate("sessionStorage.shown") == "Uploading and analysing,true,true"
    text = _report(second).inner_text("main")
    assert "broken & <b>.mp4" in text
    assert "Cannot tell: not a video that can be opened" in text
    assert _files(folder) == []
    assert _n_children(process) == 0
    first.close(), second.close()


def test_the_page_survives_what_it_refuses(browser, served, tmp_path):
    address, folder, process = served
    (tmp_path / "large.mp4").write_bytes(os.urandom(2_100_000))
    page = _choose(browser, address, tmp_path / "large.mp4")
    page.get_by_role("button", name="Analyse").click()
    assert "too large: 2 MB" in page.get_by_role("status").first.inner_text()
    long = write_video(tmp_path / "long.mp4", [face_frames(1, (240, 320))[0]] * 40, fps=1)
    page.get_by_label("Drop a video").set_input_files(long)
    _analyse(page)
    assert "Cannot tell: longer than allowed" in _report(page).inner_text("main")
    page.goto(address)
    assert page.get_by_role("heading", name="Is this video fake?").is_visible()
    assert process.poll() is None
    assert _files(folder) == []
    page.close()


def test_an_example_is_rendered_and_its_report_says_so(browser, served):
    address, folder, process = served
    page = browser.new_page()
    page.goto(address)
    page.get_by_role("button", name="A swapped face").evaluate("button => setTimeout(() => button.click())")
    text = _report(page).inner_text("main")
    for part in ("Rendered example: a swapped face", "This is a rendered example", "Its anomaly score"):
        assert part in text
    assert _files(folder) == []
    page.get_by_role("link", name="Analyse another video").click()
    assert page.get_by_role("heading", name="Is this video fake?").is_visible()
    page.close()


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The address of the form over stand-ins for models, and what was asked of it: an analysis gives a page at once."""
    models, asked = tmp_path_factory.mktemp("models"), []
    write_models(models, calibration_of([1.0, 2.0, 3.0]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stages.app.rendered", lambda method: io.BytesIO(method.encode()))
        patch.setattr("stages.app.analyse", lambda video, name, *_: asked.append(name) or b"<title>Report</title>")
        server = make_server("127.0.0.1", 0, create_app(models, ALLOWED), threaded=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.port}", asked
        server.shutdown()
        thread.join()


@pytest.fixture
def form(browser, local):
    """The form in a browser."""
    page = browser.new_page()
    page.goto(local[0])
    yield page
    page.close()


@pytest.mark.parametrize("path", ["/", "/not-there"])
def test_form_and_error_are_accessible_on_every_screen(browser, local, path):
    assert problems_on_screens(browser, local[0] + path) == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_form_is_accessible_while_a_video_is_analysed(form, scheme):
    form.emulate_media(color_scheme=scheme)
    form.evaluate("document.forms[0].dispatchEvent(new Event('submit', {cancelable: true}))")  # and it stays
    assert form.get_by_role("progressbar", name="Uploading and analysing").is_visible()
    assert problems(form) == []


def test_an_error_has_the_focus(form, local):
    from playwright.sync_api import expect

    form.goto(local[0] + "/not-there")
    expect(form.get_by_role("alert")).to_be_focused()  # at a frame, which may come after the page


def _focused(page) -> str:
    return page.evaluate("document.activeElement.innerText || document.activeElement.id")


def test_the_form_is_used_by_keyboard_alone(form, local, tmp_path):
    (tmp_path / "my.mp4").write_bytes(b"x")
    form.on("filechooser", lambda _: None)  # so that choosers are caught long before the key is pressed
    form.keyboard.press("Tab")
    assert _focused(form) == "video"
    assert form.evaluate("getComputedStyle(document.activeElement).outlineWidth") == "3px"
    with form.expect_file_chooser() as chooser:
        form.keyboard.press("Space")
    chooser.value.set_files(tmp_path / "my.mp4")
    form.keyboard.press("Tab")
    assert _focused(form) == "Analyse"
    with form.expect_navigation():
        form.keyboard.press("Enter")
    assert form.title() == "Report"
    assert local[1][-1] == "my.mp4"


def test_an_example_is_asked_for_by_keyboard_alone(form, local):
    reached = []
    for _ in range(4):
        form.keyboard.press("Tab")
        reached.append(_focused(form))
    assert reached == ["video", "Analyse", "An unaltered face", "A swapped face"]
    with form.expect_navigation():
        form.keyboard.press("Enter")
    assert form.title() == "Report"
    assert local[1][-1] == "Rendered example: a swapped face"


def test_a_second_press_sends_nothing(form):
    send = "!document.forms[1].dispatchEvent(new Event('submit', {cancelable: true}))"  # true: it was prevented
    assert [form.evaluate(send) for _ in range(2)] == [False, True]


def test_who_listens_is_told_at_the_start_and_every_half_minute(browser, local):
    page = browser.new_page()
    page.clock.install(time=1000)
    page.goto(local[0])
    page.clock.pause_at(5000)  # s; it would go on by itself
    status = page.get_by_role("status").nth(1)
    page.evaluate("document.forms[1].dispatchEvent(new Event('submit', {cancelable: true}))")
    assert status.inner_text() == "Rendering and analysing. The report will appear here."
    page.clock.run_for(29_000)
    assert status.inner_text() == "Rendering and analysing. The report will appear here."
    assert page.get_by_text("29 s").get_attribute("aria-hidden") == "true"
    page.clock.run_for(2_000)
    assert status.inner_text() == "Still at it after 30 seconds. The report will appear here."
    page.close()


_DROP = """names => {
  const held = new DataTransfer();
  names.forEach(name => held.items.add(new File(["x"], name)));
  return document.body.dispatchEvent(new DragEvent("drop", {dataTransfer: held, bubbles: true, cancelable: true}));
}"""


def test_a_video_dropped_beside_the_field_is_taken(form):
    assert form.evaluate(_DROP, ["my.mp4"]) is False  # the browser doesn't open it
    assert form.evaluate("document.querySelector('input').files[0].name") == "my.mp4"


def test_of_several_videos_dropped_none_is_taken(form):
    form.evaluate(_DROP, ["a.mp4", "b.mp4"])
    assert form.get_by_role("status").first.inner_text() == "One video at a time."
    assert form.evaluate("document.querySelector('input').files.length") == 0


def test_a_port_in_use_is_one_message(served, ran):
    command = [BIN / "python", "-m", "stages.app", "--port", served[0].rpartition(":")[2]]
    done = subprocess.run(command, cwd=ran, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "choose another --port" in done.stderr
    assert "Traceback" not in done.stderr
