"""Tokenizers of every kind, trained here, against Hugging Face's Rust tokenizers on 10,000 lines: ids, texts, pairs, streams.

`parity_tokenizers.py [FOLDER]` takes tokenizers and lines from a folder that holds them, or makes them; `tokenize.js`
answers by Sluice. The other arguments of `run.py` are not for this suite.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from report import Report
from tokenizers import Tokenizer

HERE = Path(__file__).resolve().parent


def make(folder: Path) -> None:
    lines = folder / "lines.json"
    with lines.open("w", encoding="utf-8") as file:
        subprocess.run([sys.executable, HERE / "tokenizer_lines.py"], stdout=file, check=True)
    subprocess.run([sys.executable, HERE / "tokenizer_kinds.py", lines, folder / "kinds"], check=True)


def differing(name: str, lines: list, ours: list, theirs: list) -> str:
    wrong = [at for at, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b]
    if not wrong:
        return ""
    at = wrong[0]
    return f"{len(wrong)} of {len(lines)} {name}; {lines[at]!r}: {ours[at]!r}, not {theirs[at]!r}"


def compare(report: Report, folder: Path, lines: list[str]) -> None:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    answer = subprocess.run(
        ["node", HERE / "tokenize.js", folder, folder.parent.parent / "lines.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if answer.returncode != 0:
        report.check(f"{folder.name} opens", answer.stderr.strip()[-400:] or f"exit {answer.returncode}")
        return
    ours = json.loads(answer.stdout)
    plain = [tokenizer.encode(line, add_special_tokens=False).ids for line in lines]
    texts = [tokenizer.decode(ids, skip_special_tokens=False) for ids in plain]
    skipped = [tokenizer.decode(ids, skip_special_tokens=True) for ids in plain]
    framed = [tokenizer.encode(line) for line in lines]
    pairs = [tokenizer.encode(line, lines[at - 1]) for at, line in enumerate(lines)]
    theirs = {
        "ids": plain,
        "texts": texts,
        "texts without specials": skipped,
        "streamed texts": texts,
        "ids with specials": [encoding.ids for encoding in framed],
        "ids of pairs": [encoding.ids for encoding in pairs],
        "types of pairs": [encoding.type_ids for encoding in pairs],
    }
    for what, expected in theirs.items():
        report.check(f"{folder.name} {what}", differing(what, lines, ours[what], expected))


def main() -> int:
    report = Report()
    given = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    with tempfile.TemporaryDirectory() as temporary:
        folder = given if given is not None and (given / "kinds").is_dir() else Path(temporary)
        if folder != given:
            make(folder)
        lines = json.loads((folder / "lines.json").read_text(encoding="utf-8"))
        for kind in sorted((folder / "kinds").iterdir()):
            compare(report, kind, lines)
    return report.finish()


if __name__ == "__main__":
    raise SystemExit(main())
