"""Procedures over structured text: JSON, CSV, tables, settings, queries; a field out of it, or another form of it."""

from __future__ import annotations

import json
from random import Random
from typing import Final

from engine.training.seed.material import Maker, amount, code, field, latin, name, nothing, number, size
from engine.training.student import Row

__all__ = ["PROCEDURES"]

Record = dict[str, str]


def json_field(settings: Random) -> Maker:
    """The value of one field of a JSON object, or nothing."""
    keys, empty = _keys(settings), nothing(settings)

    def make(chance: Random) -> Row:
        record = _some(chance, keys)
        return Row(json.dumps(record, ensure_ascii=False), record.get(keys[0], empty))

    return make


def json_field_asked(_settings: Random) -> Maker:
    """The value of the field that is asked for, from a JSON object."""

    def make(chance: Random) -> Row:
        record = {latin(chance): field(chance) for _ in range(size(chance, 2, 3))}
        key = chance.choice(list(record))
        return Row(f"{key}\n{json.dumps(record, ensure_ascii=False)}", record[key])

    return make


def json_keys(settings: Random) -> Maker:
    """The names of the fields."""
    between = settings.choice((",", " ", ", "))

    def make(chance: Random) -> Row:
        record = {latin(chance): number(chance) for _ in range(size(chance, 2, 3))}
        return Row(json.dumps(record), between.join(record))

    return make


def inner_json_field(settings: Random) -> Maker:
    """A field of an object within an object."""
    outer, inner = _keys(settings)[:2]

    def make(chance: Random) -> Row:
        value = field(chance)
        record = {latin(chance): number(chance), outer: {latin(chance): number(chance), inner: value}}
        return Row(json.dumps(record, ensure_ascii=False), value)

    return make


def csv_column(settings: Random) -> Maker:
    """One column of a line, the same always."""
    between, columns = settings.choice((",", ";", "\t", "|", ", ")), settings.randint(3, 5)
    place = settings.randrange(columns)

    def make(chance: Random) -> Row:
        cells = [field(chance) for _ in range(columns)]
        return Row(between.join(cells), cells[place])

    return make


def csv_cell(settings: Random) -> Maker:
    """The cell below a certain heading, wherever that column stands."""
    between, keys = settings.choice((",", ";", "\t", "|")), _keys(settings)

    def make(chance: Random) -> Row:
        record = _whole(chance, keys)
        return Row(f"{between.join(record)}\n{between.join(record.values())}", record[keys[0]])

    return make


def table_cell(settings: Random) -> Maker:
    """The second column of the table's row that begins with the asked name."""
    edge = settings.choice(("| ", ""))

    def make(chance: Random) -> Row:
        rows = {name(chance): field(chance) for _ in range(size(chance, 2, 3))}
        key = chance.choice(list(rows))
        lines = [f"{edge}{one} | {two}{edge[::-1]}" for one, two in rows.items()]
        return Row("\n".join([key, *lines]), rows[key])

    return make


def setting_of_file(settings: Random) -> Maker:
    """The value of one line `key = value`, or nothing."""
    keys, empty, pairing = _keys(settings), nothing(settings), settings.choice((" = ", "=", ": "))

    def make(chance: Random) -> Row:
        record = _some(chance, keys)
        lines = [f"[{latin(chance)}]", *(key + pairing + value for key, value in record.items())]
        return Row("\n".join(lines), record.get(keys[0], empty))

    return make


def query_value(settings: Random) -> Maker:
    """The value of one part of a query `?a=1&b=2`, or nothing."""
    keys, empty = _keys(settings), nothing(settings)

    def make(chance: Random) -> Row:
        record = {key: latin(chance) for key in _some(chance, keys)}
        query = "&".join(f"{key}={value}" for key, value in record.items())
        return Row(f"{latin(chance)}/{latin(chance)}?{query}", record.get(keys[0], empty))

    return make


def element_text(settings: Random) -> Maker:
    """What stands in a certain element of markup, or nothing."""
    keys, empty = _keys(settings), nothing(settings)

    def make(chance: Random) -> Row:
        record = _some(chance, keys)
        return Row("".join(f"<{key}>{value}</{key}>" for key, value in record.items()), record.get(keys[0], empty))

    return make


def attribute_value(settings: Random) -> Maker:
    """The value of an attribute of a mark-up element."""
    keys = _keys(settings)

    def make(chance: Random) -> Row:
        record = _whole(chance, keys)
        told = " ".join(f'{key}="{value}"' for key, value in record.items())
        return Row(f"<{latin(chance)} {told}/>", record[keys[0]])

    return make


