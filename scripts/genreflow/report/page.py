"""The report of a run: one HTML page that holds all it needs and opens offline.

It is made from the files of a results folder, whichever of them there are. What grows with the
corpus is capped: figures by `report_figures.LIMIT`, tracks by `report_clips.LIMIT`, rows of
tables by `report_tables.LIMIT`; the page says where. The same files give the same bytes.
"""

import base64
import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
import pandas as pd
from markupsafe import Markup
from statsmodels.stats.proportion import proportion_confint

from genreflow import split_names
from genreflow.corpus.tracks import PARTS
from genreflow.errors import GenreflowError
from genreflow.evaluation import costs, metrics, significance
from genreflow.layout import PREDICTIONS, Layout
from genreflow.learners.predictions import Entry, marked, read_predictions
from genreflow.report import clips as report_clips
from genreflow.report import tables as report_tables
from genreflow.report.embedded import Figure, Figures
from genreflow.report.tables import Cell, Table
from genreflow.report.thumbnails import thumbnails
from genreflow.runtime.files import read_table, write_text

_HERE = Path(__file__).parent
_TEMPLATE, _STYLE, _SCRIPT = "report.html.j2", "report.css", "report.js"

_SECTIONS = {
    "search": "Hyperband trials",
    "explained_variance": "Explained variance",
    "calibration": "Calibration",
    "reliability": "Calibration",
    "genres": "Galleries",
    "masked_copies": "Galleries",
    "online_augmentation": "Galleries",
}
"""Name of a figure's file -> the section that it stands in, if that isn't its learner's."""
_PLACED = ("comparison", "genres")
"""Tables that have a place of their own in the page."""
_FIRST = (
    "learner",
    "test_accuracy",
    "interval",
    "reason",
    "published",
    "macro_f1",
    "validation_accuracy",
)
_LAST = ("baseline", "tracks", "seeds", "folds")
"""Columns of the ranking; what lies between is in the order of the comparison."""
_PAIRS, _OTHERS = "Learning curves side by side", "Further figures"


@dataclass(frozen=True)
class Learner:
    """One learner on one split, as the page shows it.

    Attributes
    ----------
    anchor
        Its place below the results and in the page: ``SPLIT/LEARNER``.
    name, split
        Its name with its marks, and the split or cross-validation.
    accuracy
        Test accuracy with its interval: low, accuracy, high.
    genres
        Their names, in the order of the matrix.
    matrix
        A row for each genre: how many tracks are taken for each, and which share of the row.
    runs
        How often each track was tested: seeds times repeats.
    by_genre
        Recall, precision and F1, if they are known.
    figures
        Its own.
    """

    anchor: str
    name: str
    split: str
    accuracy: tuple[float, float, float]
    genres: Sequence[str]
    matrix: Sequence[Sequence[tuple[int, float]]]
    runs: int
    by_genre: Table | None = None
    figures: Sequence[Figure] = ()


def write(
    path: str | Path,
    files: Iterable[str | Path],
    *,
    results: str | Path,
    config: Mapping[str, Any],
    versions: Mapping[str, str],
    commit: str = "",
    limits: Sequence[str] = (),
    marks: Mapping[str, str] | None = None,
) -> int:
    """Write the report of a run.

    Parameters
    ----------
    path
        The HTML file.
    files
        Of the results folder, known by their places: tables/comparison.csv, tables/genres.csv
        and any other tables/NAME.csv; SPLIT/LEARNER/[seed-N/]predictions.csv;
        corpus/tracks.csv, corpus/excluded.csv, corpus/splits/SPLIT.csv; figures/**/*.svg;
        benchmarks/**/*.tsv; spectrograms.h5. The comparison, the manifest, the splits and the
        predictions must be there; whatever else is missing has no section. Others are ignored.
    results
        The folder of the corpus. The page refers to wav/TRACK.wav in it, relative to itself.
    config
        Of the run, shown as it is; of it, the page itself names ``corpus.kind``, ``seed`` and
        ``seeds``.
    versions
        Of what made the results, by name.
    commit
        Of the workflow's code, or "".
    limits
        Sentences on what the numbers are worth, to be read first. Those that can be counted
        (few test tracks, artists on both sides of a split, the choice of the highest number)
        come by themselves.
    marks
        As for `learners.predictions.marked`: how the tables call the learners.

    Returns
    -------
    int
        Size of the page [bytes].

    Raises
    ------
    GenreflowError
        If a file that must be there is missing, isn't below `results`, or can't be read; or if
        predictions are of a learner that the comparison doesn't have.
    """
    path = Path(path)
    found = _Files(Path(results), files)
    root = quote(Path(os.path.relpath(results, path.parent)).as_posix())
    content = _content(found, root, limits=limits, marks=marks)
    content["facts"] = [*_config_facts(config), *content["facts"], ("Commit", commit or "unknown")]
    page = _render(
        **content,
        versions=sorted(versions.items()),
        config=json.dumps(config, indent=2, ensure_ascii=False, default=str),
    )
    write_text(path, page)
    return path.stat().st_size


