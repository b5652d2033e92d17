"""What transformers and peft draw and say on the screen, held back: it is not their business."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["in_silence", "without_bars"]


@contextmanager
def without_bars() -> Iterator[None]:
    """No progress bars of transformers over whatever is on the screen."""
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextmanager
def in_silence() -> Iterator[None]:
    """Neither bars nor warnings."""
    with without_bars(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
