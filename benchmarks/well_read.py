"""A small language model that knows something, made here: it has read what people asked for, on many other tasks.

No model of that size is at hand offline, and one that knows nothing teaches nothing. So one is made of real third-party
rows (banking77, clinc150, snips): a few labels are drawn, some of their rows, and a conversation of the kind that a
teacher is asked, with other people's answers; thousands of these, each drawn by itself. What a benchmark judges by is
kept from it entirely: no text and no label of the task is read, and no text that stands there under another label.

It reads twice: what people mean by each label, and then tasks whose labels have other names, which only the examples
explain. With their own names alone a model learns them by heart: after the first reading it gave a label of the task
to none of fifty inputs, but those of other tasks ("order_status" for the ordering of cheques).

It is deterministic, takes some ten minutes of one core, and is kept in a folder, so that it is made but once.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from agents.records import Pair, Spec
from agents.teaching.requests import Told, annotating_together, generating
from agents.voting.ballots import Voting, vote_requests
from engine.providers.local.codec import Codec, read_tokenizer
from engine.silence import in_silence
from engine.training.bookmark import Bookmark
from engine.training.decoder_only import base_model, keep_model
from engine.training.fitting import fit
from engine.training.lesson import Lesson
from engine.training.recipe import Recipe
from engine.training.student import Progress, Row

__all__ = ["READINGS", "SETS", "Reading", "read_rows", "well_read"]

SETS = ("banking77", "clinc150", "snips")
TASKS = (
    "Give the label that belongs to the input, as in the examples. Answer with one of these labels: {labels}",
    "Name the intent of the message.\n\nThe intents are: {labels}. Answer with the intent alone.",
    "Which of these does the person want? {labels}",
    "Sort the request into one of these classes: {labels}.",
)
MARKS = ("<pad>", "<end>", "<system>", "<user>", "<assistant>")
TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}<end>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


VOCABULARY, WIDTH, LAYERS, HEAD, CONTEXT = 4096, 192, 4, 48, 1024
BATCH, PEAK = 6, 1.5e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How much is read and of what: `conversations` about tasks with at most so many labels and examples.

    A share of `renamed` tasks have other names for their labels. A token of a message teaches `people` times as much as
    one of an answer.
    """

    conversations: int
    labels: int
    demonstrations: int
    renamed: float
    people: float
    seed: int


READINGS = (
    Reading(conversations=3_600, labels=16, demonstrations=24, renamed=0.0, people=0.2, seed=0),
    Reading(conversations=1_600, labels=10, demonstrations=16, renamed=0.75, people=0.1, seed=1),
)


def read_rows(folder: Path, name: str) -> list[Pair]:
    """The rows of a set, of those with the same input the first."""
    rows = map(json.loads, (folder / name / "dev.jsonl").read_text(encoding="utf-8").splitlines())
    first: dict[str, Pair] = {}
    for row in rows:
        first.setdefault(row["input"], Pair(row["input"], row["output"]))
    return list(first.values())


def well_read(
    cache: Path, sources: Mapping[str, Sequence[Pair]], readings: Sequence[Reading], *, threads: int = 1
) -> Path:
    """The folder of the model that has read these rows; made if it is not there yet. A changed file makes another."""
    told = repr((sorted(sources.items()), Path(__file__).read_text(encoding="utf-8")))
    before = Path()
    for count, reading in enumerate(readings, start=1):
        place = cache / hashlib.sha256(f"{told}{readings[:count]}".encode()).hexdigest()[:16]
        if not place.is_dir():
            conversations = list(drawn(sources, reading))
            if count == 1:
                before = cache / f"{place.name}-untaught"
                save_untaught(before, texts_of(conversations))
            learn(before, conversations, reading, place, threads=threads)
        before = place
    return before


# -- what is read


