"""The report of a run: one HTML page that holds all it needs and opens offline.

It is made from the files of a results folder, whichever of them there are. What grows with the
corpus is capped: figures by `embedded.LIMIT`, tracks by `clips.LIMIT`, rows of tables by
`tables.LIMIT`; the page says where. The same files give the same bytes.
"""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from genreflow import split_names
from genreflow.errors import GenreflowError
from genreflow.evaluation import costs, metrics
from genreflow.layout import PREDICTIONS, Layout
from genreflow.learners.predictions import Entry, marked, read_predictions
from genreflow.pages.links import link
from genreflow.pages.render import render
from genreflow.report import clips as report_clips
from genreflow.report import limits as report_limits
from genreflow.report import page_tables
from genreflow.report.embedded import Figure, embed
from genreflow.report.provenance import shareable
from genreflow.report.tables import Table
from genreflow.report.thumbnails import thumbnails
from genreflow.runtime.files import read_table, read_values, write_text

_HERE = Path(__file__).parent

_RANKING, _PAIRS, _OTHERS = "Ranking", "Learning curves side by side", "Further figures"
_CALIBRATION, _GALLERIES = "Calibration", "Galleries"
_SECTIONS = {
    "accuracy": _RANKING,
    "standing": _RANKING,
    "search": "Hyperband trials",
    "explained_variance": "Explained variance",
    "calibration": _CALIBRATION,
    "genres": _GALLERIES,
    "masked_copies": _GALLERIES,
    "online_augmentation": _GALLERIES,
}
"""Name of a figure's file -> the section that it stands in, if that isn't its learner's."""
_HEADINGS = list(dict.fromkeys([_RANKING, _PAIRS, *_SECTIONS.values(), _OTHERS]))
"""The sections in their order."""
_PLACED = ("comparison", "genres")
"""Tables that have a place of their own in the page."""
_Key = tuple[str, str]  # split or cross-validation, and learner as the tables call it


