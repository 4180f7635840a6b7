"""Genres of tags are parted by rules, mapped, and left out where they are rare, all counted."""

import pytest
from genreflow.corpus import genres
from genreflow.corpus.tracks import Listing, Track
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


def listing(**numbers):
    tracks = [
        Track(f"{genre}-{n}", f"{genre}/{n}.mp3", genre)
        for genre, number in numbers.items()
        for n in range(number)
    ]
    return Listing(tracks, [])


def test_rare_genres_are_left_out_named_and_counted():
    found = genres.without_rare(listing(Rock=5, Polka=2, Ska=1), 3)
    assert {track.genre for track in found.tracks} == {"Rock"}
    assert [track.track_id for track in found.left_out[genres.RARE]] == [
        "Polka-0",
        "Polka-1",
        "Ska-0",
    ]
    assert "2 of the 3 tracks" in found.why["Polka-0"]
    (note,) = found.notes
    assert "'Polka' (2), 'Ska' (1)" in note and "corpus.min_tracks" in note


def test_nothing_is_left_out_where_no_genre_is_rare():
    assert genres.without_rare(listing(Rock=5, Polka=2), 2) == listing(Rock=5, Polka=2)


def test_the_map_holds_for_all_kinds_of_corpora():
    found = genres.mapped(
        listing(Rock=1, Metal=1, Speech=2), genres.Map({"metal": "Rock", "speech": ""})
    )
    assert [track.genre for track in found.tracks] == ["Rock", "Rock"]
    assert len(found.left_out[genres.MAPPED_OUT]) == 2
    assert "'Speech'" in found.why["Speech-0"]


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
