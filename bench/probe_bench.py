#!/usr/bin/env python3
"""Times `slayer probe`'s removal sweep against a plain transformers loop, in turns, by CPU seconds on one core.

    python bench/probe_bench.py [MODEL] [--text FILE] [--slayer build/release/bin/slayer] [--pairs 3]
        [--layers 15,30] [--race N] [--data-dir DIR] [--task mmlu_high_school_computer_science]

MODEL is a checkpoint folder in float32 or a GGUF (default: the demo's). Text: 16 windows of 512 tokens of FILE
(default: Python's standard library). Task, where --data-dir or SLAYER_DATA_DIR has its data: 5-shot, the first 20 items; theirs runs
each item once and reads the answers' logits at the last position. Theirs evaluates each variant alone, with the
model in memory; since each costs the same, it runs the base and some removals and is scaled to all of them (--variants
0 runs them all). Ours is the whole command: loading, intervals and output too.
"""

import argparse
import json
import os
import pathlib
import resource
import statistics
import subprocess
import tempfile
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = pathlib.Path(__file__).resolve().parents[1]
SEQ_LEN = 512
WINDOWS = 16
ITEMS = 20
SHOTS = 5


def documents(path):
    if path:
        return [path.read_text()]
    return [source.read_text("utf-8", "replace") for source in sorted(pathlib.Path(json.__file__).parents[1].glob("t*.py"))]


def run(words):
    subprocess.run([str(word) for word in words], check=True, stdout=subprocess.DEVNULL)


def cut_to(slayer, model, layers, folder):
    plan, out = folder / f"plan{layers}.json", folder / f"layers{layers}"
    run([slayer, "plan", model, "--strategy", "passthrough", "--ranges", f"0:{layers}", "--out", plan, "--quiet"])
    run([slayer, "apply", model, "--plan", plan, "--out", out, "--quiet"])
    return out


def ours(slayer, model, folder, inputs):
    out = folder / "probe.json"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run([slayer, "probe", model, *inputs, "--threads", 1, "--out", out, "--force", "--quiet"])
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, json.loads(out.read_text())


def text_windows(tokenizer, text):
    windows = []
    for document in text:
        ids = tokenizer(document)["input_ids"]
        for begin in range(0, len(ids) - SEQ_LEN + 1, SEQ_LEN):
            window = ids[begin : begin + SEQ_LEN]
            if tokenizer(tokenizer.decode(window))["input_ids"] == window:  # Ours gets it as text.
                windows.append(window)
    assert len(windows) >= WINDOWS, f"{len(windows)} windows, {WINDOWS} needed"
    return [torch.tensor(windows[i : i + 4]) for i in range(0, WINDOWS, 4)]


def loss(model, batches):
    nats = 0.0
    for ids in batches:
        scores = model(ids, use_cache=False).logits[:, :-1].flatten(0, 1)
        nats += torch.nn.functional.cross_entropy(scores, ids[:, 1:].flatten(), reduction="sum").item()
    return nats / sum(ids.shape[0] * (ids.shape[1] - 1) for ids in batches)


def mmlu_prompts(tokenizer, data_dir, subject):
    import pyarrow.parquet

    def rows(split):
        [file] = (data_dir / "cais/mmlu" / subject).glob(f"{split}-*.parquet")
        return pyarrow.parquet.read_table(file).to_pylist()

    def question(row):
        choices = "".join(f"\n{letter}. {text}" for letter, text in zip("ABCD", row["choices"], strict=True))
        return f"{row['question'].strip()}{choices}\nAnswer:"

    shots = "".join(f"{question(row)} {'ABCD'[row['answer']]}\n\n" for row in rows("dev")[:SHOTS])
    head = f"The following are multiple choice questions (with answers) about {subject.replace('_', ' ')}.\n\n"
    answers = [tokenizer(f" {letter}", add_special_tokens=False)["input_ids"][0] for letter in "ABCD"]
    items = rows("test")[:ITEMS]
    return [(torch.tensor([tokenizer(head + shots + question(row))["input_ids"]]), row["answer"]) for row in items], answers


def accuracy(model, prompts, answers):
    right = 0
    for ids, gold in prompts:
        scores = model(ids, use_cache=False, logits_to_keep=1).logits[0, -1, answers]
        right += scores.argmax().item() == gold
    return right / len(prompts)


