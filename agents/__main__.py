"""`python -m agents` is `smelt`."""

from __future__ import annotations

from agents.cli import main

if __name__ == "__main__":
    main()
