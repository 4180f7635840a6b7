import itertools
import math

import numpy as np
import pandas as pd
import pytest
from genreflow.corpus.tracks import PARTS
from genreflow.errors import NotPossible
from genreflow.evaluation import calibration, published_results, significance
from genreflow.evaluation import metrics as evaluate
from genreflow.learners.predictions import Entry
from genreflow.runtime import outcomes
from made.predictions import (
    GENRES,
    cross_validation,
    drawn_predictions,
    part_of,
    predictions,
    random_predictions,
)
from sklearn import metrics
from statsmodels.stats.proportion import proportion_confint


class TestComparison:
    def test_one_learner_by_hand(self):
        frame = predictions(
            ["Folk", "Folk", "Folk", "Hip-Hop", "Folk", "Hip-Hop", "Folk"],
            ["Folk", "Hip-Hop", "Folk", "Hip-Hop", "Hip-Hop", "Hip-Hop", "Hip-Hop"],
            ["test", "test", "test", "test", "training", "training", "validation"],
        )
        table = evaluate.comparison([Entry("a", "official", None, frame)], fma_small=False)
        (row,) = table.to_dict("records")
        assert row["test_accuracy"] == 3 / 4
        assert row["training_accuracy"] == 1 / 2
        assert row["validation_accuracy"] == 0
        assert row["baseline"] == 3 / 4
        # F1: Folk 2*1*(2/3)/(1+2/3) = 0.8, Hip-Hop 2*(1/2)*1/(3/2) = 2/3
        assert row["macro_f1"] == pytest.approx((0.8 + 2 / 3) / 2)
        # Wilson's formula, written out
        z, n, p = 1.959963984540054, 4, 0.75
        middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * math.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
        assert row["test_low"] == pytest.approx(middle - half)
        assert row["test_high"] == pytest.approx(middle + half)
        assert (row["seeds"], row["folds"], row["tracks"]) == (1, 1, 4)
        spreads = ("seed_sd", "fold_sd", "repeat_sd", "fold_mean")
        assert all(math.isnan(row[spread]) for spread in spreads)
        assert "published" not in table

    def test_seeds_from_files(self, tmp_path):
        frames = {seed: random_predictions(seed) for seed in (3, 4, 9)}
        for seed, frame in frames.items():
            frame.to_csv(tmp_path / f"{seed}.csv", index=False)
        entries = [
            Entry("cnn/simple", "official", seed, tmp_path / f"{seed}.csv") for seed in frames
        ]
        (row,) = evaluate.comparison(entries, fma_small=False).to_dict("records")
        tests = [part_of(frame) for frame in frames.values()]
        accuracies = [metrics.accuracy_score(*test) for test in tests]
        assert row["test_accuracy"] == pytest.approx(np.mean(accuracies))
        assert row["seed_sd"] == pytest.approx(np.std(accuracies, ddof=1))
        assert row["macro_f1"] == pytest.approx(
            np.mean([metrics.f1_score(*test, average="macro") for test in tests])
        )
        for part in ("training", "validation"):
            assert row[f"{part}_accuracy"] == pytest.approx(
                np.mean([metrics.accuracy_score(*part_of(f, part)) for f in frames.values()])
            )
        n = len(tests[0][0])
        # Three seeds don't make three times the tracks.
        assert row["tracks"] == n
        assert (row["test_low"], row["test_high"]) == pytest.approx(
            proportion_confint(np.mean(accuracies) * n, n, method="wilson")
        )
        assert row["baseline"] == pytest.approx(tests[0][0].value_counts().iloc[0] / n)
        assert row["seeds"] == 3

    def test_cross_validation_pools_the_folds_of_a_repeat(self):
        entries = cross_validation(repeats=3, folds=4, seeds=(1, 2))
        (row,) = evaluate.comparison(entries, fma_small=False).to_dict("records")
        assert (row["split"], row["seeds"], row["folds"]) == ("cv-3x4", 2, 12)
        assert row["tracks"] == 61

        accuracy, f1, fold_accuracy = {}, [], {}
        for seed, repeat in itertools.product((1, 2), (1, 2, 3)):
            own = [e for e in entries if e.seed == seed and f"-r{repeat}-" in e.split]
            pooled = pd.concat([e.predictions[e.predictions["part"] == "test"] for e in own])
            accuracy[seed, repeat] = metrics.accuracy_score(pooled["genre"], pooled["predicted"])
            f1.append(metrics.f1_score(pooled["genre"], pooled["predicted"], average="macro"))
            for e in own:
                fold_accuracy[seed, e.split] = metrics.accuracy_score(*part_of(e.predictions))
        assert row["test_accuracy"] == pytest.approx(np.mean(list(accuracy.values())))
        assert row["test_accuracy"] != pytest.approx(np.mean(list(fold_accuracy.values())))
        assert row["macro_f1"] == pytest.approx(np.mean(f1))
        by_seed = [np.mean([accuracy[s, r] for r in (1, 2, 3)]) for s in (1, 2)]
        by_repeat = [np.mean([accuracy[s, r] for s in (1, 2)]) for r in (1, 2, 3)]
        splits = sorted({e.split for e in entries})
        by_fold = [np.mean([fold_accuracy[s, split] for s in (1, 2)]) for split in splits]
        assert row["seed_sd"] == pytest.approx(np.std(by_seed, ddof=1))
        assert row["repeat_sd"] == pytest.approx(np.std(by_repeat, ddof=1))
        assert row["fold_sd"] == pytest.approx(np.std(by_fold, ddof=1))
        assert row["fold_mean"] == pytest.approx(np.mean(by_fold))
        assert math.isnan(row["validation_accuracy"])

    def test_one_repeat_has_a_spread_over_folds_only(self):
        (row,) = evaluate.comparison(cross_validation(1, 5), fma_small=False).to_dict("records")
        assert row["fold_sd"] > 0
        assert math.isnan(row["repeat_sd"])
        assert math.isnan(row["seed_sd"])

    def test_rows_are_sorted_by_split_then_accuracy_and_splits_stay_apart(self):
        entries = [
            Entry(learner, split, None, random_predictions(seed, hit=hit))
            for seed, (learner, split, hit) in enumerate(
                [
                    ("low", "official", 0.0),
                    ("high", "official", 1.0),
                    ("low", "lowest-ids", 0.0),
                    ("high", "lowest-ids", 1.0),
                ]
            )
        ]
        table = evaluate.comparison([*entries, *cross_validation(1, 2)], fma_small=False)
        assert list(zip(table["split"], table["learner"], strict=True)) == [
            ("cv-1x2", "cnn/simple"),
            ("lowest-ids", "high"),
            ("lowest-ids", "low"),
            ("official", "high"),
            ("official", "low"),
        ]
        assert table["test_accuracy"][1] == 1.0

    def test_published_numbers_stand_beside_ours_on_the_same_split_only(self):
        entries = [
            Entry(learner, split, None, random_predictions(1))
            for learner, split in [
                ("cnn/simple", "official"),
                ("cnn/simple", "grouped"),
                ("classify/vgg16/fc2/pca-0.90/svm-rbf", "lowest-ids"),
                ("classify/vgg16/fc2/pca-0.90/svm-rbf", "official"),
            ]
        ]
        table = evaluate.comparison(entries, fma_small=True)
        found = table.set_index(["learner", "split"])["published"]
        assert found["cnn/simple", "official"] == 0.3975
        assert found["classify/vgg16/fc2/pca-0.90/svm-rbf", "lowest-ids"] == 0.4617
        assert found.isna().sum() == 2
        alone = evaluate.comparison(entries[1:2], fma_small=True)
        assert alone["published"].isna().all()

    def test_marks_stand_by_the_learners_in_every_table(self):
        learner = "classify/vgg16/fc2/pca-0.90/svm-rbf"
        entries = [
            Entry(name, "lowest-ids", None, random_predictions(1)) for name in (learner, "ffnn/64")
        ]
        marks = {"vgg16": "random weights"}
        table = evaluate.comparison(entries, fma_small=True, marks=marks)
        assert set(table["learner"]) == {f"{learner} (random weights)", "ffnn/64"}
        assert table["published"].dropna().tolist() == [0.4617]
        assert set(evaluate.recall(entries, marks=marks)["learner"]) == set(table["learner"])
        assert "svm-rbf (random weights)" in evaluate.to_markdown(table)

    def test_scores_of_probabilities_equal_those_of_scikit_learn(self):
        frames = [drawn_predictions(seed) for seed in (1, 2, 3)]
        entries = [Entry("a", "official", seed, frame) for seed, frame in enumerate(frames)]
        (row,) = evaluate.comparison(entries, fma_small=False).to_dict("records")
        losses, top2 = [], []
        for frame in frames:
            test = frame[frame["part"] == "test"]
            p = test.filter(like="p_").to_numpy()
            losses.append(metrics.log_loss(test["genre"], p, labels=GENRES))
            top2.append(metrics.top_k_accuracy_score(test["genre"], p, k=2, labels=GENRES))
        assert row["log_loss"] == pytest.approx(np.mean(losses), rel=1e-12)
        assert row["top2_accuracy"] == pytest.approx(np.mean(top2), rel=1e-12)
        assert row["test_accuracy"] < row["top2_accuracy"] < 1

    def test_a_sure_mistake_costs_what_it_costs_in_scikit_learn(self):
        frame = predictions(["Folk", "Folk"], ["Hip-Hop", "Folk"], ["test", "test"])
        frame.loc[0, [f"p_{genre}" for genre in GENRES]] = [0.0, 1.0, 0.0]
        (row,) = evaluate.comparison([Entry("a", "b", None, frame)], fma_small=False).to_dict(
            "records"
        )
        expected = metrics.log_loss(frame["genre"], frame.filter(like="p_"), labels=GENRES)
        assert row["log_loss"] == pytest.approx(expected, rel=1e-12)

    def test_equal_probabilities_do_not_make_a_genre_one_of_the_two_likeliest(self):
        frame = predictions(["Folk", "Hip-Hop", GENRES[2]], ["Folk"] * 3, ["test"] * 3)
        frame[[f"p_{genre}" for genre in GENRES]] = 1 / 3
        (row,) = evaluate.comparison([Entry("a", "b", None, frame)], fma_small=False).to_dict(
            "records"
        )
        assert row["top2_accuracy"] == row["test_accuracy"] == 1 / 3

    def test_parameters_and_times_stand_by_the_learners_that_have_them(self):
        entries = [
            Entry(name, "official", None, random_predictions(1)) for name in ("cnn/simple", "b")
        ]
        table = evaluate.comparison(
            entries,
            fma_small=False,
            marks={"simple": "random weights"},
            parameters={"cnn/simple": 735944},
            inference_seconds={"cnn/simple": 0.01234},
        )
        other, simple = (
            table.set_index("learner").loc[n] for n in ("b", "cnn/simple (random weights)")
        )
        assert simple["parameters"] == 735944
        assert simple["inference_seconds"] == 0.01234
        assert other[["parameters", "inference_seconds"]].isna().all()
        ((_, shown),) = cells(evaluate.to_markdown(table.sort_values("learner")))
        assert shown["Parameters"] == "735,944"
        assert shown["Inference, ms a clip"] == "12.3"
        assert "Parameters" not in evaluate.to_markdown(
            evaluate.comparison(entries, fma_small=False)
        )


