import csv
import os
import time

import pandas as pd
import pytest
from genreflow.errors import GenreflowError
from genreflow.runtime.files import (
    atomic,
    future_warning,
    read_table,
    read_values,
    require_room,
    require_writable,
    write_csv,
    write_text,
)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_whole_file_comes_into_place_with_its_folder(tmp_path):
    path = tmp_path / "new" / "folder" / "table.csv"
    with atomic(path) as part:
        assert part.parent == path.parent
        assert part.suffix == ".csv"
        part.write_text("whole")
        assert not path.exists()
    assert path.read_text() == "whole"
    assert names(path.parent) == ["table.csv"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(error), atomic(path) as part:
        part.write_text("ha")
        raise error
    assert path.read_text() == "old"
    assert names(tmp_path) == ["table.csv"]


def test_a_failure_makes_no_file_where_there_was_none(tmp_path):
    with pytest.raises(ValueError), atomic(tmp_path / "table.csv") as part:
        part.write_text("ha")
        raise ValueError
    assert names(tmp_path) == []


def test_a_block_that_writes_nothing_is_an_error(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), atomic(path):
        pass
    assert path.read_text() == "old"


def test_what_a_killed_process_left_is_overwritten(tmp_path):
    path = tmp_path / "table.csv"
    with atomic(path) as part:
        part.write_text("first")
    part.write_text("left by a process that was killed")
    with atomic(path) as again:
        assert again == part
        again.write_text("second")
    assert path.read_text() == "second"
    assert names(tmp_path) == ["table.csv"]


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
@pytest.mark.parametrize("name", ["table.csv", ".part-table.csv"])
def test_a_link_in_the_place_of_a_file_is_replaced_not_followed(tmp_path, link, name):
    other = tmp_path / "other"
    other.write_text("of somebody else")
    folder = tmp_path / "shared"
    folder.mkdir()
    getattr(folder / name, link)(other)
    write_text(folder / "table.csv", "mine")
    assert other.read_text() == "of somebody else"
    assert (folder / "table.csv").read_text() == "mine\n"
    assert not (folder / "table.csv").is_symlink()
    assert names(folder) == ["table.csv"]


def test_a_link_that_comes_while_a_file_is_written_is_not_followed(tmp_path):
    (tmp_path / "other").write_text("of somebody else")
    with pytest.raises(OSError), atomic(tmp_path / "table.csv") as part:
        part.unlink()
        part.symlink_to(tmp_path / "other")
    assert names(tmp_path) == ["other"]


def test_what_an_empty_file_stands_for_is_written(tmp_path):
    with atomic(tmp_path / "empty") as part:
        part.touch()
    assert names(tmp_path) == ["empty"]


def test_text_ends_in_one_line_break(tmp_path):
    write_text(tmp_path / "a.txt", "Sigur Rós\n\n")
    assert (tmp_path / "a.txt").read_bytes() == "Sigur Rós\n".encode()


def test_a_table_comes_back_as_text(tmp_path):
    table = pd.DataFrame(
        {
            "track_id": ["007", "1e5", "NA"],
            "title": ['say "so", twice', "two\nlines", ""],
            "artist": ["Björk", "nan", "null"],
        }
    )
    write_csv(table, tmp_path / "table.csv")
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv"), table)


SIGNS = ("=", "+", "-", "@", "\t", "\r", "\n", "\N{FULLWIDTH EQUALS SIGN}")
FORMULAS = [f"{sign}1+1" for sign in SIGNS]
HARMLESS = ["", "'", "'60s", "a=1+1", "a\r=1", "1-1", "-1.5", "+3e-7", " =1"]
"""Apostrophes alone stay what they are, and numbers numbers."""


def test_no_table_holds_a_formula_and_all_texts_come_back(tmp_path):
    texts = [*FORMULAS, *(f"'{text}" for text in FORMULAS), "''=1", "-x.wav", *HARMLESS]
    values = pd.Series(range(len(texts))) - 5.5
    table = pd.DataFrame({"title": texts, "=genre": texts[::-1], "gain": values})
    write_csv(table, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        names, *rows = csv.reader(file)
    assert names == ["title", "'=genre", "gain"]
    titles = [row[0] for row in rows]
    assert not [cell for cell in titles if cell.startswith(SIGNS) and cell not in HARMLESS]
    assert titles[-len(HARMLESS) :] == HARMLESS
    assert [row[2] for row in rows][:2] == ["-5.5", "-4.5"]
    pd.testing.assert_frame_equal(read_table(tmp_path / "table.csv"), table.astype(str))
    pd.testing.assert_series_equal(read_values(tmp_path / "table.csv")["gain"], table["gain"])


@pytest.mark.usefixtures("permissions_hold")
def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    require_writable(tmp_path / "new" / "results")
    tmp_path.chmod(0o555)
    with pytest.raises(GenreflowError, match=f"^{tmp_path}: can't be written to"):
        require_writable(tmp_path / "new" / "results")


def test_files_from_the_future_are_counted_and_the_first_is_named(tmp_path):
    now = time.time()
    paths = [tmp_path / name for name in ("past", "soon", "future", "later", "missing")]
    for path, seconds in zip(paths, (-5, 5, 3600, 7200), strict=False):
        write_text(path, "")
        os.utime(path, (now + seconds, now + seconds))
    warning = future_warning(paths)
    assert warning.startswith(f"2 files are dated in the future (first: {tmp_path}/future): ")
    assert future_warning(paths[:3]).startswith(
        f"1 file is dated in the future (first: {paths[2]})"
    )
    assert future_warning([*paths[:2], paths[4]]) == ""


def test_a_full_disk_is_refused(tmp_path):
    require_room(tmp_path)
    with pytest.raises(GenreflowError, match=r"^/proc: its disk is full; make room"):
        require_room("/proc")  # which has no room at all
