"""What a pipeline would take on more machines than there are here, and what would hold it up.

    python -m benchmarks.scaling [--cores 32] [--gpus 4] [--tflops 3] [--storage 2] [--docs docs/scaling.md]

Measured here: processor time and bytes of each stage on clips of several sizes and lengths, fitted to what a video has
of frames and pixels; what the main process does for each video; what Dask takes to send a video to a worker, with 64
workers that sleep. Computed from it: three collections on 1, 10 and 100 nodes. The options are the nodes': cores and
GPUs of each, what a GPU sustains (TFLOP/s), and what the storage that all share gives (GB/s). ``--docs``: the page
whose part between the two comments is replaced.
"""

import argparse
import itertools
import re
import tempfile
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import pyarrow as pa
import torch
from scipy.optimize import nnls
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.detection import FPS, drifting_portrait
from benchmarks.engine import SLEEPERS, dispatch_ms
from benchmarks.memory import measure as measure_tables
from benchmarks.throughput import seconds
from stages.lib.backbone.batches import training_batch
from stages.lib.backbone.embedding import embed
from stages.lib.backbone.network import build_backbone, forward, prepare
from stages.lib.faces.video_faces import Face, crop_video
from stages.lib.files import bank_file, write_array, write_text
from stages.lib.fingerprint import sha256
from stages.lib.frames.extraction import extract_frames
from stages.lib.frames.storage import read_frames, write_frames
from stages.lib.markdown import markdown_table
from stages.lib.pseudo_fakes.bank import CHANNELS, FakeBank
from stages.lib.pseudo_fakes.making import forge_run
from stages.lib.schemas import FAKES
from stages.params import Params, load_params

SIZES, N_FRAMES = ((640, 360), (1280, 720), (1920, 1080)), (4 * FPS, 10 * FPS)
TABLE_VIDEOS, TABLE_STAGES = (500, 2000), ("fuse_pairs", "score_videos", "evaluate")
NODES = (1, 10, 100)
BEGIN, END = "<!-- python -m benchmarks.scaling -->", "<!-- the end of what it writes -->"


@dataclass(frozen=True)
class Collection:
    """Videos as they are on average; the numbers are rounded, and for the uploads assumed."""

    name: str
    n_videos: int
    size: tuple[int, int]
    n_frames: int
    megabytes: float  # of a file

    @property
    def megapixels(self) -> float:
        """Of one frame."""
        return float(np.prod(self.size)) / 1e6


COLLECTIONS = (
    Collection("FaceForensics++ (c23)", 5_000, (1280, 720), 500, 2),
    Collection("DFDC", 128_000, (1920, 1080), 300, 3.7),
    Collection("a million uploads of a minute", 1_000_000, (1280, 720), 1800, 20),
)
N_TRAINING = 720  # real videos of FaceForensics++'s training part


@dataclass(frozen=True)
class Cluster:
    """Nodes, and what they share."""

    nodes: int
    cores: int
    gpus: int
    tflops: float
    storage: float


@dataclass(frozen=True)
class Work:
    """What a stage takes for a video: seconds of a core, floating-point operations of a GPU, bytes read and written,
    seconds of the one main process.
    """

    cpu_s: float = 0.0
    flops: float = 0.0
    n_bytes: float = 0.0
    main_s: float = 0.0

    def limited(self, n_videos: int, on: Cluster) -> tuple[float, str]:
        """(hours, what they are spent on): the longest of what goes on at the same time."""
        resources = {
            "cores": self.cpu_s / (on.nodes * on.cores),
            "GPUs": self.flops / (on.nodes * max(on.gpus, 1) * on.tflops * 1e12),
            "storage": self.n_bytes / (on.storage * 1e9),
            "main process": self.main_s,
        }
        return _longest({what: n_videos * took for what, took in resources.items()})


def _longest(took: dict[str, float]) -> tuple[float, str]:
    """(hours, what they are spent on), of the seconds of what goes on at the same time."""
    what = max(took, key=lambda one: took[one])
    return took[what] / 3600, what


