"""The demo corpus as a fresh clone runs it, with a learner of each kind, and what is made of it."""

import subprocess
import sys

import harness
import numpy as np
import pandas as pd
import pytest

pytestmark = [pytest.mark.long, pytest.mark.slow]

LEARNERS = {
    "cnn/simple": "cnn/simple/seed-0",
    "ffnn/64": "ffnn/64/seed-0",
    "classify/handcrafted/all/svm-linear": None,
    "classify/resnet50/avg_pool/pca-0.90/svm-rbf": None,
    "ensemble/average": None,
}
"""Where each one's predictions are, if elsewhere."""

RESULTS = "results/demo"


def table(path, **settings):
    return pd.read_csv(path, dtype={"track_id": str}, **settings)


@pytest.mark.parametrize("learner", LEARNERS)
def test_a_bundle_predicts_what_the_tables_were_made_from(whole_demo, learner):
    """Every test track gets its label and, to four decimals, its probabilities by the bundle."""
    named = ("--config", f"predict={{'learner': '{learner}'}}")
    exported = harness.snakemake(whole_demo, "export", "--configfile", "fewer.yaml", *named)
    assert exported.returncode == 0, exported.stderr

    tracks = table(whole_demo / RESULTS / "corpus/tracks.csv", index_col="track_id")
    place = LEARNERS[learner] or learner
    made = table(whole_demo / RESULTS / f"official/{place}/predictions.csv", index_col="track_id")
    made = made[made["part"] == "test"]
    assert len(made) == 48
    (whole_demo / "test.txt").write_text("\n".join(tracks.loc[made.index, "path"]) + "\n")

    command = [sys.executable, "-m", "genreflow.bundle.predict", f"{RESULTS}/bundle", "test.txt"]
    said = subprocess.run(
        [*command, "--first-clip", "--output", "new.csv"],
        cwd=whole_demo,
        env={"PYTHONPATH": str(harness.ROOT / "scripts"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    new = pd.read_csv(whole_demo / "new.csv")
    assert new["predicted"].tolist() == made["predicted"].tolist()
    columns = [name for name in made if name.startswith("p_")]
    np.testing.assert_allclose(new[columns], made[columns], rtol=0, atol=6e-5)


def test_latency_is_timed_and_compared(whole_demo):
    times = table(whole_demo / RESULTS / "tables/latency.csv")
    by_step = times.pivot_table(index="name", columns="step", values="median")
    own = by_step.loc[[name for name in LEARNERS if name != "ensemble/average"]]
    assert (own["model"] < own["clip"]).all()
    assert (by_step.loc[list(LEARNERS), "clip"] < by_step.loc[list(LEARNERS), "file"]).all()
    assert (times["median"] <= times["p95"]).all()

    comparison = table(whole_demo / RESULTS / "tables/comparison.csv")
    comparison["learner"] = comparison["learner"].str.removesuffix(" (random weights)")
    comparison = comparison.set_index("learner")
    assert set(comparison.index) == set(LEARNERS)
    assert comparison["latency_seconds"].to_dict() == pytest.approx(
        by_step.loc[list(LEARNERS), "clip"].to_dict()
    )
    assert comparison.loc["cnn/simple", "parameters"] == 735_944
    report = (whole_demo / RESULTS / "report.html").read_text()
    assert "Latency, learners" in report
    assert "735,944" in (whole_demo / RESULTS / "tables/comparison.md").read_text()
