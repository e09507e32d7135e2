import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from converter.lowering import thresholds
from converter.lowering.thresholds import fold, from_ordered, last_left, ordered, round_down

FLOAT32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@given(st.lists(FLOAT32, min_size=2, max_size=30))
def test_ordered_numbers_sort_as_the_floats_do_and_come_back(values: list[float]) -> None:
    floats = np.array(values, dtype=np.float32)
    keys = ordered(floats)
    assert np.array_equal(np.sort(floats), floats[np.argsort(keys, kind="stable")])
    assert np.array_equal(from_ordered(keys), floats)


@given(FLOAT32)
def test_neighbours_differ_by_one(value: float) -> None:
    here = np.array([value], dtype=np.float32)
    with np.errstate(over="ignore"):
        above = np.nextafter(here, np.float32(np.inf))
    if np.isfinite(above[0]):
        assert ordered(above)[0] - ordered(here)[0] == 1


@given(st.floats(allow_nan=False), FLOAT32)
def test_rounding_down_decides_every_float32_as_the_float64_threshold(limit: float, x: float) -> None:
    rounded = round_down(np.array([limit]))
    assert (np.float32(x) <= rounded[0]) == (float(np.float32(x)) <= limit)


@given(FLOAT32)
def test_bisection_finds_the_last_number_that_goes_left(limit: float) -> None:
    found = last_left(lambda x: x <= np.float32(limit), 1)
    if limit == np.finfo(np.float32).max:
        assert found[0] == np.inf
    else:
        assert found[0] == np.float32(limit)


def test_a_threshold_that_nothing_or_everything_reaches_becomes_infinite() -> None:
    assert last_left(lambda x: np.zeros(len(x), dtype=bool), 1)[0] == -np.inf
    assert last_left(lambda x: np.ones(len(x), dtype=bool), 1)[0] == np.inf


TABLE = np.random.default_rng(0).normal([0, 1e4, -3, 5], [1, 10, 1e-3, 0], (200, 4)).astype(np.float32)
CHAINS = {
    "standard": [StandardScaler()],
    "without mean": [StandardScaler(with_mean=False)],
    "does nothing": [StandardScaler(with_mean=False, with_std=False)],
    "min max": [MinMaxScaler((-1, 3))],
    "clipped": [MinMaxScaler(clip=True)],
    "largest": [MaxAbsScaler()],
    "robust": [RobustScaler()],
    "chain": [StandardScaler(), MinMaxScaler(), RobustScaler(), MaxAbsScaler()],
}


def fitted(chain: list) -> list:
    table = TABLE
    for scaler in chain:
        table = scaler.fit_transform(table)
    return chain


def scaled(chain: list, table: np.ndarray) -> np.ndarray:
    for scaler in chain:
        table = scaler.transform(table)
    return table.astype(np.float32)


@pytest.mark.parametrize("name", CHAINS)
def test_folded_thresholds_split_between_two_neighbouring_floats(name: str) -> None:
    chain = fitted(CHAINS[name])
    rng = np.random.default_rng(1)
    features = rng.integers(0, 4, 500)
    on = scaled(chain, TABLE)[rng.integers(0, 200, 500), features]
    limits = on + rng.choice([0, 1e-9, -1e-9, 0.3], 500)  # on a reachable value, and beside it
    folded = fold(chain, features, limits, 4)
    finite = np.isfinite(folded)
    assert finite.sum() > 100
    for offset, left in ((0, True), (1, False), (-3, True), (4, False)):
        table = np.zeros((finite.sum(), 4), dtype=np.float32)
        here = np.arange(len(table)), features[finite]
        table[here] = from_ordered(ordered(folded[finite]) + offset)
        assert np.array_equal(scaled(chain, table)[here] <= limits[finite], np.full(len(table), left))


def test_a_feature_without_scale_and_thresholds_out_of_reach() -> None:
    clipped = MinMaxScaler(clip=True).fit(TABLE)
    folded = fold([clipped], np.array([0, 0, 3]), np.array([-0.5, 1.5, 2.0]), 4)
    assert folded.tolist() == [-np.inf, np.inf, np.inf]  # clipped to 0…1: below nothing, above all


def test_an_overflow_after_the_last_scaler_is_infinite_as_the_tree_sees_it() -> None:
    tiny = StandardScaler().fit(TABLE * np.float32(1e-15))
    (last,) = fold([tiny], np.array([0]), np.array([1e300]), 4)  # a limit that only infinity exceeds
    for offset, left in ((0, True), (1, False)):
        row = np.zeros((1, 4), dtype=np.float32)
        row[0, 0] = from_ordered(ordered(np.array([last])) + offset)[0]
        with np.errstate(over="ignore"):
            assert (tiny.transform(row)[0, 0] <= np.float64(1e300)) == left


def test_many_searches_on_one_feature_stay_within_the_memory_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    chain = fitted([StandardScaler()])
    features, limits = np.repeat([1, 3], 150), np.linspace(-2, 2, 300)
    whole = fold(chain, features, limits, 4)
    monkeypatch.setattr(thresholds, "_MAX_CELLS", 64)
    assert np.array_equal(fold(chain, features, limits, 4), whole)
