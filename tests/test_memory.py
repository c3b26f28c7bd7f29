"""Large results lie on memory that was used before (refloss/_engine/memory.py): never on memory that somebody still holds."""

import ctypes
import gc
import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import refloss
from refloss._engine import memory

N = 400_000  # float32 numbers: above the least size that is kept
HOLDERS: dict[str, Callable[[Any], Any]] = {
    "itself": lambda array: array,
    "a view": lambda array: array[7:9],
    "a view of a view": lambda array: array.reshape(2, -1)[1].T[::3],
    "another dtype": lambda array: array.view(np.int32)[:2],
    "a memoryview": memoryview,
    "its base": lambda array: array.base,
    "a subclass": lambda array: array.view(np.recarray),
    "an iterator": lambda array: array.flat,
    "a ctypes object": lambda array: np.ctypeslib.as_ctypes(array),
}


@pytest.fixture(autouse=True)
def nothing_kept() -> Iterator[None]:
    memory._free.clear()
    yield
    memory._free.clear()


def address(array: Any) -> int:
    return int(array.__array_interface__["data"][0])


def test_memory_is_used_again() -> None:
    first = memory.empty((N,), np.float32)
    where = address(first)
    del first
    assert address(memory.empty((2, N // 2), np.float32)) == where
    assert address(memory.empty((N - 1,), np.float32)) == where
    assert address(memory.zeros((N,), np.int32)) == where
    assert len(memory._free) == 1


@pytest.mark.parametrize("how", HOLDERS)
def test_memory_that_is_held_is_not(how: str) -> None:
    first = memory.empty((N,), np.float32)
    first[...] = 1
    where, held = address(first), HOLDERS[how](first)
    del first
    other = memory.empty((N,), np.float32)
    other[...] = 2
    assert address(other) != where
    assert ctypes.c_float.from_address(where).value == 1  # what is held has not been written over
    del held
    gc.collect()  # ctypes' objects are rings
    assert address(memory.empty((N,), np.float32)) == where


def test_tensors_hold_it() -> None:
    torch = pytest.importorskip("torch")
    for make in (torch.from_numpy, torch.as_tensor, torch.from_dlpack, lambda array: torch.from_numpy(array)[5:].view(torch.int32)):
        first = memory.empty((N,), np.float32)
        where, tensor = address(first), make(first)
        del first
        assert address(memory.empty((N,), np.float32)) != where
        del tensor
        assert address(memory.empty((N,), np.float32)) == where
        memory._free.clear()


def test_a_gradient_that_is_kept_stays_as_it_is() -> None:
    rng = np.random.default_rng(0)
    logits, targets = rng.standard_normal((5, N)).astype(np.float32), rng.integers(0, 2, (5, N)).astype(np.float32)
    kept = [refloss.focal_loss.value_and_grad(x, t) for x, t in zip(logits, targets, strict=True)]
    for (value, gradient), x, t in zip(kept, logits, targets, strict=True):
        half = [refloss.focal_loss.value_and_grad(x[part], t[part]) for part in (slice(0, 1000), slice(N - 1000, N))]
        for (some_value, some_gradient), part in zip(half, (slice(0, 1000), slice(N - 1000, N)), strict=True):
            np.testing.assert_array_equal(value[part], some_value)
            np.testing.assert_array_equal(gradient[part], some_gradient)


def test_threads_never_share_a_result() -> None:
    wrong: list[str] = []

    def work(mine: float) -> None:
        for turn in range(50):
            held = [memory.empty((N,), np.float32) for _ in range(3)]
            for array in held:
                array[::4096] = mine
            time.sleep(1e-4)
            if not all((array[::4096] == mine).all() for array in held):
                wrong.append(f"thread {mine} at turn {turn}")

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=work, args=(float(i),)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not wrong
    assert 1 <= len(memory._free) <= 24  # it was used again


def test_another_thread_may_be_sooner(monkeypatch: pytest.MonkeyPatch) -> None:
    class Robbed(dict[int, Any]):
        def pop(self, key: int, default: Any = None) -> Any:
            super().pop(key, default)  # the other thread has it
            return default

    first = memory.empty((N,), np.float32)
    where = address(first)
    kept = first.base.base.buffer
    monkeypatch.setattr(memory, "_free", Robbed({0: kept}))
    assert address(memory.empty((N,), np.float32)) != where


def test_a_debugger_changes_nothing() -> None:
    """Reading f_locals holds a reference to every local; counts of references told nonsense then, and live results were given away."""
    code = """
import sys
def trace(frame, event, argument):
    frame.f_locals
    return trace
sys.settrace(trace)
from refloss._engine import memory
import numpy as np
one, two = memory.empty((400000,), np.float32), memory.empty((400000,), np.float32)
print(np.shares_memory(one, two))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
    assert done.stderr == ""


def test_what_is_kept_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFLOSS_KEEP_MB", "5")
    arrays = [memory.empty((N,), np.float32) for _ in range(8)]
    assert len({address(array) for array in arrays}) == 8
    del arrays
    assert len(memory._free) == 3  # of 1.6 MB
    assert memory.empty((6 << 20,), np.uint8).base is None  # larger than all that may be kept: NumPy's own
    for size in range(1 << 20, 5 << 20, 1 << 18):
        memory.empty((size,), np.uint8)
        assert sum(kept.size for kept in memory._free.values()) <= 5 << 20


def test_the_longest_unused_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFLOSS_KEEP_MB", "13")
    for megabytes in (1, 3, 9, 3, 2):  # 3 is used again, and 2 is one too many
        memory.empty((megabytes << 20,), np.uint8)
    assert [kept.size >> 20 for kept in memory._free.values()] == [3, 2]


@pytest.mark.parametrize("off", ["0", " 0 "])
def test_it_can_be_turned_off(off: str, monkeypatch: pytest.MonkeyPatch) -> None:
    memory.empty((N,), np.float32)
    assert memory._free
    monkeypatch.setenv("REFLOSS_KEEP_MB", off)
    assert memory.empty((N,), np.float32).base is None
    assert not memory._free  # what was kept is given back


@pytest.mark.parametrize("text", ["", "lots", "-1", "0.5", "9" * 5000])
def test_what_is_no_number_of_megabytes_is_the_default(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFLOSS_KEEP_MB", text)
    assert memory.limit() == memory.KEPT_MB << 20


def test_a_buffer_is_not_wasted_on_a_small_array() -> None:
    """An array holds its whole buffer, maybe for long."""
    large = memory.empty((2 * N,), np.float32)
    where = address(large)
    del large
    assert address(memory.empty((N,), np.float32)) != where
    assert memory.empty((10,), np.float32).base is None


def test_what_is_kept_is_given_up_before_memory_runs_out(monkeypatch: pytest.MonkeyPatch) -> None:
    memory.empty((N,), np.float32)

    def scarce(shape: Any, dtype: Any, real: Any = np.empty) -> Any:
        if memory._free:
            raise MemoryError
        return real(shape, dtype)

    monkeypatch.setattr(np, "empty", scarce)
    assert memory.empty((3 * N,), np.float32).size == 3 * N


def test_zeros_are_zeros_on_used_memory() -> None:
    for T in (np.float32, np.float64):
        memory.empty((3, N), T)[...] = np.nan
        assert not memory.zeros((3, N), T).any()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_fork_has_memory_of_its_own() -> None:
    held, context = memory.empty((N,), np.float32), multiprocessing.get_context("fork")
    held[...] = 1

    def child(answer: Any) -> None:
        other = memory.empty((N,), np.float32)
        other[...] = 2
        answer.put(bool((held == 1).all()) and address(other) != address(held))

    answer = context.SimpleQueue()
    process = context.Process(target=child, args=(answer,))
    process.start()
    process.join()
    assert answer.get()
    assert (held == 1).all()
