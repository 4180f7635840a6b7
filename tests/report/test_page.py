"""The page of the report, read by Python's HTML parser, against the files that it is made from."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
from genreflow.errors import GenreflowError
from genreflow.learners.predictions import read_predictions
from genreflow.report import clips, tables
from genreflow.report import page as report
from genreflow.report.drawing import draw_reason
from genreflow.report.embedded import embed
from genreflow.runtime import outcomes
from genreflow.runtime.files import write_csv
from made import small_results
from made.html_page import Page
from made.small_results import ABOUT, ARTIST, GENRES, MARKS, REASON, TITLE

SVM = "classify/vgg16/fc1/pca-0.90/svm-rbf"
NAMED = f"{SVM} (random weights)"
RANKING = "All learners, by test accuracy"
CURVES = "official/cnn/simple/learning_curves"
LIMIT = "Synthetic <demo> corpus."
CONFIG = {"corpus": {"kind": "demo"}, "seed": 7, "seeds": [0, 1], "note": "</pre><b>bold</b>"}


def write(folder, path=None, *, without="/nothing/", **changes):
    path = path or folder / "report.html"
    settings = {
        "results": folder,
        "config": CONFIG | {"own": "/home/alice/music"},
        "versions": {"python": "3.11", "h5py": "<3.14>"},
        "commit": "0123abc",
        "limits": [LIMIT],
        "marks": MARKS,
        "about": ABOUT,
    }
    given = [file for file in small_results.files(folder) if without not in str(file)]
    size = report.write(path, given, **(settings | changes))
    assert size == path.stat().st_size
    return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "my music"
    small_results.make(folder)
    return folder


@pytest.fixture(scope="module")
def text(results):
    return write(results)


@pytest.fixture(scope="module")
def page(text):
    return Page(text)


@pytest.fixture
def own(tmp_path):
    """Return results of one's own, to change."""
    small_results.make(tmp_path / "own", tracks=20)
    return tmp_path / "own"


def test_the_ranking_has_the_numbers_of_the_comparison(results, page, text):
    comparison = pd.read_csv(results / "tables/comparison.csv", keep_default_na=False)
    heading, *rows = page.tables[RANKING]
    assert heading[:3] == ["Learner", "Test accuracy, %", "Differs from the first"]
    assert len(rows) == len(comparison)
    for shown, row in zip(rows, comparison.itertuples(), strict=True):
        ours = dict(zip(heading, shown, strict=True))
        assert ours["Learner"].startswith(row.title)
        assert ours["Learner"].endswith(row.learner)
        assert ("random weights" in ours["Learner"].removesuffix(row.learner)) == bool(row.mark)
        ends = f"{100 * row.test_low:.1f} to {100 * row.test_high:.1f}"
        assert ours["Test accuracy, %"] == f"{100 * row.test_accuracy:.1f}{ends}"
        assert ours["Macro F1, %"] == f"{100 * row.macro_f1:.1f}"
        assert ours["Log loss, nat"] == f"{row.log_loss:.3f}"
        times = {"cnn/simple": "12", "ffnn/64": "< 1", NAMED: "200"}
        assert ours["Time per clip, ms"] == times[row.learner]
        # Sorted by what stands in the file.
        assert f'data-v="{row.test_accuracy}"' in text
    study = comparison.set_index("learner")["published"]
    published = {row[0]: dict(zip(heading, row, strict=True)) for row in rows}
    shown = {name: own["Published test accuracy, %"] for name, own in published.items()}
    (simple,) = (own for name, own in shown.items() if name.startswith("CNN simple"))
    assert simple == f"{100 * float(study['cnn/simple']):.2f}"
    # What is the same for all is said once.
    assert "Split official: 24 test tracks, 24 artists, chance 33.3 %, 1 fold" in page.text
    assert not {"Chance, %", "Test tracks", "Folds"} & set(heading)


def test_the_columns_mean_what_the_documentation_says(page):
    documented = Path(report.__file__).parents[3] / "docs/numbers.md"
    said = " ".join(re.sub(r"[*`]", "", documented.read_text(encoding="utf-8")).split())
    for meaning in tables.MEANINGS.values():
        assert meaning in said
    titles = {attributes.get("title", "") for attributes in page.of("button")}
    assert {tables.MEANINGS["macro_f1"], tables.MEANINGS["log_loss"]} <= titles


