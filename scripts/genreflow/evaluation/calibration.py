"""Whether probabilities mean what they say: of tracks given 0.7, 70 % should be right."""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from genreflow.learners.predictions import Entry, groups, marked

COLUMNS = (
    *("split", "learner"),
    *("bin", "low", "high", "predictions", "confidence", "accuracy"),
    "error",
)
"""Columns of the table of `reliability`."""

BINS = 10
"""Number of bins, of equal width between 0 and 1."""


def bins(confidence: np.ndarray, correct: np.ndarray) -> pd.DataFrame:
    """Compare how sure predictions are with how often they are right.

    A reliability diagram's numbers: C. Guo, G. Pleiss, Y. Sun, K. Q. Weinberger, "On calibration
    of modern neural networks", ICML 2017, section 2.

    `confidence` is the largest probability of each prediction, float (n,) in (0, 1], and `correct`
    whether it is right, bool (n,).

    Returns
    -------
    pandas.DataFrame
        One row a bin: bin (from 1), low, high (its edges, of which it has the upper one),
        predictions (how many), confidence (their mean), accuracy; the last two NaN in an empty bin.
    """
    edges = np.linspace(0, 1, BINS + 1)
    numbers = np.arange(1, BINS + 1)
    # A probability may be off by the last digit of its sum: 1.0000000000000002.
    own = np.digitize(np.minimum(confidence, 1), edges, right=True)
    held = pd.DataFrame({"bin": own, "confidence": confidence, "accuracy": correct}).groupby("bin")
    means = held.mean().reindex(numbers).reset_index(drop=True)
    sizes = held.size().reindex(numbers, fill_value=0).to_numpy()
    edges = pd.DataFrame({"bin": numbers, "low": edges[:-1], "high": edges[1:]})
    return edges.assign(predictions=sizes).join(means)


def error(table: pd.DataFrame) -> float:
    """Return the expected calibration error of what `bins` returned.

    The mean over predictions of the distance between accuracy and mean confidence in their bin:
    M. P. Naeini, G. F. Cooper, M. Hauskrecht, "Obtaining well calibrated probabilities using
    Bayesian binning", AAAI 2015; for several classes by the largest probability as Guo et al.
    2017, equation 3. Chance alone makes it positive where predictions are few.
    """
    held = table[table["predictions"] > 0]
    distances = (held["accuracy"] - held["confidence"]).abs()
    return float(np.average(distances, weights=held["predictions"]))


def threshold(confidence: np.ndarray, correct: np.ndarray) -> float:
    """Find the probability below which a prediction is wrong more often than right.

    It is the one that loses least if a right prediction is worth as much as a wrong one costs, and
    one that isn't made costs nothing: C. K. Chow, "On optimum recognition error and reject
    tradeoff", IEEE Transactions on Information Theory 16 (1), 1970, with equal costs.

    `confidence` and `correct` are as for `bins`, of tracks that nothing was learned from. The
    result is between 0 and 1, the lowest of several as good, rounded down to four decimals; it is 1
    where predictions are wrong more often than right however sure they are.
    """
    order = np.argsort(-confidence, kind="stable")
    sure, gains = confidence[order], np.cumsum(np.where(correct[order], 1, -1))
    # Those that are as sure as the next are taken together.
    ends = np.flatnonzero(np.append(sure[:-1] > sure[1:], True))
    best = ends[len(ends) - 1 - np.argmax(gains[ends][::-1])]
    if gains[best] < 0:
        return 1.0
    return float(np.floor(min(sure[best], 1) * 1e4) / 1e4)


def reliability(
    entries: Iterable[Entry], *, marks: Mapping[str, str] | None = None
) -> pd.DataFrame:
    """Tabulate the reliability of each learner on each split.

    `entries` and `marks` are as for `evaluation.metrics.comparison`.

    Returns
    -------
    pandas.DataFrame
        Columns split, learner, those of `bins`, and error (the learner's expected calibration
        error, the same in all its rows), over the test predictions of all seeds, repeats and folds
        together: with three seeds each track counts three times.

    Raises
    ------
    GenreflowError
        As `learners.predictions.groups`.
    """
    tables = []
    for group in groups(entries):
        table = bins(group.test["confidence"], group.test["correct"])
        table.insert(0, "split", group.split)
        table.insert(1, "learner", marked(group.learner, marks))
        tables.append(table.assign(error=error(table)))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)