def pairs_to_json(settings: Random) -> Maker:
    """`a=1; b=2` as a JSON object."""
    pairing, between = settings.choice((("=", "; "), (": ", ", "), (":", "\n"), ("=", "&")))

    def make(chance: Random) -> Row:
        record = {latin(chance): field(chance) for _ in range(size(chance, 1, 3))}
        told = between.join(key + pairing + value for key, value in record.items())
        return Row(told, json.dumps(record, ensure_ascii=False))

    return make


def json_to_pairs(settings: Random) -> Maker:
    """A JSON object as `a=1; b=2`."""
    pairing, between = settings.choice((("=", "; "), (": ", ", "), (":", "\n"), ("=", "&"), (" is ", " and ")))

    def make(chance: Random) -> Row:
        record = {latin(chance): field(chance) for _ in range(size(chance, 1, 3))}
        told = between.join(key + pairing + value for key, value in record.items())
        return Row(json.dumps(record, ensure_ascii=False), told)

    return make


def columns_named(settings: Random) -> Maker:
    """The cells of a line with the names of their columns, which are the same always."""
    keys = _keys(settings)[: settings.randint(2, 4)]
    between = settings.choice((",", ";", "|", "\t", " / "))
    pairing, after = settings.choice((("=", " "), (": ", ", "), (":", "\n"), ("<", ">")))

    def make(chance: Random) -> Row:
        cells = [field(chance) for _ in keys]
        named = after.join(key + pairing + cell for key, cell in zip(keys, cells, strict=True))
        return Row(between.join(cells), named)

    return make


def list_to_json(_settings: Random) -> Maker:
    """Fields with commas between them as a JSON list."""

    def make(chance: Random) -> Row:
        fields = [field(chance) for _ in range(size(chance, 1, 4))]
        return Row(", ".join(fields), json.dumps(fields, ensure_ascii=False))

    return make


def json_list_at(settings: Random) -> Maker:
    """One entry of a JSON list."""
    place = settings.choice((0, 1, -1))

    def make(chance: Random) -> Row:
        fields = [field(chance) for _ in range(size(chance, 2, 4))]
        return Row(json.dumps(fields, ensure_ascii=False), fields[place])

    return make


def log_part(settings: Random) -> Maker:
    """One part of a line of a log."""
    part = settings.randrange(4)

    def make(chance: Random) -> Row:
        clock = f"{chance.randrange(24):02}:{chance.randrange(60):02}"
        parts = [
            clock,
            chance.choice(("INFO", "WARN", "ERROR", "DEBUG")),
            latin(chance),
            f"{latin(chance)} {code(chance)}",
        ]
        return Row("{} [{}] {}: {}".format(*parts), parts[part])

    return make


def path_part(settings: Random) -> Maker:
    """The folder, the file's name or its ending, of a path."""
    part, mark = settings.choice(("folder", "file", "ending", "stem")), settings.choice("/\\")

    def make(chance: Random) -> Row:
        folder = mark.join(latin(chance) for _ in range(size(chance, 1, 3)))
        stem, ending = latin(chance), latin(chance)[:3]
        parts = {"folder": folder, "file": f"{stem}.{ending}", "ending": ending, "stem": stem}
        return Row(f"{folder}{mark}{stem}.{ending}", parts[part])

    return make


def priced_item(settings: Random) -> Maker:
    """The price, the name or the count of a line of a bill."""
    part = settings.randrange(3)
    currency = settings.choice(("$", "€", "£", "¥", "kr "))

    def make(chance: Random) -> Row:
        parts = [number(chance), f"{latin(chance)} {latin(chance)}", amount(chance)]
        return Row(f"{parts[0]} x {parts[1]} @ {currency}{parts[2]}", parts[part])

    return make


def _keys(settings: Random) -> list[str]:
    """Five names of fields; the first is the one that matters."""
    return [f"{latin(settings)}{letter}" for letter in "aeiou"]


def _whole(chance: Random, keys: list[str]) -> Record:
    """The first key and some others, in any order."""
    chosen = [keys[0], *chance.sample(keys[1:], chance.randint(1, 3))]
    chance.shuffle(chosen)
    return {key: field(chance) for key in chosen}


def _some(chance: Random, keys: list[str]) -> Record:
    """The same, seldom without the first."""
    record = _whole(chance, keys)
    if chance.random() < 0.15:
        del record[keys[0]]
    return record


PROCEDURES: Final = (
    json_field, json_field_asked, json_keys, inner_json_field, csv_column, csv_cell, table_cell, setting_of_file,
    query_value, element_text, attribute_value, pairs_to_json, json_to_pairs, columns_named, list_to_json,
    json_list_at, log_part, path_part, priced_item,
)  # fmt: skip
