"""Run the workflow on a folder of real music, and write docs/real_music.md from what came out.

Runs share the features of the clips: the learners of `config/own_audio.yaml`, in five repeats of
ten folds; one logistic regression, fitted on validation too; CNNs, in one cross-validation of
five folds and with three seeds; and the best kinds of learners with 2, 4, 8... training clips per
genre, the learning curve. Nothing is chosen by what comes out. A run that was interrupted goes on.
The folder has a sub-folder per genre, or files that are named GENRE.NUMBER.wav.
"""

import argparse
import csv
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import pandas as pd
import yaml
from genreflow.evaluation import metrics, verdict
from genreflow.evaluation.markdown import percent, table
from genreflow.report.drawing import COLORS, MARKERS, drawing
from genreflow.runtime.files import read_values, write_text

ROOT = Path(__file__).parents[1]
NAME = "real_music"
SIZES = (2, 4, 8, 16, 32, 64)
"""Training clips per genre."""

CURVE = {
    "classify/handcrafted/all/logistic-regression": "hand-crafted, logistic regression",
    "classify/musicnn/penultimate/all/logistic-regression": "musicnn, logistic regression",
    "classify/joined/music/all/logistic-regression": "both joined, logistic regression",
    "ensemble/music": "ensemble of three",
}
"""Learners of the learning curve, and what they are called there."""


def settings_of_runs(largest: int) -> dict[str, dict]:
    """Return what each run sets; `largest` is how many training clips all genres have."""
    runs = {
        "learners": {"splits": ["cv-5x10"]},
        "whole": {
            "splits": ["cv-5x10"],
            "classify": {
                "run": [],
                "fit_on": ["training", "validation"],
                "grids": {"logistic-regression": {"C": [1]}},
            },
            "transfer": {"run": ["logistic-regression"]},
        },
        "networks": {
            "splits": ["cv-1x5"],
            "seeds": [0, 1, 2],
            "cnn": {"run": ["residual", "simple"]},
            "classify": {"run": []},
            "transfer": {"run": []},
        },
    }
    for size in (one for one in SIZES if one <= largest):
        runs[f"training-{size}"] = {
            "splits": ["cv-1x10"],
            "split": {"training": size},
            "classify": {"run": ["svm-rbf", "logistic-regression"], "folds": 2},
        }
    return runs


def corpus_of(folder: Path, work: Path) -> tuple[dict, Counter]:
    """Return the section of the configuration, and the number of clips of each genre."""
    folder = folder.resolve()
    if loose := sorted(folder.glob("*.*.wav")):
        listed = work / "clips.csv"
        with listed.open("w", newline="") as file:
            rows = [(str(path), path.name.partition(".")[0]) for path in loose]
            csv.writer(file).writerows([("path", "genre"), *rows])
        return {"kind": "table", "table": str(listed)}, Counter(genre for _, genre in rows)
    clips = Counter(path.relative_to(folder).parts[0] for path in folder.glob("*/**/*.*"))
    return {"kind": "folder", "audio": str(folder)}, clips


def run(name: str, settings: dict, work: Path) -> None:
    """Run the workflow up to its tables, and keep these."""
    kept = work / name
    if kept.exists():
        return
    overlay = work / f"{name}.yaml"
    overlay.write_text(yaml.safe_dump(settings))
    command = [
        *(sys.executable, "-m", "snakemake", "-s", ROOT / "Snakefile", "--cores", "all"),
        *("--configfile", ROOT / "config/own_audio.yaml", overlay),
        "--",
        *(f"results/{NAME}/tables/{one}.csv" for one in ("comparison", "significance")),
    ]
    if subprocess.run(list(map(str, command)), cwd=work, check=False).returncode:
        raise SystemExit(f"the run {name} failed; the same command goes on with it")
    shutil.copytree(work / "results" / NAME / "tables", work / "part")
    (work / "part").rename(kept)


def accuracies(work: Path, name: str) -> pd.DataFrame:
    return metrics.made(read_values(work / name / "comparison.csv"))


def ranked(rows: pd.DataFrame) -> str:
    """Write the accuracies of a run as a table."""
    ends = zip(rows["test_low"], rows["test_high"], strict=True)
    shown = rows.assign(interval=[f"{percent(low)} to {percent(high)}" for low, high in ends])
    columns = {
        "learner": ("Learner", lambda name: f"`{name}`"),
        "test_accuracy": ("Test accuracy, %", percent),
        "interval": ("95 % interval", str),
        "repeat_sd": ("SD between repeats", percent),
        "seed_sd": ("SD between seeds", percent),
        "macro_f1": ("Macro F1, %", percent),
    }
    return table(shown, columns)


