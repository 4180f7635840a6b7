import itertools
import math

import numpy as np
import pandas as pd
import pytest
from genreflow.errors import NotPossible
from genreflow.evaluation import (
    calibration,
    metrics,
    published_results,
    significance,
    uncertainty,
    verdict,
)
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
from sklearn import metrics as sklearn
from statsmodels.stats.proportion import proportion_confint

SVM = "classify/vgg16/fc2/pca-0.90/svm-rbf"


def only_row(entries, **given):
    (row,) = metrics.comparison(entries, fma_small=False, **given).to_dict("records")
    return row


def entry(frame, learner="a", split="official", seed=None):
    return Entry(learner, split, seed, frame)


class TestComparison:
    def test_one_learner_by_hand(self):
        frame = predictions(
            ["Folk", "Folk", "Folk", "Hip-Hop", "Folk", "Hip-Hop", "Folk"],
            ["Folk", "Hip-Hop", "Folk", "Hip-Hop", "Hip-Hop", "Hip-Hop", "Hip-Hop"],
            ["test", "test", "test", "test", "training", "training", "validation"],
        )
        row = only_row([entry(frame)])
        assert row["test_accuracy"] == row["baseline"] == 3 / 4
        assert (row["training_accuracy"], row["validation_accuracy"]) == (1 / 2, 0)
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
        assert "published" not in row

    def test_seeds_from_files_equal_scikit_learn(self, tmp_path):
        frames = [drawn_predictions(seed) for seed in (3, 4, 9)]
        # A sure mistake, whose logarithm would be infinite.
        mistaken = frames[0].index[frames[0]["part"] == "test"][0]
        wrong = np.array(GENRES) != frames[0].loc[mistaken, "genre"]
        frames[0].loc[mistaken, [f"p_{genre}" for genre in GENRES]] = wrong / wrong.sum()
        frames[0].loc[mistaken, "predicted"] = GENRES[wrong.argmax()]
        entries = []
        for seed, frame in enumerate(frames):
            frame.to_csv(tmp_path / f"{seed}.csv", index=False)
            entries.append(entry(tmp_path / f"{seed}.csv", seed=seed))
        row = only_row(entries)
        tests = [part_of(frame) for frame in frames]
        p = [frame[frame["part"] == "test"].filter(like="p_").to_numpy() for frame in frames]
        pairs = [(genre, own) for (genre, _), own in zip(tests, p, strict=True)]
        accuracies = [sklearn.accuracy_score(*test) for test in tests]
        n = len(tests[0][0])
        # Three seeds don't make three times the tracks.
        low, high = proportion_confint(np.mean(accuracies) * n, n, method="wilson")
        expected = {
            **{"seeds": 3, "tracks": n, "baseline": tests[0][0].value_counts().iloc[0] / n},
            **{"test_accuracy": np.mean(accuracies), "test_low": low, "test_high": high},
            "seed_sd": np.std(accuracies, ddof=1),
            "macro_f1": np.mean([sklearn.f1_score(*test, average="macro") for test in tests]),
            "log_loss": np.mean([sklearn.log_loss(*pair, labels=GENRES) for pair in pairs]),
            "top2_accuracy": np.mean(
                [sklearn.top_k_accuracy_score(*pair, k=2, labels=GENRES) for pair in pairs]
            ),
        }
        for part in ("training", "validation"):
            shares = [sklearn.accuracy_score(*part_of(frame, part)) for frame in frames]
            expected[f"{part}_accuracy"] = np.mean(shares)
        assert {name: row[name] for name in expected} == pytest.approx(expected, rel=1e-12)

    def test_equal_probabilities_do_not_make_a_genre_one_of_the_two_likeliest(self):
        frame = predictions(["Folk", "Hip-Hop", GENRES[2]], ["Folk"] * 3, ["test"] * 3)
        frame[[f"p_{genre}" for genre in GENRES]] = 1 / 3
        row = only_row([entry(frame)])
        assert row["top2_accuracy"] == row["test_accuracy"] == 1 / 3

    def test_a_prediction_below_the_right_genre_has_its_top_genre_right(self):
        names = punk, metal, rap, jazz = "Punk", "Metal", "Rap", "Jazz"
        right, given = [punk, punk, metal, rap, jazz], [metal, rap, rap, rap, punk]
        frame = predictions(right, given, ["test"] * 5, names=names)
        tops = {punk: "Rock", metal: "Rock", rap: "Hip-Hop", jazz: jazz}
        row = only_row([entry(frame)], tops=tops)
        assert (row["test_accuracy"], row["top_genre_accuracy"]) == (1 / 5, 2 / 5)
        assert math.isnan(only_row([entry(frame)])["top_genre_accuracy"])

    def test_cross_validation_pools_the_folds_of_a_repeat(self):
        entries = cross_validation(repeats=3, folds=4, seeds=(1, 2))
        row = only_row(entries)
        assert (row["split"], row["seeds"], row["folds"], row["tracks"]) == ("cv-3x4", 2, 12, 61)
        accuracy, f1, fold_accuracy = {}, [], {}
        for seed, repeat in itertools.product((1, 2), (1, 2, 3)):
            own = [e for e in entries if e.seed == seed and f"-r{repeat}-" in e.split]
            pooled = part_of(pd.concat([e.predictions for e in own]))
            accuracy[seed, repeat] = sklearn.accuracy_score(*pooled)
            f1.append(sklearn.f1_score(*pooled, average="macro"))
            for e in own:
                fold_accuracy[seed, e.split] = sklearn.accuracy_score(*part_of(e.predictions))
        by_seed = [np.mean([accuracy[s, r] for r in (1, 2, 3)]) for s in (1, 2)]
        by_repeat = [np.mean([accuracy[s, r] for s in (1, 2)]) for r in (1, 2, 3)]
        names = sorted({e.split for e in entries})
        by_fold = [np.mean([fold_accuracy[s, name] for s in (1, 2)]) for name in names]
        expected = {
            "test_accuracy": np.mean(list(accuracy.values())),
            "macro_f1": np.mean(f1),
            "seed_sd": np.std(by_seed, ddof=1),
            "repeat_sd": np.std(by_repeat, ddof=1),
            "fold_sd": np.std(by_fold, ddof=1),
            "fold_mean": np.mean(by_fold),
        }
        assert {name: row[name] for name in expected} == pytest.approx(expected)
        # Folds of unequal size: the two means differ.
        assert row["test_accuracy"] != pytest.approx(row["fold_mean"])
        assert math.isnan(row["validation_accuracy"])

    def test_rows_are_sorted_by_split_then_accuracy(self):
        hits = itertools.product(("official", "lowest-ids"), (("low", 0.0), ("high", 1.0)))
        entries = [
            entry(random_predictions(1, hit=hit), learner, split) for split, (learner, hit) in hits
        ]
        table = metrics.comparison([*entries, *cross_validation(1, 2)], fma_small=False)
        assert list(zip(table["split"], table["learner"], strict=True)) == [
            ("cv-1x2", "cnn/simple"),
            *[("lowest-ids", "high"), ("lowest-ids", "low")],
            *[("official", "high"), ("official", "low")],
        ]
        assert table["test_accuracy"][1] == 1.0

    def test_published_numbers_stand_beside_ours_on_the_same_split_only(self):
        places = [("cnn/simple", "official"), ("cnn/simple", "grouped")]
        places += [(SVM, "lowest-ids"), (SVM, "official")]
        entries = [entry(random_predictions(1), *place) for place in places]
        table = metrics.comparison(entries, fma_small=True)
        found = table.set_index(["learner", "split"])["published"].dropna().to_dict()
        assert found == {places[0]: 0.3975, places[2]: 0.4617}
        assert metrics.comparison(entries[1:2], fma_small=True)["published"].isna().all()

    def test_marks_stand_by_the_learners_in_every_table(self):
        entries = [entry(random_predictions(1), name, "lowest-ids") for name in (SVM, "ffnn/64")]
        marks = {"vgg16": "random weights"}
        table = metrics.comparison(entries, fma_small=True, marks=marks)
        assert set(table["learner"]) == {f"{SVM} (random weights)", "ffnn/64"}
        assert table["published"].dropna().tolist() == [0.4617]
        assert set(metrics.recall(entries, marks=marks)["learner"]) == set(table["learner"])
        assert "svm-rbf (random weights)" in metrics.to_markdown(table)

    def test_parameters_and_times_stand_by_the_learners_that_have_them(self):
        entries = [entry(random_predictions(1), name) for name in ("cnn/simple", "b")]
        table = metrics.comparison(
            entries,
            fma_small=False,
            marks={"simple": "random weights"},
            parameters={"cnn/simple": 735944},
            latency_seconds={"cnn/simple": 0.01234},
        )
        costs = table.set_index("learner")[["parameters", "latency_seconds"]]
        assert costs.loc["cnn/simple (random weights)"].tolist() == [735944, 0.01234]
        assert costs.loc["b"].isna().all()
        ((_, shown),) = cells(metrics.to_markdown(table.sort_values("learner")))
        assert shown["Parameters"] == "735,944"
        assert shown["Latency, ms per clip"] == "12"

    def test_the_interval_is_of_artists_where_they_are_known(self):
        seeds = [random_predictions(seed, 300) for seed in (1, 2)]
        entries = [entry(frame, seed=seed) for seed, frame in enumerate(seeds)]
        ids = seeds[0]["track_id"]
        owners = [f"artist {number % 30}" for number in range(300)]
        tracks = pd.DataFrame({"track_id": ids, "artist_id": owners, "album_id": ""})
        tracks = tracks.assign(duplicate_of="").sample(frac=1, random_state=0)
        (found,) = metrics.comparison(entries, fma_small=False, manifest=tracks).to_dict("records")
        test = seeds[0].index[seeds[0]["part"] == "test"]
        right = np.mean([frame["genre"] == frame["predicted"] for frame in seeds], axis=0)[test]
        artists = np.array(test) % 30
        ends = (found["test_low"], found["test_high"])
        assert ends == pytest.approx(uncertainty.interval(right, artists))
        assert (found["interval"], found["groups"]) == ("by artist", len(set(artists)))
        unknown = metrics.comparison(entries, fma_small=False, manifest=tracks.assign(artist_id=""))
        pd.testing.assert_frame_equal(unknown, metrics.comparison(entries, fma_small=False))
        assert unknown["interval"].tolist() == ["Wilson"] and unknown["groups"].isna().all()

    def test_what_is_used_for_predictions_is_marked_once(self):
        entries = [entry(random_predictions(n), name) for n, name in enumerate("ab")]
        entries += [entry(random_predictions(3), "a", "grouped")]
        settings = {"fma_small": False, "chosen": ("official", "a"), "marks": {"a": "marked"}}
        table = metrics.comparison(entries, **settings)
        rows = table[table["chosen"]]
        assert rows[["split", "learner"]].to_numpy().tolist() == [["official", "a (marked)"]]
        grouped, official = cells(metrics.to_markdown(table))
        assert "Used for predictions" not in grouped[0]
        assert {one["Used for predictions"] for one in official} == {"yes", ""}


