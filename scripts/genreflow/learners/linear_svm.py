"""The linear SVM at the optimum of its problem, for a whole path of C at once.

`sklearn.svm.LinearSVC` states the problem: squared hinge loss, L2 penalty, one genre against the
rest, the intercept penalised too. Its own solvers need ten times as long or more where C is large,
and often stop before they converge. With more dimensions than tracks the tracks are rotated into
their own span first, which changes no inner product and so no decision.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.linalg import cho_factor, cho_solve, qr
from scipy.optimize import brentq
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC
from sklearn.utils.class_weight import compute_class_weight

MAX_NEWTON_STEPS = 200


def coordinates(x: np.ndarray) -> np.ndarray:
    """Return tracks with a last column for the intercept, in no more dimensions than tracks.

    From (n, d) scaled features to (n, min(n, d + 1)) float64, of the same inner products.
    """
    x = _with_intercept(x)
    return qr(x.T, mode="r", overwrite_a=True)[0][: len(x)].T if x.shape[1] > len(x) else x


def fit(model: LinearSVC, x: np.ndarray, y: np.ndarray, class_weight: str | None) -> LinearSVC:
    """Give a LinearSVC the coefficients at the optimum of its problem; return it."""
    augmented, basis = _with_intercept(x), None
    if augmented.shape[1] > len(augmented):
        basis, triangle = qr(augmented.T, mode="economic", overwrite_a=True)
        augmented = triangle.T
    classes, codes = np.unique(y, return_inverse=True)
    weights = solve(augmented, codes, [model.C], class_weight)[model.C]
    if basis is not None:
        weights = weights @ basis.T
    model.coef_, model.intercept_ = weights[:, :-1], weights[:, -1]
    model.classes_, model.n_features_in_, model.n_iter_ = classes, x.shape[1], 1
    return model


def solve(
    x: np.ndarray, y: np.ndarray, costs: Sequence[float], class_weight: str | None
) -> dict[float, np.ndarray]:
    """Solve the problem of each genre (a single one for two genres) for each C, rising.

    `x` are rows of what `coordinates` returned, `y` genre codes. The result has by C the weights,
    (genres or 1, d) float64. Class weights count as in liblinear: for the genre itself, and with
    more than two genres not for the rest.
    """
    classes = np.unique(y)
    share = compute_class_weight(class_weight, classes=classes, y=y)
    scatter = x.T @ x
    found = defaultdict(list)
    for code in classes if len(classes) > 2 else classes[1:]:
        sign = np.where(y == code, 1.0, -1.0)
        rest = 1.0 if len(classes) > 2 else share[0]
        importance = np.where(y == code, share[code], rest)
        path = _squared_hinge(x, sign, importance, costs, scatter)
        for cost, weights in zip(costs, path, strict=True):
            found[cost].append(weights)
    return {cost: np.array(weights) for cost, weights in found.items()}


def _with_intercept(x: np.ndarray) -> np.ndarray:
    return np.column_stack([x, np.ones(len(x))]).astype(np.float64, copy=False)


def _squared_hinge(x, sign, importance, costs, scatter) -> Iterator[np.ndarray]:
    """Minimise |w|^2 / 2 + C sum_i c_i max(0, 1 - s_i w.x_i)^2 for each rising C.

    Newton steps on the tracks inside the margin, with an exact line search: S. S. Keerthi and
    D. DeCoste, "A modified finite Newton method for fast solution of large scale linear SVMs",
    JMLR 6 (2005). The scatter matrix of those tracks is kept up to date by the tracks that enter
    and leave, and each C begins where the one before ended.
    """
    scatter, inside = scatter.copy(), np.ones(len(x))
    weights, output = np.zeros(x.shape[1]), np.zeros(len(x))
    for cost in costs:
        for _ in range(MAX_NEWTON_STEPS):
            slack = 1 - sign * output
            before, inside = inside, np.where(slack > 0, importance, 0.0)
            _update_scatter(scatter, x, inside - before)
            gradient = weights - 2 * cost * ((inside * sign * slack) @ x)
            hessian = (2 * cost) * scatter
            hessian.flat[:: len(weights) + 1] += 1
            factor = cho_factor(hessian, lower=True, overwrite_a=True, check_finite=False)
            step = -cho_solve(factor, gradient, check_finite=False)
            ahead = x @ step
            objective = weights @ weights / 2 + cost * (inside @ slack**2)
            if -(gradient @ step) <= 1e-12 * objective:
                break
            length = _line_search(weights, step, output, ahead, sign, importance, cost)
            weights, output = weights + length * step, output + length * ahead
        else:
            warnings.warn("Newton's method did not converge", ConvergenceWarning, stacklevel=2)
        yield weights


def _update_scatter(scatter: np.ndarray, x: np.ndarray, change: np.ndarray) -> None:
    """Add sum_i change_i x_i x_i^T in place."""
    for rows, add in ((change > 0, np.add), (change < 0, np.subtract)):
        if rows.any():
            scaled = x[rows] * np.sqrt(np.abs(change[rows]))[:, None]
            add(scatter, scaled.T @ scaled, out=scatter)


def _line_search(weights, step, output, ahead, sign, importance, cost) -> float:
    """Return the length of the step at which the objective is least."""
    along, square = weights @ step, step @ step

    def slope(length):
        slack = np.maximum(1 - sign * (output + length * ahead), 0)
        return along + length * square - 2 * cost * ((importance * sign * slack) @ ahead)

    end = 1.0
    while slope(end) < 0:
        end *= 2
    return brentq(slope, 0.0, end, xtol=1e-14)
