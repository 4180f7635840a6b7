"""Which learner is bundled: by validation alone, or by name."""

import pandas as pd
import pytest
from genreflow.errors import GenreflowError, NotPossible
from genreflow.evaluation.choice import choose, marked
from genreflow.layout import Layout
from genreflow.runtime import outcomes
from made.predictions import GENRES, predictions

PARTS = ("validation", "test")


@pytest.fixture
def made(tmp_path):
    """Return what writes predictions of a learner: so many of ten validation tracks are right."""

    def write(
        learner, hits, *, sure=0.6, split="official", seed=None, parts=("validation", "test")
    ):
        genres = [GENRES[n % 3] for n in range(10)]
        predicted = [g if n < hits else GENRES[(n + 1) % 3] for n, g in enumerate(genres)]
        # All of the test part right for whoever is worst on validation: it must not count.
        truth = {"validation": genres, "test": predicted if hits < 5 else genres}
        table = pd.concat(
            predictions(truth[part], predicted, part, ids=[f"{part} {n}" for n in range(10)])
            for part in parts
        )
        probabilities = [f"p_{genre}" for genre in GENRES]
        table[probabilities] = table[probabilities].replace({0.6: sure, 0.2: (1 - sure) / 2})
        path = tmp_path / Layout("").fitted(split, learner, seed).predictions.lstrip("/")
        path.parent.mkdir(parents=True)
        table.to_csv(path, index=False)
        return path

    return write


def test_the_best_on_validation_is_chosen(tmp_path, made):
    paths = [made("classify/a", 4), made("classify/b", 8), made("classify/c", 7)]
    assert choose(paths, folder=tmp_path) == paths[1]
    assert choose(paths, folder=tmp_path, seen=["classify/b"]) == paths[2]
    assert choose(paths, folder=tmp_path, name="classify/a") == paths[0]
    assert choose(paths, folder=tmp_path, name="classify/b", seen=["classify/b"]) == paths[1]


def test_of_equals_the_one_with_the_lower_log_loss_is_chosen(tmp_path, made):
    paths = [made(f"classify/{sure}", 8, sure=sure) for sure in (0.4, 0.7, 0.99)]
    assert choose(paths, folder=tmp_path) == paths[1]


def test_seeds_are_averaged_and_then_the_best_is_taken(tmp_path, made):
    paths = [made("cnn/a", hits, seed=seed) for seed, hits in enumerate((9, 3))]
    paths += [made("cnn/b", hits, seed=seed) for seed, hits in enumerate((6, 8, 7))]
    assert choose(paths, folder=tmp_path) == paths[3]
    assert choose(paths, folder=tmp_path, name="cnn/a") == paths[0]


def test_what_cant_be_chosen_from_is_refused(tmp_path, made):
    first, other = made("classify/a", 5), made("classify/a", 6, split="grouped")
    with pytest.raises(GenreflowError, match="grouped, official"):
        choose([first, other], folder=tmp_path)
    with pytest.raises(GenreflowError, match=r"'classify/z'.*classify/a"):
        choose([first], folder=tmp_path, name="classify/z")
    with pytest.raises(GenreflowError, match="name the one"):
        choose([first], folder=tmp_path, seen=["classify/a"])


def test_a_learner_that_is_not_possible_is_never_chosen(tmp_path, made):
    paths = [made("cnn/a", 9, seed=0), made("cnn/a", 9, seed=1), made("cnn/b", 2, seed=0)]
    outcomes.write_reason(paths[1], "it diverged")
    assert choose(paths, folder=tmp_path) == paths[2]
    with pytest.raises(NotPossible, match=r"^cnn/a can't be made .*: seed 1: it diverged$"):
        choose(paths, folder=tmp_path, name="cnn/a")


def test_without_validation_a_learner_has_to_be_named(tmp_path, made):
    path = made("classify/a", 5, parts=["test"])
    with pytest.raises(GenreflowError, match="validation part"):
        choose([path], folder=tmp_path)
    assert choose([path], folder=tmp_path, name="classify/a") == path


def test_tables_mark_what_is_chosen_and_go_on_where_nothing_is(tmp_path, made):
    paths = [made("cnn/a", 4, seed=seed) for seed in (0, 1)] + [made("cnn/b", 8, seed=0)]
    paths.append(made("cnn/a", 9, split="grouped", seed=0))
    marking = {"folder": tmp_path, "split": "official"}
    assert marked(paths, **marking) == (("official", "cnn/b"), "the best on validation")
    named = marked(paths, name="cnn/a", **marking)
    assert named == (("official", "cnn/a"), "as predict.learner asks")
    chosen, why = marked(paths, name="cnn/z", **marking)
    assert chosen is None and "there is no learner 'cnn/z'" in why
    outcomes.write_reason(paths[0], "it diverged")
    chosen, why = marked(paths, name="cnn/a", **marking)
    assert chosen is None and "it diverged" in why


def test_all_folds_of_a_cross_validation_choose_and_the_first_is_taken(tmp_path, made):
    folds = [made("cnn/a", hits, split=f"cv-1x2-r1-f{n}") for n, hits in ((1, 7), (2, 5))]
    folds += [made("cnn/b", hits, split=f"cv-1x2-r1-f{n}") for n, hits in ((1, 5), (2, 9))]
    chosen, by = marked(folds, folder=tmp_path, split="cv-1x2-r1-f1")
    assert (chosen, by) == (("cv-1x2", "cnn/b"), "the best on validation")
    assert choose(folds, folder=tmp_path) == folds[2]
    assert choose(folds, folder=tmp_path, name="cnn/a") == folds[0]
    outcomes.write_reason(folds[3], "it diverged")
    assert choose(folds, folder=tmp_path) == folds[0]
