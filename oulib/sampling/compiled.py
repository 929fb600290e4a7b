"""Compiled models, kept on disk: a model is compiled once a machine, not once a panel or process.

nutpie calls two C functions: one returns the log density and its gradient, one what is stored of a
draw.  Here they are made so that nothing of a panel is in them: parameters are cut out of the
sampler's vector at offsets that are data, and so are all lengths.  What is kept of a compiled model
is its machine code, as Numba serialises it, and a description (names, dims, which data it reads and
in which order), so that another process neither rewrites a graph nor compiles.

An entry's key holds all that the code depends on: the model's graph with its constants, the spec,
this package's model code, versions, PyTensor's settings and the processor.  An entry begins with a
checksum; one that is truncated or damaged is made again.

Superfluous once nutpie's compiled models can be cached (see pull request 334 of pymc-devs/nutpie,
which was closed: its callbacks close over arrays under random names, and Numba finds no such
function again) and take their shapes from PyMC's dims.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import pickle
import platform
import stat
import threading
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import numba
import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.tensor as pt
from filelock import FileLock
from numba.core import registry, types
from numba.core.ccallback import CFunc
from numba.core.compiler import CompileResult
from numba.core.compiler_lock import global_compiler_lock
from numba.core.runtime import rtsys
from nutpie.compile_pymc import CompiledPyMCModel, address_as_void_pointer
from platformdirs import user_cache_path
from pymc.initial_point import make_initial_point_expression
from pymc.pytensorf import compile as compile_function
from pymc.pytensorf import find_rng_nodes, replace_rng_nodes, reseed_rngs
from pytensor.compile.executor import Function
from pytensor.compile.mode import Mode, get_mode
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph import clone_replace, rewrite_graph
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import toposort
from pytensor.link.numba.cache import compile_numba_function_src
from pytensor.link.numba.dispatch.basic import numba_njit
from pytensor.tensor import TensorVariable

from oulib.files import MODEL_CODE, writable, write_atomically
from oulib.model import signs
from oulib.model.kernel_op import Jitted
from oulib.model.spec import ModelSpec
from oulib.sampling.cache import key_of
from oulib.sampling.one_piece import internalise, one_piece

_HERE = Path(__file__).parent
_CODE = (_HERE / "compiled.py", _HERE / "one_piece.py", *MODEL_CODE)
_LIBRARIES = ("numba", "llvmlite", "pytensor", "pymc", "nutpie", "numpy")
_SETTINGS = ("floatX", "numba__fastmath", "optimizer_including", "optimizer_excluding")
_LOADED: OrderedDict[str, Entry] = OrderedDict()
_HELD = 12  # entries held in memory
_KEPT = 200  # entries kept on disk
_LOGP = types.int64(types.uint64, *[types.CPointer(types.double)] * 3, types.CPointer(types.uint64))
_EXPAND = types.int64(
    types.uint64, types.uint64, *[types.CPointer(types.double)] * 2, types.CPointer(types.uint64)
)


@dataclasses.dataclass(frozen=True)
class Length:
    """How long a variable is along an axis: as long as a dim, and ``more``; or ``more`` alone."""

    dim: str | None
    more: int

    def of(self, model: pm.Model) -> int:
        """The length in ``model``."""
        return self.more + (0 if self.dim is None else len(model.coords[self.dim]))


@dataclasses.dataclass(frozen=True)
class Description:
    """What a compiled model is, besides its code.

    ``vector`` are the sampler's variables in the order of its vector, ``stored`` those of a stored
    draw, each with its lengths; ``logp_data`` and ``expand_data`` name what the two functions read,
    in their order, with its type.
    """

    vector: tuple[tuple[str, tuple[Length, ...]], ...]
    stored: tuple[tuple[str, tuple[Length, ...]], ...]
    logp_data: tuple[tuple[str, str], ...]
    expand_data: tuple[tuple[str, str], ...]


@dataclasses.dataclass(frozen=True, eq=False)
class Callback:
    """A C function at ``address``; ``keep`` is what must live as long as it may be called."""

    address: int
    keep: Any


@dataclasses.dataclass(frozen=True, eq=False)
class Entry:
    """A compiled model, ready to be given a panel's data."""

    description: Description
    logp: Callback
    expand: Callback