@dataclass(frozen=True)
class Fit:
    """Seconds as a sum of what a video has, each times a factor of at least 0."""

    terms: tuple[str, ...]
    factors: np.ndarray
    off: float  # the largest relative error at the clips that it was fitted to

    @staticmethod
    def of(terms: tuple[str, ...], amounts: np.ndarray, seconds: np.ndarray) -> "Fit":
        """``amounts``: (clips, terms). The relative errors are what is made small."""
        factors, _ = nnls(amounts / seconds[:, None], np.ones(len(seconds)))
        return Fit(terms, factors, float(np.abs(amounts @ factors / seconds - 1).max()))

    def __call__(self, *amounts: float) -> float:
        return float(self.factors @ amounts)

    def __str__(self) -> str:
        parts = [f"{1000 * factor:.1f} ms {term}" for factor, term in zip(self.factors, self.terms, strict=True)]
        return f"{' + '.join(parts)} (within {100 * self.off:.0f} %)"


@dataclass(frozen=True)
class Costs:
    """What was measured; seconds are of one core, ``per_pixel`` bytes of a kept frame."""

    extract: Fit
    crop: Fit
    per_pixel: float
    embed_s: float
    prepare_s: float
    face_flops: float
    patch_flops: float
    hash_s: float
    fake_s: float
    pair_s: float
    drawn_s: float
    tables_s: dict[str, float]
    dispatch_s: float


processor_time = partial(seconds, clock=time.process_time)


def _clip(path: Path, size: tuple[int, int], n_frames: int) -> None:
    """H.264 of a portrait that drifts, with grain that is another in each frame, as a camera's is."""
    grain = np.random.default_rng(0).normal(0, 4, (size[1], size[0], 3))
    with av.open(path, "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.options = {"crf": "23", "preset": "veryfast"}
        for number, frame in enumerate(drifting_portrait(size, n_frames)):
            grained = np.clip(frame + np.roll(grain, (31 * number, 17 * number), (0, 1)), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(grained, format="bgr24")))
        container.mux(stream.encode())


def _of_clips(folder: Path, params: Params) -> tuple[Fit, Fit, float, list[Face], np.ndarray]:
    """The fits of extracting and cropping, bytes of a kept frame for each pixel, and the faces of the last clip."""
    rows, n_kept, kept = [], params.frames.per_video, folder / "frames.parquet"
    faces: list[Face] = []
    crops = np.empty(0)
    for at, (size, n_frames) in enumerate(itertools.product(SIZES, N_FRAMES)):
        path, megapixels = folder / f"{at}.mp4", np.prod(size) / 1e6
        _clip(path, size, n_frames)
        extracting = processor_time(lambda path=path: write_frames(kept, extract_frames(path, n_kept).frames))

        def crop() -> None:
            nonlocal faces, crops
            faces, crops = crop_video(lambda: read_frames(kept), params.faces)
            write_array(folder / "crops.npy", crops)

        per_pixel = kept.stat().st_size / (n_kept * np.prod(size))
        rows.append((n_frames * megapixels, n_kept * megapixels, extracting, processor_time(crop), per_pixel))
        path.unlink()
    decoded, pixels, extracting, cropping, per_pixel = np.array(rows).T
    same = np.ones(len(rows))
    extract = Fit.of(("a video", "a Mpx decoded", "a Mpx kept"), np.stack([same, decoded, pixels], 1), extracting)
    crop_fit = Fit.of(("a frame", "a Mpx kept"), np.stack([same * n_kept, pixels], 1), cropping)
    return extract, crop_fit, float(np.mean(per_pixel)), faces, crops