@pytest.mark.parametrize("learner", small_results.LEARNERS)
def test_each_matrix_counts_the_test_tracks(results, page, learner):
    name = NAMED if learner == SVM else learner
    counts = page.data["learners"][f"official/{name}".replace(" ", "_")]["counts"]
    found = {
        (genre, predicted): count
        for genre, row in zip(GENRES, counts, strict=True)
        for predicted, count in zip(GENRES, row, strict=True)
        if count
    }
    runs = [pd.read_csv(path) for path in (results / "official" / learner).rglob("*.csv")]
    tested = pd.concat(runs)[lambda rows: rows["part"] == "test"]
    assert found == tested.groupby(["genre", "predicted"]).size().to_dict()


def test_recall_by_genre_is_that_of_the_table_the_hardest_first(results, page):
    genres = pd.read_csv(results / "tables/genres.csv")
    recall = genres.pivot_table(index="learner", columns="genre", values="recall")
    (table,) = (rows for caption, rows in page.tables.items() if caption.startswith("Recall by"))
    heading, *shown = table
    order = recall.mean().sort_values().index
    assert heading[1:] == [f"{genre} (8)" for genre in order]
    comparison = pd.read_csv(results / "tables/comparison.csv")
    for row, name in zip(shown, comparison["learner"], strict=True):
        assert row[1:] == [f"{100 * recall.loc[name, genre]:.0f}" for genre in order]


def test_what_ran_is_said(page):
    heading, *rows = page.tables["Split official"]
    assert heading == ["Genre", "Training", "Validation", "Test", "Total"]
    # 60 tracks, of three genres and in five places in turn: 4 of each genre for each place.
    assert sorted(rows) == sorted([[genre, "8", "4", "8", "20"] for genre in GENRES])
    (excluded,) = (rows for caption, rows in page.tables.items() if "Tracks left out" in caption)
    assert excluded[1] == ["999", "a<b>.mp3", "Folk", REASON]
    for said in ("60 used, 1 left out", "0123abc", "demo", "<3.14>", "0, 1", f"1 {REASON}"):
        assert said in page.text


def test_the_folders_of_whoever_runs_it_are_not_told(text):
    assert "…/music" in text and "alice" not in text


def test_limits_are_counted(page, own):
    limits = page.text.split("What these numbers don't say")[1].split("Overview")[0]
    assert LIMIT in limits
    # Wilson's interval for 12 of 24.
    assert "24 test tracks" in limits and "could as well be 31 or 69 %" in limits
    assert (
        "Split official: 1 of 24 test tracks share an artist with training, which makes them "
        "easier. Their albums aren't known." in limits
    )
    assert "The first of 3 learners" in limits
    assert "one seed" not in limits
    for path in own.rglob("seed-1/predictions.csv"):
        path.unlink()
    small_results.write_tables(own)
    assert "trained with one seed" in Page(write(own)).text


def test_costs_are_those_of_the_benchmarks(page):
    (rows,) = (rows for caption, rows in page.tables.items() if caption.startswith("3 jobs, 4 s"))
    assert rows[1:] == [
        ["tables", "1", "3.5", "3.5", "", "200"],
        ["wav", "2", "1.0", "0.8", "000002", "6"],
    ]


def test_tests_between_learners_are_shown_and_taken_into_account(own):
    path = own / "tables/significance.csv"
    tests = pd.read_csv(path, keep_default_na=False).astype({"better": str})
    first, *others = pd.read_csv(own / "tables/comparison.csv")["learner"]
    differs = (tests["learner"] == first) & (tests["other"] == others[1])
    tests.loc[differs, ["better", "p_corrected"]] = [first, 0.0123]
    write_csv(tests, path)
    page = Page(write(own))
    rows = page.tables["1 of 3 pairs of learners differ significantly"]
    assert [(row[0], row[1]) for row in rows[1:]] == [(first, others[1])]
    place = page.tables[RANKING][0].index("Differs from the first")
    said = [row[place] for row in page.tables[RANKING][1:]]
    assert said == ["the first", "no", "yes, p 0.012"]
    assert "a paired test finds" in page.text.split("What these numbers")[0]
    assert "used for predictions" in next(
        row[0] for row in page.tables[RANKING] if "ffnn" in row[0]
    )