def compiled_model(model: pm.Model, spec: ModelSpec, *, both: bool = False) -> CompiledPyMCModel:
    """``model`` as nutpie samples it, its code from memory, from disk, or compiled and kept.

    Args:
        model: as :func:`oulib.build_model` makes it.
        spec: its spec.
        both: sample both signs of a slope as one: see :mod:`oulib.model.signs`.

    Returns:
        nutpie's compiled model, with the data and the labels of ``model``.
    """
    key = model_key(model, spec, both=both)
    if key not in _LOADED:
        _LOADED[key] = _fetch(key, model, both)
        while len(_LOADED) > _HELD:
            _LOADED.popitem(last=False)
    _LOADED.move_to_end(key)
    return _with_data(_LOADED[key], model)


def compiled_dir() -> Path:
    """Where compiled models are kept: ``$OULIB_COMPILED``, else the user's cache folder.

    Where that cannot be written, a folder of this user's among the temporary files.
    """
    if given := os.environ.get("OULIB_COMPILED"):
        return Path(given).expanduser().resolve()
    return writable(user_cache_path("oulib") / "compiled", "oulib-compiled")


# --- keys


def model_key(model: pm.Model, spec: ModelSpec, *, both: bool = False) -> str:
    """The key of a compiled model: equal for panels that differ in nothing but their data.

    Numbers of the spec that are data of the model are left out; priors are constants of the graph,
    or data, too.
    """
    question = {
        "spec": spec.structure(),
        "signs": "both" if both else "one",
        "graph": hashlib.sha256("\n".join(_graph(model)).encode()).hexdigest(),
        "versions": {name: version(name) for name in _LIBRARIES},
        "python": platform.python_version(),
        "settings": [str(getattr(pytensor.config, name)) for name in _SETTINGS],
        "processor": registry.cpu_target.target_context.codegen().magic_tuple(),
    }
    return key_of(question, _CODE)


def _graph(model: pm.Model) -> Iterator[str]:
    """Lines that tell models apart: their variables, operations and constants, not their data."""
    number: dict[Variable, str] = {}

    def name(variable: Variable) -> str:
        if variable in number:
            return number[variable]
        if isinstance(variable, Constant):
            data = np.asarray(variable.data)
            plain = data.tobytes() if data.dtype != object else repr(variable.data).encode()
            return f"{variable.type} {hashlib.sha256(plain).hexdigest()[:16]}"
        return f"{_data_name(model, variable)} {variable.type}"

    for node in toposort([*model.basic_RVs, *model.deterministics, *model.potentials]):
        op = node.op
        properties: dict[str, Any] = getattr(op, "_props_dict", dict)()
        yield f"{type(op).__name__} {op} {properties} {[name(each) for each in node.inputs]}"
        for place, output in enumerate(node.outputs):
            number[output] = f"v{len(number)}.{place} {output.type}"
    for variable in model.free_RVs:
        transform = model.rvs_to_transforms[variable]
        made = {} if transform is None else dict(sorted(vars(transform).items()))
        yield f"{variable.name} {name(variable)} {type(transform).__name__} {_plain(made)}"
        yield f"{model.named_vars_to_dims.get(variable.name)} {model.rvs_to_values[variable].type}"
    for variable in model.deterministics:
        yield f"{variable.name} {name(variable)} {model.named_vars_to_dims.get(variable.name)}"
    for variable in (*model.observed_RVs, *model.potentials):
        yield f"{variable.name} {name(variable)}"
    for variable in model.observed_RVs:
        yield name(model.rvs_to_values[variable])


def _plain(values: Mapping[str, Any]) -> str:
    """Attributes of a transform as text that is the same in every process."""
    return str(
        {k: v if isinstance(v, int | float | str | None) else type(v).__name__
         for k, v in values.items()}
    )  # fmt: skip


def _data_name(model: pm.Model, variable: Variable) -> str:
    """What a root of the graph is called: data of the model, the length of a dim, or its kind."""
    for dim, length in model.dim_lengths.items():
        if variable is length:
            return f"length of {dim}"
    return str(variable.name)


# --- entries


def _fetch(key: str, model: pm.Model, both: bool) -> Entry:
    """The entry ``key`` from disk; made and kept first if it is not there, or not whole."""
    path = compiled_dir() / f"{key}.model"
    path.parent.mkdir(parents=True, exist_ok=True)
    if (entry := _read(path)) is not None:
        return entry
    with FileLock(path.with_suffix(".lock")):  # another process may be compiling the same
        if (entry := _read(path)) is not None:
            return entry
        entry, parts = _compile(model, both)
        if parts is not None:
            content = pickle.dumps((entry.description, *parts))
            stamped = hashlib.sha256(content).digest() + content
            write_atomically(path, lambda file: file.write_bytes(stamped))
            _forget_old(path.parent)
    return entry


