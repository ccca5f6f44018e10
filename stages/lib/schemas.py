"""The tables that stages hand to each other: their names and their schemas."""

import pyarrow as pa

from stages.lib.records import N_APPEARANCE, N_LANDMARKS

# The table of each artifact folder, beside one file per video.
VIDEOS_TABLE, FACES_TABLE, FAKES_TABLE = "videos.parquet", "faces.parquet", "fakes.parquet"
PHOTOS_TABLE = "photos.parquet"


def _schema(**columns: pa.DataType | pa.Field) -> pa.Schema:
    return pa.schema(
        [
            kind.with_name(name) if isinstance(kind, pa.Field) else pa.field(name, kind, nullable=False)
            for name, kind in columns.items()
        ]
    )


def _nullable(kind: pa.DataType) -> pa.Field:
    return pa.field("", kind, nullable=True)


# One row per video of a dataset; video_id is the video's POSIX path below the dataset's root. original is the video_id
# of the real video that a fake was made from, where that is one of the rows, family one of FAMILIES; both are empty for
# a real. group is whatever the user counts false alarms by, empty where nothing is named. input is "video", or "faces"
# where it is a folder of face pictures.
INDEX = _schema(
    video_id=pa.string(),
    path=pa.string(),
    label=pa.string(),
    method=pa.string(),
    split=pa.string(),
    identity=pa.string(),
    original=pa.string(),
    family=pa.string(),
    group=pa.string(),
    input=pa.string(),
    fingerprint=pa.string(),
)

# The state of each file of a dataset (size and modification time) when it was fingerprinted.
FILE_STATES = _schema(path=pa.string(), state=pa.string(), fingerprint=pa.string())

# One row per video: what decoding it gave. reject_reason is null for a video with frames. width and height are the
# video's, also where its frames are kept smaller. pictures is null, but for a folder of face pictures, which isn't
# decoded here: then it is the folder's fingerprint, and width and height are 0.
EXTRACTED_VIDEOS = _schema(
    video_id=pa.string(),
    n_frames=pa.int32(),
    n_decoded=pa.int32(),
    n_declared=pa.int32(),
    width=pa.int32(),
    height=pa.int32(),
    pictures=_nullable(pa.string()),
    note=_nullable(pa.string()),
    reject_reason=_nullable(pa.string()),
)

# One file per video, one row per kept frame: source frame index, presentation time, and its compressed pixels.
FRAMES = _schema(frame_index=pa.int32(), time_s=pa.float64(), height=pa.int32(), width=pa.int32(), zstd=pa.binary())

# One row per extracted frame. box is x, y, width, height of the detector's box in pixels of the kept frame; landmarks
# are x, y of 68 points in pixels of the face crop; appearance is colour and detail of the crop's regions; face_row is
# the row in the video's face array. All four are null where reject_reason says why there is no face.
FACES = _schema(
    video_id=pa.string(),
    frame_index=pa.int32(),
    time_s=pa.float64(),
    face_row=_nullable(pa.int32()),
    box=_nullable(pa.list_(pa.float32(), 4)),
    landmarks=_nullable(pa.list_(pa.float32(), 2 * N_LANDMARKS)),
    appearance=_nullable(pa.list_(pa.float32(), N_APPEARANCE)),
    reject_reason=_nullable(pa.string()),
)

# One row per photograph of people: who is in it, the shard and the row of its array that hold the face; box and
# landmarks as in FACES. row, box and landmarks are null where reject_reason says why there is no face.
PHOTOS = _schema(
    photo_id=pa.string(),
    person=pa.string(),
    shard=pa.string(),
    row=_nullable(pa.int32()),
    box=_nullable(pa.list_(pa.float32(), 4)),
    landmarks=_nullable(pa.list_(pa.float32(), 2 * N_LANDMARKS)),
    reject_reason=_nullable(pa.string()),
)

# One row per pseudo-fake: where it stands in its source's bank array, and how it was made. source is a video or a part
# of a photo set; donor is the source whose face was put in, null where it is the face itself; rate_factor is x264's,
# null where it wasn't compressed. A genuine fake is told by its source, fakes/<video_id>: scheme is then its method,
# transformed empty, and donor null.
FAKES = _schema(
    source=pa.string(),
    is_video=pa.bool_(),
    split=pa.string(),
    face_row=pa.int32(),
    variant=pa.int32(),
    scheme=pa.string(),
    donor=_nullable(pa.string()),
    blend_ratio=pa.float32(),
    transformed=pa.string(),
    rate_factor=_nullable(pa.int32()),
)

# One row per scored video and per rejected one: nothing that was indexed is lost.
SCORES = _schema(
    video_id=pa.string(),
    label=pa.string(),
    method=pa.string(),
    split=pa.string(),
    identity=pa.string(),
    original=pa.string(),
    family=pa.string(),
    group=pa.string(),
    anomaly_score=_nullable(pa.float64()),
    pair_density=_nullable(pa.float64()),
    typicality=_nullable(pa.float64()),
    boundary_score=_nullable(pa.float64()),
    drift=_nullable(pa.float64()),
    single_frame_score=_nullable(pa.float64()),
    classifier_logit=_nullable(pa.float64()),
    n_pairs=pa.int32(),
    n_faces=pa.int32(),
    n_frames=pa.int32(),
    note=_nullable(pa.string()),
    reject_reason=_nullable(pa.string()),
    frame_rejects=pa.string(),
)


# What a video is scored by: one row per pair that scores it, one per face. A pair's anomaly_score is null
# where there are too few real videos to hold it against.
PAIR_SCORES = _schema(
    video_id=pa.string(),
    pair=pa.int32(),
    face_row_a=pa.int32(),
    face_row_b=pa.int32(),
    time_a_s=pa.float64(),
    time_b_s=pa.float64(),
    anomaly_score=_nullable(pa.float64()),
)
FRAME_SCORES = _schema(
    video_id=pa.string(),
    face_row=pa.int32(),
    time_s=pa.float64(),
    single_frame_score=pa.float64(),
    classifier_logit=pa.float64(),
)


def embeddings_schema(dimension: int, cells: int) -> pa.Schema:
    """One row per face: ids, ``embedding`` (float32 list of ``dimension``), the classifier's logit (fake > 0),
    ``appearance``, and where the network has one ``boundary``: its map, ``cells`` x ``cells`` probabilities by rows.
    """
    schema = _schema(
        video_id=pa.string(),
        label=pa.string(),
        method=pa.string(),
        split=pa.string(),
        face_row=pa.int32(),
        frame_index=pa.int32(),
        time_s=pa.float64(),
        fake_logit=pa.float32(),
        embedding=pa.list_(pa.float32(), dimension),
        appearance=pa.list_(pa.float32(), N_APPEARANCE),
    )
    return schema.append(pa.field("boundary", pa.list_(pa.float32(), cells**2), nullable=False)) if cells else schema


def pairs_schema(dimension: int) -> pa.Schema:
    """One row per pair of frames of one video: which faces (a, b) of its face array, their times, and their ``fused``
    vector.
    """
    return _schema(
        video_id=pa.string(),
        label=pa.string(),
        split=pa.string(),
        pair=pa.int32(),
        face_row_a=pa.int32(),
        face_row_b=pa.int32(),
        time_a_s=pa.float64(),
        time_b_s=pa.float64(),
        fused=pa.list_(pa.float32(), dimension),
    )
