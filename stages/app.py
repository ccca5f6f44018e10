"""app: a web page on this machine: drop a video, or take an example, and get the report of `python -m stages.detect`.

    make app        # or python -m stages.app, after pip install -r requirements-app.txt

Each video is analysed by a process of its own, so one that breaks the decoder, or takes too long, harms no other. An
upload is kept in a file without a name, which the system deletes when it is closed, however this program ends.
"""

import argparse
import logging
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from flask import Flask, Request, Response, render_template, request
from waitress import create_server
from werkzeug.exceptions import HTTPException

from stages.cli import printable, run
from stages.detect import NOT_ALL_SCORED
from stages.lib.calibration.bundle import CARD, Calibration, answering, load_calibration
from stages.lib.demo.dataset import make_videos, plan_videos
from stages.lib.detection.wording import example_in_words, limits, model_in_words, what_a_verdict_rests_on
from stages.lib.errors import InputError

_WAITING = 4  # requests that may wait for a free place; further ones are told to come back
_FORM_BYTES = 10_000  # what a form may add to the file
_LONGEST_NAME = 200
_CARD_AT = "/model-card"
# What the example's buttons say: by key, the demo's method ("" is the real video), and what they are called.
_EXAMPLES = {"real": ("", "An unaltered face"), "swap": ("swap-3", "A swapped face")}
_EXAMPLE_SEED, _EXAMPLE_FRAMES = 1, (50, 50)  # another seed than the demo's own: nobody that its model has seen
log = logging.getLogger("difffake.app")


@dataclass(frozen=True)
class Limits:
    """Of one upload: its size, the video's duration, how long it may be analysed; and how many are analysed at once."""

    megabytes: int
    minutes: float
    timeout_s: float
    at_once: int

    @property
    def most_bytes(self) -> int:
        return self.megabytes * 1_000_000


class _Upload(Request):
    """A request whose files are nameless from the first byte on."""

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        return tempfile.TemporaryFile("rb+")


class AnalysisFailed(Exception):
    """No report came out; the message is for the user."""


def rendered(method: str) -> IO[bytes]:
    """A video of a made-up person, rendered now, in a file without a name: the real one, or a fake by a method of the
    demo.
    """
    with tempfile.TemporaryDirectory() as folder:
        video = next(video for video in plan_videos({"test": 2})[0] if video.method == method)
        make_videos(Path(folder), [video], _EXAMPLE_FRAMES, _EXAMPLE_SEED)
        return (Path(folder) / video.path).open("rb")


def analyse(video: IO[bytes], name: str, models: Path, allowed: Limits, *more: str) -> bytes:
    """The report (HTML) of a video; ``more``: arguments of `stages.detect`. Raises :class:`AnalysisFailed` where there
    is none.
    """
    video.flush()
    command = [sys.executable, "-m", "stages.detect", f"/proc/self/fd/{video.fileno()}", "--models", str(models)]
    command += ["--max-minutes", str(allowed.minutes), f"--name={name}", "--report", "-", "--home", "/", *more]
    try:
        done = subprocess.run(
            command, pass_fds=[video.fileno()], capture_output=True, timeout=allowed.timeout_s, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise AnalysisFailed(f"The analysis took longer than {allowed.timeout_s:.0f} s and was stopped.") from error
    if done.returncode not in (0, NOT_ALL_SCORED):
        log.error("detect ended with %s:\n%s", done.returncode, done.stderr.decode(errors="replace"))
        raise AnalysisFailed("The analysis of this file failed. Whoever runs this page finds the reason in its log.")
    return done.stdout


def _readable(name: str) -> str:
    """A file's name as its sender gave it, without what a terminal or a path could trip over."""
    return printable(Path(name.replace("\\", "/")).name[:_LONGEST_NAME]) or "video"


class _Page:
    """The form, with the model and what a verdict rests on, and a message where something is wrong."""

    def __init__(self, calibration: Calibration, allowed: Limits, card: str | None) -> None:
        self._content = {
            "about": model_in_words(calibration),
            "card": card,
            "example": example_in_words(calibration),
            "examples": [(key, name) for key, (_, name) in _EXAMPLES.items()],
            "rests_on": what_a_verdict_rests_on(calibration, calibration.false_alarm_rate),
            "limits": limits(calibration),
            "megabytes": allowed.megabytes,
            "minutes": f"{allowed.minutes:g}",
            "most_bytes": allowed.most_bytes,
        }

    def __call__(self, message: str | None = None, status: int = 200) -> Response:
        nonce = secrets.token_urlsafe(16)
        response = Response(render_template("app.html", message=message, nonce=nonce, **self._content), status)
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; form-action 'self'; "
            "frame-ancestors 'none'"
        )
        return response


