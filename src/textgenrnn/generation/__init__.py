"""Text from a model, with NumPy alone: step → stream → generate."""

from textgenrnn.generation.decoder import Decoder, DecoderState
from textgenrnn.generation.generate import generate
from textgenrnn.generation.result import FinishReason, GenerationResult, GenerationWarning
from textgenrnn.generation.stream import stream

__all__ = [
    "Decoder",
    "DecoderState",
    "FinishReason",
    "GenerationResult",
    "GenerationWarning",
    "generate",
    "stream",
]
