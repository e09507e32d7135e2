"""Every ufunc in every dtype that numpy takes it in, on numbers where kernels differ from numpy."""

from typing import Any

import numpy as np
import pytest
from scipy import special

from converter.tracing.dispatch import UFUNCS
from converter.tracing.errors import TracingError
from tests.converter.tracing.traced import check, run

INF, NAN = np.inf, np.nan
FLOATS = np.array(
    [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        -0.5,
        1.5,
        -1.5,
        2.5,
        1e-9,
        -1e-9,
        1e-300,
        3.0,
        -7.25,
        0.3,
        -0.3,
        0.7,
        100.0,
        -100.0,
        8.0,
        27.0,
        1000.0,
        1e5,
        1e9,
        -1e9,
        INF,
        -INF,
        NAN,
    ]
)
WHOLE = np.array([0, 1, -1, 2, -2, 3, 7, -7, 100, 2**40, -(2**40), 2**62 + 1, -(2**63)])
TRUTHS = np.array([True, False])
BY_KIND = {
    "float64": FLOATS,
    "float32": FLOATS.astype(np.float32),
    "int64": WHOLE,
    "bool": TRUTHS,
    "int32": np.array([0, 1, -1, 5, -5, 2**31 - 1, -(2**31)], np.int32),
    "uint8": np.array([0, 1, 2, 200, 255], np.uint8),
    "float16": np.array([0, -0.0, 1, -2.5, 1000, 60000, INF, NAN, 6e-8], np.float16),
}

#: In units of the last place. Where nothing is said, to the bit.
UNITS = {
    np.exp: 2,
    np.log: 2,
    np.tanh: 4,
    np.sin: 4,
    np.cos: 4,
    np.power: 2,
    np.float_power: 2,
    np.log1p: 4,
    np.expm1: 4,
    np.log2: 3,
    np.log10: 3,
    np.exp2: 2,
    np.cbrt: 2,
    np.hypot: 3,
    np.logaddexp: 8,
    np.tan: 6,
    np.arctan: 2,
    np.arctan2: 3,
    np.arcsin: 4,
    np.arccos: 5,
    np.sinh: 5,
    np.cosh: 3,
    np.arcsinh: 5,
    np.arccosh: 5,
    np.arctanh: 5,
    np.deg2rad: 1,
    np.rad2deg: 1,
    special.expit: 3,
    special.logit: 4,
    special.log_expit: 5,
    special.erf: 2,
    special.erfc: 20,
    special.ndtr: 20,
    special.xlogy: 3,
    special.xlog1py: 4,
    np.floor_divide: 0,
}
REFUSED = {  # of whole numbers
    np.bitwise_and,
    np.bitwise_or,
    np.bitwise_xor,
    np.power,
    np.reciprocal,
}
ONE = sorted((f for f in UFUNCS if f.nin == 1), key=lambda f: f.__name__)
TWO = sorted((f for f in UFUNCS if f.nin == 2 and f is not np.matmul), key=lambda f: f.__name__)
BEYOND = {  # a trigonometric function of a large number has no digits to compare
    np.sin: 1e3,
    np.cos: 1e3,
    np.tan: 1e3,
    np.exp2: 1e3,
    np.sinh: 700,
    np.cosh: 700,
}


def takes(ufunc: Any, *dtypes: str) -> bool:
    try:
        found = ufunc.resolve_dtypes((*map(np.dtype, dtypes), None))
    except TypeError:
        return False
    return all(dtype.kind in "biuf" and dtype.itemsize < 16 for dtype in found)


def refused(ufunc: Any, dtype: str) -> bool:
    wholes = ufunc.resolve_dtypes((np.dtype(dtype),) * ufunc.nin + (None,))[0].kind in "iu"
    return ufunc in REFUSED and wholes


