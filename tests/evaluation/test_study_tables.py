import json

import pandas as pd
import pytest
from genreflow.errors import GenreflowError
from genreflow.evaluation import study_tables
from genreflow.runtime import outcomes

SVM = "classify/handcrafted/all/svm-rbf"


def write_scores(folder, accuracies, losses, parameters=10):
    folder.mkdir(parents=True)
    parts = ["training", "validation", "test"]
    scores = pd.DataFrame({"part": parts, "loss": losses, "accuracy": accuracies})
    scores.assign(parameters=parameters).to_csv(folder / "scores.csv", index=False)
    return folder / "scores.csv"


def write_classifier(folder, parameters, cv_accuracy, right, components=3):
    """Write a learner that names `right` of four test tracks correctly."""
    folder.mkdir(parents=True)
    best = {"parameters": parameters, "cv_accuracy": cv_accuracy}
    best |= {"dimensions": 5, "components": components}
    (folder / "best.json").write_text(json.dumps(best))
    predicted = ["Jazz"] * right + ["Polka"] * (4 - right)
    rows = {"track_id": list("abcde"), "part": ["test"] * 4 + ["training"]}
    table = pd.DataFrame(rows | {"genre": "Jazz", "predicted": [*predicted, "Polka"]})
    table.assign(p_Jazz=0.5, p_Polka=0.5).to_csv(folder / "predictions.csv", index=False)
    return [folder / "best.json", folder / "predictions.csv"]