class TestRecall:
    def test_equals_scikit_learn_over_seeds_and_repeats(self):
        seeds = [random_predictions(seed) for seed in (1, 2)]
        folds = cross_validation(2, 3)
        entries = [entry(frame, seed=seed) for seed, frame in enumerate(seeds)]
        table = metrics.recall([*entries, *folds])
        repeats = [
            pd.concat([e.predictions for e in folds if f"-r{repeat}-" in e.split])
            for repeat in (1, 2)
        ]
        for place, runs in {("official", "a"): seeds, ("cv-2x3", "cnn/simple"): repeats}.items():
            own = table[(table["split"] == place[0]) & (table["learner"] == place[1])]
            assert own["genre"].tolist() == GENRES
            for name in ("recall", "precision", "f1"):
                score = getattr(sklearn, f"{name}_score")
                expected = [score(*part_of(run), labels=GENRES, average=None) for run in runs]
                np.testing.assert_allclose(own[name], np.mean(expected, axis=0))
            support = part_of(runs[0])[0].value_counts()
            assert dict(zip(own["genre"], own["support"], strict=True)) == support.to_dict()
        assert len(table) == 2 * len(GENRES)

    def test_undefined_is_empty_not_zero(self):
        frame = predictions(["Folk", "Folk"], ["Folk", "Hip-Hop"], ["test", "test"])
        table = metrics.recall([entry(frame)])
        by_genre = table.set_index("genre")
        assert by_genre.loc["Folk", ["support", "recall", "precision"]].tolist() == [2, 0.5, 1.0]
        assert math.isnan(by_genre.loc["Hip-Hop", "recall"])
        assert by_genre.loc["Hip-Hop", "precision"] == 0
        assert by_genre.loc["Old-Time / Historic", ["recall", "precision", "f1"]].isna().all()