def cases(ufuncs: list[Any], n: int) -> list[Any]:
    return [
        pytest.param(ufunc, dtype, id=f"{ufunc.__name__}-{dtype}")
        for ufunc in ufuncs
        for dtype in BY_KIND
        if takes(ufunc, *[dtype] * n) and not refused(ufunc, dtype)
    ]


def bounds(ufunc: Any, dtype: Any) -> dict[str, float]:
    if ufunc not in UNITS or np.dtype(dtype).kind != "f":
        return {}
    limits = np.finfo(dtype)
    return {"rtol": float(UNITS[ufunc] * limits.eps), "atol": float(limits.tiny)}


@pytest.mark.parametrize(("ufunc", "dtype"), cases(ONE, 1))
def test_a_function_of_one_number(ufunc: Any, dtype: str) -> None:
    given = BY_KIND[dtype]
    if ufunc in BEYOND and given.dtype.kind != "b":
        with np.errstate(all="ignore"):
            given = given[~(np.abs(given.astype(np.float64)) > BEYOND[ufunc])]
    with np.errstate(all="ignore"):
        result = ufunc(given).dtype
    check(ufunc, given, **bounds(ufunc, result))


def pairs(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.repeat(values, len(values)), np.tile(values, len(values))


@pytest.mark.parametrize(("ufunc", "dtype"), cases(TWO, 2))
def test_a_function_of_every_pair(ufunc: Any, dtype: str) -> None:
    a, b = pairs(BY_KIND[dtype])
    with np.errstate(all="ignore"):
        result = ufunc(a, b).dtype
    check(ufunc, a, b, **bounds(ufunc, result))


@pytest.mark.parametrize("ufunc", sorted(REFUSED, key=lambda f: f.__name__))
def test_what_has_no_form_for_whole_numbers_is_refused(ufunc: Any) -> None:
    with pytest.raises(TracingError, match="whole numbers"):
        run(ufunc, *[WHOLE] * ufunc.nin)


@pytest.mark.parametrize("exponent", [0, 1, 2, 3, 7, 0.5, -1, -2, -0.5, 1 / 3])
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "uint8"])
def test_powers_by_a_constant(exponent: float, dtype: str) -> None:
    given = BY_KIND[dtype]
    if given.dtype.kind != "f" and isinstance(exponent, int) and exponent < 0:
        with pytest.raises((ValueError, OverflowError), match=r"negative integer|out of bounds"):
            run(lambda x: x**exponent, given)
        return
    check(
        lambda x: x**exponent,
        given,
        **bounds(np.power, np.float32 if dtype == "float32" else np.float64),
    )


@pytest.mark.parametrize(
    ("ufunc", "low", "high"),
    [
        (np.log1p, -0.9, 2),
        (np.expm1, -2, 2),
        (special.erf, -3, 3),
        (special.erfc, -3, 6),
        (special.expit, -40, 40),
        (special.logit, 0.001, 0.999),
        (np.arctan, -5, 5),
        (np.arcsin, -1, 1),
        (np.arccos, -1, 1),
        (np.sinh, -25, 25),
        (np.cosh, -25, 25),
        (np.arcsinh, -9, 9),
        (np.arctanh, -1, 1),
        (np.cbrt, -50, 50),
        (np.log2, 1e-3, 9),
        (np.log10, 1e-3, 9),
        (np.tan, -1.5, 1.5),
    ],
)
def test_formulas_hold_their_last_digits_everywhere(ufunc: Any, low: float, high: float) -> None:
    span = np.random.default_rng(0).uniform(low, high, 4000)
    tiny = span * 10.0 ** np.random.default_rng(1).integers(-12, 0, 4000)
    given = np.concatenate([span, tiny]) if low < 0 else span
    check(
        ufunc,
        given,
        rtol=UNITS[ufunc] * 2**-52 + 2**-52,
        atol=5e-16 if ufunc in (np.log2, np.log10) else 0,
    )