class TestRecall:
    def test_equals_scikit_learn_over_seeds(self):
        frames = [random_predictions(seed) for seed in (1, 2)]
        table = evaluate.recall([Entry("a", "official", s, f) for s, f in enumerate(frames)])
        assert table["genre"].tolist() == GENRES
        for name, score in {
            "recall": metrics.recall_score,
            "precision": metrics.precision_score,
            "f1": metrics.f1_score,
        }.items():
            expected = [score(*part_of(f), labels=GENRES, average=None) for f in frames]
            np.testing.assert_allclose(table[name], np.mean(expected, axis=0))
        support = part_of(frames[0])[0].value_counts()
        assert dict(zip(table["genre"], table["support"], strict=True)) == support.to_dict()

    def test_undefined_is_empty_not_zero(self):
        frame = predictions(["Folk", "Folk"], ["Folk", "Hip-Hop"], ["test", "test"])
        table = evaluate.recall([Entry("a", "official", None, frame)]).set_index("genre")
        assert table.loc["Folk", ["support", "recall", "precision"]].tolist() == [2, 0.5, 1.0]
        assert math.isnan(table.loc["Hip-Hop", "recall"])
        assert table.loc["Hip-Hop", "precision"] == 0
        assert table.loc["Old-Time / Historic", ["recall", "precision", "f1"]].isna().all()

    def test_pools_folds_and_keeps_learners_and_splits_apart(self):
        entries = cross_validation(2, 3)
        table = evaluate.recall([*entries, Entry("b", "official", None, random_predictions(1))])
        assert table.groupby(["split", "learner"]).size().to_dict() == {
            ("cv-2x3", "cnn/simple"): 3,
            ("official", "b"): 3,
        }
        expected = []
        for repeat in (1, 2):
            own = [e.predictions for e in entries if f"-r{repeat}-" in e.split]
            pooled = pd.concat([frame[frame["part"] == "test"] for frame in own])
            expected.append(
                metrics.recall_score(
                    pooled["genre"], pooled["predicted"], average=None, labels=GENRES
                )
            )
        np.testing.assert_allclose(table["recall"][:3], np.mean(expected, axis=0))
        assert table["support"][:3].sum() == 61


