"""A learner that the data don't allow has its reason in tables and report; a bug ends the run."""

import csv

import harness
from harness import run
from small_corpora import TINY, merged

DIVERGES = merged(TINY, {"ffnn": {"learning_rate": 1e30}})
"""No network on the features can be trained by it: all its weights are too large at once."""
SAID = "the training diverged"


def rows_of(path):
    with path.open(newline="") as file:
        return {row["learner"]: row for row in csv.DictReader(file)}


def test_what_the_data_dont_allow_ends_with_its_reason(finished, plan):
    results = finished / "results/tiny"
    before = rows_of(results / "tables/comparison.csv")
    done = run(finished, DIVERGES)
    assert done.returncode == 0, done.stderr
    assert "grouped/ffnn/4/seed-0 can't be made of these data" in done.stderr

    rows = rows_of(results / "tables/comparison.csv")
    assert list(rows)[-2:] == ["ensemble/both", "ffnn/4"]
    assert rows["ffnn/4"]["reason"].startswith(SAID)
    assert rows["ensemble/both"]["reason"].startswith(f"its member ffnn/4, seed 0: {SAID}")
    said = {"split", "learner", "title", "kind", "mark", "reason", "chosen"}
    numbers = rows["ffnn/4"].keys() - said - {"learns_from_validation"}
    assert not any(rows["ffnn/4"][key] for key in numbers)
    others = rows.keys() - {"ffnn/4", "ensemble/both"}
    assert len(others) == 7 and all(rows[name] == before[name] for name in others)
    assert rows_of(results / "tables/ffnn.csv")["ffnn/4"]["reason"].startswith(SAID)
    assert "ffnn/4" not in (results / "tables/genres.csv").read_text()
    assert "2 of 9 learners couldn't be made" in (results / "tables/summary.txt").read_text()

    page = (results / "report.html").read_text()
    assert SAID in page
    assert 'id="grouped/cnn/simple"' in page and 'id="grouped/ffnn/4"' not in page
    assert 'href="#grouped/ffnn/4"' not in page
    for name in ("learning_curves", "confusion_matrix"):
        assert SAID in (results / f"figures/grouped/ffnn/4/{name}.svg").read_text()
    assert not plan(finished, base=DIVERGES)


def test_a_bug_ends_the_run(finished, tmp_path):
    root = harness.copy_code(tmp_path / "code")
    module = root / "scripts/genreflow/learners/ffnn.py"
    right = "    scaler = StandardScaler()"
    assert right in module.read_text()
    module.write_text(module.read_text().replace(right, f'    raise ValueError("a bug")\n{right}'))
    predictions = "results/tiny/grouped/ffnn/4/seed-0/predictions.csv"
    done = run(finished, TINY, predictions, root=root)
    assert done.returncode != 0
    assert "a bug" in (finished / "results/tiny/logs/ffnn/grouped/4/seed-0.log").read_text()
    made = finished / predictions
    assert not made.exists() or "reason" not in made.read_text().splitlines()[0]
