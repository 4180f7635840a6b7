"""Every bad or odd input is used or listed with the reason, within the limits of time and memory.

Where the environment variable GENREFLOW_RELIABILITY names a folder, the outcomes are written there
as a table in Markdown (bad_audio.md), for the documentation.
"""

import json
import os
import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import bad_audio
import h5py
import harness
import imageio_ffmpeg
import pandas as pd
import pytest
import yaml
from genreflow.audio import formats
from genreflow.features.kinds.handcrafted import Handcrafted

pytestmark = [pytest.mark.long, pytest.mark.slow]

RESULTS = "results/bad"
CONFIG = {
    "splits": ["grouped"],
    "corpus": {
        "name": "bad",
        "kind": "folder",
        "audio": "audio",
        "shards": 2,
        "max_excluded": 1,
    },
}
TARGETS = ("corpus/excluded.csv", "spectrograms.h5", "features/handcrafted.h5")

MUST_BE_USED = {
    "1 to 8 channels",
    "8 to 64 bits, float",
    "a name of 255 bytes, or with strange characters",
}
MUST_BE_LEFT_OUT = {
    *("zero bytes", "text", "random bytes", "header only", "cover art only", "tags only"),
    *("a list of other files", "another kind of file", "0 to 100 samples"),
    *("a link to itself or to nothing", "a named pipe", "a device", "a socket"),
    *("3 hours of silence", "128 MB of zero bytes", "silence, constants"),
    "all of the samples NaN, infinite or absurd",
}


@dataclass(frozen=True)
class Run:
    """A run over good clips and all bad inputs.

    Attributes
    ----------
    folder
        Its working folder.
    good, bad
        The paths of the good clips; the bad inputs.
    done
        How Snakemake ended.
    """

    folder: Path
    good: list
    bad: list
    done: subprocess.CompletedProcess

    def table(self, name):
        path = self.folder / RESULTS / name
        return pd.read_csv(path, dtype=str, keep_default_na=False, index_col="track_id")

    @property
    def ids(self):
        """The id of each listed path."""
        listing = json.loads((self.folder / RESULTS / "corpus/listing.json").read_text())
        return {
            str(self.folder / track["path"]): track["track_id"]
            for track in listing["tracks"] + listing["missing"]
        }


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bad")
    good = bad_audio.good(folder / "audio")
    bad = bad_audio.bad(folder / "audio")
    (folder / "bad.yaml").write_text(yaml.safe_dump(CONFIG))
    targets = [f"{RESULTS}/{name}" for name in TARGETS]
    done = harness.snakemake(folder, *targets, "--configfile", "bad.yaml")
    return Run(folder, good, bad, done)


@pytest.fixture(scope="module")
def outcomes(run):
    """Return for each input: "used" or the reason, and the same of hand-crafted features."""
    assert run.done.returncode == 0, run.done.stderr
    ids, used, excluded = run.ids, run.table("corpus/tracks.csv"), run.table("corpus/excluded.csv")
    left_out = run.table("features/handcrafted.left_out.csv")
    with h5py.File(run.folder / RESULTS / "features/handcrafted.h5") as file:
        featured = set(file["track_id"].asstr()[:])
    rows = []
    for one in run.bad:
        # A name that is not in UTF-8 is listed with escapes.
        track_id = ids.get(os.fsencode(one.path).decode("utf-8", "backslashreplace"))
        row = {"track_id": track_id, "kind": one.kind, "path": str(one.path)}
        row |= {"outcome": "", "features": ""}
        if track_id in used.index:
            row["outcome"] = "used"
        elif track_id in excluded.index:
            row["outcome"] = excluded.loc[track_id, "reason"]
            row["detail"] = excluded.loc[track_id, "detail"]
        if track_id in featured:
            row["features"] = "computed"
        elif track_id in left_out.index:
            row["features"] = left_out.loc[track_id, "reason"]
        rows.append(row)
    return pd.DataFrame(rows)


def test_there_are_at_least_200_inputs_and_no_two_alike(run):
    assert len(run.bad) >= 200
    assert len({one.path for one in run.bad}) == len(run.bad)


def test_no_job_fails(run):
    assert run.done.returncode == 0, run.done.stderr
    assert "Traceback" not in run.done.stderr


def test_each_input_is_used_or_listed_with_a_reason(outcomes):
    silent = outcomes[(outcomes["outcome"] == "")]
    assert silent["path"].tolist() == []
    listed = outcomes[outcomes["outcome"] != "used"]
    assert (listed["detail"].str.len() > 0).all()


def test_each_input_that_is_a_file_has_features_or_a_reason(run, outcomes):
    listing = json.loads((run.folder / RESULTS / "corpus/listing.json").read_text())
    no_files = {track["track_id"] for track in listing["missing"]}
    silent = outcomes[(outcomes["features"] == "") & ~outcomes["track_id"].isin(no_files)]
    assert silent["path"].tolist() == []


def test_what_is_used_has_an_image(run):
    with h5py.File(run.folder / RESULTS / "spectrograms.h5") as file:
        drawn = set(file["track_id"].asstr()[:])
    assert set(run.table("corpus/tracks.csv").index) - drawn == set()


def test_good_clips_are_used_beside_bad_ones(run):
    ids, used = run.ids, run.table("corpus/tracks.csv").index
    left_out = run.table("features/handcrafted.left_out.csv").index
    assert [path for path in run.good if ids[str(path)] not in used] == []
    assert [path for path in run.good if ids[str(path)] in left_out] == []


@pytest.mark.parametrize("kind", sorted(MUST_BE_USED))
def test_odd_but_sound_clips_are_used(outcomes, kind):
    own = outcomes[outcomes["kind"] == kind]
    assert len(own) > 0
    assert set(own["outcome"]) == {"used"}