def cells(text, heading):
    """Return the rows of the table below a line, cell by cell."""
    lines = text.split(f"{heading}\n\n", 1)[1].split("\n\n", 1)[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_networks_have_means_over_seeds_and_published_numbers_beside(tmp_path):
    paths = [
        write_scores(tmp_path / "official/ffnn/64/seed-0", [0.6, 0.5, 0.4], [1, 2, 3]),
        write_scores(tmp_path / "official/ffnn/64/seed-1", [0.8, 0.7, 0.6], [2, 3, 4]),
        write_scores(tmp_path / "official/ffnn/32/seed-0", [0.1, 0.1, 0.1], [5, 5, 5], 4),
        write_scores(tmp_path / "grouped/ffnn/64/seed-0", [0.3, 0.3, 0.3], [9, 9, 9]),
    ]
    table = study_tables.ffnn(paths, results=tmp_path, fma_small=True)
    assert table[["split", "learner", "parameters"]].to_numpy().tolist() == [
        ["official", "ffnn/64", 10],
        ["official", "ffnn/32", 4],
        ["grouped", "ffnn/64", 10],
    ]
    first = table.iloc[0]
    assert first["test_accuracy"] == pytest.approx(0.5)
    assert first["training_loss"] == pytest.approx(1.5)
    assert (first["published_test_accuracy"], first["published_test_loss"]) == (0.465, 1.790)
    assert table.iloc[1:].filter(like="published").isna().all(axis=None)
    elsewhere = study_tables.ffnn(paths, results=tmp_path, fma_small=False)
    assert elsewhere.filter(like="published").empty
    text = study_tables.to_markdown(elsewhere, note="Synthetic.")
    assert text.count("*Synthetic.*") == 2
    heading, _, *rows = cells(text, "## Split official")
    shown = dict(zip(heading, rows[0], strict=True))
    assert (shown["learner"], shown["parameters"]) == ("ffnn/64", "10")
    assert (shown["test accuracy"], shown["training loss"]) == ("0.500", "1.500")


def test_classifiers_have_means_over_folds_and_the_most_frequent_parameters(tmp_path):
    paths = [
        *write_classifier(tmp_path / "cv-1x3-r1-f1" / SVM, {"C": 1}, 0.4, 2),
        *write_classifier(tmp_path / "cv-1x3-r1-f2" / SVM, {"C": 10}, 0.5, 3, components=4),
        *write_classifier(tmp_path / "cv-1x3-r1-f3" / SVM, {"C": 10}, 0.6, 4),
    ]
    table = study_tables.classifiers(paths, results=tmp_path, fma_small=False)
    (row,) = table.to_dict("records")
    assert (row["split"], row["learner"]) == ("cv-1x3", SVM)
    assert (row["dimensions"], row["components"]) == (5, 4)
    assert row["cv_accuracy"] == pytest.approx(0.5)
    assert row["test_accuracy"] == pytest.approx(0.75)
    assert json.loads(row["best_parameters"]) == {"C": 10}
    assert row["share"] == pytest.approx(2 / 3)
    text = study_tables.classifiers_to_markdown(table, note="")
    assert "C 10 (67% of folds)" in text and "published" not in text


@pytest.fixture
def study(tmp_path):
    """Return the table of two classifiers on two splits, and one on features of our own."""
    paths = []
    mlp = {"alpha": 0.05, "hidden_layer_sizes": [512, 256]}
    for split in ("official", "lowest-ids"):
        vgg16 = tmp_path / split / "classify/vgg16/fc2/pca-0.90"
        paths += write_classifier(vgg16 / "svm-rbf", {"C": 1, "gamma": 0.001}, 0.5, 2)
        paths += write_classifier(vgg16 / "mlp", mlp, 0.25, 3)
        best = {"C": 10, "gamma": 0.001}
        paths += write_classifier(tmp_path / split / SVM, best, 0.625, 4, components=5)
    marks = {"vgg16": "random weights"}
    return study_tables.classifiers(paths, results=tmp_path, fma_small=True, marks=marks)


def test_classifiers_get_the_published_numbers_of_their_split_only(study):
    names = study[["learner", "features", "pca", "classifier"]].to_numpy().tolist()
    assert names[1:3] == [
        [
            "classify/vgg16/fc2/pca-0.90/mlp (random weights)",
            "vgg16/fc2 (random weights)",
            "0.90",
            "mlp",
        ],
        [SVM, "handcrafted", "", "svm-rbf"],
    ]
    svm, mlp, own = (row for _, row in study[study["split"] == "lowest-ids"].iterrows())
    assert (svm["published_cv"], svm["published_test"]) == (0.5195, 0.4617)
    assert svm["published_components"] == 153
    assert json.loads(svm["published_parameters"]) == {"C": 10, "gamma": 0.0001}
    assert (mlp["published_cv"], mlp["published_test"]) == (0.4920, 0.4398)
    assert own.filter(like="published").isna().all()
    others = study[study["split"] == "official"].filter(like="published_")
    assert others.pop("published_split").dropna().tolist() == ["lowest-ids"] * 2
    assert others.isna().all(axis=None)


def test_the_wide_table_has_the_studys_shape_and_its_numbers_below_ours(study):
    text = study_tables.classifiers_to_markdown(study, note="Synthetic.")
    official, lowest = text.split("## Split lowest-ids")
    accuracies = "Accuracy, cross-validated / test:"
    head, _, *rows = cells(lowest, accuracies)
    assert head == ["features", "PCA", "size", "size after PCA", "svm-rbf", "mlp"]
    assert rows == [
        ["vgg16/fc2 (random weights)", "0.90", "5", "3", "0.500 / 0.500", "0.250 / 0.750"],
        ["published", "0.90", "", "153", "0.5195 / 0.4617", "0.4920 / 0.4398"],
        ["handcrafted", "none", "5", "5", "0.625 / 1.000", ""],
    ]
    _, _, *rows = cells(lowest, "Best parameters:")
    mlp = "alpha 0.05, hidden_layer_sizes (512, 256)"
    assert rows == [
        ["vgg16/fc2 (random weights)", "0.90", "C 1, gamma 0.001", mlp],
        ["published", "0.90", "C 10, gamma 0.0001", mlp],
        ["handcrafted", "none", "C 10, gamma 0.001", ""],
    ]
    _, _, *rows = cells(official, accuracies)
    assert [row[0] for row in rows] == ["vgg16/fc2 (random weights)", "handcrafted"]
    assert "on the split lowest-ids only" in official
    assert "on the split" not in lowest
    assert text.count("*Synthetic.*") == 2


def test_networks_that_are_not_possible_have_a_row_with_the_reason(tmp_path):
    paths = [
        write_scores(tmp_path / "grouped/ffnn/64/seed-0", [0.6, 0.5, 0.4], [1, 2, 3]),
        write_scores(tmp_path / "grouped/ffnn/64/seed-1", [0.8, 0.7, 0.6], [2, 3, 4]),
        write_scores(tmp_path / "grouped/ffnn/32/seed-0", [0.1, 0.1, 0.1], [5, 5, 5], 4),
    ]
    outcomes.write_reason(paths[1], "it | diverged")
    table = study_tables.ffnn(paths, results=tmp_path, fma_small=True)
    assert table["learner"].tolist() == ["ffnn/32", "ffnn/64"]
    assert table["parameters"].tolist() == [4, pd.NA]
    assert table["reason"].tolist()[1:] == ["seed 1: it | diverged"]
    assert table.iloc[0]["test_accuracy"] == pytest.approx(0.1)
    shown = study_tables.to_markdown(table, note="")
    assert r"seed 1: it \| diverged" in shown and "nan" not in shown.lower()
    outcomes.write_reason(paths[2], "it diverged, too")
    none = study_tables.ffnn(paths, results=tmp_path, fma_small=False)
    assert none["reason"].tolist() == ["it diverged, too", "seed 1: it | diverged"]


def test_classifiers_that_are_not_possible_have_a_row_with_the_reason(tmp_path):
    folder = tmp_path / "official/classify/handcrafted/all"
    paths = write_classifier(folder / "svm-rbf", {"C": 1}, 0.5, 2)
    paths += write_classifier(folder / "mlp", {"alpha": 1}, 0.25, 3)
    for path in paths[2:]:
        outcomes.write_reason(path, "too few | tracks")
    table = study_tables.classifiers(paths, results=tmp_path, fma_small=True)
    assert table["learner"].tolist()[1:] == ["classify/handcrafted/all/mlp"]
    last = table.iloc[1]
    assert (last["features"], last["classifier"]) == ("handcrafted", "mlp")
    assert last["reason"] == "too few | tracks"
    assert pd.isna(last["test_accuracy"]) and pd.isna(last["dimensions"])
    text = study_tables.classifiers_to_markdown(table, note="")
    heading, _, ours = cells(text, "Accuracy, cross-validated / test:")[:3]
    shown = dict(zip(heading, ours, strict=True))
    assert (shown["size"], shown["svm-rbf"], shown["mlp"]) == ("5", "0.500 / 0.500", "not possible")
    assert "classify/handcrafted/all/mlp: too few \\| tracks" in text
    for path in paths[:2]:
        outcomes.write_reason(path, "too few")
    none = study_tables.classifiers(paths, results=tmp_path, fma_small=False)
    assert none["reason"].notna().all() and len(none) == 2
    assert "nan" not in study_tables.classifiers_to_markdown(none, note="").lower()


def test_no_classifier_is_an_error(tmp_path):
    with pytest.raises(GenreflowError, match=r"no best\.json"):
        study_tables.classifiers([], results=tmp_path, fma_small=False)
