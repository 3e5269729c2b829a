"""What the original computes, computed here: its own weight files and those trained with it.

The files lie outside the repository, in `data/legacy` of a folder `shared` beside it, or of the one
that the environment variable `TEXTGENRNN_SHARED` names.
"""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from textgenrnn.generation import make_decoder
from textgenrnn.generation.sampling import softmax
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.windowed import forward_windows
from textgenrnn.storage import ModelFileWarning, load_model, save_model

SHARED = Path(os.environ.get("TEXTGENRNN_SHARED", Path(__file__).parents[3] / "shared"))
FOLDER = SHARED / "data" / "legacy"
FILES = {
    "textgenrnn": "textgenrnn_weights.hdf5",
    "hacker_news": "hacker_news.hdf5",
    "reddit_rarepuppers_politics": "reddit_rarepuppers_politics.hdf5",
    "poetry_bidirectional": "poetry_bidirectional_weights.hdf5",
    "word_level": "word_level_weights.hdf5",
    "single_text": "single_text_weights.hdf5",
}
WITHOUT_CONFIG = ("textgenrnn", "hacker_news", "reddit_rarepuppers_politics")

pytestmark = pytest.mark.skipif(
    not FOLDER.is_dir(), reason=f"the original's weight files are not in {FOLDER}"
)


@pytest.fixture(params=FILES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(FOLDER / f"{name}.golden.npz") as file:
        return dict(file)


@pytest.fixture
def model(name: str) -> LanguageModel:
    if name in WITHOUT_CONFIG:
        with pytest.warns(ModelFileWarning, match=r"assumed: max_length=40, word_level=False, si"):
            return load_model(FOLDER / FILES[name])
    return load_model(FOLDER / FILES[name])


def assert_golden(logits: np.ndarray, averages: np.ndarray, golden: dict[str, np.ndarray]) -> None:
    assert logits.shape == golden["probabilities"].shape
    assert np.abs(softmax(logits) - golden["probabilities"]).max() <= 1e-5
    # Averages are up to 3 in size. The recorded ones are themselves up to 2.0e-5 from what 64 bits
    # give, so the difference is measured by the largest of them.
    expected = golden["attention_average"]
    assert np.abs(averages - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


def test_the_reference_computes_what_the_original_does(
    model: LanguageModel, golden: dict[str, np.ndarray]
) -> None:
    assert golden["windows"].shape[1] == model.config.context_length
    outputs = forward_windows(model.parameters, model.config, golden["windows"])
    assert_golden(outputs.logits, outputs.averages, golden)


def test_the_decoder_computes_what_the_original_does(
    model: LanguageModel, golden: dict[str, np.ndarray]
) -> None:
    decoder = make_decoder(model)
    state: Any = decoder.initial_state(len(golden["windows"]))
    for token_ids in golden["windows"].T:
        logits = decoder.step(state, token_ids)
    assert_golden(logits, state.averages, golden)


def test_a_prefix_is_read_as_the_original_does(
    model: LanguageModel, golden: dict[str, np.ndarray]
) -> None:
    # Windows begin with padding or with what a text starts from, so their rest is a prefix.
    decoder = make_decoder(model)
    for window, expected in zip(golden["windows"], golden["probabilities"], strict=True):
        read = window[np.flatnonzero(window)[0] :]  # padding is what nothing was read after
        _, logits = decoder.read(read.tolist())
        assert np.abs(softmax(logits[None]) - expected).max() <= 1e-5


def test_saved_by_us_the_model_is_the_same(name: str, model: LanguageModel, tmp_path: Path) -> None:
    paths = [tmp_path / FILES[name], tmp_path / f"{name}.safetensors"]
    for path in paths:
        save_model(model, path)
        again = load_model(path)
        assert again.config == model.config
        assert again.tokenizer.vocabulary == model.tokenizer.vocabulary
        for key, values in model.parameters.items():
            assert np.array_equal(again.parameters[key], values)
        before = path.read_bytes()
        save_model(again, path)
        assert path.read_bytes() == before


def test_settings_and_vocabulary_are_those_beside_the_file(name: str, model: LanguageModel) -> None:
    config = model.config
    expected = {
        "textgenrnn": (465, 128, 2, 100, 40),
        "hacker_news": (465, 128, 2, 100, 40),
        "reddit_rarepuppers_politics": (465, 128, 2, 100, 40),
        "poetry_bidirectional": (80, 64, 2, 300, 40),
        "word_level": (502, 32, 2, 32, 10),
        "single_text": (80, 16, 3, 16, 12),
    }[name]
    assert expected == (
        config.vocab_size,
        config.hidden_size,
        config.num_layers,
        config.embedding_size,
        config.context_length,
    )
    assert config.bidirectional is (name == "poetry_bidirectional")
    assert config.level == ("word" if name == "word_level" else "char")
    assert config.single_text is (name == "single_text")
    assert (model.start_id == 0) is (name == "single_text")


def test_the_bundled_vocabulary_is_the_originals() -> None:
    with pytest.warns(ModelFileWarning, match=r"the original's vocabulary of 464 tokens"):
        assumed = load_model(FOLDER / "hacker_news.hdf5")
    with pytest.warns(ModelFileWarning, match=r"without a configuration; assumed"):
        given = load_model(FOLDER / "hacker_news.hdf5", FOLDER / "textgenrnn_vocab.json")
    assert assumed.tokenizer.vocabulary == given.tokenizer.vocabulary
