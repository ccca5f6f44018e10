"""The Deepfake Detection Challenge, and its preview: Dolhansky et al., 2020 and 2019 (ai.meta.com/datasets/dfdc).

DFDC: the training set is fifty folders ``dfdc_train_part_<n>`` with a ``metadata.json`` each, {file: {label: FAKE or
REAL, original}} (described at kaggle.com/c/deepfake-detection-challenge/data, whose sample of them is
``train_sample_videos``); they lie in the root or in ``train``. The test set is ``test`` with ``labels.csv``
(filename,label; 1 is fake), its videos beside it or in ``videos``. That file was checked only against how DeepfakeBench
and SelfBlendedImages read it; the authors' own page is behind a login.

DFDC-Preview: ``dfdc_preview_set`` with ``original_videos``, ``method_A``, ``method_B`` and ``dataset.json``, {path:
{label: fake or real, set: train or test}} (described in the preview's paper, arXiv 1910.08854, and likewise read by the
same two). Both its methods are swaps; from which clip a fake was made is not given out.
"""

from pathlib import Path

from stages.lib.datasets.layouts.tree import LayoutMismatch, need, read_json, refuse_strays, video_row, videos_in
from stages.lib.errors import InputError
from stages.lib.records import FAKE, REAL

_METHOD = "DFDC"  # which of its eight methods made a fake is not given out


def index_dfdc(root: Path) -> list[dict[str, str]]:
    """Index rows of the test set and of whatever training parts are there.

    Raises :class:`LayoutMismatch`, and :class:`InputError` for an unknown label and for videos without a label.
    """
    places = [f"{place}{part}" for place in ("", "train/") for part in ("dfdc_train_part_*", "train_sample_videos")]
    parts = sorted(path.parent for place in places for path in root.glob(f"{place}/metadata.json"))
    if not parts and not (root / "test/labels.csv").is_file():
        raise LayoutMismatch("test/labels.csv or dfdc_train_part_*/metadata.json")
    rows = _test_rows(root) if (root / "test/labels.csv").is_file() else []
    for part in parts:
        folder = part.relative_to(root).as_posix()
        metadata = read_json(part / "metadata.json", dict, dict)
        for name, video in metadata.items():
            label = {"FAKE": FAKE, "REAL": REAL}.get(video.get("label"))
            if label is None:
                raise InputError(
                    f"{part}/metadata.json: label of {name} is {video.get('label')!r}, expected FAKE or REAL; correct "
                    "it"
                )
            original = video.get("original") if label == FAKE else None
            rows.append(
                video_row(
                    f"{folder}/{name}",
                    label,
                    "train",
                    _METHOD if label == FAKE else "",
                    f"dfdc/{original or name}",
                    f"{folder}/{original}" if original else "",
                )
            )
        refuse_strays(root, videos_in(root, folder), (row["path"] for row in rows), f"{folder}/metadata.json")
    return rows


def _test_rows(root: Path) -> list[dict[str, str]]:
    import pandas as pd  # which checking params.yaml has no need of

    path = root / "test/labels.csv"
    try:
        labels = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, OSError) as error:
        raise InputError(f"{path}: not a readable CSV file ({error}); download it again") from error
    if not {"filename", "label"} <= set(labels) or not labels["label"].isin(["0", "1"]).all():
        raise InputError(f"{path}: expected columns filename,label with label 0 (real) or 1 (fake); download it again")
    if labels["filename"].duplicated().any():
        raise InputError(
            f"{path}: {labels['filename'][labels['filename'].duplicated()].iloc[0]} is listed twice; remove one"
        )
    folder = "test/videos" if (root / "test/videos").is_dir() else "test"
    rows = [
        video_row(f"{folder}/{name}", FAKE, "test", _METHOD)
        if label == "1"
        else video_row(f"{folder}/{name}", REAL, "test")
        for name, label in zip(labels["filename"], labels["label"], strict=True)
    ]
    refuse_strays(root, videos_in(root, folder), (row["path"] for row in rows), "test/labels.csv")
    return rows


def index_dfdc_preview(root: Path) -> list[dict[str, str]]:
    """Index rows of all videos of ``dataset.json``; a fake's method is its folder. Raises as :func:`index_dfdc`."""

    need(root, "dataset.json", "original_videos")
    rows = []
    for path, video in read_json(root / "dataset.json", dict, dict).items():
        where, folders = f"{root / 'dataset.json'}: {path}", path.split("/")
        label, split = video.get("label"), video.get("set")
        if label not in (REAL, FAKE) or split not in ("train", "test"):
            raise InputError(
                f"{where} has label {label!r} and set {split!r}, expected real or fake, train or test; correct it"
            )
        if len(folders) < 3 or (folders[0] == "original_videos") != (label == REAL):
            raise InputError(f"{where} is labelled {label}, but only original_videos/ holds reals; correct it")
        method = folders[0] if label == FAKE else ""
        rows.append(video_row(path, label, split, method, f"dfdc_preview/{folders[1]}", family="swap"))
    return rows
