"""A run says at its end what it left out, what failed, and how it goes on."""

import json
import shlex

from genreflow.corpus import genres
from genreflow.corpus.tracks import Listing, Track
from genreflow.layout import Layout
from genreflow.report import ending
from genreflow.runtime import outcomes


def write_results(folder, excluded, rows, **others):
    (folder / "corpus").mkdir()
    (folder / "tables").mkdir()
    summary = {"without_genre": 0, "passed_over": {}, "notes": []} | {
        "excluded": excluded,
        **others,
    }
    (folder / "corpus/summary.json").write_text(json.dumps(summary))
    (folder / "corpus/tracks.csv").write_text("track_id\n1\n2\n")
    lines = ["split,learner,test_accuracy,reason", *rows]
    (folder / "tables/comparison.csv").write_text("\n".join(lines) + "\n")


def test_tracks_and_learners_that_were_left_out_are_named_with_reasons(tmp_path):
    rows = [
        "grouped,cnn/residual,0.5,",
        'grouped,ensemble/stack,,"too few, by far"',
        *(f"grouped,classify/vgg16/fc1/all/lda-{n},,no weights" for n in range(7)),
    ]
    write_results(tmp_path, {"silent": 2, "too short": 1234}, rows)
    first, stack, networks = ending.left_out(Layout(tmp_path)).splitlines()
    assert first == f"Tracks left out: 2 silent, 1,234 too short ({tmp_path}/corpus/excluded.csv)"
    assert stack == "Not made: ensemble/stack on grouped: too few, by far"
    assert networks.startswith("Not made: classify/vgg16/fc1/all/lda-0 on grouped, ")
    assert networks.endswith("/lda-4 on grouped and 2 more: no weights")


def test_files_not_looked_at_and_tracks_without_features_are_named(tmp_path):
    others = {"without_genre": 3, "passed_over": {".jpg": 2}, "notes": ["Two genres are one."]}
    write_results(tmp_path, {}, [], **others)
    (tmp_path / "features").mkdir()
    rows = "track_id,reason\n,columns that are none: a\n1,too low a rate\n9,of no use anyway\n"
    (tmp_path / "features/handcrafted.left_out.csv").write_text(rows)
    genre, files, note, columns, features = ending.losses(Layout(tmp_path), ["handcrafted"])
    assert "3" in genre and "2 .jpg" in files and note == "Two genres are one."
    assert columns == "Features handcrafted: columns that are none: a"
    assert features == "Without features handcrafted: 1 track, 1: too low a rate"


def test_what_the_list_tells_is_said_before_a_run():
    lost = Track("1", "gone.mp3", "Rock")
    listing = Listing([], [lost], passed_over={"a.jpg": ".jpg"}, notes=["Two genres are one."])
    note, files, missing = ending.beforehand(listing, {})
    assert note == "Two genres are one." and "1 .jpg" in files and "gone.mp3: not there" in missing


def test_files_without_a_genre_are_said_with_what_takes_them(tmp_path):
    listing = Listing([], [], left_out={"without a genre": [Track("1", "a.mp3", "")]})
    (line,) = ending.beforehand(listing, {})
    assert "1" in line and "a.mp3" in line
    write_results(tmp_path, {}, [], without_genre=1)
    layout = Layout(tmp_path)
    genres.write_without_genre(listing, layout.without_genre)
    assert f"{layout.without_genre}, which `predict` takes" in ending.left_out(layout)


def test_a_run_that_left_nothing_out_says_nothing(tmp_path):
    write_results(tmp_path, {}, ["grouped,cnn/residual,0.5,"])
    assert ending.left_out(Layout(tmp_path)) == ""


def test_failed_jobs_are_named_with_causes_logs_and_the_command(tmp_path):
    logs = [tmp_path / f"{number}.log" for number in range(4)]
    logs[0].write_text("epoch 1 of 9\nTraceback (most recent call last):\nValueError: odd\n\n")
    for log in logs[1:3]:
        log.write_text("no weights\x1b[2J")
    jobs = [("cnn", logs[0]), ("network", logs[1]), ("network", logs[2]), ("wav", logs[3])]
    first, *lines = ending.failures(jobs, "make run MUSIC='my music'").splitlines()
    assert first == "Not everything was made: 4 jobs failed."
    assert lines[:2] == ["  cnn: ValueError: odd", f"    {logs[0]}"]
    assert "network (2 jobs" in lines[2] and lines[2].endswith(r"no weights\x1b[2J")
    assert lines[4:6] == ["  wav: it ended without a word", f"    {logs[3]}"]
    assert lines[-2].endswith("it goes on from here.")
    assert lines[-1] == "  make run MUSIC='my music'"


def test_an_interrupted_run_names_no_job():
    said = ending.failures([], "snakemake --cores 2")
    assert "failed" not in said
    assert said.endswith("  snakemake --cores 2")


def write_predictions(path, rows):
    path.write_text("track_id,part,genre,predicted\n" + "".join(f"1,{row}\n" for row in rows))
    return str(path)


def test_accuracies_are_over_all_folds_and_of_the_parts_that_count(tmp_path):
    first = ["training,a,b", "validation,a,a", "test,a,a", "test,b,a"]
    paths = [
        write_predictions(tmp_path / "1.csv", first),
        write_predictions(tmp_path / "2.csv", ["validation,a,b", "test,a,a"]),
    ]
    both = ["validation", "test"]
    assert ending.accuracies(paths, both) == "validation 50.0 %, test 66.7 %"
    assert ending.accuracies(paths, ["test"]) == "test 66.7 %"
    outcomes.write_reason(tmp_path / "3.csv", "too few")
    assert ending.accuracies([*paths, str(tmp_path / "3.csv")], both) == ""


def test_the_command_is_given_as_a_shell_takes_it():
    argv = ["/env/bin/snakemake", "--config", "corpus={'audio': 'my music'}"]
    said = ending.command(argv, {})
    assert shlex.split(said) == ["snakemake", *argv[1:]]
    argv[0] = "/env/lib/snakemake/__main__.py"
    assert ending.command(argv, {}).startswith("python -m snakemake --config ")
    assert ending.command(argv, {"GENREFLOW_COMMAND": "make run"}) == "make run"


def test_the_next_command_has_the_same_settings():
    made = {
        "make run": "make predict FILES=PATH",
        "make run MUSIC='my music'": "make predict MUSIC='my music' FILES=PATH",
        "snakemake --cores 2 --configfile a.yaml": (
            "snakemake predict --cores 2 --configfile a.yaml --config predict=PATH"
        ),
        "python -m snakemake --config 'seeds=[0]' --cores 2": (
            "python -m snakemake predict --config predict=PATH 'seeds=[0]' --cores 2"
        ),
    }
    assert {one: ending.predicting(one) for one in made} == made