class TestConfusion:
    def test_counts_by_hand(self):
        frame = predictions(
            ["Folk", "Folk", "Hip-Hop", "Folk"],
            ["Folk", "Hip-Hop", "Hip-Hop", "Folk"],
            ["test", "test", "test", "training"],
        )
        counts = evaluate.confusion([Entry("a", "official", None, frame)])
        assert counts.index.tolist() == counts.columns.tolist() == GENRES
        assert (counts.index.name, counts.columns.name) == ("genre", "predicted")
        assert counts.to_numpy().tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]

    def test_sums_over_folds_repeats_and_seeds(self):
        entries = cross_validation(2, 3, seeds=(1, 2))
        counts = evaluate.confusion(entries)
        expected = sum(
            metrics.confusion_matrix(*part_of(e.predictions), labels=GENRES) for e in entries
        )
        assert counts.to_numpy().tolist() == expected.tolist()
        assert counts.to_numpy().sum() == 61 * 2 * 2
        assert np.issubdtype(counts.to_numpy().dtype, np.integer)

    def test_agrees_with_recall(self):
        entries = cross_validation(1, 4)
        counts = evaluate.confusion(entries).to_numpy()
        np.testing.assert_allclose(
            np.diag(counts) / counts.sum(axis=1), evaluate.recall(entries)["recall"]
        )

    def test_refuses_two_learners(self):
        frame = random_predictions(1)
        with pytest.raises(ValueError, match="one learner"):
            evaluate.confusion([Entry("a", "official", 1, frame), Entry("b", "official", 1, frame)])


