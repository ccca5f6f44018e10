"""params.yaml: what each mistake says, and that presets and defaults are valid."""

import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from stages.lib.errors import InputError
from stages.lib.evaluation.diffusionfake import COLUMNS, table_1_dataset
from stages.lib.evaluation.paper import paper_dataset
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
        (
            lambda p: (p["guidance"].update(weights="sd"), p["train"].update(tune="head")),
            "params: guidance.weights is 'sd', but train.tune is 'head': no guidance reaches a frozen backbone; set "
            "train.tune to 'all' or 'norm', or guidance.weights to 'none'; correct it",
        ),
        (
            lambda p: (p["guidance"].update(weights="sd"), p["train"].update(tune="none", boundary=0.0)),
            "guidance.weights is 'sd', but train.tune is 'none': no guidance reaches a frozen backbone",
        ),
        (
            lambda p: (p["guidance"].update(weights="sd"), p["train"].update(sam_rho=0.05)),
            "guidance.weights is 'sd', but train.sam_rho is 0.05: guidance is trained by plain steps alone; set "
            "train.sam_rho to 0, or guidance.weights to 'none'",
        ),
        (
            lambda p: (p["guidance"].update(weights="sd"), p["train"].update(system="rfm", patch=0, boundary=0.0)),
            "guidance.weights is 'sd', but train.system is 'rfm': guidance is given a plain network's features; set "
            "train.system to none, or guidance.weights to 'none'",
        ),
        (
            lambda p: p["train"].update(system="rfm", boundary=0.0),
            "train: system is 'rfm', which is shown whole crops, has its own loss and is trained as a whole; set "
            "patch to 0",
        ),
        (
            lambda p: p["train"].update(system="face_xray", patch=0, boundary=0.0),
            "train: system is 'face_xray', which needs a boundary map; set boundary above 0",
        ),
        (
            lambda p: p["train"].update(system="rfm", patch=0),
            "train: system is 'rfm', which has no boundary map; set boundary to 0",
        ),
        (
            lambda p: p["train"].update(system="rfm", patch=0, boundary=0.0, tune="none"),
            "train: system is 'rfm', which is shown whole crops, has its own loss and is trained as a whole; set tune "
            "to all",
        ),
        (
            lambda p: p["guidance"].update(size=224),
            "guidance.size: found 224; input should be a multiple of 64",
        ),
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
def test_presets_are_valid_and_change_only_what_they_say(tmp_path, preset):
    path = _write(tmp_path)
    before = YAML(typ="safe").load(path)
    apply_presets([preset], path)
    after, wanted = YAML(typ="safe").load(path), YAML(typ="safe").load(preset)
    load_params(path)
    for key, value in after.items():
        change = wanted.get(key, {} if isinstance(value, dict) else before[key])
        merged = isinstance(value, dict) and key not in ("datasets", "photos")
        assert value == ({**before[key], **change} if merged else change or before[key])
    assert path.read_text().startswith("#")


def test_a_presets_mapping_of_names_is_all_of_it(tmp_path):
    path = _write(tmp_path, lambda params: params["synthesis"].update(schemes={"jawline": 50, "swap": 1}))
    apply_presets([ROOT / "presets/people.yaml"], path)
    assert load_params(path).synthesis.schemes == load_params(ROOT / "params.yaml").synthesis.schemes


def test_the_people_preset_is_the_demos_method_on_other_data_and_for_longer():
    ours, people = (YAML(typ="safe").load(ROOT / name) for name in ("params.yaml", "presets/people.yaml"))
    data = {"seed", "train_dataset", "datasets", "photos", "cross_validation", "demo", "calibration"}
    longer = {("frames", "per_video"), ("synthesis", "variants"), ("train", "epochs"), ("train", "average")}
    assert people["fusion"] == ours["fusion"]
    for name in ours.keys() - data - {"fusion"}:
        differ = {key for key in ours[name] | people[name] if ours[name].get(key) != people[name].get(key)}
        assert {(name, key) for key in differ} <= longer


