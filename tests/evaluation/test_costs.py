"""Costs by rule, against sums by hand and a file that Snakemake wrote."""

import pytest
from genreflow.errors import GenreflowError
from genreflow.evaluation import costs

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [f"{seconds}\t0:00:00\t{memory}" + "\t0" * 7 + "\n" for seconds, memory in lines]
    path.write_text(HEADER + "".join(rows))
    return path


def test_jobs_are_added_up_by_rule_the_longest_rule_first(tmp_path):
    paths = [
        write(tmp_path / "wav/000002.tsv", (1.5, 20.5)),
        write(tmp_path / "wav/sub/1.5.tsv", (2.5, 10.0)),
        write(tmp_path / "tables.tsv", (100.0, 300.0)),
        write(tmp_path / "cnn/official/simple/seed-0.tsv", (3.0, 50.0), (4.0, 40.0)),
        # What is too short to be measured; of jobs that took the same time the name decides.
        write(tmp_path / "fast/b.tsv", (0.1, "-")),
        write(tmp_path / "fast/a.tsv", (0.1, "NA")),
    ]
    found = costs.by_rule(paths, folder=tmp_path).set_index("rule")
    assert found.pop("peak_mb").fillna(-1).tolist() == [300.0, 50.0, 20.5, -1]
    assert list(found.itertuples(name=None)) == [
        ("tables", 1, 100.0, 100.0, ""),
        ("cnn", 2, 7.0, 4.0, "official/simple/seed-0"),
        ("wav", 2, 4.0, 2.5, "sub/1.5"),
        ("fast", 2, 0.2, 0.1, "a"),
    ]


@pytest.mark.parametrize(
    "content", ["", HEADER, "s\tmax_rss\nfast\t1\n", "s\n1.0\n", "s\tmax_rss\n1\n"]
)
def test_other_files_are_refused_by_name(tmp_path, content):
    path = tmp_path / "wav.tsv"
    path.write_text(content)
    with pytest.raises(GenreflowError, match=r"wav\.tsv.*max_rss"):
        costs.by_rule([path], folder=tmp_path)


def test_files_from_elsewhere_are_refused(tmp_path):
    path = write(tmp_path / "a/wav.tsv", (1.0, 1.0))
    with pytest.raises(GenreflowError, match="below"):
        costs.by_rule([path], folder=tmp_path / "b")
