import os
from pathlib import Path

import pytest

from textgenrnn.errors import FileAccessError
from textgenrnn.text.files import read_bytes


def refusal(path: str | Path) -> str:
    with pytest.raises(FileAccessError) as caught:
        read_bytes(path)
    return str(caught.value)


def test_the_content_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\0\r\n")
    assert read_bytes(path) == read_bytes(str(path)) == b"\0\r\n"


def test_a_missing_file_names_similar_ones(tmp_path: Path) -> None:
    for name in ("cities.txt", "cities2.txt", "readme.md"):
        (tmp_path / name).touch()
    path = tmp_path / "citys.txt"
    assert refusal(path) == (
        f"`{path}` does not exist; the folder `{tmp_path}` has `cities.txt`, `cities2.txt`."
    )


def test_a_missing_file_in_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert refusal("a.txt") == (
        f"`a.txt` does not exist; check the path (relative ones start at `{tmp_path}`)."
    )
    assert refusal("b/a.txt") == (
        f"`b/a.txt` does not exist; neither does its folder (relative paths start at `{tmp_path}`)."
    )


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert refusal(tmp_path) == f"`{tmp_path}` is a folder, expected a file; give a file in it."


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    path = tmp_path / "a" / "b"
    assert refusal(path) == f"cannot read `{path}`: Not a directory."


def test_a_path_that_no_file_can_have() -> None:
    assert refusal("a\0b") == "cannot read `a\0b`: embedded null byte."


def test_no_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "secret.txt"
    path.touch()

    def refuse(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied", os.fspath(path))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert refusal(path) == (
        f"no permission to read `{path}`; change its permissions or read a copy of it."
    )
