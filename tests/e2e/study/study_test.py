#!/usr/bin/env python3
"""scripts/study on a model of a few thousand parameters: it goes on where it stopped, here or on another machine,
and writes its tables.

    study_test.py SLAYER_BINARY SOURCE_FOLDER
"""
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

SLAYER, SOURCE = sys.argv[1], pathlib.Path(sys.argv[2])
sys.path.insert(0, str(SOURCE / "scripts"))
import study_picture  # noqa: E402
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
            "cpu_seconds": 10.0, "other_cpu_seconds": 1.0, "peak_bytes": 2e9, "parameters": 1e6, "trained_parameters": 5e5, "surgery_cost": None, "sketch": "=",
            "text": {"domain": text(domain), "general": text(general)}, "tasks": [],
            "curve": [{"step": 0, "tokens": 0, "cpu_seconds": 0.0, "domain_loss": 3.0, "general_loss": 3.0},
                      {"step": 4, "tokens": 4000, "cpu_seconds": 10.0, "domain_loss": 3.0 + domain, "general_loss": 3.0 + general}],
            **changed}


def test_tables():
    records = [record("slayer", 1, -0.2, 0.0), record("slayer", 2, -0.3, 0.02), record("full", 1, -0.4, 0.1),
               record("healed", 1, -0.1, -0.05)]
    text = study_results.describe_domain("math", records)
    check("| slayer | 0.5 M | 0.0003 | 2 | -25.0 (seeds -30.0 to -20.0) | +1.0 (seeds +0.0 to +2.0) | -16.7 | +6.3 |" in text, text)
    check("| full | 0.5 M | 0.0003 | 1 | -40.0 (-41.0 to -39.0) | +10.0 (+9.0 to +11.0) |" in text, text)
    # What the weaker one reaches at its end, the stronger reaches earlier: 1 - exp(-0.2) = 18.1 %.
    check("At equal gain, 18.1 %" in text and "| slayer | 4000 | 10 | +18.1 | +0.0 |" in text, text)
    check("| full | 2199 | 5 | +18.1 | +5.8 |" in text, text)
    check(study_results.at([(0, 0.0), (4, 1.0)], 1, 0.5) == (2.0, 0.5), "at")
    check(study_results.at([(0, 0.0), (4, 1.0)], 1, 2.0) is None, "at, beyond")
    points = study_results.points(records)
    picture = xml.etree.ElementTree.fromstring(study_picture.pareto({"math": points, "law": [*points, ("drop", -90.0, 300.0)]}))
    check(len(picture.findall(".//{*}circle")) == 2 * 4 + 4, "the picture's points and its legend's four")
    check(any(text.text.startswith("outside: drop") for text in picture.findall(".//{*}text")), "what is far off")
    check(study_picture.front([(0, 0), (5, 3), (4, 3), (6, 9), (3, -1)]) == [(6, 9), (5, 3), (3, -1)], "the front")


