"""Imports run downwards only, and torch is loaded by training alone.

The rooms of the house are the direct children of `src/textgenrnn`, each with a rank. A module may
import its own room and rooms of a lower rank, wherever the import stands: at the top, under
`if TYPE_CHECKING` or inside a function. The modules are read, never imported.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PACKAGE = "textgenrnn"
SOURCE = Path(__file__).parents[1] / "src" / PACKAGE

RANKS = {
    "errors": 0,
    "_version": 0,
    "config": 1,
    "text": 2,
    "tokenizers": 2,
    "network": 3,
    "storage": 4,
    "generation": 4,
    "pretrained": 5,
    "training": 6,
    "analysis": 6,
    "api": 7,
    "utils": 7,
    "cli": 8,
    "web": 8,
    "__main__": 8,
}
# Doors between rooms of equal rank: the command line starts the playground, and `python -m` the
# command line.
DOORS = {("cli", "web"), ("__main__", "cli")}
# The package itself offers names of every room up to this rank, so only higher rooms may ask it.
ROOT_RANK = 7

TORCH_ANYWHERE = {"training"}
TORCH_IN_FUNCTIONS = {"analysis", "cli", "web"}


@dataclass(frozen=True)
class Import:
    """One imported module: its full name, and where the import stands."""

    target: str
    line: int
    in_function: bool
    type_checking: bool

    @property
    def eager(self) -> bool:
        """Whether importing the module runs this import."""
        return not self.in_function and not self.type_checking

    @property
    def of_torch(self) -> bool:
        return (
            self.target.partition(".")[0].startswith("torch") or self.target == "safetensors.torch"
        )


class Collector(ast.NodeVisitor):
    """Collects the imports of one module, relative names resolved against `package`."""

    def __init__(self, package: str, known: set[str]) -> None:
        self.package = package
        self.known = known | {"safetensors.torch"}
        self.imports: list[Import] = []
        self.in_function = False
        self.type_checking = False

    def add(self, target: str, node: ast.stmt | ast.expr) -> None:
        self.imports.append(Import(target, node.lineno, self.in_function, self.type_checking))

    def visit_Import(self, node: ast.Import) -> None:
        for alias in node.names:
            self.add(alias.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parents = self.package.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1] + ([base] if base else []))
        for alias in node.names:
            submodule = f"{base}.{alias.name}"
            self.add(submodule if submodule in self.known else base, node)

    def visit_Call(self, node: ast.Call) -> None:
        # import_module("name"), importlib.import_module("name"), __import__("name")
        function = (
            node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        )
        if function in {"import_module", "__import__"} and node.args:
            name = node.args[0]
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                relative = name.value.startswith(".")
                self.add(self.package + name.value if relative else name.value, node)
        self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self.visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self.visit_function(node)

    def visit_function(self, node: ast.AST) -> None:
        outer, self.in_function = self.in_function, True
        self.generic_visit(node)
        self.in_function = outer

    def visit_If(self, node: ast.If) -> None:
        if ast.unparse(node.test) not in {"TYPE_CHECKING", "typing.TYPE_CHECKING"}:
            self.generic_visit(node)
            return
        outer, self.type_checking = self.type_checking, True
        for child in node.body:
            self.visit(child)
        self.type_checking = outer
        for child in node.orelse:
            self.visit(child)


def collect(source: Path) -> dict[str, list[Import]]:
    """Reads each module under `source`: its full name to its imports."""
    files: dict[str, Path] = {}
    for path in sorted(source.rglob("*.py")):
        parts = (PACKAGE, *path.relative_to(source).with_suffix("").parts)
        files[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    modules = {}
    for name, path in files.items():
        package = name if path.name == "__init__.py" else name.rpartition(".")[0]
        collector = Collector(package, set(files))
        collector.visit(ast.parse(path.read_bytes(), filename=str(path)))
        modules[name] = collector.imports
    return modules


def room_of(module: str) -> str:
    """The room a module stands in; an empty name for the package itself."""
    return module.split(".")[1] if "." in module else ""


def is_ours(module: str) -> bool:
    return module.partition(".")[0] == PACKAGE


def upward_imports(module: str, modules: dict[str, list[Import]]) -> list[str]:
    """What is wrong with a module's imports of its own package."""
    room = room_of(module)
    if not room:
        return []
    wrong = []
    for entry in modules[module]:
        target = room_of(entry.target)
        if not is_ours(entry.target) or target == room or (room, target) in DOORS:
            continue
        rank = RANKS.get(target, RANKS[room]) if target else ROOT_RANK
        if rank >= RANKS[room]:
            wrong.append(
                f"{module}, line {entry.line}: imports {entry.target} (rank {rank}),"
                f" but {room} has rank {RANKS[room]} and may import lower ranks only"
            )
    return wrong


def torch_imports(module: str, modules: dict[str, list[Import]]) -> list[str]:
    """What is wrong with a module's own imports of torch."""
    room = room_of(module)
    if room in TORCH_ANYWHERE:
        return []
    where = "inside functions only" if room in TORCH_IN_FUNCTIONS else "in training/ only"
    return [
        f"{module}, line {entry.line}: imports {entry.target}; torch may be imported {where}"
        for entry in modules[module]
        if entry.of_torch and not (room in TORCH_IN_FUNCTIONS and entry.in_function)
    ]


