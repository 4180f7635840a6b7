"""A corpus of tagged files: which tracks it lists, and what is said of all others."""

import json
import os
import re
from collections import Counter
from pathlib import Path

import pytest
from genreflow.audio import collect, tags
from genreflow.config.corpus import Corpus
from genreflow.corpus import genres, overview
from genreflow.corpus.readers import list_tracks
from genreflow.errors import GenreflowError
from made.tagged import genre_frame, id3


@pytest.fixture
def library(tmp_path):
    """Return what writes tagged files without audio below a folder."""

    def write(name, *values, artist="", album="", album_artist="", flag=False, title=""):
        texts = {"TPE1": artist, "TALB": album, "TPE2": album_artist, "TIT2": title}
        frames = [(key, b"\3" + text.encode()) for key, text in texts.items() if text]
        frames += [genre_frame("\0".join(values))] if values else []
        frames += [("TCMP", b"\0001")] if flag else []
        path = tmp_path / "music" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(id3(*frames))
        return path

    return write


@pytest.fixture
def listed(tmp_path, library):
    """List what was written, and files of two genres more."""
    library("x/rock.mp3", "Rock")
    library("x/folk.mp3", "Folk")

    def listed(*, function=list_tracks, **settings):
        corpus = Corpus(kind="tags", audio=str(tmp_path / "music"), **settings).model_dump()
        return function(corpus, results=tmp_path / "results", seed=0, audio_for="cnn/simple")

    return listed


def by_name(tracks):
    return {Path(track.path).name.removesuffix(".mp3"): track for track in tracks}


def test_tags_give_all_that_is_known_of_a_track(listed, library):
    library("a/b/c/a.mp3", "Jazz", artist="Ash", album="Live", title="Song 1")
    library("a.mp3", "Jazz")
    tracks = by_name(listed().tracks)
    assert len(tracks) == 3
    found = next(track for track in listed().tracks if track.artist)
    assert (found.genre, found.artist, found.album, found.title) == (
        "Jazz",
        "Ash",
        "Live",
        "Song 1",
    )
    assert (found.artist_id, found.album_id) == ("ash", "ash/live")
    assert tracks["folk"].title == "folk"


def test_albums_count_with_their_artists_and_compilations_by_themselves(listed, library):
    library("guest.mp3", "Jazz", artist="Ash feat. Elm", album="Live", album_artist="Ash")
    library("own.mp3", "Jazz", artist="Ash", album="Live")
    library("other.mp3", "Jazz", artist="Birch", album="Live")
    library("va1.mp3", "Jazz", artist="Ash", album="Now", album_artist="Various Artists")
    library("va2.mp3", "Jazz", artist="Elm", album="NOW", flag=True)
    library("best.mp3", "Jazz", artist="Ash", album="Best", album_artist="Ash", flag=True)
    library("nobody.mp3", "Jazz", artist="Unknown Artist", album="Unknown Album")
    library("lent.mp3", "Jazz", album_artist="Ash", album="Live")
    tracks = by_name(listed().tracks)
    album = {name: track.album_id for name, track in tracks.items()}
    assert album["guest"] == album["own"] == album["lent"] != album["other"]
    assert album["va1"] == album["va2"] == "/now"
    assert album["best"] == "ash/best"
    assert tracks["va1"].artist_id == tracks["own"].artist_id == tracks["lent"].artist_id == "ash"
    assert (tracks["nobody"].artist_id, album["nobody"]) == ("", "")


def test_tracks_without_one_genre_are_left_out_and_named(listed, library):
    library("none.mp3", artist="Ash")
    library("other.mp3", "Other")
    library("two.mp3", "Rock; Pop")
    library("list.mp3", "Rock", "Pop")
    library("speech.mp3", "Speech")
    listing = listed(genre_map={"speech": None})
    assert sorted(by_name(listing.tracks)) == ["folk", "rock"]
    out = {reason: sorted(by_name(own)) for reason, own in listing.left_out.items()}
    assert out == {
        genres.NO_GENRE: ["none", "other"],
        genres.SEVERAL: ["list", "two"],
        genres.MAPPED_OUT: ["speech"],
    }
    assert listing.without_genre == 2
    assert by_name(listing.left_out[genres.SEVERAL])["two"].genre == "Rock; Pop"
    assert all(listing.why[one.track_id] for own in listing.left_out.values() for one in own)
    assert any("'Rock; Pop' (2)" in note for note in listing.notes)


def test_files_without_a_genre_are_listed_for_prediction(listed, library, tmp_path):
    odd = [library(name) for name in ("#1 {x 100%25.mp3", "two\nlines.mp3", " Ó.mp3")]
    path = tmp_path / "results/corpus/without_genre.m3u8"
    genres.write_without_genre(listed(), path)
    assert sorted(collect.asked_for([path]).files) == sorted(odd)
    for one in odd:
        one.unlink()
    genres.write_without_genre(listed(), path)
    assert path.read_text() == "#EXTM3U\n"


def test_nothing_is_listed_for_prediction_where_all_have_a_genre(listed, tmp_path):
    genres.write_without_genre(listed(), tmp_path / "without.m3u8")
    assert not (tmp_path / "without.m3u8").exists()


def test_genres_that_the_map_makes_one_are_one(listed, library):
    library("two.mp3", "Indie Rock; Rock; Live")
    listing = listed(genre_map={"indie rock": "Rock", "live": ""})
    assert by_name(listing.tracks)["two"].genre == "Rock"


