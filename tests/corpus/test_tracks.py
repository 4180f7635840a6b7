import os
from collections import Counter
from dataclasses import replace

from genreflow.corpus.tracks import Listing, Track, read_listing, shard_of, write_listing

TRACK = Track("2", 'music/Sigur Rós/it\'s "so".mp3', "Rock", artist="Sigur Rós", artist_id="7")


def test_a_shard_is_the_crc_of_the_id():
    # The check value of CRC-32/ISO-HDLC is that of the text "123456789".
    assert shard_of("123456789", 10_000) == 0xCBF43926 % 10_000
    assert shard_of("123456789", 1) == 0


def test_shards_are_about_equal():
    counts = Counter(shard_of(str(number), 64) for number in range(2, 160_000, 20))
    assert sorted(counts) == list(range(64))
    assert max(counts.values()) < 2 * 8000 / 64


def test_a_listing_comes_back_as_it_was(tmp_path):
    undecodable = replace(TRACK, track_id="3", path="music/\udcff.mp3")
    missing = [replace(TRACK, track_id="4")]
    listing = Listing(
        [TRACK, undecodable], missing, 5, "none", {"4": "a folder, not a file"}, {"a.jpg": ".jpg"}
    )
    write_listing(listing, tmp_path / "corpus" / "listing.json")
    assert read_listing(tmp_path / "corpus" / "listing.json") == listing


def test_an_unchanged_listing_keeps_its_file(tmp_path):
    path = tmp_path / "listing.json"
    write_listing(Listing([TRACK], []), path)
    before = path.stat()
    write_listing(Listing([TRACK], []), path)
    after = path.stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_a_changed_listing_is_written(tmp_path):
    path = tmp_path / "listing.json"
    write_listing(Listing([TRACK], []), path)
    changed = Listing([replace(TRACK, genre="Folk")], [])
    write_listing(changed, path)
    assert read_listing(path) == changed


def test_a_picture_more_among_the_music_makes_nothing_stale(tmp_path):
    path = tmp_path / "listing.json"
    write_listing(Listing([TRACK], []), path)
    before = path.stat().st_mtime_ns
    os.utime(path, ns=(before - 10**9, before - 10**9))
    write_listing(Listing([TRACK], [], passed_over={"a.jpg": ".jpg"}, notes=["So."]), path)
    assert path.stat().st_mtime_ns == before - 10**9


def test_a_file_without_a_genre_makes_nothing_stale(tmp_path):
    path = tmp_path / "listing.json"
    lost = replace(TRACK, track_id="9", genre="")
    write_listing(Listing([TRACK], [lost], why={"9": "a folder"}), path)
    before = path.read_text()
    other = replace(TRACK, track_id="10", genre="")
    left_out = {"without a genre": [other]}
    why = {"9": "a folder", "10": "its tags name none"}
    write_listing(Listing([TRACK], [lost], 1, left_out=left_out, why=why), path)
    assert path.read_text() == before
    changed = Listing([TRACK], [lost], 1, left_out=left_out, why=why | {"9": "a socket"})
    write_listing(changed, path)
    assert read_listing(path) == changed
