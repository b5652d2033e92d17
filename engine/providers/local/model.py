"""The tensors: a model in memory, and batches of rows that grow by a token a step.

Knows no request, no queue and no thread. Every weight comes from safetensors, no code from anywhere.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from engine.errors import UserError
from engine.providers.local.checkpoint import Checkpoint
from engine.providers.local.codec import Codec, read_tokenizer
from engine.providers.local.grammar import Grammars
from engine.providers.local.row import Row
from engine.providers.local.sampling import TIE, Next, Nucleus, next_tokens
from engine.silence import in_silence

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Batch", "Model", "open_model"]

DEFAULT_TEMPERATURE: Final = 1.0
_SHARE_OF_MEMORY: Final = 0.5  # of what is free once the weights are in; the rest is for the work itself
_SMALL: Final = 100_000_000  # bytes; two threads wait for one another longer than they help with less
_LOOSE_AT: Final = 4  # a batch is made smaller when one row in so many has ended


def open_model(checkpoint: Checkpoint, *, dtype: str | None = None) -> Model:
    """Bring the weights into memory, on a GPU when there is one. Raises UserError when they cannot be used.

    With `dtype` None in float32, in which hardly any token is a tie, if that leaves half of the memory free, else as
    they are stored.
    """
    if "OMP_WAIT_POLICY" not in os.environ:  # threads that spin while they wait are ruinous beside a busy process
        os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    import torch
    from safetensors import SafetensorError
    from transformers import AutoModelForCausalLM, AutoModelForSeq2SeqLM

    if checkpoint.size < _SMALL:
        torch.set_num_threads(1)  # of this thread
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind = AutoModelForCausalLM if checkpoint.kind == "causal" else AutoModelForSeq2SeqLM
    # As they are stored is mostly half as wide as float32.
    wanted = dtype or ("float32" if 4 * checkpoint.size <= _free_memory(device) else "auto")
    try:
        with in_silence():
            tensors = kind.from_pretrained(
                checkpoint.folder, local_files_only=True, use_safetensors=True, trust_remote_code=False, dtype=wanted
            )
    except (OSError, ValueError, KeyError, ImportError, AttributeError, RuntimeError, SafetensorError) as error:
        raise UserError(f"{checkpoint.folder} cannot be loaded ({type(error).__name__}: {error})") from error
    if "past_key_values" not in inspect.signature(tensors.forward).parameters:
        raise UserError(f"{checkpoint.folder}: models of the kind {type(tensors).__name__} are not known here")
    context = getattr(tensors.config, "max_position_embeddings", None)
    codec = Codec(read_tokenizer(checkpoint.folder), context=context)
    return Model(tensors.eval().to(device), codec, kind=checkpoint.kind)


class Model:
    """A causal or seq2seq model with its tokenizer, ready to answer."""

    def __init__(self, tensors: Any, codec: Codec, *, kind: str) -> None:
        self.tensors = tensors
        self.codec = codec
        self.is_causal = kind == "causal"
        self.device = tensors.device
        advice = tensors.generation_config
        self.ends = _ends(advice, codec)
        self.nucleus = _nucleus(advice)
        self.default_temperature = 0.0 if advice.do_sample is False else advice.temperature or DEFAULT_TEMPERATURE
        self.vocabulary = int(tensors.get_output_embeddings().weight.shape[0])
        self.grammars = Grammars(codec.tokenizer, vocabulary=self.vocabulary, ends=self.ends)
        self.context = codec.context
        self.tie = TIE.get(str(tensors.dtype).removeprefix("torch."), max(TIE.values()))
        # What remembers a text in a state of fixed size has no place for filling.
        self.is_single = bool(getattr(tensors, "_is_stateful", False))
        self._takes = set(inspect.signature(tensors.forward).parameters)

    @property
    def pad(self) -> int:
        """What rows are filled up with; it is masked, so any token will do."""
        told = self.tensors.config.pad_token_id
        return told if isinstance(told, int) else min(self.ends, default=0)

    def room(self) -> int:
        """How many tokens may be remembered at once, by what memory is free."""
        config = self.tensors.config.get_text_config(decoder=True)
        heads = getattr(config, "num_key_value_heads", None) or getattr(config, "num_attention_heads", 1)
        width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        layers = config.num_hidden_layers * (1 if self.is_causal else 2)
        each = 2 * layers * heads * width * self.tensors.dtype.itemsize
        return max(1, int(_free_memory(self.device) * _SHARE_OF_MEMORY / each))

    def release(self) -> None:
        """Give memory that nothing uses any more back to the device."""
        import torch

        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def extra(self, **wanted: object) -> dict[str, object]:
        """What of this the model's forward takes."""
        return {name: value for name, value in wanted.items() if name in self._takes}

    def alone(self, row: Row) -> Tensor:
        """What the model says of a row that nothing is beside, from its first token on: the same every time."""
        import torch

        if self.is_causal:
            ids = torch.tensor([[*row.prompt, *row.tokens]], device=self.device)
            said = self.tensors(input_ids=ids, use_cache=False, **self.extra(logits_to_keep=1))
        else:
            said = self.tensors(
                input_ids=torch.tensor([row.prompt], device=self.device),
                decoder_input_ids=torch.tensor([[self.first, *row.tokens]], device=self.device),
                use_cache=False,
            )
        return _last(said)

    @property
    def first(self) -> int:
        """The token that a decoder begins with."""
        return int(self.tensors.config.decoder_start_token_id)


