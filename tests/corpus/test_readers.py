import hashlib
import os
import re
import socket
from pathlib import Path

import pytest
from genreflow.corpus import demo, readers
from genreflow.corpus.readers import list_tracks, track_id_of
from genreflow.corpus.tracks import Track, shard_of
from genreflow.errors import GenreflowError

SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


def touch(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


@pytest.fixture
def listed(tmp_path):
    """List a corpus below the test's folder."""

    def listed(kind, audio_for="cnn/simple", **settings):
        corpus = {"name": "mine", "kind": kind, "audio": "", "table": "", "subset": "small"}
        corpus |= {"levels": ["genre"], "genres": 2, "clips_per_genre": 5}
        corpus |= {"genre_map": {}, "min_tracks": 1, "genre_level": "top"} | settings
        where = {"results": tmp_path / "results", "seed": 0}
        return list_tracks(corpus, audio_for=audio_for, **where)

    return listed


@pytest.fixture
def music(tmp_path, listed):
    """Make a folder of empty audio files and list it."""

    def music(*paths, **settings):
        touch(tmp_path / "music", *paths)
        return listed("folder", audio=str(tmp_path / "music"), **settings)

    return music


@pytest.fixture
def table(tmp_path, listed):
    """Write a CSV beside the files a.mp3, b.mp3 and c.mp3, and list it."""
    touch(tmp_path, "a.mp3", "b.mp3", "c.mp3")

    def table(text, encoding="utf-8", **settings):
        path = tmp_path / "tracks.csv"
        path.write_text(text, encoding=encoding)
        return listed("table", table=str(path), **settings)

    return table


def by_name(listing):
    return {Path(track.path).name: track for track in listing.tracks}


def test_what_no_name_can_show_is_left_out_of_names(table, music):
    """It would move a terminal's cursor, turn the text around, or break a figure in SVG."""
    odd = "R\x1bo\x00ck\u202e\x85n \u2028\u2066Roll\t"
    rows = [("a.mp3", odd, odd, odd, odd), ("b.mp3", "Rock n Roll", "", "", "Á\u200cb")]
    lines = [",".join(f'"{cell}"' for cell in row) for row in [*rows, ("c.mp3", "Folk", *"abc")]]
    text = "path,genre,artist,album,title\n" + "\n".join(lines).replace("\x00", "")
    found = by_name(table(text))
    one = found["a.mp3"]
    assert {one.genre, one.artist, one.album, one.title} == {"Rock n Roll"}
    assert found["b.mp3"].genre == "Rock n Roll" and found["b.mp3"].title == "Á\u200cb"
    tracks = by_name(music("R\x1bock/a.mp3", "Rock/b.mp3", "Folk/\x1b[2Jc.mp3"))
    assert {track.genre for track in tracks.values()} == {"Rock", "Folk"}
    assert tracks["\x1b[2Jc.mp3"].title == "[2Jc"


# folder


def test_the_genre_is_the_sub_folder(music, tmp_path):
    tracks = by_name(music("Rock/a.mp3", "Hip-Hop/b.flac", "Hip-Hop/live/2021/c.ogg"))
    assert {name: track.genre for name, track in tracks.items()} == {
        "a.mp3": "Rock",
        "b.flac": "Hip-Hop",
        "c.ogg": "Hip-Hop",
    }
    assert tracks["c.ogg"].path == str(tmp_path / "music/Hip-Hop/live/2021/c.ogg")
    assert tracks["c.ogg"].title == "c"
    assert {track.split for track in tracks.values()} == {""}


def test_levels_tell_artist_and_album(music):
    paths = ["Rock/Ash/One/a.mp3", "Folk/Ash/One/b.mp3", "Folk/Birch/c.mp3", "Folk/d.mp3"]
    paths.append("Folk/Birch/One/e.mp3")
    tracks = by_name(music(*paths, levels=["genre", "artist", "album"]))
    a, b, c, d, e = (tracks[f"{name}.mp3"] for name in "abcde")
    assert (a.genre, a.artist, a.album) == ("Rock", "Ash", "One")
    assert a.artist_id == b.artist_id != c.artist_id
    assert a.album_id == b.album_id != e.album_id != ""
    assert (c.artist, c.album, c.album_id) == ("Birch", "", "")
    assert (d.genre, d.artist, d.artist_id) == ("Folk", "", "")


def test_the_genre_may_be_a_deeper_level(music):
    tracks = by_name(music("Ash/Rock/a.mp3", "Ash/Folk/b.mp3", levels=["artist", "genre"]))
    assert [tracks[name].genre for name in ("a.mp3", "b.mp3")] == ["Rock", "Folk"]
    assert tracks["a.mp3"].artist == "Ash"


def test_a_file_above_the_level_of_the_genre_is_refused(music):
    with pytest.raises(GenreflowError, match=r"Birch/c\.mp3"):
        music("Ash/Rock/a.mp3", "Ash/Folk/b.mp3", "Birch/c.mp3", levels=["artist", "genre"])


def test_what_is_not_looked_at_is_counted(music):
    listing = music("Rock/a.mp3", "Folk/b.mp3", "Folk/cover.jpg", "Folk/._b.mp3")
    assert sorted(by_name(listing)) == ["a.mp3", "b.mp3"]
    assert sorted(listing.passed_over.values()) == [".jpg", "of the system"]


AWKWARD = [
    "two words",
    "it's",
    'say "so"',
    "-dash",
    "Sigur Rós",
    "音楽",
    "a:b",
    "100%",
    ".5 x",
    "#&;{}",
]


def test_awkward_names_get_safe_ids_of_their_own(music):
    tracks = music(*(f"Rock/{name}.mp3" for name in AWKWARD), "Folk/-dash.mp3").tracks
    assert len(tracks) == len(AWKWARD) + 1
    assert len({track.track_id for track in tracks}) == len(tracks)
    assert all(SAFE.fullmatch(track.track_id) for track in tracks)
    assert all(Path(track.path).is_file() for track in tracks)


def test_a_name_that_is_not_in_utf_8_is_left_out(tmp_path, music):
    touch(tmp_path / "music", "Rock/a.mp3", "Folk/b.mp3")
    Path(os.fsdecode(os.fsencode(tmp_path / "music" / "Rock") + b"/\xff\xfe.mp3")).touch()
    listing = music()
    assert len(listing.tracks) == 2
    (missing,) = listing.missing
    assert SAFE.fullmatch(missing.track_id)
    assert missing.path == f"{tmp_path}/music/Rock/\\xff\\xfe.mp3"
    assert "not in UTF-8" in listing.why[missing.track_id]


def test_where_no_name_will_do_the_reason_is_said(tmp_path, music):
    touch(tmp_path / "music", "{genre}/a.mp3", "Folk/b.mp3")
    with pytest.raises(GenreflowError, match=r"one genre, 'Folk'.*1 can't be opened.*'\{genre\}'"):
        music()


def test_an_id_follows_from_the_path_alone(music):
    digest = hashlib.sha256("Rock/Sigur Rós - Njósnavélin.mp3".encode()).hexdigest()
    track_id = track_id_of("Rock/Sigur Rós - Njósnavélin.mp3")
    assert track_id.startswith("Sigur-Ros-Njosnavelin-")
    assert digest.startswith(track_id.removeprefix("Sigur-Ros-Njosnavelin-"))
    before = {track.path: track.track_id for track in music("Rock/b.mp3", "Folk/b.mp3").tracks}
    after = {track.path: track.track_id for track in music("Rock/a.mp3").tracks}
    assert before.items() < after.items()


def test_many_files_of_one_name_have_ids_of_their_own():
    # As many as FMA large has, all with names of which no Latin letter is left.
    ids = {track_id_of(f"{folder}/音楽.mp3") for folder in range(106_574)}
    assert len(ids) == 106_574
    assert len({shard_of(track_id, 512) for track_id in ids}) == 512


@pytest.mark.parametrize(
    ("kind", "layout"), [("folder", "sub-folder per genre"), ("tags", "tags name their genre")]
)
def test_a_folder_that_is_not_there_is_named(listed, kind, layout):
    with pytest.raises(GenreflowError, match=rf"corpus\.audio: .*'no/such'.*{layout}"):
        listed(kind, audio="no/such")


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        ([], "no track"),
        (["Rock/notes.txt", "Folk/cover.jpg"], r"no track.*\.mp3"),
        (["Rock/a.mp3", "Rock/b.mp3"], "one genre, 'Rock'"),
        (["a.mp3", "b.mp3"], "2 audio files .*'a.mp3'.* no sub-folders"),
        (["Rock/a.mp3", "Folk/b.mp3", "c.mp3"], r"c\.mp3 lies outside"),
    ],
)
def test_a_folder_that_is_no_corpus_is_refused(music, tmp_path, paths, message):
    (tmp_path / "music").mkdir()
    with pytest.raises(GenreflowError, match=message):
        music(*paths)


