"""What became of every photo."""

import pyarrow as pa

from stages.lib.photos.faces import photo_coverage
from stages.lib.schemas import PHOTOS


def used(person, row):
    place = {"shard": "0000", "row": row, "box": [0.0, 0.0, 8.0, 8.0], "landmarks": [0.0] * 136}
    return {"photo_id": f"{person}/{row}.jpg", "person": person, "reject_reason": None} | place


def rejected(person, reason):
    nothing = dict.fromkeys(("row", "box", "landmarks"))
    return {"photo_id": f"{person}/bad.jpg", "person": person, "shard": "0000", "reject_reason": reason} | nothing


def test_coverage_counts_every_photo():
    rows = [used("Ann", 0), rejected("Ann", "no_face"), used("Bob", 1), used("Bob", 2)]
    rows += [rejected("Cyd", "unreadable"), rejected("Dan", "no_face")]
    assert photo_coverage(pa.Table.from_pylist(rows, PHOTOS)) == {
        "indexed": 6,
        "used": 3,
        "people": 2,
        "dropped": {"no_face": 2, "unreadable": 1},
    }
