"""The class ``textgenrnn``: the original's interface, thin over the rooms below it."""

from textgenrnn.api.generator import textgenrnn

__all__ = ["textgenrnn"]
