"""The model card of a bundle: what was trained on what, how well it does, and what it can't do.

After M. Mitchell et al., "Model cards for model reporting", FAT* 2019.
"""

import shlex
from collections.abc import Collection, Mapping
from pathlib import Path

import pandas as pd

from genreflow.bundle.bundles import Bundle
from genreflow.evaluation import markdown, metrics, verdict
from genreflow.learners.predictions import Entry, marked
from genreflow.runtime.files import read_table

_UNKNOWN = "not known"


def write(
    bundle: Bundle,
    predictions: pd.DataFrame,
    *,
    corpus: str,
    extras: Collection[str] = (),
    networks: Mapping[str, str] | None = None,
    note: str = "",
    marks: Mapping[str, str] | None = None,
    tracks: str | Path | None = None,
) -> str:
    """Write the model card of a bundle.

    Parameters
    ----------
    predictions
        Of the learner, on all tracks of the split.
    extras
        Of the library, that predicting by it needs.
    networks
        The networks whose outputs are features, with their licences and makers ("" where those
        aren't known).
    corpus, note, marks, tracks
        As for `bundles.export`.
    """
    name = markdown.escape(marked(bundle.learner, marks))
    # Not the split's own name: a single fold of a cross-validation would be refused.
    entry = Entry(bundle.learner, "exported", bundle.seed, predictions)
    manifest = None if tracks is None else read_table(tracks)
    comparison = metrics.comparison([entry], fma_small=False, manifest=manifest, marks=marks)
    blocks = [
        f"# {markdown.escape(bundle.title) or name}",
        *([f"Its name is {name}."] if bundle.title else []),
        _what(bundle, predictions, corpus),
        *([f"**{markdown.escape(note)}**"] if note else []),
        "## How well it does",
        _numbers(comparison.iloc[0], bundle),
        _genres(metrics.recall([entry], marks=marks)),
        "## Limits",
        _limits(bundle, note),
        "## Licences",
        _licences(networks or {}, predictions, manifest),
        "## Use",
        _use(bundle, extras),
        "## Made with",
        _versions(bundle),
    ]
    return "\n\n".join(blocks)


def _what(bundle: Bundle, predictions: pd.DataFrame, corpus: str) -> str:
    counts = predictions["part"].value_counts()
    parts = ", ".join(f"{counts.get(part, 0)} {part}" for part in metrics.PARTS)
    seed = "" if bundle.seed is None else f", seed {bundle.seed}"
    return (
        f"A classifier of music by genre, trained by genreflow on the corpus "
        f"{markdown.escape(corpus)}, split {markdown.escape(bundle.split)}{seed} ({parts} tracks). "
        f"It looks at {bundle.clip:g} s of audio at a time and knows {len(bundle.genres)} genres: "
        f"{markdown.escape(', '.join(bundle.genres))}."
    )


def _numbers(row: pd.Series, bundle: Bundle) -> str:
    percent = markdown.percent
    shown = {
        f"Test accuracy, % (95 % interval), {verdict.tracks_of(row)}": (
            f"{percent(row['test_accuracy'])} "
            f"({markdown.interval(row['test_low'], row['test_high'])})"
        ),
        "Chance: naming the most frequent genre every time, %": percent(row["baseline"]),
        "Validation accuracy, %": (
            _UNKNOWN if pd.isna(row["validation_accuracy"]) else percent(row["validation_accuracy"])
        ),
        "Macro F1, %": percent(row["macro_f1"]),
        "Top-2 accuracy, %": percent(row["top2_accuracy"]),
        "Log loss, nat": f"{row['log_loss']:.3f}",
        "Calibration error, %": percent(row["calibration_error"]),
    }
    rows = pd.DataFrame(shown.items(), columns=["measure", "value"])
    text = markdown.table(rows, {"measure": ("Measure", str), "value": ("Value", str)})
    if row["test_low"] <= row["baseline"]:
        text += "\n\nThis can't be told from chance."
    return text


def _genres(recall: pd.DataFrame) -> str:
    shares = {name: (f"{name.capitalize()}, %", markdown.percent) for name in ("recall", "f1")}
    shares["precision"] = ("Precision, %", markdown.percent)
    columns = {"genre": ("Genre", markdown.escape), "support": ("Test tracks", str), **shares}
    return markdown.table(recall, columns)


def _limits(bundle: Bundle, note: str) -> str:
    said = [
        "It gives one of its genres to whatever it hears, speech and noise included.",
        "The test tracks come from the same corpus as those it learned from. On other recordings, "
        "expect less.",
        "A longer file is cut into windows whose probabilities are averaged; the numbers above are "
        "of one clip a track.",
        "Its probabilities are only as good as its calibration error says.",
    ]
    if bundle.combiner is not None:
        said.append("It is an ensemble: predicting takes the time of all its members.")
    if bundle.unsure is not None:
        said.append(
            f"Predictions below {100 * bundle.unsure:.0f} % are called unsure: on validation it "
            "was wrong more often than right there. It may be as sure of music of other kinds."
        )
    if note:
        said.insert(0, markdown.escape(note))
    return "\n".join(f"- {line}" for line in said)


def _licences(
    networks: Mapping[str, str], predictions: pd.DataFrame, manifest: pd.DataFrame | None
) -> str:
    text = (
        "The tracks that it was trained on keep their licences, which may restrict what a model of "
        "them may be used for; none of their audio is in here. The code of genreflow is "
        "MIT-licensed."
    )
    if networks:
        text += (
            f" {markdown.escape(', '.join(networks))}: the networks of its features have the "
            "licences of those who trained them."
        )
        known = [f"{name}: {credit}" for name, credit in networks.items() if credit]
        text += "".join(f"\n\n- {markdown.escape(line)}" for line in known)
    if manifest is None:
        return text
    used = manifest[manifest["track_id"].isin(predictions["track_id"])]
    licences = used["license"] if "license" in used else pd.Series(dtype=str)
    counts = licences.replace("", _UNKNOWN).value_counts().rename_axis("licence").reset_index()
    columns = {"licence": ("Licence of the tracks", markdown.escape), "count": ("Tracks", str)}
    return f"{text}\n\n{markdown.table(counts, columns)}" if len(counts) else text


def _use(bundle: Bundle, extras: Collection[str]) -> str:
    of_extras = f"[{','.join(sorted(extras))}]" if extras else ""
    return (
        "On Python 3.11, 3.12 or 3.13; `genreflow` in the first line is a clone of genreflow's "
        "repository, and in its place its wheel would do:\n\n"
        f"```\npython -m pip install './genreflow{of_extras}'\n"
        f"genreflow predict {shlex.quote(bundle.folder.name)} FILES...\n```\n\n"
        "Files are audio files, folders or lists. `--page page.html` makes a page to look at and "
        "listen to; `genreflow predict --help` has the rest."
    )


def _versions(bundle: Bundle) -> str:
    rows = pd.DataFrame(bundle.versions.items(), columns=["package", "version"])
    return markdown.table(rows, {"package": ("Package", str), "version": ("Version", str)})
