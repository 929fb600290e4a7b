"""Numba's machine code of a whole graph in one piece.

PyTensor makes a function of every operation of a graph, and one that calls them all.  Numba
optimises each by itself and makes machine code of it, although nobody ever calls that code: what
is called is the outermost function, into which the others are copied.  PyTensor has it do the same
once more for every operation, behind a wrapper that can be kept on disk.  Both together are more
than half of the time that a model takes to compile.

Here an operation that occurs again is translated once, inner functions stay LLVM's intermediate
code, optimised a little, and only the outermost becomes machine code.  What is kept on disk is that
one, see :mod:`oulib.sampling.compiled`.

This replaces inner functions of Numba and PyTensor, whose versions are part of what a compiled
model is kept under; ``tests/sampling/test_compiled.py`` notices when they change. Superfluous once
Numba makes machine code of a function when it is first called.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from numba.core import config
from numba.core.caching import Cache
from numba.core.codegen import CPUCodeLibrary
from numba.core.compiler_lock import global_compiler_lock
from numba.core.cpu import CPUContext
from pytensor.link.numba.dispatch import basic

_TRANSLATED: dict[tuple, tuple[Callable, str | None]] = {}
_finalize, _get_executable = CPUCodeLibrary._finalize_final_module, CPUContext.get_executable


def _translate_once(op: Any, node: Any = None, **kwargs: Any) -> tuple:
    """PyTensor's function of an operation; the same one for the same operation on equal types."""
    function, key = basic.numba_funcify_and_cache_key(op, node=node, **kwargs)
    if node is None:  # the whole graph, which is not kept on disk
        return function, None
    if key is None:
        return function, key
    kinds = tuple(str(variable.type) for variable in (*node.inputs, *node.outputs))
    return _TRANSLATED.setdefault((key, *kinds), (function, key))


def _without_code(library: CPUCodeLibrary) -> None:
    library._finalize_dynamic_globals()
    library._verify_declare_only_symbols()
    library._finalized = True


def _executable(context: CPUContext, library: CPUCodeLibrary, about: Any, env: Any) -> Callable:
    if about.native:
        # What a function is known by is built in, and no two are the same; a call is a KeyError.
        return f"{{{about.mangled_name} has no machine code}}".format
    _finalize(library)  # Python within a function, which is called by way of Python
    return _get_executable(context, library, about, env)


def _nothing(*_: Any) -> None:
    pass


def internalise(library: CPUCodeLibrary, entry: str) -> None:
    """Make ``entry`` the only function of ``library`` that others can see.  Before it is finalized.

    A function that is not copied into its caller would otherwise be taken from wherever the process
    has one of its name: a kernel just compiled, in a process that compiled it, and not in the next,
    whose last digits, and so whose draws, would be others.  They get names that nobody asks for,
    because LLVM looks for names before it looks who may see them.
    """
    optimize = library._optimize_final_module

    def own_only() -> None:
        for k, function in enumerate([*library._final_module.functions]):
            if not function.is_declaration and function.name != entry:
                function.linkage, function.name = "internal", f"own.{k}"
        optimize()

    library._optimize_final_module = own_only  # type: ignore[method-assign]  # a step of Numba's own


@contextmanager
def one_piece(level: int = 1) -> Iterator[None]:
    """Within it, functions are made to be copied into one that becomes machine code outside.

    Args:
        level: how far inner functions are optimised, as in ``NUMBA_OPT``; the last one is, whole.
    """
    replaced = (
        (basic, "numba_funcify_ensure_cache", _translate_once),
        (CPUCodeLibrary, "_finalize_final_module", _without_code),
        (CPUContext, "get_executable", _executable),
        (Cache, "load_overload", _nothing),  # Numba's own store is of machine code
        (Cache, "save_overload", _nothing),
        (config, "OPT", type(config.OPT)(level)),  # type: ignore[attr-defined]  # set as it is read
    )
    with global_compiler_lock:  # no other thread compiles meanwhile
        before = [(place, name, getattr(place, name)) for place, name, _ in replaced]
        for place, name, value in replaced:
            setattr(place, name, value)
        try:
            yield
        finally:
            for place, name, value in before:
                setattr(place, name, value)
