from collections.abc import Callable

import pytest
import torch

from textgenrnn.network.model import LanguageModel
from textgenrnn.training.modules import RecurrentNetwork
from textgenrnn.training.recipe import learning_rate_factor, make_optimizer, matrix_arithmetic


def test_the_rate_rises_to_its_peak_and_falls_to_the_end() -> None:
    factors = [learning_rate_factor(step / 1000) for step in range(1001)]
    peak = factors.index(1.0)
    assert 0 < peak < 200  # a short warm-up
    assert factors[: peak + 1] == sorted(factors[: peak + 1])
    assert factors[peak:] == sorted(factors[peak:], reverse=True)
    assert 0 < factors[0] < 0.1  # the very first update of a short run counts
    assert 0 < factors[-1] < 0.1


def test_beyond_the_end_the_rate_stays() -> None:
    assert learning_rate_factor(1.7) == learning_rate_factor(1.0)


@pytest.mark.parametrize("attention", [False, True])
def test_only_matrices_decay(make_model: Callable[..., LanguageModel], attention: bool) -> None:
    model = make_model(num_layers=2, attention=attention)
    network = RecurrentNetwork(model.config, model.parameters)
    optimizer = make_optimizer(network, learning_rate=0.5, weight_decay=0.3)
    before = {name: parameter.clone() for name, parameter in network.named_parameters()}
    for parameter in network.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in network.named_parameters():
        decayed = before[name] * (1 - 0.5 * 0.3) if name.endswith("kernel") else before[name]
        torch.testing.assert_close(parameter, decayed, msg=name)


def test_every_parameter_is_optimised_once(make_model: Callable[..., LanguageModel]) -> None:
    model = make_model(num_layers=2, attention=True)
    network = RecurrentNetwork(model.config, model.parameters)
    optimizer = make_optimizer(network, learning_rate=0.5, weight_decay=0.3)
    optimised = [id(p) for parameters, _ in optimizer.groups for p in parameters]
    assert sorted(optimised) == sorted(id(p) for p in network.parameters())
    assert optimizer.learning_rate == 0.5


@pytest.mark.parametrize(
    ("precision", "cells", "capabilities", "dtype"),
    [
        ("fp32", 512, {"amx_bf16": True}, torch.float32),
        ("bf16", 8, {}, torch.bfloat16),
        ("auto", 512, {"avx512_bf16": True}, torch.bfloat16),
        ("auto", 512, {"amx_bf16": True}, torch.bfloat16),
        ("auto", 512, {"avx2": True}, torch.float32),
        ("auto", 8, {"avx512_bf16": True}, torch.float32),
    ],
)
def test_bfloat16_where_the_processor_multiplies_it_faster(
    monkeypatch: pytest.MonkeyPatch,
    precision: str,
    cells: int,
    capabilities: dict[str, bool],
    dtype: torch.dtype,
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert matrix_arithmetic(precision, cells) == dtype
