"""Miniature trees of the benchmarks, laid out as their authors distribute them.

Each builder takes a root and ``put(path)``, which makes one video (or any file) there, and returns nothing: what is in
the tree is in its lists. FaceForensics++ has 4 train, 2 val and 4 test originals.
"""

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from stages.lib.schemas import FILE_STATES

Put = Callable[[Path], object]
NO_STATES = pd.DataFrame(columns=FILE_STATES.names)  # no file has been seen before
PAIRS = {
    "train": [["000", "003"], ["010", "011"]],
    "val": [["020", "021"]],
    "test": [["030", "031"], ["040", "041"]],
}


def _write(path: Path, content: str | dict | list) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def ffpp(root: Path, put: Put, quality: str = "raw", methods: tuple[str, ...] = (), pairs: dict = PAIRS) -> None:
    methods = methods or ("Deepfakes", "Face2Face", "FaceSwap", "NeuralTextures")
    for split, ids in pairs.items():
        _write(root / f"{split}.json", ids)
        for a, b in ids:
            for person in (a, b):
                put(root / f"original_sequences/youtube/{quality}/videos/{person}.mp4")
            for method in methods:
                for fake in (f"{a}_{b}", f"{b}_{a}"):
                    put(root / f"manipulated_sequences/{method}/{quality}/videos/{fake}.mp4")


def faceshifter(root: Path, put: Put) -> None:
    ffpp(root, put, "c23", ("FaceShifter",))


def dfd(root: Path, put: Put, quality: str = "c23") -> None:
    for real in ("01__exit_phone_room", "02__exit_phone_room"):
        put(root / f"original_sequences/actors/{quality}/videos/{real}.mp4")
    for fake in ("01_02__exit_phone_room__YVGY8LOK", "02_01__kitchen_still__0XUW13RW"):
        put(root / f"manipulated_sequences/DeepFakeDetection/{quality}/videos/{fake}.mp4")


def celebdf(root: Path, put: Put) -> None:
    tested = ["Celeb-real/id0_0001.mp4", "YouTube-real/00005.mp4", "Celeb-synthesis/id0_id1_0001.mp4"]
    for path in [*tested, "Celeb-real/id2_0000.mp4", "YouTube-real/00007.mp4", "Celeb-synthesis/id2_id0_0000.mp4"]:
        put(root / path)
    lines = [f"{int('real' in path)} {path}" for path in tested]
    _write(root / "List_of_testing_videos.txt", "\n".join(lines) + "\n")


def celebdf_pp(root: Path, put: Put) -> None:
    tested = [
        "Celeb-real/id0_0001.mp4",
        "YouTube-real/00005.mp4",
        "Celeb-synthesis/FaceSwap/BlendFace/id0_id1_0001.mp4",
        "Celeb-synthesis/FaceReenact/LIA/id0_id1_0001.mp4",
        "Celeb-synthesis/TalkingFace/IP_LAP/id0_0001_test_00012.mp4",
    ]
    for path in [*tested, "Celeb-real/id2_0000.mp4", "Celeb-synthesis/FaceSwap/Celeb-DF-v2/id2_id0_0000.mp4"]:
        put(root / path)
    lines = [f"{int('real' in path)} {path}" for path in tested]
    _write(root / "List_of_testing_videos.txt", "\n".join(lines) + "\n")


def deeperforensics(root: Path, put: Put) -> None:
    ffpp(root, put, "c23", ("Deepfakes",))
    for split, names in {"train": ["000_M101"], "val": ["020_W004"], "test": ["030_M101", "010_W004"]}.items():
        _write(root / f"lists/splits/{split}.txt", "".join(f"{name}.mp4\n" for name in names))
        for name in names:
            put(root / f"manipulated_videos/end_to_end/{name}.mp4")


