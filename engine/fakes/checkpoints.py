"""Tiny models with random weights, made in a folder: what they say is nonsense, and always the same nonsense."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

__all__ = ["TEMPLATE", "TEMPLATE_WITHOUT_SYSTEM", "save_causal", "save_encoder", "save_seq2seq", "save_tokenizer"]

MARKS = {"pad_token": "<pad>", "eos_token": "<end>"}
TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)
TEMPLATE_WITHOUT_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('no system') }}{% endif %}" + TEMPLATE
)


def save_tokenizer(folder: Path, *, template: str | None = None) -> int:
    """A byte-level tokenizer; its vocabulary's size."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: place for place, token in enumerate([*MARKS.values(), *letters])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, **MARKS)
    if template is not None:
        fast.chat_template = template
    fast.save_pretrained(folder)
    return len(vocabulary)


def save_causal(
    folder: Path, *, template: str | None = None, context: int = 512, width: int = 32, layers: int = 2, **advice: Any
) -> Path:
    """A llama. `advice` goes into its generation configuration."""
    import torch
    from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM

    vocabulary = save_tokenizer(folder, template=template)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=layers,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=context, pad_token_id=0, eos_token_id=1,
        bos_token_id=None, initializer_range=2.3 / width**0.5,
    )  # fmt: skip
    return _saved(LlamaForCausalLM(config), GenerationConfig(eos_token_id=1, pad_token_id=0, **advice), folder)


def save_seq2seq(folder: Path) -> Path:
    """A T5 of two layers."""
    import torch
    from transformers import GenerationConfig, T5Config, T5ForConditionalGeneration

    vocabulary = save_tokenizer(folder)
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=vocabulary, d_model=32, d_ff=64, d_kv=8, num_layers=2, num_heads=4, pad_token_id=0, eos_token_id=1,
        decoder_start_token_id=0, initializer_factor=3.0,
    )  # fmt: skip
    advice = GenerationConfig(eos_token_id=1, pad_token_id=0, decoder_start_token_id=0)
    return _saved(T5ForConditionalGeneration(config), advice, folder)


def save_encoder(folder: Path, *, places: int = 64, width: int = 32) -> Path:
    """A BERT of two layers over bytes; it reads texts of as many tokens as it has `places`."""
    import torch
    from transformers import BertConfig, BertModel

    vocabulary = save_tokenizer(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=width, intermediate_size=2 * width, num_hidden_layers=2,
        num_attention_heads=4, max_position_embeddings=places, pad_token_id=0, initializer_range=1 / width**0.5,
    )  # fmt: skip
    BertModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def _saved(model: Any, advice: Any, folder: Path) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.generation_config = advice
        model.save_pretrained(folder)
    return folder
