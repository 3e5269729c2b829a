"""The README says what is true: its Python runs, its commands exist, its links lead somewhere."""

import re
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_python_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "datasets", tmp_path / "datasets")
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert code.count("minutes=0.1") == 1
    names: dict[str, object] = {}
    exec(code.replace("minutes=0.1", "minutes=0.02"), names)
    assert (tmp_path / "cities.safetensors").exists()
    cities = names["cities"]
    assert isinstance(cities, list)
    assert len(cities) == 5
    assert all(city.startswith("New ") for city in cities)
    assert "San " in capsys.readouterr().out


def test_the_commands_exist(cli_options: dict[str, set[str]]) -> None:
    commands = re.findall(r"^textgenrnn (\w+)(.*?)(?:#.*)?$", README, re.MULTILINE)
    assert {command for command, _ in commands} == set(cli_options)
    for command, rest in commands:
        for option in re.findall(r"(?<!\S)--?[a-z][\w-]*", rest):
            assert option in cli_options[command], f"{command} {option}"


@pytest.fixture
def cli_options() -> dict[str, set[str]]:
    import typer.main

    from textgenrnn.cli.app import app

    group = typer.main.get_command(app)
    return {
        name: {option for parameter in command.params for option in parameter.opts}
        for name, command in group.commands.items()  # type: ignore[attr-defined]
    }


def test_links_to_files_lead_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert len(links) >= 3
    for link in links:
        assert (ROOT / link).exists(), link


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\w+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