def row(**changed):
    return {
        "split": "official",
        "learner": "cnn/simple",
        "seeds": 1,
        "folds": 1,
        "tracks": 48,
        "training_accuracy": 0.4,
        "validation_accuracy": np.nan,
        "test_accuracy": 23 / 48,
        "test_low": 0.3447,
        "test_high": 0.6167,
        "seed_sd": np.nan,
        "fold_sd": np.nan,
        "repeat_sd": np.nan,
        "macro_f1": 0.45678,
        "baseline": 0.125,
        **changed,
    }


def cells(markdown):
    """Read the tables of a Markdown text back: a list of dictionaries for each."""
    tables = []
    for block in markdown.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        if lines:
            head, _, *body = [
                [cell.strip() for cell in line.strip("|").split(" | ")] for line in lines
            ]
            tables.append([dict(zip(head, line, strict=True)) for line in body])
    return tables


class TestMarkdown:
    def test_is_made_for_reading(self):
        table = pd.DataFrame([row(published=0.3975), row(learner="b", published=np.nan)])
        ((first, second),) = cells(evaluate.to_markdown(table))
        assert first["Learner"] == "cnn/simple"
        assert first["Test accuracy, % (95 % interval)"] == "47.9 (34.5-61.7)"
        assert first["Published, %"] == "39.75"
        assert second["Published, %"] == ""
        # Not 40: the digits say how exact it is.
        assert first["Training, %"] == "40.0"
        assert first["Chance, %"] == "12.5"
        assert first["Macro F1, %"] == "45.7"
        assert first["Test tracks"] == "48"
        assert "Validation, %" not in first
        assert "SD over seeds, points" not in first

    def test_every_number_shown_is_recomputed_from_the_file(self, tmp_path):
        drawn_predictions(5).to_csv(tmp_path / "predictions.csv", index=False)
        entry = Entry("a", "official", None, tmp_path / "predictions.csv")
        read = pd.read_csv(tmp_path / "predictions.csv")
        test, p = read[read["part"] == "test"], read[read["part"] == "test"].filter(like="p_")
        true, predicted, n = test["genre"], test["predicted"], len(test)
        right = int((true == predicted).sum())
        low, high = proportion_confint(right, n, method="wilson")
        bins = pd.cut(p.max(axis=1), np.linspace(0, 1, 11)).astype(str)
        gaps = (true == predicted).groupby(bins).sum() - p.max(axis=1).groupby(bins).sum()
        expected = {
            "Learner": "a",
            "Test accuracy, % (95 % interval)": f"{100 * right / n:.1f} "
            f"({100 * low:.1f}-{100 * high:.1f})",
            "Chance, %": f"{100 * true.value_counts().max() / n:.1f}",
            "Macro F1, %": f"{100 * metrics.f1_score(true, predicted, average='macro'):.1f}",
            "Top-2 accuracy, %": f"{100 * metrics.top_k_accuracy_score(true, p, k=2):.1f}",
            "Log loss, nat": f"{metrics.log_loss(true, p):.3f}",
            "Calibration error, %": f"{100 * gaps.abs().sum() / n:.1f}",
            "Test tracks": str(n),
        }
        for part in ("training", "validation"):
            share = metrics.accuracy_score(*part_of(read, part))
            expected[f"{part.capitalize()}, %"] = f"{100 * share:.1f}"
        ((shown,),) = cells(evaluate.to_markdown(evaluate.comparison([entry], fma_small=False)))
        assert shown == expected | {"Seeds": "1", "Folds": "1"}
        (rows,) = cells(evaluate.to_markdown(evaluate.recall([entry])))
        report = metrics.classification_report(true, predicted, output_dict=True)
        assert [
            (row["Genre"], row["Recall, %"], row["Precision, %"], row["F1, %"]) for row in rows
        ] == [
            (
                genre,
                *(
                    f"{100 * report[genre][score]:.1f}"
                    for score in ("recall", "precision", "f1-score")
                ),
            )
            for genre in GENRES
        ]

    def test_each_split_has_its_heading_table_and_note(self):
        table = pd.DataFrame([row(split="lowest-ids"), row(seed_sd=0.0123)])
        note = "Synthetic demo corpus: these numbers say nothing about real music."
        text = evaluate.to_markdown(table, note=note)
        headings = [line for line in text.splitlines() if line.startswith("#")]
        assert headings == ["## Split lowest-ids", "## Split official"]
        assert text.count(note) == 2
        first, second = cells(text)
        assert len(first) == len(second) == 1
        assert "SD over seeds, points" not in first[0]
        assert second[0]["SD over seeds, points"] == "1.2"

    def test_names_are_escaped(self):
        table = pd.DataFrame([row(learner="<script>a|b*c*\n# d & e</script>")])
        text = evaluate.to_markdown(table)
        assert "<script>" not in text
        assert r"&lt;script&gt;a\|b\*c\* # d &amp; e&lt;/script&gt;" in text
        ((only,),) = cells(text)
        assert only["Test accuracy, % (95 % interval)"] == "47.9 (34.5-61.7)"

    def test_of_recall(self):
        frame = predictions(["Folk", "Folk"], ["Folk", "Hip-Hop"], ["test", "test"])
        text = evaluate.to_markdown(evaluate.recall([Entry("a", "official", None, frame)]))
        ((folk, hip_hop, _),) = cells(text)
        assert folk["Recall, %"] == "50.0"
        assert folk["Test tracks"] == "2"
        assert hip_hop["Recall, %"] == ""


