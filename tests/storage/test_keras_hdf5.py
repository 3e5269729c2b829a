import json
import subprocess
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from textgenrnn.errors import ConfigError, FileAccessError, ModelFileError, TextgenrnnError
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import parameter_shapes
from textgenrnn.storage import ModelFileWarning, load_model
from textgenrnn.storage.keras_hdf5 import load_keras_model, save_keras_model
from textgenrnn.tokenizers import CharTokenizer, Vocabulary, WordTokenizer

MakeModel = Callable[..., LanguageModel]

WINDOWED: dict[str, Any] = {"form": "windowed", "attention": True, "context_length": 7}
BOTH_WAYS = {**WINDOWED, "bidirectional": True}
FORMS: list[dict[str, Any]] = [
    {**WINDOWED, "num_layers": 3},
    {**BOTH_WAYS, "num_layers": 2},
    {**WINDOWED, "single_text": True},
    {"num_layers": 2},
    {"num_layers": 2, "attention": True, "attention_heads": 2, "context_length": 5},
]


def assert_equal(loaded: LanguageModel, model: LanguageModel) -> None:
    assert loaded.config == model.config
    assert loaded.tokenizer.vocabulary == model.tokenizer.vocabulary
    assert loaded.training == model.training
    for name, values in model.parameters.items():
        assert np.array_equal(loaded.parameters[name], values), name


def refusal(path: Path, *arguments: Any, error: type[Exception] = ModelFileError) -> str:
    with pytest.raises(error) as caught:
        load_keras_model(path, *arguments)
    message = str(caught.value)
    assert "\n" not in message
    return message


