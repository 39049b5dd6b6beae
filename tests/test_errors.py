"""Errors of the libraries that compute: told with their mend where there is one."""

import numpy as np
import pytest
import torch

from penumbra.errors import of_computing


@pytest.fixture
def repeatable():
    """Operations that give other numbers each time are refused, as in every job."""
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode("error")
    yield
    torch.set_deterministic_debug_mode(before)


def raised(work):
    with pytest.raises((RuntimeError, MemoryError)) as caught:
        work()
    return caught.value


@pytest.mark.parametrize(
    "work", [lambda: torch.empty(10**16), lambda: np.empty((10**9, 10**6))], ids=["torch", "numpy"]
)
def test_too_little_memory_is_told_with_what_to_lower(work):
    said = str(of_computing(raised(work)))
    assert said.startswith("too little memory (")
    assert "allocate" in said
    assert "compute.batch_size" in said


def test_an_operation_without_repeatable_kernel_is_named_with_what_to_do(repeatable):
    one = torch.ones(1)
    said = str(of_computing(raised(lambda: torch.zeros(3).put_(torch.tensor([0]), one))))
    assert said.startswith("put_ gives other numbers each time on this device")
    assert "compute.device: cpu" in said


def test_any_other_keeps_its_traceback():
    assert of_computing(raised(lambda: torch.zeros(2) @ torch.zeros(3))) is None