def odd(path, kind):
    """Make something that has a name but is no file that can be read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "a named pipe":
        os.mkfifo(path)
    elif kind == "a socket":
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.relpath(path))
    elif kind == "a device":
        path.symlink_to("/dev/zero")
    elif kind == "a folder":
        path.mkdir()
    elif kind == "symbolic links":
        path.symlink_to(path.name)
    elif kind == "you may not read it":
        path.touch(mode=0)


ODD = ["a named pipe", "a socket", "a device", "a folder", "symbolic links", "you may not read it"]


@pytest.mark.usefixtures("permissions_hold")
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("corpus", ["folder", "table", "fma"])
def test_what_is_no_file_to_read_is_left_out_with_the_reason(
    tmp_path, monkeypatch, music, table, request, kind, corpus
):
    monkeypatch.chdir(tmp_path)
    if corpus == "folder":
        odd(tmp_path / "music" / "Rock" / "odd.mp3", kind)
        listing = music("Rock/a.mp3", "Folk/b.mp3")
    elif corpus == "table":
        odd(tmp_path / "odd.mp3", kind)
        listing = table("path,genre\na.mp3,Rock\nb.mp3,Folk\nodd.mp3,Folk\n")
    else:
        _, _, listed = request.getfixturevalue("fma")
        lost = Path(listed().tracks[0].path)
        lost.unlink()
        odd(lost, kind)
        listing = listed()
    (missing,) = listing.missing
    assert kind in listing.why[missing.track_id]
    assert missing not in listing.tracks


def test_a_folder_named_like_audio_is_a_folder_if_it_holds_some(music):
    tracks = by_name(music("Rock/best of.mp3/a.mp3", "Folk/b.mp3"))
    assert sorted(tracks) == ["a.mp3", "b.mp3"]


def test_a_link_that_leads_nowhere_is_missing(music, tmp_path):
    touch(tmp_path / "music", "Rock/a.mp3")
    (tmp_path / "music" / "Rock" / "lost.mp3").symlink_to("nowhere.mp3")
    listing = music("Folk/b.mp3")
    assert [Path(track.path).name for track in listing.missing] == ["lost.mp3"]
    assert listing.why == {}


# table


def test_a_table_gives_paths_and_genres(table, tmp_path):
    tracks = by_name(table("path,genre\na.mp3,Rock\nb.mp3,Folk\n"))
    assert {name: track.genre for name, track in tracks.items()} == {
        "a.mp3": "Rock",
        "b.mp3": "Folk",
    }
    assert tracks["a.mp3"].path == str(tmp_path / "a.mp3")
    assert SAFE.fullmatch(tracks["a.mp3"].track_id)


def test_every_column_is_used(table):
    listing = table(
        "license,split,title,album,artist,mood,genre,track_id,path\n"
        'CC0,test,"One, two",Live,"Sigur ""R""",calm,Rock,007,a.mp3\n'
        "CC0,,,,,,Folk,8,b.mp3\n"
    )
    track = by_name(listing)["a.mp3"]
    assert (track.track_id, track.split, track.title) == ("007", "test", "One, two")
    assert (track.artist, track.album, track.license) == ('Sigur "R"', "Live", "CC0")
    assert track.artist_id and track.artist_id in track.album_id
    assert by_name(listing)["b.mp3"].split == ""


ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"]


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_tables_of_spreadsheets_are_read(table, encoding, end, separator):
    lines = [f"sep={separator}", "Path, GENRE ,artist,", 'a.mp3,Rock,"Björk",', " b.mp3 , Folk,,"]
    lines += ["", ",,,", "c.mp3,Folk,,"]
    text = end.join(line.replace(",", separator) for line in lines) + end
    listing = table(text, encoding)
    tracks = by_name(listing)
    assert [note for note in listing.notes if "Windows-1252" in note] == (
        listing.notes if encoding == "cp1252" else []
    )
    assert [tracks[name].genre for name in ("a.mp3", "b.mp3", "c.mp3")] == ["Rock", "Folk", "Folk"]
    assert tracks["a.mp3"].artist == "Björk"