class TestConfusion:
    def test_counts_by_hand(self):
        frame = predictions(
            ["Folk", "Folk", "Hip-Hop", "Folk"],
            ["Folk", "Hip-Hop", "Hip-Hop", "Folk"],
            ["test", "test", "test", "training"],
        )
        counts = metrics.confusion([entry(frame)])
        assert counts.index.tolist() == counts.columns.tolist() == GENRES
        assert (counts.index.name, counts.columns.name) == ("genre", "predicted")
        assert counts.to_numpy().tolist() == [[1, 1, 0], [0, 1, 0], [0, 0, 0]]

    def test_sums_over_folds_repeats_and_seeds(self):
        entries = cross_validation(2, 3, seeds=(1, 2))
        counts = metrics.confusion(entries).to_numpy()
        expected = sum(
            sklearn.confusion_matrix(*part_of(e.predictions), labels=GENRES) for e in entries
        )
        assert counts.tolist() == expected.tolist()
        assert counts.sum() == 61 * 2 * 2
        assert np.issubdtype(counts.dtype, np.integer)


def row(**changed):
    counts = {"seeds": 1, "folds": 1, "tracks": 48}
    test = {"test_accuracy": 23 / 48, "test_low": 0.3447, "test_high": 0.6167}
    unknown = dict.fromkeys(("validation_accuracy", "seed_sd", "fold_sd", "repeat_sd"), np.nan)
    others = {"training_accuracy": 0.4, "macro_f1": 0.45678, "baseline": 0.125}
    named = {"split": "official", "learner": "cnn/simple", "chosen": False}
    return named | counts | test | unknown | others | changed


