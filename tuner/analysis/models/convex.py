"""Least squares under a constraint: quadratic functions of a position that are convex, many problems at once.

Solved by the alternating direction method of multipliers (Boyd et al. 2011, section 5.2): a linear solve and a
projection onto the matrices without negative eigenvalues, in turn. scipy has no solver for this constraint. cvxpy has,
but takes one problem at a time, and an analysis solves hundreds for every study.
"""

import itertools

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_ROUNDS = 30
"""Iterations; the fit is then as good as its data."""
_RELAXED = 1.6
"""Over-relaxation, which halves the iterations needed."""


def features(positions: Array) -> Array:
    """`1, z, z^2, z_i z_j` at positions [..., parameter], with `z` the position less one half; [..., feature]."""
    centred = positions - 0.5
    first, second = pairs(positions.shape[-1])
    ones = np.ones((*positions.shape[:-1], 1))
    return np.concatenate([ones, centred, centred[..., first] * centred[..., second]], axis=-1)


def pairs(parameters: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The two parameters of each product among the features."""
    both = np.array(list(itertools.combinations_with_replacement(range(parameters), 2)))
    return both[:, 0], both[:, 1]


def hessians(weights: Array, parameters: int) -> Array:
    """The matrices of second derivatives of weighted features, [..., parameter, parameter]."""
    return _matrices(weights[..., 1 + parameters :], parameters)


def minimise(precision: Array, linear: Array, *, parameters: int) -> Array:
    """The weights `w` of least `w'Pw / 2 - l'w` whose Hessian has no negative eigenvalue.

    Args:
        precision: `P` of each problem, [problem, feature, feature], positive definite.
        linear: `l` of each, [problem, feature].
        parameters: Of a position.

    Returns:
        [problem, feature].
    """
    first, second = pairs(parameters)
    scale = np.where(first == second, 2.0, 1.0)  # second derivatives per weight
    metric = np.where(first == second, 4.0, 2.0)  # a change of weights as one of matrices, squared
    free, bound = slice(0, 1 + parameters), slice(1 + parameters, None)
    gain = np.linalg.solve(precision[:, free, free], precision[:, free, bound])
    reduced = precision[:, bound, bound] - precision[:, bound, free] @ gain
    wanted = linear[:, bound] - np.einsum("sf,sfb->sb", linear[:, free], gain)
    penalty = _penalties(reduced, metric)[:, None] * metric  # [problem, product]
    solve = np.linalg.inv(reduced + penalty[:, :, None] * np.eye(len(metric)))
    projected = np.zeros_like(wanted)
    dual = np.zeros_like(wanted)
    for _ in range(_ROUNDS):
        products = np.einsum("sab,sb->sa", solve, wanted + penalty * (projected - dual))
        products = _RELAXED * products + (1 - _RELAXED) * projected
        values, vectors = np.linalg.eigh(_matrices(products + dual, parameters))
        cleared = np.einsum("sik,sk,sjk->sij", vectors, np.maximum(values, 0.0), vectors)
        projected = cleared[:, first, second] / scale
        dual += products - projected
    rest = linear[:, free] - np.einsum("sfb,sb->sf", precision[:, free, bound], projected)
    return np.hstack([np.linalg.solve(precision[:, free, free], rest[..., None])[..., 0], projected])


def values(weights: Array, positions: Array) -> Array:
    """Of functions with these weights [function, feature] at positions [function, ..., parameter]; [function, ...]."""
    return np.asarray(np.einsum("s...f,sf->s...", features(positions), weights))


def lowest_in(weights: Array, lowest: Array, highest: Array, *, start: Array) -> Array:
    """Where convex quadratic functions are least in boxes, by coordinate descent; [function, box, parameter].

    Args:
        weights: Of each function's features, [function, feature].
        lowest: One corner of each box, [box, parameter].
        highest: The opposite one.
        start: A position to begin from, [parameter].
    """
    parameters = lowest.shape[1]
    slopes, curvature = weights[:, 1 : 1 + parameters], hessians(weights, parameters)
    low, high = lowest - 0.5, highest - 0.5
    place = np.broadcast_to(np.clip(start - 0.5, low, high), (len(weights), *low.shape)).copy()  # [function, box, z]
    for _ in range(_ROUNDS):
        for each in range(parameters):
            bend = curvature[:, None, each, each]
            slope = slopes[:, None, each] + np.einsum("sk,sbk->sb", curvature[:, each], place)
            slope = slope - bend * place[:, :, each]  # at z = 0 of this parameter
            flat = bend < 1e-9
            vertex = np.where(flat, -np.sign(slope) * np.inf, -slope / np.where(flat, 1.0, bend))
            stays = np.isnan(vertex)
            place[:, :, each] = np.where(stays, place[:, :, each], np.clip(vertex, low[:, each], high[:, each]))
    return place + 0.5


def _penalties(reduced: Array, metric: Array) -> Array:
    """How strongly each problem's two copies of its weights are tied: the geometric mean of its curvatures."""
    scaled = reduced / np.sqrt(np.outer(metric, metric))
    return np.asarray(np.exp(np.linalg.slogdet(scaled)[1] / len(metric)))


def _matrices(products: Array, parameters: int) -> Array:
    """Weights of products as matrices of second derivatives, [..., parameter, parameter]."""
    first, second = pairs(parameters)
    matrices = np.zeros((*products.shape[:-1], parameters, parameters))
    scaled = products * np.where(first == second, 2.0, 1.0)
    matrices[..., first, second] = scaled
    matrices[..., second, first] = scaled
    return matrices
