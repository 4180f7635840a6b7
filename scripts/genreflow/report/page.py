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
from genreflow.evaluation.ranking import by_validation
from genreflow.layout import Layout
from genreflow.learners.predictions import Entry, marked, read_predictions
from genreflow.pages.links import link
from genreflow.pages.render import render
from genreflow.report import clips as report_clips
from genreflow.report import limits as report_limits
from genreflow.report import overview, page_tables, plots, tracks_map
from genreflow.report.embedded import Figure, embed
from genreflow.report.files import Files
from genreflow.report.provenance import shareable
from genreflow.report.thumbnails import thumbnails
from genreflow.runtime.files import read_table, read_values, write_text

_HERE = Path(__file__).parent

_STANDING, _OTHERS = "Where the results stand among published ones", "Other figures"
_PAIRS, _GALLERIES = "Learning curves side by side", "Log-mel images"
_SECTIONS = {
    "standing": _STANDING,
    "search": "Hyperband trials",
    "explained_variance": "Explained variance",
    "genres": _GALLERIES,
    "masked_copies": _GALLERIES,
    "online_augmentation": _GALLERIES,
}
"""Name of a figure's file -> what it stands under, if that isn't its learner."""
_HEADINGS = list(dict.fromkeys([_STANDING, _PAIRS, *_SECTIONS.values(), _OTHERS]))
"""What figures stand under, in order."""
_OWN = ("accuracy", "calibration", "confusion_matrix")
"""Figures of which the page has its own."""
_PLACED = ("comparison", "genres", "calibration")
"""Tables that have a place of their own in the page."""
_Key = tuple[str, str]  # split or cross-validation, and learner as the tables call it


@dataclass(frozen=True)
class Learner:
    """One learner on one split, as the page shows it.

    `anchor` is its place in the page, ``SPLIT/LEARNER``, and `row` that of the comparison. `counts`
    has a row for each of the genres: how many tracks are taken for each. Each track was tested in
    so many `runs`, seeds times repeats; `tracks` is what it says of single ones, as
    `clips.predicted`.
    """

    anchor: str
    row: Any
    genres: Sequence[str]
    counts: Sequence[Sequence[int]]
    runs: int
    tracks: list[list[Any]]
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
    losses: Sequence[str] = (),
    marks: Mapping[str, str] | None = None,
    about: Mapping[str, Mapping[str, str]] | None = None,
) -> int:
    """Write the report of a run.

    Parameters
    ----------
    path, results, files
        The HTML file, the folder of the corpus, and files in it, known by their places as `Layout`
        has them. The comparison, the manifest, the splits and the predictions must be there; of
        tables, figures, benchmarks and images those that are given are shown. Others are ignored.
        The page refers to wav/TRACK.wav, relative to itself, if images are given: without, no audio
        was looked at.
    config, versions, commit
        Of the run, of what made the results, and of the workflow's code ("" if unknown). Of the
        configuration the page shows what `provenance.shareable` leaves.
    limits, losses
        Sentences on what the numbers are worth, to be read first, and on what was left out; those
        of `limits.counted` come between by themselves.
    marks, about
        As for `learners.predictions.marked`; by the name of a learner the feature matrix that it
        takes, and what people call that (features), from which a map of the tracks is made.

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
    found = Files(Path(results), files)
    content = _content(found, root, marks=marks, about=about or {})
    content["limits"] = [*limits, *content["limits"], *losses]
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


def _content(
    files: Files,
    root: str,
    *,
    marks: Mapping[str, str] | None,
    about: Mapping[str, Mapping[str, str]],
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
    learners = _learners(comparison, entries, listed, figures)
    paths = files.below(layout.tables, ".csv")
    tables = {path.stem: read_table(path) for path in paths if path.stem not in _PLACED}
    tests = page_tables.take_tests(tables)
    names = {_key(entry, marks): entry.learner for own in entries.values() for entry in own}
    matrices = {key: about.get(name, {}) for key, name in names.items()}
    drawn = _map(files, comparison, tracks, matrices)
    return {
        "corpus": files.results.name,
        "limits": _limits(files, comparison, parts, tracks, entries),
        "ranking": page_tables.ranking(comparison, tests),
        "alike": page_tables.alike(comparison),
        "tests": page_tables.pairs(tests),
        **_first_screen(comparison, tests, learners),
        **_by_split(files, comparison),
        "sizes": plots.training_sizes(metrics.made(comparison), parts),
        "map": drawn,
        "figure_bytes": sum(one.size for own in figures.values() for one in own if one.source),
        "learners": learners,
        "clips": [(name, len(listed[name]), len(ids)) for name, ids in tested.items()],
        "standing": figures.get(_STANDING, []),
        "sections": {name: figures[name] for name in _HEADINGS[1:] if name in figures},
        "galleries": _GALLERIES,
        "tables": page_tables.further(tables, marks),
        **_ran(files, tracks, parts, comparison),
        **_clips(files, root, tracks, learners, set().union(*listed.values()), drawn),
    }


def _limits(
    files: Files,
    comparison: pd.DataFrame,
    parts: Mapping[str, pd.DataFrame],
    tracks: pd.DataFrame,
    entries: Mapping[_Key, Sequence[Entry]],
) -> list[str]:
    """Count what the numbers don't say."""
    seeded = any(entry.seed is not None for own in entries.values() for entry in own)
    path = files.find(files.layout.clip_length)
    length = json.loads(path.read_text()) if path else None
    made = metrics.made(comparison)
    return report_limits.counted(made, parts, tracks, seeded=seeded, length=length)


