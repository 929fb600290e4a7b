"""What code uses of a package, read from its text without running it.

The unit is a definition: a function, a class or a constant at the top of a module.  A piece of code
depends on the definitions that it names, on those that they name, and so on, and on what modules do
when they are imported.  Where the text does not say what is used (a module handed on as a value, a
name made up while running), more counts: the whole module, or the whole package.
"""

from __future__ import annotations

import ast
import hashlib
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from oulib.book.notebook import plain_code

_HARMLESS = frozenset(
    {
        *("cache", "cached_property", "classmethod", "contextmanager", "dataclass", "lru_cache"),
        *("njit", "overload", "property", "staticmethod", "wraps"),
    }
)
"""Decorators that only change what they decorate; any other might enter it somewhere."""

_ANY_NAME = frozenset({"__import__", "compile", "eval", "exec", "get_ipython", "globals"})
_ANY_MODULE = frozenset({"importlib.import_module", "importlib.reload", "sys.modules"})
_RUN_CELLS = frozenset({"oulib.report.interpret"})
"""Modules that run the code of a notebook's cells and nothing else; cells are read anyway."""

_ON_IMPORT = "(on import)"


@dataclass(frozen=True)
class Uses:
    """What a piece of code uses.

    ``definitions`` are dotted names, each with a digest of its text, or file names where all of
    the package counts; ``libraries`` are top-level names of modules from elsewhere; ``unclear``
    says why all of the package counts, and is empty if it does not.
    """

    definitions: dict[str, str]
    libraries: frozenset[str]
    unclear: tuple[str, ...] = ()


class Package:
    """The modules of a package, read when they are needed.

    Args:
        folder: the package's folder, the one with its ``__init__.py``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.name = folder, folder.name
        self._modules: dict[str, _Module | None] = {}

    def used_by(self, *cells: str) -> Uses:
        """What cells of code use together; they share their names, as a notebook's cells do."""
        walk, trees = _Walk(self), []
        for number, cell in enumerate(cells, start=1):
            try:
                trees.append(ast.parse(plain_code(cell)))
            except SyntaxError:  # such as a command of IPython's
                walk.unclear.append(f"code cell {number} is not plain Python")
        walk.follow(_Facts.of(trees, self.name))
        walk.finish()
        libraries = frozenset(walk.libraries - sys.stdlib_module_names)
        if walk.unclear:
            files = sorted(self.folder.rglob("*.py"))
            all_of_it = {
                file.relative_to(self.folder.parent).as_posix(): _digest(file.read_text("utf-8"))
                for file in files
            }
            return Uses(all_of_it, libraries, tuple(dict.fromkeys(walk.unclear)))
        return Uses(dict(sorted(walk.definitions.items())), libraries)

    def module(self, name: str) -> _Module | None:
        """The module of that dotted name; None if there is none."""
        if name not in self._modules:
            place = self.folder.joinpath(*name.split(".")[1:])
            files = [place / "__init__.py", place.with_suffix(".py")]
            file = next(filter(Path.is_file, files), None)
            self._modules[name] = None if file is None else _Module(name, file)
        return self._modules[name]

    def submodules(self, module: _Module) -> Iterator[str]:
        """Dotted names of the modules directly below a package."""
        if module.is_package:
            for file in sorted(module.file.parent.iterdir()):
                if file.suffix == ".py" and file.stem != "__init__":
                    yield f"{module.name}.{file.stem}"
                elif (file / "__init__.py").is_file():
                    yield f"{module.name}.{file.name}"


@dataclass(frozen=True)
class _Facts:
    """What a piece of code says: what it imports, what it reads, what it assigns to."""

    imports: _Names
    reads: tuple[tuple[str, tuple[str, ...]], ...]
    assigns: frozenset[str]

    @classmethod
    def of(cls, nodes: Iterable[ast.AST], package: str) -> _Facts:
        """The facts of some code; its relative imports start at ``package``."""
        imports, assigns = _Names(), set[str]()
        reads: dict[tuple[str, tuple[str, ...]], None] = {}
        due = [*nodes][::-1]
        while due:
            node = due.pop()
            attributes: list[str] = []
            while isinstance(node, ast.Attribute):
                attributes.insert(0, node.attr)
                node = node.value
            if isinstance(node, ast.Name):
                if attributes or isinstance(node.ctx, ast.Load):
                    reads[node.id, tuple(attributes)] = None
                else:
                    assigns.add(node.id)
                continue
            if isinstance(node, ast.Import | ast.ImportFrom):
                imports.add(node, package)
            elif isinstance(node, ast.arg):
                assigns.add(node.arg)
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                assigns.add(node.name)
            due += [*ast.iter_child_nodes(node)][::-1]
        return cls(imports, tuple(reads), frozenset(assigns))