def test_relative_paths_start_from_corpus_audio_and_absolute_ones_from_nowhere(table, tmp_path):
    touch(tmp_path, "elsewhere/a.mp3")
    text = f"path,genre\na.mp3,Rock\n{tmp_path}/b.mp3,Folk\n"
    paths = {track.path for track in table(text, audio=str(tmp_path / "elsewhere")).tracks}
    assert paths == {str(tmp_path / "elsewhere" / "a.mp3"), str(tmp_path / "b.mp3")}


def test_missing_files_and_rows_without_genre_are_counted(table):
    listing = table("path,genre\na.mp3,Rock\nb.mp3,Folk\nc.mp3,\nlost.mp3,Rock\n")
    assert sorted(by_name(listing)) == ["a.mp3", "b.mp3"]
    assert [Path(track.path).name for track in listing.missing] == ["lost.mp3"]
    assert listing.without_genre == 1
    assert any("line 4" in note for note in listing.notes)


def test_ids_of_a_table_do_not_depend_on_its_order(table):
    one = by_name(table("path,genre\na.mp3,Rock\nb.mp3,Folk\n"))
    two = by_name(table("path,genre\nc.mp3,Folk\nb.mp3,Folk\na.mp3,Rock\n"))
    assert one["a.mp3"] == two["a.mp3"]
    assert one["b.mp3"] == two["b.mp3"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,style\na.mp3,Rock\n", "no column 'genre'.*path, style"),
        ("file,genre\na.mp3,Rock\n", "no column 'path'"),
        ("path|genre\na.mp3|Rock\n", "no column 'path'.*commas, semicolons or tabs"),
        ("", "line 1: no column 'path'"),
        # A comma or a quote that isn't meant as one: nothing is guessed.
        ("path,genre,artist\na.mp3,Rock,\nb.mp3,Folk,Hello, Goodbye\n", "line 3: 4 cells.* 3, "),
        ("path,genre\na, b.mp3,Rock\n", "line 2: 3 cells where the header has 2"),
        ("path,genre,artist\na, b.mp3,Rock\n", "line 2: the genre is 'b.mp3'.*quotes"),
        ("path,genre,artist\na.mp3,Rock\n", "line 2: 2 cells"),
        ("path;genre\na.mp3;Rock\nb.mp3,Folk\n", "line 3: 1 cell .*semicolons"),
        ('path,genre,title\na.mp3,Rock,"x\nb.mp3,Folk,y\nc.mp3,Folk,z\n', "line 2: .*quotes"),
        ('path,genre,title\n\na.mp3,Rock,"x\nb.mp3,Folk,y"\n', "line 3: .*next line"),
        ('path,genre,title\na.mp3,Rock,"x" y\n', "line 2: .*quotes"),
        ("path,genre,Artist,artist \na.mp3,Rock,x,y\n", "line 1: two columns .*'artist'"),
        ("path,genre,\na.mp3,Rock,x\n", "line 2: column 3 has no name, but holds 'x'"),
        ("path,genre\n", "no track"),
        ("path,genre\na.mp3,Rock\nb.mp3,Rock\n", "one genre, 'Rock'"),
        ("path,genre,split\na.mp3,Rock,\nb.mp3,Folk,train\n", "line 3: split is 'train'.*training"),
        ("path,genre\na.mp3,Rock\n,Folk\n", "line 3: the path is empty"),
        (
            "path,genre,track_id\na.mp3,Rock,1\nb.mp3,Folk,1\n",
            r"line 3: two tracks.*'1'.*a\.mp3.*b\.mp3",
        ),
        ("path,genre,track_id\na.mp3,Rock,1\nlost.mp3,Folk,1\nb.mp3,Folk,2\n", "two tracks.*'1'"),
        ("path,genre\na.mp3,Rock\na.mp3,Folk\n", r"two tracks.*a\.mp3"),
        ("path,genre,track_id\na.mp3,Rock,../1\nb.mp3,Folk,2\n", r"line 2: track_id '\.\./1'"),
        ("path,genre,track_id\na.mp3,Rock,-1\nb.mp3,Folk,2\n", "line 2: track_id '-1'"),
        ("path,genre\nx.mp3,Rock\ny.mp3,Folk\n", r"none of its 2 files.*x\.mp3.*corpus\.audio"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(table, text, message):
    with pytest.raises(GenreflowError, match=message):
        table(text)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("path,genre\na.mp3,Rock\nb.mp3,Фольклор\n".encode("cp1251"), "line 3: neither in UTF-8"),
        (b"path,genre\na.mp3,\x81\n", "line 2: not a text in UTF-8"),
        (b"path,genre\na.mp3,Ro\0ck\n", "line 2: not a text"),
        (b"PK\3\4", "save it as CSV"),
    ],
)
def test_a_table_that_is_no_text_is_refused(listed, tmp_path, content, message):
    (tmp_path / "tracks.csv").write_bytes(content)
    with pytest.raises(GenreflowError, match=rf"tracks\.csv.*{message}"):
        listed("table", table=str(tmp_path / "tracks.csv"))


