"""The windowed form in training: network, layout, recipe."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from textgenrnn.config import ModelConfig, TrainConfig
from textgenrnn.network.parameters import initial_parameters
from textgenrnn.network.windowed import forward_windows, pad_windows
from textgenrnn.tokenizers import CharTokenizer
from textgenrnn.training.batches import WindowLayout
from textgenrnn.training.data import EncodedText, encode_documents
from textgenrnn.training.held_out import held_out_chunks, held_out_loss
from textgenrnn.training.loop import train
from textgenrnn.training.modules import WindowedNetwork, make_network
from textgenrnn.training.new_model import make_new_model
from textgenrnn.training.plan import plan_training
from textgenrnn.training.recipe import learning_rate_factor

COUPLETS = ["国破山河在，城春草木深。", "白头搔更短，浑欲不胜簪。", "好雨知时节，当春乃发生。"]


def windowed_config(*, bidirectional: bool = False) -> ModelConfig:
    return ModelConfig(
        vocab_size=20,
        hidden_size=6,
        num_layers=2,
        embedding_size=5,
        attention=True,
        context_length=7,
        form="windowed",
        bidirectional=bidirectional,
    )


def encode(documents: Sequence[str], *, single_text: bool = False) -> EncodedText:
    return encode_documents(documents, CharTokenizer.from_texts(documents), single_text=single_text)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_network_computes_what_the_reference_computes(bidirectional: bool) -> None:
    config = windowed_config(bidirectional=bidirectional)
    rng = np.random.default_rng(0)
    parameters = initial_parameters(config, 0)
    parameters["attention.weight"] = rng.normal(size=(1, config.concat_size)).astype(np.float32)
    windows = rng.integers(0, 20, (9, 7))
    network = make_network(config, parameters, dropout=0.5, dtype=torch.float32).eval()
    assert isinstance(network, WindowedNetwork)
    with torch.no_grad():
        logits, _ = network(torch.from_numpy(windows.T.copy()), network.initial_state(9))
    expected = forward_windows(parameters, config, windows).logits
    np.testing.assert_allclose(logits[0].numpy(), expected, atol=1e-5)
    exported = network.export()
    assert all(np.array_equal(exported[name], values) for name, values in parameters.items())


def test_dropout_silences_while_training_only() -> None:
    config = windowed_config()
    network = make_network(config, initial_parameters(config, 0), dropout=0.5, dtype=torch.float32)
    windows = torch.ones((7, 4), dtype=torch.int64)
    state = network.initial_state(4)
    network.train()
    assert not torch.equal(network(windows, state)[0], network(windows, state)[0])
    network.eval()
    assert torch.equal(network(windows, state)[0], network(windows, state)[0])


def test_windows_of_documents_by_hand() -> None:
    text = encode(["abc", "de"])  # ids a 1 … e 5, <s> 6
    (chunk,) = WindowLayout(text, window=3, rows=100).chunks(None)
    assert chunk.fresh
    assert chunk.inputs.T.tolist() == [
        [0, 0, 6],
        [0, 6, 1],
        [6, 1, 2],
        [1, 2, 3],
        [0, 0, 6],
        [0, 6, 4],
        [6, 4, 5],
    ]
    assert chunk.targets.tolist() == [[1, 2, 3, 6, 4, 5, 6]]


def test_windows_of_a_single_text_are_whole_and_know_no_end() -> None:
    text = encode(["abcde"], single_text=True)
    (chunk,) = WindowLayout(text, window=3, rows=100).chunks(None)
    assert chunk.inputs.T.tolist() == [[1, 2, 3], [2, 3, 4]]
    assert chunk.targets.tolist() == [[4, 5]]
    (chunk,) = WindowLayout(text, window=30, rows=100).chunks(None)
    assert chunk.targets.tolist() == [[2, 3, 4, 5]]


def test_each_window_comes_once_a_pass_in_random_order() -> None:
    text = encode(COUPLETS)
    layout = WindowLayout(text, window=5, rows=4)
    expected = [
        (*window, target)
        for i in range(3)
        for ids in [text.token_ids[text.starts[i] : text.starts[i + 1] + 1]]
        for window, target in zip(pad_windows(ids[:-1], 5).tolist(), ids[1:].tolist(), strict=True)
    ]
    passes = []
    for seed in range(2):
        chunks = list(layout.chunks(np.random.default_rng(seed)))
        assert [chunk.inputs.shape[1] for chunk in chunks] == [4] * 9 + [3]
        passes.append(
            [
                (*window, int(target))
                for chunk in chunks
                for window, target in zip(chunk.inputs.T.tolist(), chunk.targets[0], strict=True)
            ]
        )
    assert sorted(passes[0]) == sorted(passes[1]) == sorted(expected)
    assert passes[0] != passes[1]
    assert layout.num_targets == len(expected) == 39


def test_unknown_characters_are_no_targets() -> None:
    tokenizer = CharTokenizer.from_texts(["ab"])
    text = encode_documents(["a?b"], tokenizer, single_text=False)
    layout = WindowLayout(text, window=2, rows=10)
    (chunk,) = layout.chunks(None)
    assert chunk.targets.tolist() == [[1, 2, 3]]
    assert chunk.inputs.T.tolist() == [[0, 3], [1, 0], [0, 2]]
    assert layout.num_targets == 3


def test_held_out_windows_are_scored_as_the_reference_scores_them() -> None:
    config = windowed_config()
    parameters = initial_parameters(config, 0)
    network = make_network(config, parameters, dropout=0.0, dtype=torch.float32)
    text = encode(["abc", "de"])
    chunks = held_out_chunks(text, np.zeros(0, np.int32), window=7)
    loss, scored = held_out_loss(network, chunks)
    assert scored == len(chunks) == 1
    logits = forward_windows(parameters, config, chunks[0].inputs.T).logits.astype(float)
    logs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    assert loss == pytest.approx(-logs[np.arange(7), chunks[0].targets[0]].mean(), abs=1e-5)


def test_the_recipe_is_the_originals() -> None:
    plan = plan_training(encode(COUPLETS), windowed_config(), TrainConfig(num_epochs=5), new=True)
    assert (plan.rows, plan.seq_len) == (128, 7)
    assert (plan.learning_rate, plan.weight_decay, plan.dropout) == (4e-3, 0.0, 0.0)
    assert [learning_rate_factor(p, "windowed") for p in (0.0, 0.25, 0.5)] == [1.0, 0.75, 0.5]
    assert 0 < learning_rate_factor(1.0, "windowed") < 0.1


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_windowed_model_learns(bidirectional: bool) -> None:
    model = make_new_model(
        COUPLETS,
        single_text=False,
        size={"hidden_size": 24, "num_layers": 1, "embedding_size": 24},
        seed=0,
        form="windowed",
        bidirectional=bidirectional,
        attention=True,
        context_length=13,
    )
    config = TrainConfig(num_epochs=25, held_out=0.0, batch_size=4, threads=1, seed=0)
    result = train(model, COUPLETS, config, new=True)
    losses = [status.epoch_loss for status in result.history]
    assert result.updates == 25 * 10
    assert result.tokens == 25 * 39
    assert losses[0] > 3
    assert losses[-1] < losses[0] - 1
