"""A model's folder: found on this machine, and read as far as that goes without loading anything.

Knows files and no tensors. Refuses what would run foreign code, and weights that are not safetensors.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import orjson

from engine.errors import UserError

__all__ = ["HUB", "Checkpoint", "Kind", "cached", "find"]

HUB: Final = "hub:"
"""Before a name: whoever writes it asks for the model to be fetched from the hub when it is not on this machine."""

Kind = Literal["causal", "seq2seq"]

_ENDINGS: Final[Mapping[str, Kind]] = {
    "ForCausalLM": "causal",
    "LMHeadModel": "causal",
    "ForConditionalGeneration": "seq2seq",
}
_FETCHED: Final = ("*.json", "*.jinja", "*.model", "*.txt", "*.safetensors")
_LOOKED_INTO: Final = 1 << 20  # bytes at both ends of a file of weights: training changes some of them


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder with a configuration, a tokenizer and weights, all of which can be had without a network.

    `fingerprint` tells the files apart wherever they lie: another revision of a model answers otherwise.
    """

    name: str
    folder: Path
    kind: Kind
    fingerprint: str
    size: int  # of the weights, in bytes
    is_chat: bool  # whether it says how a conversation is written

    @classmethod
    def of(cls, name: str, folder: Path) -> Checkpoint:
        """Read what the folder says of itself. Raises UserError when it cannot be used, and why."""
        config = _json(folder / "config.json", name)
        if "auto_map" in config:
            raise UserError(f"model 'local/{name}' brings code of its own, which is never run; take another model")
        weights = sorted(folder.glob("*.safetensors"))
        if not weights:
            raise UserError(f"model 'local/{name}': {folder} holds no weights as safetensors; nothing else is loaded")
        return cls(
            name=name,
            folder=folder,
            kind=_kind(config, name),
            fingerprint=_fingerprint(folder, weights),
            size=sum(path.stat().st_size for path in weights),
            is_chat=_has_template(folder),
        )


def find(name: str, *, cache: Path | None = None) -> Checkpoint:
    """The checkpoint that `local/NAME` means: a folder, or an id in the hub's cache on this machine.

    Only `hub:ORG/NAME` is fetched, and only when it is not there yet. Raises UserError, with the way to get it.
    """
    wanted = name.removeprefix(HUB)
    folder = Path(wanted).expanduser()
    if folder.is_dir():  # known by its own name, wherever it lies
        return Checkpoint.of(folder.resolve().name, folder)
    here = _snapshot(_hub_cache(cache) / f"models--{wanted.replace('/', '--')}")
    if here is None and name.startswith(HUB):
        here = _fetched(wanted, cache=cache)
    if here is None:
        way = f"; to fetch it from the hub, write local/{HUB}{wanted}" if wanted.count("/") == 1 else ""
        raise UserError(f"model 'local/{wanted}' is neither a folder nor in the hub's cache on this machine{way}")
    return Checkpoint.of(wanted, here)


def cached(*, cache: Path | None = None) -> list[Checkpoint]:
    """What the hub's cache on this machine holds that can answer in a conversation, the largest first."""
    found = []
    for place in sorted(_hub_cache(cache).glob("models--*")):
        name = place.name.removeprefix("models--").replace("--", "/")
        folder = _snapshot(place)
        if folder is None or not _has_template(folder):
            continue
        try:
            found.append(Checkpoint.of(name, folder))
        except UserError:  # a tokenizer alone, an encoder, a model with code of its own: not asked for by anybody
            continue
    return sorted(found, key=lambda each: (-each.size, each.name))


def _snapshot(place: Path) -> Path | None:
    """The revision that `main` names, else any that is there."""
    named = place / "refs" / "main"
    if named.is_file():
        revision = place / "snapshots" / named.read_text(encoding="utf-8").strip()
        if revision.is_dir():
            return revision
    return next(iter(sorted((place / "snapshots").glob("*/"))), None)


def _hub_cache(cache: Path | None) -> Path:
    if cache is not None:
        return cache
    from huggingface_hub import constants

    return Path(constants.HF_HUB_CACHE)


def _fetched(name: str, *, cache: Path | None) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, cache_dir=cache, allow_patterns=list(_FETCHED)))
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise UserError(f"model 'local/{HUB}{name}' cannot be fetched from the hub ({type(error).__name__})") from None


def _json(path: Path, name: str) -> dict[str, object]:
    try:
        read: object = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        read = None
    if not isinstance(read, dict):
        raise UserError(f"model 'local/{name}': {path.parent} holds no readable config.json")
    return read


def _kind(config: Mapping[str, object], name: str) -> Kind:
    told = config.get("architectures")
    architectures = [str(each) for each in told] if isinstance(told, list) else []
    for architecture in architectures:
        for ending, kind in _ENDINGS.items():
            # Models that also look at pictures are called "conditional" too, and have no encoder of texts.
            if architecture.endswith(ending) and (kind == "causal" or config.get("is_encoder_decoder")):
                return kind
    told_as = ", ".join(architectures) or "nothing"
    raise UserError(f"model 'local/{name}' is no causal or seq2seq language model (it says {told_as})")


def _has_template(folder: Path) -> bool:
    if (folder / "chat_template.jinja").is_file():
        return True
    try:
        return b'"chat_template"' in (folder / "tokenizer_config.json").read_bytes()
    except OSError:
        return False


def _fingerprint(folder: Path, weights: list[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted([*folder.glob("*.json"), *folder.glob("*.jinja"), *weights]):
        digest.update(f"{path.name} {path.stat().st_size}\n".encode())
        for piece in _ends(path):
            digest.update(piece)
    return digest.hexdigest()[:16]


def _ends(path: Path) -> Iterator[bytes]:
    """A small file whole; of a large one the two ends, since reading tens of gigabytes would take minutes."""
    with path.open("rb") as file:
        yield file.read(_LOOKED_INTO)
        if (size := path.stat().st_size) > 2 * _LOOKED_INTO:
            file.seek(size - _LOOKED_INTO)
        yield file.read()
