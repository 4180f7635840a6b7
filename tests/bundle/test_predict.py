"""Prediction of new audio, by bundles of learners that were trained on a tiny corpus."""

import csv
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from genreflow.audio import collect
from genreflow.bundle import bundles, files, predict
from genreflow.bundle.files import predict_files
from genreflow.bundle.predicted import Prediction, escaped, read_json, segments, table, to_text
from genreflow.bundle.prediction import windows
from genreflow.errors import GenreflowError
from genreflow.evaluation import calibration
from genreflow.names import RANDOM
from made.trained_corpus import CLIP, GENRES, LOGISTIC, SCRIPTS

PROBABILITIES = [f"p_{genre}" for genre in GENRES]
EAR = "classify/ear/bands/all/lda"


@pytest.mark.parametrize(
    ("seconds", "hop", "starts"),
    [
        *((1.0, 10, [0]), (10.0, 10, [0]), (11.9, 10, [0]), (12.0, 10, [0, 2])),
        *((20.0, 10, [0, 10]), (21.0, 10, [0, 10]), (25.0, 10, [0, 10, 15])),
        *((25.0, 5, [0, 5, 10, 15]), (27.0, 5, [0, 5, 10, 15, 17])),
        (29.7 * 3, 29.7, [0, 29.7, 59.4]),
    ],
)
def test_windows_cover_a_file(seconds, hop, starts):
    length = 29.7 if hop == 29.7 else 10
    np.testing.assert_allclose(windows(seconds, length=length, hop=hop), starts)


@pytest.mark.parametrize("name", ["cnn/whole", LOGISTIC, EAR, "ensemble/mean"])
def test_a_long_file_gets_the_mean_over_its_windows(predictor, long_file, tmp_path, name):
    one = predictor(name).predict(long_file)
    clip = predictor(name).bundle.clip
    last = 11.6 - clip
    np.testing.assert_allclose(one.starts, [0, clip, last] if clip == CLIP else one.starts)
    np.testing.assert_allclose(one.ends - one.starts, clip)
    assert one.ends[-1] == pytest.approx(11.6)
    mean = (one.counts[:, np.newaxis] * one.by_window).sum(axis=0) / one.counts.sum()
    np.testing.assert_allclose(one.probabilities, mean)
    samples, rate = soundfile.read(long_file)
    for start, expected in zip(one.starts, one.by_window, strict=True):
        piece = tmp_path / f"{start}.flac"
        # More than a clip, since the hand-crafted features of an ensemble look a little further.
        soundfile.write(piece, samples[round(start * rate) : round((start + 3.5) * rate)], rate)
        alone = predictor(name).predict(piece)
        # Resampling knows what comes before a window, and not before a file.
        np.testing.assert_allclose(alone.probabilities, expected, atol=0.01)


def test_windows_of_silence_are_left_out(predictor, long_file):
    one = predictor("cnn/whole").predict(long_file)
    assert 6.0 not in one.starts and len(one.starts) == 3


def test_hop_and_first_clip(predictor, long_file):
    halves = predictor("cnn/whole").predict(long_file, hop=1.5)
    assert {1.5, 4.5} < set(halves.starts) and halves.starts[-1] == pytest.approx(7.5)
    first = predictor("cnn/whole").predict(long_file, whole=False)
    assert list(first.starts) == [0]
    np.testing.assert_allclose(first.by_window[0], halves.by_window[0], rtol=1e-5)
    with pytest.raises(GenreflowError, match="hop"):
        predictor("cnn/whole").predict(long_file, hop=0)


def test_a_last_window_counts_by_what_is_new_in_it(predictor, long_file, tmp_path):
    samples, rate = soundfile.read(long_file)
    piece = tmp_path / "piece.flac"
    soundfile.write(piece, samples[: round(5.5 * rate)], rate)
    one = predictor("cnn/whole").predict(piece)
    np.testing.assert_allclose(one.starts, [0, 2.5])
    np.testing.assert_allclose(one.counts, [3, 2.5])
    mean = (3 * one.by_window[0] + 2.5 * one.by_window[1]) / 5.5
    np.testing.assert_allclose(one.probabilities, mean)
    # Where windows overlap by themselves, each begins a hop after the one before.
    often = predictor("cnn/whole").predict(long_file, hop=1)
    assert len(often.starts) > 5
    np.testing.assert_allclose(often.counts, 1)
    rest = predictor("cnn/whole").predict(piece, hop=10)
    np.testing.assert_allclose(rest.counts, [3, 2.5])
    assert list(segments([one])["counts"]) == [3, 2.5]