def test_figures_are_embedded_without_those_that_the_page_has_itself(results, page):
    sources = [image["src"] for image in page.of("img")]
    found = [base64.b64decode(source.split(",")[1]) for source in sources]
    shown = [results / f"figures/{name}.svg" for name in (CURVES, "genres")]
    assert found == [path.read_bytes() for path in shown]
    assert all(image["alt"] and image["width"] for image in page.of("img"))


def test_tracks_have_what_the_script_shows(results, page):
    data = page.data
    test_ids = [f"{number:06d}" for number in range(60) if number % 5 >= 3]
    others = {f"{number:06d}" for number in range(60)} - set(test_ids) - {"000007"}
    assert set(data["tracks"]) == {*test_ids, *others}  # those of the map are not of test alone
    assert not any(data["tracks"][name][2] for name in others)
    title, artist, image = data["tracks"]["000003"]
    assert (title, artist) == (TITLE, ARTIST)
    assert image.startswith("data:image/webp;base64,")
    assert data["wav"] == "./wav/"
    learner = data["learners"]["official/cnn/simple"]
    folder = results / "official/cnn/simple"
    runs = [read_predictions(folder / f"seed-{seed}/predictions.csv") for seed in (0, 1)]
    runs = [run.set_index("track_id") for run in runs]
    assert learner["genres"] == GENRES
    assert [row[0] for row in learner["tracks"]] == test_ids
    for track_id, genre, predicted, thousandths in learner["tracks"]:
        own = [run.loc[track_id] for run in runs]
        assert {GENRES[genre]} == {row["genre"] for row in own}
        assert [GENRES[place] for place in predicted] == [row["predicted"] for row in own]
        means = [(own[0][f"p_{name}"] + own[1][f"p_{name}"]) / 2 for name in GENRES]
        assert [value / 1000 for value in thousandths] == pytest.approx(means, abs=0.00051)


def test_no_text_of_the_corpus_becomes_markup(text, page):
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"b", "marquee", "iframe"}
    assert len(page.of("script")) == 2 and len(page.of("style")) == 1
    assert not any("onerror" in attributes for _, attributes in page.elements)
    assert {"x"}.isdisjoint(image["src"] for image in page.of("img"))
    assert "<!--" not in text and "\u2028" not in page.scripts[0]
    assert "{{ 7 * 7 }}" in page.data["tracks"]["000003"][0]
    # Names arrive whole, nevertheless.
    assert GENRES[0] in page.text and REASON in page.text and "</pre><b>bold</b>" in page.text


def test_the_page_runs_its_own_script_alone_and_loads_nothing(page):
    (policy,) = (meta["content"] for meta in page.of("meta") if "http-equiv" in meta)
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy and "default-src 'none'" in policy
    assert "unsafe" not in policy.split("script-src")[1]
    assert "base-uri 'none'" in policy and "form-action 'none'" in policy
    for tag, attributes in page.elements:
        assert attributes.get("src", "data:").startswith("data:"), tag
        address = attributes.get("href", "#")
        assert address.startswith(("#", "data:")) or "://" not in address, (tag, address)


