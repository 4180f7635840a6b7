import hashlib
import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from genreflow.corpus.fma import ARCHIVES, SUBSETS, Archive, fetch, read_tracks
from genreflow.corpus.tracks import Track
from genreflow.errors import GenreflowError
from made.server import serving

NAMES = {
    "album": "comments date_created date_released engineer favorites id information listens "
    "producer tags title tracks type",
    "artist": "active_year_begin active_year_end associated_labels bio comments date_created "
    "favorites id latitude location longitude members name related_projects tags website "
    "wikipedia_page",
    "set": "split subset",
    "track": "bit_rate comments composer date_created date_recorded duration favorites genre_top "
    "genres genres_all information interest language_code license listens lyricist number "
    "publisher tags title",
}
COLUMNS = pd.MultiIndex.from_tuples(
    [(group, name) for group, names in NAMES.items() for name in names.split()]
)
ROW = {
    ("album", "id"): 1,
    ("album", "information"): '<p>An album,\n"the" best</p>\r\n\r\n<p>a;b</p>',
    ("album", "tags"): [],
    ("album", "title"): "AWOL - A Way Of Life",
    ("artist", "bio"): "<p>Sigur Rós</p>\n\n<p>2,5,training</p>\n",
    ("artist", "id"): 7,
    ("artist", "latitude"): 40.05,
    ("artist", "name"): "AWOL",
    ("artist", "tags"): ["awol", 'it\'s, "quoted"'],
    ("set", "split"): "training",
    ("set", "subset"): "small",
    ("track", "genre_top"): "Hip-Hop",
    ("track", "genres"): [21],
    ("track", "license"): "Attribution-NonCommercial-ShareAlike 3.0 International",
    ("track", "title"): "Food",
}


def table(rows):
    """Return a frame as FMA's authors keep it: a row for each id, with changes to ROW."""
    records = [{**ROW, **changes} for changes in rows.values()]
    values = [[record.get(column, np.nan) for column in COLUMNS] for record in records]
    frame = pd.DataFrame(values, columns=COLUMNS, index=pd.Index(rows, name="track_id"))
    return frame.astype(object)


@pytest.fixture
def write(tmp_path):
    def to_csv(rows, **settings):
        path = tmp_path / "tracks.csv"
        frame = rows if isinstance(rows, pd.DataFrame) else table(rows)
        frame.to_csv(path, **settings)
        return path

    return to_csv


MIXED = {
    2: {},
    3: {("set", "subset"): "medium", ("set", "split"): "test"},
    5: {("track", "genre_top"): np.nan, ("set", "subset"): "large"},
    10: {("set", "subset"): "large", ("track", "genre_top"): "Rock"},
    20: {("track", "genre_top"): np.nan},
    134: {("set", "split"): "validation"},
}

# --- read_tracks


def test_a_track_carries_what_the_table_says(write):
    tracks = read_tracks(write({2: {}}), "audio/fma_small", "small").tracks
    assert tracks == [
        Track(
            track_id="2",
            path="audio/fma_small/000/000002.mp3",
            genre="Hip-Hop",
            split="training",
            artist="AWOL",
            album="AWOL - A Way Of Life",
            title="Food",
            license="Attribution-NonCommercial-ShareAlike 3.0 International",
            artist_id="7",
            album_id="1",
        )
    ]


@pytest.mark.parametrize(
    ("track_id", "place"),
    [(2, "000/000002"), (999, "000/000999"), (1000, "001/001000"), (155320, "155/155320")],
)
def test_clips_lie_in_folders_of_the_first_three_digits(write, track_id, place):
    tracks = read_tracks(write({track_id: {}}), "a", "small").tracks
    assert tracks[0].path == f"a/{place}.mp3"
    assert tracks[0].track_id == str(track_id)


@pytest.mark.parametrize(
    ("subset", "ids", "without_genre"),
    [
        ("small", ["2", "134"], 1),
        ("medium", ["2", "3", "134"], 1),
        ("large", ["2", "3", "10", "134"], 2),
    ],
)
def test_subsets_are_cumulative_and_tracks_without_genre_are_counted(
    write, subset, ids, without_genre
):
    found = read_tracks(write(MIXED), "a", subset)
    assert [track.track_id for track in found.tracks] == ids
    assert [track.split for track in found.tracks][-1] == "validation"
    assert found.without_genre == without_genre