def test_segments_say_which_speak_most_for_the_genre(predictor, long_file):
    one = predictor("cnn/whole").predict(long_file)
    rows = segments([one])
    own = rows[f"p_{one.predicted}"]
    assert list(rows["rank"]) == list(own.rank(ascending=False).astype(int))
    assert list(rows["start"]) == [0, 3, 8.6] and list(rows["end"]) == [3, 6, 11.6]
    best = rows.loc[own.idxmax()]
    (row,) = table([one]).to_dict("records")
    clock = [f"0:{round(best[end]):02d}" for end in ("start", "end")]
    assert row["strongest"] == "-".join(clock) and row["windows"] == 3
    # The last one begins 2.6 s behind the one before, which is silent and left out.
    assert list(rows["counts"]) == [3, 3, 2.6]
    means = np.average(rows[PROBABILITIES], axis=0, weights=[3, 3, 2.6])
    np.testing.assert_allclose([row[name] for name in PROBABILITIES], means, atol=1e-4)
    assert list(rows["window_predicted"]) == [
        GENRES[place] for place in rows[PROBABILITIES].to_numpy().argmax(axis=1)
    ]
    first, second, _ = sorted(GENRES, key=lambda genre: -row[f"p_{genre}"])
    assert (row["name"], row["predicted"], row["second"]) == ("long.flac", first, second)


@pytest.fixture
def music(tmp_path, corpus):
    """Make a folder with one good file and others that can't be used."""
    folder = tmp_path / "music"
    (folder / "deep").mkdir(parents=True)
    shutil.copy(corpus.files[0], folder / "deep" / "good.mp3")
    (folder / "bad.mp3").write_bytes(b"no audio at all" * 100)
    (folder / "empty.flac").write_bytes(b"")
    soundfile.write(folder / "short.wav", np.ones(1000) / 2, 44100)
    soundfile.write(folder / "silent.wav", np.zeros(2 * 44100), 44100)
    (folder / "cover.jpg").write_bytes(b"a picture")
    (folder / "._good.mp3").write_bytes(b"of the system")
    return folder


@pytest.mark.parametrize("name", ["cnn/whole", LOGISTIC])
def test_what_cant_be_used_is_listed_with_its_reason(predictor, music, name):
    said = []
    (music / "empty").mkdir()
    latin = Path(os.fsdecode(os.fsencode(music) + b"/caf\xe9 {live}.mp3"))
    shutil.copy(music / "deep" / "good.mp3", latin)
    paths = [*collect.below(music).files, music / "gone.mp3", music / "empty"]
    found = predict_files(predictor(name), paths, report=said.append)
    reasons = {Path(one.file).name: one.reason for one in found}
    assert reasons.pop("good.mp3") == reasons.pop(latin.name) == ""
    assert "without audio" in reasons.pop("empty")
    assert set(reasons) == {"bad.mp3", "empty.flac", "short.wav", "silent.wav", "gone.mp3"}
    assert "too short: 0.02 s" in reasons["short.wav"] and "silent" in reasons["silent.wav"]
    assert "no such file" in reasons["gone.mp3"]
    assert all(reasons.values())
    assert len(said) == 8 and said[0].startswith("1 of 8")
    bad = table(found).set_index("file").loc[str(music / "bad.mp3")]
    assert bad["predicted"] == "" and bad["windows"] == 0 and np.isnan(bad["p_Hiss"])
    assert len(segments(found)) == 2


