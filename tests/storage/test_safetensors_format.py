import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import save

from textgenrnn.errors import ConfigError, FileAccessError, ModelFileError, TextgenrnnError
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import initial_parameters, parameter_shapes
from textgenrnn.storage.safetensors_format import load_model, read_metadata, save_model
from textgenrnn.tokenizers import CharTokenizer, Vocabulary, WordTokenizer


@pytest.fixture
def path(tmp_path: Path, tiny_model: LanguageModel) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(tiny_model, path)
    return path


def with_texts(model: LanguageModel, texts: list[str]) -> LanguageModel:
    """Return a model of other characters."""
    tokenizer = CharTokenizer.from_texts(texts)
    config = model.config.replace(vocab_size=len(tokenizer.vocabulary) + 1)
    return LanguageModel(config, initial_parameters(config, seed=0), tokenizer, model.training)


def refusal(path: Path, error: type[Exception] = ModelFileError) -> str:
    with pytest.raises(error) as caught:
        load_model(path)
    message = str(caught.value)
    assert "\n" not in message
    return message


def change(path: Path, changes: Callable[[dict[str, Any]], object]) -> None:
    """Rewrite a model's metadata."""
    with safe_open(path, framework="np") as file:
        tensors, content = file.get_tensors(), json.loads(file.metadata()["textgenrnn"])
    changes(content)
    path.write_bytes(save(tensors, {"textgenrnn": json.dumps(content)}))


def test_a_model_comes_back(path: Path, tiny_model: LanguageModel) -> None:
    loaded = load_model(path)
    assert loaded.config == tiny_model.config
    assert loaded.tokenizer.vocabulary == tiny_model.tokenizer.vocabulary
    assert loaded.training == tiny_model.training
    assert list(loaded.parameters) == sorted(parameter_shapes(tiny_model.config))
    for name, values in loaded.parameters.items():
        assert values.dtype == np.float32
        assert not values.flags.writeable
        assert np.array_equal(values, tiny_model.parameters[name])


@pytest.mark.parametrize("config", [{}, {"bidirectional": True}, {"single_text": True}], ids=str)
def test_windowed_models_come_back(
    tmp_path: Path, make_model: Callable[..., LanguageModel], config: dict[str, Any]
) -> None:
    model = make_model(form="windowed", attention=True, num_layers=2, context_length=7, **config)
    if model.config.single_text:  # as the original's, it needs no `<s>`
        tokens = ["a", "b", "c", "d", "e", "f", "g", "h", "i"]
        model = replace(model, tokenizer=CharTokenizer(Vocabulary(tokens)))
    path = tmp_path / "windowed.safetensors"
    save_model(model, path)
    loaded = load_model(path)
    assert loaded.config == model.config
    assert loaded.tokenizer.vocabulary == model.tokenizer.vocabulary
    for name, values in model.parameters.items():
        assert np.array_equal(loaded.parameters[name], values)


def test_models_of_words_come_back(
    tmp_path: Path, make_model: Callable[..., LanguageModel]
) -> None:
    words = WordTokenizer(Vocabulary(["春眠", "it's", "\n", "<s>"]))
    model = make_model("abc", level="word")
    path = tmp_path / "words.safetensors"
    save_model(replace(model, tokenizer=words), path)
    loaded = load_model(path).tokenizer
    assert isinstance(loaded, WordTokenizer)
    assert loaded.vocabulary == words.vocabulary


@pytest.mark.parametrize("half", [False, True])
def test_saved_again_the_bytes_are_the_same(
    path: Path, tiny_model: LanguageModel, half: bool
) -> None:
    training = {"z": [1, 0.1, None, "春"], "a": {"y": 1e-9, "x": True}}
    save_model(replace(tiny_model, training=training), path, half=half)
    again = path.with_name("again")
    save_model(load_model(path), again, half=half)
    assert again.read_bytes() == path.read_bytes()


