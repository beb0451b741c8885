"""Reads a training's events with tensorboard and compares them with its metrics.jsonl.

    python tests/parity/tensorboard_events.py [--binary build/release/bin/slayer]

slayer trains, is told to take more steps, and goes on: TensorBoard must find each step once, with the
values that stand in metrics.jsonl, in float32.
"""

import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

ROOT = Path(__file__).resolve().parents[2]
FLOAT32 = 1e-6
TAGS = {
    "train/loss": "loss",
    "train/lr": "lr",
    "train/grad_norm": "grad_norm",
    "train/tokens_per_second": "tokens_per_second",
    "watched/domain_perplexity": "domain_perplexity",
}


def train(binary, folder, steps):
    checkpoint = ROOT / "tests" / "fixtures" / "models" / "smollm"
    command = [binary, "train", checkpoint, "--method", "full", "--data", folder / "text.jsonl"]
    command += ["--out", folder / "out", "--steps", steps, "--warmup", 1, "--seq-len", 16, "--batch-size", 2]
    command += ["--holdout", 0.2, "--eval-every", 3, "--threads", 1, "--quiet"]
    subprocess.run([str(word) for word in command], check=True)


def scalars(folder):
    """{tag: [(step, value)]}, as TensorBoard's page would draw them."""
    events = EventAccumulator(str(folder), size_guidance={"tensors": 0, "scalars": 0})
    events.Reload()
    found = {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    for tag in events.Tags()["tensors"]:
        found[tag] = [(event.step, make_ndarray(event.tensor_proto).item()) for event in events.Tensors(tag)]
    return found


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", default=ROOT / "build" / "release" / "bin" / "slayer")
    binary = parser.parse_args().binary
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        lines = [f'{{"text": "line {i} of a text that repeats itself, again and again"}}\n' for i in range(40)]
        (folder / "text.jsonl").write_text("".join(lines))
        train(binary, folder, 7)
        train(binary, folder, 12)
        metrics = [json.loads(line) for line in (folder / "out" / "metrics.jsonl").read_text().splitlines()]
        found = scalars(folder / "out")
    is_same = found.keys() == TAGS.keys()
    for tag, key in TAGS.items():
        expected = [(line["step"], line[key]) for line in metrics if key in line]
        values = found.get(tag, [])
        is_same &= [step for step, _ in values] == [step for step, _ in expected]
        is_same &= all(math.isclose(a, b, rel_tol=FLOAT32) for (_, a), (_, b) in zip(values, expected))
        print(f"{tag}: {len(values)} events of {len(expected)}")
    print("tensorboard reads what metrics.jsonl says" if is_same else "tensorboard reads something else")
    return 0 if is_same and len(metrics) == 13 else 1


if __name__ == "__main__":
    sys.exit(main())
