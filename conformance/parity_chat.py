"""Chat templates of public formats, rendered by Sluice (`chat.js`), against Transformers' apply_chat_template."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from chat_templates import CONVERSATIONS, TEMPLATES, TOKENS, messages
from report import Report
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

HERE = Path(__file__).resolve().parent
# A template that refuses a conversation is held to refuse it, not to the words of the library.
REFUSED = None


def main() -> int:
    report = Report()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.BPE()), **TOKENS)
    cases = [
        {"name": name, "template": template, "messages": messages(one), "addGenerationPrompt": prompt, "tokens": TOKENS}
        for name, template in TEMPLATES.items()
        for one in CONVERSATIONS
        for prompt in (True, False)
    ]
    answer = subprocess.run(
        ["node", HERE / "chat.js"], input=json.dumps(cases), capture_output=True, text=True, check=False
    )
    if answer.returncode != 0:
        report.check("chat.js", answer.stderr.strip()[-400:] or f"exit {answer.returncode}")
        return report.finish()
    problems: dict[str, str] = {}
    for case, ours in zip(cases, json.loads(answer.stdout), strict=True):
        try:
            theirs = tokenizer.apply_chat_template(
                case["messages"],
                chat_template=case["template"],
                tokenize=False,
                add_generation_prompt=case["addGenerationPrompt"],
            )
        except Exception:  # noqa: BLE001 (whatever the template raises)
            theirs = REFUSED
        problem = "" if ours == theirs else f"{case['messages']}: {ours!r}, not {theirs!r}"
        problems[case["name"]] = problems.get(case["name"]) or problem
    for name, problem in problems.items():
        report.check(f"{name}, {len(CONVERSATIONS)} conversations", problem)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
