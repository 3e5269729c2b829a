"""The command ``textgenrnn``; each sub-command imports what it needs when it runs."""

from textgenrnn.cli.main import main

__all__ = ["main"]
