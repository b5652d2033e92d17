"""Search by meaning: texts as vectors of any sentence encoder on this machine. Knows texts, vectors and files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from engine.errors import MissingExtra, UserError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Encoder", "Encodes", "nearest"]

_LONGEST: Final = 256  # tokens: what small encoders were trained on, and more than most cards say
_BATCH: Final = 64


class Encodes(Protocol):
    """Whoever turns texts into vectors of length 1. `name` changes when the vectors do."""

    @property
    def name(self) -> str: ...

    def of_texts(self, texts: Sequence[str]) -> NDArray[np.float32]: ...

    def of_query(self, query: str) -> NDArray[np.float32]: ...


class Encoder:
    """A sentence encoder in a folder, as sentence-transformers or transformers save them; vectors have length 1.

    Pooling and the words that it wants before a query are those its folder names; otherwise the mean, and none.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import torch
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise MissingExtra("train", needed_for="searching with an encoder") from error
        if not (folder / "config.json").is_file():
            raise UserError(f"{folder}: holds no encoder (no config.json); name the folder of a sentence encoder")
        self.folder = folder
        prompts = _json(folder / "config_sentence_transformers.json").get("prompts") or {}
        self._before_query = str(prompts.get("query") or "")
        self._before_text = str(prompts.get("document") or prompts.get("passage") or "")
        self._takes_first = bool(_json(folder / "1_Pooling" / "config.json").get("pooling_mode_cls_token"))
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(f"{folder}: cannot be loaded as an encoder: {str(error).splitlines()[0]}") from error
        self._torch = torch

    def __repr__(self) -> str:
        return f"<Encoder {self.folder}>"

    @property
    def name(self) -> str:
        """The folder, and when its settings were last written: another model may be put there."""
        return f"{self.folder.resolve()} {(self.folder / 'config.json').stat().st_mtime_ns}"

    def of_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A row for each text, in their order."""
        return self._vectors([self._before_text + text for text in texts])

    def of_query(self, query: str) -> NDArray[np.float32]:
        """The vector of a query."""
        vector: NDArray[np.float32] = self._vectors([self._before_query + query])[0]
        return vector

    def _vectors(self, texts: Sequence[str]) -> NDArray[np.float32]:
        import numpy as np

        # Texts of like length go together: what is padded is paid for.
        order = sorted(range(len(texts)), key=lambda position: len(texts[position]))
        found = np.zeros((len(texts), self._model.config.hidden_size), dtype=np.float32)
        for start in range(0, len(order), _BATCH):
            positions = order[start : start + _BATCH]
            found[positions] = self._batch([texts[position] for position in positions])
        return found

    def _batch(self, texts: list[str]) -> Any:
        torch = self._torch
        tokens = self._tokenizer(texts, padding=True, truncation=True, max_length=_LONGEST, return_tensors="pt")
        with torch.inference_mode():
            states = self._model(**tokens).last_hidden_state
        if self._takes_first:
            pooled = states[:, 0]
        else:
            mask = tokens["attention_mask"].unsqueeze(-1)
            pooled = (states * mask).sum(1) / mask.sum(1).clamp(min=1)
        return torch.nn.functional.normalize(pooled.float(), dim=1).numpy()


def nearest(vectors: NDArray[np.float32], query: NDArray[np.float32], *, k: int) -> list[int]:
    """The positions of the k vectors that point most as the query does, nearest first; of equals the earlier."""
    import numpy as np

    likeness = vectors @ query
    candidates = np.arange(len(likeness))
    if 0 < k < len(likeness):  # ordering a hundred thousand costs more than finding the few at the top
        candidates = np.flatnonzero(likeness >= np.partition(likeness, -k)[-k])
    best: list[int] = candidates[np.lexsort((candidates, -likeness[candidates]))][:k].tolist()
    return best


def _json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a folder of transformers has no such file
        return {}
    return told if isinstance(told, dict) else {}