def forgerynet(root: Path, put: Put, per_class: int = 2) -> None:
    lines = []
    for forgery in range(9):
        for n in range(per_class * (8 if forgery == 0 else 1)):
            name = f"val_video_release/{forgery}/{n:05d}/video.mp4"
            put(root / "Validation/video" / name)
            segments = "1 {} 0 90 0" if forgery == 0 else "2 {} 0 40 0 40 50 1"
            labels = "0 0 0" if forgery == 0 else f"1 {1 + (forgery > 6)} {forgery}"
            lines.append(f"{segments.format(name)} {labels}")
    _write(root / "Validation/video_list.txt", "\n".join(lines) + "\n")


def dfdc(root: Path, put: Put) -> None:
    metadata = {"aaa.mp4": {"label": "REAL", "split": "train"}}
    metadata["bbb.mp4"] = {"label": "FAKE", "split": "train", "original": "aaa.mp4"}
    _write(root / "dfdc_train_part_0/metadata.json", metadata)
    _write(root / "test/labels.csv", "filename,label\nccc.mp4,0\nddd.mp4,1\n")
    for path in ("dfdc_train_part_0/aaa.mp4", "dfdc_train_part_0/bbb.mp4", "test/ccc.mp4", "test/ddd.mp4"):
        put(root / path)


def dfdc_preview(root: Path, put: Put) -> None:
    videos = {
        "original_videos/643049/643049_A_001.mp4": ("real", "train"),
        "original_videos/1224068/1224068_C_001.mp4": ("real", "test"),
        "method_A/1224068/1224068_C/643049_1224068_C_001.mp4": ("fake", "test"),
        "method_B/1224068/1224068_C/643049_1224068_C_002.mp4": ("fake", "test"),
    }
    _write(root / "dataset.json", {path: {"label": label, "set": split} for path, (label, split) in videos.items()})
    for path in videos:
        put(root / path)


def ffiw(root: Path, put: Put) -> None:
    for part in ("train", "val"):
        for kind in ("source", "target"):
            put(root / f"{kind}/{part}/videos/00{len(part)}.mp4")


def fakeavceleb(root: Path, put: Put) -> None:
    lines = [
        "id00076,-,-,real,A,RealVideo-RealAudio,African,men,00109.mp4",
        "id00018,-,-,real,A,RealVideo-RealAudio,Caucasian (American),women,00181.mp4",
        "id00076,fake.mp4,-,rtvc,B,RealVideo-FakeAudio,African,men,00109_fake.mp4",
        "id00076,id00166,-,wav2lip,C,FakeVideo-RealAudio,African,men,00109_id00166_wavtolip.mp4",
        "id00076,1.mp4,-,faceswap,C,FakeVideo-RealAudio,African,men,00109_1.mp4",
        "id00018,id01201,id00020,fsgan-wav2lip,D,FakeVideo-FakeAudio,Caucasian (American),women,"
        "00181_id01201_Q8XWfmNiWYA_id00020_wavtolip.mp4",
    ]
    table = ["source,target1,target2,method,category,type,race,gender,path,"]
    for line in lines:
        person, *_, kind, race, gender, name = line.split(",")
        put(root / kind / race / gender / person / name)
        table.append(f"{line},FakeAVCeleb/{kind}/{race}/{gender}/{person}")
    _write(root / "meta_data.csv", "\n".join(table) + "\n")


def deepfake_eval_2024(root: Path, put: Put) -> None:
    lines = [
        "oU0MuTlffWBW.mp4,2024-11-14,Fake,Unknown,trump doesn't speak spanish; lip sync is off,train",
        'WVo7NVg4zBUj.mp4,2024-11-14,Fake,Unknown,"Obvious fakes, like the fire",test',
        "0GHYvfi5_FJp.mp4,2024-11-11,Real,Fake,,test",
        "-QVbWlwGqPkh.mp4,2024-11-14,Unknown,Unknown,,test",
    ]
    for line in lines:
        put(root / "video-data" / line.partition(",")[0])
    header = "Filename,Date,Video Ground Truth,Audio Ground Truth,Public Comments,Finetuning Set"
    _write(root / "video-metadata-publish.csv", "\n".join([header, *lines]) + "\n")


