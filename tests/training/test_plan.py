from collections.abc import Callable
from typing import Any

import pytest
import torch

from textgenrnn.config import ModelConfig, TrainConfig
from textgenrnn.network.model import LanguageModel
from textgenrnn.training.data import encode_documents
from textgenrnn.training.plan import Plan, plan_size, plan_training

MakePlan = Callable[..., Plan]


@pytest.fixture
def make_plan(make_model: Callable[..., LanguageModel]) -> MakePlan:
    model = make_model()

    def make(
        documents: list[str],
        *,
        single_text: bool = False,
        new: bool = True,
        distance: float = 0.0,
        **settings: Any,
    ) -> Plan:
        if "num_epochs" not in settings:
            settings["minutes"] = 1.0
        text = encode_documents(documents, model.tokenizer, single_text=single_text)
        return plan_training(
            text, model.config, TrainConfig(**settings), new=new, distance=distance
        )

    return make


def test_what_is_given_is_kept(make_plan: MakePlan) -> None:
    plan = make_plan(
        ["abcdefgh" * 4] * 50,
        batch_size=6,
        seq_len=20,
        learning_rate=0.003,
        dropout=0.4,
        precision="bf16",
    )
    assert (plan.rows, plan.seq_len, plan.tokens_per_chunk) == (6, 20, 120)
    assert (plan.learning_rate, plan.dropout, plan.dtype) == (0.003, 0.4, torch.bfloat16)
    assert plan.num_targets == 50 * 33
    assert plan.notes == ()


@pytest.mark.parametrize("single_text", [False, True])
@pytest.mark.parametrize("settings", [{"minutes": 1.0}, {"num_epochs": 10}])
def test_little_text_gets_small_chunks(
    make_plan: MakePlan, single_text: bool, settings: dict[str, Any]
) -> None:
    little = make_plan(["abcdefgh"], single_text=single_text, **settings)
    much = make_plan(["abcdefgh" * 20_000], single_text=single_text, **settings)
    assert 0 < little.tokens_per_chunk < much.tokens_per_chunk
    assert little.tokens_per_chunk >= 16
    assert little.seq_len <= much.seq_len
    assert little.rows is much.rows is None
    assert 0 < little.learning_rate <= 0.1


def test_a_trained_model_gets_a_lower_rate(make_plan: MakePlan) -> None:
    documents = ["abcdefgh" * 500] * 20
    new, near, far = (
        make_plan(documents, new=new, distance=distance).learning_rate
        for new, distance in ((True, 0.0), (False, 0.0), (False, 1.0))
    )
    assert near < far < new


def test_few_updates_are_noted(make_plan: MakePlan) -> None:
    documents = ["abcdefgh"] * 100
    (note,) = make_plan(documents, num_epochs=3, batch_size=50).notes
    assert note.startswith("the whole run has only 6 updates; ")
    (note,) = make_plan(["abcdefgh" * 100], single_text=True, num_epochs=3, batch_size=8).notes
    assert note.startswith("the whole run has only ")
    assert make_plan(documents, num_epochs=30, batch_size=50).notes == ()
    assert make_plan(documents, num_epochs=3).notes == ()  # nobody asked for that


def test_a_batch_that_is_larger_than_the_text_is_noted(make_plan: MakePlan) -> None:
    notes = make_plan(["abc"], batch_size=1000).notes
    assert notes == ("the text is smaller than a batch of 1000; the batch shrinks to fit it.",)


def test_unknown_characters_are_noted(make_plan: MakePlan) -> None:
    (note,) = make_plan(["aXXXb"] * 30).notes
    assert note.startswith("the model knows only 50.3% of the text's characters; ")
    assert make_plan(["abcdefgh" * 10 + "X"] * 30).notes == ()


@pytest.mark.parametrize("minutes", [0.05, 0.5, 3.0, 60.0, 1e6])
def test_more_text_never_gets_a_smaller_network(minutes: float) -> None:
    sizes = [plan_size(10**power, minutes) for power in range(10)]
    cells = [size["hidden_size"] for size in sizes]
    assert cells == sorted(cells)
    assert cells[0] >= 64
    assert all(ModelConfig(vocab_size=9, **size).attention for size in sizes)
    assert all(value >= 1 for size in sizes for value in size.values())


@pytest.mark.parametrize("tokens", [1, 1000, 50_000, 10**6, 10**9])
def test_more_time_never_gets_a_smaller_network(tokens: int) -> None:
    cells = [plan_size(tokens, minutes)["hidden_size"] for minutes in (0.01, 0.5, 1, 3, 10, 1e6)]
    assert cells == sorted(cells)


def test_text_and_time_both_count() -> None:
    smallest = plan_size(100, 60.0)["hidden_size"]
    assert smallest < plan_size(10**7, 0.2)["hidden_size"] < plan_size(10**7, 60.0)["hidden_size"]


@pytest.mark.parametrize(
    ("settings", "dropout"),
    [
        ({"num_epochs": 2}, 0.1),
        ({"num_epochs": 8}, 0.2),
        ({"num_epochs": 20}, 0.4),
        ({"num_epochs": 100}, 0.5),
        ({"minutes": 10.0}, 0.5),
    ],
)
def test_more_passes_get_more_dropout(
    make_plan: MakePlan, settings: dict[str, Any], dropout: float
) -> None:
    assert make_plan(["abcdefgh"] * 100, **settings).dropout == dropout
    # So little that nothing is held out: to be known by heart.
    assert make_plan(["abcdefgh"] * 4, **settings).dropout == 0.1
    assert make_plan(["abcdefgh"], single_text=True, **settings).dropout == 0.1


def test_a_trained_model_stops_before_it_learns_by_heart(make_plan: MakePlan) -> None:
    titles = ["How to learn the alphabet"] * 4000
    assert make_plan(titles, new=False, minutes=3.0).max_passes == pytest.approx(4)
    assert make_plan(titles, new=False, minutes=3.0, distance=1.0).max_passes == pytest.approx(8)
    assert make_plan(titles[:4], new=False, minutes=3.0).max_passes > 100  # 20,000 characters
    assert make_plan(titles, new=True, minutes=3.0).max_passes is None
    assert make_plan(titles, new=False, num_epochs=9).max_passes is None


def test_a_trained_model_needs_dropout_for_many_passes_only(make_plan: MakePlan) -> None:
    titles = ["How to learn the alphabet"] * 4000
    assert make_plan(titles, new=False, num_epochs=1).dropout == 0.0
    assert make_plan(titles, new=False, num_epochs=9).dropout == pytest.approx(0.2)
    assert make_plan(titles, new=False, minutes=3.0, distance=1.0).dropout == pytest.approx(0.3)
