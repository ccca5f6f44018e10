"""params.yaml: what each mistake says, and that presets and defaults are valid."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.lib.errors import InputError
from stages.params import apply_presets, documentation, load_params

ROOT = Path(__file__).parents[2]


def _write(tmp_path: Path, change=None) -> Path:
    yaml = YAML()
    content = yaml.load(ROOT / "params.yaml")
    if change:
        change(content)
    path = tmp_path / "params.yaml"
    yaml.dump(content, path)
    return path


def test_shipped_params_are_valid_and_immutable():
    params = load_params(ROOT / "params.yaml")
    with pytest.raises(ValueError, match="frozen"):
        params.seed = 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda p: p.update(fusion="sub4"),
            "fusion: found 'sub4', expected 'abs', 'sub', 'sub2', 'sub3', 'single', 'joint', 'appearance' or "
            "'learned'; did you mean 'sub'?",
        ),
        (lambda p: p.update(fusion=3), "fusion: found '3', expected 'abs', 'sub'"),
        (
            lambda p: p["frames"].update(per_vdieo=3),
            "frames.per_vdieo: unknown key; did you mean 'per_video'? Correct or remove it",
        ),
        (lambda p: p.update(zzz=1), "zzz: unknown key; known keys: seed, fusion"),
        (lambda p: p["frames"].update(per_video="40"), "frames.per_video: found '40'; input should be a valid integer"),
        (
            lambda p: p["frames"].update(per_video=1),
            "frames.per_video: found 1; input should be greater than or equal to 2",
        ),
        (lambda p: p["pairs"].update(min_gap=1.0), "pairs.min_gap: found 1.0; input should be less than 1"),
        (lambda p: p["pairs"].update(min_gap=0.5, max_gap=0.4), "pairs: min_gap (0.5) must not exceed max_gap (0.4)"),
        (lambda p: p["train"].update(batch_size=7), "train.batch_size: must be even"),
        (
            lambda p: p["train"].update(tune="none"),
            "train: boundary is 2.0, but tune is 'none': nothing would train the boundary map; set boundary to 0, or",
        ),
        (
            lambda p: p["train"].update(fakes="both"),
            "train: fakes is 'both', but boundary is 2.0: where a genuine fake's boundary is isn't known; set boundary "
            "to 0, or fakes to 'pseudo'",
        ),
        (
            lambda p: p["train"].update(fakes="real", boundary=0.0, tune="none"),
            "train: fakes is 'real', but tune is 'none': nothing would be trained on them; set fakes to 'pseudo', or "
            "tune to 'all'",
        ),
        (lambda p: p["train"].update(fakes="genuine"), "train.fakes: found 'genuine', expected 'pseudo', 'real' or"),
        (lambda p: p["train"].pop("fakes"), "train.fakes: missing; add it"),
        (lambda p: p.pop("seed"), "seed: missing; add it"),
        (lambda p: p["train"].pop("epochs"), "train.epochs: missing; add it"),
        (
            lambda p: p.update(train_dataset="ffpp"),
            "train_dataset is 'ffpp', expected one of the keys of `datasets`: demo",
        ),
        (
            lambda p: p["datasets"]["demo"].update(layout="celeb"),
            "datasets.demo.layout: found 'celeb', expected 'manifest'",
        ),
        (
            lambda p: p["datasets"]["demo"].update(qualty="c23"),
            "datasets.demo.qualty: unknown key; did you mean 'quality'? Correct or remove it",
        ),
        (
            lambda p: p["datasets"]["demo"].update(quality="c23"),
            "datasets.demo: quality is 'c23', but only ffpp, faceshifter, dfd, deeperforensics, deepfakebench come in "
            "several; remove it",
        ),
        (lambda p: p["datasets"]["demo"].update(fakes=["dev"]), "datasets.demo.fakes.0: found 'dev', expected 'train'"),
        (
            lambda p: p["synthesis"].update(schemes=["globl"]),
            "synthesis.schemes.globl.[key]: found 'globl', expected 'global', 'eyes', 'mouth', 'jawline', "
            "'self_blended', 'swap', 'lips' or 'animated'; did you mean 'global'?",
        ),
        (
            lambda p: p["synthesis"].update(schemes=["eyes", "eyes"]),
            "synthesis.schemes: lists a scheme twice (eyes, eyes)",
        ),
        (
            lambda p: p["synthesis"].update(schemes={"eyes": 0}),
            "synthesis.schemes.eyes: found 0; input should be greater than 0",
        ),
        (lambda p: p["cross_validation"].update(folds=3, fold=3), "cross_validation: fold is 3, expected 0 to 2"),
        (
            lambda p: p["anomaly_model"].update(kind="gnm"),
            "anomaly_model.kind: found 'gnm', expected 'gmm', 'ocsvm', 'autoencoder' or 'flow'; did you mean 'gmm'?",
        ),
        (lambda p: p["demo"].update(min_frames=99), "min_frames (99) must not exceed max_frames (56)"),
    ],
)
def test_mistakes_are_named_with_their_remedy(tmp_path, change, message):
    with pytest.raises(InputError) as error:
        load_params(_write(tmp_path, change))
    assert message in str(error.value)


def test_loading_params_imports_nothing_heavy():
    code = "import sys; from stages.params import load_params; load_params(); "
    code += "print(sorted({'torch', 'cv2', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_page_of_params_is_up_to_date():
    """The column of shipped values aside: params.yaml may hold somebody's own."""
    page = (ROOT / "docs/params.md").read_text(encoding="utf-8")
    written, generated = ([line.split(" | ")[:2] for line in text.splitlines()] for text in (page, documentation()))
    assert written == generated, "out of date: run `make docs`"


def test_every_mistake_is_reported_at_once(tmp_path):
    with pytest.raises(InputError) as error:
        load_params(_write(tmp_path, lambda p: (p.update(fusion="x"), p["train"].update(epochs=0))))
    assert str(error.value).count("params.yaml: ") == 2


def test_a_duplicate_key_is_an_error(tmp_path):
    path = _write(tmp_path)
    path.write_text(path.read_text() + "\nseed: 1\n")
    with pytest.raises(InputError, match="duplicate key"):
        load_params(path)


def test_no_params_file_says_where_to_run(tmp_path):
    with pytest.raises(InputError, match="run stages from the root of the repository"):
        load_params(tmp_path / "params.yaml")


@pytest.mark.parametrize("preset", sorted((ROOT / "presets").glob("*.yaml")), ids=lambda p: p.stem)
def test_no_preset_trains_on_genuine_fakes(tmp_path, preset):
    path = _write(tmp_path)
    apply_presets([preset], path)
    assert load_params(path).train.fakes == "pseudo"


@pytest.mark.parametrize(("preset", "size"), [("xception", 299), ("efficientnet_b4", 256)])
def test_a_classifier_lies_over_a_protocol(tmp_path, preset, size):
    path = _write(tmp_path)
    apply_presets([ROOT / "presets/cross_dataset_c23.yaml", ROOT / f"presets/{preset}.yaml"], path)
    params = load_params(path)
    assert params.train_dataset == "ffpp_c23" and len(params.datasets) > 1
    assert (params.backbone.input_size, params.scoring.evidence) == (size, ["classifier"])
