"""Genres of tags are parted by rules, mapped, and left out where they are rare, all counted."""

import pytest
from genreflow.corpus import genres
from genreflow.errors import GenreflowError


def of_tag(*values, **genre_map):
    return genres.of_tag(values, genres.Map(genre_map))[0]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Rock", ["Rock"]),
        ("Rock/Pop", ["Rock", "Pop"]),
        ("Rock; Pop;", ["Rock", "Pop"]),
        ("Rock, Pop | Jazz", ["Rock", "Pop", "Jazz"]),
        ("Rock\\\\Pop", ["Rock", "Pop"]),
        (
            "\u30ed\u30c3\u30af\u3001\u30dd\u30c3\u30d7",
            ["\u30ed\u30c3\u30af", "\u30dd\u30c3\u30d7"],
        ),
        ("rock; Rock ;ROCK", ["rock"]),
        # what ID3v1 numbers
        ("17", ["Rock"]),
        ("(17)", ["Rock"]),
        ("(17)Rock", ["Rock"]),
        ("(17)Slow songs", ["Rock"]),
        ("9; (17)", ["Metal", "Rock"]),
        ("(255)", []),
        ("(255)Schlager", ["Schlager"]),
        ("80s", ["80s"]),
        # one genre with a sign in it
        ("Hip-Hop/Rap", ["Hip-Hop/Rap"]),
        ("hip hop / rap", ["hip hop / rap"]),
        ("R&B/Soul", ["R&B/Soul"]),
        ("Folk, World, & Country", ["Folk, World, & Country"]),
        ("Drum & Bass", ["Drum & Bass"]),
        # none
        ("Other", []),
        ("n/a", []),
        (" - ", []),
        ("Unknown Genre; Jazz", ["Jazz"]),
        ("(12)", []),
    ],
)
def test_a_tag_is_parted_into_genres(value, expected):
    assert of_tag(value) == expected


def test_values_of_a_tag_are_genres_of_their_own():
    assert of_tag("Rock", "Pop; Jazz", "rock") == ["Rock", "Pop", "Jazz"]


def test_the_map_renames_merges_and_leaves_out():
    renamed = genres.Map(
        {"Hip  hop": "Hip-Hop", "trap": "Hip-Hop", "Christmas": "", "Other": "Rest"}
    )
    assert renamed["HIP HOP"] == renamed["Trap"] == renamed["hip-hop"] == "Hip-Hop"
    assert genres.of_tag(["Hip Hop; Trap"], renamed) == (["Hip-Hop"], False)
    assert genres.of_tag(["Christmas"], renamed) == ([], True)
    assert genres.of_tag(["Christmas; Jazz"], renamed) == (["Jazz"], True)
    assert genres.of_tag(["other"], renamed) == (["Rest"], False)


def test_what_the_map_knows_as_a_whole_is_not_parted():
    assert genres.of_tag(["Rock/Pop"], genres.Map({"rock/pop": "Rock/Pop"}))[0] == ["Rock/Pop"]
    assert genres.of_tag(["Hip-Hop/Rap"], genres.Map({"Hip-Hop/Rap": "Rap"}))[0] == ["Rap"]


def test_the_map_goes_on_from_name_to_name():
    renamed = genres.Map({"Trap": "Rap", "Rap": "Hip-Hop", "Doom": "doom"})
    assert (renamed["trap"], renamed["rap"], renamed["Doom"]) == ("Hip-Hop", "Hip-Hop", "doom")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"Rap": "Trap", "Trap": "Rap"}, "corpus.genre_map: 'Rap' is mapped to itself"),
        ({"Rap": "Hip-Hop", " RAP": "Trap"}, "corpus.genre_map: ' RAP' stands there twice"),
    ],
)
def test_a_map_that_says_nothing_clear_is_refused(given, message):
    with pytest.raises(GenreflowError, match=message):
        genres.Map(given)


def test_each_genre_lies_below_the_one_top_genre_of_its_tracks():
    given = [("Punk", "Rock"), ("Punk", "Rock"), ("Rock", "Rock"), ("Folk", "")]
    assert genres.tops(*zip(*given, strict=True)) == {
        "Punk": "Rock",
        "Rock": "Rock",
        "Folk": "Folk",
    }
    mixed = [*given, ("Noise", "Rock"), ("Noise", "Experimental")]
    assert genres.tops(*zip(*mixed, strict=True))["Noise"] == "Noise"
    assert genres.tops(["Punk", "Folk"], ["", ""]) == {}
