"""What every stage's command line shares: named paths as arguments, and errors that a user can read."""

import argparse
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

from stages.lib.errors import InputError


def parse_paths(description: str | None, *names: str, text: tuple[str, ...] = ()) -> argparse.Namespace:
    """Parse required ``--name PATH`` arguments, and ``--name TEXT`` for the names in ``text``."""
    parser = argparse.ArgumentParser(description=description)
    for name in names:
        parser.add_argument(f"--{name}", type=Path, required=True, metavar="PATH")
    for name in text:
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def a_rate(text: str) -> float:
    """An argument that is a rate in (0, 1)."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1:
        raise argparse.ArgumentTypeError(f"'{text}' is not a rate between 0 and 1, such as 0.05")
    return value


def run(main: Callable[[], None]) -> None:
    """Run a stage; bad input ends it with one clear message and exit code 1, a bug with its traceback. Warnings are a
    line each.
    """
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
