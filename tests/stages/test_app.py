"""The web page, by its client alone and end to end in a real browser."""

import io
import os
import re
import subprocess
import threading
import time
from pathlib import Path

import pytest

from stages.app import AnalysisFailed, Limits, analyse, create_app
from tests.helpers.pipeline import BIN
from tests.helpers.verdicts import calibration_of, write_models
from tests.helpers.videos import face_frames, write_video

ALLOWED = Limits(megabytes=1, minutes=1, timeout_s=60, at_once=2)


@pytest.fixture
def app(tmp_path):
    """The application over models that can't be loaded: enough for what is refused before anything is loaded."""
    write_models(tmp_path, calibration_of([1.0, 2.0, 3.0]))
    return create_app(tmp_path, ALLOWED)


def _post(app, content: bytes, name: str = "v.mp4", **headers: str):
    return app.test_client().post("/", data={"video": (io.BytesIO(content), name)}, headers=headers)


@pytest.mark.parametrize("part", ["At most 1 MB and 1 minutes", "not proof", "3 real videos", "generated as a whole"])
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
    ],
)
def test_what_is_refused_says_why(app, post, status, message):
    response = post(app)
    assert response.status_code == status
    assert message in response.text
    assert "<form" in response.text


def test_a_failed_analysis_is_told_and_logged_not_shown(app, caplog):
    response = _post(app, b"x")  # the models can't be loaded
    assert response.status_code == 500
    assert "The analysis of this file failed" in response.text
    assert "not a whole backbone" in caplog.text
    assert "backbone" not in response.text.split("<h2>")[0]


def test_an_analysis_that_takes_too_long_is_stopped(tmp_path):
    with (tmp_path / "v").open("wb+") as upload, pytest.raises(AnalysisFailed, match="longer than 0 s"):
        analyse(upload, "v", tmp_path, Limits(1, 1, timeout_s=0.05, at_once=1))


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
    page.get_by_role("heading", name="DiffFake report").wait_for(timeout=90_000)
    return page


def _n_children(process: subprocess.Popen) -> int:
    return sum(len(path.read_text().split()) for path in Path(f"/proc/{process.pid}/task").glob("*/children"))


# A page that is being left can't be asked: what it showed meanwhile is kept where the next page finds it.
_REMEMBER = """() => new MutationObserver(() => {
  const progress = document.querySelector("progress");
  sessionStorage.shown = [progress.ariaLabel, progress.checkVisibility(), document.querySelector("button").disabled];
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
    assert first.evaluate("sessionStorage.shown") == "Analysing,true,true"
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
    assert "too large: 2 MB" in page.get_by_role("status").inner_text()
    long = write_video(tmp_path / "long.mp4", [face_frames(1, (240, 320))[0]] * 40, fps=1)
    page.get_by_label("Drop a video").set_input_files(long)
    _analyse(page)
    assert "Cannot tell: longer than allowed" in _report(page).inner_text("main")
    page.goto(address)
    assert page.get_by_role("heading", name="Is this video fake?").is_visible()
    assert process.poll() is None
    assert _files(folder) == []
    page.close()


def test_the_forms_page_is_accessible_at_a_phones_width(browser, served):
    from axe_playwright_python.sync_playwright import Axe

    page = browser.new_page(viewport={"width": 375, "height": 700})
    page.goto(served[0])
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.close()


def test_a_port_in_use_is_one_message(served, ran):
    command = [BIN / "python", "-m", "stages.app", "--port", served[0].rpartition(":")[2]]
    done = subprocess.run(command, cwd=ran, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "choose another --port" in done.stderr
    assert "Traceback" not in done.stderr
