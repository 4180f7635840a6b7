"""A library of tagged files: its tags are shown, and a run of it is planned."""

import json

import harness
import pytest
import yaml
from made.tagged import genre_frame, id3
from small_corpora import TINY, merged

GENRES = ("Rock", "(17)", "Folk/Blues", "Jazz {x}", "Hip-Hop/Rap", "Polka", "")


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    """Make a library of seven artists with six tracks each; nothing in it is music."""
    work = tmp_path_factory.mktemp("library")
    for number, genre in enumerate(GENRES):
        for track in range(6 if genre != "Polka" else 2):
            path = work / f"my music/{number}/{track}.mp3"
            path.parent.mkdir(parents=True, exist_ok=True)
            artist = ("TPE1", f"\3Artist {number} {track % 4}".encode())
            path.write_bytes(id3(artist, *([genre_frame(genre)] if genre else [])))
    return work


CONFIG = merged(
    {key: value for key, value in TINY.items() if key != "corpus"},
    {
        "corpus": {
            "name": "tiny",
            "kind": "tags",
            "audio": "my music",
            "min_tracks": 3,
            "genre_map": {"hip-hop/rap": "Hip-Hop"},
        },
        "transfer": {"backbones": {}, "joined": {}},
        "classify": {"features": {"tiny/pool": [], "joined/both": []}},
        "cnn": {"run": ["simple"]},
        "ensembles": {"members": {"both": {"of": ["cnn/simple", "ffnn/4"]}}},
    },
)


def test_a_run_of_a_library_is_planned(library, plan):
    jobs = plan(library, base=CONFIG)
    assert sum(rule == "wav" for rule, *_ in jobs) == 4 * 6
    listing = json.loads((library / "results/tiny/corpus/listing.json").read_text())
    assert {track["genre"] for track in listing["tracks"]} == {"Rock", "Jazz {x}", "Hip-Hop"}
    out = {reason: len(tracks) for reason, tracks in listing["left_out"].items()}
    assert out == {"several genres": 6, "rare genre": 2, "without a genre": 6}


@pytest.mark.slow
def test_tags_are_shown_before_a_run_would_be_possible(library, tmp_path):
    (tmp_path / "my music").symlink_to(library / "my music")
    few = merged(CONFIG, {"corpus": {"min_tracks": 100}})
    (tmp_path / "few.yaml").write_text(yaml.safe_dump(few))
    shown = harness.snakemake(tmp_path, "tags", "--configfile", "few.yaml")
    assert shown.returncode == 0, shown.stderr
    assert "38 files of audio, 0 with a genre" in shown.stdout
    assert "'Rock' (12)" in shown.stdout
    assert "Without a genre: 6 files" in shown.stdout
    assert "Traceback" not in shown.stderr
