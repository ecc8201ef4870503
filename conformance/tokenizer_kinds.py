"""Tokenizers of every common kind, trained on lines: `python3 tokenizer_kinds.py LINES.json FOLDER`.

Each is written as tokenizer.json by Hugging Face's Rust tokenizers, in a folder of its name. The pipelines are those of
public models, whose vocabularies are not here.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SIZE = 3000
BYTES = pre_tokenizers.ByteLevel.alphabet()
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
GPT4O = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def pair(single: str, both: str, tokenizer: Tokenizer, *specials: str) -> processors.TemplateProcessing:
    ids = [(token, tokenizer.token_to_id(token)) for token in specials]
    return processors.TemplateProcessing(single=single, pair=both, special_tokens=ids)


def byte_level(lines: list[str], specials: list[str], pattern: str | None, **options: object) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE(**options))
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=pattern is None)
    split = [] if pattern is None else [pre_tokenizers.Split(Regex(pattern), behavior="isolated")]
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([*split, plain]) if split else plain
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, special_tokens=specials, initial_alphabet=BYTES, show_progress=False
    )
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer


def gpt2(lines: list[str]) -> Tokenizer:
    tokenizer = byte_level(lines, ["<|endoftext|>"], None)
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=False)
    return tokenizer


def roberta(lines: list[str]) -> Tokenizer:
    tokenizer = byte_level(lines, ["<s>", "<pad>", "</s>", "<unk>"], None)
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("</s>", "<s>")]
    tokenizer.post_processor = processors.RobertaProcessing(*ends, trim_offsets=True, add_prefix_space=True)
    return tokenizer


def llama3(lines: list[str]) -> Tokenizer:
    tokenizer = byte_level(lines, ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>"], LLAMA3, ignore_merges=True)
    begin = pair("<|begin_of_text|> $A", "<|begin_of_text|> $A <|begin_of_text|>:1 $B:1", tokenizer, "<|begin_of_text|>")
    tokenizer.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=True), begin])
    return tokenizer


def qwen2(lines: list[str]) -> Tokenizer:
    tokenizer = byte_level(lines, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], QWEN2)
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, trim_offsets=False, use_regex=False)
    return tokenizer


def gpt4o(lines: list[str]) -> Tokenizer:
    return byte_level(lines, ["<|endoftext|>"], GPT4O)


def smollm(lines: list[str]) -> Tokenizer:
    """Digits one by one, then GPT-2's split."""
    tokenizer = byte_level(lines, ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], None)
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), plain])
    return tokenizer


def fallback_bpe(lines: list[str], normalizer: normalizers.Normalizer, **options: object) -> Tokenizer:
    """Pieces over characters, with a token for each byte besides, as SentencePiece has them."""
    first = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    first.normalizer = normalizer
    trainer = trainers.BpeTrainer(
        vocab_size=SIZE, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False, limit_alphabet=600
    )
    # Without a split a line is one word: cut it at its spaces to learn from.
    words = [word for line in lines for word in line.replace(" ", " \0").split("\0") if len(word) < 40]
    first.train_from_iterator(words, trainer)
    model = json.loads(first.to_str())["model"]
    old = sorted(model["vocab"], key=model["vocab"].get)
    taken = [*old[:3], *(f"<0x{byte:02X}>" for byte in range(256))]
    vocabulary = {token: at for at, token in enumerate(dict.fromkeys([*taken, *old[3:]]))}
    merges = [tuple(merge) for merge in model["merges"]]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True, **options))
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.normalizer = normalizer
    return tokenizer


def llama2(lines: list[str]) -> Tokenizer:
    steps = [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    tokenizer = fallback_bpe(lines, normalizers.Sequence(steps))
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = pair("<s> $A", "<s> $A <s>:1 $B:1", tokenizer, "<s>")
    return tokenizer


def gemma(lines: list[str]) -> Tokenizer:
    tokenizer = fallback_bpe(lines, normalizers.Replace(" ", "▁"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.post_processor = pair("<s> $A", "<s> $A $B", tokenizer, "<s>")
    return tokenizer


def mistral(lines: list[str]) -> Tokenizer:
    """The newer spelling of LLaMA 2's: a space is put before by Metaspace, before the first section alone."""
    first = llama2(lines)
    parts = json.loads(first.to_str())
    tokenizer = Tokenizer.from_str(json.dumps({**parts, "normalizer": None}))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    return tokenizer


def bert(lines: list[str], *, lowercase: bool = True) -> Tokenizer:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece(prefix="##")
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(
        vocab_size=SIZE, special_tokens=specials, show_progress=False, limit_alphabet=600
    )
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.post_processor = pair("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1", tokenizer, "[CLS]", "[SEP]")
    return tokenizer


def usual(lines: list[str]) -> list[str]:
    """The lines of characters that are met often: a unigram model has a token for each that it learns from."""
    counts = Counter(character for line in lines for character in unicodedata.normalize("NFKC", line))
    common = {character for character, count in counts.most_common(1000)}
    return [line for line in lines if common.issuperset(unicodedata.normalize("NFKC", line))]


def unigram(lines: list[str], scheme: str, specials: list[str], unknown: str) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Nmt(), normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme=scheme)
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme=scheme)
    trainer = trainers.UnigramTrainer(
        vocab_size=SIZE, special_tokens=specials, unk_token=unknown, show_progress=False
    )
    tokenizer.train_from_iterator(usual(lines), trainer)
    return tokenizer


def t5(lines: list[str]) -> Tokenizer:
    tokenizer = unigram(lines, "always", ["<pad>", "</s>", "<unk>"], "<unk>")
    tokenizer.post_processor = pair("$A </s>", "$A </s> $B </s>", tokenizer, "</s>")
    return tokenizer


def xlmr(lines: list[str]) -> Tokenizer:
    tokenizer = unigram(lines, "always", ["<s>", "<pad>", "</s>", "<unk>"], "<unk>")
    tokenizer.add_special_tokens([AddedToken("<mask>", lstrip=True, special=True)])
    tokenizer.post_processor = pair("<s> $A </s>", "<s> $A </s> </s> $B </s>", tokenizer, "<s>", "</s>")
    return tokenizer


def added(lines: list[str]) -> Tokenizer:
    """GPT-2's with added tokens of every sort."""
    tokenizer = gpt2(lines)
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.add_tokens(
        [
            AddedToken("Café", normalized=True),
            AddedToken("[MASK]", lstrip=True, normalized=False),
            AddedToken("[UNK]", rstrip=True, normalized=False),
            AddedToken("the", single_word=True, normalized=False),
            AddedToken("<mask>", lstrip=True, rstrip=True, normalized=False, special=True),
            AddedToken("##", normalized=False),
        ]
    )
    return tokenizer


KINDS: dict[str, Callable[[list[str]], Tokenizer]] = {
    **{make.__name__: make for make in (gpt2, roberta, llama3, qwen2, gpt4o, smollm, llama2, gemma, mistral)},
    **{make.__name__: make for make in (bert, t5, xlmr, added)},
    "bert_cased": lambda lines: bert(lines, lowercase=False),
}


def main() -> None:
    lines = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    for name, make in KINDS.items():
        folder = Path(sys.argv[2]) / name
        folder.mkdir(parents=True, exist_ok=True)
        make(lines).save(str(folder / "tokenizer.json"))


if __name__ == "__main__":
    main()
