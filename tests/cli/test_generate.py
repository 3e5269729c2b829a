import io
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from textgenrnn import textgenrnn
from textgenrnn.network.model import LanguageModel
from textgenrnn.storage import save_model

Cli = Callable[..., tuple[int, str, str]]
MakeModel = Callable[..., LanguageModel]


def texts_of(path: Path, n: int, **settings: object) -> list[str]:
    return textgenrnn(path).generate(n, return_as_list=True, **settings)


def test_a_text_a_line(cli: Cli, model_file: Path) -> None:
    expected = texts_of(model_file, 10, temperature=0.7, seed=3)
    assert cli("generate", model_file, "--seed", 3) == (0, "\n".join(expected) + "\n", "")


def test_every_setting_reaches_the_sampling(cli: Cli, model_file: Path) -> None:
    options = (
        "-n 4 -t 1.0,0.5 -p ba --max-length 20 --min-length 3 --top-k 6 --top-p 0.9 --min-p 0.01 "
        "--repetition-penalty 1.2 --stop gg --stop hh --ban ab --ban c --unique --seed 5"
    )
    expected = texts_of(
        model_file,
        4,
        temperature=[1.0, 0.5],
        prefix="ba",
        max_gen_length=20,
        min_gen_length=3,
        top_k=6,
        top_p=0.9,
        min_p=0.01,
        repetition_penalty=1.2,
        stop=("gg", "hh"),
        banned=("ab", "c"),
        unique=True,
        seed=5,
    )
    code, out, err = cli("generate", model_file, *options.split())
    assert (code, err) == (0, "")
    assert out.splitlines() == expected
    assert len(expected) == 4


def test_json_lines(cli: Cli, model_file: Path) -> None:
    code, out, _ = cli("generate", model_file, "--json", "-n", 3, "--prefix", "東京", "--seed", 1)
    values = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert "東京" in out  # not escaped
    expected = textgenrnn(model_file).generate_results(3, prefix="東京", temperature=0.7, seed=1)
    assert values == [
        {
            "text": result.text,
            "finish_reason": result.finish_reason,
            "tokens": len(result.token_ids),
        }
        for result in expected
    ]


def test_texts_go_into_a_file(cli: Cli, model_file: Path, tmp_path: Path) -> None:
    expected = "\n".join(texts_of(model_file, 2, temperature=0.7, seed=3)) + "\n"
    arguments = ("generate", model_file, "-n", 2, "--seed", 3, "-o", "texte für alle.txt")
    assert cli(*arguments) == (0, "", "")
    path = tmp_path / "texte für alle.txt"
    assert path.read_text(encoding="utf-8") == expected
    path.write_text("old")
    code, _, err = cli(*arguments)
    assert code == 1
    assert err == (
        "textgenrnn: `texte für alle.txt` exists; give --force to replace it, or another "
        "--output.\n"
    )
    assert path.read_text() == "old"
    assert cli(*arguments, "--force").code == 0
    assert path.read_text(encoding="utf-8") == expected


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ("-n 0", "-n must be a whole number of at least 1, got 0."),
        ("--max-length 0", "--max-length must be a whole number of at least 1, got 0."),
        ("--min-length -1", "--min-length must be a whole number of at least 0, got -1."),
        (
            "--min-length 9 --max-length 3",
            "--min-length must not be above --max-length, got 9 and 3; lower the one or raise the "
            "other.",
        ),
        (
            "--top-k 0",
            "--top-k must be a whole number of at least 1, got 0; leave it out to turn it off.",
        ),
        ("--top-p 1.5", "--top-p must be in (0, 1], got 1.5; leave it out to turn it off."),
        ("--min-p 0", "--min-p must be in (0, 1], got 0.0; leave it out to turn it off."),
        (
            "--repetition-penalty 0.5",
            "--repetition-penalty must be a number of at least 1, got "
            "0.5; leave it out to turn it off.",
        ),
        (
            "--temperature=-1",
            "--temperature must be at least 0 (0: always the likeliest), got -1.0.",
        ),
        (
            "--temperature nan",
            "--temperature must be a number of at least 0 or a list of such numbers, got nan.",
        ),
        (
            "--temperature hot",
            "--temperature takes a number or several separated by commas, such "
            "as 0.7 or 1.0,0.5,0.2; got 'hot'.",
        ),
        ("--seed -1", "--seed must be a whole number of at least 0, got -1."),
    ],
)
def test_values_out_of_range(cli: Cli, model_file: Path, options: str, error: str) -> None:
    assert cli("generate", model_file, *options.split()) == (2, "", f"textgenrnn: {error}\n")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nope.safetensors", None, "`nope.safetensors` does not exist; "),
        ("empty.safetensors", b"", "`empty.safetensors` is empty, expected a model; "),
        ("text.txt", b"Oslo\nParis\n", "`text.txt` is a text file, expected a model; "),
        (".", None, "`.` is a folder, expected a file; "),
    ],
)
def test_files_that_are_no_models(
    cli: Cli, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, out, err = cli("generate", name)
    assert (code, out) == (1, "")
    assert err.startswith(f"textgenrnn: {message}")
    assert err.count("\n") == 1


def test_texts_that_run_out_are_said_in_a_line(
    cli: Cli, tmp_path: Path, make_chain: MakeModel
) -> None:
    path = tmp_path / "two.safetensors"
    save_model(make_chain({"<s>": {"a": 0.5, "b": 0.5}, "a": {"<s>": 1}, "b": {"<s>": 1}}), path)
    code, out, err = cli("generate", path, "--unique", "-t", "1", "-n", "9", "--seed", "1")
    assert code == 0
    assert sorted(out.splitlines()) == ["a", "b"]
    assert err.startswith("textgenrnn: only 2 of 9 texts differ after ")
    assert err.count("\n") == 1


def test_characters_that_the_output_lacks_are_escaped(
    cli: Cli, model_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    assert cli("generate", model_file, "-n", 1, "--prefix", "東a").code == 0
    assert raw.getvalue().startswith(b"\\u6771a")


def test_ctrl_c_ends_it(cli: Cli, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("textgenrnn.generation.generate", interrupted)
    code, out, err = cli("generate", model_file)
    assert (code, out) == (130, "")
    assert "Traceback" not in err
