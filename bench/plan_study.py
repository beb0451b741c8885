#!/usr/bin/env python3
"""Sets the auto plan against the S strategy at equal size: what the prune costs, and what training then reaches.

    python bench/plan_study.py [MODEL] [--slayer build/release/bin/slayer] [--prune 2] [--steps 20] [--threads 1] [--out DIR]
        [--domain NAME=TRAIN,HELDOUT]... [--general FILE]

Per domain: one probe (removal on domain and general text, joint prune on the general one), then both plans with as many
new layers and as many pruned, hence equally many parameters; the perplexity on held-out text of the base, of both models
before training and after the same steps on the same tokens. Files are .jsonl: the demo's licence texts (`make setup-demo`)
and Python's standard library, split by the hash of a file's name, unless given. Of the general text (the demo's prose)
every other document is probed, the others are held out. All that was made stays in DIR, and what is there is not made
again. About half an hour on one core.
"""

import argparse
import hashlib
import json
import math
import pathlib
import subprocess
import sysconfig

ROOT = pathlib.Path(__file__).resolve().parents[1]
DEMO = ROOT / ".cache/demo"
PROBE = ["--seq-len", 128, "--windows", 16]
TRAIN = ["--batch-size", 4, "--seq-len", 256, "--lr", "4e-4", "--save-every", 0]
HELDOUT_DOCUMENTS = 16
HELDOUT_CHARACTERS = 2000


def documents(path):
    return [json.loads(line)["text"] for line in path.read_text().splitlines()]


def write_documents(path, texts):
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return path


def standard_library(folder):
    train, heldout = [], []
    for source in sorted(pathlib.Path(sysconfig.get_path("stdlib")).glob("*.py")):
        is_heldout = hashlib.sha256(source.name.encode()).digest()[0] % 5 == 0
        (heldout if is_heldout else train).append(source.read_text("utf-8", "replace"))
    return write_documents(folder / "python_train.jsonl", train), write_documents(folder / "python_heldout.jsonl", heldout)


class Study:
    def __init__(self, arguments):
        self.slayer, self.model, self.folder = arguments.slayer, arguments.model, arguments.out
        self.arguments = arguments

    def run(self, out, *words):
        """A command that makes `out`, unless it is there."""
        if not out.exists():
            command = [self.slayer, *words, "--out", out, "--quiet"]
            subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
        return out

    def threads(self):
        return ["--threads", self.arguments.threads]

    def loss(self, name, model, text):
        out = self.run(self.folder / f"{name}.json", "eval", model, "--text", text, "--seq-len", 512, *self.threads())
        [result] = json.loads(out.read_text())["results"].values()
        return result["loss"]

    def losses(self, name, model, texts):
        return [self.loss(f"{name}_{kind}", model, text) for kind, text in texts.items()]

    def domain(self, name, train, heldout):
        general = documents(self.arguments.general)
        probed = write_documents(self.folder / "general_probed.jsonl", general[::2])
        texts = {
            "domain": write_documents(self.folder / f"{name}_test.jsonl", beginnings(documents(heldout))),
            "general": write_documents(self.folder / "general_test.jsonl", beginnings(general[1::2])),
        }
        probe = self.run(
            self.folder / f"{name}_probe.json", "probe", self.model, "--domain", train, "--general", probed,
            "--prune", self.arguments.prune, *PROBE, *self.threads(),
        )  # fmt: skip
        sizes = ["--prune", self.arguments.prune]
        paper = self.run(self.folder / f"{name}_S_plan.json", "plan", self.model, *sizes)
        new = sum(layer.get("zero_output", False) for layer in json.loads(paper.read_text())["layers"])
        wanted = ["--strategy", "auto", "--probe", probe, "--new", new, *sizes]
        auto = self.run(self.folder / f"{name}_auto_plan.json", "plan", self.model, *wanted)
        print(f"\n{name}: {new} new layers, {self.arguments.prune} pruned; held-out loss in nats per token (perplexity)")
        print_row("base", self.losses(f"{name}_base", self.model, texts))
        for strategy, plan in {"S": paper, "auto": auto}.items():
            print(f"  {strategy}: {self.describe(plan)}")
            expanded = self.run(self.folder / f"{name}_{strategy}", "apply", self.model, "--plan", plan)
            print_row(f"{strategy}, before training", self.losses(f"{name}_{strategy}_before", expanded, texts))
            trained = self.run(
                self.folder / f"{name}_{strategy}_train", "train", expanded, "--data", train,
                "--steps", self.arguments.steps, *TRAIN, *self.threads(),
            )  # fmt: skip
            print_row(f"{strategy}, trained", self.losses(f"{name}_{strategy}_after", trained / "model", texts))

    def describe(self, plan):
        words = [self.slayer, "plan", self.model, "--plan", plan, "--json"]
        shown = json.loads(subprocess.run([str(word) for word in words], check=True, capture_output=True).stdout)
        millions = [f"{shown[key] / 1e6:.1f} M" for key in ("parameters", "trained_parameters")]
        return f"{shown['sketch']}  {shown['layers']} layers, {millions[0]}, {millions[1]} trained"


def beginnings(texts):
    return [text[:HELDOUT_CHARACTERS] for text in texts[:HELDOUT_DOCUMENTS]]


def print_row(what, losses):
    cells = (f"{kind} {loss:.3f} ({math.exp(loss):.2f})" for kind, loss in zip(("domain", "general"), losses, strict=True))
    print(f"  {what:22} {'   '.join(cells)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=pathlib.Path, nargs="?", default=ROOT / ".cache/SmolLM2-135M-Instruct.gguf")
    parser.add_argument("--slayer", default=ROOT / "build/release/bin/slayer")
    parser.add_argument("--prune", type=int, default=2)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=pathlib.Path, default=ROOT / "runs/plan_study")
    parser.add_argument("--domain", action="append", default=[])
    parser.add_argument("--general", type=pathlib.Path, default=DEMO / "general_heldout.jsonl")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    domains = {}
    for given in arguments.domain:
        name, files = given.split("=", 1)
        domains[name] = [pathlib.Path(file) for file in files.split(",")]
    if not domains:
        domains["licences"] = [DEMO / "domain_train.jsonl", DEMO / "domain_heldout.jsonl"]
        domains["python"] = standard_library(arguments.out)
    study = Study(arguments)
    for name, (train, heldout) in domains.items():
        study.domain(name, train, heldout)


if __name__ == "__main__":
    main()
