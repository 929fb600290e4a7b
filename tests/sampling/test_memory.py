"""Freed memory stays with the process."""

import ctypes
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from oulib.sampling.memory import keep_freed_memory

if sys.argv[1] == "keep":
    assert keep_freed_memory()
for turn in range(60):
    if turn == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    arrays = [np.ones(500_000) for _ in range(5)]
    del arrays
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="no glibc")
def test_arrays_that_are_freed_and_made_again_cost_no_pages_of_memory_any_more() -> None:
    faults = {
        way: int(
            subprocess.run(
                [sys.executable, "-c", FAULTS, way], check=True, capture_output=True, text=True
            ).stdout
        )
        for way in ("keep", "leave")
    }
    assert faults["keep"] < 100 < 2000 < faults["leave"]
