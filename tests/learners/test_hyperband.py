"""Hyperband: which trials there are, that none is run twice, and what a search depends on."""

import json
import shutil

import keras
import pandas as pd
import pytest
from genreflow.features import backend
from genreflow.learners import cnn
from genreflow.learners import hyperband as search
from made.images import SETTINGS, VARIANT, split_of, write_images

SPACE = {
    "kernel_size": [2, 3, 4, 5],
    "learning_rate": [0.1, 0.01, 0.001],
    "dropout": [number / 100 for number in range(50)],
    "schedule": ["a", "b"],
}


def scores(trials):
    return [trial.parameters["kernel_size"] + trial.epochs / 100 for trial in trials]


def hyperband(run=scores, *, seed=0):
    settings = {"objective": "val_accuracy", "max_epochs": 10, "factor": 3}
    return search.hyperband(SPACE, run, seed=seed, **settings)


def test_the_best_of_a_round_go_on_where_they_ended():
    table = hyperband().set_index("trial")
    promoted = table[table["continues"].notna()]
    assert len(promoted) > 4
    for _, trial in promoted.iterrows():
        past = table.loc[trial["continues"]]
        assert (past["bracket"], past["round"] + 1) == (trial["bracket"], trial["round"])
        assert trial["initial_epoch"] == past["epochs"] < trial["epochs"]
        assert all(trial[name] == past[name] for name in SPACE)
    for (bracket, number), group in promoted.groupby(["bracket", "round"]):
        before = table[(table["bracket"] == bracket) & (table["round"] == number - 1)]
        left = before.drop(group["continues"])
        assert before.loc[group["continues"], "score"].min() >= left["score"].max()
    assert (table.loc[table["continues"].isna(), "initial_epoch"] == 0).all()


