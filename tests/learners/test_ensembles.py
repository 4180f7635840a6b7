import numpy as np
import pandas as pd
import pytest
from genreflow.errors import GenreflowError, NotPossible
from genreflow.learners import ensembles, grid_search
from genreflow.learners.predictions import Entry
from genreflow.runtime import outcomes
from made.predictions import GENRES, drawn_predictions
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

P = [f"p_{genre}" for genre in GENRES]


def entries(count=3, **settings):
    return [
        Entry(f"learner/{number}", "official", None, drawn_predictions(number, **settings))
        for number in range(count)
    ]


def parts_of(frame):
    return {part: (frame["part"] == part).to_numpy() for part in ("training", "validation", "test")}


def changed(entry, **columns):
    return Entry(entry.learner, entry.split, entry.seed, entry.predictions.assign(**columns))


def features(members):
    return np.hstack([np.log(np.maximum(e.predictions[P], 1e-6)) for e in members])


def test_average_is_the_mean_over_learners_after_that_over_seeds():
    a, b, c = (drawn_predictions(number) for number in range(3))
    result = ensembles.average(
        [
            Entry("cnn/simple", "official", 1, a),
            Entry("ffnn/64", "official", 1, c),
            Entry("cnn/simple", "official", 2, b),
        ]
    )
    expected = ((a[P] + b[P]) / 2 + c[P]) / 2
    np.testing.assert_allclose(result.predictions[P], expected, rtol=1e-12)
    assert result.predictions["predicted"].tolist() == [
        column.removeprefix("p_") for column in expected.idxmax(axis=1)
    ]
    assert result.combiner.members == ["cnn/simple", "ffnn/64"]
    labels = ["track_id", "part", "genre"]
    pd.testing.assert_frame_equal(result.predictions[labels], a[labels], check_dtype=False)


def test_members_may_list_tracks_and_genres_in_another_order():
    plain = entries(2)
    other = plain[1].predictions.iloc[::-1]
    turned = Entry("learner/1", "official", None, other[[*other.columns[:4], *P[::-1]]])
    for make in (ensembles.average, ensembles.stack):
        expected = make(plain).predictions
        pd.testing.assert_frame_equal(make([plain[0], turned]).predictions, expected)


def test_stack_is_the_regression_of_scikit_learn_on_validation():
    members = entries(3, tracks=300)
    result = ensembles.stack(members, strengths=[0.1, 0.01], folds=4, seed=3)
    frame = members[0].predictions
    held, x = parts_of(frame)["validation"], features(members)
    genres = frame["genre"].to_numpy()
    y = np.array([GENRES.index(genre) for genre in genres])
    losses, out_of_fold = [], {}
    for strength in (0.01, 0.1):
        p = np.empty((held.sum(), 3))
        for train, test in grid_search.make_folds(y[held], None, GENRES, n_splits=4, seed=3):
            model = LogisticRegression(C=strength, max_iter=2000).fit(
                x[held][train], y[held][train]
            )
            p[test] = model.predict_proba(x[held][test])
        out_of_fold[strength] = p
        losses.append(log_loss(y[held], p))
    assert result.search["C"].tolist() == [0.01, 0.1]
    np.testing.assert_allclose(result.search["log_loss"], losses, rtol=1e-9)
    best = [0.01, 0.1][int(np.argmin(losses))]
    whole = LogisticRegression(C=best, max_iter=2000).fit(x[held], y[held])
    p = result.predictions[P].to_numpy()
    np.testing.assert_allclose(p[~held], whole.predict_proba(x[~held]), atol=1e-9)
    np.testing.assert_allclose(p[held], out_of_fold[best], atol=1e-9)


def test_stack_learns_from_validation_alone():
    members = entries(2)
    combiner = ensembles.stack(members).combiner
    parts = parts_of(members[0].predictions)
    rng = np.random.default_rng(0)
    for part, same in (("training", True), ("test", True), ("validation", False)):
        genre = members[0].predictions["genre"].to_numpy(copy=True)
        genre[parts[part]] = rng.permutation(genre[parts[part]])
        other = ensembles.stack([changed(entry, genre=genre) for entry in members]).combiner
        assert np.array_equal(other.model.coef_, combiner.model.coef_) == same


def test_tracks_of_an_artist_are_never_on_both_sides_of_a_fold():
    rng = np.random.default_rng(0)
    frame = drawn_predictions(1, tracks=400)
    artist = rng.integers(0, 40, 400)
    # What members say depends on the artist alone, and so does the genre, at random.
    frame["genre"] = rng.choice(GENRES, 40)[artist]
    told = [frame.copy(), frame.copy()]
    for own in told:
        own[P] = rng.dirichlet([1] * 3, 40)[artist]
    members = [Entry(name, "official", None, own) for name, own in zip("ab", told, strict=True)]
    held = parts_of(frame)["validation"]
    by_track = dict(zip(frame["track_id"][held], artist[held], strict=True))

    def validation_loss(groups):
        result = ensembles.stack(members, groups=groups, strengths=[100.0])
        return result.search["log_loss"].item()

    assert validation_loss(by_track) > np.log(3)
    assert validation_loss(None) < np.log(3)