@pytest.mark.parametrize(
    "name", ["=cmd|'A0'!A1.flac", "+1.flac", "-x.flac", "@x.flac", "\uff1d1.flac"]
)
def test_no_cell_of_the_tables_is_a_formula(predictor, corpus, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    found = predictor(LOGISTIC).predict(corpus.files[1])
    shutil.copy(corpus.files[1], name)
    made = [replace(found, genres=("=1+1", "b", "c"), file=name)]
    made += predict_files(predictor(LOGISTIC), [f"{name}.gone"], report=lambda _: None)
    for rows in (table(made), segments(made)):
        rows.to_csv("out.csv", index=False)
        with Path("out.csv").open(encoding="utf-8", newline="") as file:
            read = list(csv.DictReader(file))
        texts = [row[column] for row in read for column in row if not column.startswith("p_")]
        assert not [
            text for text in texts if text[:1] in ("=", "+", "-", "@", "\uff1d", "\t", "\r")
        ]
        # What the table says is still the file's path.
        assert read[0]["file"] == f"./{name}" and Path(read[0]["file"]).exists()


def test_a_broken_file_doesnt_widen_the_table_of_the_terminal(predictor):
    reason = "unreadable: " + "a long story of a decoder " * 20
    one = Prediction.without("a.mp3", GENRES, reason)
    assert max(map(len, to_text(table([one])).splitlines())) < 160
    assert table([one])["reason"][0] == reason


def test_the_terminal_shows_names_and_the_two_most_probable_genres():
    shares = np.array([[0.1234567, 0.2, 0.6766433]])
    where = np.zeros(1), np.full(1, 65.0), shares, np.ones(1)
    made = [Prediction(f"far/away/{name}.mp3", GENRES, *where) for name in "ab"]
    heading, first, _ = to_text(table(made)).splitlines()
    assert first.split() == ["a.mp3", "Pulse", "0.6766", "Hiss", "0.2000", "1", "0:00-1:05"]
    assert heading.split()[:4] == ["name", "predicted", "p_predicted", "second"]
    assert list(table(made)["p_Drone"]) == [0.1235] * 2
    unsure = to_text(table([made[0], replace(made[1], unsure_below=0.7)])).splitlines()
    assert "unsure" in unsure[0] and [row.split()[5:6] == ["unsure"] for row in unsure[1:]] == [
        False,
        True,
    ]
    same = table([*made, Prediction("near/a.mp3", GENRES, *where)])
    assert "far/away/a.mp3" in to_text(same) and "near/a.mp3" in to_text(same)


def test_control_characters_of_names_dont_reach_the_terminal():
    assert escaped("a\x1b[2Jb\n\u202ec") == "a\\x1b[2Jb\\n\\u202ec"
    assert escaped(os.fsdecode(b"M\xfcsik.mp3")) == "M\\xfcsik.mp3"
    assert escaped("Mu\u0308sik \u97f3\u697d-1.mp3") == "Mu\u0308sik \u97f3\u697d-1.mp3"


COMMAND_LINE = """
import runpy, sys
try:
    runpy.run_module("genreflow.bundle.predict", run_name="__main__", alter_sys=True)
finally:
    assert not {"tensorflow", "keras", "snakemake", "statsmodels"} & set(sys.modules)
"""


def test_a_bundle_works_elsewhere_without_tensorflow_snakemake_and_corpus(
    bundled, predictor, music, tmp_path
):
    moved = shutil.copytree(bundled(LOGISTIC), tmp_path / "given" / "bundle")
    given = ["--output", "new/out.csv", "--segments", "segments.csv", "--json", "new/out.json"]
    given += ["--page", "page.html", "--playlists", "lists", "music"]
    run = subprocess.run(
        [sys.executable, "-c", COMMAND_LINE, str(moved), *given],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SCRIPTS)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout == ""
    assert "5 of 5" in run.stderr and "bad.mp3" in run.stderr and "differ" not in run.stderr
    written = pd.read_csv(tmp_path / "new" / "out.csv", keep_default_na=False)
    assert list(written) == [
        "file", "name", "predicted", "second", "unsure", *PROBABILITIES,
        "windows", "strongest", "reason"
    ]  # fmt: skip
    assert list(written["file"]) == [f"music/{name}" for name in
        ("bad.mp3", "deep/good.mp3", "empty.flac", "short.wav", "silent.wav")]  # fmt: skip
    assert (written["predicted"] != "").sum() == 1
    # Other processes decoded the files there, and none does here.
    expected = predictor(LOGISTIC).predict(music / "deep" / "good.mp3")
    found = written.loc[1, PROBABILITIES].astype(float)
    np.testing.assert_array_equal(found, expected.probabilities.round(4))
    assert written.loc[1, "predicted"] == expected.predicted
    assert len(pd.read_csv(tmp_path / "segments.csv")) == 1
    assert len(read_json(tmp_path / "new" / "out.json").files) == 5
    assert "music/deep/good.mp3" in (tmp_path / "page.html").read_text()
    (made,) = (tmp_path / "lists").iterdir()
    assert made.name == f"{expected.predicted}.m3u8"


def test_a_process_that_dies_is_a_reason(predictor):
    said = []
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        prepared = files._ahead(pool, os._exit, [1])
        (one,) = predict_files(
            predictor(LOGISTIC), ["huge.flac"], prepared=prepared, report=said.append
        )
    assert "memory" in one.reason and "memory" in said[0]


def test_processes_that_prepare_files_leave_the_cores_to_each_other():
    code = """
from genreflow.bundle import files
from threadpoolctl import threadpool_info
with files._pool(2) as pool:
    found = pool.submit(threadpool_info).result()
print({one["num_threads"] for one in found if one["user_api"] == "blas"})
"""
    environment = {**os.environ, "PYTHONPATH": str(SCRIPTS), "OPENBLAS_NUM_THREADS": "3"}
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "{1}"


def test_exit_status_tells_whether_anything_was_predicted(bundled, music, capsys):
    bundle, one = str(bundled("cnn/crops")), ["--threads", "1"]
    assert predict.main([bundle, str(music / "bad.mp3"), *one]) == 1
    assert "unreadable" in capsys.readouterr().out
    assert predict.main([bundle, str(music), *one]) == 0
    shown, said = capsys.readouterr()
    assert "good.mp3" in shown and any(genre in shown for genre in GENRES)
    first, by, *others = said.splitlines()
    assert "Not looked at" in first and "1 .jpg, 1 of the system" in first
    assert by == "By cnn/crops, trained on tiny"
    assert len(others) == 5
    # The two most probable genres of the file, by its name.
    (good,) = (line for line in others if ": good.mp3: " in line)
    assert re.fullmatch(r"2 of 5: good\.mp3: (unsure: )?\w+ 0\.\d{4}, \w+ 0\.\d{4} \(1 .*", good)
    assert predict.main(["no-bundle", str(music), *one]) == 2
    shown, said = capsys.readouterr()
    assert shown == "" and "no bundle" in said


def test_what_was_learned_from_is_said(corpus, tmp_path):
    note = "Synthetic demo corpus: these numbers say nothing about real music."
    corpus.export(tmp_path / "bundle", LOGISTIC, note=note, marks={"handcrafted": RANDOM})
    said = []
    found = files.predict(tmp_path / "bundle", corpus.files[:1], report=said.append)
    assert said[:2] == [f"By {LOGISTIC}, trained on tiny", found.note] and found.corpus == "tiny"
    assert found.note.startswith(note) and "random weights" in found.note


def test_what_is_unsure_was_chosen_on_validation(corpus, bundled, tmp_path):
    known = pd.read_csv(corpus.predictions(LOGISTIC))
    held = known[known["part"] == "validation"]
    right = (held["genre"] == held["predicted"]).to_numpy()
    threshold = calibration.threshold(held[PROBABILITIES].to_numpy().max(axis=1), right)
    assert bundles.read(bundled(LOGISTIC)).unsure == threshold
    corpus.export(tmp_path / "bundle", LOGISTIC, validated=False)
    assert bundles.read(tmp_path / "bundle").unsure is None
    found = files.predict(tmp_path / "bundle", corpus.files[:1], report=lambda _: None)
    assert found.unsure is None and not found.files[0].unsure
