"""A prediction by an exported bundle against the sum of its steps; and the cold start.

Trains two learners on a small demo corpus by the workflow, bundles each, and predicts single files
in one process (warm: models loaded, files in the page cache). The steps are timed by
`bundle.latency`: decoding, features, model. A cold start is a whole process, from the command
line to the table.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from genreflow.layout import Layout

ROOT = Path(__file__).parents[1]
LEARNERS = {
    "classify/handcrafted/all/lda": "no TensorFlow",
    "cnn/residual": "TensorFlow",
}
CONFIG = {
    "corpus": {"genres": 2, "clips_per_genre": 10, "max_excluded": 0.8, "shards": 2},
    "cnn": {"run": ["residual"], "variants": {"residual": {"epochs": 1}}},
    "ffnn": {"units": []},
    "transfer": {"backbones": {}},
    "classify": {
        "features": {
            **{f"vgg16/{cut}": [] for cut in ("block5_pool", "fc1", "fc2")},
            **{f"resnet50/{cut}": [] for cut in ("avg_pool", "conv5_block1_2_relu")},
        },
        "run": ["lda"],
        "folds": 2,
    },
    "latency": {"clips": 4},
    "ensembles": {"members": {}},
}
RESULTS = Layout.of_corpus("demo")
WARM = """
import sys, time
from pathlib import Path
from genreflow.bundle import prediction
from genreflow.features import backend
backend.configure(threads=int(sys.argv[1]), seed=0)
predictor = prediction.Predictor(sys.argv[2], threads=int(sys.argv[1]))
paths = Path(sys.argv[3]).read_text().split()
for path in [*paths[:2], *paths]:
    start = time.perf_counter()
    predictor.predict(path, whole=False)
    print(time.perf_counter() - start)
"""


def run(folder, *command, **settings):
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        **settings,
    )


def workflow(folder, *arguments):
    # The targets first: --configfile and --config take all that follows.
    base = ("--snakefile", ROOT / "Snakefile", "--cores", "2", "--configfile", "few.yaml")
    run(folder, "-m", "snakemake", *arguments, *base)


def times(folder, threads):
    """Return the median time of each step by learner [s]."""
    table = pd.read_csv(folder / RESULTS.table("latency"))
    assert set(table["threads"]) == {threads}
    return table.pivot_table(index="name", columns="step", values="median")


def warm(folder, threads):
    """Return the median time of a prediction by the bundle in a process that is warm [s]."""
    said = run(folder, "-c", WARM, threads, RESULTS.bundle, "few.txt", env=environment())
    return float(np.median([float(line) for line in said.stdout.split()[2:]]))


def cold(folder, path, threads, repeats):
    """Return the median time of a whole process that predicts one file [s]."""
    command = ("-m", "genreflow.bundle.predict", RESULTS.bundle, path, "--first-clip")
    found = []
    for _ in range(repeats):
        start = time.perf_counter()
        run(folder, *command, "--threads", threads, env=environment())
        found.append(time.perf_counter() - start)
    return float(np.median(found))


def environment():
    return {"PYTHONPATH": str(ROOT / "scripts"), "PATH": "/usr/bin:/bin"}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        CONFIG["latency"]["threads"] = given.threads
        (folder / "few.yaml").write_text(yaml.safe_dump(CONFIG))
        workflow(folder, RESULTS.table("latency"))
        tracks = pd.read_csv(folder / RESULTS.tracks)
        paths = tracks["path"].tolist()
        (folder / "few.txt").write_text("\n".join(paths))
        steps = times(folder, given.threads)
        print("| learner | decode, features, model | predicted, warm | ratio | cold start |")
        print("|---|---|---|---|---|")
        for learner, needs in LEARNERS.items():
            workflow(folder, "export", "--config", f"predict={{'learner': '{learner}'}}")
            expected, found = steps.loc[learner, "file"], warm(folder, given.threads)
            started = cold(folder, paths[0], given.threads, given.repeats)
            print(
                f"| {learner} ({needs}) | {1000 * expected:.0f} ms | {1000 * found:.0f} ms "
                f"| {found / expected:.2f} | {started:.2f} s |",
                flush=True,
            )


if __name__ == "__main__":
    main()
