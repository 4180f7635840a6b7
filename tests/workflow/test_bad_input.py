"""Bad input ends with what is wrong and what to do about it, and nothing is lost."""

import csv
import os
import shutil
import subprocess

import harness
import pytest
import soundfile
import yaml
from harness import run
from small_corpora import TINY, merged, write_clip


def refused(workdir, config, *words, args=("--dry-run",)):
    """Assert that a run fails and says these words, and shows no place in the code."""
    shown = run(workdir, config, *args)
    assert shown.returncode != 0
    said = " ".join(shown.stderr.split())
    for word in words:
        assert word in said, shown.stderr
    assert "Traceback" not in shown.stderr, shown.stderr
    assert ".smk" not in shown.stderr, shown.stderr


def folder_of(**corpus):
    return merged(TINY, {"corpus": corpus})


def test_missing_folder_leaves_the_results(finished):
    before = harness.made_files(finished)
    refused(finished, folder_of(audio="nowhere"), "corpus.audio", "'nowhere'", "sub-folder")
    assert harness.made_files(finished) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"spectrogram": {"n_mel": 3}}, ["spectrogram.n_mel: no such key", "did you mean n_mels?"]),
        (
            {"classify": {"features": {"tiny/pol": ["all"]}}},
            ["classify.features", "tiny/pol", "did you mean tiny/pool?"],
        ),
    ],
)
def test_wrong_configuration_names_the_key(corpus, tmp_path, changes, words):
    refused(harness.copied(corpus, tmp_path / "work"), merged(TINY, changes), *words)


@pytest.mark.parametrize("text", ["path,genre\na.mp3,Rock\n", "\0\1\2", ""])
def test_not_a_tracks_csv(tmp_path, text):
    (tmp_path / "data" / "fma_metadata").mkdir(parents=True)
    (tmp_path / "data" / "fma_small").mkdir()
    (tmp_path / "data" / "fma_metadata" / "tracks.csv").write_text(text)
    config = {"corpus": {"name": "fma", "kind": "fma", "audio": "data"}}
    refused(tmp_path, config, "data/fma_metadata/tracks.csv", "FMA")


@pytest.mark.slow
def test_genre_with_fewer_tracks_than_folds_leaves_the_results(finished):
    before = harness.made_files(finished)
    words = [f"genre {genre!r} has 6 tracks" for genre in ("Ambient", "Techno", "Waltz")]
    words += ["in 4 groups by artist", "for the split cv-1x7 at least 7", "`splits: [auto]`"]
    refused(finished, merged(TINY, {"splits": ["cv-1x7"]}), *words, args=())
    assert harness.made_files(finished) == before


OWN_AUDIO = yaml.safe_load((harness.ROOT / "config/own_audio.yaml").read_text())
OWN_AUDIO["corpus"]["audio"] = "music"


def write_music(workdir, **genres):
    for genre, count in genres.items():
        for number in range(count):
            path = workdir / "music" / genre / f"{number}.wav"
            write_clip(path, seed=hash_of(genre, number), frequency=300, seconds=0.1)


def hash_of(genre, number):
    return 100 * len(genre) + number


def test_own_music_of_two_genres_and_eight_tracks_is_planned(plan, tmp_path):
    write_music(tmp_path, Jazz=8, Waltz=8)
    jobs = plan(tmp_path, base=OWN_AUDIO)
    assert {job[1] for job in jobs if job[0] == "split"} == {
        f"cv-1x5-r1-f{fold}" for fold in range(1, 6)
    }
    assert {"report", "tables", "classify"} <= harness.rules_of(jobs)
    assert not {"cnn", "ffnn"} & harness.rules_of(jobs)
    assert {job[2] for job in jobs if job[0] == "ensemble"} == {"music"}
    assert {job[1] for job in jobs if job[0] == "network"} == {"musicnn"}  # of the set-up
    assert {job[1] for job in jobs if job[0] == "feature_shard"} == {"handcrafted", "musicnn"}


def test_a_genre_of_three_tracks_is_refused_before_anything_is_made(tmp_path):
    write_music(tmp_path, Jazz=3, Waltz=8)
    words = ["genre 'Jazz' has 3 tracks (music/Jazz)", "at least 4", "take the folder out"]
    refused(tmp_path, OWN_AUDIO, *words, args=())
    assert not (tmp_path / "results").exists()


@pytest.mark.slow
def test_what_is_left_out_and_what_auto_means_are_said_at_the_start(tmp_path):
    write_music(tmp_path, Jazz=8, Waltz=8)
    members = {"stack": {"how": "stack", "of": ["cnn/residual", "classify/handcrafted/all/lda"]}}
    asked = {"cnn": {"run": ["residual"]}, "ensembles": {"members": members}}
    shown = run(tmp_path, merged(OWN_AUDIO, asked), "--dry-run")
    assert shown.returncode == 0, shown.stderr
    assert shown.stderr.count("splits: auto means cv-1x5 here") == 1
    assert shown.stderr.count("Left out: ensemble/stack: a stack learns from the validation") == 1


