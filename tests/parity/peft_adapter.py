"""Compares LoRA adapters with peft, both ways, on the tiny models.

    python tests/parity/peft_adapter.py [--binary build/release/bin/slayer]

slayer trains adapters; peft loads OUT/adapter onto the source: its merged weights and its logits must
be those of OUT/model. Then an adapter that peft wrote must be what slayer's training begins from:
with a learning rate of 0, what it writes is what it read.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import peft
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

ROOT = Path(__file__).resolve().parents[2]
MODELS = ROOT / "tests" / "fixtures" / "models"
# Merging in float32 rounds once; peft adds the same product in another order.
TOLERANCE = 1e-6


def train(binary, checkpoint, data, out, *extra):
    command = [binary, "train", checkpoint, "--method", "lora", "--data", data, "--out", out]
    command += ["--steps", "3", "--seq-len", "16", "--batch-size", "2", "--threads", "1", "--quiet"]
    subprocess.run([str(word) for word in [*command, *extra]], check=True)


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)


def relative(value, expected):
    return ((value - expected).norm() / expected.norm()).item()


def check_written(binary, name, folder, data):
    """peft on OUT/adapter equals OUT/model."""
    out = folder / name
    train(binary, MODELS / name, data, out, "--lora-rank", 4, "--lr", 0.01)
    ours = load(out / "model")
    theirs = peft.PeftModel.from_pretrained(load(MODELS / name), out / "adapter").merge_and_unload()
    ids = torch.arange(3, 35)[None]
    with torch.no_grad():
        differences = {"logits": relative(ours(ids).logits, theirs(ids).logits)}
    for key, value in ours.state_dict().items():
        differences[key] = relative(value.float(), theirs.state_dict()[key].float())
    worst = max(differences, key=differences.get)
    print(f"{name}: largest relative difference {differences[worst]:.1e} ({worst})")
    return differences[worst] <= TOLERANCE


def check_read(binary, folder, data):
    """An adapter of peft's comes back."""
    given = ROOT / "tests" / "fixtures" / "training" / "adapter"
    train(binary, MODELS / "smollm", data, folder / "read", "--adapter", given, "--lr", 0)
    before = load_file(given / "adapter_model.safetensors")
    after = load_file(folder / "read" / "adapter" / "adapter_model.safetensors")
    config = json.loads((folder / "read" / "adapter" / "adapter_config.json").read_text())
    is_same = before.keys() == after.keys() and all(torch.equal(before[k], after[k]) for k in before)
    print(f"adapter read and written: {'the same' if is_same else 'another'}, rank {config['r']}")
    return is_same


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=ROOT / "build" / "release" / "bin" / "slayer")
    binary = parser.parse_args().binary
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        data = folder / "text.jsonl"
        data.write_text('{"text": "some text to learn, again and again, until it is known by heart"}\n' * 9)
        results = [check_read(binary, folder, data), check_written(binary, "smollm", folder, data)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