class _Files:
    """The files that a page is made from."""

    def __init__(self, results: Path, files: Iterable[str | Path]):
        self.results, self.layout = results, Layout(results)
        self._paths = dict.fromkeys(sorted({Path(file) for file in files}))
        for path in self._paths:
            if not path.is_relative_to(results):
                raise GenreflowError(f"{path}: the report of {results} takes files below it only.")

    def below(self, folder: str, suffix: str) -> list[Path]:
        # Suffixes first: there may be a benchmark file for each of 100,000 tracks.
        ending = [path for path in self._paths if path.suffix == suffix]
        return [path for path in ending if path.is_relative_to(folder)]

    def predictions(self) -> list[Path]:
        return [path for path in self._paths if path.name == PREDICTIONS]

    def find(self, file: str) -> Path | None:
        return Path(file) if Path(file) in self._paths else None

    def require(self, file: str) -> Path:
        path = self.find(file)
        if path is None:
            raise GenreflowError(f"{file}: the report can't be made without it. Give it, too.")
        return path


def _content(
    files: _Files, root: str, *, limits: Sequence[str], marks: Mapping[str, str] | None
) -> dict[str, Any]:
    """Gather what the page shows of the files."""
    layout = files.layout
    tracks = read_table(files.require(layout.tracks))
    comparison = pd.read_csv(files.require(layout.table("comparison")))
    made = metrics.made(comparison)
    parts = _parts(files)
    for split in sorted(set(comparison["split"]) - set(parts)):
        files.require(layout.split(split))
    tested = {name: set(own.loc[own["part"] == "test", "track_id"]) for name, own in parts.items()}
    listed = {name: report_clips.chosen(ids, report_clips.LIMIT) for name, ids in tested.items()}
    all_listed = set().union(*listed.values())
    images = _images(files, report_clips.chosen(all_listed, report_clips.LIMIT))
    # Taken in the order of their worth, for there may not be room for all.
    figures = Figures(
        files.below(layout.figures, ".svg"),
        folder=Path(layout.figures),
        root=Layout(root).figures,
    )
    ranking_figures = figures.take(lambda place: place == "accuracy")
    figures.drop(lambda place: place.endswith("/confusion_matrix"))  # the page has its own
    learners, clips = _learners(files, comparison, figures, listed, marks)
    tables = _further_tables(files)
    tests = _tests(tables)
    if "latency" in tables and "step" in tables["latency"]:
        tables |= _inference(tables.pop("latency"), marks)
    excluded = _excluded(files)
    return {
        "corpus": files.results.name,
        "summary": metrics.summary(comparison, tests).splitlines(),
        "limits": [
            *limits,
            *_few_tracks(made),
            *_shared(parts, tracks),
            *_chosen_by_test(made),
            *_one_seed(files, made),
        ],
        "facts": _facts(tracks, excluded, parts, learners),
        "counts": [_counts(split, own, tracks) for split, own in parts.items()],
        "excluded": excluded,
        "rankings": [_ranking(split, own) for split, own in comparison.groupby("split")],
        "ranking_figures": ranking_figures,
        "learners": learners,
        "clips": [(name, len(listed[name]), len(ids)) for name, ids in tested.items()],
        "sections": _sections(figures),
        "tests": _pairs(tests),
        "tables": [
            report_tables.table(_split_last(own), caption=_caption(name))
            for name, own in tables.items()
        ],
        "costs": _costs(files),
        "figure_bytes": figures.used,
        "image_count": len(images),
        "image_bytes": sum(map(len, images.values())),
        "data": {
            "wav": f"{Layout(root).wavs}/",
            "tracks": report_clips.described(tracks, images, all_listed),
            "learners": clips,
        },
    }


