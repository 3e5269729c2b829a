"""``python -m textgenrnn`` is the command ``textgenrnn``."""

from textgenrnn.cli import main

if __name__ == "__main__":
    main()