def test_powers_have_whole_logarithms_and_roots() -> None:
    """To the bit; of numpy itself some processors' cube roots are a last place off."""
    for ufunc, base, whole in ((np.log10, 10.0, np.arange(-5, 23)), (np.log2, 2.0, np.arange(-50, 60))):
        assert np.array_equal(run(ufunc, base**whole), whole)
    whole = np.arange(-60.0, 60.0)
    assert np.array_equal(run(np.cbrt, whole**3), whole)


OPERATIONS = [
    lambda x: x + 1,
    lambda x: 1 - x,
    lambda x: x * 2.5,
    lambda x: x / 2,
    lambda x: 7 // (x + 3),
    lambda x: x % 3,
    lambda x: -(x * 1),
    lambda x: abs(x - 1),
    lambda x: 2 ** (x * 1.0),
    lambda x: x > 1,
    lambda x: x >= 1,
    lambda x: ~(x == 2) & (x < 3) | (x != x),  # noqa: PLR0124
    lambda x: (x > 1) ^ (x < 2),
    lambda x: x + np.float32(1),
    lambda x: x + np.int64(1),
    lambda x: x * np.array([1.5, 2]),
    lambda x: np.array([[1.5, 2]], np.float32) - x,
    lambda x: divmod(x, 2)[1],
    lambda x: +(x * 2),
    lambda x: np.add(x, 1, dtype=np.float64),
    lambda x: np.maximum(x, True),
]


@pytest.mark.parametrize("place", range(len(OPERATIONS)))
@pytest.mark.parametrize("dtype", ["float64", "float32", "int64", "int32", "uint8", "bool"])
def test_operators_promote_as_numpy_does(place: int, dtype: str) -> None:
    check(OPERATIONS[place], np.array([[0, 1], [2, 3], [5, 7]]).astype(dtype))


def test_constants_that_do_not_fit_are_numpys_error() -> None:
    with pytest.raises(OverflowError):
        run(lambda x: x + 300, BY_KIND["uint8"])


def test_texts_are_compared_with_constants() -> None:
    given = np.array([["a", "b"], ["", "a"], ["c", "longer"]], dtype=object)
    check(lambda x: x == "a", given)
    check(lambda x: x != np.array(["a", "longer"], dtype=object), given)
    check(lambda x: "never" == x, given)  # noqa: SIM300
    check(lambda x: np.where(x == "a", 1.5, -1), given)
    for wrong in (lambda x: x + "a", lambda x: x < "b", lambda x: x == x):  # noqa: PLR0124
        with pytest.raises(TracingError, match="texts can only be compared with constants"):
            run(wrong, given)
    with pytest.raises(TracingError, match="encode texts"):
        run(lambda x: x.astype(float), given)


def test_a_ufunc_writes_where_it_is_told() -> None:
    x = np.array([[1.0, 0.0], [-2.0, 4.0]])
    check(lambda x: np.divide(1.0, x, out=np.zeros_like(x), where=x != 0), x)
    check(lambda x: np.log(x, out=np.full_like(x, -1), where=x > 0), x)
    check(lambda x: np.add.reduce(x, axis=1) + np.maximum.reduce(x, axis=-1), x)
    check(lambda x: np.add.accumulate(x, axis=1), x)
    with pytest.raises(TracingError, match="leaves the other places undefined"):
        run(lambda x: np.log(x, where=x > 0), x)
    with pytest.raises(TracingError, match="array of constants"):
        run(lambda x: np.add(x, 1, out=np.zeros((2, 2))), x)


def test_what_has_no_form_says_so() -> None:
    for ufunc in (np.spacing, special.gamma, np.gcd):
        given = WHOLE if ufunc is np.gcd else FLOATS
        with pytest.raises(TracingError, match="has no ONNX form"):
            run(ufunc, *[given] * ufunc.nin)
    with pytest.raises(TracingError, match=r"np\.add\.outer has no ONNX form"):
        run(lambda x: np.add.outer(x, x), FLOATS)
    with pytest.raises(TracingError, match="dtype complex128"):
        run(lambda x: x * 1j, FLOATS)