@pytest.mark.parametrize("none", [-1, np.nan])
def test_an_unknown_album_or_artist_has_no_id(write, none):
    rows = {2: {("album", "id"): none, ("artist", "id"): none}, 3: {}}
    tracks = read_tracks(write(rows), "a", "small").tracks
    assert [(track.album_id, track.artist_id) for track in tracks] == [("", ""), ("1", "7")]


def test_ids_that_became_floats_are_the_same_ids(write):
    frame = table({2: {("album", "id"): np.nan, ("artist", "id"): -1}, 3: {}, 5: {}})
    for group in ("album", "artist"):
        frame[(group, "id")] = frame[(group, "id")].astype(float)
    path = write(frame)
    assert ",1.0," in path.read_text()
    tracks = read_tracks(path, "a", "small").tracks
    assert [(t.album_id, t.artist_id) for t in tracks] == [("", ""), ("1", "7"), ("1", "7")]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Björk 東京 🎵", "Björk 東京 🎵"),
        ('12" "Mix", part 1', '12" "Mix", part 1'),
        ("NA", "NA"),
        ("1.0", "1.0"),
        ("two\nlines", "two lines"),
        ("a\rb, c", "a b, c"),
        ("=1+1", "=1+1"),
        (np.nan, ""),
    ],
)
def test_text_is_kept_as_it_is_on_one_line(write, written, read):
    columns = [("track", "title"), ("artist", "name"), ("album", "title"), ("track", "license")]
    tracks = read_tracks(write({2: dict.fromkeys(columns, written), 3: {}}), "a", "small").tracks
    found = [(track.title, track.artist, track.album, track.license) for track in tracks]
    assert found[0] == (read,) * 4
    assert found[1] == ("Food", "AWOL", "AWOL - A Way Of Life", ROW[("track", "license")])


def test_the_order_of_columns_does_not_matter(write):
    path = write(table(MIXED).iloc[:, ::-1])
    shuffled = read_tracks(path, "a", "large")
    assert shuffled == read_tracks(write(MIXED), "a", "large")


def test_a_byte_order_mark_does_no_harm(write):
    marked = read_tracks(write(MIXED, encoding="utf-8-sig"), "a", "large")
    assert marked == read_tracks(write(MIXED), "a", "large")


def features():
    columns = pd.MultiIndex.from_tuples(
        [("mfcc", "mean", "01"), ("mfcc", "mean", "02")], names=["feature", "statistics", "number"]
    )
    return pd.DataFrame([[1.0, 2.0]], columns=columns, index=pd.Index([2], name="track_id"))


def flat():
    frame = table(MIXED)
    frame.columns = [f"{group}_{name}" for group, name in frame.columns]
    return frame


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (features(), "found 'feature,mfcc,mfcc"),
        (flat(), r"'track_id,album_comments.*without the columns \(set, split\), "),
        (table(MIXED).drop(columns=[("set", "subset")]), r"without the columns \(set, subset\)\."),
        (table(MIXED).rename_axis(None), "without such a third row"),
        (table({}), "found no track"),
    ],
)
def test_another_table_is_refused(write, frame, found):
    path = write(frame)
    with pytest.raises(GenreflowError, match=found) as caught:
        read_tracks(path, "a", "small")
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04abc", b"ID3\x00\x00", b"<html>\n<body>", b'"\n']
)
def test_what_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "tracks.csv"
    path.write_bytes(content)
    with pytest.raises(GenreflowError, match="without the columns") as caught:
        read_tracks(path, "a", "small")
    assert str(path) in str(caught.value)


def test_a_file_cut_off_in_a_quoted_text_is_refused(write):
    path = write(MIXED)
    text = path.read_bytes()
    path.write_bytes(text[: text.rindex(b"Sigur")])
    with pytest.raises(GenreflowError, match="cannot be read to its end"):
        read_tracks(path, "a", "small")


