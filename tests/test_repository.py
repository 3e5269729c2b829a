"""What the repository promises about itself: typed, pinned, free of one machine's paths."""

import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
# The brackets keep this very line from matching itself.
MACHINE_PATH = re.compile(rb"(?<![\w.])/(?:[w]ork|[r]oot)/")


def project_files() -> list[Path]:
    """The files that are in version control, or would be with the next `git add`."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.split(b"\0")
    paths = {ROOT / os.fsdecode(name) for name in names if name}
    return sorted(path for path in paths if path.is_file())


def pyproject() -> dict[str, Any]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def requirements(group: str) -> list[str]:
    if group == "build":
        return pyproject()["build-system"]["requires"]
    project = pyproject()["project"]
    return project["dependencies"] if group == "run" else project["optional-dependencies"][group]


def pins() -> dict[str, str]:
    """Package name to exact version, from `constraints.txt`."""
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    entries = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", entry) for entry in entries), entries
    assert entries == sorted(entries, key=str.lower)
    return {
        canonicalize_name(name): version
        for name, _, version in (e.partition("==") for e in entries)
    }


ALL_REQUIREMENTS = [
    pytest.param(requirement, id=f"{group}-{Requirement(requirement).name}")
    for group in ("build", "run", "dev")
    for requirement in requirements(group)
]


def test_package_is_marked_as_typed() -> None:
    assert (ROOT / "src/textgenrnn/py.typed").read_bytes() == b""


@pytest.mark.parametrize("requirement", ALL_REQUIREMENTS)
def test_requirement_has_a_lower_bound_and_a_pin_that_meets_it(requirement: str) -> None:
    parsed = Requirement(requirement)
    assert [part.operator for part in parsed.specifier] == [">="]
    assert parsed.specifier.contains(pins()[canonicalize_name(parsed.name)])


def test_torch_is_pinned_without_a_local_suffix() -> None:
    assert pins()["torch"] == "2.13.0"


def test_no_file_holds_a_path_of_one_machine() -> None:
    found = []
    for path in project_files():
        content = path.read_bytes()
        if b"\0" in content:  # not a text
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}: {line.decode(errors='replace').strip()}"
            for number, line in enumerate(content.splitlines(), start=1)
            if MACHINE_PATH.search(line)
        ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        (b"open('/%s/data')", True),
        (b"/%s/main", True),
        (b"https://example.org/%s/page", False),
        (b"my.house/%s/table", False),
        (b"/%sshop/", False),
    ],
)
@pytest.mark.parametrize("folder", [b"work", b"root"])
def test_machine_path_pattern(text: bytes, folder: bytes, matches: bool) -> None:
    assert bool(MACHINE_PATH.search(text % folder)) is matches


def test_continuous_integration_script_can_be_run() -> None:
    assert os.access(ROOT / ".ci/run", os.X_OK)
    commands = (ROOT / ".ci/run").read_text(encoding="utf-8")
    targets = re.search(r"for target in ([\w -]+); do", commands)
    assert targets is not None
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    described = set(re.findall(r"^([a-z-]+):.* ## ", makefile, re.MULTILINE))
    assert set(targets[1].split()) <= described


def test_each_make_command_is_phony_and_described() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    phony = re.search(r"^\.PHONY: (.+)$", makefile, re.MULTILINE)
    assert phony is not None
    described = set(re.findall(r"^([a-z-]+):.* ## ", makefile, re.MULTILINE))
    assert set(phony[1].split()) == described | {"stale"}


@pytest.mark.slow
def test_wheel_holds_the_package_and_nothing_else(tmp_path: Path) -> None:
    pytest.importorskip("hatchling", reason="`make test-slow` installs hatchling")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    package = {name for name in names if not name.partition("/")[0].endswith(".dist-info")}
    sources = {
        path.relative_to(ROOT / "src").as_posix()
        for path in project_files()
        if path.is_relative_to(ROOT / "src")
    }
    assert package == sources
    assert "textgenrnn/py.typed" in package
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert any(name.endswith(".dist-info/entry_points.txt") for name in names)
