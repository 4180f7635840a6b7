"""Principal components of standardised features: one decomposition for every share of variance.

scikit-learn's `PCA(n_components=share)` takes a whole singular value decomposition for each
share. Here the eigenvectors of the smaller of the two matrices of inner products are taken instead:
that of the columns (the scatter matrix) or, with fewer tracks than columns, that of the tracks (the
Gram matrix; M. Turk and A. Pentland, "Eigenfaces for recognition", J. Cognitive Neuroscience 3
(1991)). All shares keep the first of the same components. Squaring would cost half the digits of
float32, so inner products are summed in float64, a block of the longer side at a time.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.extmath import svd_flip
from threadpoolctl import threadpool_limits

from genreflow.errors import GenreflowError, NotPossible
from genreflow.runtime import hdf5, outcomes
from genreflow.runtime.files import atomic

BLOCK = 1024
"""How many columns (or rows) are looked at together."""

_DATASETS = ("mean", "variance", "scale", "centre", "components", "variances", "tracks")


class Curve(NamedTuple):
    """The share that the first 1, 2, ... components explain together, and how many shares need."""

    cumulative: np.ndarray
    sizes: dict[float, int]


@dataclass(frozen=True)
class Decomposition:
    """Scaler and principal components of the tracks to learn from.

    Attributes
    ----------
    scaler
        Fitted on these tracks.
    centre : (d,) float32
        The means that rounding leaves to the scaled features.
    components : (k, d) float32
        The first components, with the signs of scikit-learn's `svd_flip`.
    variances : (m,) float64
        The variances that all m = min(n, d) components explain, falling, zeros included.
    """

    scaler: StandardScaler
    centre: np.ndarray
    components: np.ndarray
    variances: np.ndarray

    def components_for(self, share: float) -> int:
        """Return how many components explain more than a share of the variance, in (0, 1)."""
        return _size(_cumulative(self.variances), share)

    def pipeline(self, share: float) -> Pipeline:
        """Return what scikit-learn would fit: a StandardScaler and PCA(n_components=share).

        The components are views into those of the decomposition, in float32: what they yield
        for features of float32 is float32 too, as in scikit-learn, and a model file has half the
        size.

        Raises
        ------
        GenreflowError
            If `share` needs more components than there are here.
        """
        size = self.components_for(share)
        if size > len(self.components):
            raise GenreflowError(
                f"PCA with an explained variance of {share} needs {size} components, and"
                f" {len(self.components)} were kept: decompose with that share"
            )
        tracks = int(self.scaler.n_samples_seen_)
        pca = PCA(n_components=share)
        pca.n_components_, pca.n_samples_ = size, tracks
        pca.n_features_in_ = len(self.centre)
        pca.mean_, pca.components_ = self.centre, self.components[:size]
        pca.explained_variance_ = self.variances[:size]
        pca.explained_variance_ratio_ = self.variances[:size] / self.variances.sum()
        pca.singular_values_ = np.sqrt(self.variances[:size] * (tracks - 1))
        rest = self.variances[size:]
        pca.noise_variance_ = float(rest.mean()) if len(rest) else 0.0
        return Pipeline([("scaler", self.scaler), ("pca", pca)])


def decompose(x: np.ndarray, *, share: float, threads: int = 1) -> Decomposition:
    """Scale features and find their principal components.

    Memory, beside `x`: 16 m (m + k) bytes for m = min(n, d) and k components, then 8 k d; the
    scaled features are never whole. For 6,394 x 25,088 and 1,200 components 0.8 GB.

    `x` are features (n, d) float32 of the tracks to learn from, not scaled; `share` is the largest
    share of the variance, in (0, 1), that shall be asked for: no more components than it needs are
    made.

    Raises
    ------
    GenreflowError
        If a value is not finite.
    NotPossible
        If there are fewer than two tracks, or no column varies.
    """
    if len(x) < 2:
        raise NotPossible(f"PCA needs two tracks at least to learn from, not {len(x)}")
    with threadpool_limits(threads):
        scaler, centre = _fit_scaler(x)
        variances, vectors = _eigenvectors(_inner_products(x, scaler, centre), len(x) - 1, share)
        components = vectors.T
        if len(x) < x.shape[1]:
            lengths = np.sqrt(variances[: vectors.shape[1]] * (len(x) - 1))
            components = _of_columns(x, scaler, centre, vectors / lengths)
    _, components = svd_flip(
        None, np.ascontiguousarray(components, np.float32), u_based_decision=False
    )
    return Decomposition(scaler, centre.astype(np.float32), components, variances)


def _cumulative(variances: np.ndarray) -> np.ndarray:
    return np.cumsum(variances / variances.sum())


def _size(cumulative: np.ndarray, share: float) -> int:
    """Return how many components have more than a share of the variance together."""
    whole = np.searchsorted(cumulative, cumulative[-1])
    return int(min(np.searchsorted(cumulative, share, side="right"), whole)) + 1


def _slices(length: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, length, BLOCK))


def _fit_scaler(x: np.ndarray) -> tuple[StandardScaler, np.ndarray]:
    """Fit a scaler in blocks, which whole would take several copies; and what is left as mean."""
    parts, centres = [], []
    for columns in _slices(x.shape[1]):
        block = x[:, columns]
        if not np.isfinite(block).all():
            raise GenreflowError(
                "PCA on features that are not finite: compute them again, or leave the tracks out"
            )
        parts.append(StandardScaler().fit(block))
        centres.append(parts[-1].transform(block).mean(axis=0, dtype=np.float64))
    scaler = StandardScaler()
    for name in ("mean_", "var_", "scale_"):
        setattr(scaler, name, np.concatenate([getattr(part, name) for part in parts]))
    scaler.n_samples_seen_, scaler.n_features_in_ = parts[0].n_samples_seen_, x.shape[1]
    return scaler, np.concatenate(centres)


def _centred(x, scaler, centre, rows: slice, columns: slice) -> np.ndarray:
    """Scale a block exactly as the scaler does, and centre it."""
    block = x[rows, columns]
    scaled = block - scaler.mean_[columns].astype(block.dtype)
    scaled /= scaler.scale_[columns].astype(block.dtype)
    return scaled - centre[columns]


def _inner_products(x, scaler, centre) -> np.ndarray:
    """Return the inner products of the tracks or of the columns, whichever are fewer."""
    by_tracks = len(x) < x.shape[1]
    products = np.zeros((min(x.shape),) * 2)
    every = slice(None)
    for part in _slices(max(x.shape)):
        block = _centred(x, scaler, centre, *((every, part) if by_tracks else (part, every)))
        products += block @ block.T if by_tracks else block.T @ block
    return products


def _eigenvectors(products, degrees: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return all variances, falling, and the eigenvectors that a share needs, as columns."""
    values, vectors = np.linalg.eigh(products)
    variances = np.maximum(values[::-1], 0) / degrees
    if not variances.any():
        raise NotPossible("PCA on features of which none varies: there is nothing to explain")
    return variances, vectors[:, ::-1][:, : _size(_cumulative(variances), share)]