def test_other_processes_write_the_same_bytes(path: Path) -> None:
    # Hash seeds differ from process to process; nothing may depend on them.
    code = (
        "import sys; from textgenrnn.storage import load_model, save_model; "
        "save_model(load_model(sys.argv[1]), sys.argv[2])"
    )
    for name in ("1", "2"):
        arguments = [sys.executable, "-c", code, str(path), str(path.with_name(name))]
        subprocess.run(arguments, check=True, env={"PYTHONPATH": ":".join(sys.path)})
        assert path.with_name(name).read_bytes() == path.read_bytes()


def test_half_precision_takes_half_the_room(path: Path, tiny_model: LanguageModel) -> None:
    half = path.with_name("half")
    save_model(tiny_model, half, half=True)
    assert half.stat().st_size < 0.7 * path.stat().st_size
    loaded = load_model(half)
    for name, values in loaded.parameters.items():
        assert values.dtype == np.float32
        assert np.array_equal(values, tiny_model.parameters[name].astype(np.float16))


def test_values_too_large_for_half_precision(path: Path, tiny_model: LanguageModel) -> None:
    parameters = dict(tiny_model.parameters)
    parameters["output.bias"] = np.full_like(parameters["output.bias"], 1e5)
    model = replace(tiny_model, parameters=parameters)
    before = path.read_bytes()
    with pytest.raises(ConfigError) as caught:
        save_model(model, path, half=True)
    assert str(caught.value) == (
        "`output.bias` holds values above 65,504, too large for 16 bits; save with half=False."
    )
    assert path.read_bytes() == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.sets(st.characters(codec=None), min_size=1))
def test_all_characters_come_back(
    path: Path, tiny_model: LanguageModel, characters: set[str]
) -> None:
    model = with_texts(tiny_model, sorted(characters))
    save_model(model, path)
    assert load_model(path).tokenizer.vocabulary == model.tokenizer.vocabulary


def test_text_is_readable_in_the_file_but_for_lone_surrogates(
    path: Path, tiny_model: LanguageModel
) -> None:
    save_model(with_texts(tiny_model, ["春\ud800"]), path)
    with safe_open(path, framework="np") as file:
        content = file.metadata()["textgenrnn"]
    assert '"tokens":["春","\\ud800","<s>"]' in content
    assert content.startswith('{"config":{"attention":false,')
    assert list(json.loads(content)) == ["config", "format_version", "tokens", "training"]


@pytest.mark.parametrize("value", [{1, 2}, float("nan"), np.float32(1)])
def test_training_holds_json_only(path: Path, tiny_model: LanguageModel, value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^the model's `training` must hold JSON types and fini"):
        save_model(replace(tiny_model, training={"loss": value}), path)


def test_metadata_without_the_parameters(path: Path, tiny_model: LanguageModel) -> None:
    assert read_metadata(path) == {
        "format_version": 1,
        "config": tiny_model.config.to_dict(),
        "tokens": list(tiny_model.tokenizer.vocabulary.tokens),
        "training": dict(tiny_model.training),
    }


def test_a_missing_file_names_similar_ones(path: Path) -> None:
    wrong = path.with_name("modell.safetensors")
    assert refusal(wrong, FileAccessError) == (
        f"`{wrong}` does not exist; the folder `{path.parent}` has `model.safetensors`."
    )


def test_a_folder_is_no_model(tmp_path: Path) -> None:
    assert refusal(tmp_path, FileAccessError) == (
        f"`{tmp_path}` is a folder, expected a file; give a file in it."
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty, expected a model; "),
        (
            b"\x89HDF\r\n\x1a\n\0\0\0\0\0\x08\x08",
            "is a Keras HDF5 file, expected a .safetensors file.",
        ),
        (
            b"PK\x03\x04\0\0\x08\x08\0\0",
            "is a zip archive, such as PyTorch and Keras 3 write, not a textgenrnn model.",
        ),
        (
            b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.",
            "is a Python pickle, which is never loaded since it can run any code.",
        ),
        (b"\x80\x04\x95\x05\0\0\0\0\0\0\0", "is a Python pickle, which is never loaded"),
        (b"\x1f\x8b\x08\0", "is a gzip archive; decompress it first."),
        (b"\xfd7zXZ\0\0\x04", "is an xz archive; decompress it first."),
        (
            b'{"a": 1, "b": 2}\n',
            "is a text file, expected a model; train one on it, or give the file that training "
            "wrote.",
        ),
        ("春眠不觉晓".encode("gbk"), "is a text file, expected a model; "),
        (b"Hi", "is a text file, expected a model; "),
        (
            b"GGUF\x03\0\0\0\x01\0\0\0",
            "is of no known kind, or damaged at its start; expected a .safetensors or .hdf5 file "
            "that textgenrnn saved.",
        ),
    ],
)
def test_files_of_other_kinds_are_named(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    assert refusal(path).startswith(f"`{path}` {message}")


def test_a_truncated_file(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:100])
    assert refusal(path) == (
        f"`{path}` is truncated: it ends inside its header, after 100 bytes; use a copy that is "
        "whole, or save the model again."
    )
    path.write_bytes(content[:-1])
    assert refusal(path).startswith(f"`{path}` is truncated or damaged (")
    path.write_bytes(content[:5])
    assert refusal(path).startswith(f"`{path}` is of no known kind, or damaged at its start")


