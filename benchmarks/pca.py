"""Time the principal components of three shares of variance against scikit-learn's PCA.

The data are made: rectified like a network's features, with a spectrum that falls as slowly as
theirs. scikit-learn decomposes all of it again for each share, in the same time, so it is fitted
once and counted three times (`--fits 3` fits it three times). Both get float32, which suits
scikit-learn better: it computes in it. Its components are then held against ours: the numbers of
components that the shares need, and the largest principal angle between the subspaces. That can't
be nought: rounding turns a component towards the next one beyond the cut, the more the closer
their singular values are, so the angle that float32 explains is printed beside it.

The exit status is 1 if sizes or subspaces differ.
"""

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.sparse.linalg import svds
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from genreflow.learners import pca

SHARES = (0.90, 0.95, 0.99)


def make_features(tracks: int, columns: int, seed: int) -> np.ndarray:
    """Make rectified features whose variances fall as a power of their rank."""
    rng = np.random.default_rng(seed)
    hidden = min(tracks, columns) // 2
    x = rng.standard_normal((tracks, hidden), np.float32)
    x *= np.arange(1, hidden + 1, dtype=np.float32) ** -0.8
    x = x @ rng.standard_normal((hidden, columns), np.float32)
    x += 0.2 * rng.standard_normal((tracks, columns), np.float32)
    x *= rng.uniform(0.1, 30, columns).astype(np.float32)
    return np.maximum(x, 0, out=x)


def peak() -> float:
    """Return the most memory that was ever taken [GB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def largest_angle(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest principal angle between the spans of orthonormal rows [degrees].

    Its sine is the most that is left of a unit vector of one span without the other span.
    SciPy's `subspace_angles` would decompose both anew, which takes longer than PCA.
    """
    left = b - (b @ a.T) @ a
    if min(left.shape) > 1:
        sine = svds(left, k=1, return_singular_vectors=False, rng=0)[0]
    else:
        sine = np.linalg.norm(left)
    return float(np.rad2deg(np.arcsin(min(sine, 1.0))))


def explained_angle(variances: np.ndarray, size: int) -> float:
    """Return the angle by which rounding to float32 may turn the first components [degrees].

    The change is taken as one unit in the last place of the largest singular value. The sine is at
    most its norm over the gap between the singular values on both sides of the cut: P.-A. Wedin,
    "Perturbation bounds in connection with singular value decomposition", BIT 12 (1972).
    """
    values = np.sqrt(variances)
    gap = values[size - 1] - values[size] if size < len(values) else values[size - 1]
    change = np.finfo(np.float32).eps * values[0]
    return float(np.rad2deg(np.arcsin(change / max(gap, change))))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tracks", type=int, default=6394)
    parser.add_argument("--columns", type=int, default=25_088)
    parser.add_argument("--fits", type=int, choices=[1, 3], default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def ours(x: np.ndarray, threads: int) -> tuple[pca.Decomposition, float]:
    """Decompose for all shares, write and read; return it with the seconds that it took."""
    before, start = peak(), time.perf_counter()
    found = pca.decompose(x, share=max(SHARES), threads=threads)
    seconds = time.perf_counter() - start
    more = peak() - before
    print(f"genreflow:    all shares in {seconds:6.1f} s, {more:.1f} GB more", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path, start = Path(folder) / "pca.h5", time.perf_counter()
        pca.save(found, path, {})
        written, start = time.perf_counter() - start, time.perf_counter()
        pca.load(path, share=min(SHARES))
        read, size = time.perf_counter() - start, path.stat().st_size / 1e6
    print(f"              written in {written:.1f} s ({size:.0f} MB), read in {read:.1f} s")
    return found, seconds + written + read


def main() -> int:
    args = arguments()
    with threadpool_limits(args.threads):
        x = make_features(args.tracks, args.columns, args.seed)
        print(f"{args.tracks} tracks x {args.columns} columns, {args.threads} threads", flush=True)
        found, seconds = ours(x, args.threads)

        before = peak()
        plain, plain_seconds = None, 0.0
        for share in sorted(SHARES)[-args.fits :]:
            start = time.perf_counter()
            plain = PCA(n_components=share).fit(StandardScaler().fit_transform(x))
            plain_seconds += time.perf_counter() - start
        whole = plain_seconds * len(SHARES) / args.fits
        print(
            f"scikit-learn: {args.fits} of {len(SHARES)} fits in {plain_seconds:6.1f} s,"
            f" all {whole:.1f} s, {peak() - before:.1f} GB more"
        )
        same = True
        for share in SHARES:
            size = found.components_for(share)
            cumulative = np.cumsum(plain.explained_variance_ratio_)
            expected = int(np.searchsorted(cumulative, share, side="right")) + 1
            angle = largest_angle(plain.components_[:size], found.components[:size])
            allowed = explained_angle(found.variances, size)
            print(f"{share}: {size} and {expected} components,", end=" ")
            print(f"largest angle {angle:.1e} degrees (float32: up to {allowed:.1e})")
            same &= size == expected and angle <= allowed
    print(f"{whole / seconds:.1f} times as fast; {'the same' if same else 'NOT the same'}")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
