"""Every command of the pages runs: what it calls Snakemake with is planned."""

import os
import re
import shutil
import subprocess

import harness
import pandas as pd
import pytest
from genreflow.corpus import demo
from made import checkouts
from made.tagged import genre_frame, id3

READMES = [harness.ROOT / "README.md", harness.ROOT / "results/README.md"]
PAGES = [*READMES, *sorted(harness.ROOT.glob("docs/*.md"))]
BLOCK = re.compile(r"^```bash\n(.*?)^```", re.DOTALL | re.MULTILINE)


def commands():
    lines = [
        line
        for page in PAGES
        for block in BLOCK.findall(page.read_text(encoding="utf-8"))
        for line in block.splitlines()
    ]
    return [line for line in dict.fromkeys(lines) if not line.startswith(("git clone", "#"))]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Make a checkout with the corpora that the pages' commands name, as empty files."""
    place = checkouts.write(tmp_path_factory.mktemp("commands"))
    shutil.copytree(harness.ROOT / "profiles", place / "profiles")
    music = place / "my/music"
    for genre in ("Jazz", "Polka"):
        for number in range(8):
            path = music / genre / f"{number}.mp3"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(id3(genre_frame(genre)))
    shutil.copytree(music / "Jazz", place / "my/new")
    rows = [(f"music/{genre}/{n}.mp3", genre) for genre in ("Jazz", "Polka") for n in range(8)]
    pd.DataFrame(rows, columns=["path", "genre"]).to_csv(place / "my/tracks.csv", index=False)
    (place / "my/features.csv").touch()
    rows = [f"{genre}.{n}.wav,1.5,{genre}\n" for genre in ("jazz", "polka") for n in range(4)]
    (place / "my/features_30_sec.csv").write_text("filename,rms_mean,label\n" + "".join(rows))
    for fma in (place / "my/fma", place / "data/fma"):
        tracks = demo.tracks(genres=2, clips_per_genre=5, seed=0, source=str(fma))
        demo.write_metadata(tracks, fma / "fma_metadata/tracks.csv")
        for track in tracks:
            path = place / track.path.replace("fma_demo", "fma_small")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        (fma / "fma_metadata/features.csv").touch()
    return place


@pytest.mark.slow
@pytest.mark.parametrize("command", commands())
def test_every_command_runs(command, place):
    (place / "called").write_text("")
    path = f"{place / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-c", command], cwd=place, env=os.environ | {"PATH": path}, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    calls = checkouts.calls(place)
    assert calls or command == "make .venv/.installed"
    for arguments in calls:
        if "--report" in arguments:  # of a finished run, as in test_reports.py
            del arguments[arguments.index("--report") :]
        planned = harness.called(place, *arguments, "--dry-run")
        assert planned.returncode == 0, planned.stderr


def test_there_are_commands_for_each_corpus():
    text = "\n".join(commands())
    assert "make run" in text
    assert "make run MUSIC=" in text
    assert "own_audio" in text
    assert "fma_small" in text
