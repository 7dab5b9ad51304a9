"""Layer densities and schedules, against numbers worked by hand."""

from fractions import Fraction
from math import prod

import pytest
from hypothesis import given, settings, strategies as st

import hamtheory.train as htt

SHAPES = st.lists(st.lists(st.integers(1, 9), min_size=2, max_size=4).map(tuple), min_size=1, max_size=6)


def test_erk_by_hand():
    # (Σ n)/(Π n): 20/96, 32/240, 16/64; times the sizes 96, 240, 64: 20, 32, 16. A tenth of 400 weights: ε = 40/68.
    shapes = [(8, 12), (20, 12), (8, 8)]
    assert htt.layer_densities(shapes, 0.1) == [
        Fraction(40, 68) * Fraction(20, 96),
        Fraction(40, 68) * Fraction(32, 240),
        Fraction(40, 68) * Fraction(16, 64),
    ]
    # 11.76, 18.82 and 9.41 weights: 11 + 18 + 9, and one more each for the two largest remainders.
    assert htt.layer_counts(shapes, 0.1) == [12, 19, 9]


def test_erk_fixes_layers_that_would_be_denser_than_one():
    # (2, 2): 4/4 = 1, (4, 5): 9/20, (10, 10): 20/100. ε = 62/33 at density 1/2: 1.88 for the first, which is fixed.
    # From the others: ε = (62 − 4)/(9 + 20) = 2, so 0.9 and 0.4.
    assert htt.layer_densities([(2, 2), (4, 5), (10, 10)], 0.5) == [1, Fraction(9, 10), Fraction(2, 5)]
    assert htt.layer_counts([(2, 2), (4, 5), (10, 10)], 0.5) == [4, 18, 40]


def test_erk_of_a_kernel():
    # (3 + 3 + 2 + 4)/(3·3·2·4) = 12/72, against (8 + 9)/72 of a matrix with as many weights: 12 : 17 of 29.
    assert htt.layer_counts([(4, 2, 3, 3), (8, 9)], Fraction(29, 144)) == [12, 17]


@settings(max_examples=60, deadline=None)
@given(SHAPES, st.fractions(0, 1), st.sampled_from(["uniform", "erk"]))
def test_counts_are_exact(shapes, density, rule):
    counts, sizes = htt.layer_counts(shapes, density, rule), [prod(shape) for shape in shapes]
    assert sum(counts) == int(density * sum(sizes) + Fraction(1, 2))
    assert all(0 <= k <= size for k, size in zip(counts, sizes, strict=True))
    quotas = [d * size for d, size in zip(htt.layer_densities(shapes, density, rule), sizes, strict=True)]
    assert sum(quotas) == density * sum(sizes)
    assert all(abs(k - quota) < 1 for k, quota in zip(counts, quotas, strict=True))


def test_density_is_what_is_written():
    assert htt.layer_counts([(3, 335)], 0.1, "uniform") == [101]  # 100.5, rounded up
    assert 1005 * (1 - 0.9) + 0.5 < 101  # which floating-point numbers would miss


def test_cubic_schedule_by_hand():
    # From 0.2 to 0.8 between 10 and 30: halfway, 0.8 − 0.6/8; before and after, constant.
    values = [htt.cubic_sparsity(t, 0.2, 0.8, 10, 30) for t in (0, 10, 20, 25, 30, 99)]
    assert values == pytest.approx([0.2, 0.2, 0.725, 0.8 - 0.6 / 64, 0.8, 0.8], abs=1e-15)


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: htt.layer_densities([(2, 2)], 1.5), "density must be from 0 to 1"),
        (lambda: htt.layer_counts([(2, 2)], 0.5, "even"), "rule must be one of 'uniform', 'erk'"),
        (lambda: htt.images("cifar"), "name must be one of 'digits', 'mnist5k'"),
        (lambda: htt.images("digits", test=0.99), "must leave an image of each class"),
        (lambda: htt.images("digits", scale="log"), "scale must be one of"),
        (lambda: htt.images("digits", seed=-1), "seed must be at least 0"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