def verdicts(better, split="official"):
    """Make tests of `high` against others: who is better, by the other's name."""
    rows = [
        {"split": split, "learner": "high", "other": other, "better": name}
        for other, name in better.items()
    ]
    return pd.DataFrame(rows, columns=["split", "learner", "other", "better"])


class TestSummary:
    def test_best_only_where_the_tests_say_so(self):
        high = row(learner="high", test_accuracy=0.6, test_low=0.55, test_high=0.65)
        low = row(learner="low", test_accuracy=0.4, test_low=0.35, test_high=0.45)
        near = row(learner="near", test_accuracy=0.5, test_low=0.45, test_high=0.56)
        said = evaluate.summary(pd.DataFrame([high, low]), verdicts({"low": "high"}))
        assert said.startswith("official: best test accuracy 60.0 % (95 % interval 55.0-65.0 %)")
        assert "by high on 48 tracks" in said
        assert "12.5 % (chance)" in said
        said = evaluate.summary(
            pd.DataFrame([high, near, low]), verdicts({"low": "high", "near": ""})
        )
        assert said.startswith("official: highest test accuracy 60.0 %")
        assert "doesn't tell 1 of 2 other learners from it" in said
        elsewhere = verdicts({"low": "high", "near": "high"}, split="lowest-ids")
        said = evaluate.summary(pd.DataFrame([high, near, low]), elsewhere)
        assert "doesn't tell 2 of 2 other learners from it" in said

    def test_without_tests_or_others_nothing_is_best(self):
        high = row(learner="high", test_accuracy=0.6, test_low=0.55, test_high=0.65)
        said = evaluate.summary(pd.DataFrame([high]), verdicts({}))
        assert said.startswith("official: test accuracy 60.0 %")
        assert "best" not in said
        assert "best" not in evaluate.summary(pd.DataFrame([high, row()]))

    def test_of_predictions(self):
        entries = [
            Entry(name, "official", None, random_predictions(1, tracks=400, hit=hit))
            for name, hit in (("good", 0.9), ("bad", 0.2), ("worse", 0.15))
        ]
        table = evaluate.comparison(entries, fma_small=False)
        said = evaluate.summary(table, significance.mcnemar(entries))
        assert said.startswith("official: best test accuracy")
        assert "by good on" in said

    def test_says_when_it_is_no_more_than_chance(self):
        said = evaluate.summary(pd.DataFrame([row(test_low=0.1)]))
        assert "can't be told from chance" in said
        assert "can't be told" not in evaluate.summary(pd.DataFrame([row()]))

    def test_one_line_a_split_and_the_note(self):
        table = pd.DataFrame([row(split="lowest-ids"), row()])
        lines = evaluate.summary(table, note="Synthetic.").splitlines()
        assert [line.split(":")[0] for line in lines[:2]] == ["lowest-ids", "official"]
        assert lines[2:] == ["Synthetic."]


