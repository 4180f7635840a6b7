"""Which files are taken, for a corpus and for prediction, and that nothing vanishes unsaid."""

from collections import Counter

import pytest
from genreflow.audio import collect
from genreflow.errors import GenreflowError


@pytest.fixture
def below(tmp_path):
    """Make empty files and collect what counts as audio."""

    def below(*paths, folder="music"):
        for path in paths:
            (tmp_path / folder / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / path).touch()
        found = collect.below(tmp_path / folder)
        root = tmp_path / folder
        assert all(path.startswith(f"{root}/") for path in found.passed_over)
        counts = Counter(found.passed_over.values())
        return [path.relative_to(root).as_posix() for path in found.files], counts

    return below


def test_audio_is_taken_and_all_else_is_counted_by_its_ending(below):
    files, passed_over = below(
        *("b/2.MP3", "b/10.Flac", "a/x.wma", "a/y.webm", "z.Opus"),
        *("a/cover.jpg", "b/cover.JPG", "notes", "mp3", "a/log.2024-11-26", "b/odd.\x1b[2J"),
    )
    assert files == ["a/x.wma", "a/y.webm", "b/10.Flac", "b/2.MP3", "z.Opus"]
    assert passed_over == {"": 4, ".jpg": 2}


def test_names_that_begin_with_dots_may_be_music(below):
    names = [
        *(".38 Special/Tour de Force/01.mp3", ".Hip Hop/Artist/01.mp3"),
        *("Metallica/...And Justice for All/01.mp3", "Folk/...And Then.mp3", "Folk/.5.mp3"),
    ]
    assert below(*names) == (sorted(names), {})


def test_what_the_system_leaves_is_not_music(below):
    kept = ["Rock/a.mp3"]
    system = [
        *("Rock/._a.mp3", ".DS_Store", "Rock/.DS_Store"),
        *("Rock/.AppleDouble/a.mp3", ".Trash-1000/files/b.mp3", "@eaDir/a.mp3/x.mp3"),
        *(".git/c.mp3", ".snapshot/hourly/Rock/a.mp3", "__MACOSX/._a.mp3", "$RECYCLE.BIN/d.mp3"),
    ]
    assert below(*kept, *system) == (kept, {collect.SYSTEM: len(system)})


@pytest.mark.parametrize("target", [".", "..", "../Folk/.."])
def test_a_loop_of_links_lists_each_file_once(tmp_path, below, target):
    below("Rock/a.mp3", "Folk/b.mp3")
    (tmp_path / "music" / "Rock" / "again").symlink_to(target)
    assert below()[0] == ["Folk/b.mp3", "Rock/a.mp3"]


def test_links_to_folders_and_files_elsewhere_are_followed(tmp_path, below):
    below("deep/a.mp3", "b.mp3", folder="archive")
    below("Folk/c.mp3")
    (tmp_path / "music" / "Rock").symlink_to(tmp_path / "archive" / "deep")
    (tmp_path / "music" / "Folk" / "b.mp3").symlink_to(tmp_path / "archive" / "b.mp3")
    assert below()[0] == ["Folk/b.mp3", "Folk/c.mp3", "Rock/a.mp3"]


def test_links_that_lead_nowhere_are_kept_to_be_named(tmp_path, below):
    below("a.mp3")
    (tmp_path / "music" / "lost.mp3").symlink_to("nowhere.mp3")
    assert below()[0] == ["a.mp3", "lost.mp3"]


def test_whatever_is_asked_for_is_tried(tmp_path, below):
    below("a.mp3", "deep/b.mp3", "cover.jpg")
    music = tmp_path / "music"
    listed = music / "list.m3u"
    lines = "\ufeff#EXTM3U\n\na.mp3\r\n gone.mp3\ncover.jpg\ndeep\n"
    listed.write_text(lines, encoding="utf-8")
    named = [music / name for name in ("a.mp3", "gone.mp3", "cover.jpg")]
    found = collect.asked_for([listed])
    assert found.files == [*named, music / "deep" / "b.mp3"] and not found.passed_over
    found = collect.asked_for([music / "cover.jpg", music])
    assert found.files == [music / "cover.jpg", music / "a.mp3", music / "deep" / "b.mp3"]
    assert found.passed_over == {str(listed): ".m3u"}  # the picture was asked for, and is tried


PLAYERS = {
    "backslash.m3u8": ("sub\\two.mp3", "utf-8-sig"),
    "quoted.m3u": ("Caf%C3%A9%20del%20Mar.mp3", "utf-8"),
    "latin.m3u": ("Caf\u00e9 del Mar.mp3", "latin-1"),
    "wide.m3u": ("Caf\u00e9 del Mar.mp3", "utf-16"),
    "decomposed.m3u8": ("Cafe\u0301 del Mar.mp3", "utf-8"),
    "percent.m3u": ("100% (live).mp3", "utf-8"),
    "address.m3u": ("file://{}/100%25%20(live).mp3", "utf-8"),
    "host.m3u": ("file://localhost{}/sub/two.mp3", "utf-8"),
    "winamp.pls": ("[playlist]\r\nFile1=sub\\two.mp3\r\nTitle1=Two\r\nLength1=-1\r\n", "latin-1"),
}


@pytest.mark.parametrize("name", PLAYERS)
def test_lists_are_read_as_players_write_them(tmp_path, below, name):
    below("Caf\u00e9 del Mar.mp3", "sub/two.mp3", "100% (live).mp3")
    text, encoding = PLAYERS[name]
    (tmp_path / "music" / name).write_bytes(text.format(tmp_path / "music").encode(encoding))
    (found,) = collect.asked_for([tmp_path / "music" / name]).files
    assert found.is_file()


def test_what_is_not_there_is_kept_beside_what_is(tmp_path, below):
    below("a.mp3", "empty/cover.jpg")
    music = tmp_path / "music"
    asked = [music / name for name in ("a.mp3", "gone.mp3", "gone.m3u", "empty")]
    assert collect.asked_for(asked).files == asked


@pytest.mark.parametrize("path", ["gone.mp3", "gone.txt", "gone", "empty.m3u"])
def test_what_gives_no_file_is_refused(tmp_path, below, path):
    below("cover.jpg", "empty.m3u")
    with pytest.raises(GenreflowError, match=path):
        collect.asked_for([tmp_path / "music" / path])


def test_a_folder_without_audio_and_a_list_that_is_no_text_are_refused(tmp_path, below):
    below("cover.jpg")
    with pytest.raises(GenreflowError, match=r"no audio files: .*\.mp3.* 1 \.jpg"):
        collect.asked_for([tmp_path / "music"])
    (tmp_path / "list.txt").write_bytes(b"\x81 a list\x00")
    with pytest.raises(GenreflowError, match=r"list\.txt.*list of files.*UTF-8"):
        collect.asked_for([tmp_path / "list.txt"])


def test_a_line_says_what_was_passed_over():
    line = collect.describe([*[".jpg"] * 12, "", *[collect.SYSTEM] * 30])
    assert line.endswith("30 of the system, 12 .jpg, 1 without an ending")
    assert collect.describe([]) == ""
