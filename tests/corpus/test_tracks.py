from collections import Counter
from dataclasses import replace

import pytest
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


LOST = replace(TRACK, track_id="9", genre="")
OTHER = replace(TRACK, track_id="10", genre="")
KNOWN = Listing([TRACK], [LOST], why={"9": "a folder"})


@pytest.mark.parametrize(
    ("listing", "is_written"),
    [
        (KNOWN, False),
        (replace(KNOWN, passed_over={"a.jpg": ".jpg"}, notes=["So."]), False),
        (
            replace(
                KNOWN,
                without_genre=1,
                left_out={"without a genre": [OTHER]},
                why={"9": "a folder", "10": "its tags name none"},
            ),
            False,
        ),
        (replace(KNOWN, why={"9": "a socket"}), True),
        (replace(KNOWN, tracks=[replace(TRACK, genre="Folk")]), True),
    ],
)
def test_only_what_counts_makes_a_listing_stale(tmp_path, listing, is_written):
    """A picture more among the music doesn't, nor does a file without a genre."""
    path = tmp_path / "listing.json"
    write_listing(KNOWN, path)
    before = path.stat()
    write_listing(listing, path)
    after = path.stat()
    kept = (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)
    assert kept == (not is_written)
    assert read_listing(path) == (listing if is_written else KNOWN)
