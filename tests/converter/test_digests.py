"""Digests know what they are of."""

import numpy as np

from converter.digests import digest, rows_digest
from converter.inputs import Rows


def test_a_digest_knows_dtype_shape_and_texts() -> None:
    arrays = [
        np.zeros(4, np.float32), np.zeros(4, np.int32), np.zeros((2, 2), np.float32),
        np.array(["a", "b"]), np.array(["ab", ""]),
    ]  # fmt: skip
    assert len({digest(array) for array in arrays}) == len(arrays)
    assert digest(np.array(["a", "b"], dtype=object)) == digest(arrays[3])


def test_a_tables_digest_knows_its_names() -> None:
    column = np.zeros(3)
    digests = {rows_digest(Rows({name: column}, is_table=True)) for name in ("a", "b")}
    assert len(digests | {rows_digest(Rows({"rows": column[:, None]}))}) == 3


def test_a_digest_of_several_arrays_knows_their_names_and_order() -> None:
    a, b = np.zeros((3, 2)), np.ones((3, 2))
    digests = {
        rows_digest(Rows(arrays))
        for arrays in ({"a": a, "b": b}, {"b": b, "a": a}, {"a": b, "b": a}, {"a": a})
    }
    assert len(digests) == 4
    assert digest({"a": a, "b": b}) in digests
