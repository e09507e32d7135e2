"""What a caller gives becomes the declared tensor, or an error that says where and what to do."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from edge_runtime.bundle.manifest import Input, Window
from edge_runtime.engine.inputs import InputCheck, is_missing
from edge_runtime.errors import EngineError, InputError

WINDOW = Window(channels=("x", "y"), length=4, stride=2)
WINDOWS = Input(name="windows", dtype="float32", shape=(None, 4, 2))
CHECK = InputCheck(WINDOWS, WINDOW)
GOOD = np.arange(24, dtype=np.float32).reshape(3, 4, 2)


def test_an_array_of_the_declared_dtype_passes_without_a_copy() -> None:
    assert CHECK.batch(GOOD) is GOOD


@pytest.mark.parametrize(
    "values",
    [
        GOOD.tolist(),
        GOOD.astype(np.float64),
        GOOD.astype(np.int64),
        GOOD.astype(">f4"),
        np.asfortranarray(GOOD),
        GOOD.repeat(2, axis=0)[::2],
        GOOD.astype(np.float16),
    ],
)
def test_other_numbers_are_converted(values: object) -> None:
    batch = CHECK.batch(values)  # type: ignore[arg-type]

    assert batch.dtype == np.float32
    assert batch.flags.c_contiguous
    assert np.array_equal(batch, GOOD)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (GOOD[0], r"expected shape \(n, 4, 2\), found \(4, 2\): add a batch axis with windows\[None\]"),
        (GOOD.transpose(0, 2, 1), r"found \(3, 2, 4\): swap the last two axes"),
        (GOOD[:, :3], r"expected shape \(n, 4, 2\), found \(3, 3, 2\)\."),
        (np.float32(1), r"expected shape \(n, 4, 2\), found \(\)"),
        ([["a", "b"]], "expected numbers .float32., found text"),
        ("text", "found text"),
        ({"windows": GOOD}, "expected one array of numbers .float32., found a mapping: give the array"),
        (np.ma.masked_less(GOOD, 1), r"found a masked one: .*windows\.filled\(numpy\.nan\)"),
        ([[1, 2], [3]], "expected numbers in rows of equal length"),
        (None, "found dtype object"),
        ([[10**400]], "found dtype object"),
        (GOOD.astype(np.complex64), "found dtype complex64"),
        (np.array(["2026-01-01"], "datetime64[D]"), "found dtype datetime64"),
    ],
)
def test_what_is_no_batch_of_windows_is_told_apart(values: object, told: str) -> None:
    with pytest.raises(InputError, match=told):
        CHECK.batch(values)  # type: ignore[arg-type]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_the_place_of_a_wrong_value_is_named(value: float) -> None:
    windows = GOOD.copy()
    windows[1, 2, 1] = windows[2, 0, 0] = value

    with pytest.raises(
        InputError, match=r"windows\[1\], sample 2, channel 'y': expected finite.*1 more"
    ):
        CHECK.batch(windows)


def test_a_value_beyond_the_declared_range_is_told_as_it_was_given() -> None:
    windows = GOOD.astype(np.float64)
    windows[0, 0, 1] = 1e39

    with pytest.raises(InputError, match=r"channel 'y': expected numbers within float32, found 1e\+39"):
        CHECK.batch(windows)


def test_nan_passes_where_the_model_knows_missing_values_and_infinity_does_not() -> None:
    check = InputCheck(Input(name="rows", dtype="float32", shape=(None, 2), allow_nan=True))

    assert np.isnan(check.batch([[np.nan, 1]])).any()
    with pytest.raises(InputError, match=r"rows\[0, 1\]: expected numbers or NaN, found inf"):
        check.batch([[np.nan, np.inf]])


def test_whole_numbers_stay_whole() -> None:
    check = InputCheck(Input(name="pixels", dtype="uint8", shape=(None, 2)))

    assert check.batch([[0, 255]]).dtype == np.uint8
    with pytest.raises(InputError, match="expected uint8, 0 to 255, found values from -1 to 3"):
        check.batch([[-1, 3]])
    with pytest.raises(InputError, match="expected whole numbers"):
        check.batch([[0.5, 3]])


def test_true_and_false_are_those_or_0_and_1() -> None:
    check = InputCheck(Input(name="flags", dtype="bool", shape=(None, 2)))

    for values in ([[True, False]], [[1, 0]], np.array([[1, 0]], np.uint8)):
        batch = check.batch(values)
        assert batch.dtype == np.bool_
        assert batch.tolist() == [[True, False]]
    with pytest.raises(InputError, match="expected bool, 0 to 1, found values from 0 to 2"):
        check.batch([[0, 2]])
    with pytest.raises(InputError, match=r"expected true or false \(bool\), found dtype float64"):
        check.batch([[0.0, 1.0]])


@pytest.mark.parametrize(
    ("value", "missing"),
    [
        *((value, True) for value in (None, float("nan"), np.float32("nan"), np.float64("nan"))),
        *((value, False) for value in (0, 0.0, "", "nan", False, float("inf"), np.datetime64("NaT"))),
    ],
)
def test_what_stands_for_no_value(value: object, missing: bool) -> None:
    assert is_missing(value) is missing


def test_the_one_array_is_fed_under_its_name() -> None:
    assert list(CHECK.feed(GOOD)) == ["windows"]
    assert CHECK.feed(GOOD)["windows"] is GOOD
    assert CHECK.short_way is CHECK


@pytest.mark.parametrize(
    "declared",
    [
        Input(name="x", dtype="string", shape=(None, 1)),
        Input(name="x", dtype="float32", shape=()),
        Input(name="x", dtype="float32", shape=(1, 2)),
    ],
)
def test_an_input_no_batch_can_fit_is_refused(declared: Input) -> None:
    with pytest.raises(EngineError, match="open batch axis"):
        InputCheck(declared)


@pytest.mark.parametrize("at", [0, (1 << 16) - 1, 1 << 16, 199_999])
def test_a_wrong_value_is_found_in_every_part_of_a_large_batch(at: int) -> None:
    check = InputCheck(Input(name="x", dtype="float32", shape=(None, 100)))
    values = np.zeros((2000, 100), np.float32)

    assert check.is_clean(values)
    values.reshape(-1)[at] = np.nan
    assert not check.is_clean(values)


@given(st.integers(0, 599), st.sampled_from([np.nan, np.inf, -np.inf]), st.booleans())
def test_one_wrong_value_is_found_wherever_it_is(at: int, value: float, allow_nan: bool) -> None:
    declared = Input(name="windows", dtype="float32", shape=(None, 100, 6), allow_nan=allow_nan)
    check = InputCheck(declared)
    row = np.full((1, 100, 6), np.finfo(np.float32).max, np.float32)

    assert check.is_clean(row)
    row.reshape(-1)[at] = value
    assert check.is_clean(row) == (allow_nan and np.isnan(value))


@given(
    st.sampled_from(["float32", "float64"]).flatmap(lambda dtype: arrays(dtype, st.integers(0, 70))),
    st.booleans(),
)
@example(np.array([np.nan]), True)
@example(np.array([0x7FA00000, 0x3F800000], np.uint32).view(np.float32), True)  # a signalling NaN
@example(np.array([0x7F800000, 0x7FA00000], np.uint32).view(np.float32), True)  # after infinity
def test_what_is_told_of_a_batch_is_true_of_each_value(values: np.ndarray, allow_nan: bool) -> None:
    declared = Input(name="x", dtype=values.dtype.name, shape=(None,), allow_nan=allow_nan)
    refused = np.isinf(values) if allow_nan else ~np.isfinite(values)

    assert InputCheck(declared).is_clean(values) == (not refused.any())
