"""What the hub's listings and cards say, as cards of ours. Whatever is missing, odd or hostile in them costs its field.

Pure: reads what was fetched, fetches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from engine.retrieval.card import Column, DatasetCard, ModelCard, is_hub_name
from engine.text import clean

__all__ = ["dataset_of", "described", "model_of", "weights_file"]

_LONGEST_DESCRIPTION: Final = 1000  # characters: what is said further down is installation and bibliography
_LONGEST_NAME: Final = 200
_LONGEST_PAGE: Final = 50_000  # characters that are looked through
_MOST_TAGS: Final = 40
_MOST_COLUMNS: Final = 60
_MOST_LABELS: Final = 300
_MOST_LANGUAGES: Final = 12  # a longer list is said in one word

_WIDTHS: Final = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "F16": 2, "BF16": 2, "I16": 2, "F8_E4M3": 1, "F8_E5M2": 1,
                  "I8": 1, "U8": 1, "BOOL": 1}  # fmt: skip
"""Bytes of one number in a safetensors file."""

_WEIGHTS: Final = ("model.safetensors", "pytorch_model.bin")

_HEADS: Final = {"ForConditionalGeneration": "seq2seq", "ForCausalLM": "causal", "LMHeadModel": "causal"}
_SEQ2SEQ: Final = {"t5", "mt5", "umt5", "bart", "mbart", "pegasus", "marian", "m2m_100", "longt5", "led", "blenderbot",
                   "switch_transformers", "prophetnet", "nllb-moe"}  # fmt: skip

_TYPES: Final = {"string": "text", "large_string": "text", "bool": "bool", "binary": "bytes", "image": "bytes",
                 "audio": "bytes", "null": "unknown"}  # fmt: skip

# A card begins with a head of YAML, and holds code, pictures, links and markup.
_NOISE: Final = (
    (re.compile(r"\A\s*---\s*\n.*?\n---\s*(\n|\Z)", re.DOTALL), ""),
    (re.compile(r"```.*?(```|\Z)", re.DOTALL), " "),
    (re.compile(r"<!--.*?(-->|\Z)", re.DOTALL), " "),
    (re.compile(r"<(script|style)\b.*?(</\1>|\Z)", re.DOTALL | re.IGNORECASE), " "),
    (re.compile(r"</?[a-zA-Z!?][^<>]{0,2000}>"), " "),
    (re.compile(r"!\[[^\]]*\]\([^)]*\)"), " "),
    (re.compile(r"\[([^\]]*)\]\([^)]*\)"), r"\1"),
    (re.compile(r"https?://\S+"), " "),
    (re.compile(r"^\s*(#+|[-*+]|\d+\.)\s+", re.MULTILINE), " "),
    (re.compile(r"[*_`|<>]{1,}|={3,}|-{3,}"), " "),
)


def model_of(item: object) -> ModelCard | None:
    """The card of a line of the models' listing, without its description; None where it names no model."""
    if not isinstance(item, dict) or not _name(item):
        return None
    config = _mapping(item.get("config"))
    architecture = _text(config.get("model_type")) or "unknown"
    task = _text(item.get("pipeline_tag")) or "unknown"
    parameters, size = _weights(_mapping(item.get("safetensors")))
    return ModelCard(
        description=f"A model for {task}.",
        task=task,
        family=_family(architecture, _texts(config.get("architectures")), _texts(item.get("tags"))),
        architecture=architecture,
        parameters=parameters,
        bytes=size,
        **_common(item),
    )


def dataset_of(item: object) -> DatasetCard | None:
    """The card of a line of the data sets' listing; None where it names no data set."""
    if not isinstance(item, dict) or not (name := _name(item)):
        return None
    head = _mapping(item.get("cardData"))
    parts = [part for part in _list(head.get("dataset_info")) if isinstance(part, dict)]
    said = _prose(item.get("description")) or _text(head.get("pretty_name"))
    return DatasetCard(
        description=said or f"The data set {name}.",
        rows=_sum(_count(_mapping(split).get("num_examples")) for part in parts for split in _list(part.get("splits"))),
        bytes=_sum(_count(part.get("download_size")) for part in parts),
        configs=_configs(head, parts),
        columns=_columns(parts[0]) if parts else (),
        **_common(item),
    )


def _common(item: Mapping[str, Any]) -> dict[str, Any]:
    """What both listings say."""
    tags = [tag for tag in _texts(item.get("tags")) if tag]
    head = _mapping(item.get("cardData"))
    return {
        "id": _name(item),
        "tags": _plain(tags),
        "languages": _languages(head, tags),
        "licence": _licence(head, tags),
        "downloads": _count(item.get("downloads")) or 0,
        "gated": bool(item.get("gated")),
        "updated": _text(item.get("lastModified")) or None,
    }


def described(card: ModelCard, readme: bytes | None, *, size: int | None = None) -> ModelCard:
    """The card with what its page says, as far as it says anything, and the size that was found."""
    said = _prose((readme or b"").decode("utf-8", "replace"))
    return replace(card, description=said or card.description, bytes=size or card.bytes)