def _of_columns(x, scaler, centre, vectors: np.ndarray) -> np.ndarray:
    """Turn eigenvectors of the tracks' inner products into components, in blocks.

    This loses no digits beyond those of float32, in which the result is kept.
    """
    vectors = vectors.T.astype(np.float32)
    components = np.empty((len(vectors), x.shape[1]), np.float32)
    for columns in _slices(x.shape[1]):
        block = _centred(x, scaler, centre, slice(None), columns).astype(np.float32)
        components[:, columns] = vectors @ block
    return components


def save(decomposition: Decomposition, path: str | Path, attributes: Mapping[str, object]) -> None:
    """Write a decomposition as HDF5, which loads without running code.

    The same decomposition has the same bytes. `attributes` are the settings that made it: texts,
    numbers, or lists of them.
    """
    scaler = decomposition.scaler
    with atomic(path) as part, h5py.File(part, "w") as file:
        file["mean"], file["variance"], file["scale"] = scaler.mean_, scaler.var_, scaler.scale_
        file["centre"] = decomposition.centre
        file["components"] = decomposition.components
        file["variances"] = decomposition.variances
        file["tracks"] = int(scaler.n_samples_seen_)
        file.attrs.update(attributes)


def load(path: str | Path, *, share: float | None = None) -> Decomposition:
    """Read a decomposition that `save` wrote: the components that a share of the variance needs.

    Raises
    ------
    GenreflowError
        If the file is missing, damaged or no decomposition.
    NotPossible
        If it couldn't be made of its data.
    """
    with _opened(path) as file:
        variances = file["variances"][:]
        size = None if share is None else _size(_cumulative(variances), share)
        scaler = StandardScaler()
        scaler.mean_, scaler.var_ = file["mean"][:], file["variance"][:]
        scaler.scale_, scaler.n_samples_seen_ = file["scale"][:], file["tracks"][()]
        scaler.n_features_in_ = len(scaler.mean_)
        return Decomposition(scaler, file["centre"][:], file["components"][:size], variances)


def read_curve(path: str | Path, shares: Iterable[float]) -> Curve:
    """Read how much of the variance components explain, and how many components shares need.

    The components themselves aren't read. It raises what `load` does.
    """
    with _opened(path) as file:
        cumulative = _cumulative(file["variances"][:])
    return Curve(cumulative, {share: _size(cumulative, share) for share in shares})


def share_of(name: str) -> float | None:
    """Return the share of variance that ``pca-SHARE`` stands for; None for ``all``."""
    return None if name == "all" else float(name.removeprefix("pca-"))


def _opened(path: str | Path) -> AbstractContextManager[h5py.File]:
    outcomes.require(path)
    return hdf5.opened(path, "a decomposition", _DATASETS)
