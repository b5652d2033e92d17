"""Texts as vectors of an encoder on this machine (BERT kinds). Knows files and tensors; no search and no labels."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from engine.errors import MissingExtra, UserError
from engine.silence import without_bars
from engine.text import first_line

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Encoder", "Read", "check_encoder", "padded"]

LONGEST: Final = 512  # tokens: what encoders of this kind were trained on; each costs time in every row
ROWS_AT_ONCE: Final = 64
TOKENS_AT_ONCE: Final = 8192  # padding among them: some hundred megabytes in a small encoder

POOLINGS: Final = ("mean", "cls", "max")

_TOKENIZERS: Final = ("tokenizer.json", "vocab.txt", "vocab.json", "tokenizer.model", "spiece.model",
                      "sentencepiece.bpe.model")  # fmt: skip
_WRITERS: Final = ("ForCausalLM", "LMHeadModel", "ForConditionalGeneration")


@dataclass(frozen=True, slots=True)
class Read:
    """A text as tokens, at least one, up to what the encoder can read."""

    tokens: list[int]
    is_cut: bool


class Encoder:
    """An encoder in a folder, as sentence-transformers or transformers save them; vectors have length 1.

    Pooling, the longest text and the words that it wants before one are those its folder names; otherwise the mean, 512
    tokens, and none. Raises UserError for a folder that holds no encoder, and MissingExtra without torch.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import torch
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise MissingExtra("train", needed_for="reading with an encoder") from error
        check_encoder(folder)
        self.folder = folder
        self._torch = torch
        self._pooling = _pooling(folder)
        self._prompts = _prompts(folder)
        try:
            with _quietly():
                self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
                self.model, told = AutoModel.from_pretrained(
                    folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=torch.float32,
                    output_loading_info=True,
                )  # fmt: skip
        # Whatever is wrong with foreign files, each library has its own words for it; these are none of our bugs.
        except Exception as error:
            raise UserError(f"{folder}: cannot be loaded as an encoder: {first_line(error)}") from error
        _check_whole(folder, told)
        if getattr(self.model, "pooler", None) is not None:
            self.model.pooler = None  # for guessing what sentence comes next: not used, and often not even trained
        self.model.eval()
        self.longest = _longest(self.model, self.tokenizer, folder)

    def __repr__(self) -> str:
        return f"<Encoder {self.folder}>"

    @property
    def name(self) -> str:
        """The folder, and when its settings were last written: another model may be put there."""
        return f"{self.folder.resolve()} {(self.folder / 'config.json').stat().st_mtime_ns}"

    @property
    def width(self) -> int:
        """How many numbers a vector has."""
        return int(self.model.config.hidden_size)

    @property
    def pad(self) -> int:
        told = self.tokenizer.pad_token_id
        return int(told if told is not None else self.model.config.pad_token_id or 0)

    def of_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """A row for each text to be found, in their order."""
        return self.vectors(self.read(texts, wanted=("document", "passage")))

    def of_tokens(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        """For each text the vectors of its tokens in their context, (tokens, width), each of length 1.

        The encoder's own marks are left out, nothing stands before a text, and nothing is pooled.
        """
        reads = self.read(texts, wanted=())
        marks = set(self.tokenizer.all_special_ids) - {self.tokenizer.unk_token_id}
        found: dict[int, NDArray[np.float32]] = {}
        for rows in _batches([len(read.tokens) for read in reads]):
            ids, mask = padded([reads[row].tokens for row in rows], pad=self.pad)
            vectors = self._in_context(ids, mask)
            for vector, row in zip(vectors, rows, strict=True):
                found[row] = vector[[at for at, token in enumerate(reads[row].tokens) if token not in marks]]
        return [found[row] for row in range(len(reads))]

    def _in_context(self, ids: Any, mask: Any) -> Any:
        device = self.model.device
        with self._torch.inference_mode():
            states = self.model(input_ids=ids.to(device), attention_mask=mask.to(device)).last_hidden_state.float()
        return self._torch.nn.functional.normalize(states, dim=2).cpu().numpy()

    def of_query(self, query: str) -> NDArray[np.float32]:
        """The vector of a query."""
        vector: NDArray[np.float32] = self.vectors(self.read([query], wanted=("query",)))[0]
        return vector

    def read(self, texts: Sequence[str], *, wanted: Sequence[str] = ("classification", "query")) -> list[Read]:
        """The texts as tokens, each behind the first words that the encoder wants before texts of a `wanted` kind."""
        if not texts:
            return []
        before = next((words for kind in wanted if (words := self._prompts.get(kind))), "")
        clean = [before + text.encode("utf-8", "replace").decode() for text in texts]  # a lone surrogate is no text
        whole = self.tokenizer(clean, verbose=False)["input_ids"]
        return [
            Read(list(tokens) or [self.pad], False)
            if len(tokens) <= self.longest
            else Read(self._shortened(text), True)
            for tokens, text in zip(whole, clean, strict=True)
        ]

    def _shortened(self, text: str) -> list[int]:
        return list(self.tokenizer(text, truncation=True, max_length=self.longest)["input_ids"])

    def vectors(self, reads: Sequence[Read]) -> NDArray[np.float32]:
        """A row for each of them, in their order."""
        import numpy as np

        found = np.zeros((len(reads), self.width), dtype=np.float32)
        for rows in _batches([len(read.tokens) for read in reads]):
            ids, mask = padded([reads[row].tokens for row in rows], pad=self.pad)
            device = self.model.device
            with self._torch.inference_mode():
                found[rows] = self.pooled(ids.to(device), mask.to(device)).cpu().numpy()
        return found

    def pooled(self, ids: Any, mask: Any) -> Any:
        """A vector of length 1 for each row of tokens: (rows, tokens) to (rows, width)."""
        states = self.model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        if self._pooling == "cls":
            pooled = states[:, 0]
        elif self._pooling == "max":
            pooled = states.masked_fill(mask.unsqueeze(-1) == 0, -self._torch.inf).amax(1)
        else:
            counted = mask.unsqueeze(-1)
            pooled = (states * counted).sum(1) / counted.sum(1).clamp(min=1)
        return self._torch.nn.functional.normalize(pooled, dim=1)

    def save(self, folder: Path) -> None:
        """Write it as it is now, for `Encoder`, transformers and sentence-transformers to read."""
        with _quietly():
            self.model.save_pretrained(folder)
            self.tokenizer.save_pretrained(folder)
        modes = {f"pooling_mode_{mode}_token{'' if mode == 'cls' else 's'}": mode == self._pooling for mode in POOLINGS}
        for name, told in {
            "modules.json": [_module(0, "", "Transformer"), _module(1, "1_Pooling", "Pooling"),
                             _module(2, "2_Normalize", "Normalize")],
            "sentence_bert_config.json": {"max_seq_length": self.longest, "do_lower_case": False},
            "config_sentence_transformers.json": {"prompts": self._prompts},
            "1_Pooling/config.json": {"word_embedding_dimension": self.width, **modes},
        }.items():  # fmt: skip
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")


def check_encoder(folder: Path) -> None:
    """Refuse what cannot be an encoder, without loading anything. Raises UserError, saying what is missing."""
    config = _json(folder / "config.json")
    if not config:
        raise UserError(f"{folder}: holds no encoder (no config.json); name the folder of a sentence encoder")
    if "auto_map" in config:
        raise UserError(f"{folder}: brings code of its own, which is never run; take another encoder")
    if config.get("is_encoder_decoder") or any(name.endswith(_WRITERS) for name in _names(config)):
        raise UserError(f"{folder}: is no encoder but a model that writes ({', '.join(_names(config))})")
    if not any(folder.glob("*.safetensors")):
        pickles = sorted(path.name for pattern in ("*.bin", "*.pt", "*.ckpt") for path in folder.glob(pattern))
        if pickles:
            raise UserError(
                f"{folder}: has its weights as a pickle ({pickles[0]}), which could run anything and is never loaded; "
                "save it as safetensors, or take an encoder that is"
            )
        raise UserError(f"{folder}: holds no weights (no *.safetensors)")
    if not any((folder / name).is_file() for name in _TOKENIZERS):
        raise UserError(f"{folder}: holds no tokenizer (no tokenizer.json); put it there, or take another encoder")


def padded(rows: Sequence[Sequence[int]], *, pad: int) -> tuple[Any, Any]:
    """Tokens as tensors (rows, longest): the ids, and a mask that is 1 where there is one."""
    import torch

    ids = torch.full((len(rows), max(map(len, rows))), pad)
    mask = torch.zeros_like(ids)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
        mask[place, : len(row)] = 1
    return ids, mask


def _batches(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Row numbers that are read together: of like length, since what is padded is paid for."""
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lambda row: lengths[row]):
        if batch and (len(batch) == ROWS_AT_ONCE or (len(batch) + 1) * lengths[row] > TOKENS_AT_ONCE):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _check_whole(folder: Path, told: dict[str, Any]) -> None:
    """transformers makes up what is missing by chance, and an encoder of chance would pass for one."""
    missing = sorted(name for name in told["missing_keys"] if not name.startswith("pooler."))
    if missing:
        raise UserError(
            f"{folder}: its weights lack {len(missing)} parts of the encoder ({missing[0]}, ...); take another encoder"
        )


def _longest(model: Any, tokenizer: Any, folder: Path) -> int:
    """The most tokens of a text, marks included, by whoever says least."""
    places = getattr(model.config, "max_position_embeddings", None) or LONGEST
    if model.config.pad_token_id == 1:
        places -= 2  # RoBERTa kinds count their places from behind the padding's number
    told = _json(folder / "sentence_bert_config.json").get("max_seq_length")
    return int(
        min(LONGEST, places, tokenizer.model_max_length, told if isinstance(told, int) and told > 0 else LONGEST)
    )


def _pooling(folder: Path) -> str:
    told = _json(folder / "1_Pooling" / "config.json")
    switches = [name for name, is_on in told.items() if name.startswith("pooling_mode_") and is_on is True]
    modes = {name.removeprefix("pooling_mode_").partition("_token")[0] for name in switches}
    if isinstance(told.get("pooling_mode"), str):
        modes = {told["pooling_mode"]}
    # The square root of the length changes how long a vector is, and all are made as long as each other.
    modes = {"mean" if mode == "mean_sqrt_len" else mode for mode in modes} or {"mean"}
    if len(modes) > 1 or not modes <= set(POOLINGS):
        raise UserError(
            f"{folder}: makes its vectors by {' and '.join(sorted(modes))}; read are encoders that do by one of "
            f"{', '.join(POOLINGS)}"
        )
    return modes.pop()


def _prompts(folder: Path) -> dict[str, str]:
    told = _json(folder / "config_sentence_transformers.json").get("prompts")
    return {kind: words for kind, words in told.items() if isinstance(words, str)} if isinstance(told, dict) else {}


def _names(config: dict[str, Any]) -> list[str]:
    told = config.get("architectures")
    return [str(each) for each in told] if isinstance(told, list) else []


def _module(number: int, path: str, kind: str) -> dict[str, object]:
    return {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}


def _json(path: Path) -> dict[str, Any]:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # a folder of transformers lacks most of these files
        return {}
    return told if isinstance(told, dict) else {}


@contextmanager
def _quietly() -> Iterator[None]:
    """Without bars, and without the tables that transformers writes about weights."""
    from transformers.utils import logging

    loudness = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        with without_bars():
            yield
    finally:
        logging.set_verbosity(loudness)
