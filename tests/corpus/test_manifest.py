import json
from dataclasses import asdict

import pandas as pd
import pytest
from genreflow.audio.collect import SYSTEM
from genreflow.corpus.manifest import manifest, write_manifest
from genreflow.corpus.tracks import UNHEARD, Listing, Track, write_listing
from genreflow.errors import GenreflowError

GENRES = ("Rock", "Folk")


def track(number):
    name = f"{number:03d}"
    return Track(
        name, f"music/{name}.mp3", GENRES[number % 2], "training", "Ash", "Live", "x", "1999", "CC0"
    )


def audited(tracks, **reasons):
    """Audit tracks; a reason may be given for the track of an id, as t001."""
    rows = [
        (t.track_id, 1000, f"hash of {t.track_id}", reasons.get(f"t{t.track_id}", ""), "because")
        for t in tracks
    ]
    return pd.DataFrame(rows, columns=["track_id", "frames", "sha256", "reason", "detail"])


TRACKS = [track(number) for number in range(10)]


def test_good_tracks_are_kept_with_all_that_is_known_of_them():
    used, excluded = manifest(Listing(TRACKS, []), audited(TRACKS), max_excluded=0)
    assert len(excluded) == 0
    assert list(used["track_id"]) == [t.track_id for t in TRACKS]
    assert used.iloc[3].to_dict() == {**asdict(TRACKS[3]), "frames": 1000, "duplicate_of": ""}


def test_tracks_are_left_out_for_their_reason():
    audit = audited(TRACKS, t001="silent", t004="unreadable", t005="too short")
    used, excluded = manifest(Listing(TRACKS, [track(10)]), audit, max_excluded=0.5)
    assert list(used["track_id"]) == ["000", "002", "003", "006", "007", "008", "009"]
    reasons = dict(zip(excluded["track_id"], excluded["reason"], strict=True))
    assert reasons == {"001": "silent", "004": "unreadable", "005": "too short", "010": "missing"}
    assert list(excluded.columns) == ["track_id", "path", "genre", "reason", "detail"]
    silent = excluded.set_index("track_id").loc["001"]
    assert silent[["path", "genre", "detail"]].tolist() == ["music/001.mp3", "Folk", "because"]


def test_what_cannot_be_opened_is_left_out_with_the_reason_of_the_listing():
    listing = Listing(TRACKS, [track(10), track(11)], why={"011": "a named pipe, not a file"})
    _, excluded = manifest(listing, audited(TRACKS), max_excluded=0.5)
    assert excluded[["track_id", "reason", "detail"]].to_numpy().tolist() == [
        ["010", "missing", "the corpus lists it, but the file is not there"],
        ["011", "unreadable", "a named pipe, not a file"],
    ]


def test_what_is_left_out_for_its_genre_is_named_and_does_not_count_as_lost():
    left_out = {"several genres": [track(10)], "without a genre": [track(11)]}
    why = {"010": "Rock; Pop", "011": "its tags name none"}
    listing = Listing(TRACKS, [], left_out=left_out, why=why)
    _, excluded = manifest(listing, audited(TRACKS), max_excluded=0)
    assert excluded[["track_id", "path", "reason", "detail"]].to_numpy().tolist() == [
        ["010", "music/010.mp3", "several genres", "Rock; Pop"],
        ["011", "music/011.mp3", "without a genre", "its tags name none"],
    ]


def test_the_order_of_the_audit_does_not_matter():
    audit = audited(TRACKS, t001="silent")
    for one, other in zip(
        manifest(Listing(TRACKS, []), audit, max_excluded=0.5),
        manifest(Listing(TRACKS, []), audit[::-1], max_excluded=0.5),
        strict=True,
    ):
        pd.testing.assert_frame_equal(one.reset_index(drop=True), other.reset_index(drop=True))


def test_duplicates_name_the_first_good_track_of_their_audio():
    audit = audited(TRACKS, t000="silent", t008="silent")
    same = {"002": "A", "006": "A", "004": "A", "003": "B", "005": "B", "000": "S", "008": "S"}
    audit["sha256"] = audit["track_id"].map(same).fillna(audit["sha256"])
    used, excluded = manifest(Listing(TRACKS, []), audit, max_excluded=0.2)
    found = dict(zip(used["track_id"], used["duplicate_of"], strict=True))
    assert {key: value for key, value in found.items() if value} == {
        "006": "002",
        "004": "002",
        "005": "003",
    }
    reported = excluded[excluded["reason"] == "duplicate"].set_index("track_id")["detail"]
    assert sorted(reported.index) == ["004", "005", "006"]
    assert "track 002" in reported["006"]