@pytest.mark.parametrize("kind", sorted(MUST_BE_LEFT_OUT))
def test_what_is_no_music_is_left_out(outcomes, kind):
    own = outcomes[outcomes["kind"] == kind]
    assert len(own) > 0
    assert "used" not in set(own["outcome"])


def limits():
    """Return mem_mb of each rule [MB]."""
    rules = "".join(path.read_text() for path in (harness.ROOT / "rules").glob("*.smk"))
    found = re.findall(r"^ *rule (\w+):$(?:(?!^ *rule ).)*?mem_mb=(\d+)", rules, re.M | re.S)
    # The shards of each kind of features have their own limit.
    return {rule: int(limit) for rule, limit in found} | {"feature_shard": Handcrafted.memory_mb}


def peaks(run):
    """Return the most memory that a job of each rule took, as its benchmark says it [MB]."""
    folder = run.folder / RESULTS / "benchmarks"
    found = {}
    for path in folder.rglob("*.tsv"):
        rule = path.relative_to(folder).parts[0].removesuffix(".tsv")
        measured = pd.read_csv(path, sep="\t")["max_rss"].max()
        found[rule] = max(found.get(rule, 0), 0 if pd.isna(measured) else measured)
    return found


PEAK_OF_WAVS = """
import json, os, subprocess, sys
from concurrent.futures import ThreadPoolExecutor
script, folder, options, *paths = json.load(sys.stdin)

def peak(number):
    command = ["bash", script, paths[number], f"{folder}/{number}.wav", "22050", "654885", "31.7"]
    process = subprocess.Popen([*command, *options], stderr=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    return used.ru_maxrss

with ThreadPoolExecutor(os.cpu_count()) as pool:
    print(max(pool.map(peak, range(len(paths)))) / 1000)
"""


def peak_of_wavs(paths, folder):
    """Return the most memory that the job of a clip takes [MB].

    The jobs are too short for their benchmarks. The process that starts them is a small one, for
    its own memory counts as theirs.
    """
    given = [
        str(harness.ROOT / "scripts/genreflow/audio/wav.sh"),
        str(folder),
        formats.SAFE,
        *map(str, paths),
    ]
    done = subprocess.run(
        [sys.executable, "-c", PEAK_OF_WAVS],
        env=os.environ | {"FFMPEG": imageio_ffmpeg.get_ffmpeg_exe()},
        input=json.dumps(given),
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return float(done.stdout)


PEAK_OF_FEATURES = """
import resource, sys
from genreflow.audio.decode import native
from genreflow.features import handcrafted
handcrafted.extract(*native(sys.argv[1], duration=29.7))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)
"""


def peak_of_features(path):
    """Return the most memory that the features of a clip take [MB].

    Benchmarks look now and then only. A small process stands between, as above.
    """
    small = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    done = subprocess.run(
        [sys.executable, "-c", small, PEAK_OF_FEATURES, path],
        env=os.environ | {"PYTHONPATH": str(harness.ROOT / "scripts")},
        capture_output=True,
        text=True,
        check=True,
        timeout=600,
    )
    return float(done.stdout)


@pytest.fixture(scope="module")
def memory(run, tmp_path_factory):
    """Return for each rule the most memory that a job took, and its limit [MB]."""
    folder = tmp_path_factory.mktemp("wavs")
    found = peaks(run) | {"wav": peak_of_wavs([one.path for one in run.bad], folder)}
    (wide,) = (one.path for one in run.bad if one.path.name == "wide.flac")
    found["feature_shard"] = max(found["feature_shard"], peak_of_features(wide))
    return {rule: (found[rule], limit) for rule, limit in limits().items() if rule in found}


def test_no_job_takes_more_memory_than_its_rule_says(memory):
    assert {"wav", "audit", "spectrogram_shard", "feature_shard"} <= memory.keys()
    assert {rule: both for rule, both in memory.items() if both[0] > both[1]} == {}


def said(values):
    """Write how often there is what."""
    return ", ".join(f"{count} {value}" for value, count in sorted(Counter(values).items()))


def table(outcomes, memory):
    """Return the outcomes in Markdown, by kind of input."""
    handled = (outcomes["outcome"] != "").sum()
    lines = [
        f"{handled} of {len(outcomes)} bad or odd inputs are used or listed in `excluded.csv` with "
        "the reason; none stops the run.",
        "",
        "| input | how many | used | left out | with hand-crafted features |",
        "|---|---:|---:|---|---:|",
    ]
    for kind, own in outcomes.groupby("kind", sort=False):
        used = own["outcome"] == "used"
        reasons = said(own.loc[~used, "outcome"])
        computed = (own["features"] == "computed").sum()
        lines.append(f"| {kind} | {len(own)} | {used.sum()} | {reasons} | {computed} |")
    lines += ["", "| rule | most memory of a job, MB | limit, MB |", "|---|---:|---:|"]
    lines += [f"| {rule} | {peak:.0f} | {limit} |" for rule, (peak, limit) in memory.items()]
    return "\n".join(lines) + "\n"


def test_the_table_of_outcomes_counts_every_input(outcomes, memory):
    text = table(outcomes, memory)
    if folder := os.environ.get("GENREFLOW_RELIABILITY"):
        Path(folder).mkdir(parents=True, exist_ok=True)
        Path(folder, "bad_audio.md").write_text(text)
    counts = re.findall(r"^\| .* \| (\d+) \| \d+ \| .* \| \d+ \|$", text, re.M)
    assert sum(map(int, counts)) == len(outcomes)
    assert text.startswith(f"{len(outcomes)} of {len(outcomes)} ")