def test_a_table_finds_files_that_are_written_otherwise_on_disk(table, tmp_path):
    on_disk = ["Mu\u0308sik/Bjo\u0308rk.mp3", "CD 1/two  blanks.mp3", "100%.mp3"]
    touch(tmp_path, *on_disk)
    written = ["M\u00fcsik/bj\u00f6rk.MP3", "CD 1\\two blanks.mp3", "100%25.mp3"]
    rows = [
        f"{path},{genre}" for path, genre in zip(written, ("Rock", "Folk", "Folk"), strict=True)
    ]
    listing = table("\n".join(["path,genre", *rows, ""]))
    assert {track.path for track in listing.tracks} == {str(tmp_path / path) for path in on_disk}
    assert any("3 files" in note and "otherwise" in note for note in listing.notes)


def test_no_file_is_guessed_where_two_are_alike(table, tmp_path):
    touch(tmp_path, "X.mp3", "x.MP3")
    listing = table("path,genre\na.mp3,Rock\nb.mp3,Folk\nX.Mp3,Folk\n")
    assert [Path(track.path).name for track in listing.missing] == ["X.Mp3"]


def test_a_table_of_features_is_a_table_of_tracks(table, tmp_path):
    """GTZAN's, as Kaggle has it: other names of columns, many columns that say nothing here."""
    text = "filename,length,rms_mean,label\na.mp3,661794,0.1,blues\nb.mp3,661794,0.2,jazz\n"
    tracks = by_name(table(text))
    assert {name: track.genre for name, track in tracks.items()} == {
        "a.mp3": "blues",
        "b.mp3": "jazz",
    }
    # The name that is meant goes before others.
    tracks = by_name(table("filename,path,label,genre\nx,a.mp3,1,Rock\ny,b.mp3,2,Folk\n"))
    assert tracks["a.mp3"].genre == "Rock"