def _read(path: Path) -> Entry | None:
    """The entry in a file; None if there is none, or if it is not what this user wrote.

    An entry is code that will run: one that another user could have put there is not read.
    """
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if about.st_uid != os.getuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return None
            stamped = file.read()
        if hashlib.sha256(stamped[32:]).digest() != stamped[:32]:
            return None
        description, *parts = pickle.loads(stamped[32:])
        entry = Entry(description, *(_revive(part) for part in parts))
        os.utime(path)
    except OSError:
        return None
    return entry


def _forget_old(folder: Path) -> None:
    """Delete the entries that were not used for longest, beyond as many as are kept."""
    used = {}
    for file in folder.glob("*.model"):
        with suppress(FileNotFoundError):  # another process forgets, too
            used[file] = file.stat().st_mtime
    for file in sorted(used, key=used.__getitem__)[: max(len(used) - _KEPT, 0)]:
        file.unlink(missing_ok=True)
        file.with_suffix(".lock").unlink(missing_ok=True)


def _revive(part: bytes) -> Callback:
    with global_compiler_lock:
        context = registry.cpu_target.target_context
        context.refresh()
        rtsys.initialize(context)  # memory management, which the code asks for by name
        return _callback(CompileResult._rebuild(context, *pickle.loads(part)))


def _callback(result: Any) -> Callback:  # Numba's CompileResult, whose attributes have no types
    library = result.library
    with global_compiler_lock:
        address = library.get_pointer_to_function(result.fndesc.llvm_cfunc_wrapper_name)
    return Callback(address, result)


# --- compiling


def _compile(model: pm.Model, both: bool) -> tuple[Entry, tuple[bytes, bytes] | None]:
    """The compiled ``model``, and its two functions as they are kept if they can be."""
    lengths, kept = _lengths(model), model.unobserved_RVs
    vector = tuple((v.name, lengths[v.name]) for v in model.value_vars)
    stored = tuple((v.name, lengths[v.name]) for v in kept)
    point, values, shared = _cut(model)

    names = {variable: f"length of {dim}" for dim, variable in model.dim_lengths.items()}
    names |= {variable: variable.name for variable in model.data_vars} | shared
    with warnings.catch_warnings(), pytensor.config.change_flags(traceback__limit=0):
        # Without a C compiler on the machine PyTensor fuses fewer loops: the same model, sampled
        # a little slower.  CONTRIBUTING.md says so; every fit need not.
        warnings.filterwarnings("ignore", message="Loop fusion failed")
        with one_piece():
            logp = _logp_function(model, point, values, both)
            expand = _expand_function(model, point, values, kept, both)
    found, data, place = [], [], 0
    for function, signature, source in (
        (logp, _LOGP, _LOGP_SOURCE),
        (expand, _EXPAND, _EXPAND_SOURCE),
    ):
        for node in function.maker.fgraph.apply_nodes:
            if hasattr(node.op, "prepare"):  # our kernels, which Numba keeps on disk
                node.op.prepare(node)
        read = function.get_shared()
        data.append(tuple((names[v], v.type.dtype) for v in read))
        result, place = _as_callback(function.vm.jit_fn, signature, source, read, place)
        found.append(result)
    entry = Entry(Description(vector, stored, *data), *map(_callback, found))
    if any(result.library.has_dynamic_globals for result in found):
        return entry, None  # code with an address of this process in it cannot be kept
    return entry, tuple(numba.core.serialize.dumps(result._reduce()) for result in found)


def _lengths(model: pm.Model) -> dict[str, tuple[Length, ...]]:
    """Lengths of every unobserved variable, and of its value as it is sampled, by name."""
    shapes = {name: tuple(map(int, shape)) for name, shape in model.eval_rv_shapes().items()}
    found = {}

    def add(name: str, shape: Sequence[int], dims: Sequence[str | None]) -> None:
        if len(dims) != len(shape):  # a value of another rank, such as a triangle's: no dims
            dims = (None,) * len(shape)
        own = [0 if dim is None else len(model.coords[dim]) for dim in dims]
        found[name] = tuple(Length(d, n - k) for d, n, k in zip(dims, shape, own, strict=True))

    for variable in model.unobserved_RVs:
        dims = model.named_vars_to_dims.get(variable.name) or (None,) * variable.ndim
        value = model.rvs_to_values.get(variable)
        if value is not None:
            add(variable.name, shapes[variable.name], dims)
            add(value.name, shapes[value.name], dims)
        elif None in dims:
            add(variable.name, tuple(map(int, variable.shape.eval())), dims)
        else:
            add(variable.name, [len(model.coords[dim]) for dim in dims], dims)
    return found


