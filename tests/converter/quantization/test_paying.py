"""Which variants pay, beside fp32 and beside each other."""

import pytest

from converter.quantization.paying import Offer, needless, pays


@pytest.mark.parametrize(
    ("time_ratio", "size_ratio", "worth_it"),
    [
        (0.9, 1.0, True),
        (0.91, 1.0, False),
        (0.5, 1.2, True),
        (1.0, 0.7, True),
        (1.1, 0.3, True),
        (1.11, 0.3, False),
        (1.0, 0.71, False),
    ],
)
def test_it_is_a_tenth_faster_or_a_third_smaller(
    time_ratio: float, size_ratio: float, worth_it: bool
) -> None:
    assert pays(time_ratio, size_ratio) is worth_it


def test_what_hardly_differs_from_a_closer_one_is_needless() -> None:
    offers = {"int8": Offer(0.99, 0.45, 1e-2), "fp16": Offer(1.0, 0.5, 1e-4)}

    assert needless(offers) == {"int8": "fp16"}


def test_what_is_much_smaller_takes_the_place_of_a_closer_one() -> None:
    offers = {"int8": Offer(1.03, 0.26, 1e-2), "fp16": Offer(1.0, 0.5, 1e-4)}

    assert needless(offers) == {"fp16": "int8"}


def test_there_is_a_use_for_a_faster_one_and_a_smaller_one() -> None:
    offers = {"narrow": Offer(0.5, 1.0, 1e-7), "int8": Offer(1.0, 0.26, 1e-2)}

    assert needless(offers) == {"int8": "narrow"}  # twice as slow as what is there
    assert needless({**offers, "int8": Offer(0.54, 0.26, 1e-2)}) == {"narrow": "int8"}
    assert needless({"small": Offer(1.0, 0.26, 1e-7), "fast": Offer(0.5, 1.0, 1e-2)}) == {}


def test_each_has_to_pay_beside_fp32() -> None:
    assert needless({"int8": Offer(5.4, 0.27, 0.0)}) == {"int8": "fp32"}


def test_one_of_several_that_are_nearly_alike_is_always_left() -> None:
    """Each of these beats another: the relation goes in a circle."""
    offers = {
        "narrow": Offer(0.79, 0.58, 1e-7),
        "int16": Offer(0.79, 0.49, 1e-5),
        "fp16": Offer(0.79, 0.39, 1e-4),
    }

    assert needless(offers) == {"int16": "narrow", "narrow": "fp16"}
