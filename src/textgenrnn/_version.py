"""The package's version, read by the build and by `textgenrnn.__version__`."""

__version__ = "3.0.0a1"