def _cut(
    model: pm.Model,
) -> tuple[TensorVariable, dict[Variable, TensorVariable], dict[SharedVariable, str]]:
    """The sampler's vector, the values cut out of it, and the data that say where."""
    point = pt.dvector("point")
    offsets = pytensor.shared(np.zeros(len(model.free_RVs) + 1, dtype=np.int64), name="offsets")
    shared, values = {offsets: "offsets"}, {}
    for k, variable in enumerate(model.free_RVs):
        value = model.rvs_to_values[variable]
        cut = point[offsets[k]] if value.ndim == 0 else point[offsets[k] : offsets[k + 1]]
        if value.ndim > 1:
            shape = pytensor.shared(np.zeros(value.ndim, dtype=np.int64))
            shared[shape] = f"shape of {value.name}"
            cut = cut.reshape(shape, ndim=value.ndim)
        values[value] = cut.astype(value.dtype)
    return point, values, shared


def _logp_function(model: pm.Model, point: TensorVariable, values: dict, both: bool) -> Any:
    rewrites = ("canonicalize", "stabilize", "local_remove_check_parameter")
    logp = rewrite_graph(signs.log_density(model, both=both), include=rewrites)
    assert isinstance(logp, TensorVariable)  # one goes in, and so one comes out
    by = [model.rvs_to_values[variable] for variable in model.free_RVs]
    parts = cast("list[TensorVariable]", pt.grad(logp, by))  # as many as there are in `by`
    gradient = pt.concatenate([part.ravel() for part in parts])
    return _function(model, point, clone_replace([logp, gradient], values))


def _expand_function(
    model: pm.Model, point: TensorVariable, values: dict, kept: Sequence[Variable], both: bool
) -> Any:
    found = dict(
        zip([v.name for v in model.unobserved_value_vars], model.unobserved_value_vars, strict=True)
    )
    values_of = signs.stored(model, [found[variable.name] for variable in kept], both=both)
    parts = [each.astype("float64").ravel() for each in values_of]
    return _function(model, point, clone_replace([pt.concatenate(parts)], values))


def _function(model: pm.Model, point: TensorVariable, outputs: Sequence[Variable]) -> Any:
    # Assertions of shapes, which the dims keep, are a tenth of what there is to compile.
    mode = get_mode("NUMBA").including("local_remove_all_assert")
    with model:
        return compile_function((point,), outputs, mode=mode)


# A function of its own: a call of many arguments is one that Numba cannot compile inside `try`.
_READ_SOURCE = """
def read(x, words):
{read}
    return inner(x, {data})
"""
_LOGP_SOURCE = """
def callback(dim, x_, out_, logp_, user_):
    words = carray(user_, ({words},))
    x = carray(x_, (int(dim),))
    try:
        value, gradient = read(x, words)
    except Exception:
        return 1
    logp_[0] = value.item()
    if not isfinite(logp_[0]):
        return 4
    for i in range(int(dim)):
        out_[i] = gradient[i]
        if not isfinite(gradient[i]):
            return 3
    return 0
"""
_EXPAND_SOURCE = """
def callback(dim, expanded, x_, out_, user_):
    words = carray(user_, ({words},))
    x = carray(x_, (int(dim),))
    try:
        stored = read(x, words)[0]
    except Exception:
        return -2
    if stored.size != int(expanded):
        return -1
    for i in range(int(expanded)):
        out_[i] = stored[i]
    return 0
"""


