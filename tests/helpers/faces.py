"""Tables and arrays of faces and photos as the stages leave them, of smooth noise."""

from pathlib import Path

import cv2
import numpy as np

from stages.lib.faces.landmarks import canonical_face
from stages.lib.files import faces_file, write_array
from stages.lib.photos.faces import shard_file
from stages.lib.records import N_APPEARANCE
from stages.lib.schemas import FACES, FACES_TABLE, PHOTOS, PHOTOS_TABLE
from stages.lib.tables import write_table

SIDE = 64
LANDMARKS = canonical_face() * 17 + (32, 26)


def crops(n: int, seed: int) -> np.ndarray:
    """RGB uint8 (n, SIDE, SIDE, 3)."""
    noise = np.random.default_rng(seed).integers(0, 256, (n, 16, 16, 3), np.uint8)
    return np.stack([cv2.resize(one, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC) for one in noise])


def write_faces(folder: Path, counts: dict[str, int]) -> None:
    """The faces of a dataset: so many of each video, after a frame without one; row i has the landmarks plus i px."""
    rows = []
    for video_id, n in counts.items():
        write_array(faces_file(folder, video_id), crops(n, 0))
        nothing = dict.fromkeys(("box", "landmarks", "appearance", "face_row"))
        rows.append({"video_id": video_id, "frame_index": 0, "time_s": 0.0, "reject_reason": "no_face"} | nothing)
        for row in range(n):
            at = {"video_id": video_id, "frame_index": row + 1, "time_s": 0.1 * row, "reject_reason": None}
            face = {
                "landmarks": (LANDMARKS + row).ravel().tolist(),
                "appearance": [0.0] * N_APPEARANCE,
                "face_row": row,
            }
            rows.append(at | face | {"box": [0.0] * 4})
    write_table(folder / FACES_TABLE, rows, FACES)


def _photo(person: str, shard: str, row: int | None) -> dict:
    found = {"row": row, "box": [0.0] * 4, "landmarks": LANDMARKS.ravel().tolist(), "reject_reason": None}
    lost = dict.fromkeys(("row", "box", "landmarks")) | {"reject_reason": "no_face"}
    return {"photo_id": f"{person}/{row}.jpg", "person": person, "shard": shard} | (lost if row is None else found)


def write_photos(folder: Path) -> None:
    """A set of four photos in two shards: Ann, Ann without a face, Bob, and Bob again in the second."""
    rows = [_photo("Ann", "0000", 0), _photo("Ann", "0000", None), _photo("Bob", "0000", 1), _photo("Bob", "0001", 0)]
    write_array(shard_file(folder, "0000"), crops(2, 5))
    write_array(shard_file(folder, "0001"), crops(1, 6))
    write_table(folder / PHOTOS_TABLE, rows, PHOTOS)