class Batch:
    """Rows that are answered together. Every step adds a token to each that has not ended."""

    def __init__(self, model: Model, rows: Sequence[Row]) -> None:
        self._model = model
        self._rows = list(rows)
        self._past: Any = None
        self._inputs: dict[str, Any] = {}
        self._newest: list[int] = []  # the last token of each row
        self._lucks: Any = None  # of this step

    @property
    def rows(self) -> list[Row]:
        """Those that have not ended."""
        return [row for row in self._rows if not row.is_over]

    @property
    def held(self) -> Sequence[Row]:
        return self._rows

    def step(self) -> None:
        """A token more for every row; those that have ended or were given up leave when it pays."""
        import torch

        with torch.inference_mode():
            self._make_room()
            if self.rows:
                logits = self._logits()
                self._go_on(logits)

    def _go_on(self, logits: Tensor) -> None:
        chosen = self._choose(logits, self._rows, tie=self._model.tie)
        for place, row in enumerate(self._rows):
            if row.is_over:
                continue
            token = chosen.tokens[place]
            if chosen.ties[place]:
                token = self._choose(self._model.alone(row), [row], tie=0.0, lucks=self._lucks[place]).tokens[0]
            row.add(token)
            self._newest[place] = token

    def _choose(self, logits: Tensor, rows: Sequence[Row], *, tie: float, lucks: Tensor | None = None) -> Next:
        import torch

        temperatures = torch.tensor([row.temperature for row in rows], device=logits.device)
        if lucks is None:
            nothing = torch.zeros(logits.shape[-1], device=logits.device)
            self._lucks = torch.stack(
                [
                    row.chance.lucks(logits.shape[-1]) if row.temperature > 0 and not row.is_over else nothing
                    for row in rows
                ]
            )
        constrained = self._within_grammars(logits, rows)
        return next_tokens(
            constrained,
            temperatures=temperatures,
            lucks=self._lucks if lucks is None else lucks[None],
            nucleus=self._model.nucleus,
            tie=tie,
        )

    def _within_grammars(self, logits: Tensor, rows: Sequence[Row]) -> Tensor:
        """What a schema forbids is out of the question."""
        import torch

        if all(row.matcher is None for row in rows):
            return logits
        words = -(-logits.shape[-1] // 32)
        masks = torch.full((len(rows), words), -1, dtype=torch.int32)
        for place, row in enumerate(rows):
            if row.matcher is not None and not row.is_over:
                row.matcher.mask_into(masks, place)
        bits = (masks[:, :, None] >> torch.arange(32, dtype=torch.int32)) & 1
        allowed = bits.reshape(len(rows), -1)[:, : logits.shape[-1]].bool().to(logits.device)
        return logits.masked_fill(~allowed, -torch.inf)

    def _logits(self) -> Tensor:
        if self._past is None:
            said = self._begin_causal() if self._model.is_causal else self._begin_seq2seq()
        else:
            said = self._next()
        self._past = said.past_key_values
        return _last(said)

    def _begin_causal(self) -> Any:
        model = self._model
        ids, mask = _filled([row.prompt for row in self._rows], pad=model.pad, device=model.device, at_left=True)
        self._inputs = {"attention_mask": mask}
        self._newest = [0] * len(self._rows)
        places = (mask.cumsum(-1) - 1).clamp_min(0)
        return model.tensors(
            input_ids=ids,
            attention_mask=mask,
            use_cache=True,
            **model.extra(position_ids=places, logits_to_keep=1),
        )

    def _begin_seq2seq(self) -> Any:
        model = self._model
        ids, mask = _filled([row.prompt for row in self._rows], pad=model.pad, device=model.device, at_left=False)
        read = model.tensors.get_encoder()(input_ids=ids, attention_mask=mask)
        self._inputs = {"attention_mask": mask, "read": read.last_hidden_state}
        self._newest = [model.first] * len(self._rows)
        return self._ask_decoder()

    def _next(self) -> Any:
        import torch

        if not self._model.is_causal:
            return self._ask_decoder()
        mask = self._inputs["attention_mask"]
        mask = torch.cat([mask, mask.new_ones(len(self._rows), 1)], dim=-1)
        self._inputs["attention_mask"] = mask
        return self._model.tensors(
            input_ids=self._newest_column(),
            attention_mask=mask,
            past_key_values=self._past,
            use_cache=True,
            **self._model.extra(position_ids=mask.sum(-1, keepdim=True) - 1),
        )

    def _ask_decoder(self) -> Any:
        from transformers.modeling_outputs import BaseModelOutput

        return self._model.tensors(
            encoder_outputs=BaseModelOutput(last_hidden_state=self._inputs["read"]),
            attention_mask=self._inputs["attention_mask"],
            decoder_input_ids=self._newest_column(),
            past_key_values=self._past,
            use_cache=True,
        )

    def _newest_column(self) -> Tensor:
        import torch

        return torch.tensor(self._newest, device=self._model.device)[:, None]

    def _make_room(self) -> None:
        """Let go of rows that have ended, when they are many enough to be worth copying what the others remember."""
        import torch

        staying = [place for place, row in enumerate(self._rows) if not row.is_over]
        if self._past is None:
            self._rows = [self._rows[place] for place in staying]
            return
        if not staying or (len(self._rows) - len(staying)) * _LOOSE_AT < len(self._rows):
            return
        places = torch.tensor(staying, device=self._model.device)
        self._past.batch_select_indices(places)
        self._inputs = {name: tensor[places] for name, tensor in self._inputs.items()}
        self._rows = [self._rows[place] for place in staying]
        self._newest = [self._newest[place] for place in staying]


def _last(said: Any) -> Tensor:
    """What is said of the next token, in a format that does not round it."""
    logits: Tensor = said.logits[:, -1]
    return logits.float()


def _filled(rows: Sequence[Sequence[int]], *, pad: int, device: Any, at_left: bool) -> tuple[Tensor, Tensor]:
    """Rows as one matrix, and a mask that is 1 where a row is."""
    import torch

    width = max(len(row) for row in rows)
    ids, mask = [], []
    for row in rows:
        filling = width - len(row)
        ids.append([*[pad] * filling, *row] if at_left else [*row, *[pad] * filling])
        mask.append([*[0] * filling, *[1] * len(row)] if at_left else [*[1] * len(row), *[0] * filling])
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _ends(advice: Any, codec: Codec) -> frozenset[int]:
    told = advice.eos_token_id
    named = told if isinstance(told, list) else [told]
    return frozenset(token for token in [*named, codec.tokenizer.eos_token_id] if isinstance(token, int))


def _nucleus(advice: Any) -> Nucleus:
    """What the model's makers advise, if they advise to draw at all."""
    if not advice.do_sample:
        return Nucleus()
    return Nucleus(top_k=int(advice.top_k or 0), top_p=float(advice.top_p or 1.0))


def _free_memory(device: Any) -> int:
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    import psutil  # type: ignore[import-untyped]

    return int(psutil.virtual_memory().available)