def cells(markdown):
    """Read the tables of a Markdown text back: a list of dictionaries for each."""
    tables = []
    for block in markdown.split("\n\n"):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        if lines:
            rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
            tables.append([dict(zip(rows[0], row, strict=True)) for row in rows[2:]])
    return tables


class TestMarkdown:
    def test_is_made_for_reading(self):
        odd = "<script>a|b*c*\n# d & e</script>"
        rows = [row(published=0.3975), row(learner=odd), row(split="grouped", seed_sd=0.0123)]
        note = "Synthetic demo corpus: these numbers say nothing about real music."
        table = pd.DataFrame(rows).assign(title=lambda own: own["learner"])
        text = metrics.to_markdown(table, note=note)
        headings = [line for line in text.splitlines() if line.startswith("#")]
        assert headings == ["## Split official", "## Split grouped"]
        assert text.count(note) == 2
        (first, second), (third,) = cells(text)
        assert first == {
            **{"Learner": "cnn/simple", "Test accuracy, % (95 % interval)": "47.9 (34.5-61.7)"},
            # Not 40: the digits say how exact it is.
            **{"Published, %": "39.75", "Chance, %": "12.5", "Training, %": "40.0"},
            **{"Macro F1, %": "45.7", "Seeds": "1", "Folds": "1", "Test tracks": "48"},
        }
        assert second["Learner"] == r"&lt;script&gt;a\|b\*c\* # d &amp; e&lt;/script&gt;"
        assert second["Published, %"] == ""
        assert third["SD over seeds, points"] == "1.2"


def verdicts(better, split="official"):
    """Make tests of `high` against others: who is better, by the other's name."""
    rows = [(split, "high", other, "A test", name) for other, name in better.items()]
    return pd.DataFrame(rows, columns=["split", "learner", "other", "test", "better"])


