import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from textgenrnn.errors import DataError, FileAccessError
from textgenrnn.storage import atomic_write, check_writable


def write(path: str | Path, content: bytes = b"new") -> None:
    with atomic_write(path) as file:
        file.write(content)


WRITERS: list[Callable[[str | Path], None]] = [write, check_writable]


def failing(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")
    return path


def test_a_new_file(tmp_path: Path) -> None:
    write(tmp_path / "new")
    assert (tmp_path / "new").read_bytes() == b"new"
    assert names(tmp_path) == {"new"}


def test_an_existing_file_is_replaced_only_at_the_end(model: Path) -> None:
    with atomic_write(str(model)) as file:
        file.write(b"new")
        file.flush()
        assert model.read_bytes() == b"old"
    assert model.read_bytes() == b"new"
    assert names(model.parent) == {model.name}


def test_the_file_can_be_read_and_wound_back(model: Path) -> None:
    with atomic_write(model) as file:
        file.write(b"new content")
        file.seek(4)
        assert file.read() == b"content"
        file.seek(0)
        file.write(b"NEW")
    assert model.read_bytes() == b"NEW content"


def write_half(path: Path, error: BaseException) -> None:
    with atomic_write(path) as file:
        file.write(b"half")
        raise error


@pytest.mark.parametrize("error", [DataError("no"), KeyboardInterrupt(), OSError(5, "x", "other")])
def test_an_error_on_the_way_changes_nothing(model: Path, error: BaseException) -> None:
    with pytest.raises(type(error)) as caught:
        write_half(model, error)
    assert caught.value is error
    assert model.read_bytes() == b"old"
    assert names(model.parent) == {model.name}


def test_permissions_are_kept(model: Path) -> None:
    model.chmod(0o640)
    with atomic_write(model) as file:
        # The temporary file is never more open than the target.
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o640
    assert stat.S_IMODE(model.stat().st_mode) == 0o640


def test_a_new_file_has_the_permissions_that_the_umask_leaves(tmp_path: Path) -> None:
    old = os.umask(0o027)
    try:
        write(tmp_path / "new")
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


def test_a_link_stays_a_link(model: Path, tmp_path: Path) -> None:
    (tmp_path / "links").mkdir()
    link = tmp_path / "links" / "latest"
    link.symlink_to("../model.safetensors")
    write(link)
    assert link.is_symlink()
    assert model.read_bytes() == b"new"
    assert names(link.parent) == {"latest"}


def test_a_link_to_a_file_to_come(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("target")
    write(tmp_path / "link")
    assert (tmp_path / "target").read_bytes() == b"new"


def test_the_longest_name_fits(tmp_path: Path) -> None:
    path = tmp_path / ("北" * 80 + ".safetensors")
    write(path)
    assert path.read_bytes() == b"new"


def test_the_content_reaches_the_disk_before_the_name(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def spy_fsync(descriptor: int) -> None:
        is_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        calls.append("sync folder" if is_folder else "sync file")
        fsync(descriptor)

    def spy_replace(path: Path, target: Path) -> Path:
        calls.append("replace")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(Path, "replace", spy_replace)
    write(model)
    assert calls == ["sync file", "replace", "sync folder"]


def test_folders_that_cannot_be_synced_are_no_trouble(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "open", failing(PermissionError(errno.EACCES, "Permission denied")))
    write(model)
    assert model.read_bytes() == b"new"


def test_check_leaves_nothing_behind(model: Path, tmp_path: Path) -> None:
    check_writable(model)
    check_writable(tmp_path / "new")
    assert names(tmp_path) == {model.name}
    assert model.read_bytes() == b"old"


@pytest.mark.parametrize("writer", WRITERS)
def test_a_missing_folder(tmp_path: Path, writer: Callable[[Path], None]) -> None:
    path = tmp_path / "models" / "x"
    with pytest.raises(FileAccessError) as caught:
        writer(path)
    assert str(caught.value) == (
        f"cannot write `{path}`: the folder `{tmp_path}/models` does not exist; create it first, "
        "or give another path."
    )


@pytest.mark.parametrize("writer", WRITERS)
def test_a_folder_that_is_a_file(model: Path, writer: Callable[[Path], None]) -> None:
    path = model / "x"
    with pytest.raises(FileAccessError) as caught:
        writer(path)
    assert str(caught.value) == f"cannot write `{path}`: `{model}` is a file, expected a folder."


@pytest.mark.parametrize("writer", WRITERS)
def test_a_target_that_is_a_folder(tmp_path: Path, writer: Callable[[Path], None]) -> None:
    with pytest.raises(FileAccessError) as caught:
        writer(tmp_path)
    assert str(caught.value) == (
        f"cannot write `{tmp_path}`: it is a folder, expected a file; give a file name in it."
    )


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no named pipes")
@pytest.mark.parametrize("writer", WRITERS)
def test_pipes_and_devices_are_never_replaced(
    tmp_path: Path, writer: Callable[[Path], None]
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(FileAccessError) as caught:
        writer(path)
    assert str(caught.value) == f"cannot write `{path}`: it is a device or pipe, expected a file."
    assert path.is_fifo()


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize(
    ("name", "reason"), [("a\0b", "embedded null byte"), ("x" * 300, "File name too long")]
)
def test_impossible_names(
    tmp_path: Path, writer: Callable[[Path], None], name: str, reason: str
) -> None:
    with pytest.raises(FileAccessError) as caught:
        writer(tmp_path / name)
    assert str(caught.value) == f"cannot write `{tmp_path / name}`: {reason}."


@pytest.mark.parametrize("writer", WRITERS)
def test_a_write_protected_file_stays(
    model: Path, writer: Callable[[Path], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write everywhere, so the system's answer is replaced.
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    with pytest.raises(FileAccessError) as caught:
        writer(model)
    assert str(caught.value) == (
        f"cannot write `{model}`: the file is write-protected; change its permissions or give "
        "another path."
    )


@pytest.mark.parametrize("writer", WRITERS)
@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_without_permission(
    tmp_path: Path,
    writer: Callable[[Path], None],
    exists: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "x"
    if exists:
        path.touch()
    monkeypatch.setattr(Path, "open", failing(PermissionError(errno.EACCES, "Permission denied")))
    unchanged = f"`{path}` is unchanged" if exists else "nothing was written"
    with pytest.raises(FileAccessError) as caught:
        writer(path)
    assert str(caught.value) == (
        f"cannot write `{path}`: no permission to write in the folder `{tmp_path}`; {unchanged}; "
        "change its permissions, or give another path."
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write in every folder")
@pytest.mark.parametrize("writer", WRITERS)
def test_a_really_protected_folder(tmp_path: Path, writer: Callable[[Path], None]) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(FileAccessError, match="no permission to write in the folder"):
            writer(tmp_path / "x")
    finally:
        tmp_path.chmod(0o700)


def test_a_full_disk(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(OSError(errno.ENOSPC, "No space left on device")))
    with pytest.raises(FileAccessError) as caught:
        write(model)
    assert str(caught.value) == (
        f"no space left to write `{model}`; `{model}` is unchanged; free some space on its disk, "
        "or give another path."
    )
    assert model.read_bytes() == b"old"
    assert names(model.parent) == {model.name}


def test_a_disk_that_fills_up_while_writing(model: Path) -> None:
    with pytest.raises(FileAccessError, match=r"^no space left to write"):
        write_half(model, OSError(errno.ENOSPC, "No space left on device"))
    assert model.read_bytes() == b"old"


def test_a_failed_replacement(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "replace", failing(OSError(errno.EIO, "Input/output error")))
    with pytest.raises(FileAccessError) as caught:
        write(model)
    assert str(caught.value) == (
        f"cannot write `{model}`: Input/output error; `{model}` is unchanged."
    )
    assert names(model.parent) == {model.name}