def loaded_with(module: str, modules: dict[str, list[Import]]) -> Iterator[tuple[str, bool]]:
    """What importing a module imports first: names, and whether each is torch."""
    if "." in module:
        yield module.rpartition(".")[0], False
    for entry in modules[module]:
        if entry.eager:
            yield entry.target, entry.of_torch


def way_to_torch(module: str, modules: dict[str, list[Import]]) -> list[str]:
    """A chain of imports by which importing `module` loads torch; empty when it does not."""
    ways = {module: [module]}
    waiting = [module]
    while waiting:
        current = waiting.pop(0)
        for target, is_torch in loaded_with(current, modules):
            if is_torch:
                return [*ways[current], target]
            if target in modules and target not in ways:
                ways[target] = [*ways[current], target]
                waiting.append(target)
    return []


MODULES = collect(SOURCE)


def test_the_package_is_found() -> None:
    assert f"{PACKAGE}._version" in MODULES


@pytest.mark.parametrize("module", MODULES)
def test_room_has_a_rank(module: str) -> None:
    room = room_of(module)
    assert not room or room in RANKS, f"give {room} a rank in this test, and a line in the design"


@pytest.mark.parametrize("module", MODULES)
def test_imports_run_downwards(module: str) -> None:
    wrong = upward_imports(module, MODULES)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", MODULES)
def test_torch_is_imported_by_training_only(module: str) -> None:
    wrong = torch_imports(module, MODULES)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "module", [name for name in MODULES if room_of(name) not in TORCH_ANYWHERE]
)
def test_importing_the_module_does_not_load_torch(module: str) -> None:
    way = way_to_torch(module, MODULES)
    assert not way, " imports ".join(way) + "; import one of these inside a function"


def house(folder: Path, **sources: str) -> dict[str, list[Import]]:
    """Builds a small package; in the names, two underscores stand for a slash."""
    (folder / "__init__.py").write_text("")
    for name, source in sources.items():
        path = folder / f"{name.replace('__', '/')}.py"
        path.parent.mkdir(exist_ok=True)
        (path.parent / "__init__.py").touch()
        path.write_text(source)
    return collect(folder)


@pytest.mark.parametrize(
    "statement",
    [
        "import textgenrnn.storage.files",
        "from textgenrnn.storage import files",
        "from textgenrnn import storage",
        "from textgenrnn import textgenrnn",
        "from ..storage.files import save",
        "from .. import storage",
        "from ..tokenizers import char",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ..storage import files",
        "def save():\n    from ..storage import files",
        "from importlib import import_module\nimport_module('textgenrnn.storage')",
    ],
)
def test_upward_and_sideways_imports_are_found(tmp_path: Path, statement: str) -> None:
    modules = house(
        tmp_path, text__reading=statement, storage__files="", tokenizers__char="", errors=""
    )
    (wrong,) = upward_imports("textgenrnn.text.reading", modules)
    assert wrong.startswith(
        f"textgenrnn.text.reading, line {statement.count(chr(10)) + 1}: imports "
    )


@pytest.mark.parametrize(
    "statement",
    [
        "import numpy",
        "from ..errors import TextError",
        "from .. import errors",
        "from . import segmentation",
        "from .segmentation import words",
        "import textgenrnn.text.segmentation",
    ],
)
def test_downward_and_own_imports_are_allowed(tmp_path: Path, statement: str) -> None:
    modules = house(tmp_path, text__reading=statement, text__segmentation="", errors="")
    assert upward_imports("textgenrnn.text.reading", modules) == []


@pytest.mark.parametrize(
    "statement",
    [
        "import torch",
        "import torch.nn.functional as F",
        "from torch import nn",
        "from safetensors import torch",
        "from safetensors.torch import load_file",
        "def late():\n    import torch",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch",
    ],
)
def test_torch_outside_training_is_found(tmp_path: Path, statement: str) -> None:
    modules = house(tmp_path, generation__stream=statement, training__loop=statement)
    assert len(torch_imports("textgenrnn.generation.stream", modules)) == 1
    assert torch_imports("textgenrnn.training.loop", modules) == []


def test_torch_in_analysis_is_for_functions(tmp_path: Path) -> None:
    modules = house(
        tmp_path, analysis__early="import torch", analysis__late="def f():\n    import torch"
    )
    assert len(torch_imports("textgenrnn.analysis.early", modules)) == 1
    assert torch_imports("textgenrnn.analysis.late", modules) == []


def test_torch_is_found_behind_other_modules(tmp_path: Path) -> None:
    modules = house(
        tmp_path,
        training__loop="import torch",
        training__plan="",
        early="from textgenrnn.training import loop",
        late="def f():\n    from textgenrnn.training import loop",
        typed="if TYPE_CHECKING:\n    from textgenrnn.training import loop",
        plan="from textgenrnn.training import plan",
        indirect="import textgenrnn.early",
    )
    assert way_to_torch("textgenrnn.indirect", modules) == [
        "textgenrnn.indirect",
        "textgenrnn.early",
        "textgenrnn.training.loop",
        "torch",
    ]
    for module in ("textgenrnn.late", "textgenrnn.typed", "textgenrnn.plan", "textgenrnn"):
        assert way_to_torch(module, modules) == []


def test_torch_is_found_in_the_package_of_a_module(tmp_path: Path) -> None:
    house(tmp_path, training__plan="", early="from textgenrnn.training import plan")
    (tmp_path / "training/__init__.py").write_text("import torch")
    modules = collect(tmp_path)
    assert way_to_torch("textgenrnn.early", modules)[-2:] == ["textgenrnn.training", "torch"]