def test_without_audio_no_file_of_a_table_is_missing(table, tmp_path):
    text = "path,genre\na.mp3,Rock\nlost/b.mp3,Folk\n"
    listing = table(text, audio_for="")
    assert [track.path for track in listing.tracks] == [
        f"{tmp_path}/{n}" for n in ("a.mp3", "lost/b.mp3")
    ]
    assert listing.missing == []
    assert len(table(f"{text}b.mp3,Folk\n").missing) == 1


def test_without_audio_a_table_needs_no_path(table):
    text = "track_id,genre,split\n7,Rock,test\n008,Folk,\n"
    listing = table(text, audio_for="")
    found = {(one.track_id, one.path, one.genre, one.split) for one in listing.tracks}
    assert found == {("7", "", "Rock", "test"), ("008", "", "Folk", "")}
    with pytest.raises(GenreflowError, match=r"no column 'path'.*cnn/simple needs audio"):
        table(text)
    with pytest.raises(GenreflowError, match="line 3: the path is empty"):
        table("track_id,path,genre\n7,a.mp3,Rock\n8,,Folk\n")
    with pytest.raises(GenreflowError, match="line 3: two tracks have the id '7'"):
        table("track_id,genre\n7,Rock\n7,Folk\n", audio_for="")
    with pytest.raises(GenreflowError, match="no column 'path' or 'track_id'"):
        table("genre\nRock\nFolk\n", audio_for="")