def _flops(model: torch.nn.Module, side: int) -> float:
    """Floating-point operations of a network's forward pass of one image."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        forward(model, torch.zeros(1, 3, side, side))
    return float(counter.get_total_flops())


def _of_batches(folder: Path, params: Params) -> tuple[float, float]:
    """Seconds to make a pair of a training batch, and to draw for one that another process makes."""
    n, rng = params.train.batch_size // 2, np.random.default_rng(0)
    entries = rng.integers(0, 256, (n, 1, params.faces.size, params.faces.size, CHANNELS), np.uint8)
    write_array(bank_file(folder, "bank"), entries)
    same = {"source": "bank", "is_video": True, "split": "train", "variant": 0, "scheme": "", "transformed": ""}
    rows = [same | {"face_row": at, "donor": None, "blend_ratio": 1.0, "rate_factor": None} for at in range(n)]
    bank = FakeBank(folder, pa.Table.from_pylist(rows, FAKES), "train")

    def make(share: slice | None) -> float:
        shown, size = np.arange(n), params.backbone.input_size
        arguments = (bank, shown, np.zeros(n, int), params.train, size, rng)
        return processor_time(lambda: training_batch(*arguments, share=share)) / n

    return make(None), make(slice(0, 0))


def _of_tables(dimension: int) -> dict[str, float]:
    """Seconds that each stage which works on tables takes for one more video."""
    found = []
    for n_videos in TABLE_VIDEOS:
        with tempfile.TemporaryDirectory() as folder:
            found.append(measure_tables(Path(folder), n_videos, dimension))
    few, many = TABLE_VIDEOS
    return {stage: (found[1][stage][1] - found[0][stage][1]) / (many - few) for stage in TABLE_STAGES}


def measured() -> Costs:
    """All costs, on this machine."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    params, size = load_params(), load_params().backbone.input_size
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        extract, crop, per_pixel, faces, crops = _of_clips(folder, params)
        hashing = processor_time(lambda: sha256(folder / "crops.npy"))
        pair_s, drawn_s = _of_batches(folder, params)
    model, architecture = build_backbone(params.backbone, boundary=True)
    model.eval()
    embedding = processor_time(lambda: embed(model, crops, size, "cpu"))
    preparing = processor_time(lambda: prepare(crops, size))
    landmarks, rng = next(face.landmarks for face in faces if face.landmarks is not None), np.random.default_rng(0)
    forging = processor_time(
        lambda: [forge_run(crops[:1], landmarks[None], params.synthesis, rng, [None], is_video=False) for _ in crops]
    )
    return Costs(
        extract=extract,
        crop=crop,
        per_pixel=per_pixel,
        embed_s=embedding / len(crops),
        prepare_s=preparing / len(crops),
        face_flops=_flops(model, size),
        patch_flops=_flops(model, params.train.patch or size),
        hash_s=hashing,
        fake_s=forging / len(crops),
        pair_s=pair_s,
        drawn_s=drawn_s,
        tables_s=_of_tables(architecture.embedding_dim),
        dispatch_s=dispatch_ms() / 1000,
    )


def works(costs: Costs, params: Params, of: Collection, has_gpus: bool) -> dict[str, Work]:
    """What each stage whose work grows with the videos takes for one of a collection."""
    n, pixels = params.frames.per_video, params.frames.per_video * of.megapixels
    frames, crops = costs.per_pixel * pixels * 1e6, n * 3.0 * params.faces.size**2
    sent = costs.dispatch_s
    return {
        "extract_frames": Work(
            costs.extract(1, of.n_frames * of.megapixels, pixels), 0, of.megabytes * 1e6 + frames, sent
        ),
        "crop_faces": Work(costs.crop(n, pixels), 0, frames + crops, sent),
        # The main process reads each video's faces to tell whether they are those of before.
        "embed_faces": Work(
            n * (costs.prepare_s if has_gpus else costs.embed_s),
            n * costs.face_flops if has_gpus else 0,
            2 * crops,
            sent + costs.hash_s,
        ),
        "tables": Work(main_s=sum(costs.tables_s.values())),
    }


def training(costs: Costs, params: Params, on: Cluster) -> tuple[float, str]:
    """(hours, what they are spent on) of training on the training part of FaceForensics++."""
    processes = min(on.nodes * on.gpus, params.train.batch_size // 2)
    pairs = N_TRAINING * params.frames.per_video * params.train.epochs
    passes = 3 * (2 if params.train.sam_rho else 1)  # forward, and back at twice its cost
    took = {
        "GPUs": pairs * 2 * passes * costs.patch_flops / (processes * on.tflops * 1e12),
        "making batches": pairs * (costs.pair_s / processes + costs.drawn_s * (1 - 1 / processes)),
    }
    return _longest(took)


def _time(hours: float) -> str:
    if hours < 1:
        return f"{60 * hours:.1f} min"
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.1f} days"


