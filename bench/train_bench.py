#!/usr/bin/env python3
"""Training the paper's layout against a transformers loop on the same checkpoint, in turns.

    python bench/train_bench.py [--slayer build/release/bin/slayer] [--pairs 5] [--steps 4] [--threads 1]
                                [--compute float32] [--peer-dtype float32] [-- further options of slayer train]

SmolLM2-135M gets the S strategy's new layers, the last two are dropped (35 layers, 28.3 M of 152.2 M
parameters train: speed is asked here, not quality); batches of 4 x 512 tokens of one stream of text,
AdamW. CPU seconds of a step: for slayer those of a training of 1 + N steps less those of a
training of 1 step, for transformers those of the loop after its first step. Bars: 1.25 times the tokens
per CPU second, 0.6 of the peak memory, a start below 2 s.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time

ROOT = pathlib.Path(__file__).parents[1]
ROWS, SEQ_LEN = 4, 512

PEER = """
import json, os, resource, sys, time
import torch, transformers
folder, text, rows, seq_len, steps, dtype, threads = *sys.argv[1:3], *map(int, sys.argv[3:6]), *sys.argv[6:8]
torch.set_num_threads(int(threads))
model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=getattr(torch, dtype), attn_implementation="sdpa")
record = json.load(open(folder + "/slayer.json"))
trained = {layer for layer, of in enumerate(record["plan"]["layers"]) if of["train"]}
for name, parameter in model.named_parameters():
    parameter.requires_grad = any(name.startswith(f"model.layers.{layer}.") for layer in trained)
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
ids = torch.tensor(tokenizer(open(text).read()).input_ids)
optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-4, betas=(0.9, 0.95), weight_decay=0.1)
model.train()
first_step = time.time()
for step in range(steps + 1):
    if step == 1:
        cpu, wall = time.process_time(), time.monotonic()
    batch = ids[step * rows * seq_len:][:rows * seq_len].view(rows, seq_len)
    loss = model(input_ids=batch, labels=batch, use_cache=False).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
print(json.dumps({"cpu": (time.process_time() - cpu) / steps, "wall": (time.monotonic() - wall) / steps, "first_step": first_step,
                  "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
"""


def run(command, environment=None):
    """Wall and CPU seconds, peak resident bytes and output of a program."""
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"failed: {' '.join(map(str, command))}")
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, output


def expanded_checkpoint(slayer, folder):
    base = ROOT / ".cache/SmolLM2-135M-Instruct.gguf"
    for command in (
        ["import", base, "--out", folder / "base"],
        ["plan", folder / "base", "--prune", "2", "--prune-mode", "drop", "--out", folder / "plan.json"],
        ["apply", folder / "base", "--plan", folder / "plan.json", "--out", folder / "expanded"],
    ):
        run([slayer, *command])
    return folder / "expanded"


def write_text(path, megabytes=2):
    """Python's own standard library."""
    size = 0
    with path.open("w") as out:
        for source in sorted(pathlib.Path(sysconfig.get_paths()["stdlib"]).glob("*.py")):
            size += out.write(source.read_text("utf-8", "replace"))
            if size > megabytes * 1e6:
                return


def ours(options, checkpoint, folder, steps):
    out = folder / f"train-{steps}"
    command = [options.slayer, "train", checkpoint, "--data", folder / "text.txt", "--cache-dir", folder / "cache",
               "--out", out, "--force", "--steps", steps, "--batch-size", ROWS, "--micro-batch-size", ROWS,
               "--seq-len", SEQ_LEN, "--packing", "stream", "--save-every", 0, "--threads", options.threads,
               "--compute", options.compute, "--quiet", *options.further]  # fmt: skip
    _, cpu, memory, _ = run(list(map(str, command)))
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
    return cpu, memory, lines


def pair(options, checkpoint, folder):
    started = time.time()
    cpu_of_one, _, lines = ours(options, checkpoint, folder, 1)
    # The file's one line is written when the step is done.
    written = (folder / "train-1/metrics.jsonl").stat().st_mtime
    our_start_up = written - lines[0]["elapsed_s"] - started
    cpu_of_all, memory, lines = ours(options, checkpoint, folder, options.steps + 1)
    our_cpu = (cpu_of_all - cpu_of_one) / options.steps
    our_wall = statistics.median(line["elapsed_s"] - before["elapsed_s"] for before, line in zip(lines, lines[1:]))
    started = time.time()
    _, _, _, output = run([sys.executable, "-c", PEER, *map(str, (checkpoint, folder / "text.txt", ROWS, SEQ_LEN,
                          options.steps, options.peer_dtype, options.threads))])  # fmt: skip
    theirs = json.loads(output)
    tokens = ROWS * SEQ_LEN
    print(f"slayer {tokens / our_cpu:.0f} tokens per CPU second ({tokens / our_wall:.0f} tokens/s), {memory / 1e9:.2f} GB; "
          f"transformers {tokens / theirs['cpu']:.0f} ({tokens / theirs['wall']:.0f}), {theirs['memory'] / 1e9:.2f} GB; "
          f"ratio {theirs['cpu'] / our_cpu:.2f}; start to first step {our_start_up:.1f} s, theirs "
          f"{theirs['first_step'] - started:.1f} s", flush=True)  # fmt: skip
    return theirs["cpu"] / our_cpu, memory / theirs["memory"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--slayer", type=pathlib.Path, default=ROOT / "build/release/bin/slayer")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--compute", default="float32", help="arithmetic of slayer train")
    parser.add_argument("--peer-dtype", default="float32")
    parser.add_argument("further", nargs="*", help="of slayer train")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        checkpoint = expanded_checkpoint(options.slayer, folder)
        write_text(folder / "text.txt")
        speeds, memories = zip(*(pair(options, checkpoint, folder) for _ in range(options.pairs)), strict=True)
        print(f"median of {options.pairs}: {statistics.median(speeds):.2f} times transformers' tokens per CPU second "
              f"({min(speeds):.2f} to {max(speeds):.2f}; bar 1.25), {statistics.median(memories):.2f} of its peak memory "
              f"(bar 0.6)")  # fmt: skip


if __name__ == "__main__":
    main()