def test_the_paper_preset_sets_every_key_of_the_method():
    preset = YAML(typ="safe").load(ROOT / "presets/paper.yaml")
    sections = ("frames", "faces", "synthesis", "backbone", "train", "guidance", "pairs", "anomaly_model", "scoring")
    shipped = load_params(ROOT / "params.yaml").model_dump()
    assert {name: set(preset[name]) for name in sections} == {name: set(shipped[name]) for name in sections}
    assert set(preset) == {*sections, "fusion", "photos"}


def test_the_paper_preset_is_section_4_1(tmp_path):
    path = _write(tmp_path)
    apply_presets([ROOT / "presets/paper.yaml"], path)
    p = load_params(path)
    assert (p.backbone.name, p.backbone.weights, p.backbone.input_size) == ("efficientnet_b4", "hub", 224)
    assert p.backbone.normalization == "half"
    assert (p.train.epochs, p.train.batch_size, p.train.learning_rate) == (100, 32, 0.001)
    assert (p.anomaly_model.kind, p.anomaly_model.components, p.anomaly_model.covariance) == ("gmm", 3, "full")
    assert p.train.sam_rho > 0
    assert (p.train.tune, p.fusion) == ("all", "sub3")
    assert set(p.synthesis.schemes) == {"global", "eyes", "mouth", "jawline"}
    assert len(set(p.synthesis.schemes.values())) == 1
    assert p.synthesis.donors == 0  # self-blended
    assert (p.faces.detector, p.faces.landmarks, p.faces.size) == ("haar", "haar", 224)
    assert (p.frames.per_video, p.faces.enlarge, p.pairs.per_video) == (40, 1.3, 30)
    assert (p.pairs.min_gap, p.pairs.max_gap) == (0.2, 1.0)  # far enough apart for pose to change


@pytest.mark.parametrize(
    ("protocol", "trained_on", "tested"),
    [
        ("cross_manipulation", "ffpp", {"ffpp"}),
        ("cross_dataset", "ffpp", {"ffpp", "celebdf", "deeperforensics", "forgerynet", "faceshifter"}),
        ("cross_quality_c23", "ffpp_c23", {"ffpp_c23"}),
        ("cross_quality_c40", "ffpp_c40", {"ffpp_c40"}),
    ],
)
def test_protocols_are_the_papers_and_go_with_its_settings(tmp_path, protocol, trained_on, tested):
    path = _write(tmp_path)
    apply_presets([ROOT / "presets/paper.yaml", ROOT / f"presets/{protocol}.yaml"], path)
    params = load_params(path)
    benchmarks = {name: paper_dataset(one.layout, one.quality) for name, one in params.datasets.items()}
    assert set(benchmarks.values()) == tested
    assert benchmarks[params.train_dataset] == trained_on
    assert {"train", "val"} <= set(params.datasets[params.train_dataset].reals)
    assert [name for name, one in params.datasets.items() if "test" not in one.fakes] == []
    assert params.backbone.name == "efficientnet_b4"


def test_the_cross_dataset_protocol_at_frame_level_is_diffusionfakes(tmp_path):
    path = _write(tmp_path)
    apply_presets([ROOT / "presets/paper.yaml", ROOT / "presets/cross_dataset_c23.yaml"], path)
    params = load_params(path)
    trained_on = params.datasets[params.train_dataset]
    assert paper_dataset(trained_on.layout, trained_on.quality) == "ffpp_c23"
    others = {name: one for name, one in params.datasets.items() if name != params.train_dataset}
    assert {table_1_dataset(one.layout, one.quality) for one in others.values()} == set(COLUMNS)
    assert {tuple(one.reals + one.fakes) for one in others.values()} == {("test", "test")}
    assert [name for name, one in others.items() if one.input == "faces"] == ["wilddeepfake"]


def test_an_unknown_preset_lists_them(tmp_path):
    with pytest.raises(InputError, match="no preset .*; there are: cross_dataset, .*, paper"):
        apply_presets([tmp_path / "x.yaml"], _write(tmp_path))


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
