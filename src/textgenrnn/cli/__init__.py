"""The command ``textgenrnn``; each sub-command imports what it needs when it runs."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command; exits with 0, 1 (failure), 2 (usage) or 130 (interrupted)."""
    try:
        # In here, since importing it takes a moment in which people may press Ctrl-C.
        from textgenrnn.cli.app import run

        status = run(sys.argv[1:])
    except KeyboardInterrupt:
        print("textgenrnn: interrupted", file=sys.stderr)
        status = 130
    sys.exit(status)
