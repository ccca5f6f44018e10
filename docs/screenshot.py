"""The documentation's picture of the web page: the form in light, and beside it the report of an example in dark.

    python -m docs.screenshot    # make docs does; from the repository's root

Where there is no Chromium, or no model, it says so and leaves the picture as it is.
"""

import argparse
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright
from playwright.sync_api import TimeoutError as NoAnswer

from stages.lib.files import atomic_path

_PICTURE = Path(__file__).with_name("app.png")
_SCREEN = {"width": 640, "height": 840}
_PATIENCE_MS = 300_000


def _seen(page: Page) -> np.ndarray:
    picture: np.ndarray = cv2.imdecode(np.frombuffer(page.screenshot(), np.uint8), cv2.IMREAD_COLOR)
    return picture


def _opened(browser: Browser, address: str, scheme: str) -> Page:
    page = browser.new_page(viewport=_SCREEN, color_scheme=scheme)
    page.goto(address)
    return page


def picture(browser: Browser, address: str) -> np.ndarray:
    """The picture, BGR uint8 (h, w, 3), of the page at an address."""
    form, report = (_opened(browser, address, scheme) for scheme in ("light", "dark"))
    report.get_by_role("button", name="A swapped face").evaluate("button => setTimeout(() => button.click())")
    report.get_by_role("heading", name="DiffFake report").wait_for(timeout=_PATIENCE_MS)
    report.evaluate("document.querySelector('header p').remove()")  # the date, with which it would never stay the same
    return np.hstack([_seen(form), _seen(report)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", help="folder of the models (default: the page's own)")
    models = parser.parse_args().models
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if program is None:
        print(f"{_PICTURE.name} stays as it is: no Chromium on this machine (Debian: apt-get install chromium)")
        return
    command = [sys.executable, "-m", "stages.app", "--port", "0", *(["--models", models] if models else [])]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            found = re.match(r"http://\S+", server.stdout.readline()) if server.stdout else None
            if found is None:
                print(f"{_PICTURE.name} stays as it is: the page doesn't start, for the reason above")
                return
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
                made = picture(browser, found[0])
                browser.close()
        except NoAnswer:
            print(f"{_PICTURE.name} stays as it is: no report came within {_PATIENCE_MS // 1000} s")
            return
        finally:
            server.terminate()
    with atomic_path(_PICTURE) as temporary:
        temporary.write_bytes(cv2.imencode(".png", made, [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])


if __name__ == "__main__":
    main()
