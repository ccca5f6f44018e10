"""A network that is trained on the training dataset's own fakes, from the bank to the metrics."""

from pathlib import Path

import pandas as pd
import pytest

from stages.lib.backbone.weights import read_architecture
from stages.lib.calibration.bundle import CALIBRATION, read_calibration
from stages.lib.schemas import FAKES, FAKES_TABLE, INDEX
from stages.lib.tables import read_table, write_table
from tests.helpers.pipeline import change_params, demo_without_videos, read_json, run_stages

pytestmark = pytest.mark.filterwarnings("ignore:.*(the backbone hardly tells|vectors of .* numbers are few)")
SAID = "trained on fakes: swap-1, swap-2"


def _split_anew(videos: pd.DataFrame) -> pd.DataFrame:
    """Of the two test people of the demo the first's real is for training, with a fake by swap-1; a fake of the second
    by swap-2, as if it were not known of which video, is for validation.
    """
    first, second = sorted(videos.loc[videos["split"] == "test", "identity"].unique())
    is_first = videos["identity"] == first
    videos.loc[is_first & videos["method"].isin(["", "swap-1"]), "split"] = "train"
    videos.loc[(videos["identity"] == second) & (videos["method"] == "swap-2"), ["split", "original"]] = ("val", "")
    return videos


@pytest.fixture(scope="module")
def supervised(ran, made_once) -> Path:
    """A copy of the pipeline's run on the demo, with ``train.fakes: real``."""

    def make(empty: Path) -> Path:
        folder = demo_without_videos(ran, empty)
        change_params(folder, lambda params: params["train"].update(fakes="real"))
        index = folder / "data/index/demo.parquet"
        videos = read_table(index, INDEX)
        index.unlink()  # a link
        write_table(index, _split_anew(videos.to_pandas()), INDEX)
        with pytest.MonkeyPatch.context() as patch:
            run_stages(folder, patch)
        return folder

    return made_once("supervised", make)


def test_the_bank_is_of_the_fakes_of_train_and_val(supervised):
    table = read_table(supervised / "data/fakes" / FAKES_TABLE, FAKES).to_pandas()
    assert table.groupby("split")["scheme"].unique().map(list).to_dict() == {"train": ["swap-1"], "val": ["swap-2"]}
    assert table["source"].str.startswith("fakes/").all() and not (supervised / "data/fakes/videos").exists()


def test_the_models_and_their_training_name_the_methods(supervised):
    models = supervised / "models"
    assert read_architecture(models / "backbone.safetensors").trained_on_fakes == ("swap-1", "swap-2")
    assert read_calibration(models / CALIBRATION).trained_on.fakes == ["swap-1", "swap-2"]
    assert read_json(supervised / "metrics/train/metrics.json")["trained_on_fakes"] == ["swap-1", "swap-2"]


def test_every_page_of_results_says_so_and_marks_the_methods_that_were_seen(supervised):
    summary, tables = ((supervised / "metrics" / name).read_text() for name in ("summary.txt", "benchmarks.md"))
    assert summary.splitlines()[0] == f"Video-level AUC on the test split ({SAID})"
    assert tables.endswith(f"- what was measured here is of a network {SAID}\n")
    for page in (summary, tables):
        assert page.count("(seen in training)") == 2
        assert "swap-1 (seen in training)" in page and "swap-2 (seen in training)" in page
    assert read_json(supervised / "metrics/detail.json")["protocol"]["trained_on_fakes"] == ["swap-1", "swap-2"]


def test_the_keys_of_the_metrics_are_those_of_any_run(supervised, ran):
    ours, theirs = (read_json(folder / "metrics/auc.json")["demo"] for folder in (supervised, ran))
    assert set(ours) == set(theirs)


def test_nothing_of_this_is_said_of_a_run_on_pseudo_fakes(ran):
    pages = [(ran / "metrics" / name).read_text() for name in ("summary.txt", "benchmarks.md", "detail.json")]
    pages.append((ran / "models" / CALIBRATION).read_text())
    assert not any(
        word in page for page in pages for word in ("trained on fakes", "trained_on_fakes", "seen in training")
    )
