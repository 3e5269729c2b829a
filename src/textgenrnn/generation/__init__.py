"""Text from a model, with NumPy alone: step → stream → generate."""

from textgenrnn.generation.decoder import Decoder, DecoderState
from textgenrnn.generation.forms import AnyDecoder, make_decoder
from textgenrnn.generation.generate import generate
from textgenrnn.generation.result import FinishReason, GenerationResult, GenerationWarning
from textgenrnn.generation.stream import stream

__all__ = [
    "AnyDecoder",
    "Decoder",
    "DecoderState",
    "FinishReason",
    "GenerationResult",
    "GenerationWarning",
    "generate",
    "make_decoder",
    "stream",
]