def diffswap(root: Path, put: Put) -> None:
    for picture in ("DiffSwap/images/0.png", "DiffSwap/images/1.png", "Real/27000.jpg"):
        put(root / picture)
    _write(root / "DiffSwap/target_source.csv", "0.png,1.jpg,2.jpg\n")


def df40_ff(root: Path, put_frames: Put) -> None:
    for split, ids in PAIRS.items():
        _write(root / f"FaceForensics++/{split}.json", ids)
        for person in (person for pair in ids for person in pair):
            put_frames(root / f"FaceForensics++/original_sequences/youtube/c23/frames/{person}")
    for fake in ("030_031", "041_040"):
        put_frames(root / f"simswap/ff/frames/{fake}")
        put_frames(root / f"fomm/ff/frames/{fake}")


def df40_cdf(root: Path, put_frames: Put) -> None:
    for real in ("Celeb-real/frames/id0_0001", "YouTube-real/frames/00005"):
        put_frames(root / "Celeb-DF-v2" / real)
    lines = "1 Celeb-real/id0_0001.mp4\n1 YouTube-real/00005.mp4\n0 Celeb-synthesis/id0_id1_0001.mp4\n"
    _write(root / "Celeb-DF-v2/List_of_testing_videos.txt", lines)
    put_frames(root / "simswap/cdf/frames/id0_id1_0001")
    (root / "e4e/cdf/Celeb-real").mkdir(parents=True)


def wilddeepfake(root: Path, put_frames: Put) -> None:
    for sequence in (
        "real_train/2/real/7",
        "fake_train/0/fake/131",
        "real_test/0/real/12",
        "real_test/0/real/3",
        "fake_test/1/fake/12",
        "fake_test/1/fake/40",
    ):
        put_frames(root / sequence)


def deepfakebench(root: Path, put_frames: Put, ahead: str = "./datasets/rgb/FaceForensics++/") -> None:
    """FaceForensics++'s, at c23, with the lists of the dataset's authors beside DeepfakeBench's."""
    labels: dict[str, dict] = {label: {split: {} for split in PAIRS} for label in ("FF-real", "FF-DF", "FF-NT")}
    for split, ids in PAIRS.items():
        _write(root / f"{split}.json", ids)
        for a, b in ids:
            fakes = [
                (label, f"manipulated_sequences/{method}", f"{a}_{b}")
                for label, method in (("FF-DF", "Deepfakes"), ("FF-NT", "NeuralTextures"))
            ]
            reals = [("FF-real", "original_sequences/youtube", person) for person in (a, b)]
            for label, folder, video in reals + fakes:
                put_frames(root / f"{folder}/c23/frames/{video}")
                frames = [f"{ahead}{folder}/c23/frames/{video}/{n:03d}.png" for n in (0, 15, 30)]
                labels[label][split].setdefault("c23", {})[video] = {"label": label, "frames": frames}
    _write(root / "FaceForensics++.json", {"FaceForensics++": labels})


OF_FRAMES = ("df40_ff", "df40_cdf", "wilddeepfake", "deepfakebench")  # a video is a folder of pictures
OF_FACES = ("wilddeepfake", "deepfakebench")  # which show faces alone
TREES = {
    name: globals()[name]
    for name in (
        "ffpp", "faceshifter", "dfd", "celebdf", "celebdf_pp", "deeperforensics", "forgerynet",
        "dfdc", "dfdc_preview", "ffiw", "fakeavceleb", "deepfake_eval_2024", "diffswap", *OF_FRAMES,
    )
}  # fmt: skip


def touch(path: Path) -> None:
    """A file that holds its own name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(path.name.encode())


def touch_frames(folder: Path) -> None:
    for n in range(3):
        touch(folder / f"{n:03d}.png")


def tree(folder: Path, name: str) -> Path:
    """One of the trees, of files (or folders of frames) that hold their names; returns its root."""
    TREES[name](folder / name, touch_frames if name in OF_FRAMES else touch)
    return folder / name
