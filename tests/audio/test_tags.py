"""Tags of all formats are read alike, and no file does harm by them."""

import os
import signal
import struct
import time

import pytest
from genreflow.audio import tags
from genreflow.audio.tags import Tags
from made.tagged import genre_frame, id3, write_tagged

GIVEN = {
    "genre": "Hip-Hop; Śoul",
    "artist": "Åsh",
    "album_artist": "Various Artists",
    "album": "Now 42",
    "title": "=1+1",
    "date": "2001-02-03",
    "compilation": "1",
}
READ = Tags(("Hip-Hop; Śoul",), "Åsh", "Various Artists", "Now 42", "=1+1", "2001", True)


def read(path):
    (found,) = tags.read([str(path)])
    return found


@pytest.mark.parametrize(
    "ending", ["mp3", "flac", "ogg", "opus", "m4a", "wma", "aiff", "wv", "mka", "tta", "caf"]
)
def test_tags_are_read_of_each_format(tmp_path, ending):
    assert read(write_tagged(tmp_path / f"a.{ending}", **GIVEN)) == READ


@pytest.mark.parametrize("ending", ["mp3", "flac", "ogg", "m4a", "wma", "aiff", "wav", "wv"])
def test_a_file_without_tags_has_none(tmp_path, ending):
    assert read(write_tagged(tmp_path / f"a.{ending}")) == Tags()


@pytest.mark.parametrize("encoding", [1, 2, 3])
@pytest.mark.parametrize("version", [3, 4])
def test_several_values_of_id3_are_read_in_each_encoding(tmp_path, encoding, version):
    path = tmp_path / "a.mp3"
    path.write_bytes(id3(genre_frame("Fado\0Ópera\0音楽", encoding), version=version))
    assert read(path).genres == ("Fado", "Ópera", "音楽")


def test_several_comments_of_vorbis_are_read(tmp_path):
    comments = [b"GENRE=Rock", b"Genre=Jazz", b"artist=Ash", b"artist=Birch"]
    body = struct.pack("<I", 0) + struct.pack("<I", len(comments))
    body += b"".join(struct.pack("<I", len(one)) + one for one in comments)
    path = tmp_path / "a.flac"
    path.write_bytes(b"fLaC" + bytes([0x84]) + len(body).to_bytes(3, "big") + body)
    assert read(path) == Tags(("Rock", "Jazz"), artist="Ash")


def test_the_tag_at_the_end_of_old_files_is_read(tmp_path):
    path = tmp_path / "a.mp3"
    fields = b"".join(text.ljust(30, b"\0") for text in (b"Song", b"Ash", b"Live"))
    path.write_bytes(b"\xff\xfb\x90\0" * 100 + b"TAG" + fields + b"1999" + bytes(30) + b"\x11")
    assert read(path) == Tags(("Rock",), "Ash", "", "Live", "Song", "1999")


def test_texts_become_one_line_that_can_be_shown(tmp_path):
    hostile = "\x1b[31mRock\r\n{x}\u202e" + "!" * 100_000
    path = tmp_path / "a.mp3"
    path.write_bytes(id3(genre_frame(hostile), ("TPE1", b"\3a\tb\x07")))
    found = read(path)
    assert found.genres[0].startswith("[31mRock {x} !!!")
    assert len(found.genres[0]) <= tags.LONGEST
    assert found.artist == "a b"


BROKEN = {
    "a length of 100 MB": b"fLaC" + bytes([0x84]) + b"\xff\xff\xff" + struct.pack("<I", 10**8),
    "a length of 4 GB": b"FORM\xff\xff\xff\xffAIFFNAME\xff\xff\xff\xfe",
    "no such format": b"\0" * 100,
}


@pytest.mark.parametrize(("name", "ending"), zip(BROKEN, ("flac", "aiff", "wma"), strict=True))
def test_a_broken_file_says_why_and_is_not_the_end_of_others(tmp_path, name, ending):
    broken, good = tmp_path / f"broken.{ending}", write_tagged(tmp_path / "a.mp3", genre="Rock")
    broken.write_bytes(BROKEN[name])
    gone = tmp_path / "gone.mp3"
    found = tags.read([str(broken), str(gone), str(good)])
    assert [one.genres for one in found] == [(), (), ("Rock",)]
    assert found[0].problem and "No such file" in found[1].problem


def test_what_takes_too_long_is_given_up(tmp_path):
    """Each value is compared with all before it, which would take an hour."""
    path = tmp_path / "a.mp3"
    path.write_bytes(id3(genre_frame("\0".join(map(str, range(200_000))))))
    before = time.process_time()
    found = tags.read([str(path), str(write_tagged(tmp_path / "b.mp3", genre="Rock"))])
    assert "processor time" in found[0].problem
    assert found[1].genres == ("Rock",)
    assert time.process_time() - before < 2  # of this process


def test_a_file_that_ends_its_reader_is_left_behind(tmp_path, monkeypatch):
    deadly, good = tmp_path / "deadly.mp3", write_tagged(tmp_path / "good.mp3", genre="Rock")
    deadly.touch()
    # In the place of tinytag, for no file is known that does it.
    (tmp_path / "modules").mkdir()
    (tmp_path / "modules/tinytag.py").write_text(
        "import os, signal\n"
        "class UnsupportedFormatError(Exception): pass\n"
        "class TinyTag:\n"
        "    def get(path, duration):\n"
        f"        if 'deadly' in path: os.kill(os.getpid(), {int(signal.SIGSEGV)})\n"
        "        return TinyTag()\n"
        "    def as_dict(self): return {'genre': ['Rock']}\n"
    )
    monkeypatch.setattr(
        tags, "_LIBRARY", os.pathsep.join([str(tmp_path / "modules"), tags._LIBRARY])
    )
    found = tags.read([str(good), str(deadly), str(good)])
    assert [one.genres for one in found] == [("Rock",), (), ("Rock",)]
    assert "ended" in found[1].problem


def test_a_reader_that_never_works_is_an_error(tmp_path, monkeypatch):
    monkeypatch.setattr(tags, "_LIBRARY", str(tmp_path))
    with pytest.raises(RuntimeError, match="genreflow"):
        tags.read(["a.mp3"])