@pytest.mark.slow
def test_fetch_without_network_says_what_is_lacking_and_how_to_do_without(corpus, tmp_path):
    """A proxy that isn't there stands for a network that isn't there."""
    work = harness.copied(corpus, tmp_path / "work")
    sha256 = "ab" * 32
    backbones = {
        "audio": {
            "kind": "onnx",
            "network": "http://127.0.0.1:9/audio.onnx",
            "sha256": sha256,
            "cuts": ["embedding"],
            "input": "image",
        },
    }
    config = merged(
        TINY,
        {
            "transfer": {"weights": "imagenet", "backbones": backbones},
            "classify": {"features": {"vgg16/fc2": ["all"], "audio/embedding": ["all"]}},
        },
    )
    proxies = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), "http://127.0.0.1:9")
    shown = run(work, config, "fetch", env=proxies)
    assert shown.returncode != 0
    log = (work / "results/tiny/logs/fetch.log").read_text()
    for word in (
        "VGG16.h5: ImageNet weights of VGG16, 553 MB, from storage.googleapis.com",
        f"resources/onnx/{sha256}.onnx from http://127.0.0.1:9/audio.onnx",
        "with the same options but without `fetch`",
    ):
        assert log.count(word) == 1, log
    assert shown.stderr.count("Not there yet:") == 1
    assert "  fetch: cannot reach http://127.0.0.1:9" in shown.stderr
    assert "but without `fetch`" in shown.stderr
    assert "    results/tiny/logs/fetch.log\n" in shown.stderr
    assert "--configfile given.yaml" in shown.stderr.partition("give the same command")[2]
    assert "Traceback" not in log + shown.stderr
    assert not (work / "resources").exists() or not list((work / "resources").rglob("*.*"))


STRANGE = (
    "with  two spaces.wav",
    "quo'te.wav",
    'double "quotes".wav',
    "-rf.wav",
    "{open.wav",
    "co:lon.wav",
    "100%d.wav",
    "$HOME `id`.wav",
    "semi;colon&.wav",
    "back\\slash.wav",
    "star*[a-z]?.wav",
    "#hash.wav",
    "Größe und 音楽.wav",
    "new\nline.wav",
    " leading space.wav",
)


@pytest.mark.slow
def test_strange_names_of_files_become_wavs(corpus, tmp_path):
    rate = TINY["audio"]["sample_rate"]
    shutil.copy(corpus / "tiny.keras", tmp_path)
    for number, name in enumerate(STRANGE):
        genre = ("Rock 'n' Roll}", "-Übung: 100%")[number % 2]
        # Each clip has another length, by which its WAV is known.
        write_clip(
            tmp_path / "audio" / genre / f"artist {number}" / name,
            seed=number,
            frequency=300,
            seconds=1 + number / 10,
        )
    done = run(tmp_path, TINY, "--until", "audit")
    assert done.returncode == 0, done.stderr
    made = sorted(soundfile.info(path).frames for path in tmp_path.glob("results/tiny/wav/*.wav"))
    assert made == [round((1 + number / 10) * rate) for number in range(len(STRANGE))]
    audited = [
        row for path in tmp_path.glob("results/tiny/corpus/audit/*.csv")
        for row in csv.DictReader(path.open())
    ]  # fmt: skip
    assert len(audited) == len(STRANGE)
    assert [row["reason"] for row in audited] == [""] * len(STRANGE)


@pytest.mark.slow
def test_a_name_that_snakemake_would_fill_in_is_left_out(corpus, tmp_path):
    """Snakemake knows no way to write such a name: it takes the braces for a wildcard."""
    work = harness.copied(corpus, tmp_path / "work")
    name = "audio/Techno/artist-0/{wildcards.track}.wav"
    write_clip(work / name, seed=1, frequency=300)
    done = run(work, TINY, "--until", "manifest")
    assert done.returncode == 0, done.stderr
    with (work / "results/tiny/corpus/excluded.csv").open() as file:
        out = {row["path"]: row["detail"] for row in csv.DictReader(file)}
    assert "rename" in out[name]


@pytest.fixture
def full_disk(tmp_path):
    """Mount a disk that is too small for the WAVs of the tiny corpus."""
    folder = tmp_path / "work" / "results" / "tiny" / "wav"
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", folder]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.slow
def test_full_disk_is_no_corrupt_clip(full_disk, corpus, tmp_path, template):
    work = harness.copied(corpus, tmp_path / "work")
    failed = run(work, TINY, "--until", "wav")
    assert failed.returncode != 0
    assert "No space left on device" in failed.stderr
    made = list(full_disk.glob("*.wav"))
    assert 0 < len(made) < 18
    good = {path.name: path.read_bytes() for path in template.glob("results/tiny/wav/*.wav")}
    assert [path.name for path in made if path.read_bytes() != good[path.name]] == []
    subprocess.run(["mount", "-o", "remount,size=16m", full_disk], check=True)
    done = run(work, TINY, "--until", "wav")
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in full_disk.iterdir()} == good