def test_audio_with_labels_that_contradict_is_not_used_and_doesnt_stop_the_run():
    audit = audited(TRACKS)
    same = {"002": "A", "003": "A", "004": "A"}
    audit["sha256"] = audit["track_id"].map(same).fillna(audit["sha256"])
    used, excluded = manifest(Listing(TRACKS, []), audit, max_excluded=0)
    assert not set(same) & set(used["track_id"]) and len(used) == 7
    assert set(excluded["reason"]) == {"contradicting labels"}
    assert "002 (Rock), 003 (Folk), 004 (Rock)" in excluded["detail"].iloc[0]


@pytest.mark.parametrize("limit", [0.1, 0.2, 0.3])
def test_too_many_left_out_stop_the_run(limit):
    audit = audited(TRACKS[:9], t001="silent", t004="silent")
    listing = Listing(TRACKS[:9], [TRACKS[9]])
    if limit >= 0.3:
        assert len(manifest(listing, audit, max_excluded=limit)[0]) == 7
        return
    with pytest.raises(GenreflowError) as error:
        manifest(listing, audit, max_excluded=limit)
    text = str(error.value)
    assert text.startswith("3 of 10 tracks can't be used (2 silent, 1 missing)")
    assert f"corpus.max_excluded, {limit:.0%}" in text
    assert "music/001.mp3: silent (because)" in text
    assert "music/009.mp3: missing" in text


def test_duplicates_do_not_count_as_left_out():
    audit = audited(TRACKS[::2]).assign(sha256="all the same")
    used, excluded = manifest(Listing(TRACKS[::2], []), audit, max_excluded=0)
    assert (len(used), len(excluded)) == (5, 4)


def test_a_track_in_two_audits_is_an_error():
    audit = pd.concat([audited(TRACKS), audited(TRACKS[:1])])
    with pytest.raises(ValueError, match="one-to-one"):
        manifest(Listing(TRACKS, []), audit, max_excluded=1)


def test_without_audio_all_that_is_listed_is_used_and_that_is_said(tmp_path):
    used, excluded = manifest(Listing(TRACKS, []), None, max_excluded=0)
    assert used["track_id"].tolist() == [t.track_id for t in TRACKS]
    assert set(used["frames"]) == {0} and set(used["duplicate_of"]) == {""}
    assert excluded.empty
    write_listing(Listing(TRACKS, [], notes=["Well."]), tmp_path / "listing.json")
    names = {name: tmp_path / name for name in ("tracks", "excluded", "summary")}
    said = write_manifest(tmp_path / "listing.json", [], max_excluded=0, **names)
    notes = json.loads(names["summary"].read_text())["notes"]
    assert notes == ["Well.", UNHEARD]
    assert said.endswith(f"Well.\n{UNHEARD}")


def test_the_files_of_the_manifest_keep_ids_as_they_are(tmp_path):
    listing = Listing(TRACKS, [track(10)], without_genre=4, notes=["Well."], passed_over={})
    listing.passed_over.update({"a.jpg": ".jpg", "b.jpg": ".jpg", "._c": SYSTEM})
    write_listing(listing, tmp_path / "listing.json")
    for number in range(2):
        shard = audited(TRACKS[number::2], t003="silent")
        shard.to_csv(tmp_path / f"{number}.csv", index=False)
    names = {name: tmp_path / "out" / f"{name}.csv" for name in ("tracks", "excluded")}
    said = write_manifest(
        tmp_path / "listing.json",
        [tmp_path / "0.csv", tmp_path / "1.csv"],
        max_excluded=0.5,
        summary=tmp_path / "out" / "summary.json",
        **names,
    )
    used = pd.read_csv(names["tracks"], dtype=str)
    assert list(used["track_id"]) == ["000", "001", "002", "004", "005", "006", "007", "008", "009"]
    left_out = pd.read_csv(names["excluded"], dtype=str, keep_default_na=False)
    assert list(left_out["track_id"]) == ["003", "010", "", "", ""]
    assert list(left_out["path"][2:]) == ["._c", "a.jpg", "b.jpg"]
    assert list(left_out["reason"][2:].unique()) == ["not looked at"]
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == {
        "used": 9,
        "genres": 2,
        "without_genre": 4,
        "excluded": {"silent": 1, "missing": 1},
        "passed_over": {".jpg": 2, SYSTEM: 1},
        "notes": ["Well."],
    }
    for part in (
        "9 tracks of 2 genres",
        "1 silent",
        "1 missing",
        "4 without a genre",
        "2 .jpg",
        "Well.",
    ):
        assert part in said