def page(costs: Costs, params: Params, on: Callable[[int], Cluster]) -> str:
    """What was measured and what follows from it, as Markdown."""
    n, node = params.frames.per_video, on(1)
    tables = ", ".join(f"`{stage}` {1000 * seconds:.1f} ms" for stage, seconds in costs.tables_s.items())
    measured_rows = [
        ["`extract_frames`", str(costs.extract), "", f"{costs.per_pixel:.2f} bytes a pixel kept"],
        ["`crop_faces`", str(costs.crop), "", f"{3 * params.faces.size**2 / 1000:.0f} KB a face"],
        ["`synthesize_fakes`", f"{1000 * costs.fake_s:.1f} ms a pseudo-fake", "", ""],
        [
            "`train_backbone`",
            f"{1000 * costs.pair_s:.1f} ms a pair, {1000 * costs.drawn_s:.1f} ms one of another process",
            f"{costs.patch_flops / 1e9:.2f} GFLOP an image forward",
            "",
        ],
        [
            "`embed_faces`",
            f"{1000 * costs.embed_s:.0f} ms a face, {1000 * costs.prepare_s:.1f} ms beside a GPU",
            f"{costs.face_flops / 1e9:.2f} GFLOP a face",
            "",
        ],
    ]
    head = ["stage", "seconds of a core", "GPU", "written"]
    stages, rows = [], []
    for of in COLLECTIONS:
        work = works(costs, params, of, has_gpus=node.gpus > 0)
        stages = list(work)
        for nodes in NODES:
            cells = {stage: one.limited(of.n_videos, on(nodes)) for stage, one in work.items()}
            written = of.n_videos * (work["crop_faces"].n_bytes) / 1e12
            rows.append(
                [
                    f"{of.name}: {of.n_videos:,}, {written:.1f} TB" if nodes == NODES[0] else "",
                    str(nodes),
                    *(f"{_time(hours)} ({what})" for hours, what in cells.values()),
                    _time(sum(hours for hours, _ in cells.values())),
                ]
            )
    trained = [
        f"{_time(hours)} on {nodes} ({what})"
        for nodes in NODES
        if node.gpus
        for hours, what in [training(costs, params, on(nodes))]
    ]
    of_main = (
        f"For each video the main process takes {1000 * costs.dispatch_s:.1f} ms to send it to one of {SLEEPERS} Dask "
        "workers and to note its embeddings (on two cores, shared with the scheduler and the workers), "
        f"{1000 * costs.hash_s:.1f} ms to hash its faces (`embed_faces`), and for its tables {tables}."
    )
    assumed = (
        f"With nodes of {node.cores} cores and {node.gpus} GPUs, each GPU sustaining {node.tflops:g} TFLOP/s, and "
        f"storage that gives {node.storage:g} GB/s in all (these are assumed), {n} frames a video:"
    )
    of_training = ""
    if trained:
        of_training = _wrapped(
            f"Training on FaceForensics++'s {N_TRAINING} training reals, as shipped, in a process for each GPU up to "
            f"one for each pair of a batch: {', '.join(trained)}."
        )
    table = markdown_table(["videos, and disk", "nodes", *stages, "all"], rows)
    parts = [markdown_table(head, measured_rows), *map(_wrapped, (of_main, assumed)), table, of_training]
    return "\n".join(parts)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, 120) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("cores", 32), ("gpus", 4), ("tflops", 3.0), ("storage", 2.0)):
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--docs", type=Path)
    arguments = parser.parse_args()
    on = partial(
        Cluster, cores=arguments.cores, gpus=arguments.gpus, tflops=arguments.tflops, storage=arguments.storage
    )
    text = page(measured(), load_params(), on)
    print(text)
    if arguments.docs:
        pattern = re.compile(f"(?<={re.escape(BEGIN)}\n).*?(?={re.escape(END)})", re.DOTALL)
        write_text(arguments.docs, pattern.sub(lambda _: f"\n{text}\n", arguments.docs.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