@dataclass
class _Names:
    """Names that import statements bind: the module each is from and the attributes in it."""

    bound: dict[str, list[tuple[str, list[str]]]] = field(default_factory=dict)
    modules: list[str] = field(default_factory=list)
    stars: list[str] = field(default_factory=list)

    def add(self, node: ast.Import | ast.ImportFrom, package: str) -> None:
        """Read an import statement; a relative one starts at ``package``."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                self.modules.append(alias.name)
                name = alias.asname or alias.name.partition(".")[0]
                self._bind(name, alias.name if alias.asname else name, [])
            return
        module = node.module or ""
        if node.level:
            base = package.split(".")[: len(package.split(".")) + 1 - node.level]
            module = ".".join([*base, *filter(None, [module])])
        self.modules.append(module)
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(module)
            else:
                self._bind(alias.asname or alias.name, module, [alias.name])

    def include(self, others: _Names) -> None:
        """Add what another piece of code imports."""
        self.modules += others.modules
        self.stars += others.stars
        for name, targets in others.bound.items():
            self.bound.setdefault(name, []).extend(targets)

    def _bind(self, name: str, module: str, attributes: list[str]) -> None:
        self.bound.setdefault(name, []).append((module, attributes))


class _Module:
    """A module's text, taken apart into what it defines, what it imports and what it does."""

    def __init__(self, name: str, file: Path) -> None:
        self.name, self.file = name, file
        self.is_package = file.name == "__init__.py"
        text = file.read_text(encoding="utf-8")
        lines, body = text.splitlines(), ast.parse(text).body
        self.imports = _Names()
        self.defines: dict[str, list[ast.stmt]] = {}
        self.does: list[ast.stmt] = []  # when it is imported, besides binding names
        self._text: dict[ast.stmt, str] = {}
        self.package = name if self.is_package else name.rpartition(".")[0]
        self._facts: dict[ast.stmt, _Facts] = {}
        starts = [_first_line(node) for node in body] + [len(lines) + 1]
        for node, start, following in zip(body, starts, starts[1:], strict=False):
            # Comments count as long as they stand inside: a chapter may show the code.
            part = lines[start - 1 : max(following - 1, node.end_lineno or start)]
            while part and (not part[-1].strip() or part[-1].startswith("#")):
                part.pop()
            self._text[node] = "\n".join(part)
            self._enter(node)

    def facts(self, node: ast.stmt) -> _Facts:
        """What a top-level statement says."""
        if node not in self._facts:
            self._facts[node] = _Facts.of([node], self.package)
        return self._facts[node]

    def text(self, nodes: Iterable[ast.stmt]) -> str:
        """The text of top-level statements."""
        return "\n".join(self._text[node] for node in nodes)

    def _enter(self, node: ast.stmt) -> None:
        function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if not function:  # whose imports are its own
            self.imports.include(self.facts(node).imports)
        if isinstance(node, ast.Import | ast.ImportFrom):
            return
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return  # a docstring
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING"):
            return
        names = _defined(node)
        for name in names or self.facts(node).assigns:
            self.defines.setdefault(name, []).append(node)
        if not names or _may_register(node):
            self.does.append(node)