@dataclass(frozen=True)
class Learner:
    """One learner on one split, as the page shows it.

    Attributes
    ----------
    anchor
        Its place in the page: ``SPLIT/LEARNER``.
    name, split
        Its name with its marks, and the split or cross-validation.
    accuracy
        Test accuracy with its interval: low, accuracy, high.
    genres, matrix
        Names, and a row for each: how many tracks are taken for each, and which share of the row.
    runs
        How often each track was tested: seeds times repeats.
    tracks
        What it says of single tracks, as `clips.predicted`.
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
    tracks: list[list[Any]]
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
        Of the results folder, known by their places as `Layout` has them. The comparison, the
        manifest, the splits and the predictions must be there; of tables, figures, benchmarks and
        images those that are given are shown. Others are ignored.
    results
        The folder of the corpus. The page refers to wav/TRACK.wav in it, relative to itself, if
        images are given: without, no audio was looked at.
    config, versions, commit
        Of the run, of what made the results, and of the workflow's code ("" if unknown). Of the
        configuration the page shows what `provenance.shareable` leaves.
    limits
        Sentences on what the numbers are worth, to be read first; those of `limits.counted` come
        by themselves.
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
    root = link(results, path.parent)
    content = _content(_Files(Path(results), files), root, limits=limits, marks=marks)
    ran = {
        "Kind of corpus": config.get("corpus", {}).get("kind", ""),
        "Seed": config.get("seed", ""),
        "Seeds of the networks": ", ".join(map(str, config.get("seeds", []))),
        **content["facts"],
        "Commit": commit or "unknown",
    }
    content["facts"] = [(name, value) for name, value in ran.items() if value != ""]
    page = render(
        _HERE,
        "report.html.j2",
        style="report.css",
        script="report.js",
        **content,
        versions=sorted(versions.items()),
        config=json.dumps(shareable(config), indent=2, ensure_ascii=False, default=str),
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
    comparison = read_values(files.require(layout.table("comparison")))
    parts = _parts(files)
    for split in sorted(set(comparison["split"]) - set(parts)):
        files.require(layout.split(split))
    tested = {name: set(own.loc[own["part"] == "test", "track_id"]) for name, own in parts.items()}
    listed = {name: report_clips.chosen(ids, report_clips.LIMIT) for name, ids in tested.items()}
    entries = _entries(files, comparison, marks)
    figures = _figures(files, comparison, entries, root)
    learners = _learners(files, comparison, entries, listed, figures)
    seeded = any(entry.seed is not None for own in entries.values() for entry in own)
    length = files.find(layout.clip_length)
    counted = report_limits.counted(
        metrics.made(comparison),
        parts,
        tracks,
        seeded=seeded,
        length=json.loads(length.read_text()) if length else None,
    )
    paths = files.below(layout.tables, ".csv")
    tables = {path.stem: read_table(path) for path in paths if path.stem not in _PLACED}
    tests = page_tables.take_tests(tables)
    lost, benchmarks = files.find(layout.excluded), files.below(layout.benchmarks, ".tsv")
    left_out = read_table(lost) if lost else None
    excluded = None if left_out is None else page_tables.excluded(left_out)
    spent = costs.by_rule(benchmarks, folder=layout.benchmarks) if benchmarks else None
    return {
        "corpus": files.results.name,
        "summary": metrics.summary(comparison, tests).splitlines(),
        "limits": [*limits, *counted],
        "facts": {
            "Tracks": f"{len(tracks):,} used, {page_tables.lost(left_out):,} left out",
            "Genres": f"{tracks['genre'].nunique():,}",
            "Splits": ", ".join(parts),
            "Learners": f"{len({one.name for one in learners}):,}",
        },
        "counts": [page_tables.tracks_by_part(name, own, tracks) for name, own in parts.items()],
        "excluded": excluded,
        "rankings": [page_tables.ranking(name, own) for name, own in comparison.groupby("split")],
        "ranking_figures": figures.get(_RANKING, []),
        "figure_bytes": sum(one.size for own in figures.values() for one in own if one.source),
        "learners": learners,
        "clips": [(name, len(listed[name]), len(ids)) for name, ids in tested.items()],
        "sections": {name: figures[name] for name in _HEADINGS[1:] if name in figures},
        "tests": page_tables.pairs(tests),
        "tables": page_tables.further(tables, marks),
        "costs": None if spent is None else page_tables.costs(spent),
        **_clips(files, root, tracks, learners, set().union(*listed.values())),
    }


def _clips(
    files: _Files,
    root: str,
    tracks: pd.DataFrame,
    learners: Sequence[Learner],
    listed: set[str],
) -> dict[str, Any]:
    """Return what the page's script shows of single tracks, and how large their images are."""
    spectrograms = files.find(files.layout.spectrograms)
    shown = report_clips.chosen(listed, report_clips.LIMIT)
    images = thumbnails(spectrograms, shown) if spectrograms else {}
    said = {one.anchor: {"genres": one.genres, "tracks": one.tracks} for one in learners}
    described = report_clips.described(tracks, images, listed)
    return {
        "image_count": len(images),
        "image_bytes": sum(map(len, images.values())),
        "data": {
            "wav": f"{Layout(root).wavs}/" if spectrograms else "",
            "tracks": described,
            "learners": said,
        },
    }


def _parts(files: _Files) -> dict[str, pd.DataFrame]:
    """Return track_id, part and split (the fold) by the name of the split or cross-validation."""
    pieces = defaultdict(list)
    for path in files.below(files.layout.splits, ".csv"):
        pieces[split_names.family(path.stem)].append(read_table(path).assign(split=path.stem))
    return {name: pd.concat(own, ignore_index=True) for name, own in sorted(pieces.items())}