class _Analyses:
    """Analyses uploads and examples, some at a time; of the others a few may wait."""

    def __init__(self, models: Path, allowed: Limits, page: _Page) -> None:
        self._models, self._allowed, self._page = models, allowed, page
        self._admitted = threading.BoundedSemaphore(allowed.at_once + _WAITING)
        self._places = threading.BoundedSemaphore(allowed.at_once)

    def upload(self) -> Response:
        """The report of the video that was sent."""
        video = request.files.get("video")
        if video is None or not video.filename:
            return self._page("Choose a video first.", 400)
        name = _readable(video.filename)
        return self._in_turn(lambda: analyse(video.stream, name, self._models, self._allowed))

    def example(self) -> Response:
        """The report of an example, rendered for this request."""
        if (key := request.form.get("example", "")) not in _EXAMPLES:
            return self._page("Choose one of the examples.", 400)
        method, name = _EXAMPLES[key]

        def report() -> bytes:
            with rendered(method) as video:
                return analyse(video, f"Rendered example: {name.lower()}", self._models, self._allowed, "--rendered")

        return self._in_turn(report)

    def _in_turn(self, report: Callable[[], bytes]) -> Response:
        if not self._admitted.acquire(blocking=False):
            return self._page("Too many videos are being analysed at the moment. Try again in a minute.", 503)
        try:
            with self._places:
                return Response(report())
        except AnalysisFailed as failure:
            return self._page(str(failure), 500)
        finally:
            self._admitted.release()


def _private(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def create_app(models: Path, allowed: Limits) -> Flask:
    """The web application; where the models have a card, it links to that. Raises
    :class:`stages.lib.errors.InputError` where the models are missing or don't belong together.
    """
    card = models / CARD
    page = _Page(load_calibration(models), allowed, _CARD_AT if card.is_file() else None)
    analyses = _Analyses(models, allowed, page)
    app = Flask(__name__, template_folder=Path(__file__).parent, static_folder=None)
    app.request_class = _Upload
    app.config["MAX_CONTENT_LENGTH"] = allowed.most_bytes + _FORM_BYTES

    def sent_by_others() -> Response | None:
        is_own = request.method != "POST" or request.headers.get("Sec-Fetch-Site", "same-origin") == "same-origin"
        return None if is_own else page("Another web page sent this; start from this one instead.", 403)

    def refused(error: HTTPException) -> Response:
        if error.code == 413:
            return page(f"This file is too large: {allowed.megabytes} MB are allowed.", 413)
        return page(error.description, error.code or 500)

    app.add_url_rule("/", "form", page)
    app.add_url_rule("/", "upload", analyses.upload, methods=["POST"])
    app.add_url_rule("/example", "example", analyses.example, methods=["POST"])
    if card.is_file():
        text = card.read_text(encoding="utf-8")
        app.add_url_rule(_CARD_AT, "card", lambda: Response(text, mimetype="text/plain"))
    app.before_request(sent_by_others)
    app.register_error_handler(HTTPException, refused)
    app.after_request(_private)
    return app


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--models",
        type=Path,
        metavar="FOLDER",
        help="the models that judge (default: your own run's, else the released ones)",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: this machine alone)")
    parser.add_argument("--port", type=int, default=8000, help="0: any free one (default: 8000)")
    parser.add_argument("--max-megabytes", type=int, default=500, metavar="N", help="of an upload (default: 500)")
    parser.add_argument("--max-minutes", type=float, default=10, metavar="N", help="of a video (default: 10)")
    parser.add_argument("--timeout", type=float, default=300, metavar="SECONDS", help="of an analysis (default: 300)")
    parser.add_argument("--at-once", type=int, default=2, metavar="N", help="analyses at the same time (default: 2)")
    arguments = parser.parse_args()
    allowed = Limits(arguments.max_megabytes, arguments.max_minutes, arguments.timeout, arguments.at_once)
    app = create_app(answering(arguments.models), allowed)
    threads = allowed.at_once + _WAITING + 2  # so that the form itself always finds one
    most = app.config["MAX_CONTENT_LENGTH"]
    try:
        server = create_server(
            app, host=arguments.host, port=arguments.port, threads=threads, max_request_body_size=most
        )
    except OSError as error:
        raise InputError(
            f"{arguments.host}:{arguments.port}: {error.strerror}; choose another --port or --host"
        ) from error
    print(f"http://{arguments.host}:{server.effective_port} (Ctrl+C ends it)", flush=True)
    server.run()


if __name__ == "__main__":
    run(main)