def _render(**content: Any) -> str:
    """Fill in the template. The page may run its one script and load nothing from anywhere."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "sort_keys": True}
    style, script = (
        (_HERE / name).read_text(encoding="utf-8").strip() for name in (_STYLE, _SCRIPT)
    )
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")
    return environment.get_template(_TEMPLATE).render(
        # Markup: the package's own files, not the corpus' words.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        script_hash=f"sha256-{digest}",
        **content,
    )


# What ran


def _config_facts(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    kind = config.get("corpus", {}).get("kind", "")
    seeds = ", ".join(map(str, config.get("seeds", [])))
    facts = [
        ("Kind of corpus", kind),
        ("Seed", str(config.get("seed", ""))),
        ("Seeds of the networks", seeds),
    ]
    return [(name, value) for name, value in facts if value]


def _facts(
    tracks: pd.DataFrame,
    excluded: Table | None,
    parts: Mapping[str, pd.DataFrame],
    learners: Sequence[Learner],
) -> list[tuple[str, str]]:
    return [
        ("Tracks", f"{len(tracks):,} used, {excluded.total if excluded else 0:,} left out"),
        ("Genres", f"{tracks['genre'].nunique():,}"),
        ("Splits", ", ".join(parts)),
        ("Learners", f"{len({learner.name for learner in learners}):,}"),
    ]


def _parts(files: _Files) -> dict[str, pd.DataFrame]:
    """Read which track is in which part of each split; of a cross-validation, of all its folds.

    Returns
    -------
    dict of pandas.DataFrame
        By the name of the split or cross-validation: track_id, part, split (the fold).
    """
    pieces = defaultdict(list)
    for path in files.below(files.layout.splits, ".csv"):
        pieces[split_names.family(path.stem)].append(read_table(path).assign(split=path.stem))
    return {name: pd.concat(own, ignore_index=True) for name, own in sorted(pieces.items())}


def _counts(split: str, parts: pd.DataFrame, tracks: pd.DataFrame) -> Table:
    """Count the tracks of each genre in each part."""
    folds = parts["split"].unique()
    first = parts[parts["split"] == folds[0]].merge(tracks[["track_id", "genre"]], on="track_id")
    counted = pd.crosstab(first["genre"], first["part"]).reindex(columns=PARTS, fill_value=0)
    counted["total"] = counted.sum(axis="columns")
    caption = f"Split {split}" + (
        f": fold {folds[0]}, one of {len(folds)}" if len(folds) > 1 else ""
    )
    return report_tables.table(counted.reset_index(), caption=caption)


def _excluded(files: _Files) -> Table | None:
    path = files.find(files.layout.excluded)
    if path is None:
        return None
    found = read_table(path)
    counts = found["reason"].value_counts().sort_index()
    said = ", ".join(f"{count:,} {reason}" for reason, count in counts.items())
    return report_tables.table(found, caption=f"Tracks left out: {said or 'none'}")


# Limits


def _few_tracks(comparison: pd.DataFrame) -> list[str]:
    """Say what intervals the test tracks of each split leave."""
    limits = []
    for split, own in comparison.groupby("split"):
        count = int(own["tracks"].max())
        low, high = proportion_confint(count / 2, count, alpha=0.05, method="wilson")
        limits.append(
            f"Split {split}: {count:,} test tracks. An accuracy of 50 % measured on so many "
            f"could as well be {100 * low:.0f} or {100 * high:.0f} % (95 % interval)."
        )
    return limits


def _shared(parts: Mapping[str, pd.DataFrame], tracks: pd.DataFrame) -> list[str]:
    """Say how many test tracks have an artist or album that training has too."""
    limits = []
    for kind in ("artist", "album"):
        owner = tracks.set_index("track_id")[f"{kind}_id"]
        if (owner == "").all():
            limits.append(
                f"The {kind}s of the tracks aren't known: nobody can say how many test tracks "
                f"share theirs with training, which makes them easier."
            )
            continue
        for split, own in parts.items():
            count, total = _crossing(own.assign(owner=own["track_id"].map(owner).fillna("")))
            limits.append(
                f"Split {split}: {count:,} of {total:,} test tracks share their {kind} with "
                f"training{', which makes them easier' if count else ''}."
            )
    return limits


def _crossing(parts: pd.DataFrame) -> tuple[int, int]:
    """Count the test tracks whose owner is in training too, fold by fold."""
    count = total = 0
    for _, fold in parts.groupby("split"):
        training = set(fold.loc[fold["part"] == "training", "owner"]) - {""}
        test = fold.loc[fold["part"] == "test", "owner"]
        count += int(test.isin(training).sum())
        total += len(test)
    return count, total


def _chosen_by_test(comparison: pd.DataFrame) -> list[str]:
    count = int(comparison.groupby("split").size().max()) if len(comparison) else 0
    if count < 2:
        return []
    return [
        f"The first of {count} learners is first by the very test tracks that its accuracy is "
        "from: expect less of it on other music."
    ]


def _one_seed(files: _Files, comparison: pd.DataFrame) -> list[str]:
    fitted = map(files.layout.parse, files.predictions())
    networks = any(one.seed is not None for one in fitted)
    if not networks or comparison["seeds"].max() > 1:
        return []
    return [
        "Networks were trained with one seed: the intervals don't say what another training of the "
        "same network would get."
    ]


# Numbers


def _ranking(split: str, rows: pd.DataFrame) -> Table:
    """Lay out the comparison of one split: first who, how well, and between which bounds."""
    made = set(metrics.made(rows)["learner"])
    ends = zip(rows["test_low"], rows["test_accuracy"], rows["test_high"], strict=True)
    shown = rows.drop(columns=["split", "test_low", "test_high"]).assign(interval=list(ends))
    first = [name for name in _FIRST if name in shown]
    last = [name for name in _LAST if name in shown]
    shown = shown[[*first, *shown.columns.drop([*first, *last]), *last]]
    return report_tables.table(
        shown,
        caption=f"Split {split}, by test accuracy",
        write={
            "interval": _interval,
            "learner": lambda name: Cell(name, link=_anchor(split, name) if name in made else ""),
        },
    )


def _interval(ends: tuple[float, float, float]) -> Cell:
    low, _, high = ends
    if pd.isna(low):
        return Cell("")
    return Cell(f"{100 * low:.1f} to {100 * high:.1f}", value=low, bar=ends)


def _anchor(split: str, name: str) -> str:
    """Return the place of a learner in the page; no id may hold a space."""
    return f"{split}/{name}".replace(" ", "_")


def _learners(
    files: _Files,
    comparison: pd.DataFrame,
    figures: Figures,
    listed: Mapping[str, set[str]],
    marks: Mapping[str, str] | None,
) -> tuple[list[Learner], dict[str, Any]]:
    """Return the learners in the order of the comparison, and what they say of single tracks."""
    entries = defaultdict(list)
    for path in files.predictions():
        entry = Entry.from_path(path, files.results)
        entries[split_names.family(entry.split), marked(entry.learner, marks)].append(entry)
    order = list(zip(comparison["split"], comparison["learner"], strict=True))
    unknown = sorted(set(entries) - set(order))
    if unknown or not entries:
        missing = "{1} on the split {0}".format(*unknown[0]) if unknown else "any learner"
        raise GenreflowError(
            f"{files.results}: expected {missing} both in {files.layout.table('comparison')} and "
            "among the predictions. Give the files and the marks of one run."
        )
    rows = dict(zip(order, comparison.itertuples(), strict=True))
    by_genre = _by_genre(files)
    learners, clips = [], {}
    made = metrics.made(comparison)
    for split, name in zip(made["split"], made["learner"], strict=True):
        if (split, name) not in entries:
            continue
        learner, said = _learner(name, rows[split, name], entries[split, name], listed[split])
        place = f"{split}/{entries[split, name][0].learner}"
        own = figures.take(lambda figure, place=place: _is_of(figure, place))
        learners.append(replace(learner, figures=own, by_genre=by_genre.get((split, name))))
        clips[learner.anchor] = said
    # What is left would stand among the further figures, and say but the reason.
    for split, name in set(entries) - set(zip(made["split"], made["learner"], strict=True)):
        place = f"{split}/{entries[split, name][0].learner}"
        figures.drop(lambda figure, place=place: _is_of(figure, place))
    return learners, clips


def _is_of(figure: str, learner: str) -> bool:
    folder, _, name = figure.rpartition("/")
    return folder == learner and _SECTIONS.get(name, "Calibration") == "Calibration"


def _learner(
    name: str, row: Any, entries: Sequence[Entry], listed: set[str]
) -> tuple[Learner, dict[str, Any]]:
    """Return a learner without its figures, and what it says of single tracks."""
    read = [replace(entry, predictions=read_predictions(entry.predictions)) for entry in entries]
    counts = metrics.confusion(read)
    genres = counts.index.tolist()
    totals = counts.sum(axis="columns")
    matrix = [
        [(count, count / max(1, totals[genre])) for count in line]
        for genre, line in zip(genres, counts.to_numpy().tolist(), strict=True)
    ]
    learner = Learner(
        anchor=_anchor(row.split, name),
        name=name,
        split=row.split,
        accuracy=(row.test_low, row.test_accuracy, row.test_high),
        genres=genres,
        matrix=matrix,
        runs=round(counts.to_numpy().sum() / row.tracks),
    )
    runs = [entry.predictions for entry in read]
    said = {"genres": genres, "tracks": report_clips.predicted(runs, genres, listed)}
    return learner, said


def _by_genre(files: _Files) -> dict[tuple[str, str], Table]:
    """Return recall, precision and F1 by genre, of each split and learner."""
    path = files.find(files.layout.table("genres"))
    if path is None:
        return {}
    return {
        key: report_tables.table(
            own.drop(columns=["split", "learner"]),
            caption=f"By genre: {key[1]}, split {key[0]}",
            write={"recall": _bar},
        )
        for key, own in read_table(path).groupby(["split", "learner"])
    }


def _bar(share: float) -> Cell:
    return Cell(f"{100 * share:.1f}", value=share, bar=(share,))


def _further_tables(files: _Files) -> dict[str, pd.DataFrame]:
    """Read the tables that have no place of their own in the page, by name."""
    paths = files.below(files.layout.tables, ".csv")
    return {path.stem: read_table(path) for path in paths if path.stem not in _PLACED}


def _tests(tables: dict[str, pd.DataFrame]) -> pd.DataFrame | None:
    """Take the tests of learners against each other out of the tables, known by their columns."""
    for name, found in tables.items():
        if set(significance.COLUMNS) <= set(found):
            tables.pop(name)
            return found.astype(dict.fromkeys(("p", "p_corrected"), float))
    return None


def _inference(found: pd.DataFrame, marks: Mapping[str, str] | None) -> dict[str, pd.DataFrame]:
    """Lay out what `bundle.latency.measure` found: steps, and learners with a row each."""
    rows = found.assign(
        learner=[marked(name, marks) for name in found["name"]],
        **{key: 1000 * found[key].astype(float) for key in ("median", "p95")},
    )
    first = found.iloc[0]
    where = f"ms on {first['processor']}, {first['threads']} threads, {first['clips']} clips"
    steps = rows[rows["step"].isin(["decode", "features"])].rename(columns={"learner": "of"})
    learners = rows[~rows["step"].isin(["decode", "features"])]
    medians = learners.pivot_table(index=["learner", "device"], columns="step", values="median")
    slowest = learners[learners["step"] == "clip"].set_index(["learner", "device"])["p95"]
    wide = medians.assign(clip_95th_percentile=slowest)[
        ["model", "clip", "clip_95th_percentile", "file"]
    ]
    return {
        f"Inference times, steps, {where}": steps[["step", "of", "device", "median", "p95"]],
        f"Inference times, learners, median {where}": wide.reset_index(),
    }


def _pairs(tests: pd.DataFrame | None) -> Table | None:
    if tests is None or tests.empty:
        return None
    count = int((tests["better"] != "").sum())
    caption = f"{count:,} of {len(tests):,} pairs of learners are shown to differ"
    # Those that differ first: there may not be room for all.
    return report_tables.table(
        _split_last(tests.sort_values("p_corrected", kind="stable")), caption=caption
    )


def _caption(name: str) -> str:
    return name if " " in name else name.replace("_", " ").capitalize()


def _split_last(rows: pd.DataFrame) -> pd.DataFrame:
    """Let the names of the rows come first."""
    return rows[sorted(rows.columns, key="split".__eq__)]


# Figures, images, costs


def _sections(figures: Figures) -> dict[str, list[Figure]]:
    """Return the figures that are of no single learner, by the headings of their sections."""
    named = defaultdict(list)
    for name, heading in _SECTIONS.items():
        named[heading] += figures.take(lambda place, name=name: place.split("/")[-1] == name)
    pairs = figures.take(lambda place: "+" in place.split("/")[-1])
    sections = {_PAIRS: pairs, **named, _OTHERS: figures.take(lambda place: True)}
    return {heading: own for heading, own in sections.items() if own}


def _images(files: _Files, track_ids: set[str]) -> dict[str, str]:
    path = files.find(files.layout.spectrograms)
    return thumbnails(path, track_ids) if path else {}


def _costs(files: _Files) -> Table | None:
    paths = files.below(files.layout.benchmarks, ".tsv")
    if not paths:
        return None
    found = costs.by_rule(paths, folder=files.layout.benchmarks)
    jobs, seconds = found["jobs"].sum(), found["seconds"].sum()
    tenths, whole = (
        lambda value: Cell(f"{value:,.1f}", value),
        lambda value: Cell(f"{value:,.0f}", value),
    )
    return report_tables.table(
        found,
        caption=f"{jobs:,} jobs, {seconds:,.0f} s if one had run after the other",
        write={"seconds": tenths, "longest": tenths, "peak_mb": whole},
    )
