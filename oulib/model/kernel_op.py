"""Functions of arrays that Numba compiles, with reverses of their own, as PyTensor operations.

What is large in a model (a density of every row and what its derivatives add up to by OU and
month) is one loop, compiled once on a machine and kept on disk by Numba; what PyTensor has to
compile is only what calls it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, cast

import numba
import numpy as np
import pytensor.tensor as pt
from pytensor.gradient import DisconnectedType, disconnected_type
from pytensor.graph.basic import Apply, Constant, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import register_funcify_default_op_cache_key
from pytensor.tensor import TensorVariable

_DTYPES = {"f": "float64", "i": "int32", "b": "bool"}  # integers as PyMC's data have them
_KERNELS: dict[str, Kernel] = {}


class Jitted(Protocol):
    """What Numba makes of a function."""

    @property
    def py_func(self) -> Callable[..., Any]:
        """The function itself."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns."""

    def compile(self, sig: Any, /) -> Any:
        """Make machine code for arguments of these types."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """A compiled function of arrays and its reverse.

    Attributes:
        name: what the operation is called.
        forward: takes the inputs, returns one array or a tuple of them: the outputs, then what
            only the reverse needs.
        backward: takes the inputs, what ``forward`` kept for it and the outputs' cotangents;
            returns the inputs' cotangents, of those in ``wanted``.
        inputs: type and rank of each input, such as ``"f1"``: float, integer or boolean.
        shapes: of each array that ``forward`` returns: for each axis the input and its axis that
            it is as long as.
        outputs: how many of those arrays are outputs.
        wanted: positions of the inputs that have derivatives.
        summed: takes the inputs; returns the sum of the one output, and its derivatives by the
            inputs in ``wanted``, all in one pass; None where there is no such function.
        by_group: a kernel of the same inputs whose output has the same sum in fewer parts.
        calls: functions of other files that the two call.
    """

    name: str
    forward: Jitted
    backward: Jitted
    inputs: tuple[str, ...]
    shapes: tuple[tuple[tuple[int, int], ...], ...]
    wanted: tuple[int, ...]
    outputs: int = 1
    summed: Jitted | None = None
    by_group: Kernel | None = None
    calls: tuple[Jitted, ...] = ()

    def __post_init__(self) -> None:
        _KERNELS[self.name] = self

    def __call__(self, *inputs: Any) -> TensorVariable:
        """The output for ``inputs``, of a kernel that has one."""
        (only,) = _results_of(_Forward(self.name), inputs)[: self.outputs]
        return only

    def pair(self, *inputs: Any) -> tuple[TensorVariable, TensorVariable]:
        """The outputs for ``inputs``, of a kernel that has two."""
        first, second = _results_of(_Forward(self.name), inputs)[: self.outputs]
        return first, second

    @property
    def returned(self) -> tuple[str, ...]:
        """Types of what ``forward`` returns."""
        return tuple(f"f{len(shape)}" for shape in self.shapes)

    @property
    def taken_back(self) -> tuple[str, ...]:
        """Types of what ``backward`` takes."""
        return (*self.inputs, *self.returned[self.outputs :], *self.returned[: self.outputs])

    @property
    def code(self) -> int:
        """Changes with the code of the kernel.

        PyTensor keeps compiled functions between sessions; one with another kernel in it is stale.
        """
        functions = filter(None, (self.forward, self.backward, self.summed, *self.calls))
        files = {Path(function.py_func.__code__.co_filename) for function in functions}
        digest = hashlib.sha256(b"".join(file.read_bytes() for file in sorted(files)))
        return int(digest.hexdigest()[:12], 16)


def _numba_type(kind: str, constant: bool) -> numba.types.Array:
    dtype = numba.from_dtype(np.dtype(_DTYPES[kind[0]]))
    return numba.types.Array(dtype, int(kind[1]), "C", readonly=constant)


def _typed(inputs: Sequence[Any], types: Sequence[str]) -> list[TensorVariable]:
    found = []
    for value, kind in zip(inputs, types, strict=True):
        tensor = pt.cast(pt.as_tensor(value), _DTYPES[kind[0]])
        if tensor.ndim != int(kind[1]):
            raise TypeError(f"an input of rank {tensor.ndim} where {kind[1]} is needed")
        found.append(tensor)
    return found


def _results(types: Sequence[str]) -> list[TensorVariable]:
    return [pt.tensor(dtype=_DTYPES[k[0]], shape=(None,) * int(k[1])) for k in types]


def _results_of(op: _KernelOp, inputs: Sequence[Any]) -> list[TensorVariable]:
    # A node's outputs are variables of any type to PyTensor; those of a kernel are tensors.
    return cast("list[TensorVariable]", op.make_node(*inputs).outputs)


class _KernelOp(Op):
    """A kernel in one direction."""

    __props__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name
        self.kernel = _KERNELS[name]

    @property
    def function(self) -> Jitted:
        """What is compiled."""
        raise NotImplementedError

    @property
    def taken(self) -> tuple[str, ...]:
        """Types of what it takes."""
        return self.kernel.inputs

    def prepare(self, node: Apply) -> None:
        """Compile it, or fetch it from disk, as ``node`` calls it."""
        constant = [isinstance(variable, Constant) for variable in node.inputs]
        types = map(_numba_type, self.taken, constant)
        self.function.compile(tuple(types))

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[list[Any]]) -> None:
        # In C's order: a version for any other may be one that only a graph can call.
        found = self.function(*(np.asarray(each, order="C") for each in inputs))
        found = found if isinstance(found, tuple) else (found,)
        for storage, values in zip(output_storage, found, strict=True):
            storage[0] = values


class _Forward(_KernelOp):
    @property
    def function(self) -> Jitted:
        return self.kernel.forward

    def make_node(self, *inputs: Any) -> Apply:
        return Apply(self, _typed(inputs, self.kernel.inputs), _results(self.kernel.returned))

    def infer_shape(self, node: Apply, shapes: list[tuple]) -> list[tuple]:
        return [tuple(shapes[k][axis] for k, axis in shape) for shape in self.kernel.shapes]

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        kernel = self.kernel
        given = [
            pt.zeros_like(out) if isinstance(g.type, DisconnectedType) else g
            for out, g in zip(outputs, cotangents, strict=True)
        ][: kernel.outputs]
        back = _Backward(self.name).make_node(*inputs, *outputs[kernel.outputs :], *given)
        found = iter(back.outputs)
        return [
            next(found) if k in kernel.wanted else disconnected_type() for k in range(len(inputs))
        ]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        kernel = self.kernel
        own = [j < kernel.outputs for j in range(len(kernel.shapes))]
        return [
            own if k in kernel.wanted else [False] * len(own) for k in range(len(kernel.inputs))
        ]


class _Backward(_KernelOp):
    """The reverse of :class:`_Forward`; it has no derivatives of its own."""

    @property
    def function(self) -> Jitted:
        return self.kernel.backward

    @property
    def taken(self) -> tuple[str, ...]:
        return self.kernel.taken_back

    def make_node(self, *inputs: Any) -> Apply:
        kernel = self.kernel
        outputs = _results([kernel.inputs[k] for k in kernel.wanted])
        return Apply(self, _typed(inputs, kernel.taken_back), outputs)

    def infer_shape(self, node: Apply, shapes: list[tuple]) -> list[tuple]:
        return [shapes[k] for k in self.kernel.wanted]


class _Summed(_KernelOp):
    """The sum of a kernel's output, with its derivatives, which make a reverse superfluous."""

    @property
    def function(self) -> Jitted:
        assert self.kernel.summed is not None  # it is made of such kernels only
        return self.kernel.summed

    def make_node(self, *inputs: Any) -> Apply:
        kernel = self.kernel
        slopes = [kernel.inputs[k] for k in kernel.wanted]
        return Apply(self, _typed(inputs, kernel.inputs), _results(["f0", *slopes]))

    def infer_shape(self, node: Apply, shapes: list[tuple]) -> list[tuple]:
        return [(), *(shapes[k] for k in self.kernel.wanted)]

    def pullback(
        self,
        inputs: Sequence[Variable],
        outputs: Sequence[Variable],
        cotangents: Sequence[Variable],
    ) -> list[Variable]:
        slopes = dict(zip(self.kernel.wanted, outputs[1:], strict=True))
        return [
            pt.mul(cotangents[0], slopes[k]) if k in slopes else disconnected_type()
            for k in range(len(inputs))
        ]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        rest = [False] * len(self.kernel.wanted)
        return [[k in self.kernel.wanted, *rest] for k in range(len(self.kernel.inputs))]


def total(term: TensorVariable) -> TensorVariable:
    """The sum of ``term``, in one pass with its derivatives where a kernel made it that can."""
    kernel = _maker(term)
    if kernel is not None and kernel.summed is not None:
        return _results_of(_Summed(kernel.name), term.owner.inputs)[0]
    return (term if (parts := by_group(term)) is None else parts).sum()


def by_group(term: TensorVariable) -> TensorVariable | None:
    """The sums of ``term`` over groups of rows, such as OUs; None where no kernel has them."""
    kernel = _maker(term)
    if kernel is None or kernel.by_group is None:
        return None
    return kernel.by_group(*term.owner.inputs)


def _maker(term: TensorVariable) -> Kernel | None:
    """The kernel that made ``term``, if one did."""
    op = None if term.owner is None else term.owner.op
    return op.kernel if isinstance(op, _Forward) else None


@register_funcify_default_op_cache_key(_Summed)
@register_funcify_default_op_cache_key(_Forward)
@register_funcify_default_op_cache_key(_Backward)
def _compiled(op: _KernelOp, node: Apply | None = None, **_: Any) -> Any:
    function = op.function

    @numba.njit
    def call(*inputs):  # noqa: ANN002, ANN202
        return function(*inputs)

    return call, op.kernel.code