def test_run(folder):
    write_texts(folder / "data")
    (folder / "study.toml").write_text(RECIPE % (SOURCE / "tests/fixtures/models/smollm"))

    def study(*arguments, out="out", data="data"):
        return subprocess.run(
            [sys.executable, SOURCE / "scripts/study", "--slayer", SLAYER, "--recipe", folder / "study.toml", "--data", folder / data,
             "--out", folder / out, "--docs", folder / "docs", "--domains", "math", "--seeds", "2", "--threads", "1", *arguments],
            capture_output=True, text=True)

    def succeeds(done, *said):
        check(done.returncode == 0 and all(part in done.stdout for part in said), done.stdout + done.stderr)
        return done.stdout

    (folder / "docs").mkdir()
    (folder / "docs/README.md").write_text(f"Before.\n{study_results.BEGIN}\nold\n{study_results.END}\nAfter.\n")
    succeeds(study("--status", "--methods", "slayer"), "math  grid   slayer           0 of 3 done\n", "0 trainings done, 5 missing\n")
    succeeds(study("--methods", "slayer", "--hours", "0"), "stopped; the same command goes on")
    check("old" in (folder / "docs/README.md").read_text(), "tables of nothing")
    succeeds(study("--methods", "slayer"), "math, grid-slayer-lr-0.0001-seed-1-", "math, final-slayer-", ": 4 steps")
    results = sorted((folder / "docs/results").iterdir())
    check(len(results) == 5 and all(file.stat().st_size < 8000 for file in results), results)
    succeeds(study("--status", "--methods", "slayer,full"), "math  final  slayer           2 of 2 done\n", "math  final  full             0 of 2 done, about ",
             "5 trainings done, 5 missing: about ")

    # Another machine: other folders, the same texts and model, and the results so far.
    (folder / "data").rename(folder / "other data")
    shutil.rmtree(folder / "out")
    elsewhere = {"out": "elsewhere", "data": "other data"}
    rest = succeeds(study("--methods", "slayer,deep-half,lora,healed,auto,slayer-drop", **elsewhere), "math, final-lora-lr-")
    check("-slayer-lr-" not in rest and "grid-healed" not in rest and "grid-slayer-drop" not in rest, rest)
    records = [json.loads(file.read_text()) for file in (folder / "docs/results").iterdir()]
    finals = {(r["method"], r["seed"]): r for r in records if r["phase"] == "final"}
    check(set(finals) == {("slayer", 1), ("slayer", 2), ("deep-half", 1), ("lora", 1), ("lora", 2), ("healed", 1), ("auto", 1),
                          ("slayer-drop", 1)}, list(finals))
    check(finals["deep-half", 1]["sketch"] != finals["slayer", 1]["sketch"], "deep-half is the same plan")
    first = finals["slayer", 1]
    check(first["tokens"] == 4 * 2 * 32 and first["surgery_cost"] is None and len(first["settings"]) == 64, first)
    check(0 < first["cpu_seconds"] and first["machine"]["cores"] > 0 and first["machine"]["threads"] == 1, first)
    check([look["step"] for look in first["curve"]] == [0, 2, 4], first["curve"])
    check(0.5 < finals["lora", 1]["trained_parameters"] / first["trained_parameters"] < 2, "LoRA's size")
    check(finals["slayer-drop", 1]["curve"][0]["domain_loss"] != first["curve"][0]["domain_loss"], "nothing was dropped")
    text = (folder / "docs/README.md").read_text()
    check(text.startswith("Before.") and text.endswith("After.\n") and "old" not in text and "| lora |" in text, text)
    succeeds(study("--methods", "slayer", "--seeds", "1", **elsewhere))
    check((folder / "docs/README.md").read_text() == text, "tables of the chosen methods only")
    check(not list((folder / "elsewhere").rglob("train/model")), "heavy files stayed")

    # Other settings have results of their own, also where the runs' folder is the same.
    succeeds(study("--status", "--methods", "slayer", "--scale", "0.5", **elsewhere), "0 trainings done, 5 missing: about ")
    with (folder / "other data/math/dev.jsonl").open("a") as dev:
        dev.write('{"id": "x", "text": "one more"}\n')
    succeeds(study("--methods", "slayer", "--seeds", "1", **elsewhere), "math, grid-slayer-lr-0.0001-seed-1-")


def test_stops_when_told(folder):
    """SIGTERM stops the training within, and waits for it."""
    write_texts(folder / "data")
    (folder / "study.toml").write_text((RECIPE % (SOURCE / "tests/fixtures/models/smollm")).replace("steps = 4", "steps = 4000000"))
    command = [sys.executable, SOURCE / "scripts/study", "--slayer", SLAYER, "--recipe", folder / "study.toml", "--data", folder / "data",
               "--out", folder / "out", "--domains", "math", "--methods", "full", "--threads", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        deadline = time.monotonic() + 120
        while not list((folder / "out").rglob("metrics.jsonl")) and time.monotonic() < deadline:
            time.sleep(0.1)
        process.terminate()
        said = process.communicate(timeout=60)[0]
    check(process.returncode == 0 and "stopped; the same command goes on" in said, said)
    check(not list((folder / "out").rglob("results/*")), "a result of half a training")


def test_stops_in_time(folder):
    """Where nothing is known of how long a training takes, it is stopped within, and goes on later."""
    write_texts(folder / "data")
    (folder / "study.toml").write_text((RECIPE % (SOURCE / "tests/fixtures/models/smollm")).replace("steps = 4", "steps = 4000000"))
    command = [sys.executable, SOURCE / "scripts/study", "--slayer", SLAYER, "--recipe", folder / "study.toml", "--data", folder / "data",
               "--out", folder / "out", "--domains", "math", "--methods", "full", "--threads", "1", "--hours", str(6 / 3600)]
    done = subprocess.run(command, capture_output=True, text=True)
    check(done.returncode == 0 and "stopped; the same" in done.stdout, done.stdout + done.stderr)
    check(not list((folder / "out").rglob("results/*")), "a result of half a training")


def test_docs():
    """Options that docs/study/README.md shows are there."""
    help_text = subprocess.run([sys.executable, SOURCE / "scripts/study", "--help"], capture_output=True, text=True).stdout
    shown = [word for line in (SOURCE / "docs/study/README.md").read_text().splitlines() if line.startswith("scripts/study ")
             for word in line.partition("#")[0].split() if word.startswith("--")]
    check(len(shown) > 5 and all(word + " " in help_text or word + "\n" in help_text for word in shown), shown)


test_docs()
test_tables()
for test in (test_run, test_stops_when_told, test_stops_in_time):
    with tempfile.TemporaryDirectory() as scratch:
        test(pathlib.Path(scratch))
