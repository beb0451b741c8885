#!/usr/bin/env python3
"""scripts/study on a model of a few thousand parameters: it goes on where it stopped and writes its tables.

    study_test.py SLAYER_BINARY SOURCE_FOLDER
"""
import json
import pathlib
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

SLAYER, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "scripts"))
import study_results  # noqa: E402

RECIPE = """
base = "%s"
[plan]
strategy = "slayer"
shallow = 0.5
[train]
data = ["replaced"]
steps = 4
batch_size = 2
seq_len = 32
save_every = 0
[eval]
domain = ["replaced"]
general = ["replaced"]
seq_len = 32
"""


def check(condition, message):
    if not condition:
        sys.exit(f"study_test: {message}")


def write_texts(data):
    for kind, sentence in (("math", "Theorem %d: the sum of %d and one is its successor."),
                           ("general", "On day %d of the journey they saw %d boats.")):
        (data / kind).mkdir(parents=True)
        for part in ("train", "dev", "test"):
            lines = [json.dumps({"id": str(i), "text": sentence % (i, i)}) + "\n" for i in range(20)]
            (data / kind / f"{part}.jsonl").write_text("".join(lines))


def record(method, seed, domain, general, **changed):
    """A made-up training."""
    text = lambda change: {"documents": 9, "tokens": 900, "base": {"perplexity": 20.0}, "new": {"perplexity": 20.0 * (1 + change)},
                           "change": change, "change_low": change - 0.01, "change_high": change + 0.01}
    return {"domain": "math", "phase": "final", "method": method, "lr": 3e-4, "seed": seed, "steps": 4, "tokens": 4000, "seconds": 9.0,
            "cpu_seconds": 10.0, "peak_bytes": 2e9, "parameters": 1e6, "trained_parameters": 5e5, "surgery_cost": None, "sketch": "=",
            "text": {"domain": text(domain), "general": text(general)}, "tasks": [],
            "curve": [{"step": 4, "tokens": 4000, "elapsed_s": 8.0, "domain_loss": 3.0 + domain, "general_loss": 3.0 + general}],
            **changed}


def test_tables():
    records = [record("slayer", 1, -0.2, 0.0), record("slayer", 2, -0.3, 0.02), record("full", 1, -0.4, 0.1),
               record("healed", 1, -0.1, -0.05)]
    base = {"domain": 3.0, "general": 3.0}
    text = study_results.describe_domain("math", records, base)
    check("| slayer | 0.5 M | 0.0003 | 2 | -25.0 (seeds -30.0 to -20.0) | +1.0 (seeds +0.0 to +2.0) | -16.7 | +6.3 |" in text, text)
    check("| full | 0.5 M | 0.0003 | 1 | -40.0 (-41.0 to -39.0) | +10.0 (+9.0 to +11.0) |" in text, text)
    # What the weaker one reaches at its end, the stronger reaches earlier: 1 - exp(-0.2) = 18.1 %.
    check("At equal gain, 18.1 %" in text and "| slayer | 4000 | 10 | +18.1 | +0.0 |" in text, text)
    check("| full | 2199 | 5 | +18.1 | +5.8 |" in text, text)
    check(study_results.at([(0, 0.0), (4, 1.0)], 1, 0.5) == (2.0, 0.5), "at")
    check(study_results.at([(0, 0.0), (4, 1.0)], 1, 2.0) is None, "at, beyond")
    picture = xml.etree.ElementTree.fromstring(study_results.pareto({"math": records, "law": records}))
    check(len(picture.findall(".//{*}circle")) == 2 * 4 + 3, "the picture's points")


def test_run(folder):
    write_texts(folder / "data")
    (folder / "study.toml").write_text(RECIPE % (SOURCE / "tests/fixtures/models/smollm"))

    def study(*arguments):
        return subprocess.run(
            [sys.executable, SOURCE / "scripts/study", "--slayer", SLAYER, "--recipe", folder / "study.toml", "--data", folder / "data",
             "--out", folder / "out", "--docs", folder / "docs", "--domains", "math", "--seeds", "2", "--threads", "1", *arguments],
            capture_output=True, text=True)

    (folder / "docs").mkdir()
    (folder / "docs/README.md").write_text(f"Before.\n{study_results.BEGIN}\nold\n{study_results.END}\nAfter.\n")
    first = study("--methods", "slayer")
    check(first.returncode == 0 and "math, grid, slayer: 3 x 1 steps" in first.stdout, first.stdout + first.stderr)
    second = study("--methods", "slayer,deep-half,lora,healed,auto")
    check(second.returncode == 0 and "slayer:" not in second.stdout, second.stdout + second.stderr)
    check("math, final, lora: 2 x 4 steps" in second.stdout and "grid, healed" not in second.stdout, second.stdout)
    results = json.loads((folder / "docs/results.json").read_text())
    finals = {(r["method"], r["seed"]): r for r in results["records"] if r["phase"] == "final"}
    check(set(finals) == {("slayer", 1), ("slayer", 2), ("deep-half", 1), ("lora", 1), ("lora", 2), ("healed", 1), ("auto", 1)}, list(finals))
    check(finals["deep-half", 1]["sketch"] != finals["slayer", 1]["sketch"], "deep-half is the same plan")
    check(finals["slayer", 1]["tokens"] == 4 * 2 * 32 and finals["slayer", 1]["surgery_cost"] is None, finals["slayer", 1])
    check(0.5 < finals["lora", 1]["trained_parameters"] / finals["slayer", 1]["trained_parameters"] < 2, "LoRA's size")
    text = (folder / "docs/README.md").read_text()
    check(text.startswith("Before.") and text.endswith("After.\n") and "old" not in text and "| lora |" in text, text)
    check(not list((folder / "out").rglob("train/model")), "heavy files stayed")
    other = study("--scale", "0.5")
    check(other.returncode == 1 and "other settings than these" in other.stderr, other.stderr)


test_tables()
with tempfile.TemporaryDirectory() as scratch:
    test_run(pathlib.Path(scratch))
