"""make_demo: render the built-in dataset, a `manifest` folder, from two public-domain portraits."""

import csv
from dataclasses import fields
from functools import partial

from stages.cli import parse_paths, run
from stages.lib.cluster import Shared
from stages.lib.datasets.layouts.manifest import MANIFEST
from stages.lib.demo.dataset import DemoVideo, make_videos, plan_videos
from stages.lib.errors import InputError
from stages.lib.files import atomic_folder
from stages.lib.mapping import Crashed, map_videos
from stages.params import load_params

_COLUMNS = [field.name for field in fields(DemoVideo) if field.name != "donor"]


def main() -> None:
    paths = parse_paths(__doc__, "out")
    demo = load_params().demo
    people = plan_videos({"train": demo.train_people, "val": demo.val_people, "test": demo.test_people})
    with atomic_folder(paths.out) as root:
        make = partial(make_videos, root, n_frames=(demo.min_frames, demo.max_frames), seed=demo.seed)
        for videos, made in map_videos(make, people, "make_demo", "person", shared=Shared(writes=root)):
            if isinstance(made, Crashed):
                raise InputError(f"{videos[0].identity}: the process that renders it died ({made.how}); run it again")
        with (root / MANIFEST).open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, _COLUMNS, extrasaction="ignore", lineterminator="\n")
            writer.writeheader()
            writer.writerows(vars(video) for videos in people for video in videos)


if __name__ == "__main__":
    run(main)
