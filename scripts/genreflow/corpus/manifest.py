"""The manifest: which of the listed tracks can be used, and why the others can't."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from pathlib import Path

import pandas as pd

from genreflow.audio.collect import SYSTEM, describe
from genreflow.corpus.genres import NO_GENRE
from genreflow.corpus.tracks import UNHEARD, Listing, Track, read_listing
from genreflow.errors import require_enough
from genreflow.runtime.files import read_table, write_csv, write_json

NOT_LOOKED_AT = "not looked at"
"""The reason of files that are not named as audio."""


def manifest(
    listing: Listing, audit: pd.DataFrame | None, *, max_excluded: float
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Divide the listed tracks into those that can be used and those left out.

    Duplicates stand in both tables: a split leaves them out only where they cross its parts. Where
    the same audio has several genres, nobody knows which is right, and none is used. What the
    listing leaves out for its genre doesn't count for `max_excluded`. Files that were not looked at
    have no id.

    Parameters
    ----------
    audit
        One row per track with a file: track_id, frames, sha256, reason, detail, as
        `audio.audit` gives them. None where audio isn't looked at: all tracks can be used, and
        have 0 frames.
    max_excluded
        The largest share of the tracks that may be left out.

    Returns
    -------
    tracks, excluded : pandas.DataFrame
        The tracks to be used, with the audio's length in samples and ``duplicate_of``: the
        first track with exactly the same audio; and the tracks left out with reason and detail.

    Raises
    ------
    GenreflowError
        If more than `max_excluded` of the tracks can't be used.
    """
    columns = [field.name for field in fields(Track)]
    listed = pd.DataFrame([asdict(track) for track in listing.tracks], columns=columns)
    if audit is None:
        audit = listed[["track_id"]].assign(frames=0, sha256=listed["track_id"], reason="")
        audit["detail"] = ""
    tracks = listed.merge(audit, on="track_id", validate="one_to_one")
    missing = pd.DataFrame([asdict(track) for track in listing.missing], columns=columns)
    why = [listing.why.get(track.track_id, "") for track in listing.missing]
    missing = missing.assign(
        reason=["unreadable" if text else "missing" for text in why],
        detail=[text or "the corpus lists it, but the file is not there" for text in why],
    )
    usable = tracks["reason"] == ""
    bad = pd.concat([tracks[~usable], missing])
    counts = ", ".join(f"{n} {reason}" for reason, n in bad["reason"].value_counts().items())
    lost = [(one.path, f"{one.reason} ({one.detail})") for one in bad.itertuples()]
    said = f"can't be used ({counts})"
    require_enough(lost, len(tracks) + len(missing), max_excluded, said, "Mend the files")
    good = tracks[usable].copy()
    contradicts = good.groupby("sha256")["genre"].transform("nunique") > 1
    contradicting = _contradicting(good[contradicts])
    good = good[~contradicts].copy()
    first = good.groupby("sha256")["track_id"].transform("first")
    good["duplicate_of"] = first.where(first != good["track_id"], "")
    duplicates = good[good["duplicate_of"] != ""].assign(
        reason="duplicate",
        detail=lambda rows: (
            "the same audio as track "
            + rows["duplicate_of"]
            + "; left out only where the two would stand in different parts of a split"
        ),
    )
    others = [_left_out(listing, columns), _passed_over(listing.passed_over)]
    excluded = pd.concat([bad, contradicting, duplicates, *others])
    excluded = excluded[["track_id", "path", "genre", "reason", "detail"]]
    return good[[*columns, "frames", "duplicate_of"]], excluded


def _contradicting(tracks: pd.DataFrame) -> pd.DataFrame:
    """Give tracks with equal audio and several genres their reason, and name each other's."""
    if tracks.empty:
        return tracks.assign(reason="", detail="")
    labels = (tracks["track_id"] + " (" + tracks["genre"] + ")").groupby(tracks["sha256"])
    detail = "the same audio has other genres: " + labels.transform(", ".join)
    return tracks.assign(reason="contradicting labels", detail=detail)


def _left_out(listing: Listing, columns: list[str]) -> pd.DataFrame:
    rows = [
        {**asdict(track), "reason": reason, "detail": listing.why[track.track_id]}
        for reason, tracks in listing.left_out.items()
        for track in tracks
    ]
    return pd.DataFrame(rows, columns=[*columns, "reason", "detail"])


def _passed_over(files: Mapping[str, str]) -> pd.DataFrame:
    details = {SYSTEM: "it is of the system, or was deleted", "": "its name has no ending of audio"}
    rows = [
        ("", path, "", NOT_LOOKED_AT, details.get(kind, f"{kind} is no ending of audio"))
        for path, kind in files.items()
    ]
    return pd.DataFrame(rows, columns=["track_id", "path", "genre", "reason", "detail"])


def write_manifest(
    listing: str | Path,
    audits: Iterable[str | Path],
    *,
    max_excluded: float,
    tracks: str | Path,
    excluded: str | Path,
    summary: str | Path,
) -> str:
    """Write the manifest from a listing and the audits of all shards; return its counts in a line.

    There are no audits where audio isn't looked at. Tracks and those excluded are written as CSV,
    the summary of counts as JSON.
    """
    listed = read_listing(listing)
    audited = [read_table(path) for path in audits]
    audit = pd.concat(audited, ignore_index=True) if audited else None
    used, left_out = manifest(listed, audit, max_excluded=max_excluded)
    notes = listed.notes if audited else [*listed.notes, UNHEARD]
    counts = {
        "used": len(used),
        "genres": used["genre"].nunique(),
        "without_genre": listed.without_genre,
        "excluded": left_out.loc[~left_out["reason"].isin([NOT_LOOKED_AT, NO_GENRE]), "reason"]
        .value_counts(sort=False)
        .to_dict(),
        "passed_over": dict(sorted(Counter(listed.passed_over.values()).items())),
        "notes": notes,
    }
    write_csv(used, tracks)
    write_csv(left_out, excluded)
    write_json(counts, summary)
    lacking = {NO_GENRE: listed.without_genre} if listed.without_genre else {}
    reasons = [f"{number:,} {reason}" for reason, number in (counts["excluded"] | lacking).items()]
    said = f"left out: {', '.join(reasons)} ({excluded})" if reasons else "none is left out"
    return (
        f"{counts['used']:,} tracks of {counts['genres']} genres can be used; {said}. "
        f"{describe(listed.passed_over.values())}"
    ).rstrip() + "".join(f"\n{note}" for note in notes)
