import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from genreflow import split_names
from genreflow.errors import GenreflowError

ROOT = Path(__file__).parents[1]


def test_expand_makes_a_name_of_each_fold():
    names = split_names.expand(["lowest-ids", "cv-2x10", "official"])
    assert names[0] == "lowest-ids"
    assert names[-1] == "official"
    assert names[1] == "cv-2x10-r1-f01"
    assert names[10:12] == ["cv-2x10-r1-f10", "cv-2x10-r2-f01"]
    assert len(names) == 22
    assert split_names.expand(["cv-1x3"]) == ["cv-1x3-r1-f1", "cv-1x3-r1-f2", "cv-1x3-r1-f3"]
    assert split_names.expand([]) == []


def test_expand_counts_a_repeated_name_once():
    assert split_names.expand(["grouped", "cv-1x2", "grouped", "cv-1x2"]) == [
        "grouped",
        "cv-1x2-r1-f1",
        "cv-1x2-r1-f2",
    ]


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("offical", "official"),
        ("Grouped", "grouped"),
        ("lowest_ids", "lowest-ids"),
        ("cv-5x1", "cv-5x2"),
        ("cv-0x10", "cv-1x10"),
        ("cv5x10", "cv-5x10"),
        ("cv-3x4-r1-f1", "cv-3x4"),
        ("cv-05x10", "cv-5x10"),
    ],
)
def test_expand_names_the_nearest_right_name(wrong, right):
    with pytest.raises(GenreflowError, match=f"{wrong!r}; did you mean {right!r}\\?") as error:
        split_names.expand(["official", wrong])
    assert "REPEATSxFOLDS" in str(error.value)


def test_expand_guesses_nothing_for_a_name_like_no_other():
    with pytest.raises(GenreflowError, match=r"^unknown split 'zzz'\. Splits are") as error:
        split_names.expand(["zzz"])
    assert "did you mean" not in str(error.value)


def test_family_is_the_cross_validation_of_a_fold():
    assert {split_names.family(name) for name in split_names.expand(["cv-12x10"])} == {"cv-12x10"}
    for name in split_names.SINGLE:
        assert split_names.family(name) == name


def test_pattern_matches_all_splits_and_nothing_else():
    for name in split_names.expand([*split_names.SINGLE, "cv-11x2", "cv-1x10", "cv-2x120"]):
        assert re.fullmatch(split_names.PATTERN, name)
    for name in (
        "cv-5x10",
        "cv-5x1-r1-f1",
        "cv-0x5-r1-f1",
        "cv-5x10-r0-f01",
        "cv-5x10-r1-f00",
        "cv-5x10-r1",
        "official/cnn",
        "officially",
        "",
    ):
        assert not re.fullmatch(split_names.PATTERN, name)
    assert re.compile(split_names.PATTERN).groups == 0


@pytest.mark.parametrize("name", ["cv-2x10-r3-f01", "cv-2x10-r1-f11", "cv-2x10-r1-f1", "cv-2x10"])
def test_check_refuses_what_expand_does_not_give(name):
    with pytest.raises(GenreflowError, match="'cv-2x10-r1-f01' to 'cv-2x10-r2-f10'"):
        split_names.check(name)


def test_names_and_groups_need_only_the_standard_library():
    code = (
        "import sys; from genreflow import split_names; from genreflow.corpus import groups;"
        "split_names.expand(['cv-5x10']); groups.joined([[('a',)]]);"
        "print({'numpy', 'pandas', 'scipy', 'sklearn'} & set(sys.modules))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "scripts")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
