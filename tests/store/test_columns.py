"""Columns over buffers hold what pyarrow's own conversion holds."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from penumbra.store.columns import column, matrix, numbers, table, vectors


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.float32, np.float64, bool])
def test_numbers(kind):
    values = np.array([0, 1, 0, 5, 1, 1, 0, 2, 3], dtype=kind)
    assert column(values).equals(pa.array(values))
    if kind is not bool:
        chunked = pa.chunked_array([column(values).slice(1, 3), column(values)])
        assert np.array_equal(numbers(chunked), np.concatenate([values[1:4], values]))


@given(st.lists(st.text(), min_size=1))
def test_texts(texts):
    assert column(texts).equals(pa.array(texts, pa.string()))


def test_matrix_of_a_slice():
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    whole = pa.table({"v": vectors(values)})
    assert np.array_equal(matrix(whole.slice(1, 2)["v"]), values[1:3])


def test_rows():
    rows = [{"a": 1, "b": "x", "c": 0.5}, {"a": 2, "b": "y", "c": 1.5}]
    assert table(rows).to_pylist() == rows