# names


def test_genres_that_look_the_same_are_one_and_that_is_said(music):
    folders = ["Hip-Hop", "Hip-Hop/x", "hip-hop", "M\u00fasica", "Mu\u0301sica/a", "Mu\u0301sica/b"]
    listing = music(*(f"{name}/{n}.mp3" for n, name in enumerate([*folders, " M\u00fasica"])))
    assert {track.genre for track in listing.tracks} == {"Hip-Hop", "M\u00fasica"}
    assert [note.split(":")[0] for note in listing.notes] == [
        "Genre 'Hip-Hop'",
        "Genre 'M\u00fasica'",
    ]
    assert "1 of its 3 tracks" in listing.notes[0] and "2 of its 4 tracks" in listing.notes[1]


def test_genres_that_look_much_alike_are_said(music):
    listing = music("Hip-Hop/a.mp3", "Hip Hop/b.mp3", "Folk/c.mp3")
    assert len({track.genre for track in listing.tracks}) == 3
    assert any("'Hip Hop' and 'Hip-Hop'" in note for note in listing.notes)


LEVELS = ["genre", "artist", "album"]


def test_artists_and_albums_that_look_the_same_are_one(music):
    paths = [
        "Rock/Bjo\u0308rk/Live/a.mp3",
        "Folk/BJ\u00d6RK/live/b.mp3",
        "Folk/Bj\u00f6rk /Live/c.mp3",
    ]
    tracks = music(*paths, levels=LEVELS).tracks
    assert len({(track.artist_id, track.album_id) for track in tracks}) == 1


NOBODY = [
    "Unknown Artist",
    "various artists",
    "[unknown]",
    "-",
    "VA",
    "V.A.",
    "N_A",
    "Verschiedene",
]


@pytest.mark.parametrize("artist", NOBODY)
def test_placeholders_are_no_artist_and_counted(music, artist):
    paths = [
        f"Rock/{artist}/Unknown Album/a.mp3",
        f"Folk/{artist}/Hits 1/b.mp3",
        "Folk/!!!/c/d.mp3",
    ]
    listing = music(*paths, levels=LEVELS)
    tracks = by_name(listing)
    assert not tracks["a.mp3"].artist_id and not tracks["a.mp3"].album_id
    assert not tracks["b.mp3"].artist_id and tracks["b.mp3"].album_id
    assert tracks["d.mp3"].artist_id
    (note,) = listing.notes
    assert (
        "artist of 2 tracks is not known" in note and repr(artist) in note and "1 of them" in note
    )


def test_an_album_of_a_table_counts_with_its_artist(table):
    tracks = by_name(
        table(
            "path,genre,artist,album\na.mp3,Rock,Ash,Live\nb.mp3,Folk,Birch,Live\nc.mp3,Folk,ash,LIVE\n"
        )
    )
    a, b, c = (tracks[f"{name}.mp3"].album_id for name in "abc")
    assert a == c != b


def test_a_table_that_is_no_file_is_named(listed, tmp_path):
    for name in ("gone.csv", "."):
        with pytest.raises(GenreflowError, match=r"corpus\.table: there is no file"):
            listed("table", table=str(tmp_path / name))


# genres