def test_the_first_of_several_genres_is_taken_where_that_is_asked_for(listed, library):
    library("two.mp3", "Rock/Pop")
    listing = listed(several_genres="first")
    assert by_name(listing.tracks)["two"].genre == "Rock"
    assert genres.SEVERAL not in listing.left_out


def test_the_spelling_of_the_map_is_kept(listed, library):
    for number in range(3):
        library(f"{number}.mp3", "hip-hop")
    library("a.mp3", "Hip Hop")
    listing = listed(genre_map={"Hip Hop": "Hip-Hop"})
    assert Counter(track.genre for track in listing.tracks)["Hip-Hop"] == 4


def test_a_broken_file_is_a_track_without_tags_and_named(listed, tmp_path):
    (tmp_path / "music" / "bad.wma").write_bytes(b"no music")
    (tmp_path / "music" / "pipe.mp3").symlink_to("/dev/zero")
    listing = listed()
    assert [track.path[-7:] for track in listing.left_out[genres.NO_GENRE]] == ["bad.wma"]
    assert any("read: 1, first" in note and "bad.wma" in note for note in listing.notes)
    assert [listing.why[one.track_id] for one in listing.missing] == ["a device, not a file"]


def test_hostile_names_are_no_more_than_names(listed, library):
    library("a.mp3", "{track}\x1b[2J", artist="<b>{x}\n")
    track = by_name(listed().tracks)["a"]
    assert (track.genre, track.artist) == ("{track} [2J", "<b>{x}")


def test_a_library_of_one_genre_is_refused_with_what_was_left_out(tmp_path, listed, library):
    library("x/folk.mp3", "Rock; Pop")
    with pytest.raises(
        GenreflowError, match=r"one genre, 'Rock'.*1 several genres.*snakemake tags"
    ):
        listed()


# from run to run


def reads(monkeypatch):
    """Return a list to which the files are added whose tags are read."""
    read, found = tags.read, []

    def noted(paths):
        found.extend(Path(path).name for path in paths)
        return read(paths)

    monkeypatch.setattr(tags, "read", noted)
    return found


def test_a_file_is_read_again_only_when_it_changed(listed, library, monkeypatch):
    found = reads(monkeypatch)
    before = listed()
    assert sorted(found) == ["folk.mp3", "rock.mp3"]
    found.clear()
    assert listed() == before and found == []
    path = library("x/folk.mp3", "Jazz")  # as long as before
    library("x/new.mp3", "Jazz")
    assert Counter(track.genre for track in listed().tracks) == {"Rock": 1, "Jazz": 2}
    assert sorted(found) == ["folk.mp3", "new.mp3"]
    found.clear()
    state = path.stat()
    library("x/folk.mp3", "Funk")
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))  # as some programs do
    assert "Funk" in {track.genre for track in listed().tracks}


def test_what_is_gone_is_forgotten(tmp_path, listed, library):
    library("x/new.mp3", "Jazz").unlink()
    listed()
    library("x/new.mp3", "Jazz")
    listed()
    (tmp_path / "music/x/new.mp3").unlink()
    listed()
    kept = json.loads((tmp_path / "results/corpus/tags.json").read_text())
    assert sorted(Path(path).name for path in kept["files"]) == ["folk.mp3", "rock.mp3"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"reader": "another", "files": {}}'])
def test_a_file_of_kept_tags_that_is_none_is_written_anew(tmp_path, listed, content):
    before = listed()
    kept = tmp_path / "results/corpus/tags.json"
    whole = kept.read_text()
    kept.write_text(content)
    assert listed() == before
    assert kept.read_text() == whole


@pytest.mark.usefixtures("permissions_hold")
def test_where_nothing_can_be_kept_tags_are_read_each_time(tmp_path, listed):
    (tmp_path / "results").mkdir(mode=0o500)
    assert listed() == listed()


# before a run


def test_the_overview_shows_what_there_is(tmp_path, listed, library):
    library("none.mp3")
    library("two.mp3", "Rock; Pop")
    library("a/1.mp3", "Hip Hop", artist="Ash", album="Live")
    library("a/2.mp3", "Hip-Hop", artist="Ash", album="Live")
    library("a/3.mp3", "Hip-Hop", artist="Birch\x1b[2J", album="Live")
    (tmp_path / "music/cover.jpg").touch()

    def shown(corpus, *, results, **unused):
        return overview.of_tags(corpus, results=results)

    text = listed(function=shown)
    assert "7 files of audio, 5 with a genre" in text
    assert re.search(r"^Hip-Hop +2 +2 +2$", text, re.MULTILINE)
    assert re.search(r"^Rock +1 +0 +0$", text, re.MULTILINE)
    assert "'Hip Hop' and 'Hip-Hop' look much alike" in text
    assert "Without a genre: 1 file, first" in text
    assert "'Rock; Pop' (1)" in text
    assert "Artists in several genres: 1 of 2\n  Ash: 'Hip Hop' (1), 'Hip-Hop' (1)" in text
    assert "1 .jpg" in text
    assert "\x1b" not in text


def test_the_overview_needs_no_corpus_that_can_be_learned(tmp_path):
    (tmp_path / "music").mkdir()
    corpus = Corpus(audio=str(tmp_path / "music")).model_dump()
    assert "0 files" in overview.of_tags(corpus, results=tmp_path / "results")
    with pytest.raises(GenreflowError, match="make tags FOLDER="):
        overview.of_tags(Corpus().model_dump(), results=tmp_path)