def _as_callback(
    inner: Jitted,
    signature: Any,
    source: str,
    read: Sequence[SharedVariable],
    place: int,
) -> tuple[Any, int]:
    """The C function that hands nutpie's arguments and the data to PyTensor's function.

    The data come as words: of each array its address and its lengths, at places that are in the
    source and begin at ``place``; so nothing is closed over but the function that is called.

    Returns:
        The compiled function, and the place after its data.
    """
    scope = {"__name__": __name__, "carray": numba.carray, "inner": inner}
    scope["isfinite"] = math.isfinite
    scope["pointer"] = address_as_void_pointer
    lines: list[str] = []
    kinds: list[types.Array] = [types.Array(types.float64, 1, "C")]
    for k, variable in enumerate(read):
        value = np.asarray(variable.get_value(borrow=True))
        lengths = "".join(f"int(words[{place + 1 + axis}]), " for axis in range(value.ndim))
        scope[f"type{k}"] = value.dtype.type
        kinds.append(types.Array(numba.from_dtype(value.dtype), value.ndim, "C"))
        lines.append(f"    data{k} = carray(pointer(words[{place}]), ({lengths}), type{k})")
        place += 1 + value.ndim
    names = ", ".join(f"data{k}" for k in range(len(read)))
    text = _READ_SOURCE.format(read="\n".join(lines), data=names)
    scope["read"] = numba_njit(compile_numba_function_src(text, "read", dict(scope)))
    text = source.format(words=max(place, 1))
    callback = compile_numba_function_src(text, "callback", scope)
    function = CFunc(callback, (signature.args, signature.return_type), locals={}, options={})
    with global_compiler_lock:
        with one_piece():
            inner.compile(tuple(kinds))
        with one_piece(0):
            result = function._compile_uncached()  # type: ignore[attr-defined]  # not in the stubs
        internalise(result.library, result.fndesc.llvm_cfunc_wrapper_name)
        result.library.finalize()
        for environment in result._find_referenced_environments():  # of Python code within
            result.library.codegen.set_env(environment.env_name, environment)
        return result, place


# --- a panel's data


def _with_data(entry: Entry, model: pm.Model) -> CompiledPyMCModel:
    """nutpie's compiled model with the data of ``model``."""
    description = entry.description
    lengths = [(name, tuple(n.of(model) for n in each)) for name, each in description.vector]
    sizes = [math.prod(shape) for _, shape in lengths]
    data: dict[str, int | np.ndarray]
    data = {f"length of {dim}": len(labels) for dim, labels in model.coords.items()}
    data |= {variable.name: variable.get_value(borrow=True) for variable in model.data_vars}
    data |= {f"shape of {name}": np.array(shape) for name, shape in lengths}
    data["offsets"] = np.cumsum([0, *sizes])
    arrays = [
        np.array(data[name], dtype=dtype, order="C", ndmin=0)
        for name, dtype in (*description.logp_data, *description.expand_data)
    ]
    words = [word for array in arrays for word in (array.ctypes.data, *array.shape)]
    names = [name for name, _ in description.stored]
    shapes = [tuple(n.of(model) for n in each) for _, each in description.stored]
    size = sum(sizes)
    coords = {dim: pd.Index(labels) for dim, labels in model.coords.items()}
    return CompiledPyMCModel(
        dims={k: v for k, v in model.named_vars_to_dims.items() if k in names},
        _coords=coords | {"unconstrained_parameter": pd.RangeIndex(size)},
        _n_dim=size,
        n_expanded=sum(map(math.prod, shapes)),
        shape_info=(names, None, shapes),
        _shapes=dict(zip(names, shapes, strict=True)),
        initial_point_func=_starting_points(model),
        compiled_logp_func=entry.logp,
        compiled_expand_func=entry.expand,
        reparameterized_names=[],
        shared_data=dict(enumerate(arrays)),  # lives as long as it is pointed at
        shared_var_keys={},
        user_data=np.array(words or [0], dtype=np.uint64),
        logp_func=None,
        expand_func=None,
    )


def _starting_points(model: pm.Model) -> Callable[[int], np.ndarray]:
    """PyMC's starting points with its jitter, as vectors; made when the first is asked for.

    Variables that were given a start begin there.
    """
    lock = threading.Lock()
    made: list[Function] = []

    def start(seed: int) -> np.ndarray:
        with lock:  # chains ask from threads of their own
            if not made:
                starts = model.rvs_to_initial_values
                values = make_initial_point_expression(
                    free_rvs=model.free_RVs,
                    rvs_to_transforms=model.rvs_to_transforms,
                    initval_strategies=model.rvs_to_initial_values,
                    jitter_rvs={v for v in model.free_RVs if starts.get(v) is None},
                    return_transformed=True,
                )
                # As it is, without rewriting, which takes longer than all the calls there will be.
                plain = Mode(linker="py", optimizer="None")
                # Nor by a C compiler, to which the operations hand the functions inside them.
                with pytensor.config.change_flags(cxx=""):
                    made.append(pytensor.function([], replace_rng_nodes(values), mode=plain))
            reseed_rngs(find_rng_nodes(made[0].maker.fgraph.outputs), seed)
            values = made[0]()
        return np.concatenate([np.ravel(value) for value in values]).astype(float)

    return start