def test_genres_of_any_corpus_are_mapped_and_rare_ones_left_out(music):
    paths = ["Rock/a.mp3", "Metal/b.mp3", "Folk/c.mp3", "Folk/d.mp3", "Ska/e.mp3", "Speech/f.mp3"]
    listing = music(*paths, genre_map={"metal": "Rock", "speech": ""}, min_tracks=2)
    assert {name: track.genre for name, track in by_name(listing).items()} == {
        "a.mp3": "Rock",
        "b.mp3": "Rock",
        "c.mp3": "Folk",
        "d.mp3": "Folk",
    }
    out = {
        reason: [(one.genre, listing.why[one.track_id]) for one in own]
        for reason, own in listing.left_out.items()
    }
    assert out == {
        "genre left out": [("Speech", "corpus.genre_map leaves 'Speech' out")],
        "rare genre": [("Ska", "its genre has 1 of the 2 tracks that corpus.min_tracks asks for")],
    }
    (note,) = listing.notes
    assert "'Ska' (1)" in note and "corpus.min_tracks" in note


# fma


@pytest.fixture
def fma(tmp_path, listed):
    """Write tracks.csv of made tracks and lay out their empty clips as FMA does."""
    root = tmp_path / "data"
    tracks = demo.tracks(genres=2, clips_per_genre=5, seed=0, source="source")
    demo.write_metadata(tracks, root / "fma_metadata" / "tracks.csv")
    clips = ["/".join(Path(track.path).parts[-2:]) for track in tracks]
    touch(root / "fma_small", *clips)
    touch(root / "fma_small", "README.txt", "checksums")
    return root, tracks, lambda **settings: listed("fma", audio=str(root), **settings)


def test_fma_lists_the_clips_of_its_table(fma):
    root, tracks, listed = fma
    listing = listed()
    assert [t.track_id for t in listing.tracks] == [t.track_id for t in tracks]
    assert [(t.genre, t.split) for t in listing.tracks] == [(t.genre, t.split) for t in tracks]
    assert all(Path(t.path).is_relative_to(root / "fma_small") for t in listing.tracks)
    assert (listing.missing, listing.without_genre, listing.problem) == ([], 1, "")


def test_clips_that_are_not_there_are_missing(fma):
    _, tracks, listed = fma
    lost = Path(listed().tracks[3].path)
    lost.unlink()
    listing = listed()
    assert [track.path for track in listing.missing] == [str(lost)]
    assert len(listing.tracks) == len(tracks) - 1


@pytest.mark.parametrize(
    ("folder", "lacking"), [("fma_metadata", "tracks.csv"), ("fma_small", "fma_small")]
)
def test_fma_that_is_not_there_is_a_problem_that_fetch_mends(fma, tmp_path, folder, lacking):
    root, _, listed = fma
    (root / folder).rename(tmp_path / "away")
    listing = listed()
    assert listing.tracks == []
    assert re.search(rf"{lacking}.*not found.*snakemake fetch", listing.problem)


def test_without_audio_the_metadata_of_fma_are_enough(fma, tmp_path):
    root, tracks, listed = fma
    (root / "fma_small").rename(tmp_path / "away")
    listing = listed(audio_for="")
    assert [t.track_id for t in listing.tracks] == [t.track_id for t in tracks]
    assert (listing.missing, listing.without_genre, listing.problem) == ([], 1, "")
    (root / "fma_metadata" / "tracks.csv").unlink()
    assert "fma_small" not in listed(audio_for="").problem.split(": ", 1)[1].split(" not found")[0]


def test_fma_without_any_clip_is_refused(fma):
    root, _, listed = fma
    for path in (root / "fma_small").rglob("*.mp3"):
        path.unlink()
    with pytest.raises(
        GenreflowError, match=r"no track.*fma_small/000/000002\.mp3.*snakemake fetch"
    ):
        listed()


# demo


def test_the_demo_corpus_is_listed_before_it_is_made(listed, tmp_path):
    listing = listed("demo")
    assert {track.genre for track in listing.tracks} == set(demo.GENRES[:2])
    assert not (tmp_path / "results").exists()
    ids = [int(track.track_id) for track in listing.tracks]
    assert ids == sorted(set(ids))


def test_an_id_that_stands_for_two_tracks_is_refused_with_their_files():
    tracks = [Track("2", path, genre="Rock") for path in ("a.mp3", "b.mp3")]
    with pytest.raises(GenreflowError, match=r"two tracks have the id '2': a\.mp3 and b\.mp3"):
        readers._sorted(tracks)