def theirs(model, evaluate, variants):
    """CPU seconds of all variants, and the value of the base and of the removals that ran."""
    layers = list(model.model.layers)
    removals = range(len(layers)) if variants == 0 else range(0, len(layers), max(1, len(layers) // variants))
    values = {}
    with torch.inference_mode():
        start = time.process_time()
        for removed in [None, *removals]:
            model.model.layers = torch.nn.ModuleList(layer for i, layer in enumerate(layers) if i != removed)
            model.config.num_hidden_layers = len(model.model.layers)
            values[removed] = evaluate(model)
        seconds = time.process_time() - start
    model.model.layers = torch.nn.ModuleList(layers)
    return seconds * (len(layers) + 1) / (len(removals) + 1), values


def compare(what, pairs, run_ours, run_theirs, check):
    ratios, seconds = [], []
    for _ in range(pairs):
        their_seconds, values = run_theirs()
        our_seconds, probe = run_ours()
        check(probe, values)
        ratios.append(their_seconds / our_seconds)
        seconds.append((their_seconds, our_seconds))
    their_median, our_median = (statistics.median(column) for column in zip(*seconds, strict=True))
    print(
        f"{what}: CPU seconds theirs {their_median:.1f}, ours {our_median:.1f}; median ratio "
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f} in {pairs} pairs)",
        flush=True,
    )


def check_removals(section, key, tolerance):
    def check(values):
        for removed, value in values.items():
            entry = section["base"] if removed is None else section["remove"]["layers"][removed]
            stopped_early = "groups" in entry
            assert stopped_early or abs(entry[key] - value) <= tolerance, f"{removed}: {entry[key]}, theirs {value}"

    return check


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, nargs="?", default=ROOT / ".cache/SmolLM2-135M-Instruct.gguf")
    parser.add_argument("--text", type=pathlib.Path)
    parser.add_argument("--slayer", default=ROOT / "build/release/bin/slayer")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--variants", type=int, default=5)
    parser.add_argument("--layers", default="15,30")
    parser.add_argument("--race", type=int)
    parser.add_argument("--data-dir", type=pathlib.Path, default=os.environ.get("SLAYER_DATA_DIR"))
    parser.add_argument("--task", default="mmlu_high_school_computer_science")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if arguments.model.is_file():
            run([arguments.slayer, "import", arguments.model, "--out", folder / "model", "--dtype", "float32", "--quiet"])
            arguments.model = folder / "model"
        for layers in (int(count) for count in arguments.layers.split(",")):
            path = cut_to(arguments.slayer, arguments.model, layers, folder)
            model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
            tokenizer = AutoTokenizer.from_pretrained(path)
            batches = text_windows(tokenizer, documents(arguments.text))
            inputs = folder / "windows.jsonl"
            inputs.write_text("".join(json.dumps({"text": tokenizer.decode(ids)}) + "\n" for batch in batches for ids in batch))
            options = ["--text", inputs, "--seq-len", SEQ_LEN, "--windows", WINDOWS]
            if arguments.race:
                options += ["--race", arguments.race]
            compare(
                f"text {WINDOWS} x {SEQ_LEN}, {layers} layers",
                arguments.pairs,
                lambda: ours(arguments.slayer, path, folder, options),
                lambda: theirs(model, lambda changed: loss(changed, batches), arguments.variants),
                lambda probe, values: check_removals(probe, "loss", 1e-4)(values),
            )
        if arguments.data_dir:
            prompts, answers = mmlu_prompts(tokenizer, arguments.data_dir, arguments.task.removeprefix("mmlu_"))
            options = ["--tasks", arguments.task, "--num-fewshot", SHOTS, "--limit", ITEMS, "--data-dir", arguments.data_dir]
            near_ties = 2.5 / ITEMS
            compare(
                f"{arguments.task}, {SHOTS}-shot, {ITEMS} items, {layers} layers",
                arguments.pairs,
                lambda: ours(arguments.slayer, path, folder, options),
                lambda: theirs(model, lambda changed: accuracy(changed, prompts, answers), arguments.variants),
                lambda probe, values: check_removals(probe["tasks"][arguments.task]["acc"], "acc", near_ties)(values),
            )


if __name__ == "__main__":
    main()
