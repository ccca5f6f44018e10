"""paper_tables: the paper's comparisons on your datasets, as DVC experiments, in metrics/tables.md and a plot.

``make tables`` or ``python -m stages.paper_tables [--only fusion …] [--folds 3] [-S key=value …]``. ``--only systems``
runs the preset of every system of the papers' tables instead (metrics/systems.json, a page and a plot); there what -S
gives counts for all, whatever a preset says. With ``--choose``: what the score is best made of, chosen on half of the
training dataset's test people and reported on the other (metrics/choice.md). What DVC has run before is taken from its
cache. Afterwards params.yaml, metrics and data are as they were.
"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from stages.cli import run
from stages.experiments import (
    DATA,
    METRICS,
    MODELS,
    Overrides,
    experiments,
    keys_of,
    overrides_of_preset,
    with_overrides,
)
from stages.lib.anomaly.evidence import make_reference
from stages.lib.anomaly.files import load_anomaly_models
from stages.lib.anomaly.scoring import mean_evidence
from stages.lib.calibration.bundle import ANOMALY_MODEL, fakes_in_words
from stages.lib.datasets.folds import people
from stages.lib.errors import InputError
from stages.lib.evaluation.choice import Training, candidates, choice_page, choose, score_candidate
from stages.lib.evaluation.paper import comparable, paper_dataset
from stages.lib.evaluation.systems import OURS, compare_systems, own_detector, plot_systems, systems_page
from stages.lib.evaluation.tables import GUIDANCE, TABLES, Run, Table, plot_tables, render
from stages.lib.files import write_json, write_text
from stages.lib.pairs.fusion import FUSIONS
from stages.lib.records import REAL
from stages.lib.schemas import SCORES
from stages.lib.systems.registry import SYSTEMS
from stages.lib.tables import read_table
from stages.params import Params, load_params, other_than_difffake

PRESETS = Path("presets")
SYSTEMS_TABLE = "systems"  # a table by itself
GUIDED = "diffusionfake"  # the system that is trained under guidance
# What makes a system itself: -S may not give it to all.
OWN_KEYS = (
    *("synthesis.schemes", "synthesis.donors", "scoring.evidence"),
    *("train.system", "train.loss", "train.tune", "train.patch", "train.boundary"),
    *("anomaly_model.kind", "anomaly_model.components"),
)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*TABLES, SYSTEMS_TABLE],
        help="which tables (default: all but systems, which stands alone; guidance's where guidance.weights is set)",
    )
    parser.add_argument(
        "--systems",
        nargs="+",
        choices=list(SYSTEMS),
        default=list(SYSTEMS),
        metavar="SYSTEM",
        help="with --only systems: which of them",
    )
    parser.add_argument(
        "--choose",
        nargs="*",
        choices=list(FUSIONS),
        metavar="FUSION",
        help="choose what the score is made of, with pairs under these fusions (default: that of params.yaml)",
    )
    parser.add_argument("--seeds", type=int, nargs="+", help="with --choose: train with each (default: that of params)")
    parser.add_argument("--folds", type=int, default=1, help="cross-validate over the training dataset's people")
    parser.add_argument(
        "-S", "--set-param", action="append", default=[], metavar="KEY=VALUE", help="for every experiment"
    )
    return parser.parse_args()


def _trained(params: Params, fusion: str) -> Training:
    """What the experiment that was just run gives to choose by."""
    file, models = f"{params.train_dataset}.parquet", load_anomaly_models(MODELS / ANOMALY_MODEL)
    videos = read_table(DATA / "scores" / file, SCORES).to_pandas()
    videos = videos.assign(person=people(videos))[(videos["split"] != "train") & (videos["n_pairs"] > 0)]
    pairs, embeddings = DATA / "pairs" / file, DATA / "embeddings" / file
    means = mean_evidence(models.pairs, pairs, embeddings, params.pairs.per_video)
    reals = make_reference({video_id: means[video_id] for video_id in videos.loc[videos["label"] == REAL, "video_id"]})
    test = videos[videos["split"] == "test"]
    of_test = {video_id: means[video_id] for video_id in test["video_id"]}
    scores = {one: score_candidate(one, of_test, models.reference) for one in candidates([fusion])}
    return Training(test, scores, {fusion: reals}, dict(zip(videos["video_id"], videos["person"], strict=True)))


def _choose(arguments: argparse.Namespace, params: Params) -> None:
    """Choose what the score is made of; write metrics/choice.md. An experiment for each seed and fusion."""
    seeds, fusions = arguments.seeds or [params.seed], arguments.choose or [params.fusion]
    for key, option in (("seed", "--seeds"), ("fusion", "--choose")):
        if key in keys_of(arguments.set_param):
            raise InputError(f"with --choose, -S {key}=… would change nothing; give it by {option}")
    runs = []
    seen: set[str] = set()
    with experiments() as run_experiment:
        for seed in seeds:
            found = []
            for fusion in fusions:
                overrides = (*arguments.set_param, f"seed={seed}", f"fusion={fusion}")
                experiment = run_experiment(overrides)
                if experiment is None:
                    raise InputError(f"the experiment {' '.join(overrides)} failed; see above for why")
                seen |= {*experiment.seen}
                found.append(_trained(load_params(), fusion))
            scores = {one: series for run in found for one, series in run.scores.items()}
            reals = {fusion: reference for run in found for fusion, reference in run.reals.items()}
            runs.append(replace(found[0], scores=scores, reals=reals))
    parts = ["python -m stages.paper_tables --choose", *fusions, "--seeds", *map(str, seeds)]
    command = " ".join([*parts, *(f"-S {override}" for override in arguments.set_param)])
    text = choice_page(choose(runs, params.seed), runs, params.seed, command)
    text += f"\nThe network was {fakes_in_words(sorted(seen))}.\n" if seen else ""
    write_text(METRICS / "choice.md", text)
    print(f"\n{text}\n{METRICS}/choice.md")


def _without_guidance(given: Sequence[str]) -> list[str]:
    """What is given, for a system that isn't trained under guidance."""
    others = [one for one, key in zip(given, keys_of(given), strict=True) if not key.startswith("guidance.")]
    return [*others, "guidance.weights=none"]


