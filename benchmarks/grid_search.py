"""Time the grid search against scikit-learn's GridSearchCV on the same cores.

The data are synthetic, of the size that the study's networks give for FMA small, and as hard: the
best candidate is right about half the time, so that nearly every track is a support vector. One
plain fit takes about 20 s, so scikit-learn runs on `--plain-folds` of the folds, and its time a fit
is compared. `--plain-folds 10` runs it whole (20 minutes on 2 cores).
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

from genreflow.config import complete
from genreflow.learners import estimators, grid_search

GENRES = 8
INFORMATIVE = 40
SPREAD = 0.225


def make_tracks(tracks: int, dimensions: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Make scaled features of overlapping genres that share a few directions."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(tracks) % GENRES)
    hidden = rng.normal(0, SPREAD, (GENRES, INFORMATIVE))[y] + rng.normal(
        size=(tracks, INFORMATIVE)
    )
    mixing = rng.normal(0, 1 / np.sqrt(INFORMATIVE), (INFORMATIVE, dimensions))
    x = hidden @ mixing + rng.normal(size=(tracks, dimensions))
    return StandardScaler().fit_transform(x.astype(np.float32)), y


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--classifier", choices=["svm-rbf", "svm-linear"], default="svm-rbf")
    parser.add_argument("--tracks", type=int, default=6398)
    parser.add_argument("--dimensions", type=int, default=1174)
    parser.add_argument("--folds", type=int, default=10)
    parser.add_argument("--plain-folds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> int:
    args = arguments()
    x, y = make_tracks(args.tracks, args.dimensions, args.seed)
    estimator = estimators.known()[args.classifier].make(args.seed)
    candidates = complete({})["classify"]["grids"][args.classifier]
    names = [f"genre {number}" for number in range(GENRES)]
    folds = grid_search.make_folds(y, None, names, n_splits=args.folds, seed=args.seed)
    print(
        f"{args.classifier}, {args.tracks} tracks x {args.dimensions} dimensions, {GENRES} genres,"
        f" {candidates}, {args.folds} folds, {args.threads} threads",
        flush=True,
    )

    start = time.perf_counter()
    ours = grid_search.search(estimator, candidates, x, y, folds, threads=args.threads)
    seconds = time.perf_counter() - start
    best = ours.candidates[ours.best]
    print(f"genreflow:    {ours.scores.size:3d} fits in {seconds:6.1f} s; best {best},", end=" ")
    print(f"accuracy {ours.scores[ours.best].mean():.4f}", flush=True)

    part = folds[: args.plain_folds]
    start = time.perf_counter()
    plain = GridSearchCV(estimator, candidates, cv=part, n_jobs=args.threads, refit=False)
    plain.fit(x, y)
    plain_seconds = time.perf_counter() - start
    scores = np.array([plain.cv_results_[f"split{fold}_test_score"] for fold in range(len(part))]).T
    print(f"GridSearchCV: {scores.size:3d} fits in {plain_seconds:6.1f} s ({len(part)} folds)")

    on_part = ours.scores[:, : len(part)]
    ours_best = ours.candidates[np.average(on_part, axis=1).argmax()]
    same = ours_best == plain.best_params_ and np.allclose(on_part, scores, rtol=0, atol=1e-12)
    ratio = plain_seconds / scores.size / (seconds / ours.scores.size)
    print(f"on these folds: best {ours_best} and {plain.best_params_},", end=" ")
    print(f"largest difference of a score {np.abs(on_part - scores).max():.1e}")
    print(f"time a fit: {ratio:.1f} times as fast")
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
