"""Tables in the shape of the study's, with its numbers beside ours where the corpus is its own."""

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from pathlib import Path
from typing import Any

import pandas as pd

from genreflow import split_names
from genreflow.corpus.tracks import PARTS
from genreflow.errors import GenreflowError
from genreflow.evaluation import markdown, published_results
from genreflow.layout import Layout
from genreflow.learners import predictions
from genreflow.runtime import outcomes
from genreflow.runtime.files import read_values

_MEASURED = {
    f"{part}_{metric}": (part, metric) for metric, part in product(("loss", "accuracy"), PARTS)
}
"""Columns of the table of networks."""


def ffnn(paths: Sequence[str | Path], *, results: str | Path, fma_small: bool) -> pd.DataFrame:
    """Compare the feed-forward networks, as tables 1 and 2 of the study.

    `paths` are the scores.csv of each network, split and seed, below the folder of the corpus's
    results; `fma_small` is whether the study's numbers were measured on this corpus.

    Returns
    -------
    pandas.DataFrame
        One row a network and split (a cross-validation is one split): split, learner,
        parameters; PART_loss and PART_accuracy for each part, means over seeds and folds; and
        with `fma_small` published_PART_loss and published_PART_accuracy, NaN where the study has
        none; last reason, why a network couldn't be made, whose other numbers are NaN then. Losses
        are those that training minimises, the L2 penalty included.
    """
    unmade = predictions.unmade(predictions.Entry.from_path(path, results) for path in paths)
    rows = []
    for path in paths:
        place = Layout(results).parse(path)
        split, learner = split_names.family(place.split), place.learner
        if (split, learner) not in unmade:
            scores = read_values(path).set_index("part")
            measured = {column: scores.loc[key] for column, key in _MEASURED.items()}
            parameters = int(scores["parameters"].iloc[0])
            rows.append({"split": split, "learner": learner, "parameters": parameters} | measured)
    keys = ["split", "learner", "parameters"]
    table = pd.DataFrame(rows, columns=[*keys, *_MEASURED])
    table = table.groupby(keys, sort=False, as_index=False).mean()
    table["parameters"] = table["parameters"].astype("Int64")
    if fma_small:
        for column, key in _MEASURED.items():
            table[f"published_{column}"] = [
                published_results.value(row.learner, row.split, *key) for row in table.itertuples()
            ]
    reasons = [
        {"split": split, "learner": learner, "reason": reason}
        for (split, learner), reason in unmade.items()
    ]
    return predictions.with_reasons(table, reasons)