class TestPublished:
    def test_numbers_of_the_study(self):
        # Read off the study's slides.
        assert published_results.accuracy("ffnn/512-256", "official", "test") == 0.495
        assert published_results.accuracy("cnn/simple", "official", "training") == 0.9998
        assert published_results.accuracy("cnn/tuned-augmented", "official", "test") == 0.3787
        resnet = "classify/resnet50/conv5_block1_2_relu/pca-0.90/svm-rbf"
        assert published_results.accuracy(resnet, "lowest-ids", "test") == 0.5012

    def test_cross_validated_accuracy_is_not_called_training(self):
        learner = "classify/vgg16/fc2/pca-0.90/svm-rbf"
        assert published_results.accuracy(learner, "lowest-ids", "cv") == 0.5195
        assert published_results.accuracy(learner, "lowest-ids", "training") is None

    def test_the_quoted_paper_is_no_number_of_the_study(self):
        table = published_results.results()
        (quoted,) = table[table["source"] != published_results.STUDY].to_dict("records")
        assert (quoted["learner"], quoted["value"]) == ("cnn/simple", 0.5163)
        assert published_results.accuracy("cnn/simple", "official", "test") == 0.3975

    def test_losses_are_no_accuracies(self):
        table = published_results.results()
        of_cnns = table["learner"].str.startswith("cnn/")
        assert sorted(table.loc[of_cnns & (table["metric"] == "loss"), "value"]) == [
            2.0166,
            2.3860,
            3.7596,
            8.0137,
        ]
        assert table.loc[table["metric"] == "accuracy", "value"].between(0, 1).all()

    def test_is_complete_and_without_doubles(self):
        table = published_results.results()
        # 9 FFNNs with 3 parts, each with a loss; 4 CNNs with 2 and a loss, the paper, 21 transfer
        # cells with 2.
        assert len(table) == 9 * 6 + 4 * 3 + 1 + 21 * 2
        assert not table.duplicated(["learner", "split", "metric", "part", "source"]).any()
        assert set(table["part"]) == {*PARTS, "cv"}

    def test_searches_of_the_study(self):
        # Read off the study's tables 8, 10 and 12.
        vgg16 = "classify/vgg16/block5_pool/pca-0.90"
        assert published_results.components(f"{vgg16}/mlp", "lowest-ids") == 1174
        assert published_results.parameters(f"{vgg16}/svm-rbf", "lowest-ids") == {
            "C": 1,
            "gamma": 0.0001,
        }
        resnet50 = "classify/resnet50/conv5_block1_2_relu/pca-0.90/mlp"
        assert published_results.parameters(resnet50, "lowest-ids") == {
            "alpha": 0.01,
            "hidden_layer_sizes": [512],
        }
        for found in (published_results.components, published_results.parameters):
            assert found(f"{vgg16}/mlp", "official") is None
        assert published_results.split_of(f"{vgg16}/mlp") == "lowest-ids"
        assert published_results.split_of("ffnn/64") == "official"
        assert published_results.split_of("ffnn/65") is None

    def test_every_search_with_an_accuracy_has_components_and_parameters(self):
        table = published_results.results()
        searches = table.loc[table["part"] == "cv", ["learner", "split"]]
        assert len(searches) == 21
        for learner, split in searches.itertuples(index=False):
            assert published_results.components(learner, split) in {
                1480,
                429,
                153,
                311,
                1174,
                87,
                1321,
            }
            keys = {"svm-linear": {"C"}, "svm-rbf": {"C", "gamma"}}
            expected = keys.get(learner.rsplit("/")[-1], {"alpha", "hidden_layer_sizes"})
            assert published_results.parameters(learner, split).keys() == expected

    def test_callers_cannot_change_it(self):
        table = published_results.results()
        table["value"] = 0.0
        assert published_results.accuracy("cnn/simple", "official", "test") == 0.3975