class TestSummary:
    def test_best_only_where_the_tests_say_so(self):
        high = row(learner="high", test_accuracy=0.6, test_low=0.55, test_high=0.65)
        low = row(learner="low", test_accuracy=0.4, test_low=0.35, test_high=0.45)
        near = row(learner="near", test_accuracy=0.5, test_low=0.45, test_high=0.56)
        said = verdict.summary(pd.DataFrame([high, low]), verdicts({"low": "high"}))
        assert said.startswith("official: best test accuracy 60.0 % (95 % interval 55.0-65.0 %)")
        assert "by high on 48 tracks" in said and "12.5 % (chance)" in said
        three = pd.DataFrame([high, near, low])
        said = verdict.summary(three, verdicts({"low": "high", "near": ""}))
        assert said.startswith("official: highest test accuracy 60.0 %")
        assert (
            "A test, corrected" in said
            and "no significant difference between it and 1 of 2 other" in said
        )
        said = verdict.summary(three, verdicts({"low": "high", "near": "high"}, "lowest-ids"))
        assert "no significant difference between it and 2 of 2 other" in said
        # Without others or tests nothing is best.
        said = verdict.summary(pd.DataFrame([high]), verdicts({}))
        assert said.startswith("official: test accuracy 60.0 %") and "best" not in said
        assert "best" not in verdict.summary(three)

    def test_says_what_is_used_and_where_test_is_easier_than_validation(self):
        parts = ((0.9, 0.6), (0.8, 0.65), (0.5, 0.55))
        rows = [
            row(
                learner=name, test_accuracy=test, validation_accuracy=validation, chosen=name == "b"
            )
            for name, (test, validation) in zip("abc", parts, strict=True)
        ]
        table = pd.DataFrame(rows).assign(groups=16)
        said = verdict.summary(table, chosen_by="the best on validation")
        assert "by a on 48 tracks of 16 artists" in said
        assert "2 of 3 learners score higher on it, by 15 points in the median" in said
        assert "(a 90.0 against 60.0 %)" in said and "different artists" in said
        used = "b, the best on validation (65.0 % on validation, 80.0 % on test)"
        assert f"Used for predictions: {used}." in said
        alike = table.assign(validation_accuracy=table["test_accuracy"] - 0.09)
        assert "easier" not in verdict.summary(alike)
        first = verdict.summary(table.assign(chosen=table["learner"] == "a"))
        assert "Used for predictions: a (60.0 % on validation, 90.0 % on test)." in first
        unused = table.assign(chosen=False, validation_accuracy=np.nan)
        assert not {"used", "Used", "easier"} & set(verdict.summary(unused).split())

    def test_one_line_a_split_and_the_note(self):
        table = pd.DataFrame([row(split="lowest-ids", test_low=0.1), row()])
        first, second, note = verdict.summary(table, note="Synthetic.").splitlines()
        assert first.startswith("lowest-ids: ") and "can't be told from chance" in first
        assert second.startswith("official: ") and "can't be told" not in second
        assert note == "Synthetic."


class TestPublished:
    def test_numbers_of_the_study(self):
        # Read off the study's slides.
        resnet = "classify/resnet50/conv5_block1_2_relu/pca-0.90"
        for place, expected in {
            ("ffnn/512-256", "official", "test"): 0.495,
            ("cnn/simple", "official", "training"): 0.9998,
            # The paper that the study quotes has 0.5163.
            ("cnn/simple", "official", "test"): 0.3975,
            ("cnn/simple", "grouped", "test"): None,
            ("cnn/tuned-augmented", "official", "test"): 0.3787,
            (f"{resnet}/svm-rbf", "lowest-ids", "test"): 0.5012,
            (SVM, "lowest-ids", "cv"): 0.5195,
            # A cross-validated accuracy is no training accuracy.
            (SVM, "lowest-ids", "training"): None,
        }.items():
            assert published_results.value(*place) == expected
        assert published_results.value("ffnn/64", "official", "test", "loss") == 1.790

    def test_searches_of_the_study(self):
        # Read off the study's tables 8, 10 and 12.
        vgg16 = "classify/vgg16/block5_pool/pca-0.90"
        assert published_results.search(f"{vgg16}/mlp", "lowest-ids")["components"] == 1174
        best = published_results.search(f"{vgg16}/svm-rbf", "lowest-ids")["parameters"]
        assert best == '{"C": 1, "gamma": 0.0001}'
        assert published_results.search(f"{vgg16}/mlp", "official") == {}
        assert published_results.split_of(f"{vgg16}/mlp") == "lowest-ids"
        assert published_results.split_of("ffnn/64") == "official"
        assert published_results.split_of("ffnn/65") is None


def unmade(folder, learner="ffnn/4", split="official", seed=None, reason="too few | tracks"):
    path = folder / split / learner / str(seed) / "predictions.csv"
    outcomes.write_reason(path, reason)
    return Entry(learner, split, seed, path)


