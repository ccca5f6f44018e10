"""Where fakes lose fine detail: genuine fakes beside their originals, and pseudo-fakes of each scheme beside theirs.

``python -m benchmarks.pseudo_fakes FOLDER [--photos FOLDER] [--out curves.png]``. The folder has a ``manifest.csv``
with an ``original`` for each fake that counts. A fake's frame is cropped where the original's face is in that frame.
*Fine detail* is the mean absolute difference of luma from its Gaussian blur of 1 px; the curve is the logarithm of the
fake's over the real's, by signed distance from the face's outline (negative inside), at 224 px. A curve is a pair's, or
a pseudo-fake video's, over all its frames; the table has medians, with the 10 and 90 % quantiles of the genuine pairs.
Pseudo-fakes are made of the originals, with donors among them and the photos, as ``synthesize_fakes`` makes them.
"""

import argparse
import tempfile
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from stages.lib.datasets.layouts.manifest import index_manifest
from stages.lib.errors import InputError
from stages.lib.faces.crop import crop_face, crop_square
from stages.lib.faces.settings import FaceSettings
from stages.lib.faces.video_faces import Face, crop_video
from stages.lib.figures import plt, save_png
from stages.lib.files import bank_file, write_array
from stages.lib.frames.extraction import extract_frames
from stages.lib.frames.storage import decompressed
from stages.lib.images import hull_mask
from stages.lib.photos.people import list_people, read_photo
from stages.lib.pseudo_fakes.forging import outline
from stages.lib.pseudo_fakes.making import Source, synthesize_bank, with_donors
from stages.lib.pseudo_fakes.schemes import SCHEMES
from stages.lib.pseudo_fakes.settings import SynthesisSettings
from stages.lib.records import FAKE, Frame
from stages.lib.runtime import progress

EDGES = (-60, -30, -20, -12, -6, -2, 2, 6, 11, 16, 24, 40)  # px
FRAMES, VARIANTS, PHOTOS = 8, 3, 300
FOREHEAD = 0.4
CROPS = FaceSettings(detector="blazeface", landmarks="mesh", select="largest", enlarge=1.3, size=224)


