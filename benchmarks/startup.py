"""Seconds and memory from the shell's start: help, version, first text. POSIX only.

python benchmarks/startup.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import machine, save, spread

REPEATS = 9
# Linux counts a parent's memory at the fork as the child's, so this process stays small: it imports
# nothing of the package and lets another one write the model.
MAKE_MODEL = """
import sys
from textgenrnn.config import ModelConfig
from textgenrnn.network.model import LanguageModel
from textgenrnn.network.parameters import initial_parameters
from textgenrnn.storage import save_model
from textgenrnn.tokenizers import CharTokenizer

tokenizer = CharTokenizer.from_texts([" abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"])
config = ModelConfig(
    vocab_size=len(tokenizer.vocabulary) + 1,
    hidden_size=384,
    num_layers=1,
    attention=True,
    context_length=16,
)
save_model(LanguageModel(config, initial_parameters(config, 0), tokenizer), sys.argv[1])
"""


def measure(command: list[str]) -> tuple[float, float, float]:
    """Return seconds to the first output line, seconds to the end, and peak memory in MB."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    first = time.perf_counter() - start
    process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} failed with {process.returncode}")
    per_mb = 2**20 if sys.platform == "darwin" else 2**10
    return first, time.perf_counter() - start, usage.ru_maxrss / per_mb


def main() -> None:
    description = machine()
    executable = str(Path(sys.executable).with_name("textgenrnn"))
    with tempfile.TemporaryDirectory() as folder:
        model = str(Path(folder) / "model.safetensors")
        subprocess.run([sys.executable, "-c", MAKE_MODEL, model], check=True)
        commands = {
            "--version": [executable, "--version"],
            "--help": [executable, "--help"],
            "generate 1 text": [executable, "generate", model, "-n", "1"],
        }
        results = {}
        for name, command in commands.items():
            measure(command)
            runs = [measure(command) for _ in range(REPEATS)]
            first, whole, memory = zip(*runs, strict=True)
            results[name] = {
                "first_line_s": spread(first),
                "whole_s": spread(whole),
                "peak_memory_mb": spread(memory),
            }
            print(
                f"{name:<16} first line {results[name]['first_line_s']['median']:.3f} s, "
                f"whole {results[name]['whole_s']['median']:.3f} s, "
                f"{results[name]['peak_memory_mb']['median']:.0f} MB"
            )
    save("startup", results, description)


if __name__ == "__main__":
    main()