def test_a_file_cut_off_between_columns_is_refused(write):
    path = write(MIXED)
    text = path.read_bytes()
    path.write_bytes(text[: text.rindex(b"validation")])
    with pytest.raises(GenreflowError, match=r"track '134': expected one of .* found ''"):
        read_tracks(path, "a", "small")


def test_a_file_of_another_encoding_is_refused(write):
    path = write({2: {("artist", "name"): "Björk", ("artist", "bio"): ""}}, encoding="latin-1")
    with pytest.raises(GenreflowError, match=r"cannot be read to its end .*utf-8"):
        read_tracks(path, "a", "small")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"x12": {}}, r"track 'x12': expected a number in the column 'track_id'"),
        ({"2.0": {}}, r"track '2\.0': expected a number"),
        ({2: {("set", "split"): "train"}}, r"training, validation, test .* 'split', found 'train'"),
        ({2: {("set", "split"): np.nan}}, "'split', found ''"),
        ({2: {("set", "subset"): "full"}}, "small, medium, large .* 'subset', found 'full'"),
    ],
)
def test_wrong_values_name_the_track(write, rows, message):
    path = write(rows)
    with pytest.raises(GenreflowError, match=message) as caught:
        read_tracks(path, "a", "small")
    assert str(path) in str(caught.value)


# --- genres below the top

LEVELS = ("top", "leaf")

TREE = """genre_id,#tracks,parent,title,top_level
12,32923,0,Rock,12
21,12706,0,Hip-Hop,21
25,9261,12,Punk,12
58,5000,12,Metal,12
101,500,58,Sludge,12
401,600,21,SLUDGE,21
"""
LEAVES = {
    2: ("[21]", "Hip-Hop", "Hip-Hop"),
    3: ("[12, 25]", "Punk", "Rock"),
    5: ("[12, 58, 101]", "Sludge (Metal)", "Rock"),
    10: ("[401]", "SLUDGE (Hip-Hop)", "Hip-Hop"),
    20: ("[25, 58]", "", ""),
    134: ("[]", "", ""),
    136: ("[101, 21]", "", ""),
}


@pytest.fixture
def leaves(write, tmp_path):
    (tmp_path / "genres.csv").write_text(TREE)
    rows = {
        number: {("track", "genres"): given, ("track", "genre_top"): top or np.nan}
        for number, (given, _, top) in LEAVES.items()
    }
    return write(rows)


def test_a_track_has_its_one_genre_that_no_other_of_its_lies_below(leaves):
    found = read_tracks(leaves, "a", "small", level="leaf")
    assert {int(one.track_id): (one.genre, one.top_genre) for one in found.tracks} == {
        number: (leaf, top) for number, (_, leaf, top) in LEAVES.items() if leaf
    }
    assert found.without_genre == 1
    (several,) = found.left_out.values()
    assert {one.track_id: found.why[one.track_id].partition(": ")[2] for one in several} == {
        "20": "Punk, Metal",
        "136": "Sludge (Metal), Hip-Hop",
    }


def test_both_levels_say_how_many_tracks_each_leaves_out(leaves):
    (at_top,), below = (read_tracks(leaves, "a", "small", level=one).notes for one in LEVELS)
    assert below == [at_top]
    assert re.findall(r"\d+", at_top) == ["7", "4", "4", "2", "1"]


def test_genres_that_the_tree_does_not_know_are_refused(leaves):
    (leaves.parent / "genres.csv").write_text(TREE.replace("\n25,", "\n26,"))
    with pytest.raises(GenreflowError, match=r"genre 25, which genres\.csv doesn't know"):
        read_tracks(leaves, "a", "small", level="leaf")


def test_leaves_need_the_tree(write, tmp_path):
    with pytest.raises(GenreflowError, match=r"genres\.csv: expected FMA's .*top_level"):
        read_tracks(write({2: {}}), "a", "small", level="leaf")
    (tmp_path / "genres.csv").write_text("genre_id,parent\n1,0\n")
    with pytest.raises(GenreflowError, match=r"genres\.csv: expected FMA's .*top_level"):
        read_tracks(write({2: {}}), "a", "small", level="leaf")


# --- fetch


@pytest.fixture
def server(tmp_path):
    with serving(tmp_path / "server") as server:
        yield server


