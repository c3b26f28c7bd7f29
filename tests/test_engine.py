"""The laws of the kernels, read off the machine code: packed instructions, typed constants, no product left for a compiler to fuse."""

import re
from typing import Any

import numba
import numpy as np
import pytest
from numba import types

import refloss
from refloss._engine import cpu
from refloss._engine.compile import OPTIONS, teach_cpu
from refloss._engine.cpu_pairs import CENTRED
from refloss._engine.record import REGISTRY
from refloss._engine.scalar import AFTER_EXP

X86 = numba.core.config.CPU_NAME or ""
KERNELS = {}
for _loss in REGISTRY.values():
    for _parameters in _loss.settings:
        _setting = _loss.setting(**_parameters)
        _mode = _setting.mode + (CENTRED if _setting.centred else 0)
        KERNELS.setdefault((_loss.kind, _loss.kernel.__name__, _mode), (_loss, _mode))


def compiled(kind: str, kernel: Any, mode: int, dtype: Any = types.float32) -> Any:
    """The hot loop around a kernel, compiled afresh: what comes from the disk cache cannot be inspected."""
    teach_cpu()
    module = cpu.KINDS[kind]
    line, params = types.Array(dtype, 1, "C"), types.UniTuple(dtype, cpu.PARAMS)
    signature = module.signature(types, dtype, line, params)
    return numba.cfunc(signature, nopython=True, error_model="numpy")(module.hot(kernel, mode, "fresh"))._library


def products_in_sums(ir: str) -> list[str]:
    """Sums and differences that use a product directly: a compiler may contract such a pair, and then bits differ by machine."""
    found = []
    for function in re.split(r"\ndefine ", ir)[1:]:
        products = set(re.findall(r"(%[\w.]+) = fmul ", function))
        for line in re.findall(r"= (?:fadd|fsub) [^\n]*", function):
            found += [line for operand in re.findall(r"%[\w.]+", line) if operand in products]
    return found


@pytest.mark.parametrize("key", KERNELS, ids=lambda key: "-".join(map(str, key)))
def test_hot_loop(key: Any) -> None:
    loss, mode = KERNELS[key]
    library = compiled(loss.kind, loss.kernel, mode)
    ir, assembly = library.get_llvm_str(), library.get_asm_str()
    assert not products_in_sums(ir)
    assert "double" not in re.sub(r"declare [^\n]*", "", ir).split("define", 1)[1], "float64 in a float32 kernel"
    packed = len(re.findall(r"\b[vV]?(?:fn?m(?:add|sub)\d*|mul|add|sub|div)ps\b|\bf(?:mla|mul|add|sub|div)\s+v", assembly))
    assert packed >= 4, "the hot loop holds no packed arithmetic"
    if loss.kind == "elementwise" and loss.kernel in AFTER_EXP:
        assert len(re.findall(r"call void @llvm\.prefetch", ir)) >= 3, "what is read next, and written, is not asked for"


def test_a_scalar_loop_is_seen() -> None:
    """The check above can fail: a library call in a kernel leaves no packed loop, and an unfused pair is found."""
    import math

    from refloss._engine.scalar import portable

    @portable
    def kernel(mode: Any, x: Any, t: Any, params: Any) -> Any:
        return type(x)(math.erf(x)) * t + x, t

    library = compiled("elementwise", kernel, 0)
    assert products_in_sums(library.get_llvm_str())
    assert not re.search(r"[vV]?mulps", library.get_asm_str())


@pytest.mark.parametrize("name", ["l1_loss", "ciou_loss", "focal_loss_with_integer_labels", "softmax_cross_entropy_with_integer_labels"])
def test_a_loop_is_compiled_once(name: str) -> None:
    """Whether arrays are read-only or not: Numba by itself compiles it anew for every mix."""
    from inputs import random_inputs

    loss = REGISTRY[name]
    x, t = random_inputs(loss, 8, np.float32)
    for i in range(8):
        weights = np.ones(len(x) if loss.kind != "labels" else x.shape, np.float32)
        for bit, array in enumerate((x, t, weights)):
            array.flags.writeable = not i >> bit & 1
        loss.value_and_grad(x, t, weights=weights)
    assert len(cpu.drive(loss.kind, np.float32).signatures) == 1


