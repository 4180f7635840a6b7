import h5py
import numpy as np
import pytest
from genreflow.errors import GenreflowError
from genreflow.learners import pca
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

SHARES = (0.5, 0.9, 0.95, 0.99, 0.999)
SHAPES = [(60, 200), (200, 60), (120, 120), (2, 5), (1100, 30), (30, 1100)]


def features(tracks, columns, seed=0):
    """Rectified features of different scales, one of them constant, one all but constant."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(tracks, 50)) * np.arange(1, 51) ** -0.7
    x = hidden @ rng.normal(size=(50, columns)) + 0.1 * rng.normal(size=(tracks, columns))
    x = np.maximum(x * rng.uniform(0.1, 30, columns) + rng.normal(size=columns), 0)
    if columns > 10:
        x[:, 3] = 7
        x[:, 4] = 1000 + 1e-3 * x[:, 4]
    return x.astype(np.float32)


def reference(x, share):
    """Fit scikit-learn's own PCA in float64 on what the scaler yields."""
    scaled = StandardScaler().fit_transform(x)
    return PCA(n_components=share, svd_solver="full").fit(scaled.astype(np.float64))


@pytest.mark.parametrize("shape", SHAPES)
def test_the_components_are_those_of_scikit_learn_for_every_share(shape):
    x = features(*shape)
    found = pca.decompose(x, share=max(SHARES))
    for share in SHARES:
        plain, ours = reference(x, share), found.pipeline(share)["pca"]
        assert found.components_for(share) == ours.n_components_ == plain.n_components_
        # signs included
        np.testing.assert_allclose(ours.components_, plain.components_, atol=2e-6)
        for name in ("explained_variance_", "explained_variance_ratio_", "singular_values_"):
            np.testing.assert_allclose(getattr(ours, name), getattr(plain, name), rtol=1e-9)
        np.testing.assert_allclose(ours.noise_variance_, plain.noise_variance_, atol=1e-9)
        np.testing.assert_allclose(ours.mean_, plain.mean_, atol=1e-9)
        assert ours.n_samples_ == plain.n_samples_


@pytest.mark.parametrize("shape", SHAPES)
def test_the_pipeline_is_an_ordinary_one_that_yields_the_same_values(shape):
    x, new = features(*shape), features(50, shape[1], seed=1)
    ours = pca.decompose(x, share=0.99).pipeline(0.95)
    scaler = StandardScaler().fit(x)
    assert [type(step) for step in ours.named_steps.values()] == [StandardScaler, PCA]
    np.testing.assert_array_equal(ours[0].transform(new), scaler.transform(new))
    for values in (x, new):
        expected = reference(x, 0.95).transform(scaler.transform(values).astype(np.float64))
        rounding = 5e-6 * np.abs(expected).max()
        np.testing.assert_allclose(ours.transform(values), expected, rtol=0, atol=rounding)
    assert ours.transform(new).dtype == np.float32
    assert ours.get_params()["pca__n_components"] == 0.95


def test_the_scaler_is_that_of_scikit_learn_though_fitted_in_blocks(monkeypatch):
    monkeypatch.setattr(pca, "BLOCK", 7)
    x = features(40, 100)
    ours, plain = pca.decompose(x, share=0.9).scaler, StandardScaler().fit(x)
    assert vars(ours).keys() == vars(plain).keys()
    for name in ("mean_", "var_", "scale_", "n_samples_seen_", "n_features_in_"):
        np.testing.assert_array_equal(getattr(ours, name), getattr(plain, name))


def test_no_more_components_are_made_than_the_largest_share_needs():
    x = features(60, 200)
    found = pca.decompose(x, share=0.9)
    assert len(found.components) == found.components_for(0.9)
    assert len(found.variances) == 60
    found.pipeline(0.8)
    with pytest.raises(
        GenreflowError, match=r"0\.95 needs \d+ components, and \d+ were kept: decompose"
    ):
        found.pipeline(0.95)


def test_a_share_that_is_just_reached_takes_one_more_as_in_scikit_learn():
    # orthogonal columns of the same length: each of four components explains a quarter
    x = np.array([[1, 1, 1, 1, -1, -1, -1, -1], [1, 1, -1, -1, 1, 1, -1, -1]])
    x = np.vstack([x, x[0] * x[1], [1, -1] * 4]).T.astype(np.float32)
    found = pca.decompose(x, share=0.76)
    assert np.allclose(found.variances, 8 / 7)
    sizes = [found.components_for(share) for share in (0.1, 0.24, 0.26, 0.51, 0.76)]
    assert sizes == [1, 1, 2, 3, 4]


def test_a_share_beyond_what_rounding_leaves_gets_all_that_vary():
    found = pca.decompose(features(30, 100), share=1 - 1e-16)
    assert found.components_for(1 - 1e-16) == len(found.components) <= 30
    assert np.isfinite(found.components).all()


@pytest.mark.parametrize("shape", [(60, 200), (200, 60)])
def test_comes_back_from_its_file_which_has_the_same_bytes_again(tmp_path, shape):
    x = features(*shape)
    for name in "ab":
        found = pca.decompose(x, share=0.95)
        pca.save(found, tmp_path / name, {"share": 0.95, "weights": "random"})
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]
    with h5py.File(tmp_path / "a") as file:
        assert file.attrs["weights"] == "random"

    for share in (None, 0.9):
        again = pca.load(tmp_path / "a", share=share)
        size = found.components_for(share or 0.95)
        assert len(again.components) == size
        expected, ours = found.pipeline(0.9), again.pipeline(0.9)
        np.testing.assert_array_equal(ours.transform(x), expected.transform(x))
        assert ours["pca"].noise_variance_ == expected["pca"].noise_variance_

    curve = pca.read_curve(tmp_path / "a", [0.9, 0.95])
    assert curve.sizes == {share: found.components_for(share) for share in (0.9, 0.95)}
    assert curve.cumulative[-1] == pytest.approx(1)
    assert curve.cumulative[curve.sizes[0.9] - 1] > 0.9 >= curve.cumulative[curve.sizes[0.9] - 2]


def test_a_damaged_file_is_refused(tmp_path):
    path = tmp_path / "pca.h5"
    pca.save(pca.decompose(features(60, 200), share=0.95), path, {})
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(GenreflowError, match=r"pca\.h5: not a whole HDF5 file"):
        pca.load(path)
    with h5py.File(path, "w") as file:
        file["x"] = np.zeros(3)
    for read in (pca.load, lambda path: pca.read_curve(path, [0.9])):
        with pytest.raises(GenreflowError, match=r"pca\.h5: not a decomposition.*variances"):
            read(path)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (features(1, 30), "PCA needs two tracks at least to learn from, not 1"),
        (np.ones((20, 30), np.float32), "none varies"),
        (np.where(np.eye(20, 30) > 0, np.nan, 1), "not finite"),
    ],
)
def test_bad_input_is_named(x, message):
    with pytest.raises(GenreflowError, match=message):
        pca.decompose(x, share=0.9)
