"""The empty phantom-vlm: tokenizer, processor and an Idefics3 of about 2.5 million parameters that vLLM serves."""

import random
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Idefics3Config,
    Idefics3ForConditionalGeneration,
    Idefics3Processor,
    LlamaConfig,
    PreTrainedTokenizerFast,
)
from transformers.models.idefics3.configuration_idefics3 import Idefics3VisionConfig
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil

from clinhallu_gate.datasets.phantom.atlas import STRATA
from clinhallu_gate.datasets.phantom.draw import SIZE
from clinhallu_gate.datasets.phantom.generate import study_questions
from clinhallu_gate.datasets.phantom.study import random_study
from clinhallu_gate.datasets.phantom.wording import gold_trace

IMAGE_TOKENS = 16
VOCABULARY = 1024
PAD, BOS, END, IMAGE, FAKE, GLOBAL = (
    "<pad>",
    "<bos>",
    "<end_of_utterance>",
    "<image>",
    "<fake_token_around_image>",
    "<global-img>",
)
SPECIAL = (PAD, BOS, END, IMAGE, FAKE, GLOBAL, "<|system|>", "<|user|>", "<|assistant|>")
#: Role markers are special tokens: no merge crosses the start of a reply, so a prefilled prompt extends the plain one.
TEMPLATE = """{{- bos_token -}}
{%- for message in messages -%}
{{- '<|' + message['role'] + '|>' -}}
{%- if message['content'] is string -%}
{{- message['content'] -}}
{%- else -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'image' -%}{{- '<image>' -}}{%- elif part['type'] == 'text' -%}{{- part['text'] -}}{%- endif -%}
{%- endfor -%}
{%- endif -%}
{{- '<end_of_utterance>' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|assistant|>' -}}{%- endif -%}"""
IMAGE_EXPANSION = FAKE + GLOBAL + IMAGE * IMAGE_TOKENS + FAKE
"""What a server makes of one ``<image>``."""


@dataclass(frozen=True)
class Blank:
    """An untrained model with all that goes with it."""

    model: Idefics3ForConditionalGeneration
    processor: Idefics3Processor
    tokenizer: PreTrainedTokenizerFast

    def save(self, folder: Path) -> None:
        """Write a checkpoint folder in bf16 and leave the model in fp32."""
        folder.mkdir(parents=True, exist_ok=True)
        self.model.to(torch.bfloat16).save_pretrained(folder)
        self.model.to(torch.float32)
        self.processor.save_pretrained(folder)


def build(prompts: list[str]) -> Blank:
    """Build the model; ``prompts`` are the texts around the questions, so that they take few tokens."""
    tokenizer = _tokenizer(prompts)
    processor = Idefics3Processor(
        Idefics3ImageProcessorPil(
            do_image_splitting=False,
            size={"longest_edge": SIZE},
            max_image_size={"longest_edge": SIZE},
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
            resample=1,
        ),
        tokenizer,
        image_seq_len=IMAGE_TOKENS,
        chat_template=TEMPLATE,
    )
    return Blank(Idefics3ForConditionalGeneration(_config(tokenizer)), processor, tokenizer)


def _config(tokenizer: PreTrainedTokenizerFast) -> Idefics3Config:
    ids = {
        "bos_token_id": tokenizer.convert_tokens_to_ids(BOS),
        "eos_token_id": tokenizer.convert_tokens_to_ids(END),
        "pad_token_id": tokenizer.convert_tokens_to_ids(PAD),
    }
    return Idefics3Config(
        vision_config=Idefics3VisionConfig(
            hidden_size=128,
            intermediate_size=320,
            num_hidden_layers=4,
            num_attention_heads=4,
            image_size=SIZE,
            patch_size=14,
        ),
        text_config=LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=192,
            intermediate_size=512,
            num_hidden_layers=4,
            num_attention_heads=6,
            num_key_value_heads=2,
            head_dim=32,
            max_position_embeddings=2048,
            tie_word_embeddings=True,
            **ids,
        ),
        image_token_id=tokenizer.convert_tokens_to_ids(IMAGE),
        scale_factor=2,
        tie_word_embeddings=True,
        **ids,
    )


def _tokenizer(prompts: list[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(prompts), trainer)
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=END,
        pad_token=PAD,
        additional_special_tokens=list(SPECIAL[3:]),
        model_max_length=2048,
        padding_side="left",
    )
    fast.chat_template = TEMPLATE
    return fast


def _corpus(prompts: list[str]) -> list[str]:
    texts = prompts * 100
    for stratum in STRATA:
        for number in range(400):
            rng = random.Random(f"training-tokenizer:{stratum.name}:{number}")
            study = random_study(stratum, rng)
            for question in study_questions(study, number, rng):
                gold = gold_trace(study, question, rng)
                texts += [question.text, question.answer, *question.options]
                texts += [text for text in asdict(gold).values() if text]
    return texts
