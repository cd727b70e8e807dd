"""How near two sets of feature vectors are: pure functions of arrays.

Shape suffixes: N and M images, D features.
"""

from __future__ import annotations

import numpy as np

NUM_NEIGHBOURS = 5


def frechet_distance(a_ND: np.ndarray, b_MD: np.ndarray) -> float:
    """Squared Frechet distance of the Gaussians with the means and covariances of two sets.

    `|mean a - mean b|^2 + trace(A + B - 2 (A B)^(1/2))` (Heusel et al. 2017, equation 6).

    Returns:
        0 for equal sets; 9 for a set and the same set moved by 3 along one feature.
    """
    shift_D = a_ND.mean(axis=0) - b_MD.mean(axis=0)
    covariance_a = np.cov(a_ND, rowvar=False).reshape(a_ND.shape[1], -1)
    covariance_b = np.cov(b_MD, rowvar=False).reshape(b_MD.shape[1], -1)
    # trace((A B)^(1/2)) is that of the symmetric (A^(1/2) B A^(1/2))^(1/2), which has real roots.
    root_a = _square_root(covariance_a)
    eigenvalues = np.linalg.eigvalsh(root_a @ covariance_b @ root_a)
    cross = np.sqrt(np.clip(eigenvalues, 0, None)).sum()
    trace = np.trace(covariance_a) + np.trace(covariance_b)
    return float(max(0.0, shift_D @ shift_D + trace - 2 * cross))


def maximum_mean_discrepancy(a_ND: np.ndarray, b_MD: np.ndarray) -> float:
    """Unbiased squared MMD with a Gaussian kernel as wide as the median distance of all pairs.

    Gretton et al. 2012, equation 3; about 0 (below it, too) for sets of one distribution.
    """
    both = np.concatenate([a_ND, b_MD])
    squared = squared_distances(both, both)
    above = squared[np.triu_indices(len(both), k=1)]
    width = float(np.median(above))
    if width == 0:
        return 0.0
    kernel = np.exp(-squared / width)
    n, m = len(a_ND), len(b_MD)
    within_a = (kernel[:n, :n].sum() - np.trace(kernel[:n, :n])) / (n * (n - 1))
    within_b = (kernel[n:, n:].sum() - np.trace(kernel[n:, n:])) / (m * (m - 1))
    return float(within_a + within_b - 2 * kernel[:n, n:].mean())


def neighbour_mixing(a_ND: np.ndarray, b_MD: np.ndarray, k: int = NUM_NEIGHBOURS) -> float:
    """How often the nearest neighbours of an image of `a` are of `b`, against chance.

    Schilling 1986's statistic, as a ratio. An image is no neighbour of itself, so chance is
    `M / (N + M - 1)`.

    Returns:
        0 for sets apart, about 1 for one distribution, more when `b` surrounds the images of `a`.
    """
    n, m = len(a_ND), len(b_MD)
    squared = squared_distances(a_ND, np.concatenate([a_ND, b_MD]))
    squared[np.arange(n), np.arange(n)] = np.inf
    k = min(k, n + m - 1)
    nearest = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return float((nearest >= n).mean() / (m / (n + m - 1)))


def nearest_distances(a_ND: np.ndarray, b_MD: np.ndarray, k: int = NUM_NEIGHBOURS) -> np.ndarray:
    """Mean Euclidean distance of each image of `a` to its `k` nearest of `b`, (N,)."""
    squared = squared_distances(a_ND, b_MD)
    nearest = np.sort(squared, axis=1)[:, : min(k, len(b_MD))]
    return np.sqrt(nearest).mean(axis=1)


def squared_distances(a_ND: np.ndarray, b_MD: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances, (N, M), in double precision."""
    a, b = a_ND.astype(np.float64), b_MD.astype(np.float64)
    squared = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2 * a @ b.T
    return np.clip(squared, 0, None)


def _square_root(matrix_DD: np.ndarray) -> np.ndarray:
    """Square root of a symmetric matrix without negative eigenvalues (but for rounding)."""
    values, vectors = np.linalg.eigh(matrix_DD)
    return (vectors * np.sqrt(np.clip(values, 0, None))) @ vectors.T