def links_lead_somewhere(folder, page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for link in page.of("a"):
        place = unquote(link["href"])
        assert place[1:] in ids if place[0] == "#" else (folder / place).is_file()


def test_links_lead_somewhere(results, page):
    links_lead_somewhere(results, page)


@pytest.mark.parametrize("lost", [["cnn/simple"], list(small_results.LEARNERS)])
def test_learners_that_are_not_possible_are_shown_with_the_reason(own, lost):
    reason = "genre <b>Jazz</b> has 1 track"
    for learner in lost:
        for path in (own / "official" / learner).rglob("predictions.csv"):
            outcomes.write_reason(path, reason)
    small_results.write_tables(own)
    draw_reason(reason, own / f"figures/{CURVES}.svg", title="Nothing drawn")
    page = Page(write(own))
    _, *rows = page.tables[RANKING]
    assert len(rows) == len(small_results.LEARNERS)
    (simple,) = (row for row in rows if row[0].startswith("CNN simple"))
    assert simple[0] == f"CNN simple not madecnn/simple: {reason}"
    assert set(simple[1:]) <= {""}
    linked = {unquote(link["href"]) for link in page.of("a")}
    for learner in small_results.LEARNERS:
        place = f"#official/{NAMED if learner == SVM else learner}".replace(" ", "_")
        assert (place in linked) == (learner not in lost)
    links_lead_somewhere(own, page)
    assert "Nothing drawn" not in page.text
    assert f"{len(lost)} of 3 learners couldn't be made; the table says why" in page.text


def test_what_is_used_for_predictions_comes_first_of_several_splits(own):
    shutil.copytree(own / "official", own / "grouped")
    shutil.copy(own / "corpus/splits/official.csv", own / "corpus/splits/grouped.csv")
    small_results.write_tables(own)
    page = Page(write(own))
    (hard,) = (element for element in page.of("div") if "data-pair" in element)
    assert hard["data-learner"] == "official/ffnn/64"
    row, place = map(int, hard["data-pair"].split())
    counts = page.data["learners"]["official/ffnn/64"]["counts"]
    shares = [[count / sum(own) for count in own] for own in counts]
    others = [shares[a][b] for a in range(3) for b in range(3) if a != b]
    assert row != place and shares[row][place] == max(others)
    (chosen,) = (option for option in page.of("option") if "selected" in option)
    assert chosen["value"] == "official/ffnn/64"
    heading, *rows = page.tables[RANKING]
    assert heading[1] == "Split" and len(rows) == 2 * len(small_results.LEARNERS)


def test_same_files_give_the_same_bytes(results, text):
    """In another process, with other hashes, in another order."""
    script = f"""
import sys
sys.path[:0] = [{str(Path(report.__file__).parents[2])!r}, {str(Path(__file__).parents[1])!r},
                {str(Path(__file__).parent)!r}]
import test_page
from made import small_results
from made.html_page import Page
from pathlib import Path
folder = Path({str(results)!r})
found = sorted(small_results.files(folder), reverse=True)
small_results.files = lambda _: found
versions = {{"h5py": "<3.14>", "python": "3.11"}}
print(test_page.write(folder, folder / "again.html", versions=versions))
"""
    environment = os.environ | {"PYTHONHASHSEED": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, check=True
    )
    assert done.stdout.decode() == text + "\n"


def test_a_page_elsewhere_finds_the_clips(results, tmp_path):
    text = write(results, tmp_path / "page.html")
    root = Page(text).data["wav"]
    assert root.endswith("/my%20music/wav/") and root.startswith("../")


def test_sections_appear_only_where_there_is_something(results, page, tmp_path):
    def without(what):
        return Page(write(results, tmp_path / "report.html", without=what))

    for shown, there in ((page, True), (without("/benchmarks/"), False)):
        ids = [attributes.get("id") for _, attributes in shown.elements]
        assert ("costs" in ids) == there
    assert not without("/figures/").of("img")
    assert "A map of the tracks" not in without("/features/").text
    bare = without("spectrograms.h5").data
    assert {track[2] for track in bare["tracks"].values()} == {""}
    assert bare["wav"] == ""  # without images no audio was looked at


@pytest.mark.parametrize(
    "name", ["tables/comparison.csv", "corpus/tracks.csv", "corpus/splits/official.csv", "ffnn/64"]
)
def test_a_missing_file_is_named(results, tmp_path, name):
    with pytest.raises(GenreflowError, match=name):
        write(results, tmp_path / "report.html", without=name)


def test_files_from_elsewhere_are_refused(results, tmp_path):
    with pytest.raises(GenreflowError, match="stray"):
        report.write(
            tmp_path / "r.html", [tmp_path / "stray.csv"], results=results, config={}, versions={}
        )


def test_other_marks_than_those_of_the_tables_are_refused(results, tmp_path):
    with pytest.raises(GenreflowError, match=r"svm-rbf.*comparison\.csv"):
        write(results, tmp_path / "report.html", marks={})


def test_tracks_beyond_the_cap_are_counted_but_not_listed(results, page, tmp_path, monkeypatch):
    monkeypatch.setattr(clips, "LIMIT", 5)
    capped = Page(write(results, tmp_path / "report.html", about={}))
    assert len(capped.data["tracks"]) == 5
    (ids,) = {tuple(row[0] for row in own["tracks"]) for own in capped.data["learners"].values()}
    assert len(ids) == 5
    assert "Of the 24 test tracks of split official, 5 are listed." in capped.text
    counts, whole = (
        [learner["counts"] for learner in own.data["learners"].values()] for own in (capped, page)
    )
    assert counts == whole


def test_figures_beyond_the_cap_are_links(results):
    paths = {name: results / f"figures/{name}.svg" for name in ("accuracy", CURVES)}
    room = paths["accuracy"].stat().st_size
    accuracy, curves = embed(paths, root="figures", limit=room)
    assert accuracy.source and accuracy.size == room
    assert not curves.source and curves.link == f"figures/{CURVES}.svg"


def test_what_is_no_figure_is_refused(tmp_path):
    (tmp_path / "a.svg").write_text("<html>")
    with pytest.raises(GenreflowError, match=r"a\.svg"):
        embed({"a": tmp_path / "a.svg"}, root="")


def test_long_tables_are_cut_and_say_so(own):
    rows = pd.DataFrame({"track_id": [f"{n}" for n in range(1234)], "reason": "silent"})
    write_csv(rows, own / "corpus/excluded.csv")
    page = Page(write(own))
    (caption,) = (caption for caption in page.tables if "Tracks left out" in caption)
    assert caption.startswith("Tracks left out: 1,234 silent") and "first 1,000 of 1,234" in caption
    assert len(page.tables[caption]) == 1001


def test_the_folds_of_a_cross_validation_are_one(own):
    manifest = pd.read_csv(own / "corpus/tracks.csv", dtype=str, keep_default_na=False)
    source = read_predictions(own / "official/cnn/simple/seed-0/predictions.csv")
    for path in own.rglob("predictions.csv"):
        path.unlink()
    for fold in (1, 2):
        split = f"cv-1x2-r1-f{fold}"
        part = ["test" if number % 2 == fold - 1 else "training" for number in range(20)]
        frame = source.assign(part=part)
        write_csv(frame, own / f"{split}/classify/handcrafted/all/lda/predictions.csv")
        write_csv(frame[["track_id", "part"]], own / f"corpus/splits/{split}.csv")
    small_results.write_tables(own)
    page = Page(write(own))
    (rows,) = (learner["tracks"] for learner in page.data["learners"].values())
    assert [row[0] for row in rows] == manifest["track_id"].tolist()
    assert all(len(row[2]) == 1 for row in rows)
    assert "Split cv-1x2: fold cv-1x2-r1-f1, one of 2" in page.tables
    # Tracks 0 and 3 have one artist and are in different folds.
    assert "Split cv-1x2: 2 of 20 test tracks share an artist" in page.text


def test_numbers_of_any_table_are_told_from_text():
    columns = {
        "learner": (["10", "9"], ("Learner", False), ["10", "9"]),
        "accuracy": (["0.5", "0.12345"], ("Accuracy, %", True), ["50.0", "12.3"]),
        "seconds": (["1.23456", ""], ("All jobs, s", True), ["1.235", ""]),
        "p": (["0.00001234", "0.5"], ("p", True), ["1.2e-05", "0.500"]),
        "count": (["1234", "5"], ("Count", True), ["1,234", "5"]),
        "alpha": (["0.01", "10"], ("Alpha", True), ["0.01", "10"]),
        "name": (["1", "x"], ("Name", False), ["1", "x"]),
    }
    frame = pd.DataFrame({name: given for name, (given, _, _) in columns.items()})
    shown = tables.table(frame.assign(empty=""), caption="Any")
    assert [heading[:2] for heading in shown.headings] == [own for _, own, _ in columns.values()]
    texts = [[cell.text for cell in row] for row in zip(*shown.rows, strict=True)]
    assert texts == [written for _, _, written in columns.values()]
    assert [cell.value for cell in shown.rows[1]] == [None, 0.12345, None, 0.5, 5.0, 10.0, None]


def test_a_choice_of_tracks_stays_the_same_when_others_come():
    few = [f"{number}" for number in range(100)]
    chosen = clips.chosen(few, 10)
    assert len(chosen) == 10
    more = clips.chosen([*few, *(f"{number}" for number in range(100, 110))], 10)
    assert len(chosen & more) >= 7
    assert clips.chosen(few, 100) == set(few)