def _entries(
    files: _Files, comparison: pd.DataFrame, marks: Mapping[str, str] | None
) -> dict[_Key, list[Entry]]:
    """Return the predictions of each learner, all of which the comparison has."""
    entries = defaultdict(list)
    for path in files.predictions():
        entry = Entry.from_path(path, files.results)
        entries[split_names.family(entry.split), marked(entry.learner, marks)].append(entry)
    made = set(_keys(metrics.made(comparison)))
    unknown = sorted(set(entries) - set(_keys(comparison)) | made - set(entries))
    if unknown or not entries:
        missing = "{1} on the split {0}".format(*unknown[0]) if unknown else "any learner"
        raise GenreflowError(
            f"{files.results}: expected {missing} both in {files.layout.table('comparison')} and "
            "among the predictions. Give the files and the marks of one run."
        )
    return entries


def _keys(comparison: pd.DataFrame) -> list[_Key]:
    return list(zip(comparison["split"], comparison["learner"], strict=True))


def _learners(
    files: _Files,
    comparison: pd.DataFrame,
    entries: Mapping[_Key, Sequence[Entry]],
    listed: Mapping[str, set[str]],
    figures: Mapping[str, Sequence[Figure]],
) -> list[Learner]:
    """Return the learners that were made, in the order of the comparison."""
    path = files.find(files.layout.table("genres"))
    by_genre = page_tables.by_genre(read_table(path)) if path else {}
    learners = []
    for row in metrics.made(comparison).itertuples():
        key = row.split, row.learner
        read = [replace(one, predictions=read_predictions(one.predictions)) for one in entries[key]]
        counts = metrics.confusion(read)
        genres = counts.index.tolist()
        shares = counts.div(counts.sum(axis="columns").clip(lower=1), axis="index")
        cells = zip(counts.to_numpy().tolist(), shares.to_numpy().tolist(), strict=True)
        runs = [one.predictions for one in read]
        learner = Learner(
            anchor=page_tables.anchor(*key),
            name=row.learner,
            split=row.split,
            accuracy=(row.test_low, row.test_accuracy, row.test_high),
            genres=genres,
            matrix=[list(zip(*pair, strict=True)) for pair in cells],
            runs=round(counts.to_numpy().sum() / row.tracks),
            tracks=report_clips.predicted(runs, genres, listed[row.split]),
            by_genre=by_genre.get(key),
            figures=figures.get(_place(entries[key]), ()),
        )
        learners.append(learner)
    return learners


def _place(entries: Sequence[Entry]) -> str:
    """Return where the figures of a learner lie: below its name without marks."""
    return f"{split_names.family(entries[0].split)}/{entries[0].learner}"


def _figures(
    files: _Files, comparison: pd.DataFrame, entries: Mapping[_Key, Sequence[Entry]], root: str
) -> dict[str, list[Figure]]:
    """Return the figures by their section, or the place of their learner.

    They come in the order of their worth, for there may not be room for all. Those of learners
    that weren't made are left out: they say but the reason.
    """
    learners = [_place(entries[key]) for key in _keys(metrics.made(comparison))]
    order = [_RANKING, *learners, *_HEADINGS[1:]]
    folder = files.layout.figures
    paths = {
        path.relative_to(folder).with_suffix("").as_posix(): path
        for path in files.below(folder, ".svg")
    }
    known = {_place(own) for own in entries.values()}
    sections = {place: _section(place, known) for place in paths}
    placed = [place for place in sorted(paths) if sections[place] in order]
    placed.sort(key=lambda place: order.index(sections[place]))
    found = defaultdict(list)
    for figure in embed({place: paths[place] for place in placed}, root=Layout(root).figures):
        found[sections[figure.place]].append(figure)
    return found


def _section(place: str, learners: Collection[str]) -> str:
    """Return where a figure stands: at the place of its learner, or under a heading."""
    folder, _, name = place.rpartition("/")
    heading = _SECTIONS.get(name)
    if name == "confusion_matrix":
        return ""  # the page has its own
    if folder in learners and heading in (None, _CALIBRATION):
        return folder
    return heading or (_PAIRS if "+" in name else _OTHERS)