def _detail(face: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The fine detail of an RGB face in each bin: (bins,), NaN where the crop has none of it."""
    luma = cv2.cvtColor(face, cv2.COLOR_RGB2GRAY).astype(np.float32)
    fine = np.abs(luma - cv2.GaussianBlur(luma, (0, 0), 1))
    inside = hull_mask(outline(landmarks, FOREHEAD), len(face)).astype(np.uint8)
    distance = cv2.distanceTransform(1 - inside, cv2.DIST_L2, 5) - cv2.distanceTransform(inside, cv2.DIST_L2, 5)
    bins = np.digitize(distance.ravel(), EDGES)
    counts = np.bincount(bins, minlength=len(EDGES) + 1)[1:-1]
    sums = np.bincount(bins, fine.ravel(), minlength=len(EDGES) + 1)[1:-1]
    return np.where(counts, sums / np.maximum(counts, 1), np.nan)


def _curve(reals: np.ndarray, fakes: np.ndarray, landmarks: np.ndarray) -> np.ndarray:
    """The logarithm of the fine detail of faces (n, h, h, 3) over that of the real ones: (bins,)."""
    detail = [np.nanmean([_detail(*one) for one in zip(faces, landmarks, strict=True)], 0) for faces in (fakes, reals)]
    return np.log(detail[0] / detail[1])


def _frames(path: Path) -> list[Frame]:
    return list(decompressed(extract_frames(path, FRAMES).frames))


def _faces(frames: list[Frame]) -> tuple[list[Face], np.ndarray]:
    """The faces that frames have, with their crops."""
    faces, crops = crop_video(lambda: frames, CROPS)
    return [face for face in faces if face.box is not None], crops


def _source(folder: Path, name: str, people: list[str], is_video: bool, faces: list[Face], crops: np.ndarray) -> Source:
    path = folder / "faces" / f"{name}.npy"
    write_array(path, crops)
    landmarks = np.stack([face.landmarks for face in faces if face.landmarks is not None])
    return Source(name, "", "train", is_video, np.array(people), path, landmarks)


def _genuine(root: Path, folder: Path) -> tuple[np.ndarray, list[Source]]:
    """The curves of genuine pairs (n, bins), and their originals."""
    rows = {row["video_id"]: row for row in index_manifest(root)}
    pairs = [(row, rows[row["original"]]) for row in rows.values() if row["label"] == FAKE and row["original"]]
    if not pairs:
        raise InputError(f"{root}: no fake in its manifest has an original; add the column `original`")
    curves, originals = [], {}
    for fake, original in progress(pairs, "genuine pairs", unit="pair"):
        frames, theirs = _frames(root / original["video_id"]), _frames(root / fake["video_id"])
        faces, crops = _faces(frames)
        image_of = {frame.frame_index: frame.image for frame in theirs}
        shared = [at for at, face in enumerate(faces) if face.frame_index in image_of]
        if not shared:
            continue
        squares = [crop_square(faces[at].box, CROPS.enlarge) for at in shared]
        fakes = [
            crop_face(image_of[faces[at].frame_index], s, CROPS.size) for at, s in zip(shared, squares, strict=True)
        ]
        curves.append(_curve(crops[shared], np.stack(fakes), np.stack([faces[at].landmarks for at in shared])))
        name = original["video_id"]
        people = [original["identity"] or name] * len(faces)
        originals[name] = _source(folder, name, people, True, faces, crops)
    return np.stack(curves), list(originals.values())


def _photographs(root: Path, folder: Path) -> Source:
    """Photographs of different people, as donors alone."""
    firsts = {photo.person: photo for photo in reversed(list_people(root))}
    photos = list(firsts.values())[:: -(-len(firsts) // PHOTOS)]
    found = [
        (photo, _faces([Frame(0, 0.0, image)]))
        for photo in photos
        if (image := read_photo(root / photo.photo_id)) is not None
    ]
    found = [(photo, its) for photo, its in found if its[0]]
    people = [photo.person for photo, _ in found]
    faces = [its[0][0] for _, its in found]
    return _source(folder, "photos", people, False, faces, np.concatenate([its[1] for _, its in found]))


def _pseudo(scheme: str, originals: list[Source], folder: Path) -> np.ndarray:
    """The curves of a scheme's pseudo-fakes (n, bins), one for each video and variant."""
    settings = SynthesisSettings(variants=VARIANTS, schemes={scheme: 1.0}, donors=0.5, crf=[15, 27], degrade=False)
    curves = []
    for source in progress(originals, scheme, unit="video"):
        synthesize_bank(folder, settings, 0, source)
        bank = np.load(bank_file(folder, source.video_id))
        curves += [_curve(one[..., :3], one[..., 3:6], source.landmarks) for one in np.moveaxis(bank, 1, 0)]
    return np.stack(curves)


def _table(genuine: np.ndarray, pseudo: dict[str, np.ndarray]) -> pd.DataFrame:
    """A row for each bin; the last row says in how many of them a scheme's median lies in the genuine pairs' spread."""
    low, middle, high = np.nanquantile(genuine, (0.1, 0.5, 0.9), axis=0)
    medians = {name: np.nanmedian(curves, axis=0) for name, curves in pseudo.items()}
    bins = [f"{a} to {b}" for a, b in zip(EDGES[:-1], EDGES[1:], strict=True)]
    columns = {"px": bins} | {name: [f"{value:.2f}" for value in values] for name, values in medians.items()}
    columns["genuine"] = [f"{m:.2f} ({a:.2f} to {b:.2f})" for a, m, b in zip(low, middle, high, strict=True)]
    inside = {name: f"{((low <= values) & (values <= high)).sum()} of {len(bins)}" for name, values in medians.items()}
    table = pd.DataFrame(columns)[["px", "genuine", *medians]]
    table.loc[len(table)] = {"px": "in the spread", "genuine": ""} | inside
    return table


def _draw(path: Path, genuine: np.ndarray, pseudo: dict[str, np.ndarray]) -> None:
    at = (np.array(EDGES[:-1]) + EDGES[1:]) / 2
    low, middle, high = np.nanquantile(genuine, (0.1, 0.5, 0.9), axis=0)
    figure, axis = plt.subplots(figsize=(9, 5.5), layout="constrained")
    axis.fill_between(at, low, high, color="0.85", label=f"{len(genuine)} genuine pairs, 10 to 90 %")
    axis.plot(at, middle, color="black", linewidth=2.5, label="genuine pairs, median")
    for name, curves in pseudo.items():
        style = "--" if SCHEMES[name].family == "other" else "-"
        axis.plot(at, np.nanmedian(curves, axis=0), style, marker=".", label=name)
    axis.axvline(0, color="0.5", linewidth=0.8)
    axis.axhline(0, color="0.5", linewidth=0.8)
    axis.set_xlabel("distance from the face's outline in px at 224 px; inside is negative")
    axis.set_ylabel("log of fine detail, fake over real")
    axis.legend(frameon=False, fontsize=9)
    save_png(figure, path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="with a manifest.csv that names originals")
    parser.add_argument("--photos", type=Path, help="folder with photographs of people, as further donors")
    parser.add_argument("--out", type=Path, help="where to draw the curves (.png)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        genuine, originals = _genuine(arguments.folder, folder)
        sources = [*originals, *([_photographs(arguments.photos, folder)] if arguments.photos else [])]
        forged = [source for source in with_donors(sources) if source.is_video]
        pseudo = {scheme: _pseudo(scheme, forged, folder / "bank") for scheme in SCHEMES}
    print(f"{len(genuine)} genuine pairs, {len(originals)} originals\n{_table(genuine, pseudo).to_string(index=False)}")
    if arguments.out:
        _draw(arguments.out, genuine, pseudo)


if __name__ == "__main__":
    from stages.cli import run

    run(main)