def test_strict_ieee() -> None:
    assert OPTIONS == {"nogil": True, "error_model": "numpy", "fastmath": False}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_plain_python_gives_the_compiled_bits(dtype: Any) -> None:
    """The kernels' text run by Python, with an exact fma, is what the compiler made of it."""
    from inputs import random_inputs

    from refloss._engine.call import two_words

    for loss in REGISTRY.values():
        if loss.kind != "elementwise":
            continue
        for parameters in loss.settings:
            x, t = random_inputs(loss, 40, dtype)
            value, gradient = loss.value_and_grad(x, t, **parameters)
            setting = loss.setting(**parameters)
            with np.errstate(all="ignore"):
                plain = [loss.kernel(setting.mode, a, b, two_words(setting, dtype)) for a, b in zip(x, t, strict=True)]
            np.testing.assert_array_equal(value, [p[0] for p in plain])
            np.testing.assert_array_equal(gradient, [p[1] for p in plain])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_look_at_targets(dtype: Any) -> None:
    """The bits tell what comparisons tell, at every edge."""
    from refloss._engine.cpu_elementwise import first_pass

    limits = np.finfo(dtype)
    edges = (
        0,
        1,
        limits.eps,
        1 - limits.eps / 2,
        limits.smallest_subnormal,
        limits.tiny,
        0.5,
        1 + limits.eps,
        2,
        limits.max,
        np.inf,
        np.nan,
    )
    with np.errstate(all="ignore"):
        for edge in (*edges, *(-np.array(edges))):
            t = np.array([0, 1, edge, 0], dtype)
            soft, outside = first_pass(0, np.zeros_like(t), t, np.empty((2, 4), dtype))
            assert soft == ((t != 0) & (t != 1)).any(), edge
            assert outside == (~((t >= 0) & (t <= 1))).any(), edge


EDGES = (0.0, 1e-45, 1e-3, 0.5, 1.0, 17.0, 68.9, 69.0, 87.0, 88.7, 103.9, 104.5, 620.0, 622.0, 708.0, 746.0, 1e30, np.inf)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_far_logits(dtype: Any) -> None:
    """A piece with one logit far out is done once more: each has the bits of the kernel's text."""
    from refloss._engine.call import two_words
    from refloss._engine.scalar import near, near_exp_of_size, quick_exp_of_size

    x = np.array([*EDGES, *np.negative(EDGES)], dtype)
    t = np.tile(np.array([0, 1], dtype), len(EDGES))
    with np.errstate(all="ignore"):
        for one in x:
            if abs(one) <= near(one):
                assert near_exp_of_size(one) == quick_exp_of_size(one)
        for name in ("focal_loss", "binary_cross_entropy"):
            loss = REGISTRY[name]
            setting = loss.setting(**loss.defaults)
            plain = [loss.kernel(setting.mode, a, b, two_words(setting, dtype)) for a, b in zip(x, t, strict=True)]
            for answers, wanted in zip(loss.value_and_grad(x, t), zip(*plain, strict=True), strict=True):
                np.testing.assert_array_equal(answers, wanted)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 3.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_hard_targets_have_the_bits_of_soft_ones(dtype: Any, gamma: float) -> None:
    """One soft target makes all of its piece soft; the others do not notice."""
    rng = np.random.default_rng(3)
    x = np.concatenate([np.array([*EDGES, *np.negative(EDGES), np.nan]), rng.normal(0, 4, 400)]).astype(dtype)
    for hard in (np.zeros_like(x), np.ones_like(x), (rng.random(x.size) < 0.5).astype(dtype)):
        soft = hard.copy()
        soft[-1] = 0.5
        with np.errstate(all="ignore"):
            both = [refloss.focal_loss.value_and_grad(x, t, gamma=gamma) for t in (hard, soft)]
        np.testing.assert_array_equal(*[value[:-1] for value, _ in both])
        np.testing.assert_array_equal(*[gradient[:-1] for _, gradient in both])
