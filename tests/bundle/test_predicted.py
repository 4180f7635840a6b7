"""Predictions as JSON, as playlists and as a page, of files with nasty names."""

import json
import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from genreflow.audio import collect
from genreflow.bundle import page, playlists, predicted
from genreflow.errors import GenreflowError
from made import music
from made.html_page import Page


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("predicted")


@pytest.fixture(scope="module")
def found(folder):
    return music.predictions(music.write(folder), note="Synthetic <corpus>.")


def test_json_is_plain_text_and_brings_all_back(found, folder):
    path = folder / "elsewhere" / "found.json"
    predicted.write_json(found, path)
    text = path.read_bytes().decode("ascii")
    assert text.isprintable() or set(text) - set(map(chr, range(32, 127))) == {"\n"}
    read = predicted.read_json(path)
    for key in ("learner", "note", "genres", "unsure"):
        assert getattr(read, key) == getattr(found, key)
    assert sum(one.unsure for one in found.files) == 2
    assert [Path(one.file).resolve() for one in read.files] == [
        Path(one.file).resolve() for one in found.files
    ]
    for ours, theirs in zip(found.files, read.files, strict=True):
        assert (ours.name, ours.reason) == (theirs.name, theirs.reason)
        assert (ours.predicted, ours.seconds) == (theirs.predicted, theirs.seconds)
        np.testing.assert_array_equal(ours.starts, theirs.starts)
        np.testing.assert_array_equal(ours.counts, theirs.counts)
        assert ours.unsure == theirs.unsure == (0 < ours.probabilities.max() < music.UNSURE)
        np.testing.assert_allclose(ours.by_window, theirs.by_window, atol=5e-5)


def test_json_says_the_genres_of_files_and_windows(found, folder):
    path = folder / "found.json"
    predicted.write_json(found, path)
    first, *_, last = json.loads(path.read_text())["files"]
    assert (first["name"], first["link"]) == ("plain.wav", "music/album%200/plain.wav")
    assert first["predicted"] == "Blues"
    assert [window["predicted"] for window in first["windows"]] == ["Blues"] * 3 + [
        music.GENRES[1]
    ] * 2
    assert (last["reason"], last["probabilities"], last["windows"]) == (music.REASON, [], [])


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"genres": [], "files": [{}]}'])
def test_other_json_is_refused_with_its_name(tmp_path, text):
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises(GenreflowError, match=r"other\.json: no predictions"):
        predicted.read_json(path)


def test_a_playlist_names_the_files_of_its_genre_surest_first(found, folder):
    lists = folder / "new" / "lists"
    written = playlists.write(found, lists)
    assert sorted(lists.iterdir()) == sorted(written)
    assert {path.name for path in written} == {
        "Blues.m3u8",
        "script_script_alert_1_script.m3u8",
        "Drum & _Bass_ 'n' _b_Co_b.m3u8",
        "Folk.m3u8",
    }
    for genre, name in playlists.names(found.genres).items():
        path = lists / f"{name}.m3u8"
        own = [one for one in found.files if one.predicted == genre]
        own.sort(key=lambda one: -one.probabilities.max())
        assert len(own) == 2
        # As players read them: a path or an address in each line that is no comment.
        heard = collect.asked_for([path]).files
        assert [one.resolve() for one in heard] == [Path(one.file).resolve() for one in own]
        lines = path.read_text(encoding="utf-8").split("\n")
        assert lines[0] == "#EXTM3U" and len(lines) == 6 and lines[-1] == ""
        for one, about, address in zip(own, lines[1::2], lines[2::2], strict=False):
            share = round(100 * one.probabilities.max())
            assert about == f"#EXTINF:12,{one.name} ({share} %)"
            assert address.startswith(("./../../music/album ", "file:///"))


def test_a_playlist_that_is_there_never_holds_what_was_before(found, tmp_path):
    other = tmp_path / "mine.m3u8"
    other.write_text("mine")
    (tmp_path / "Folk.m3u8").write_text("#EXTM3U\nold.mp3\n")
    few = predicted.Predictions(**{**vars(found), "files": found.files[:1]})
    assert {path.name for path in playlists.write(few, tmp_path)} == {"Blues.m3u8", "Folk.m3u8"}
    assert (tmp_path / "Folk.m3u8").read_text() == "#EXTM3U\n"
    assert other.read_text() == "mine"


def test_no_genre_names_a_file_outside_or_that_of_another():
    genres = (
        "../../x",
        "..",
        "/etc/passwd",
        "-rf",
        "a/b",
        "a?b",
        "A:B",
        "é" * 500,
        "$(x)",
        " ",
        "2",
    )
    found = playlists.names(genres)
    assert list(found) == list(genres)
    assert len({name.casefold() for name in found.values()}) == len(genres)
    for name in found.values():
        assert re.fullmatch(r"\w[\w &'+-]*", name) and len(os.fsencode(name)) < 200


@pytest.fixture(scope="module")
def shown(found, folder):
    page.write(found, folder / "results" / "mine" / "predicted" / "report.html")
    return (folder / "results" / "mine" / "predicted" / "report.html").read_text(encoding="utf-8")


def test_names_and_genres_are_text_in_the_page(shown):
    read = Page(shown)
    assert len(read.of("script")) == 2
    assert not {"img", "b", "marquee", "i"} & {tag for tag, _ in read.elements}
    assert not [key for _, own in read.elements for key in own if key.startswith("on")]
    for text in (music.REASON, "<b>bad<i>.mp3", "<i>x</i>", "Synthetic <corpus>."):
        assert text in read.text
    assert set(music.GENRES) == set(read.data["genres"])
    policy = next(meta["content"] for meta in read.of("meta") if "http-equiv" in meta)
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy and "connect" not in policy


def test_the_page_links_to_each_file_relative_to_itself(shown, found, folder):
    data = Page(shown).data
    place = folder / "results" / "mine" / "predicted"
    links = [file[2] for file in data["files"]]
    assert len(links) == len(music.NAMES)
    for link, one in zip(links, found.files, strict=False):
        assert link.isascii() and link.startswith("../../../music/album%20")
        assert (place / os.fsdecode(unquote_to_bytes(link))).resolve() == Path(one.file).resolve()


def test_a_page_says_what_its_data_say(shown, found):
    data = Page(shown).data
    assert sorted(data["genres"]) == sorted(music.GENRES)
    drawn = {window[2] for file in data["files"] for window in file[5]}
    assert {int(key["data-genre"]) for key in Page(shown).of("button")} >= drawn
    for (name, folder, _, seconds, shares, windows, unsure), one in zip(
        data["files"], found.files, strict=False
    ):
        assert (name, folder, seconds) == (one.name, Path(one.file).parent.name, music.SECONDS)
        assert unsure == one.unsure
        assert [data["genres"][place] for place in shares[::2]] == one.best[:3]
        np.testing.assert_allclose(
            np.array(shares[1::2]) / 1000, np.sort(one.probabilities)[:-4:-1], atol=5.1e-4
        )
        assert [window[:2] for window in windows] == [
            list(pair) for pair in zip(one.starts, one.ends, strict=True)
        ]
        assert [data["genres"][window[2]] for window in windows] == one.by_itself