def as_cudnn(weights: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Lay an LSTM's weights out as Keras's CuDNNLSTM does, by Keras's own formula."""
    kernel, recurrent, bias = weights
    kernels = [gate.T.reshape(gate.shape, order="C") for gate in np.split(kernel, 4, axis=1)]
    recurrents = [gate.T for gate in np.split(recurrent, 4, axis=1)]
    halves = [bias * 0.25, bias * 0.75]
    return [np.hstack(kernels), np.hstack(recurrents), np.concatenate(halves)]


def keras_layers(model: LanguageModel, *, cudnn: bool = False) -> dict[str, list[np.ndarray]]:
    """Lay the weights of a windowed model out in Keras's layers, in Keras's order."""
    values = model.parameters
    layers = {"input": [], "embedding": [values["embedding.weight"]]}
    for k in range(1, model.config.num_layers + 1):
        layers[f"rnn_{k}"] = []
        for side in ("forward.", "backward.") if model.config.bidirectional else ("",):
            names = ("kernel", "recurrent_kernel", "bias")
            weights = [values[f"rnn_{k}.{side}{name}"] for name in names]
            layers[f"rnn_{k}"] += as_cudnn(weights) if cudnn else weights
    layers["rnn_concat"] = []
    layers["attention"] = [values["attention.weight"].T]
    layers["output"] = [values["output.kernel"], values["output.bias"]]
    return layers


def write_keras(
    path: Path,
    layers: Mapping[str, Sequence[np.ndarray]],
    *,
    inner: str = "{layer}/w_{number}:0",
    names_as: str = "bytes",
    group: str = "",
) -> None:
    """Write weights the way that one of Keras's versions does.

    Args:
        path: The file.
        layers: Weights by layer.
        inner: Names of the weights; they vary from version to version.
        names_as: `bytes` (Keras 2.0), `text` (TensorFlow 2.10), `chunks` (long lists).
        group: Where in the file they lie.
    """

    def put_names(target: Any, attribute: str, names: list[str]) -> None:
        if names_as == "chunks":
            for number, name in enumerate(names):
                target.attrs[f"{attribute}{number}"] = np.array([name.encode()])
        elif names_as == "text" and names:
            target.attrs.create(attribute, names, dtype=h5py.string_dtype())
        else:
            target.attrs[attribute] = np.array([name.encode() for name in names])

    with h5py.File(path, "w") as file:
        root = file.create_group(group) if group else file
        root.attrs["backend"] = b"tensorflow"
        root.attrs["keras_version"] = b"2.1.5"
        if names_as == "chunks":  # an empty list has one chunk, not none
            layers = {name: weights for name, weights in layers.items() if weights}
        put_names(root, "layer_names", list(layers))
        for layer, weights in layers.items():
            names = [inner.format(layer=layer, number=i) for i in range(len(weights))]
            part = root.create_group(layer)
            put_names(part, "weight_names", names)
            for name, values in zip(names, weights, strict=True):
                part[name] = values


def write_companions(model: LanguageModel, folder: Path, prefix: str) -> None:
    """Write the original's two files of a windowed model."""
    config = model.config
    original = {
        "rnn_layers": config.num_layers, "rnn_size": config.hidden_size,
        "rnn_bidirectional": config.bidirectional, "max_length": config.context_length,
        "max_words": 10000, "dim_embeddings": config.embedding_size,
        "word_level": config.level == "word", "single_text": config.single_text, "name": prefix,
    }  # fmt: skip
    (folder / f"{prefix}_config.json").write_text(json.dumps(original), encoding="utf-8")
    ids = dict(reversed(model.tokenizer.vocabulary.ids.items()))
    (folder / f"{prefix}_vocab.json").write_text(json.dumps(ids), encoding="utf-8")


# What the original and Keras wrote


@pytest.mark.parametrize("cudnn", [False, True], ids=["plain", "CuDNN"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["", "bidirectional"])
@pytest.mark.parametrize(
    "layout",
    [
        {"inner": "{layer}/w_{number}:0"},
        {"inner": "{layer}_3/w_{number}:0"},
        {"inner": "{layer}/forward_lstm_1/lstm_cell_5/w_{number}:0", "names_as": "text"},
        {"inner": "w_{number}", "names_as": "text"},
        {"names_as": "chunks"},
        {"group": "model_weights"},
        {"group": "model_weights", "names_as": "chunks"},
    ],
    ids=str,
)
def test_every_layout_is_read(
    tmp_path: Path, make_model: MakeModel, layout: dict, bidirectional: bool, cudnn: bool
) -> None:
    model = make_model(**WINDOWED, bidirectional=bidirectional, num_layers=2)
    path = tmp_path / "news_weights.hdf5"
    write_keras(path, keras_layers(model, cudnn=cudnn), **layout)
    write_companions(model, tmp_path, "news")
    loaded = load_model(path)
    assert loaded.config == model.config
    assert loaded.tokenizer.vocabulary == model.tokenizer.vocabulary
    for name, values in model.parameters.items():
        np.testing.assert_allclose(loaded.parameters[name], values, atol=1e-7)


@pytest.mark.parametrize("dtype", ["<f2", ">f4", "<f8"])
def test_other_numbers_and_compression_are_read(
    tmp_path: Path, make_model: MakeModel, dtype: str
) -> None:
    model = make_model(**WINDOWED)
    path = tmp_path / "news_weights.hdf5"
    layers = keras_layers(model)
    write_keras(path, {k: [w.astype(dtype) for w in ws] for k, ws in layers.items()})
    with h5py.File(path, "a") as file:
        values = file["embedding/embedding/w_0:0"][()]
        del file["embedding/embedding/w_0:0"]
        file["embedding"].create_dataset("embedding/w_0:0", data=values, compression="gzip")
    write_companions(model, tmp_path, "news")
    loaded = load_model(path)
    for name, values in model.parameters.items():
        assert loaded.parameters[name].dtype == np.float32
        np.testing.assert_allclose(loaded.parameters[name], values, atol=1e-3)


def test_further_layers_are_left_out(tmp_path: Path, make_model: MakeModel) -> None:
    model = make_model(**WINDOWED)
    path = tmp_path / "news_weights.hdf5"
    layers = keras_layers(model)
    write_keras(path, {**layers, "context_output": layers["output"], "top_level_model_weights": []})
    write_companions(model, tmp_path, "news")
    assert load_model(path).config == model.config


def test_weights_alone_need_a_vocabulary(tmp_path: Path, make_model: MakeModel) -> None:
    path = tmp_path / "news_weights.hdf5"
    write_keras(path, keras_layers(make_model(**WINDOWED)))
    assert refusal(path) == (
        f"`{path}` comes without its vocabulary of 9 tokens: `{tmp_path / 'news_vocab.json'}` does "
        f"not exist, nor does `{tmp_path / 'news_config.json'}`; put them there, or pass "
        "vocab_path= and config_path=."
    )


def test_three_paths_may_be_given(tmp_path: Path, make_model: MakeModel) -> None:
    model = make_model(**WINDOWED)
    write_keras(tmp_path / "a.hdf5", keras_layers(model))
    write_companions(model, tmp_path, "b")
    loaded = load_model(tmp_path / "a.hdf5", tmp_path / "b_vocab.json", tmp_path / "b_config.json")
    assert_equal(loaded, model)


def test_what_no_weight_says_is_assumed_and_said(tmp_path: Path, make_model: MakeModel) -> None:
    model = make_model(**WINDOWED)
    path = tmp_path / "a.hdf5"
    write_keras(path, keras_layers(model))
    write_companions(model, tmp_path, "a")
    (tmp_path / "a_config.json").unlink()
    with pytest.warns(ModelFileWarning) as caught:
        loaded = load_model(path)
    assert str(caught[0].message) == (
        f"`{path}` comes without a configuration; assumed: max_length=40, word_level=False, "
        "single_text=False; if that is wrong, pass config_path=."
    )
    assert caught[0].filename == __file__
    assert loaded.config == model.config.replace(context_length=40)


def test_a_vocabulary_tells_words_and_single_texts(tmp_path: Path, make_model: MakeModel) -> None:
    path = tmp_path / "a.hdf5"
    write_keras(path, keras_layers(make_model(**WINDOWED)))
    words = ["it's", *"abcdefgh"]
    (tmp_path / "a_vocab.json").write_text(json.dumps({t: i + 1 for i, t in enumerate(words)}))
    with pytest.warns(ModelFileWarning, match="word_level=True, single_text=True"):
        loaded = load_model(path)
    assert isinstance(loaded.tokenizer, WordTokenizer)
    assert loaded.config.single_text


def test_a_part_of_a_configuration_is_filled_up(tmp_path: Path, make_model: MakeModel) -> None:
    model = make_model(**WINDOWED)
    write_keras(tmp_path / "a.hdf5", keras_layers(model))
    write_companions(model, tmp_path, "a")
    (tmp_path / "a_config.json").write_text('{"max_length": 9, "max_words": 300}')
    with pytest.warns(ModelFileWarning, match=r"assumed: word_level=False, single_text=False; if "):
        loaded = load_model(tmp_path / "a.hdf5")
    assert loaded.config.context_length == 9
    assert loaded.training == {"max_words": 300}


def test_465_classes_have_the_originals_vocabulary(tmp_path: Path, make_model: MakeModel) -> None:
    characters = [chr(0x4E00 + i) for i in range(463)]
    model = make_model("".join(characters), **WINDOWED)
    path = tmp_path / "a.hdf5"
    write_keras(path, keras_layers(model))
    with pytest.warns(ModelFileWarning) as caught:
        loaded = load_model(path)
    assert str(caught[0].message) == (
        f"`{path}` comes without a configuration and a vocabulary; assumed: max_length=40, "
        "word_level=False, single_text=False, the original's vocabulary of 464 tokens; if that is "
        "wrong, pass config_path= and vocab_path=."
    )
    assert loaded.tokenizer.encode("I t").tolist() == [1, 5, 2]


# What does not fit


def test_each_shape_that_disagrees_is_named(tmp_path: Path, make_model: MakeModel) -> None:
    model = make_model(**WINDOWED)
    path, config = tmp_path / "a.hdf5", tmp_path / "a_config.json"
    write_keras(path, keras_layers(model))
    write_companions(model, tmp_path, "a")
    values = json.loads(config.read_text())
    config.write_text(json.dumps({**values, "rnn_size": 4, "dim_embeddings": 6}))
    assert refusal(path) == (
        f"cannot load `{path}`: the configuration `{config}` does not fit its weights: "
        "`embedding.weight` has shape (10, 3), expected (10, 6); "
        "`rnn_1.kernel` has shape (3, 20), expected (6, 16); "
        "`rnn_1.recurrent_kernel` has shape (5, 20), expected (4, 16); "
        "`rnn_1.bias` has shape (20,), expected (16,); "
        "`attention.weight` has shape (1, 8), expected (1, 10); "
        "`output.kernel` has shape (8, 10), expected (10, 10)."
    )
    config.write_text(json.dumps({**values, "rnn_bidirectional": True}))
    assert "`rnn_1.forward.kernel` is missing; " in refusal(path)
    config.write_text(json.dumps({**values, "rnn_layers": 10**9}))
    assert "it has 1,000,000,000 layers, the weights 1" in refusal(path)
    config.write_text(json.dumps({**values, "rnn_size": "4"}))
    assert refusal(path) == (
        f"the configuration `{config}` does not fit the weights `{path}`: `rnn_size` must be a "
        "whole number of at least 1, got '4'."
    )
    config.write_text(json.dumps({**values, "form": "recurrent"}))
    assert "its form is 'recurrent', the weights' 'windowed'" in refusal(path)


def test_a_vocabulary_of_another_size_is_named(tmp_path: Path, make_model: MakeModel) -> None:
    model = make_model(**WINDOWED)
    path = tmp_path / "a.hdf5"
    write_keras(path, keras_layers(model))
    write_companions(model, tmp_path, "a")
    write_companions(make_model("abc", **WINDOWED), tmp_path, "b")
    assert refusal(path, tmp_path / "b_vocab.json") == (
        f"cannot load `{path}`: the vocabulary `{tmp_path / 'b_vocab.json'}` has 4 tokens, but the "
        "weights have 10 classes and so need 9; pass the vocabulary that belongs to them as "
        "vocab_path=."
    )


def test_weights_that_do_not_fit_each_other(tmp_path: Path, make_model: MakeModel) -> None:
    model = make_model(**WINDOWED, num_layers=2)
    path = tmp_path / "a.hdf5"
    write_companions(model, tmp_path, "a")
    layers = keras_layers(model)
    write_keras(path, {**layers, "attention": [np.zeros((12, 1), np.float32)]})
    assert "`attention.weight` has shape (1, 12), expected (1, 13)" in refusal(path)
    write_keras(path, {**layers, "rnn_2": layers["rnn_2"][:2], "output": []})
    assert refusal(path) == (
        f"cannot load `{path}`: layer `rnn_2` has 2 weights, expected 3 or 6; layer `output` has 0 "
        "weights, expected 2."
    )
    write_keras(path, {**layers, "rnn_1": [w[:-1] for w in layers["rnn_1"]]})
    assert refusal(path) == (
        f"cannot load `{path}`: layer `rnn_1` has weights of shapes (2, 20), (4, 20) and (19,), "
        "expected (inputs, 4H), (H, 4H) and (4H,) or (8H,) of an LSTM."
    )
    write_keras(path, {**layers, "embedding": [np.full_like(layers["embedding"][0], np.inf)]})
    assert "`embedding.weight` holds values that are not finite" in refusal(path)
    write_keras(path, {**layers, "embedding": [layers["embedding"][0].ravel()]})
    assert "`embedding.weight` has shape (30,), expected a matrix" in refusal(path)


def test_weights_of_another_model_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    write_keras(path, {"conv": [np.zeros(3, np.float32)], "dense\n": []})
    assert refusal(path) == (
        f"cannot load `{path}`: it holds the weights of some other model: expected the layers "
        "`embedding`, `rnn_1` …, `attention` and `output`, found 'conv', 'dense\\n'."
    )


def test_a_safetensors_file_is_not_for_this_door(tmp_path: Path) -> None:
    path = tmp_path / "a.hdf5"
    path.write_bytes(b"\x02\0\0\0\0\0\0\0{}")
    assert refusal(path) == f"`{path}` is a .safetensors file, expected Keras HDF5."
    missing = tmp_path / "b.hdf5"
    assert "does not exist" in refusal(missing, error=FileAccessError)


# What we write


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_a_model_comes_back(tmp_path: Path, make_model: MakeModel, form: dict) -> None:
    model = replace(make_model(**form), training={"documents": 4, "名": [1, None, 0.5]})
    path = tmp_path / "poems_weights.hdf5"
    save_keras_model(model, path)
    names = {"poems_weights.hdf5", "poems_vocab.json", "poems_config.json"}
    assert {file.name for file in tmp_path.iterdir()} == names
    assert_equal(load_model(path), model)
    for name in names - {path.name}:
        (tmp_path / name).unlink()
    assert_equal(load_model(path), model)  # the one file is enough
    before = path.read_bytes()
    save_keras_model(load_model(path), path)
    assert path.read_bytes() == before


def test_a_single_text_without_a_start_token_comes_back(
    tmp_path: Path, make_model: MakeModel
) -> None:
    model = make_model(**WINDOWED, single_text=True)
    model = replace(model, tokenizer=CharTokenizer(Vocabulary("abcdefghi")))
    save_keras_model(model, tmp_path / "a.hdf5")
    assert_equal(load_model(tmp_path / "a.hdf5"), model)


def test_other_processes_write_the_same_bytes(tmp_path: Path, make_model: MakeModel) -> None:
    path, again = tmp_path / "1" / "a.hdf5", tmp_path / "2" / "a.hdf5"
    for file in (path, again):
        file.parent.mkdir()
    save_keras_model(make_model(**BOTH_WAYS), path)
    code = (
        "import sys; from textgenrnn.storage import load_model, save_model; "
        "save_model(load_model(sys.argv[1]), sys.argv[2])"
    )
    arguments = [sys.executable, "-c", code, str(path), str(again)]
    subprocess.run(arguments, check=True, env={"PYTHONPATH": ":".join(sys.path)})
    for file in path.parent.iterdir():
        assert (again.parent / file.name).read_bytes() == file.read_bytes()


def test_the_layout_is_keras_2s(tmp_path: Path, make_model: MakeModel) -> None:
    model = make_model(**WINDOWED, num_layers=2)
    path = tmp_path / "a_weights.hdf5"
    save_keras_model(model, path)
    with h5py.File(path, "r") as file:
        # Byte strings of fixed length, which every Keras 2 and every h5py decode.
        assert file.attrs["layer_names"].dtype.kind == "S"
        layers = [name.decode() for name in file.attrs["layer_names"]]
        assert file.attrs["backend"].decode() == "tensorflow"
        assert file.attrs["keras_version"].decode().startswith("2.")
        assert sorted(file) == sorted(layers)
        written = {
            layer: [file[layer][name][()] for name in file[layer].attrs["weight_names"]]
            for layer in layers
        }
        assert file["rnn_2"].attrs["weight_names"].tolist() == [
            b"rnn_2/kernel:0", b"rnn_2/recurrent_kernel:0", b"rnn_2/bias:0"
        ]  # fmt: skip
    expected = keras_layers(model)
    assert list(written) == list(expected)
    for layer, weights in expected.items():
        assert len(written[layer]) == len(weights)
        for ours, keras in zip(written[layer], weights, strict=True):
            assert ours.dtype == np.float32
            assert np.array_equal(ours, keras)


def test_the_originals_file_names_the_same_layers_and_weights(
    tmp_path: Path, make_model: MakeModel
) -> None:
    save_keras_model(make_model(**BOTH_WAYS), tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5", "r") as file:
        assert file["rnn_1"].attrs["weight_names"].tolist() == [
            f"rnn_1/{side}_lstm/{part}:0".encode()
            for side in ("forward", "backward")
            for part in ("kernel", "recurrent_kernel", "bias")
        ]
        assert file["embedding"].attrs["weight_names"].tolist() == [b"embedding/embeddings:0"]
        assert file["attention"].attrs["weight_names"].tolist() == [b"attention/attention_W:0"]
        assert file["output"].attrs["weight_names"].tolist() == [
            b"output/kernel:0", b"output/bias:0"
        ]  # fmt: skip
        assert file["input"].attrs["weight_names"].shape == (0,)


def test_keras_cannot_match_the_layers_of_a_recurrent_model(
    tmp_path: Path, make_model: MakeModel
) -> None:
    save_keras_model(make_model(attention=True), tmp_path / "a.hdf5")
    with h5py.File(tmp_path / "a.hdf5", "r") as file:
        names = [name.decode() for name in file.attrs["layer_names"]]
    assert all(name.startswith("recurrent_") for name in names)


def test_the_companions_are_the_originals(tmp_path: Path, make_model: MakeModel) -> None:
    model = make_model("ab春", **WINDOWED)
    save_keras_model(model, tmp_path / "poems_weights.hdf5")
    vocabulary = (tmp_path / "poems_vocab.json").read_text(encoding="utf-8")
    assert vocabulary == '{"a": 1, "b": 2, "春": 3, "<s>": 4}'
    assert json.loads((tmp_path / "poems_config.json").read_text(encoding="utf-8")) == {
        "rnn_layers": 1, "rnn_size": 5, "rnn_bidirectional": False, "max_length": 7,
        "max_words": 10000, "dim_embeddings": 3, "word_level": False, "single_text": False,
        "name": "poems", "form": "windowed",
    }  # fmt: skip


def test_companions_may_be_left_out(tmp_path: Path, make_model: MakeModel) -> None:
    save_keras_model(make_model(**WINDOWED), tmp_path / "a_weights.hdf5", companions=False)
    assert [file.name for file in tmp_path.iterdir()] == ["a_weights.hdf5"]


def test_nothing_is_changed_when_a_companion_cannot_be_written(
    tmp_path: Path, make_model: MakeModel
) -> None:
    path = tmp_path / "a_weights.hdf5"
    save_keras_model(make_model(**WINDOWED), path)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    (tmp_path / "a_config.json").unlink()
    (tmp_path / "a_config.json").mkdir()
    with pytest.raises(FileAccessError, match=r"a_config\.json`: it is a folder"):
        save_keras_model(make_model("ab", **WINDOWED), path)
    for name in ("a_weights.hdf5", "a_vocab.json"):
        assert (tmp_path / name).read_bytes() == before[tmp_path / name]
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("value", [{1, 2}, float("nan")])
def test_training_holds_json_only(tmp_path: Path, make_model: MakeModel, value: Any) -> None:
    model = replace(make_model(**WINDOWED), training={"loss": value})
    with pytest.raises(ConfigError, match=r"^the model's `training` must hold JSON types and fini"):
        save_keras_model(model, tmp_path / "a.hdf5")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("companions", [False, True])
def test_vocabularies_beyond_64_kb_come_back(
    tmp_path: Path, make_model: MakeModel, companions: bool
) -> None:
    # HDF5 has room for 64 KB in an attribute.
    words = [f"{chr(0x4E00 + i)}字{i}" for i in range(12_000)]
    tokenizer = WordTokenizer(Vocabulary([*words, "<s>"]))
    small = make_model(**WINDOWED, level="word")
    config = small.config.replace(vocab_size=12_002)
    parameters = {n: np.ones(s, np.float32) for n, s in parameter_shapes(config).items()}
    model = LanguageModel(config, parameters, tokenizer)
    path = tmp_path / "words.hdf5"
    save_keras_model(model, path, companions=companions)
    with h5py.File(path, "r") as file:
        pieces = [name for name in file.attrs if name.startswith("textgenrnn_vocab")]
    assert len(pieces) > 4
    assert_equal(load_model(path), model)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(st.characters(codec=None), min_size=1))
def test_all_characters_come_back(
    tmp_path: Path, make_model: MakeModel, characters: set[str]
) -> None:
    model = make_model("".join(sorted(characters)), **WINDOWED)
    save_keras_model(model, tmp_path / "a.hdf5")
    assert_equal(load_model(tmp_path / "a.hdf5"), model)
    with h5py.File(tmp_path / "a.hdf5", "a") as file:
        del file.attrs["textgenrnn_vocab"]
    assert_equal(load_model(tmp_path / "a.hdf5"), model)


# Damage


@pytest.fixture
def saved(tmp_path: Path, make_model: MakeModel) -> Path:
    path = tmp_path / "saved.hdf5"
    save_keras_model(make_model(**WINDOWED), path, companions=False)
    return path


def test_a_newer_format(saved: Path) -> None:
    with h5py.File(saved, "a") as file:
        file.attrs["textgenrnn_format"] = np.bytes_("2")
    assert refusal(saved) == (
        f"`{saved}` was saved by a newer textgenrnn (file format 2, this one knows 1); update it: "
        "pip install --upgrade textgenrnn"
    )
    with h5py.File(saved, "a") as file:
        file.attrs["textgenrnn_format"] = np.bytes_("x")
    assert "is damaged: its `textgenrnn_format` is 'x'" in refusal(saved)


@pytest.mark.parametrize(
    ("attribute", "what"),
    [("config", "configuration"), ("vocab", "vocabulary"), ("training", "training record")],
)
def test_attributes_that_are_no_json(saved: Path, attribute: str, what: str) -> None:
    with h5py.File(saved, "a") as file:
        file.attrs[f"textgenrnn_{attribute}"] = np.bytes_('{"a": ')
    assert refusal(saved).startswith(f"the {what} in `{saved}` is not valid JSON (")


def test_lists_of_names_that_are_none(saved: Path) -> None:
    with h5py.File(saved, "a") as file:
        file["rnn_1"].attrs["weight_names"] = np.arange(3)
    assert f"`{saved}` is damaged: `weight_names` in it is no text; " in refusal(saved)
    with h5py.File(saved, "a") as file:
        del file.attrs["layer_names"]
    assert refusal(saved) == (
        f"`{saved}` is an HDF5 file, but '/' in it has no `layer_names` as Keras 2 writes it; give "
        "a file that textgenrnn saved."
    )


def test_weights_that_are_missing_or_no_numbers(saved: Path) -> None:
    with h5py.File(saved, "a") as file:
        del file["output/output/bias:0"]
    assert "is damaged: it lacks 'output/bias:0' in '/output'; " in refusal(saved)
    with h5py.File(saved, "a") as file:
        file["output/output/bias:0"] = np.arange(10)
    assert "is damaged: 'output/bias:0' in it holds no numbers; " in refusal(saved)
    with h5py.File(saved, "a") as file:
        del file["output/output/bias:0"]
        file.create_dataset("output/output/bias:0", (10**12,), "f4", chunks=(1000,))
    assert "is damaged: 'output/bias:0' in it is not stored in full; " in refusal(saved)


@pytest.mark.parametrize("kind", ["soft", "external"])
def test_links_are_not_followed(saved: Path, kind: str) -> None:
    other = saved.with_name("other.hdf5")
    with h5py.File(other, "w") as file:
        file["x"] = np.zeros(10, np.float32)
    link = h5py.SoftLink("/output/x") if kind == "soft" else h5py.ExternalLink(other.name, "x")
    with h5py.File(saved, "a") as file:
        file.move("output/output/bias:0", "output/x")
        file["output/output/bias:0"] = link
    assert "has a link to another place at 'output/bias:0', which is not followed" in refusal(saved)


def test_numbers_in_other_files_are_not_read(saved: Path) -> None:
    secret = saved.with_name("secret")
    secret.write_bytes(bytes(40))
    with h5py.File(saved, "a") as file:
        del file["output/output/bias:0"]
        file.create_dataset("output/output/bias:0", (10,), "f4", external=[(str(secret), 0, 40)])
    assert "keeps 'output/bias:0' in another file, which is not followed" in refusal(saved)


def test_truncated_files(saved: Path) -> None:
    content = saved.read_bytes()
    for size in (20, 500, len(content) // 2, len(content) - 1):
        saved.write_bytes(content[:size])
        assert refusal(saved).startswith(f"`{saved}` is truncated or damaged (")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=300
)
@given(st.data())
def test_damaged_files_load_or_are_refused_in_words(saved: Path, data: st.DataObject) -> None:
    # HDF5 is mostly empty room: damage aims at what is not zero every other time.
    content = bytearray(saved.read_bytes())
    filled = np.flatnonzero(np.frombuffer(content, np.uint8)).tolist()
    for _ in range(data.draw(st.integers(0, 4))):
        anywhere = data.draw(st.booleans())
        place = data.draw(st.integers(0, (len(content) if anywhere else len(filled)) - 1))
        content[place if anywhere else filled[place]] = data.draw(st.integers(0, 255))
    size = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content))))
    damaged = saved.with_name("damaged.hdf5")
    damaged.write_bytes(content[:size])
    message = str(damaged)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ModelFileWarning)
            load_model(damaged)
    except TextgenrnnError as error:
        message = str(error)
    assert str(damaged) in message
    assert "\n" not in message