def compared(work: Path) -> str:
    """Say which learners are shown to be worse than the best one."""
    rows, tests = (
        read_values(work / "learners" / f"{n}.csv") for n in ("comparison", "significance")
    )
    return verdict.summary(rows.assign(chosen=False), tests)  # nothing is predicted here


def curve(work: Path) -> pd.DataFrame:
    """Return the accuracies of the learning curve: a row per learner, a column per size."""
    sizes = [size for size in SIZES if (work / f"training-{size}").exists()]
    found = {size: accuracies(work, f"training-{size}").set_index("learner") for size in sizes}
    return pd.DataFrame(
        {size: rows["test_accuracy"].reindex(CURVE) for size, rows in found.items()}
    ).dropna(how="all")


def draw(points: pd.DataFrame, path: Path, note: str) -> None:
    with drawing(
        path, 6.4, 3.6, title="Accuracy by the number of training clips", note=note
    ) as figure:
        axes = figure.subplots()
        for (name, row), color, marker in zip(points.iterrows(), COLORS, MARKERS, strict=False):
            axes.plot(points.columns, 100 * row, color=color, marker=marker, label=CURVE[name])
        axes.set_xscale("log", base=2)
        axes.set_xticks(points.columns, [str(size) for size in points.columns])
        axes.minorticks_off()
        axes.set(xlabel="training clips per genre", ylabel="test accuracy, %")
        axes.grid(axis="y")
        axes.legend(loc="lower right")


PAGE = """# Accuracy on real music

Written by `python benchmarks/real_music.py FOLDER` from what its runs measured, here on {corpus}.

{warning}

## The learners of `config/own_audio.yaml`

`cv-5x10`: five repeats of ten folds; every clip is tested five times. The interval is that of one
test of all clips.

{learners}

{compared}

## As features of networks are compared elsewhere

By one logistic regression (C = 1), without a search, fitted on all clips that aren't tested:
training and validation (`classify.fit_on`). On so few clips a search for C may cost more than it
brings.

{whole}

## Networks trained on images of these clips alone

`cv-1x5`, three seeds.

{networks}

## How many clips it takes

`cv-1x10`, with at most so many training clips per genre (`split.training`).

{curve}

![Accuracy by the number of training clips](images/learning_curve.svg)
"""

WARNING = """What could be luck or leakage: {clips} clips are few, see the intervals. Artists aren't
known, so that the same one may be on both sides of a fold, which makes every learner look better
than it is on new artists. musicnn was trained to tag the Million Song Dataset, which may hold some
of these songs: expect less on music that it can't have heard."""


def page(work: Path, clips: Counter, said: str) -> str:
    points = curve(work)
    shown = points.rename(index=CURVE).reset_index(names="Learner")
    columns = {"Learner": ("Learner", str)} | {
        size: (f"{size} per genre", percent) for size in points.columns
    }
    return PAGE.format(
        corpus=said or f"{clips.total()} clips of {len(clips)} genres",
        warning=WARNING.format(clips=clips.total()),
        learners=ranked(accuracies(work, "learners")),
        compared=compared(work),
        whole=ranked(accuracies(work, "whole")),
        networks=ranked(accuracies(work, "networks")),
        curve=table(shown, columns),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--corpus", default="", help="what the page calls the clips")
    parser.add_argument("--work", type=Path, default=ROOT / ".genreflow" / NAME)
    parser.add_argument("--docs", type=Path, default=ROOT / "docs")
    args = parser.parse_args()
    if not args.folder:
        print(
            "real_music.py: nothing to do without a folder of real music, which it takes as FOLDER"
        )
        return 0
    args.work.mkdir(parents=True, exist_ok=True)
    corpus, clips = corpus_of(args.folder, args.work)
    common = {"corpus": {"name": NAME, **corpus}}
    for name, settings in settings_of_runs(min(clips.values()) * 81 // 100).items():
        run(name, common | settings, args.work)
    draw(curve(args.work), args.docs / "images" / "learning_curve.svg", args.corpus)
    write_text(args.docs / "real_music.md", page(args.work, clips, args.corpus))
    print(f"written: {args.docs / 'real_music.md'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
