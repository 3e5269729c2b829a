import subprocess
import sys

import pytest
import torch

from textgenrnn.training.adamw import AdamW


def run(steps: int, resume_after: int | None = None) -> list[torch.Tensor]:
    """Minimise something with ours; make the optimiser anew after some steps, if asked."""
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(3, 4)), torch.nn.Parameter(torch.randn(5))]

    def make() -> AdamW:
        return AdamW(parameters[:1], parameters[1:], learning_rate=0.1, weight_decay=0.2)

    optimizer = make()
    for step in range(steps):
        if step == resume_after:
            state = optimizer.state_dict()
            optimizer = make()
            optimizer.load_state_dict(state)
        optimizer.learning_rate = 0.1 / (step + 1)
        optimizer.zero_grad()
        sum((p - 1).pow(4).sum() for p in parameters).backward()
        optimizer.step()
    return [parameter.detach() for parameter in parameters]


def test_it_does_what_the_optimiser_of_torch_does() -> None:
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(3, 4)), torch.nn.Parameter(torch.randn(5))]
    groups = [
        {"params": parameters[:1], "weight_decay": 0.2},
        {"params": parameters[1:], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=0.1, betas=(0.9, 0.99))
    for step in range(7):
        for group in reference.param_groups:
            group["lr"] = 0.1 / (step + 1)
        reference.zero_grad()
        sum((p - 1).pow(4).sum() for p in parameters).backward()
        reference.step()
    for ours, theirs in zip(run(7), parameters, strict=True):
        torch.testing.assert_close(ours, theirs.detach())


def test_it_goes_on_where_it_stood() -> None:
    for whole, resumed in zip(run(6), run(6, resume_after=3), strict=True):
        assert torch.equal(whole, resumed)


def test_parameters_without_a_gradient_stay() -> None:
    moved, kept = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = AdamW([moved, kept], [], learning_rate=0.1, weight_decay=0.5)
    optimizer.step()
    moved.grad = torch.ones(2)
    optimizer.step()
    assert torch.equal(kept, torch.ones(2))
    assert (moved < 1).all()


def test_a_state_of_other_parameters_is_refused() -> None:
    optimizer = AdamW([torch.nn.Parameter(torch.ones(2))], [], learning_rate=1, weight_decay=0)
    with pytest.raises(ValueError, match="zip"):
        optimizer.load_state_dict({"state": []})


def test_training_never_loads_the_compiler() -> None:
    code = (
        "import sys; from textgenrnn.api import textgenrnn; "
        "textgenrnn(pretrained=None).train_on_texts(['ab', 'cd'], num_epochs=1, verbose=0); "
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