class TestNotPossible:
    """Learners that couldn't be made of their data, or were left out beforehand."""

    def entry(
        self, folder, learner="ffnn/4", split="official", seed=None, reason="too few | tracks"
    ):
        path = folder / split / learner / str(seed) / "predictions.csv"
        outcomes.write_reason(path, reason)
        return Entry(learner, split, seed, path)

    def others(self):
        return [
            Entry(name, "official", None, random_predictions(seed))
            for seed, name in enumerate("abc")
        ]

    def test_they_come_last_with_their_reason_and_no_numbers(self, tmp_path):
        others = self.others()
        entries = [self.entry(tmp_path), *others]
        settings = {"marks": {"ffnn": "random weights"}, "parameters": {"a": 7, "ffnn/4": 9}}
        settings |= {"fma_small": True, "inference_seconds": {"ffnn/4": 1.0}}
        table = evaluate.comparison(entries, **settings, left_out={"cnn/big": "no weights"})
        alone = evaluate.comparison(others, **settings)
        pd.testing.assert_frame_equal(table.iloc[:3], alone, check_dtype=False)
        last = table.iloc[3:]
        assert last["learner"].tolist() == ["cnn/big", "ffnn/4 (random weights)"]
        assert last["reason"].tolist() == ["no weights", "too few | tracks"]
        assert last.drop(columns=["split", "learner", "reason"]).isna().all(axis=None)
        assert alone["reason"].isna().all()
        # As CSV, whole numbers stay whole.
        table.to_csv(tmp_path / "comparison.csv", index=False)
        assert "official,ffnn/4 (random weights),,,," in (tmp_path / "comparison.csv").read_text()
        read = pd.read_csv(tmp_path / "comparison.csv")
        assert evaluate.made(read)["tracks"].tolist() == alone["tracks"].tolist()

    def test_markdown_and_summary_say_so(self, tmp_path):
        table = evaluate.comparison([self.entry(tmp_path), *self.others()], fma_small=False)
        for shown in (table, evaluate.made(table)):
            text = evaluate.to_markdown(shown)
            assert "nan" not in text.lower() and "<na>" not in text.lower()
            assert ("too few \\| tracks" in text) == (len(shown) == 4)
        table.to_csv(tmp_path / "comparison.csv", index=False)
        for shown in (table, pd.read_csv(tmp_path / "comparison.csv")):
            said = evaluate.summary(shown, significance.mcnemar(self.others()))
            assert "1 of 4 learners couldn't be made" in said
            assert f"on {table['tracks'][0]} tracks" in said
        assert "couldn't" not in evaluate.summary(evaluate.made(table))

    def test_other_tables_leave_them_out(self, tmp_path):
        others = self.others()
        entries = [self.entry(tmp_path), *others]
        for make in (evaluate.recall, calibration.reliability, significance.mcnemar):
            pd.testing.assert_frame_equal(make(entries), make(others))
        with pytest.raises(NotPossible, match=r"^too few . tracks$"):
            evaluate.confusion(entries[:1])

    def test_nothing_but_reasons(self, tmp_path):
        entries = [self.entry(tmp_path), self.entry(tmp_path, "ffnn/8")]
        table = evaluate.comparison(entries, fma_small=True)
        assert table["reason"].tolist() == ["too few | tracks"] * 2
        full = [Entry("a", "official", None, random_predictions(0)), *self.others()[1:]]
        for make in (evaluate.recall, calibration.reliability, significance.mcnemar):
            assert make(entries).columns.tolist() == make(full).columns.tolist()
            assert make(entries).empty
        assert evaluate.summary(table) == (
            "official: none of 2 learners could be made; the table says why."
        )
        assert "too few" in evaluate.to_markdown(table)

    def test_a_fold_is_named(self, tmp_path):
        entries = cross_validation(1, 5)
        third = self.entry(tmp_path, "cnn/simple", entries[2].split, reason="no jazz")
        table = evaluate.comparison([*entries[:2], third, *entries[3:]], fma_small=False)
        assert table["reason"].tolist() == ["fold cv-1x5-r1-f03: no jazz"]

    def test_fold_and_seed_are_named(self, tmp_path):
        entries = cross_validation(1, 2, seeds=(0, 1))
        second = self.entry(tmp_path, "cnn/simple", entries[3].split, 1, "no jazz")
        table = evaluate.comparison([*entries[:3], second], fma_small=False)
        assert table["reason"].tolist() == ["fold cv-1x2-r1-f02, seed 1: no jazz"]

    def test_one_reason_for_all_folds_needs_no_name(self, tmp_path):
        names = [entry.split for entry in cross_validation(1, 3)]
        entries = [self.entry(tmp_path, "cnn/simple", name, reason="no jazz") for name in names]
        table = evaluate.comparison(entries, fma_small=False)
        assert table["reason"].tolist() == ["no jazz"]
