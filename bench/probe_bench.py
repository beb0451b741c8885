#!/usr/bin/env python3
"""Times `slayer probe`'s removal sweep against a plain transformers loop, in turns, by CPU seconds on one core.

    python bench/probe_bench.py [MODEL] [--text FILE] [--slayer build/release/bin/slayer] [--pairs 3]
        [--layers 10,20,30] [--text-windows 16x512] [--data-dir DIR] [--task mmlu_high_school_computer_science]
        [--race 3,5] [--race-windows 64x256] [--race-text NAME=FILE]...

MODEL is a checkpoint folder in float32 or a GGUF (default: the demo's). Text: 16 windows of 512 tokens of FILE
(default: Python's standard library). Task, where --data-dir or SLAYER_DATA_DIR has its data: 5-shot, the first 20 items; theirs runs
each item once and reads the answers' logits at the last position. Theirs evaluates each variant alone, with the
model in memory; since each costs the same, it runs the base and some removals and is scaled to all of them (--variants
0 runs them all). Ours is the whole command: loading, intervals and output too.

Then, unless --race 0, the sweep of the whole model with and without --race on each text (default: the demo's licences and prose,
and Python's standard library): CPU seconds, layers evaluated (scoring a variant counts as the layers that its head
weighs), and whether the best and the worst are the same.
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
WINDOWS = 16  # A multiple of 4; --text-windows sets both.
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
    return their_median, our_median


def print_growth(by_layers):
    """How cost grows with layers: what a removal sweep of n layers costs is about a n + b n^2."""
    smallest = min(by_layers)
    print("cost of a removal sweep by layers (both relative to the first):")
    for layers, (theirs_seconds, our_seconds) in sorted(by_layers.items()):
        first_theirs, first_ours = by_layers[smallest]
        print(
            f"  {layers:3} layers: theirs {theirs_seconds:7.1f} s (x{theirs_seconds / first_theirs:.2f}), ours {our_seconds:7.1f} s "
            f"(x{our_seconds / first_ours:.2f}); {layers * layers} and {layers * (layers + 1) // 2} layers evaluated for each sequence",
            flush=True,
        )


def head_in_layers(slayer, model):
    shown = subprocess.run([str(slayer), "inspect", str(model), "--json"], check=True, capture_output=True).stdout
    model = json.loads(shown)
    return model["vocab_size"] * model["hidden_size"] / model["parameters_per_layer"]


def layer_evaluations(probe, head):
    """Layers that a removal sweep evaluated, times windows, heads counted in layers."""
    layers, windows = probe["layers"], probe["text"]["windows"]
    total = probe["base"].get("groups", windows) * (layers + head)
    for entry in probe["remove"]["layers"]:
        total += entry.get("groups", windows) * (layers - 1 - entry["layer"] + head)
    return total


def extremes(probe, count):
    """The layers whose removal does least harm, and those whose does most, as sets: a race does not ask for more."""
    if "race" in probe:
        return set(probe["remove"]["best"]), set(probe["remove"]["worst"])
    ranked = [entry["layer"] for entry in sorted(probe["remove"]["layers"], key=lambda entry: entry["loss"])]
    return set(ranked[:count]), set(ranked[-count:])


def race_texts(arguments, folder):
    if arguments.race_text:
        return dict(text.split("=", 1) for text in arguments.race_text)
    library = folder / "library.jsonl"
    library.write_text("".join(json.dumps({"text": text}) + "\n" for text in documents(None)))
    return {
        "licences": ROOT / ".cache/demo/domain_train.jsonl",
        "prose": ROOT / ".cache/demo/general_heldout.jsonl",
        "python": library,
    }


def race(arguments, model, folder):
    head = head_in_layers(arguments.slayer, model)
    windows, seq_len = arguments.race_windows.split("x")
    for name, text in race_texts(arguments, folder).items():
        if not pathlib.Path(text).exists():
            print(f"race, {name}: {text} is missing (make setup-demo)")
            continue
        options = ["--text", text, "--seq-len", seq_len, "--windows", windows]
        whole_seconds, whole = ours(arguments.slayer, model, folder, options)
        whole_layers = layer_evaluations(whole, head)
        for count in (int(count) for count in arguments.race.split(",")):
            seconds, raced = ours(arguments.slayer, model, folder, [*options, "--race", count])
            found, right = extremes(raced, count), extremes(whole, count)
            saved = whole_layers / layer_evaluations(raced, head)
            print(
                f"race, best and worst {count}, {name}, {windows} x {seq_len}: CPU seconds {whole_seconds:.0f} -> {seconds:.0f}, ratio "
                f"{whole_seconds / seconds:.2f} (bar: 2.0); layers evaluated {saved:.2f} times fewer; "
                f"{'same best and worst' if found == right else f'OTHER ones: {found}, not {right}'}",
                flush=True,
            )


def check_removals(section, key, tolerance):
    def check(values):
        for removed, value in values.items():
            entry = section["base"] if removed is None else section["remove"]["layers"][removed]
            assert abs(entry[key] - value) <= tolerance, f"{removed}: {entry[key]}, theirs {value}"

    return check


def main():
    global WINDOWS, SEQ_LEN
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, nargs="?", default=ROOT / ".cache/SmolLM2-135M-Instruct.gguf")
    parser.add_argument("--text", type=pathlib.Path)
    parser.add_argument("--slayer", default=ROOT / "build/release/bin/slayer")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--variants", type=int, default=5)
    parser.add_argument("--layers", default="10,20,30")
    parser.add_argument("--text-windows", default=f"{WINDOWS}x{SEQ_LEN}")
    parser.add_argument("--race", default="3,5")
    parser.add_argument("--race-windows", default="64x256")
    parser.add_argument("--race-text", action="append", default=[])
    parser.add_argument("--data-dir", type=pathlib.Path, default=os.environ.get("SLAYER_DATA_DIR"))
    parser.add_argument("--task", default="mmlu_high_school_computer_science")
    arguments = parser.parse_args()
    WINDOWS, SEQ_LEN = map(int, arguments.text_windows.split("x"))
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        if arguments.model.is_file():
            run([arguments.slayer, "import", arguments.model, "--out", folder / "model", "--dtype", "float32", "--quiet"])
            arguments.model = folder / "model"
        by_layers = {}
        for layers in (int(count) for count in arguments.layers.split(",") if count):
            path = cut_to(arguments.slayer, arguments.model, layers, folder)
            model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
            tokenizer = AutoTokenizer.from_pretrained(path)
            batches = text_windows(tokenizer, documents(arguments.text))
            inputs = folder / "windows.jsonl"
            inputs.write_text("".join(json.dumps({"text": tokenizer.decode(ids)}) + "\n" for batch in batches for ids in batch))
            options = ["--text", inputs, "--seq-len", SEQ_LEN, "--windows", WINDOWS]
            by_layers[layers] = compare(
                f"text {WINDOWS} x {SEQ_LEN}, {layers} layers",
                arguments.pairs,
                lambda: ours(arguments.slayer, path, folder, options),
                lambda: theirs(model, lambda changed: loss(changed, batches), arguments.variants),
                lambda probe, values: check_removals(probe, "loss", 1e-4)(values),
            )
        if by_layers:
            print_growth(by_layers)
        if arguments.data_dir and by_layers:
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
        if arguments.race != "0":
            race(arguments, arguments.model, folder)


if __name__ == "__main__":
    main()