def _scores(system: str, datasets: Iterable[str]) -> dict[str, pd.DataFrame]:
    """{dataset: the test videos of the experiment that was just run, with the system's own score}."""
    found, column = {}, own_detector(system).score
    for name in datasets:
        videos = read_table(DATA / "scores" / f"{name}.parquet", SCORES).to_pandas()
        found[name] = videos.assign(person=people(videos), score=videos[column])[videos["split"] == "test"]
    return found


def _systems(arguments: argparse.Namespace, params: Params) -> None:
    """Run every system's preset; write metrics/systems.json, .md and .png.

    What is given counts for all, but guidance's for DiffusionFake alone, and another network or its weights for none
    that is its network. Raises :class:`InputError` for what would make a system another.
    """
    if arguments.only != [SYSTEMS_TABLE] or arguments.folds > 1:
        raise InputError(
            "`systems` is a table of its own, on the test split; give --only systems alone, without --folds"
        )
    given, scores, seen, failed = arguments.set_param, {}, {}, {}
    others = [key for key in keys_of(given) if key.startswith(OWN_KEYS)]
    if others:
        raise InputError(
            f"-S {others[0]} would make systems others than they are called; leave it out (where a preset doesn't name "
            "it, params.yaml counts)"
        )
    network = [key for key in keys_of(given) if key in ("backbone.name", "backbone.weights")]
    with experiments() as run_experiment:
        for system in (OURS, *arguments.systems):
            if network and system != OURS and SYSTEMS[system].own_network:
                failed[system] = f"its network is what it is, and -S {network[0]} gives another"
                continue
            for_all = _without_guidance(given) if system != GUIDED else given
            preset = PRESETS / f"{system}.yaml"
            experiment = run_experiment(tuple(for_all) if system == OURS else overrides_of_preset(preset, for_all))
            if experiment is None:
                failed[system] = "its experiment failed; what it printed says why"
            else:
                scores[system], seen[system] = _scores(system, params.datasets), experiment.seen
    found = {
        name: compare_systems({system: of[name] for system, of in scores.items()}, seen, params.seed)
        for name in sorted(params.datasets)
    }
    parts = ["python -m stages.paper_tables --only systems"]
    parts += ["--systems", *arguments.systems] if arguments.systems != list(SYSTEMS) else []
    command = " ".join([*parts, *(f"-S {override}" for override in given)])
    write_json(METRICS / "systems.json", found)
    write_text(METRICS / "systems.md", systems_page(found, failed, command))
    plot_systems(METRICS / "systems.png", found)
    print(f"\n{(METRICS / 'systems.md').read_text()}\n{METRICS}/systems.json, systems.md, systems.png")
    if failed:
        raise InputError(
            f"{len(failed)} of {len(arguments.systems) + 1} systems failed ({', '.join(failed)}); see above for why"
        )


