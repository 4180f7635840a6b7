"""Tables in the shape of the study's, with its numbers beside ours where the corpus is its own."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from genreflow import evaluate, published, splits
from genreflow.errors import GenreflowError
from genreflow.tracks import PARTS


def ffnn(paths: Iterable[str | Path], *, results: str | Path, fma_small: bool) -> pd.DataFrame:
    """Compare the feed-forward networks, as tables 1 and 2 of the study.

    Parameters
    ----------
    paths
        The scores.csv of each network, split and seed.
    results
        The folder of the corpus.
    fma_small
        Whether the study's numbers were measured on this corpus.

    Returns
    -------
    pandas.DataFrame
        One row a network and split (a cross-validation is one split): split, learner,
        parameters; PART_loss and PART_accuracy for each part, means over seeds and folds; and
        with `fma_small` published_PART_loss and published_PART_accuracy, NaN where the study has
        none. Losses are those that training minimises, the L2 penalty included.
    """
    rows = []
    for path in paths:
        split, learner, _ = evaluate.place(path, results)
        scores = pd.read_csv(path).set_index("part")
        row = {"split": splits.family(split), "learner": learner}
        row["parameters"] = int(scores["parameters"].iloc[0])
        for metric in ("loss", "accuracy"):
            row |= {f"{part}_{metric}": scores.loc[part, metric] for part in PARTS}
        rows.append(row)
    keys = ["split", "learner", "parameters"]
    table = pd.DataFrame(rows).groupby(keys, sort=False, as_index=False).mean()
    if fma_small:
        for metric in ("loss", "accuracy"):
            for part in PARTS:
                table[f"published_{part}_{metric}"] = [
                    published.value(row.learner, row.split, part, metric)
                    for row in table.itertuples()
                ]
    return table


def classifiers(
    paths: Sequence[str | Path], *, results: str | Path, fma_small: bool
) -> pd.DataFrame:
    """Compare the classifiers on feature matrices, as the study's transfer tables.

    Parameters
    ----------
    paths
        The best.json and the predictions.csv of each classifier and split.
    results, fma_small
        As for `ffnn`.

    Returns
    -------
    pandas.DataFrame
        One row a classifier and split (a cross-validation is one split): split, learner;
        dimensions of the matrix and components after PCA (the largest over folds);
        cv_accuracy, the best mean accuracy of the grid search; test_accuracy; both means over
        folds; best_parameters (JSON; of the folds' the most frequent, then ``share``
        says in how many of them); and with `fma_small` published_cv and published_test.
    """
    rows = []
    for path in paths:
        if Path(path).name == "best.json":
            split, learner, _ = evaluate.place(path, results)
            found = evaluate.read_predictions(Path(path).with_name("predictions.csv"))
            test = found[found["part"] == "test"]
            best = json.loads(Path(path).read_text(encoding="utf-8"))
            rows.append(
                {
                    "split": splits.family(split),
                    "learner": learner,
                    "dimensions": best["dimensions"],
                    "components": best["components"],
                    "cv_accuracy": best["cv_accuracy"],
                    "test_accuracy": (test["predicted"] == test["genre"]).mean(),
                    "best_parameters": json.dumps(best["parameters"]),
                }
            )
    if not rows:
        raise GenreflowError("there is no best.json of any classifier to make the table from")
    grouped = pd.DataFrame(rows).groupby(["split", "learner"], sort=False)
    table = grouped.agg(
        dimensions=("dimensions", "max"),
        components=("components", "max"),
        cv_accuracy=("cv_accuracy", "mean"),
        test_accuracy=("test_accuracy", "mean"),
        best_parameters=("best_parameters", lambda texts: texts.mode().iloc[0]),
        share=("best_parameters", lambda texts: (texts == texts.mode().iloc[0]).mean()),
    ).reset_index()
    if fma_small:
        for part in ("cv", "test"):
            table[f"published_{part}"] = [
                published.accuracy(row.learner, row.split, part) for row in table.itertuples()
            ]
    return table


def to_markdown(table: pd.DataFrame, *, note: str) -> str:
    """Write one of these tables for reading: a heading a split, three decimals as the study.

    Parameters
    ----------
    table
        What `ffnn` or `classifiers` returned.
    note
        What must stand by the numbers, or "".
    """
    blocks = []
    for split, rows in table.groupby("split", sort=False):
        shown = rows.drop(columns="split").dropna(axis="columns", how="all")
        shown.columns = [column.replace("_", " ") for column in shown.columns]
        blocks += [f"## Split {split}", shown.to_markdown(index=False, floatfmt=".3f")]
        blocks += [f"*{note}*"] if note else []
    return "\n\n".join(blocks)