def test_a_damaged_header(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b'"F32"', b'"F31"', 1))
    assert refusal(path).startswith(f"`{path}` is truncated or damaged (")


@pytest.mark.parametrize(
    ("metadata", "origin"), [(None, ""), ({"format": "pt"}, " (its format is 'pt')")]
)
def test_safetensors_of_another_program(
    path: Path, metadata: dict[str, str] | None, origin: str
) -> None:
    path.write_bytes(save({"a": np.zeros(3, np.float32)}, metadata))
    assert refusal(path) == (
        f"`{path}` is a safetensors file of another program{origin}, expected one that textgenrnn "
        "saved."
    )


@pytest.mark.parametrize("text", ["", "{", '{"a":}', "[" * 100_000, "1" * 5000, "\0"])
def test_metadata_that_is_no_json(path: Path, text: str) -> None:
    path.write_bytes(save({}, {"textgenrnn": text}))
    assert refusal(path).startswith(f"`{path}` is damaged: its metadata is not valid JSON (")


@pytest.mark.parametrize(
    "text", ["[]", "5", "{}", '{"format_version":true}', '{"format_version":0}']
)
def test_metadata_without_a_version(path: Path, text: str) -> None:
    path.write_bytes(save({}, {"textgenrnn": text}))
    assert refusal(path) == (
        f"`{path}` is damaged: its metadata has no valid `format_version`; use a copy that is "
        "whole, or save the model again."
    )


def test_a_newer_format(path: Path) -> None:
    change(path, lambda content: content.update(format_version=2))
    assert refusal(path) == (
        f"`{path}` was saved by a newer textgenrnn (file format 2, this one knows 1); update it: "
        "pip install --upgrade textgenrnn"
    )


