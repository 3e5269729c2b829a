"""What `from textgenrnn import …` offers, and what it costs to load."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

import textgenrnn
from textgenrnn.network.model import LanguageModel
from textgenrnn.storage import save_model

NAMES = [
    "ConfigError",
    "DataError",
    "FileAccessError",
    "GenerationResult",
    "GenerationWarning",
    "MissingExtraError",
    "ModelConfig",
    "ModelFileError",
    "NotTrainedError",
    "SamplingConfig",
    "TextgenrnnError",
    "TrainConfig",
    "__version__",
    "textgenrnn",
]
HEAVY = ("torch", "h5py", "sklearn")


def run_python(code: str, *arguments: str) -> str:
    """Run code in a fresh interpreter, warnings as errors; return what it prints."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *arguments],
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "OMP_NUM_THREADS": "1"},
        check=False,
        capture_output=True,
        encoding="utf-8",
        timeout=60,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture
def model_path(tiny_model: LanguageModel, tmp_path: Path) -> str:
    path = tmp_path / "cities.safetensors"
    save_model(tiny_model, path)
    return str(path)


def test_the_public_names_are_these() -> None:
    assert textgenrnn.__all__ == NAMES


def test_dir_shows_the_public_names() -> None:
    assert dir(textgenrnn) == NAMES


def test_a_star_import_gives_the_public_names() -> None:
    names: dict[str, object] = {}
    exec("from textgenrnn import *", names)
    assert names.keys() - {"__builtins__"} == set(NAMES)


def test_every_name_has_a_home_that_publishes_it() -> None:
    assert sorted(textgenrnn._HOMES) == NAMES
    for name, home in textgenrnn._HOMES.items():
        module = importlib.import_module(f"textgenrnn.{home}")
        assert getattr(textgenrnn, name) is getattr(module, name)
        assert name in getattr(module, "__all__", [name])


def test_type_checkers_see_the_same_homes() -> None:
    tree = ast.parse(Path(textgenrnn.__file__).read_text(encoding="utf-8"))
    block = next(
        node for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )  # fmt: skip
    seen = {
        alias.name: node.module.removeprefix("textgenrnn.")
        for node in block.body
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
        if alias.asname is None
    }
    assert seen == textgenrnn._HOMES


@pytest.mark.parametrize("name", ["Textgenrnn", "generate", "_private", "torch"])
def test_an_unknown_name_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(textgenrnn, name)
    assert str(caught.value) == f"module 'textgenrnn' has no attribute '{name}'"


def test_an_unknown_name_cannot_be_imported() -> None:
    with pytest.raises(ImportError, match="cannot import name 'Textgenrnn'"):
        exec("from textgenrnn import Textgenrnn")


def test_the_import_alone_loads_nothing() -> None:
    code = """
import sys
before = set(sys.modules)
import textgenrnn
print(sorted(n for n in set(sys.modules) - before if n.startswith("textgenrnn")))
print([n for n in ("numpy", "torch", "h5py", "sklearn", "safetensors") if n in sys.modules])
"""
    assert run_python(code).splitlines() == ["['textgenrnn']", "[]"]


def test_names_are_loaded_when_they_are_used() -> None:
    code = """
import sys
from textgenrnn import ConfigError
print(ConfigError.__module__, "textgenrnn.config" in sys.modules, "numpy" in sys.modules)
"""
    assert run_python(code).split() == ["textgenrnn.errors", "False", "False"]


GENERATE = """
import sys
from textgenrnn import textgenrnn

textgen = textgenrnn(sys.argv[1])
texts = textgen.generate(3, return_as_list=True, seed=1, prefix="São", temperature=0.9)
streamed = "".join(textgen.stream(prefix="São", temperature=0.9, seed=1))
print(len(texts), streamed == texts[0], texts[0].startswith("São"))
"""


def test_generating_loads_no_heavy_package(model_path: str) -> None:
    code = f"{GENERATE}\nprint([name for name in {HEAVY!r} if name in sys.modules])"
    assert run_python(code, model_path).splitlines() == ["3 True True", "[]"]


def test_generating_works_where_heavy_packages_cannot_be_loaded(model_path: str) -> None:
    blocker = f"""
import sys


class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)


sys.meta_path.insert(0, Blocker())
try:
    import torch
except ModuleNotFoundError:
    print("torch is blocked")
"""
    lines = run_python(blocker + GENERATE, model_path).splitlines()
    assert lines == ["torch is blocked", "3 True True"]