def weights_file(item: Mapping[str, Any]) -> str | None:
    """The one file that holds a model's weights, if the listing names one."""
    names = {_text(_mapping(sibling).get("rfilename")) for sibling in _list(item.get("siblings"))}
    return next((name for name in _WEIGHTS if name in names), None)


def _prose(page: object) -> str:
    if not isinstance(page, str):
        return ""
    page = page[:_LONGEST_PAGE]
    for pattern, instead in _NOISE:
        page = pattern.sub(instead, page)
    return clean(page, limit=_LONGEST_DESCRIPTION)


def _weights(said: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Parameters and bytes, from how many numbers of each width a model has."""
    counts = {kind: _count(number) for kind, number in _mapping(said.get("parameters")).items()}
    if not counts or any(number is None or kind not in _WIDTHS for kind, number in counts.items()):
        return _count(said.get("total")), None
    size = sum(_WIDTHS[kind] * (number or 0) for kind, number in counts.items())
    return _count(said.get("total")) or sum(number or 0 for number in counts.values()), size


def _family(architecture: str, classes: Iterable[str], tags: Iterable[str]) -> str:
    if "sentence-transformers" in tags:
        return "embedding"
    if architecture in _SEQ2SEQ:
        return "seq2seq"
    for name in classes:
        for ending, family in _HEADS.items():
            if name.endswith(ending):
                return family
    return "classifier"


def _columns(part: Mapping[str, Any]) -> tuple[Column, ...]:
    found = (_column(feature) for feature in _list(part.get("features"))[:_MOST_COLUMNS] if isinstance(feature, dict))
    return tuple(column for column in found if column.name)


def _column(feature: Mapping[str, Any]) -> Column:
    name, kind = _text(feature.get("name")), feature.get("dtype")
    if isinstance(kind, dict) and isinstance(kind.get("class_label"), dict):
        return Column(name, "label", _label_names(kind["class_label"].get("names")))
    if "list" in feature or "sequence" in feature:
        return Column(name, "list")
    if "struct" in feature or isinstance(kind, dict):
        return Column(name, "object")
    return Column(name, _type(_text(kind)))


def _type(kind: str) -> str:
    if kind.startswith(("int", "uint")):
        return "int"
    if kind.startswith(("float", "double")):
        return "float"
    if kind.startswith(("timestamp", "date", "time")):
        return "time"
    return _TYPES.get(kind, "unknown")


def _label_names(names: object) -> tuple[str, ...]:
    """The names behind class ids: a list, or the ids (as text) and their names."""
    if isinstance(names, dict):
        ids = sorted((int(key), value) for key, value in names.items() if str(key).isdecimal())
        names = [value for _, value in ids] if [key for key, _ in ids] == list(range(len(ids))) else []
    return tuple(_text(name) for name in _list(names)[:_MOST_LABELS])


def _configs(head: Mapping[str, Any], parts: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    named = [_text(_mapping(config).get("config_name")) for config in (*_list(head.get("configs")), *parts)]
    return tuple(dict.fromkeys(name for name in named if name))[:_MOST_COLUMNS]


def _sum(counts: Iterable[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None


def _licence(head: Mapping[str, Any], tags: Iterable[str]) -> str:
    told = head.get("license")
    named = ", ".join(_texts(told)) if isinstance(told, list) else _text(told)
    return named or next((tag.removeprefix("license:") for tag in tags if tag.startswith("license:")), "unknown")


def _languages(head: Mapping[str, Any], tags: Iterable[str]) -> tuple[str, ...]:
    told = head.get("language")
    codes = _texts(told) if isinstance(told, list) else [_text(told)]
    codes += [tag.removeprefix("language:") for tag in tags if tag.startswith("language:")]
    known = tuple(dict.fromkeys(code.lower() for code in codes if re.fullmatch(r"[a-zA-Z]{2,3}|multilingual", code)))
    return ("multilingual",) if len(known) > _MOST_LANGUAGES else known


def _plain(tags: Iterable[str]) -> tuple[str, ...]:
    """The tags that say what something is for; those like "arxiv:…" or "region:…" are for machines."""
    worth = [tag.removeprefix("task_categories:").removeprefix("task_ids:") for tag in tags]
    return tuple(dict.fromkeys(tag for tag in worth if ":" not in tag))[:_MOST_TAGS]


def _name(item: Mapping[str, Any]) -> str:
    name = _text(item.get("id"))
    return name if is_hub_name(name) else ""


def _text(value: object) -> str:
    return clean(value, limit=_LONGEST_NAME) if isinstance(value, str) else ""


def _texts(value: object) -> list[str]:
    return [_text(item) for item in _list(value) if isinstance(item, str)]


def _list(value: object) -> list[Any]:
    if isinstance(value, dict):
        return [value]  # a card with one part often writes it without the list around it
    return value if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**62 else None
