from pathlib import Path

import numpy as np
import pytest

from textgenrnn.errors import ConfigError, FileAccessError
from textgenrnn.network.model import LanguageModel
from textgenrnn.storage import check_savable, load_model, save_model


@pytest.mark.parametrize("name", ["model.safetensors", "model", "model.bin"])
def test_any_name_but_hdf5_is_safetensors(
    tmp_path: Path, tiny_model: LanguageModel, name: str
) -> None:
    save_model(tiny_model, tmp_path / name, half=True)
    assert (tmp_path / name).read_bytes()[8:9] == b"{"
    loaded = load_model(str(tmp_path / name))
    assert loaded.config == tiny_model.config
    np.testing.assert_allclose(
        loaded.parameters["output.kernel"], tiny_model.parameters["output.kernel"], atol=1e-3
    )


@pytest.mark.parametrize("name", ["model.hdf5", "model.H5"])
def test_the_suffix_makes_it_hdf5(tmp_path: Path, tiny_model: LanguageModel, name: str) -> None:
    save_model(tiny_model, tmp_path / name)
    assert (tmp_path / name).read_bytes().startswith(b"\x89HDF")
    assert load_model(tmp_path / name).config == tiny_model.config


def test_the_content_tells_the_format_when_loading(
    tmp_path: Path, tiny_model: LanguageModel
) -> None:
    save_model(tiny_model, tmp_path / "a.hdf5", companions=False)
    (tmp_path / "a.hdf5").rename(tmp_path / "a.safetensors")
    save_model(tiny_model, tmp_path / "b")
    (tmp_path / "b").rename(tmp_path / "b.hdf5")
    for name in ("a.safetensors", "b.hdf5"):
        assert load_model(tmp_path / name).config == tiny_model.config


def test_hdf5_has_no_16_bit_numbers(tmp_path: Path, tiny_model: LanguageModel) -> None:
    path = tmp_path / "model.hdf5"
    with pytest.raises(ConfigError) as caught:
        save_model(tiny_model, path, half=True)
    assert str(caught.value) == (
        f"`half` must be False for Keras HDF5, got True for `{path}`; leave it out, or give a name "
        "that ends in .safetensors."
    )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["vocab_path", "config_path"])
def test_safetensors_needs_no_companions(
    tmp_path: Path, tiny_model: LanguageModel, name: str
) -> None:
    path = tmp_path / "model.safetensors"
    save_model(tiny_model, path)
    with pytest.raises(ConfigError) as caught:
        load_model(path, **{name: "x.json"})
    assert str(caught.value) == (
        f"`{name}` must be None for a .safetensors file, which holds everything, got `x.json` for "
        f"`{path}`."
    )


def test_what_can_be_saved_is_known_before(tmp_path: Path) -> None:
    check_savable(tmp_path / "model.safetensors")
    check_savable(tmp_path / "model_weights.hdf5")
    assert not list(tmp_path.iterdir())
    (tmp_path / "model_vocab.json").mkdir()
    check_savable(tmp_path / "model_weights.safetensors")
    check_savable(tmp_path / "model_weights.hdf5", companions=False)
    with pytest.raises(FileAccessError, match=r"model_vocab\.json`: it is a folder"):
        check_savable(tmp_path / "model_weights.hdf5")