def wanted_tables(only: list[str] | None, params: Params) -> list[str]:
    """The names of the tables to make: those named, or all that can be.

    ``params``: with what -S gives. Raises :class:`InputError` for guidance's without Stable Diffusion's weights: its
    rows change what these do.
    """
    if only is None:
        return [name for name in TABLES if params.guidance.is_on or name != GUIDANCE]
    if GUIDANCE in only and not params.guidance.is_on:
        raise InputError(
            "--only names guidance, but guidance.weights is 'none'; set it to Stable Diffusion's weights "
            "(docs/guidance.md), or give -S guidance.weights=FOLDER"
        )
    return only


def _overrides_of_folds(n_folds: int) -> list[Overrides]:
    if n_folds == 1:
        return [()]
    return [(f"cross_validation.folds={n_folds}", f"cross_validation.fold={fold}") for fold in range(n_folds)]


def _run_all(planned: dict[tuple[str, str], list[Overrides]], n_folds: int) -> dict[Overrides, Run | None]:
    """Run every planned experiment once, one fold's after the other's: those that share a backbone follow each
    other.
    """
    runs: dict[Overrides, Run | None] = {}
    with experiments() as run_experiment:
        for overrides in (of_row[fold] for fold in range(n_folds) for of_row in planned.values()):
            if overrides not in runs:
                runs[overrides] = run_experiment(overrides)
    return runs


def _paper_datasets(params: Params) -> dict[str, str | None]:
    """Which of the paper's each dataset is, where the paper's figures were trained and tested on what these were."""
    if params.cross_validation.folds > 1:  # a fold's people aren't those of the paper's split
        return {}
    known = {name: paper_dataset(dataset.layout, dataset.quality) for name, dataset in params.datasets.items()}
    trained_on = known[params.train_dataset]
    return {name: one for name, one in known.items() if one and comparable((one, ""), trained_on)}


def _page(
    tables: list[Table],
    results: dict[str, dict[str, list[Run | None]]],
    paper_datasets: dict[str, str | None],
    command: str,
    how: str,
) -> str:
    head = (
        f"# The paper's tables\n\nVideo-level AUC in %{how}; in brackets the paper's figure, – where there is none "
        "for the dataset.\n"
    )
    rendered = [render(table, results[table.title], paper_datasets) for table in tables]
    return "\n".join([head, f"Made by `{command}`.", "", *rendered])


def main() -> None:
    arguments = _parse()
    if not Path(".git").exists():
        raise InputError("no .git here: experiments are recorded in Git; run in a clone of the repository")
    folds = _overrides_of_folds(arguments.folds)
    params = with_overrides([*arguments.set_param, *folds[0]])
    if arguments.choose is not None:
        if arguments.only or arguments.systems != list(SYSTEMS) or len(folds) > 1:
            raise InputError("--choose is a page of its own, on the test split; give no --only, --systems or --folds")
        _choose(arguments, params)
        return
    if other := other_than_difffake(params):
        raise InputError(
            f"the tables compare others with DiffFake, but params.yaml is another system's ({other}); write DiffFake's "
            "settings into it first: `make preset NAME=people` or `NAME=paper`, or `git checkout params.yaml`"
        )
    if arguments.only and SYSTEMS_TABLE in arguments.only:
        _systems(arguments, params)
        return
    if arguments.systems != list(SYSTEMS):
        raise InputError("--systems says which systems `--only systems` runs; give both, or neither")
    names = wanted_tables(arguments.only, params)
    tables = [TABLES[name] for name in names]
    planned = {
        (table.title, row.label): [(*arguments.set_param, *fold, *row.overrides) for fold in folds]
        for table in tables
        for row in table.rows
    }
    runs = _run_all(planned, len(folds))
    results = {
        table.title: {row.label: [runs[one] for one in planned[table.title, row.label]] for row in table.rows}
        for table in tables
    }
    parts = ["python -m stages.paper_tables --only", *names, f"--folds {arguments.folds}"]
    command = " ".join([*parts, *(f"-S {override}" for override in arguments.set_param)])
    how = f", mean ± standard deviation over {len(folds)} folds of people" if len(folds) > 1 else ""
    text = _page(tables, results, _paper_datasets(params), command, how)
    write_text(METRICS / "tables.md", text)
    plot_tables(METRICS / "tables.png", tables, results)
    print(f"\n{text}\n{METRICS}/tables.md, {METRICS}/tables.png")
    failed = [" ".join(overrides) for overrides, run in runs.items() if run is None]
    if failed:
        raise InputError(
            f"{len(failed)} of {len(runs)} experiments failed ({failed[0] or 'params as they are'}, …); see above for "
            "why"
        )


if __name__ == "__main__":
    run(main)
