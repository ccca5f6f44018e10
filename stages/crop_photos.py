"""crop_photos: find the face in each photograph of people, its landmarks, and crop it, for pseudo-fakes alone.

Photographs are cropped in shards (a file of faces each), so that a killed run does only unfinished shards again.
"""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from stages.cli import parse_paths, run
from stages.lib.cluster import Shared
from stages.lib.faces.landmarks import make_landmarker
from stages.lib.faces.settings import FaceSettings
from stages.lib.faces.video_faces import crop_video
from stages.lib.files import write_array
from stages.lib.fingerprint import fingerprint
from stages.lib.ledger import recipe, update_folder
from stages.lib.mapping import map_videos
from stages.lib.photos.faces import photo_coverage, shard_file
from stages.lib.photos.people import Shard, list_people, read_photo, shards_of
from stages.lib.reasons import VideoReject
from stages.lib.records import Frame
from stages.lib.schemas import PHOTOS, PHOTOS_TABLE
from stages.lib.tables import read_table
from stages.params import load_params


def _face(path: Path, settings: FaceSettings) -> tuple[dict[str, Any], np.ndarray]:
    """A photo's box and landmarks, or its reject reason, and its crops (n, size, size, 3), n at most 1."""
    image = read_photo(path)
    if image is None:
        return {"reject_reason": VideoReject.UNREADABLE}, np.empty((0, 1, 1, 3), np.uint8)
    (face,), crops = crop_video(lambda: [Frame(0, 0.0, image)], settings)  # a photo is a video of one frame
    if face.box is None or face.landmarks is None:
        return {"reject_reason": face.reject_reason}, crops
    return {"box": face.box.tolist(), "landmarks": face.landmarks.ravel().tolist()}, crops


def _crop(root: Path, out: Path, settings: FaceSettings, shard: Shard) -> pa.Table:
    """Write the faces of a shard; its ``PHOTOS`` rows."""
    rows: list[dict[str, Any]] = []
    crops: list[np.ndarray] = []
    for photo in shard.photos:
        try:
            found, its = _face(root / photo.photo_id, settings)
        except Exception as error:
            error.add_note(f"while processing {photo.photo_id}")
            raise
        row = {"photo_id": photo.photo_id, "person": photo.person, "shard": shard.video_id}
        rows.append(row | found | ({"row": len(crops)} if len(its) else {}))
        crops += list(its)
    if crops:
        write_array(shard_file(out, shard.video_id), np.stack(crops))
    return pa.Table.from_pylist(rows, PHOTOS)


def _crashed(shard: Shard) -> pa.Table:
    """The ``PHOTOS`` rows of a shard that was given up."""
    reason = VideoReject.CRASHED
    rows = [
        {"photo_id": photo.photo_id, "person": photo.person, "shard": shard.video_id, "reject_reason": reason}
        for photo in shard.photos
    ]
    return pa.Table.from_pylist(rows, PHOTOS)


def main() -> None:
    paths = parse_paths(__doc__, "ledgers", "out")
    params = load_params()
    paths.out.mkdir(parents=True, exist_ok=True)
    for gone in {path.name for path in paths.out.iterdir()} - set(params.photos):
        shutil.rmtree(paths.out / gone)
    if params.photos:
        make_landmarker(params.faces.landmarks)  # a missing model file must stop the stage before any work
    made_by = recipe("stages/crop_photos.py", params.faces, fingerprint(Path(params.faces.landmarks)))
    for name, photos in params.photos.items():
        root, out = Path(photos.root), paths.out / name
        crop = partial(_crop, root, out, params.faces)
        update_folder(
            out / PHOTOS_TABLE,
            PHOTOS,
            shards_of(list_people(root), root),
            partial(map_videos, crop, description=f"crop_photos {name}", unit="shard", shared=Shared([root], out)),
            crashed=_crashed,
            file_of=partial(shard_file, out),
            has_file=lambda rows: rows["row"].null_count < len(rows),
            ledger=paths.ledgers / f"{name}.sqlite",
            recipe=made_by,
            unit="shards",
        )
        print(f"{name}: {photo_coverage(read_table(out / PHOTOS_TABLE, PHOTOS))}")


if __name__ == "__main__":
    run(main)