def classifiers(
    paths: Sequence[str | Path],
    *,
    results: str | Path,
    fma_small: bool,
    marks: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Compare the classifiers on feature matrices, as the study's transfer tables.

    `paths` are the best.json and the predictions.csv of each classifier and split; the rest is as
    for `ffnn` and `evaluation.metrics.comparison`.

    Returns
    -------
    pandas.DataFrame
        One row a classifier and split (a cross-validation is one split): split, learner; its
        features, pca (the share of variance as its folder has it: ``0.90``; "" for none) and
        classifier; dimensions of the matrix and components after PCA (the largest over folds);
        cv_accuracy, the best mean accuracy of the grid search; test_accuracy; both means over
        folds; best_parameters (JSON), the folds' most frequent, and share, in how many of them;
        and with `fma_small` published_split, the one that the study measured, and, only where it
        is this one, published_components, _cv, _test and _parameters; last reason, as in `ffnn`.
    """
    layout = Layout(results)
    found = [path for path in map(Path, paths) if path == Path(layout.parse(path).best)]
    if not found:
        raise GenreflowError("there is no best.json of any classifier to make the table from")
    unmade = predictions.unmade(predictions.Entry.from_path(path, results) for path in found)
    rows = [_classifier(path, results) for path in found]
    rows = [row for row in rows if (row["split"], row["learner"]) not in unmade]
    keys = ["split", "learner", "features", "pca", "classifier"]
    measured = ["dimensions", "components", "cv_accuracy", "test_accuracy", "best_parameters"]
    table = (
        pd.DataFrame(rows, columns=[*keys, *measured])
        .groupby(keys, sort=False)
        .agg(
            dimensions=("dimensions", "max"),
            components=("components", "max"),
            cv_accuracy=("cv_accuracy", "mean"),
            test_accuracy=("test_accuracy", "mean"),
            best_parameters=("best_parameters", lambda texts: texts.mode().iloc[0]),
            share=("best_parameters", lambda texts: (texts == texts.mode().iloc[0]).mean()),
        )
        .reset_index()
        .astype({"dimensions": "Int64", "components": "Int64"})
    )
    if fma_small:
        study = [_published(row.learner, row.split) for row in table.itertuples()]
        table = table.join(pd.DataFrame(study))
    table = predictions.with_reasons(
        table, [_named(*key) | {"reason": reason} for key, reason in unmade.items()]
    )
    for column in ("learner", "features"):
        table[column] = [predictions.marked(name, marks) for name in table[column]]
    return table


def _classifier(path: Path, results: str | Path) -> dict[str, Any]:
    """Return what a classifier reached on one split or fold; only its name if it wasn't made."""
    place = Layout(results).parse(path)
    named = _named(split_names.family(place.split), place.learner)
    if outcomes.reason_of(path):
        return named
    found = predictions.read_predictions(place.predictions)
    test = found[found["part"] == "test"]
    best = json.loads(path.read_text(encoding="utf-8"))
    accuracy = (test["predicted"] == test["genre"]).mean()
    said = json.dumps(best["parameters"])
    return named | best | {"test_accuracy": accuracy, "best_parameters": said}


def _named(split: str, learner: str) -> dict[str, str]:
    """Return what tells a classifier."""
    features, share, classifier = learner.removeprefix("classify/").rsplit("/", 2)
    pca = share.removeprefix("pca-") if share != "all" else ""
    named = {"features": features, "pca": pca, "classifier": classifier}
    return {"split": split, "learner": learner} | named


def _published(learner: str, split: str) -> dict[str, Any]:
    """Return what the study says of a classifier on a split."""
    search = published_results.search(learner, split)
    return {
        "published_split": published_results.split_of(learner),
        "published_components": search.get("components"),
        "published_cv": published_results.value(learner, split, "cv"),
        "published_test": published_results.value(learner, split, "test"),
        "published_parameters": search.get("parameters"),
    }


def to_markdown(table: pd.DataFrame, *, note: str) -> str:
    """Write what `ffnn` returned for reading, as `markdown.by_split`; with three decimals."""
    text = {"learner": markdown.escape, "parameters": str, "reason": markdown.escape}
    columns = {
        name: (name.replace("_", " "), text.get(name, "{:.3f}".format))
        for name in table.columns.drop("split")
    }
    return markdown.by_split(table, lambda rows: markdown.table(rows, columns), note)


def classifiers_to_markdown(table: pd.DataFrame, *, note: str) -> str:
    """Write what `classifiers` returned for reading, as the study prints it.

    For each split a row for each features and share of variance, a column for each classifier:
    first cross-validated and test accuracy, then the best parameters. Numbers of the study stand
    in rows of their own, below ours.
    """
    return markdown.by_split(table, _of_split, note)


def _of_split(rows: pd.DataFrame) -> str:
    """Write the classifiers of one split."""
    blocks = ["Accuracy, cross-validated / test:", _wide(rows, _accuracies, sizes=True)]
    blocks += ["Best parameters:", _wide(rows, _parameters, sizes=False)]
    if "published_split" in rows:
        others = sorted(set(rows["published_split"].dropna()) - set(rows["split"]))
        belong = "only: its numbers belong to that."
        blocks += [
            f"The study measured some of these on the split {own} {belong}" for own in others
        ]
    lacking = rows[rows["reason"].notna()]
    blocks += [
        f"{markdown.escape(row.learner)}: {markdown.escape(row.reason)}"
        for row in lacking.itertuples()
    ]
    return "\n\n".join(blocks)


def _wide(rows: pd.DataFrame, cell: Callable, *, sizes: bool) -> str:
    """Lay out one split: a row each for features and share, with the study's own row below.

    `cell` writes what stands below a classifier, of ours or of the study.
    """
    lines = []
    for (features, share), group in rows.groupby(["features", "pca"], sort=False):
        ours = {"features": features, "PCA": share or "none"}
        study = {"features": "published", "PCA": share}
        made = group[group["reason"].isna()]
        measured = group.dropna(subset="published_cv") if "published_cv" in group else group[:0]
        if sizes and len(made):
            first = made.iloc[0]
            ours |= {"size": str(first["dimensions"]), "size after PCA": str(first["components"])}
        if sizes and len(measured):
            study["size after PCA"] = f"{measured['published_components'].iloc[0]:.0f}"
        for row in group.itertuples():
            ours[row.classifier] = (
                cell(row, study=False) if row.Index in made.index else "not possible"
            )
        lines.append(ours)
        if len(measured):
            lines.append(
                study | {row.classifier: cell(row, study=True) for row in measured.itertuples()}
            )
    shown = pd.DataFrame(lines).fillna("")
    return shown.to_markdown(index=False, disable_numparse=True)


def _accuracies(row, *, study: bool) -> str:
    if study:
        return f"{row.published_cv:.4f} / {row.published_test:.4f}"
    return f"{row.cv_accuracy:.3f} / {row.test_accuracy:.3f}"


def _parameters(row, *, study: bool) -> str:
    if study:
        return _said(row.published_parameters)
    return _said(row.best_parameters) + (f" ({row.share:.0%} of folds)" if row.share < 1 else "")


def _said(parameters: str) -> str:
    """Say parameters in words: ``alpha 0.05, hidden_layer_sizes (512, 256)``."""
    return ", ".join(
        f"{name} ({', '.join(map(str, value))})" if isinstance(value, list) else f"{name} {value}"
        for name, value in json.loads(parameters).items()
    )