def drawn(sources: Mapping[str, Sequence[Pair]], reading: Reading) -> Iterator[Told]:
    """Conversations about other tasks: of twenty, fifteen label an input, two several, three write new ones."""
    by_label = {name: _by_label(rows) for name, rows in sources.items()}
    names = [name for name in sorted(sources) for _ in range(len(by_label[name]))]  # as often as it has labels
    for number in range(reading.conversations):
        chance = Random(f"{reading.seed} {number}")
        rows = by_label[chance.choice(names)]
        spec, given = _task(rows, reading, chance)
        turn = number % 20
        if turn < 15:
            yield _labelled(spec, given, reading, chance)
        elif turn < 17:
            few = chance.sample(given, min(8, len(given)))
            yield annotating_together(_showing(spec, given, few, chance), few, seed=number)[0]
        else:
            yield chance.choice(generating(spec, given, seed=number))


def _by_label(rows: Sequence[Pair]) -> dict[str, list[Pair]]:
    found: dict[str, list[Pair]] = defaultdict(list)
    for row in rows:
        found[row.output].append(row)
    return found


def _task(rows: Mapping[str, Sequence[Pair]], reading: Reading, chance: Random) -> tuple[Spec, list[Pair]]:
    """Some labels of a set and some rows of each, perhaps under names that only the examples explain."""
    most = min(reading.labels, len(rows))
    labels = chance.sample(sorted(rows), chance.randint(2, most))
    each = max(2, -(-(reading.demonstrations + 1) // len(labels)))
    given = [row for label in labels for row in chance.sample(rows[label], min(each, len(rows[label])))]
    chance.shuffle(given)
    if reading.renamed and chance.random() < reading.renamed:
        names = dict(zip(labels, _new_names(rows, len(labels), chance), strict=True))
        labels, given = list(names.values()), [replace(row, output=names[row.output]) for row in given]
    instruction = chance.choice(TASKS).format(labels=", ".join(labels))
    return Spec(instruction=instruction, kind="classification", labels=tuple(labels), form="label"), given


def _new_names(rows: Mapping[str, Sequence[Pair]], count: int, chance: Random) -> list[str]:
    """Names like those of the set, of its words, so that who has learnt its labels by heart is not helped by it."""
    words = sorted({word for label in rows for word in label.split("_")})
    names: dict[str, None] = {}
    while len(names) < count:
        names["_".join(chance.choices(words, k=chance.randint(1, 2)))] = None
    return list(names)


def _labelled(spec: Spec, given: Sequence[Pair], reading: Reading, chance: Random) -> Told:
    """Of renamed labels the right one is among the examples, since nothing else says what it means."""
    asked, *others = given
    if reading.renamed:
        alike = _alike(asked, given)
        others.sort(key=lambda row: row is not alike)
    shown = replace(spec, demonstrations=tuple(others[: chance.randint(4, reading.demonstrations)]))
    voting = Voting(votes=1, demonstrations=reading.demonstrations, seed=chance.randrange(2**32))
    return Told(vote_requests(shown, asked.input, voting)[0], asked.output)


def _alike(asked: Pair, rows: Sequence[Pair]) -> Pair | None:
    return next((row for row in rows if row.output == asked.output and row is not asked), None)


def _showing(spec: Spec, given: Sequence[Pair], asked: Sequence[Pair], chance: Random) -> Spec:
    others = [row for row in given if row not in asked]
    return replace(spec, demonstrations=tuple(others[: chance.randint(0, 8)]))


def texts_of(conversations: Sequence[Told]) -> list[str]:
    return [text for each in conversations for text in (*(turn.content for turn in each.request.messages), each.answer)]


# -- who reads


def save_untaught(folder: Path, texts: Sequence[str]) -> None:
    """A llama by chance, with a tokenizer of these texts."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    size = _save_tokenizer(folder, texts, vocabulary=VOCABULARY)
    config = LlamaConfig(
        vocab_size=size, hidden_size=WIDTH, intermediate_size=3 * WIDTH, num_hidden_layers=LAYERS,
        num_attention_heads=WIDTH // HEAD, num_key_value_heads=WIDTH // HEAD, max_position_embeddings=CONTEXT,
        pad_token_id=0, eos_token_id=1, bos_token_id=None, tie_word_embeddings=True,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]), in_silence():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)


def _save_tokenizer(folder: Path, texts: Sequence[str], *, vocabulary: int) -> int:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer: Any = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    letters = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(MARKS), initial_alphabet=letters, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token=MARKS[0], eos_token=MARKS[1])
    fast.chat_template = TEMPLATE
    fast.save_pretrained(folder)
    return int(tokenizer.get_vocab_size())


@dataclass(frozen=True, slots=True)
class Read:
    """A conversation as tokens, and how much is learnt from each."""

    tokens: tuple[int, ...]
    weights: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.tokens)


def learn(before: Path, conversations: Sequence[Told], reading: Reading, folder: Path, *, threads: int) -> None:
    """Each conversation once: the answers to its examples teach as much as the one to its question.

    Goes on where an earlier start was stopped.
    """
    codec, loaded = Codec(read_tokenizer(before)), base_model(before)
    bookmark = Bookmark(folder.with_suffix(".part"), training=folder.name)
    read = [each for told in conversations if len(each := _read(codec, told, people=reading.people)) <= CONTEXT]
    fitted = fit(
        loaded.model,
        read,
        lesson=Lesson(
            rows=(Row("a", "a"), Row("b", "b")),  # what is learnt is given as tokens
            seed=reading.seed,
            on_progress=_say,
        ),
        recipe=Recipe(
            batch=BATCH, peak_learning_rate=PEAK, fewest_steps=1, passes=1, most_passes=1, longest_input=CONTEXT,
            weight_decay=0.05,
        ),
        lengths=lambda each: (len(each),),
        collate=_collate,
        mass=lambda each: sum(each.weights[1:]),
        loss=_loss,
        look=None,
        bookmark=bookmark,
        started=time.monotonic(),
        threads=threads,
    )  # fmt: skip
    print(f"  read {sum(map(len, read)):,} tokens of {len(read):,} conversations in {fitted.seconds:.0f} s")
    draft = folder.with_suffix(".draft")
    keep_model(loaded, draft)
    draft.rename(folder)
    bookmark.drop()


def _say(now: Progress) -> None:
    if now.step % 100 == 0:
        print(f"  step {now.step} of {now.steps}, loss {now.loss:.3f}", flush=True)


def _read(codec: Codec, told: Told, *, people: float) -> Read:
    """What a model is to say counts in full, what people say a little, and nothing before the first of them speaks."""
    prompt = codec.encode(told.request.messages)
    answer = codec.tokenizer(told.answer, add_special_tokens=False)["input_ids"]
    end, system, person, model = map(MARKS.index, ("<end>", "<system>", "<user>", "<assistant>"))
    tokens = (*prompt, *answer, end)
    speaker, weights = system, []
    for token in tokens:
        weights.append({person: people, model: 1.0}.get(speaker, 0.0))
        speaker = token if token in (system, person, model) else speaker
    return Read(tokens, tuple(weights))


def _collate(some: Sequence[Read]) -> dict[str, Any]:
    import torch

    width = max(map(len, some))
    fill = [[0] * (width - len(each)) for each in some]
    return {
        "input_ids": torch.tensor([[*each.tokens, *rest] for each, rest in zip(some, fill, strict=True)]),
        "weights": torch.tensor([[*each.weights, *map(float, rest)] for each, rest in zip(some, fill, strict=True)]),
    }


def _loss(model: Any, batch: Mapping[str, Any]) -> Any:
    """Rows are filled up at their right, which nothing before it sees."""
    import torch

    said = model(input_ids=batch["input_ids"]).logits[:, :-1]
    losses = torch.nn.functional.cross_entropy(said.transpose(1, 2), batch["input_ids"][:, 1:], reduction="none")
    weights = batch["weights"][:, 1:]
    return (losses * weights).sum() / weights.sum()
