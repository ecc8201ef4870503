"""Lines to tokenize, made from what the machine has: `python3 tokenizer_lines.py [COUNT]` prints them as a JSON array.

Prose (Moby-Dick), translations in as many languages as the system's catalogues (.mo) hold, source code, names of
characters, and drawn lines: emoji, combining marks, odd white space, digits, controls, special tokens. Without
catalogues the share of prose, code and drawn lines grows. The same machine and count give the same lines.
"""

from __future__ import annotations

import json
import random
import struct
import sys
import sysconfig
import unicodedata
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
BOOK = HERE.parent / "node_modules" / "@stdlib" / "datasets-moby-dick" / "data"
SPACES = " \t\u00a0\u2003\u2009\u200a\u3000\u2028\u2029\u0085\u1680\u200b\ufeff\r\n\v\f\u202f\u205f"
MARKS = "\u0300\u0301\u0308\u0327\u0345\u05b0\u0651\u093c\u094d\u0e34\u3099\ufe0f\u20dd\U0001d165"
EMOJI = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "❤️", "✍🏿", "🧑🏻‍🚀", "1️⃣", "☃", "🀄", "🫠", "\U0001f1e6"]
SPECIALS = ["<|endoftext|>", "<s>", "</s>", "[CLS]", "[MASK]", "[UNK]", "<0x0A>", "▁", "Ġ", "##", "<mask>", "<unk>"]


def book() -> Iterator[str]:
    for path in sorted(BOOK.glob("*.txt")):
        yield from filter(str.strip, path.read_text(encoding="utf-8").splitlines())


def code() -> Iterator[str]:
    for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:80]:
        yield from filter(str.strip, path.read_text(encoding="utf-8", errors="ignore").splitlines())


def translated(catalogue: bytes) -> Iterator[str]:
    """The texts of an .mo file, its header left out."""
    if catalogue[:4] != b"\xde\x12\x04\x95":
        return
    count, _, table = struct.unpack_from("<3I", catalogue, 8)
    for i in range(1, count):
        length, offset = struct.unpack_from("<2I", catalogue, table + 8 * i)
        try:
            yield catalogue[offset : offset + length].decode()
        except UnicodeDecodeError:
            continue


def translations() -> dict[str, list[str]]:
    """Translated texts by language, some thousands each."""
    found: dict[str, list[str]] = {}
    for path in sorted(Path("/usr/share").glob("locale/*/LC_MESSAGES/*.mo")):
        language = path.parts[-3]
        if len(texts := found.setdefault(language, [])) > 2000:
            continue
        texts.extend(text for text in translated(path.read_bytes()) if text.strip())
    return {language: texts for language, texts in found.items() if len(texts) > 20}


def drawn(draw: random.Random) -> str:
    """One line of what corpora seldom hold."""
    letters = "abcXYZéßñøŁİıǅﬁΩжשعहकไ한語漢字あア"
    pieces = []
    for _ in range(draw.randrange(1, 14)):
        kind = draw.randrange(9)
        if kind == 0:
            pieces.append(draw.choice(SPACES) * draw.choice((1, 1, 2, 5)))
        elif kind == 1:
            pieces.append(draw.choice(EMOJI))
        elif kind == 2:
            pieces.append("".join(draw.choice(letters) + draw.choice(MARKS) * draw.randrange(3) for _ in range(3)))
        elif kind == 3:
            pieces.append(str(draw.randrange(10 ** draw.randrange(1, 18))) + draw.choice(["", ".5", ",000", "²", "½", "٣"]))
        elif kind == 4:
            pieces.append(draw.choice(["'s", "'LL", "don't", "I've", "’s", "...", "--", "$%", "«»", "¿", "_", "`", "\\n"]))
        elif kind == 5:
            pieces.append(draw.choice(SPECIALS))
        elif kind == 6:
            point = draw.choice([draw.randrange(0x20, 0x3000), draw.randrange(0x1F000, 0x1FB00), draw.randrange(0xA000, 0xD7FF)])
            pieces.append(chr(point))
        elif kind == 7:
            pieces.append("".join(draw.choice(letters) for _ in range(draw.randrange(1, 9))))
        else:
            pieces.append(draw.choice(["\x00", "\x07", "\x1b[0m", "\x7f", "\u00ad", "\u200d", "\u202e", "\ufffd", "\ue000"]))
    return "".join(pieces)


def lines(count: int) -> list[str]:
    draw = random.Random(20)
    languages = translations()
    result = [draw.choice(sorted(languages[name])) for name in draw.choices(sorted(languages), k=count * 5 // 10)] if languages else []
    for source, share in ((list(book()), 2), (list(code()), 1)):
        if source:
            result += draw.choices(source, k=count * share // 10)
    named = [chr(point) for point in range(0xA0, 0x20000) if unicodedata.category(chr(point))[0] in "LMNPSZ"]
    result += ["".join(draw.choices(named, k=draw.randrange(1, 30))) for _ in range(count // 20)]
    result += ["", " ", "  ", "\n", "\t", "\r\n", "a", " a", "a ", "  a  b  "]
    result += [drawn(draw) for _ in range(count - len(result))]
    draw.shuffle(result)
    return result


if __name__ == "__main__":
    json.dump(lines(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000), sys.stdout)
