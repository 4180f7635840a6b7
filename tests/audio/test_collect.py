"""Which files are taken, for a corpus and for prediction, and that nothing vanishes unsaid."""

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
        return [path.relative_to(root).as_posix() for path in found.files], found.passed_over

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
    assert found.passed_over == {".jpg": 1, ".m3u": 1}


def test_what_gives_no_file_is_refused(tmp_path, below):
    below("cover.jpg")
    with pytest.raises(GenreflowError, match=r"no audio files: .*\.mp3.* 1 \.jpg"):
        collect.asked_for([tmp_path / "music"])
    with pytest.raises(GenreflowError, match="list of files"):
        collect.asked_for([tmp_path / "gone.txt"])
    (tmp_path / "list.txt").write_bytes(b"\xff\xfe\x00s")
    with pytest.raises(GenreflowError, match="UTF-8"):
        collect.asked_for([tmp_path / "list.txt"])


def test_a_line_says_what_was_passed_over():
    line = collect.describe({".jpg": 12, "": 1, collect.SYSTEM: 30})
    assert line.endswith("30 of the system, 12 .jpg, 1 without an ending")
    assert collect.describe({}) == ""
