"""What every stage's command line shares: named paths as arguments, and errors that a user can read."""

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import NoReturn

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


class Parser(argparse.ArgumentParser):
    """Of a command that people call: wrong arguments end with 1, as all bad input (argparse itself takes 2)."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message}; see {self.prog} --help")


def printable(text: str) -> str:
    """Text without what would move a terminal's cursor, or worse."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def name_of(path: Path) -> str:
    """What a video is called in what is written: its path, with what isn't UTF-8 in it escaped, so that no two videos
    have one name.
    """
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def check_targets(targets: Mapping[str, Path | None], videos: Iterable[Path] = ()) -> None:
    """Raise :class:`InputError` where writing the files that arguments name, {argument: file}, would replace a folder,
    one of the videos, or each other.
    """
    kept, taken = {video.resolve() for video in videos}, dict[Path, str]()
    for argument, target in targets.items():
        if target is None:
            continue
        if target.is_dir():
            raise InputError(f"{target} is a folder; name a file to write")
        if target.resolve() in kept:
            raise InputError(f"{target} is one of the videos, and would be overwritten; name another file")
        other = taken.setdefault(target.resolve(), argument)
        if other != argument:
            raise InputError(f"--{other} and --{argument} both name {target}; name two files")


def warn_in_a_line() -> None:
    """Have a warning be one line, without the code that gave it."""
    warnings.formatwarning = lambda message, *_, **__: f"warning: {message}\n"


def run(main: Callable[[], None]) -> None:
    """Run a stage; bad input ends it with one clear message and exit code 1, a bug with its traceback. Warnings are a
    line each.
    """
    warn_in_a_line()
    try:
        main()
    except InputError as error:
        sys.exit(f"error: {error}")