class TestNotPossible:
    """Learners that couldn't be made of their data, or were left out beforehand."""

    OTHERS = tuple(entry(random_predictions(seed), name) for seed, name in enumerate("abc"))

    def test_they_come_last_with_their_reason_and_no_numbers(self, tmp_path):
        settings = {"marks": {"ffnn": "random weights"}, "parameters": {"a": 7, "ffnn/4": 9}}
        settings |= {"fma_small": True, "latency_seconds": {"ffnn/4": 1.0}}
        entries = [unmade(tmp_path), *self.OTHERS]
        table = metrics.comparison(entries, **settings, left_out={"cnn/big": "no weights"})
        alone = metrics.comparison(self.OTHERS, **settings)
        pd.testing.assert_frame_equal(table.iloc[:3], alone, check_dtype=False)
        last = table.iloc[3:]
        assert last["learner"].tolist() == ["cnn/big", "ffnn/4 (random weights)"]
        assert last["reason"].tolist() == ["no weights", "too few | tracks"]
        assert not last[["chosen", "learns_from_validation"]].any(axis=None)
        said = ["split", "learner", "title", "kind", "mark", "reason"]
        numbers = last.drop(columns=[*said, "chosen", "learns_from_validation"])
        assert numbers.isna().all(axis=None)
        assert alone["reason"].isna().all()
        # As CSV, whole numbers stay whole.
        table.to_csv(tmp_path / "comparison.csv", index=False)
        assert (
            "official,ffnn/4 (random weights),ffnn/4,,random weights,,,,"
            in (tmp_path / "comparison.csv").read_text()
        )
        read = pd.read_csv(tmp_path / "comparison.csv")
        assert metrics.made(read)["tracks"].tolist() == alone["tracks"].tolist()

    def test_markdown_and_summary_say_so(self, tmp_path):
        table = metrics.comparison([unmade(tmp_path), *self.OTHERS], fma_small=False)
        for shown in (table, metrics.made(table)):
            text = metrics.to_markdown(shown)
            assert "nan" not in text.lower() and "<na>" not in text.lower()
            assert ("too few \\| tracks" in text) == (len(shown) == 4)
        table.to_csv(tmp_path / "comparison.csv", index=False)
        for shown in (table, pd.read_csv(tmp_path / "comparison.csv")):
            said = verdict.summary(shown, significance.pairs(self.OTHERS))
            assert "1 of 4 learners couldn't be made" in said
            assert f"on {table['tracks'][0]} tracks" in said
        assert "couldn't" not in verdict.summary(metrics.made(table))

    def test_other_tables_leave_them_out(self, tmp_path):
        entries = [unmade(tmp_path), *self.OTHERS]
        for make in (metrics.recall, calibration.reliability, significance.pairs):
            pd.testing.assert_frame_equal(make(entries), make(self.OTHERS))
        with pytest.raises(NotPossible, match=r"^too few . tracks$"):
            metrics.confusion(entries[:1])

    def test_nothing_but_reasons(self, tmp_path):
        entries = [unmade(tmp_path), unmade(tmp_path, "ffnn/8")]
        table = metrics.comparison(entries, fma_small=True)
        assert table["reason"].tolist() == ["too few | tracks"] * 2
        for make in (metrics.recall, calibration.reliability, significance.pairs):
            assert make(entries).columns.tolist() == make(self.OTHERS).columns.tolist()
            assert make(entries).empty
        none = "official: none of 2 learners could be made; the table says why."
        assert verdict.summary(table) == none
        assert "too few" in metrics.to_markdown(table)

    @pytest.mark.parametrize(
        ("seeds", "lacking", "said"),
        [
            ((None,), [2], "fold cv-1x3-r1-f03: no jazz"),
            ((0, 1), [4], "fold cv-1x3-r1-f02, seed 1: no jazz"),
            # One reason for all needs no name.
            ((None,), [0, 1, 2], "no jazz"),
        ],
    )
    def test_fold_and_seed_are_named(self, tmp_path, seeds, lacking, said):
        entries = cross_validation(1, 3, seeds=seeds)
        for place in lacking:
            lost = entries[place]
            entries[place] = unmade(tmp_path, lost.learner, lost.split, lost.seed, "no jazz")
        table = metrics.comparison(entries, fma_small=False)
        assert table["reason"].tolist() == [said]