class _Walk:
    """Follows names from definition to definition and collects what it meets."""

    def __init__(self, package: Package) -> None:
        self.package = package
        self.definitions: dict[str, str] = {}
        self.libraries: set[str] = set()
        self.unclear: list[str] = []
        self._met: set[tuple[str, ...]] = set()
        self._asking: set[tuple[str, ...]] = set()
        self._due: list[tuple[_Module, list[ast.stmt]]] = []

    def finish(self) -> None:
        """Follow what was met until nothing new comes up."""
        while self._due:
            module, nodes = self._due.pop()
            for node in nodes:
                self.follow(module.facts(node), module)

    def follow(self, code: _Facts, module: _Module | None = None) -> None:
        """Meet everything that ``code`` names, by its own imports or by its module's."""
        self._import_all(code.imports)
        elsewhere = [name for name in code.imports.modules if not self._ours(name)]
        self.libraries.update(name.partition(".")[0] for name in elsewhere)
        sources = [code.imports] if module is None else [code.imports, module.imports]
        for name, attributes in code.reads:
            targets = [target for source in sources for target in source.bound.get(name, [])]
            for target, inside in targets:
                self._resolve(target, [*inside, *attributes], shadowed=name in code.assigns)
            if module is not None and name in module.defines:
                self._define(module, name)
            elif not targets:
                for star in (star for source in sources for star in source.stars):
                    self._star(star, name)
                if name in _ANY_NAME and (module is None or module.name not in _RUN_CELLS):
                    self.unclear.append(f"{name}() may use anything")

    def _ours(self, name: str) -> bool:
        return name.partition(".")[0] == self.package.name

    def _import(self, name: str) -> None:
        """Importing a module runs it, and the packages around it, and what they import."""
        if ("import", name) in self._met or not self._ours(name):
            return
        self._met.add(("import", name))
        if "." in name:
            self._import(name.rpartition(".")[0])
        module = self.package.module(name)
        if module is None:
            return
        if module.does:
            self._take(module, _ON_IMPORT, module.does)
        self._import_all(module.imports)

    def _import_all(self, names: _Names) -> None:
        for imported in names.modules:
            self._import(imported)
        # ``from package import module`` imports the module, too.
        for targets in names.bound.values():
            for target, inside in targets:
                if inside and self._ours(target):
                    self._import(f"{target}.{inside[0]}")

    def _resolve(self, name: str, attributes: list[str], *, shadowed: bool = False) -> None:
        """Meet ``name.attributes``, where ``name`` is a module."""
        if not self._ours(name):
            self.libraries.add(name.partition(".")[0])
            if ".".join([name, *attributes[:1]]) in _ANY_MODULE:
                self.unclear.append(f"{name} may load anything")
            return
        asked = ("resolve", name, *attributes)
        if asked in self._met:
            if asked in self._asking:
                self.unclear.append(f"{'.'.join(asked[1:])} leads back to itself")
            return
        self._met.add(asked)
        self._asking.add(asked)
        self._import(name)
        module = self.package.module(name)
        if module is None:
            self.unclear.append(f"there is no module {name}")
        elif not attributes or attributes[0].startswith("__"):
            self._whole(module)
        else:
            self._attribute(module, attributes, shadowed)
        self._asking.discard(asked)

    def _attribute(self, module: _Module, attributes: list[str], shadowed: bool) -> None:
        first, *rest = attributes
        below = f"{module.name}.{first}" if module.is_package else ""
        # ``from package import module`` in the package itself binds what it would have anyway.
        bound = module.imports.bound.get(first, [])
        bound = [target for target in bound if target != (module.name, [first])]
        if first in module.defines:
            self._define(module, first)
        for target, inside in bound:
            self._resolve(target, [*inside, *rest], shadowed=shadowed)
        if first in module.defines or bound:
            return
        if below and self.package.module(below):
            self._resolve(below, rest, shadowed=shadowed)
        elif module.imports.stars:
            for star in module.imports.stars:
                self._star(star, first)
        elif shadowed:  # most likely a variable that has the module's name
            self._whole(module)
        else:
            self.unclear.append(f"{module.name} has no {first}")

    def _star(self, name: str, attribute: str) -> None:
        """A name that ``from name import *`` may have brought."""
        if self._ours(name):
            self._import(name)
            module = self.package.module(name)
            if module is None:
                self.unclear.append(f"there is no module {name}")
            elif attribute in module.defines or attribute in module.imports.bound:
                self._resolve(name, [attribute])
            else:
                for star in module.imports.stars:
                    self._star(star, attribute)

    def _whole(self, module: _Module) -> None:
        """A module was handed on as a value: everything in it may be used."""
        for name in module.defines:
            self._define(module, name)
        for name, targets in module.imports.bound.items():
            for target, inside in targets:
                if (target, inside) != (module.name, [name]):
                    self._resolve(target, inside)
        for below in self.package.submodules(module):
            self._resolve(below, [])

    def _define(self, module: _Module, name: str) -> None:
        self._take(module, name, module.defines[name])

    def _take(self, module: _Module, name: str, nodes: list[ast.stmt]) -> None:
        full = f"{module.name}.{name}"
        if full not in self.definitions:
            self.definitions[full] = _digest(module.text(nodes))
            self._due.append((module, nodes))


def _defined(node: ast.stmt) -> set[str]:
    """The names that a plain definition binds; none if it is something else."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        targets = [t for target in node.targets for t in getattr(target, "elts", [target])]
    elif isinstance(node, ast.AnnAssign | ast.AugAssign):
        targets = [node.target]
    elif isinstance(node, ast.TypeAlias):
        targets = [node.name]
    else:
        return set()
    return {t.id for t in targets} if all(isinstance(t, ast.Name) for t in targets) else set()


def _may_register(node: ast.stmt) -> bool:
    """Whether a definition may enter itself somewhere, so that it counts without being named."""
    decorators = getattr(node, "decorator_list", [])
    called = [d.func if isinstance(d, ast.Call) else d for d in decorators]
    names = {ast.unparse(decorator).rpartition(".")[2] for decorator in called}
    return not names <= _HARMLESS or bool(getattr(node, "keywords", []))


def _first_line(node: ast.stmt) -> int:
    decorators = getattr(node, "decorator_list", [])
    return min([node.lineno, *(decorator.lineno for decorator in decorators)])


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