def publish(server, folder, members):
    """Put an archive made as FMA's are on the server."""
    listing = "".join(f"{hashlib.sha1(c).hexdigest()}  {n}\n" for n, c in members.items())
    path = server.folder / f"{folder}.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_BZIP2) as file:
        for name, content in {"README.txt": "", "checksums": listing, **members}.items():
            file.writestr(f"{folder}/{name}", content)
    content = path.read_bytes()
    digest = hashlib.sha1(content).hexdigest()
    return Archive(path.name, digest, gib=len(content) / 2**30)


@pytest.fixture
def archives(server, write):
    metadata = {"not_found.pickle": b"", "tracks.csv": write(MIXED).read_bytes()}
    clips = {"000/000002.mp3": b"two" * 1000, "000/000134.mp3": b"134"}
    return {
        "metadata": publish(server, "fma_metadata", metadata),
        "small": publish(server, "fma_small", clips),
    }


@pytest.fixture
def get(server, archives, tmp_path):
    def run(**settings):
        settings = {"url": server.url, "archives": archives, **settings}
        fetch(tmp_path / "data" / "fma", "small", **settings)

    return run


def names(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


UNPACKED = [
    "fma_metadata/README.txt",
    "fma_metadata/checksums",
    "fma_metadata/tracks.csv",
    "fma_small/000/000002.mp3",
    "fma_small/000/000134.mp3",
    "fma_small/README.txt",
    "fma_small/checksums",
]


def test_fetch_brings_what_read_tracks_reads(get, server, tmp_path):
    get()
    assert server.paths == ["/fma_metadata.zip", "/fma_small.zip"]
    fma = tmp_path / "data" / "fma"
    assert names(fma) == UNPACKED
    tracks = read_tracks(fma / "fma_metadata" / "tracks.csv", fma / "fma_small", "small").tracks
    contents = {track.track_id: Path(track.path).read_bytes() for track in tracks}
    assert contents == {"2": b"two" * 1000, "134": b"134"}


def test_fetch_brings_the_metadata_alone(server, archives, tmp_path):
    fetch(tmp_path / "fma", None, url=server.url, archives=archives)
    assert server.paths == ["/fma_metadata.zip"]
    assert names(tmp_path / "fma") == UNPACKED[:3]


def test_fetch_does_nothing_where_all_is_there(get, server):
    get()
    server.paths.clear()
    get()
    assert server.paths == []


def test_fetch_uses_an_archive_that_is_there(get, tmp_path, server):
    (tmp_path / "data/fma").mkdir(parents=True)
    shutil.copy(server.folder / "fma_small.zip", tmp_path / "data/fma")
    get()
    assert server.paths == ["/fma_metadata.zip"]
    assert names(tmp_path / "data/fma") == UNPACKED


def test_fetch_brings_only_what_is_missing(get, tmp_path, server):
    get()
    (tmp_path / "data/fma/fma_small/000/000134.mp3").unlink()
    server.paths.clear()
    get(url=f"{server.url}/")
    assert server.paths == ["/fma_small.zip"]
    assert names(tmp_path / "data/fma") == UNPACKED


def test_fetch_refuses_an_archive_that_is_not_the_one(get, archives, tmp_path):
    small = archives["small"]
    archives["small"] = Archive(small.name, ARCHIVES["small"].sha1, gib=small.gib)
    with pytest.raises(GenreflowError, match=rf"{small.sha1}, expected {ARCHIVES['small'].sha1}"):
        get()
    assert names(tmp_path / "data/fma") == UNPACKED[:3]


def test_fetch_asks_for_room_to_unpack_before_the_first_byte(get, archives, server):
    small = archives["small"]
    archives["small"] = Archive(small.name, small.sha1, gib=2.0**30)
    with pytest.raises(GenreflowError, match=r"subset 'small': 2,147,483,648\.0 GiB needed"):
        get()
    assert server.paths == []


def test_the_archives_of_fma_are_complete():
    assert set(ARCHIVES) == {"metadata", *SUBSETS}
    for archive in ARCHIVES.values():
        assert re.fullmatch(r"fma_\w+\.zip", archive.name)
        assert re.fullmatch("[0-9a-f]{40}", archive.sha1)