def _first_screen(
    comparison: pd.DataFrame, tests: pd.DataFrame | None, learners: Sequence[Learner]
) -> dict[str, Any]:
    """Return what is seen first of each split, and the hardest pair of the first one's learner."""
    splits = [overview.of_split(name, own, tests) for name, own in comparison.groupby("split")]
    splits = [one for one in splits if one is not None]
    # What predicts new audio comes first.
    splits.sort(key=lambda one: not one.used)
    first = page_tables.anchor(splits[0].split, splits[0].first) if splits else ""
    counts = {one.anchor: one.counts for one in learners}
    pair = overview.hardest(counts[first]) if first else None
    return {"splits": splits, "first": first, "pair": pair}


def _by_split(files: Files, comparison: pd.DataFrame) -> dict[str, Any]:
    """Return the heat map of recall, the plot of costs and the calibration of each split."""
    path = files.find(files.layout.table("genres"))
    genres = read_table(path) if path else None
    path = files.find(files.layout.table("calibration"))
    bins = read_values(path) if path else None
    maps, plotted, panels = [], [], []
    for split, rows in metrics.made(comparison).groupby("split"):
        if genres is not None:
            maps.append((split, page_tables.recall(genres, rows, split)))
        links = [page_tables.anchor(split, name) for name in rows["learner"]]
        plotted.append((split, plots.costs(rows, links)))
        if bins is not None:
            panels.append((split, plots.reliability(rows, bins[bins["split"] == split])))
    return {
        "recall": [(split, one) for split, one in maps if one is not None],
        "calibration": panels,
        "costs_by_split": [(split, one) for split, one in plotted if one is not None],
    }


def _map(
    files: Files,
    comparison: pd.DataFrame,
    tracks: pd.DataFrame,
    matrices: Mapping[_Key, Mapping[str, str]],
) -> plots.Plot | None:
    """Draw tracks by the features of the best learner whose matrix is there."""
    wanted = report_clips.chosen(tracks["track_id"], report_clips.LIMIT)
    for row in by_validation(comparison).itertuples():
        own = matrices.get((row.split, row.learner), {})
        path = files.find(files.layout.features(own["matrix"])) if own.get("matrix") else None
        if path:
            shown = tracks[tracks["track_id"].isin(wanted)]
            return tracks_map.draw(path, shown, features=own["features"])
    return None


def _ran(
    files: Files, tracks: pd.DataFrame, parts: Mapping[str, pd.DataFrame], comparison: pd.DataFrame
) -> dict[str, Any]:
    """Return what ran, and what it cost."""
    layout = files.layout
    lost, benchmarks = files.find(layout.excluded), files.below(layout.benchmarks, ".tsv")
    left_out = read_table(lost) if lost else None
    spent = costs.by_rule(benchmarks, folder=layout.benchmarks) if benchmarks else None
    return {
        "facts": {
            "Tracks": f"{len(tracks):,} used, {page_tables.lost(left_out):,} left out",
            "Genres": f"{tracks['genre'].nunique():,}",
            "Splits": ", ".join(parts),
            "Learners": f"{comparison['learner'].nunique():,}",
        },
        "counts": [page_tables.tracks_by_part(name, own, tracks) for name, own in parts.items()],
        "excluded": None if left_out is None else page_tables.excluded(left_out),
        "costs": None if spent is None else page_tables.costs(spent),
    }