@pytest.mark.parametrize(
    ("name", "value", "expected", "given_type"),
    [
        ("config", [], "dict", "list"),
        ("tokens", "abc", "list", "str"),
        ("tokens", None, "list", "NoneType"),
        ("training", 5, "dict", "int"),
    ],
)
def test_metadata_of_wrong_types(
    path: Path, name: str, value: Any, expected: str, given_type: str
) -> None:
    change(path, lambda content: content.update({name: value}))
    assert refusal(path) == (
        f"`{path}` is damaged: `{name}` in its metadata must be a {expected}, got {given_type}; "
        "use a copy that is whole, or save the model again."
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 4}, "unknown setting `heads` for ModelConfig. Known settings: "),
        ({"hidden_size": "8"}, "`hidden_size` must be a whole number of at least 1, got '8'."),
        ({"form": "window"}, "`form` must be one of 'recurrent', 'windowed', got 'window' (did "),
        ({"form": "windowed"}, "`attention` must be True in the windowed form, got False: its "),
        ({"level": "byte"}, "`level` must be one of 'char', 'word', got 'byte'."),
        ({"vocab_size": 5}, "the vocabulary has "),
        (
            {"num_layers": 10**12},
            "the configuration has 1,000,000,000,000 layers, but the file holds only 9 parameters.",
        ),
        (
            {"hidden_size": 9 * 10**4299},
            "Exceeds the limit (4300 digits) for integer string conversion",
        ),
        ({"num_layers": 3}, "the parameters do not fit the configuration: `rnn_3.kernel` is miss"),
        ({"hidden_size": 9}, "the parameters do not fit the configuration: `rnn_1.kernel` has sh"),
    ],
)
def test_a_configuration_that_does_not_fit(
    path: Path, changes: dict[str, Any], message: str
) -> None:
    change(path, lambda content: content["config"].update(changes))
    assert refusal(path).startswith(f"cannot load `{path}`: {message}")


def test_a_configuration_that_lacks_a_field(path: Path) -> None:
    change(path, lambda content: content["config"].pop("vocab_size"))
    assert refusal(path) == (
        f"cannot load `{path}`: `vocab_size` is missing in the settings of ModelConfig."
    )


@pytest.mark.parametrize(
    ("tokens", "message"),
    [
        (["a", 1, "<s>"], "a vocabulary holds strings of at least 1 character; id 2 is 1."),
        (["a", ["b"], "<s>"], "a vocabulary holds strings of at least 1 character; id 2 is ['b']."),
        (["a", "a", "<s>"], "the vocabulary holds the token 'a' twice."),
        (["a", "b"], "the vocabulary lacks the start and end token '<s>'."),
        (["ab", "<s>"], "a vocabulary of characters holds single characters, got 'ab'."),
    ],
)
def test_tokens_that_are_no_vocabulary(path: Path, tokens: list[Any], message: str) -> None:
    change(path, lambda content: content.update(tokens=tokens))
    assert refusal(path) == f"cannot load `{path}`: {message}"


@pytest.mark.parametrize("dtype", ["BF16", "F64", "I32", "F8_E4M3"])
def test_parameters_of_another_kind_of_number(path: Path, dtype: str) -> None:
    size = {"BF16": 2, "F64": 8, "I32": 4, "F8_E4M3": 1}[dtype]
    header = {
        "__metadata__": {"textgenrnn": json.dumps(read_metadata(path))},
        "output.bias": {"dtype": dtype, "shape": [3], "data_offsets": [0, 3 * size]},
    }
    encoded = json.dumps(header).encode()
    path.write_bytes(len(encoded).to_bytes(8, "little") + encoded + bytes(3 * size))
    assert refusal(path) == (
        f"cannot load `{path}`: `output.bias` is stored as {dtype}, expected F32 or F16."
    )


def test_parameters_that_are_not_finite(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-4] + np.float32(np.nan).tobytes())
    assert refusal(path).endswith("holds values that are not finite.")


@settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=400
)
@given(st.data())
def test_damaged_files_load_or_are_refused_in_words(path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    header_end = 8 + int.from_bytes(content[:8], "little")
    # Most of the file is weights, so damage aims at the header every other time.
    for _ in range(data.draw(st.integers(0, 4))):
        end = header_end if data.draw(st.booleans()) else len(content)
        content[data.draw(st.integers(0, end - 1))] = data.draw(st.integers(0, 255))
    size = data.draw(st.one_of(st.just(len(content)), st.integers(0, len(content) + 20)))
    damaged = path.with_name("damaged")
    damaged.write_bytes(bytes(content[:size]).ljust(size, b"\0"))
    for read in (load_model, read_metadata):
        try:
            read(damaged)
        except TextgenrnnError as error:
            message = str(error)
        else:
            continue
        assert str(damaged) in message
        assert "\n" not in message