def test_few_tracks_of_a_genre_make_fewer_folds():
    members = entries(2)
    frame = members[0].predictions
    rare = np.flatnonzero((frame["part"] == "validation") & (frame["genre"] == GENRES[0]))
    part = frame["part"].to_numpy(copy=True)
    part[rare[3:]] = "training"
    ours = ensembles.stack([changed(entry, part=part) for entry in members], folds=5)
    three = ensembles.stack([changed(entry, part=part) for entry in members], folds=3)
    pd.testing.assert_frame_equal(ours.predictions, three.predictions)
    for left, said in ((1, "1 tracks"), (0, "0 tracks")):
        part[rare[left:]] = "training"
        with pytest.raises(NotPossible, match=rf"too small: genre 'Folk' has {said}.*average"):
            ensembles.stack([changed(entry, part=part) for entry in members])
    part[part == "validation"] = "training"
    with pytest.raises(NotPossible, match="this split has none"):
        ensembles.stack([changed(entry, part=part) for entry in members])


@pytest.mark.parametrize("make", [ensembles.average, ensembles.stack])
def test_a_combiner_comes_back_from_its_file_and_predicts_the_same(make, tmp_path):
    members = entries(3)
    result = make(members)
    ensembles.save(result.combiner, tmp_path / "a.skops")
    again = ensembles.load(tmp_path / "a.skops")
    assert (again.members, again.genres) == ([e.learner for e in members], GENRES)
    test = parts_of(members[0].predictions)["test"]
    new = {e.learner: e.predictions.loc[test, P].to_numpy() for e in members}
    combined = again.combine(new | {"another": np.zeros((2, 2))})
    np.testing.assert_array_equal(combined, result.predictions.loc[test, P])
    one = again.combine({name: rows[:1] for name, rows in new.items()})
    np.testing.assert_allclose(one, combined[:1], rtol=1e-12)
    np.testing.assert_allclose(combined.sum(axis=1), 1)


def test_combine_refuses_what_it_was_not_made_for():
    combiner = ensembles.average(entries(2)).combiner
    p = np.full((4, 3), 1 / 3)
    with pytest.raises(GenreflowError, match="needs the probabilities of learner/1 too"):
        combiner.combine({"learner/0": p})
    for wrong in (p[:3], p[:, :2]):
        with pytest.raises(GenreflowError, match=r"learner/1 have the shape .* expected \(4, 3\)"):
            combiner.combine({"learner/0": p, "learner/1": wrong})


def without_tracks(entry):
    frame = entry.predictions
    return Entry(entry.learner, entry.split, None, frame.drop(index=frame.index[3:10]))


def with_other_part(entry):
    part = entry.predictions["part"].to_numpy(copy=True)
    part[7] = "test" if part[7] != "test" else "training"
    return changed(entry, part=part)


def with_other_genres(entry):
    frame = entry.predictions.rename(columns={"p_Folk": "p_Jazz"}).replace("Folk", "Jazz")
    return Entry(entry.learner, entry.split, None, frame)


LACKS = r"learner/1 lacks 7 tracks that learner/0 has \(000003, 000004, .* and others\)"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (without_tracks, LACKS),
        (with_other_part, "learner/1 and learner/0 differ in part or genre of track 000007"),
        (with_other_genres, "learner/1 has the genres Jazz, .*learner/0 has Folk, "),
    ],
)
def test_members_that_do_not_fit_are_named(spoil, said):
    first, second = entries(2)
    with pytest.raises(GenreflowError, match=said):
        ensembles.average([first, spoil(second)])
    if spoil is without_tracks:
        with pytest.raises(
            GenreflowError, match=said.replace("/1 lacks", "/0 lacks").replace("/0 has", "/1 has")
        ):
            ensembles.average([spoil(first), second])


@pytest.mark.parametrize("combine", [ensembles.average, ensembles.stack])
def test_an_ensemble_of_a_member_that_is_not_possible_is_not_possible(combine, tmp_path):
    outcomes.write_reason(tmp_path / "predictions.csv", "too few tracks")
    lacking = Entry("learner/9", "official", 4, tmp_path / "predictions.csv")
    with pytest.raises(NotPossible, match=r"^its member learner/9, seed 4: too few tracks$"):
        combine([*entries(2), lacking])


def test_an_ensemble_is_of_several_learners_on_one_split():
    first, second = entries(2)
    with pytest.raises(GenreflowError, match="at least two learners, not 1"):
        ensembles.average([first, Entry(first.learner, "official", 2, second.predictions)])
    with pytest.raises(GenreflowError, match="one split"):
        ensembles.average([first, Entry("b", "grouped", None, second.predictions)])
