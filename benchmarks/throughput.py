"""Speed of extraction, detection, storage, synthesis and landmarks, side by side on the same videos.

``python -m benchmarks.throughput [FOLDER]``: the folder's .mp4 files, by default the demo's (`make repro` makes them).
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from stages.lib.errors import InputError
from stages.lib.faces.crop import crop_face, crop_square, to_crop
from stages.lib.faces.detector import FACE_DETECTORS
from stages.lib.faces.haar import detect_face
from stages.lib.faces.landmarks import make_landmarker
from stages.lib.frames.extraction import extract_frames
from stages.lib.frames.pictures import equally_spaced
from stages.lib.frames.storage import compress_frame, decompress_frame, write_frames
from stages.lib.pseudo_fakes.making import forge_run
from stages.lib.pseudo_fakes.schemes import SCHEMES
from stages.lib.pseudo_fakes.settings import SynthesisSettings
from stages.lib.runtime import keep_freed_memory

N_FRAMES = 40
_NETWORK = "tf_efficientnet_lite0"


def seconds(work: Callable[[], object], repeats: int = 3, clock: Callable[[], float] = time.perf_counter) -> float:
    """The shortest of several runs, by a clock: the least disturbed by the rest of the machine."""
    times = []
    for _ in range(repeats):
        start = clock()
        work()
        times.append(clock() - start)
    return min(times)


def read_through(path: Path) -> int:
    """Decode every frame and keep nothing; returns how many there were."""
    capture, n = cv2.VideoCapture(str(path)), 0
    while capture.read()[0]:
        n += 1
    return n


def seek_frames(path: Path) -> None:
    """The naive way: seek to each wanted frame."""
    capture = cv2.VideoCapture(str(path))
    for index in equally_spaced(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), N_FRAMES):
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(index))
        capture.read()


def bench_extraction(videos: list[Path]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "frames.parquet"
        extract = sum(seconds(lambda v=v: write_frames(out, extract_frames(v, N_FRAMES).frames)) for v in videos)
    seek = sum(seconds(lambda v=v: seek_frames(v), 1) for v in videos)
    bare = sum(seconds(lambda v=v: read_through(v)) for v in videos)
    print(
        f"extraction, {len(videos)} videos: {seek / extract:.1f}x faster than seeking (target 4), "
        f"{extract / bare:.2f}x a bare read-through (limit 2.5)"
    )


def middle_frame(path: Path) -> np.ndarray:
    capture = cv2.VideoCapture(str(path))
    for _ in range(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) // 2):
        capture.grab()
    return capture.read()[1]


def bench_storage(frames: list[np.ndarray]) -> None:
    png = [cv2.imencode(".png", frame)[1] for frame in frames]
    own = [compress_frame(frame) for frame in frames]
    encode = seconds(lambda: [cv2.imencode(".png", frame) for frame in frames]) / seconds(
        lambda: [compress_frame(f) for f in frames]
    )
    decode = seconds(lambda: [cv2.imdecode(data, cv2.IMREAD_COLOR) for data in png]) / seconds(
        lambda: [decompress_frame(data, *frame.shape[:2]) for data, frame in zip(own, frames, strict=True)]
    )
    size = sum(map(len, own)) / sum(map(len, png))
    print(
        f"frame storage: {encode:.1f}x faster to write than PNG, {decode:.1f}x faster to read, {size:.2f} of its size"
    )


def same_face(a: np.ndarray | None, b: np.ndarray | None) -> bool:
    """Whether two boxes x, y, width, height (or None) are of one face: the centre of each lies within the other."""
    if a is None or b is None:
        return a is b
    offset = np.abs(a[:2] + a[2:] / 2 - b[:2] - b[2:] / 2)
    return bool((offset < np.minimum(a[2:], b[2:]) / 2).all())


def detect_at_full_size(frame: np.ndarray) -> np.ndarray | None:
    """The plain way: the same cascade over every size of face, on the frame as it is."""
    cascade = cv2.CascadeClassifier(str(Path(cv2.data.haarcascades) / "haarcascade_frontalface_alt2.xml"))
    smallest = (min(frame.shape[:2]) // 10,) * 2
    found = cascade.detectMultiScale(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), 1.1, 4, minSize=smallest)
    return max(found.astype(float), key=lambda box: box[2] * box[3]) if len(found) else None


def bench_detection(frames: list[np.ndarray]) -> None:
    scales = [720 / min(frame.shape[:2]) for frame in frames]
    frames = [
        cv2.resize(f, None, fx=k, fy=k, interpolation=cv2.INTER_CUBIC) for f, k in zip(frames, scales, strict=True)
    ]
    full = seconds(lambda: [detect_at_full_size(f) for f in frames], 1)
    ratio, first_only = (
        full / seconds(lambda side=side: [detect_face(f, side) for f in frames], 1) for side in (480, 10**6)
    )
    same = sum(same_face(detect_face(f), detect_at_full_size(f)) for f in frames)
    print(
        f"Haar's detection at 720p: {ratio:.1f}x faster than plainly at full size (target 3; large faces first alone: "
        f"{first_only:.1f}x), the same face in {same} of {len(frames)} frames (target 99 %)"
    )


def bench_faces(frames: list[np.ndarray], models: list[str]) -> None:
    found = [(frame, FACE_DETECTORS["blazeface"].largest(frame)) for frame in frames]
    there = [(frame, face) for frame, face in found if face is not None]
    faces = []
    for frame, face in there:
        square = crop_square(face.box, 1.3)
        faces.append((crop_face(frame, square, 224), to_crop(face.landmarks, square, 224)))
    for crf in ([], [15, 27]):
        values = {"variants": 1, "schemes": list(SCHEMES), "donors": 0.0, "crf": crf, "degrade": True}
        settings, rng, n = SynthesisSettings.model_validate(values), np.random.default_rng(0), 200

        def forge(settings=settings, rng=rng, n=n) -> None:
            for face, points in (faces[i % len(faces)] for i in range(n)):
                forge_run(face[None], points[None], settings, rng, [None], is_video=False)

        compressed = "through x264" if crf else "not compressed"
        print(f"synthesis: {n / seconds(forge):.0f} pseudo-fakes of 224x224 a second on one core, {compressed}")
    for model in models:
        landmarker, errors = make_landmarker(model), []
        for frame, face in there:
            points = landmarker(frame, face.haar_box)
            eyes = np.linalg.norm(points[42:48].mean(axis=0) - points[36:42].mean(axis=0))
            errors.append(np.linalg.norm(face.landmarks - points, axis=1).mean() / eyes)
        print(
            f"default landmarks: {100 * np.mean(errors):.1f} % of the eye distance from those of {Path(model).name}, "
            f"mean of {len(errors)} faces"
        )


def bench_embedding(faces: np.ndarray) -> None:
    """Milliseconds a face of the default network, of the same without a boundary map, and of the default before it."""
    from stages.lib.backbone.embedding import embed
    from stages.lib.backbone.network import build_backbone
    from stages.lib.backbone.settings import BackboneSettings

    def of(name: str, size: int, boundary: bool) -> float:
        settings = BackboneSettings(name=name, weights="none", normalization="weights", input_size=size)
        model = build_backbone(settings, boundary)[0].eval()
        return 1000 * seconds(lambda: embed(model, faces, size, "cpu")) / len(faces)

    keep_freed_memory()
    default, bare, before = of(_NETWORK, 224, True), of(_NETWORK, 224, False), of("resnet10t", 128, False)
    print(
        f"embedding: {default:.1f} ms a face ({_NETWORK}, 224 px, with its boundary map): {default / bare:.2f} times "
        f"the network alone, {default / before:.1f} times resnet10t at 128 px"
    )


def main() -> None:
    models = [argument for argument in sys.argv[1:] if argument.endswith(".onnx")]
    folder = Path(next((argument for argument in sys.argv[1:] if argument not in models), "data/demo"))
    videos = sorted(folder.rglob("*.mp4"))[:30]
    if not videos:
        raise InputError(f"{folder}: no .mp4 to measure with; run `make repro` for the demo's, or name a folder")
    cv2.setNumThreads(1)
    frames = [middle_frame(video) for video in videos]
    bench_extraction(videos)
    bench_storage(frames)
    bench_detection(frames)
    bench_faces(frames, models)
    bench_embedding(np.stack([cv2.resize(frame, (224, 224)) for frame in frames]))


if __name__ == "__main__":
    from stages.cli import run

    run(main)
