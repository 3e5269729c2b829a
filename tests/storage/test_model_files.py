from pathlib import Path

import numpy as np
import pytest

from textgenrnn.errors import ConfigError
from textgenrnn.network.model import LanguageModel
from textgenrnn.storage import load_model, save_model


@pytest.mark.parametrize("name", ["model.safetensors", "model", "model.bin"])
def test_any_name_but_hdf5_is_safetensors(
    tmp_path: Path, tiny_model: LanguageModel, name: str
) -> None:
    save_model(tiny_model, tmp_path / name, half=True)
    loaded = load_model(str(tmp_path / name))
    assert loaded.config == tiny_model.config
    np.testing.assert_allclose(
        loaded.parameters["output.kernel"], tiny_model.parameters["output.kernel"], atol=1e-3
    )


@pytest.mark.parametrize("name", ["model.hdf5", "model.H5"])
def test_hdf5_is_to_come(tmp_path: Path, tiny_model: LanguageModel, name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        save_model(tiny_model, tmp_path / name)
    assert str(caught.value) == (
        f"cannot save `{tmp_path / name}`: writing Keras HDF5 files is not supported yet; give a "
        "name that ends in .safetensors, such as `model.safetensors`."
    )
    assert not (tmp_path / name).exists()
