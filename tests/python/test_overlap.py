"""Overlap measures against values that follow by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sticflow_ml.overlap import (
    frechet_distance,
    maximum_mean_discrepancy,
    nearest_distances,
    neighbour_mixing,
)

CLOUD = np.random.default_rng(0).normal(size=(200, 4))


def test_a_set_has_no_frechet_distance_to_itself() -> None:
    assert frechet_distance(CLOUD, CLOUD) == pytest.approx(0, abs=1e-9)


def test_moving_a_set_costs_the_square_of_the_way() -> None:
    assert frechet_distance(CLOUD + np.array([3, 0, 4, 0]), CLOUD) == pytest.approx(25)


def test_stretching_a_set_costs_the_squared_difference_of_the_spreads() -> None:
    # One feature of spread s against 2 s: s^2 + 4 s^2 - 2 * 2 s^2.
    line = CLOUD[:, :1] - CLOUD[:, :1].mean()

    assert frechet_distance(2 * line, line) == pytest.approx(line.var(ddof=1))


def test_two_halves_of_one_cloud_do_not_differ() -> None:
    assert maximum_mean_discrepancy(CLOUD[:100], CLOUD[100:]) == pytest.approx(0, abs=0.01)
    assert neighbour_mixing(CLOUD[:100], CLOUD[100:]) == pytest.approx(1, abs=0.15)


def test_clouds_apart_differ_and_do_not_mix() -> None:
    assert maximum_mean_discrepancy(CLOUD, CLOUD + 50) > 0.5
    assert neighbour_mixing(CLOUD, CLOUD + 50) == 0


def test_equal_points_have_no_discrepancy() -> None:
    assert maximum_mean_discrepancy(np.ones((3, 2)), np.ones((4, 2))) == 0


def test_an_image_is_no_neighbour_of_itself() -> None:
    # Each point of the first pair is nearest to the one of the second that lies beside it.
    first, second = np.array([[0.0], [10.0]]), np.array([[1.0], [11.0]])

    # Always of the other set, where chance is 2 of 3.
    assert neighbour_mixing(first, second, k=1) == pytest.approx(1.5)


def test_the_distance_is_the_mean_over_the_nearest() -> None:
    points, reference = np.array([[0.0, 0.0]]), np.array([[3.0, 4.0], [0.0, 1.0], [0.0, 100.0]])

    assert nearest_distances(points, reference, k=2).tolist() == pytest.approx([3.0])