def _clips(
    files: Files,
    root: str,
    tracks: pd.DataFrame,
    learners: Sequence[Learner],
    listed: set[str],
    drawn: plots.Plot | None,
) -> dict[str, Any]:
    """Return what the page's script shows of single tracks, and how large their images are."""
    spectrograms = files.find(files.layout.spectrograms)
    shown = report_clips.chosen(listed, report_clips.LIMIT)
    images = thumbnails(spectrograms, shown) if spectrograms else {}
    said = {
        one.anchor: {
            "name": one.row.title,
            "split": one.row.split,
            "genres": one.genres,
            "counts": one.counts,
            "tracks": one.tracks,
        }
        for one in learners
    }
    on_map = {point.track for point in drawn.points} if drawn else set()
    return {
        "image_count": len(images),
        "image_bytes": sum(map(len, images.values())),
        "data": {
            "wav": f"{Layout(root).wavs}/" if spectrograms else "",
            "tracks": report_clips.described(tracks, images, listed | on_map),
            "learners": said,
        },
    }


def _parts(files: Files) -> dict[str, pd.DataFrame]:
    """Return track_id, part and split (the fold) by the name of the split or cross-validation."""
    pieces = defaultdict(list)
    for path in files.below(files.layout.splits, ".csv"):
        pieces[split_names.family(path.stem)].append(read_table(path).assign(split=path.stem))
    return {name: pd.concat(own, ignore_index=True) for name, own in sorted(pieces.items())}


def _entries(
    files: Files, comparison: pd.DataFrame, marks: Mapping[str, str] | None
) -> dict[_Key, list[Entry]]:
    """Return the predictions of each learner, all of which the comparison has."""
    entries = defaultdict(list)
    for path in files.predictions():
        entry = Entry.from_path(path, files.results)
        entries[_key(entry, marks)].append(entry)
    made = set(_keys(metrics.made(comparison)))
    unknown = sorted(set(entries) - set(_keys(comparison)) | made - set(entries))
    if unknown or not entries:
        missing = "{1} on the split {0}".format(*unknown[0]) if unknown else "any learner"
        raise GenreflowError(
            f"{files.results}: expected {missing} both in {files.layout.table('comparison')} and "
            "among the predictions. Give the files and the marks of one run."
        )
    return entries


def _key(entry: Entry, marks: Mapping[str, str] | None) -> _Key:
    return split_names.family(entry.split), marked(entry.learner, marks)


def _keys(comparison: pd.DataFrame) -> list[_Key]:
    return list(zip(comparison["split"], comparison["learner"], strict=True))


def _learners(
    comparison: pd.DataFrame,
    entries: Mapping[_Key, Sequence[Entry]],
    listed: Mapping[str, set[str]],
    figures: Mapping[str, Sequence[Figure]],
) -> list[Learner]:
    """Return the learners that were made, in the order of the comparison."""
    learners = []
    for row in metrics.made(comparison).itertuples():
        key = row.split, row.learner
        read = [replace(one, predictions=read_predictions(one.predictions)) for one in entries[key]]
        counts = metrics.confusion(read)
        genres = counts.index.tolist()
        runs = [one.predictions for one in read]
        learner = Learner(
            anchor=page_tables.anchor(*key),
            row=row,
            genres=genres,
            counts=counts.to_numpy().tolist(),
            runs=round(counts.to_numpy().sum() / row.tracks),
            tracks=report_clips.predicted(runs, genres, listed[row.split]),
            figures=figures.get(_place(entries[key]), ()),
        )
        learners.append(learner)
    return learners


def _place(entries: Sequence[Entry]) -> str:
    """Return where the figures of a learner lie: below its name without marks."""
    return f"{split_names.family(entries[0].split)}/{entries[0].learner}"


def _figures(
    files: Files, comparison: pd.DataFrame, entries: Mapping[_Key, Sequence[Entry]], root: str
) -> dict[str, list[Figure]]:
    """Return the figures by their section, or the place of their learner.

    They come in the order of their worth, for there may not be room for all. Those of learners
    that weren't made are left out: they say but the reason.
    """
    learners = [_place(entries[key]) for key in _keys(metrics.made(comparison))]
    order = [_STANDING, *learners, *_HEADINGS[1:]]
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
    if name in _OWN:
        return ""
    heading = _SECTIONS.get(name)
    if folder in learners and heading is None:
        return folder
    return heading or (_PAIRS if "+" in name else _OTHERS)