def test_the_search_follows_from_its_seed():
    one, two, other = (hyperband(seed=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(one, two)
    assert not one[list(SPACE)].equals(other[list(SPACE)])


def test_trials_that_wait_for_nothing_are_asked_for_together():
    batches = []
    hyperband(lambda trials: (batches.append(trials), scores(trials))[1])
    assert {trial.bracket for trial in batches[0]} == {0, 1, 2}


def test_the_winner_is_the_best_and_of_equals_the_one_trained_longest():
    table = pd.DataFrame(
        {
            "trial": [0, 1, 2, 3],
            "epochs": [2, 4, 4, 4],
            "score": [0.7, 0.7, 0.7, 0.5],
            "kernel_size": [3, 4, 5, 6],
            "schedule": ["a", "b", "a", "b"],
        }
    )
    names = ["kernel_size", "schedule"]
    best = search.best(table, objective="val_accuracy", names=names)
    assert best == {"kernel_size": 4, "schedule": "b"}
    assert type(best["kernel_size"]) is int
    assert search.best(table, objective="val_loss", names=["kernel_size"]) == {"kernel_size": 6}


# with real trainings

REAL = {"filters": [2, 4], "learning_rate": [0.02, 0.005]}
"""A space of one setting with a value for each layer, and a plain one."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("search")
    write_images(folder / "images.h5")
    split_of(range(30)).to_csv(folder / "split.csv", index=False)
    return folder


def task(files, folder, **changes):
    settings = {
        "images": str(files / "images.h5"),
        "split": str(files / "split.csv"),
        "copies": None,
        "variant": {**VARIANT, "filters": [None, None], "learning_rate": None},
        "folder": str(folder),
        "fingerprint": "this search",
        "objective": "val_loss",
        "max_epochs": 2,
        "settings": {key: SETTINGS[key] for key in ("batch_size", "class_weight")},
        "memory_mb": 100,
        "precision": "float32",
        "seed": 0,
        "threads": 1,
    }
    return search.Task(**{**settings, **changes})


def searched(task, *, workers=1):
    keras.backend.clear_session()
    backend.configure(threads=1, seed=0)
    lines = []
    found, winner = search.search(task, REAL, factor=2, workers=workers, say=lines.append)
    names = ["filters_1", "filters_2", "learning_rate"]
    assert winner == search.best(found, objective=task.objective, names=names)
    return found, lines


@pytest.fixture(scope="module")
def undisturbed(files, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    found, lines = searched(task(files, folder))
    return folder, found, lines


def test_a_search_trains_each_trial(undisturbed):
    folder, found, lines = undisturbed
    assert {"filters_1", "filters_2", "learning_rate", "note"} < set(found.columns)
    assert len(lines) == len(found) >= 5
    assert len(list(folder.glob("*.json"))) == len(found)
    assert found["score"].between(0, 5).all()
    assert found["score"].max() > found["score"].min()


def test_a_promoted_trial_is_trained_as_one_that_was_never_stopped(files, undisturbed):
    """Two epochs at a stretch, and one and one with the state kept, end the same."""
    _, found, _ = undisturbed
    promoted = found[found["continues"].notna()].iloc[0]
    values = {name: promoted[name] for name in ("filters_1", "filters_2", "learning_rate")}
    first = int(promoted["continues"])
    keras.backend.clear_session()
    keras.utils.set_random_seed(first)
    split = split_of(range(30))
    with cnn.open_split(files / "images.h5", split, memory_mb=100) as images:
        _, history = cnn.train(
            images,
            cnn.with_values(task(files, "").variant, values),
            seed=0,
            report=lambda line: None,
            **{**SETTINGS, "epochs": 2},
        )
    assert promoted["score"] == history["val_loss"][int(promoted["initial_epoch"]) :].min()


def test_finished_trials_are_not_run_again(files, undisturbed, tmp_path):
    done, found, _ = undisturbed
    half = shutil.copytree(done, tmp_path / "half")
    for number in range(len(found) // 2, len(found)):
        (half / f"trial-{number:04d}.json").unlink()
    kept = {path: path.stat().st_mtime_ns for path in half.glob("*.json")}
    again, lines = searched(task(files, half))
    pd.testing.assert_frame_equal(again, found)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    assert sum("trials were finished before" in line for line in lines) >= 1
    run = [line for line in lines if line.startswith("trial ")]
    assert len(run) == len(found) - len(kept)


@pytest.mark.long
def test_another_search_uses_nothing_of_what_is_there_and_processes_find_the_same(
    files, undisturbed, tmp_path
):
    done, found, _ = undisturbed
    old = shutil.copytree(done, tmp_path / "old")
    again, lines = searched(task(files, old, fingerprint="another search", threads=2), workers=2)
    assert len([line for line in lines if line.startswith("trial ")]) == len(found)
    pd.testing.assert_frame_equal(again, found)


def test_a_half_written_record_is_run_again(files, undisturbed, tmp_path):
    done, found, _ = undisturbed
    half = shutil.copytree(done, tmp_path / "half")
    record = half / "trial-0001.json"
    record.write_text(record.read_text()[:40])
    again, lines = searched(task(files, half))
    pd.testing.assert_frame_equal(again, found)
    assert [line for line in lines if line.startswith("trial 1,")]
    assert json.loads(record.read_text())["trial"]["number"] == 1


def test_a_candidate_that_cannot_be_built_loses_and_is_noted(files, tmp_path):
    space = {"kernel_size": [3, 40]}
    variant = {**VARIANT, "geometry": "resized", "filters": [2, 2, 2], "kernel_size": None}
    keras.backend.clear_session()
    backend.configure(threads=1, seed=0)
    found, winner = search.search(
        task(files, tmp_path, variant=variant, objective="val_accuracy", max_epochs=3),
        space,
        factor=3,
        workers=1,
        say=lambda line: None,
    )
    assert set(found["kernel_size"]) == {3, 40}
    failed = found["kernel_size"] == 40
    assert (found.loc[failed, "score"] == 0).all()
    assert found.loc[failed, "note"].str.contains("too small for the network").all()
    assert (found.loc[~failed, "note"] == "").all()
    assert winner == {"kernel_size": 3}
