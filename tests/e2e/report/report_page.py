#!/usr/bin/env python3
"""Opens report.html in headless Chromium: it draws everything without a script error or a network,
fits a phone and a desktop, and hostile text in the run's files stays text.

    report_page.py SLAYER_BINARY SCREENSHOT_FOLDER

Exits with 77 (skipped) where there is no Chromium.
"""
import html
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HOSTILE = "<script>document.title='owned'</script></script><!-- <img src=x onerror=alert(1)> \u2028 end"
# What a page tells the harness that shows it in a frame of some width: a window cannot be as narrow as a
# phone.
MEASURE = """<script>
parent.postMessage({
  state: document.documentElement.dataset.state,
  width: window.innerWidth,
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  charts: [...document.querySelectorAll("canvas")].filter((canvas) => canvas.width > 50).length,
}, "*");
</script></body>"""
HARNESS = """<!DOCTYPE html><body style="margin: 0">
<script>addEventListener("message", (event) => { document.body.dataset.measured = JSON.stringify(event.data); });</script>
<iframe src="measured.html" style="border: 0; width: %dpx; height: %dpx"></iframe></body>"""


def probe_part(scale):
    """One kind of text of a probe.json."""
    def sweep(height):
        return {"layers": [{"layer": i, "loss": 2.3 + height * math.exp(-i / 3), "low": 2.2 + height * math.exp(-i / 3),
                            "high": 2.5 + height * math.exp(-i / 3), "dip": height * math.exp(-i / 3),
                            **({} if i % 7 else {"groups": 12})} for i in range(30)], "span": 1}
    prune = [{"count": n, "layers": list(range(14, 14 + n)), "loss": 2.4, "dip": 0.1 * n, "dip_low": 0.08 * n, "dip_high": 0.12 * n,
              "collapse": {"loss": 2.3, "dip": 0.05 * n, "dip_low": 0.03 * n, "dip_high": 0.07 * n}} for n in (1, 2)]
    return {"text": {}, "base": {"loss": 2.2, "low": 2.1, "high": 2.3}, "remove": sweep(8 * scale), "expand": sweep(2 * scale),
            "lens": sweep(7), "prune": {"steps": prune},
            "gradient": {"layers": [{"layer": i, "importance": 9 / (i + 1), "low": 7 / (i + 1), "high": 11 / (i + 1), "norm": 1.0,
                                     "projections": {}} for i in range(30)]},
            "angular": {"layers": [{"layer": i, "angular": scale * 0.5 / (i + 1), "low": 0.4 / (i + 1), "high": 0.6 / (i + 1)}
                                   for i in range(30)],
                        "spans": [[min(0.6, 0.1 + n / 60 + 0.3 / (i + 1)) for i in range(30 - n)] for n in range(29)]}}


def write_run(run):
    """A run's folder as `slayer run` leaves it, with hostile text wherever a text can come from."""
    text = {"documents": 58, "tokens": 23412,
            "base": {"perplexity": 14.5, "low": 13.2, "high": 15.7},
            "new": {"perplexity": 11.6, "low": 10.5, "high": 12.7},
            "change": -0.2, "change_low": -0.21, "change_high": -0.19}
    general = {**text, "new": {"perplexity": 14.6, "low": 13.3, "high": 15.8},
               "change": 0.007, "change_low": -0.002, "change_high": 0.015}
    layers = []
    for source in range(30):
        layers.append({"from": [source], "init": "copy", "train": source == 29})
        if source % 2 == 1 and source < 15:
            layers.append({"from": [source, source + 1], "init": "average", "zero_output": True, "train": True})
    del layers[30]
    change = {"task": "arc_easy", "metric": "acc", "base": 0.5, "new": 0.52, "difference": 0.02,
              "low": -0.01, "high": 0.05, "items": 4, "mcnemar_p": 0.5, "gained": [1], "lost": [2]}
    probe = {"format": 1, "model": "0" * 64, "layers": 30, "race": 3, "domain": probe_part(1.0), "general": probe_part(0.6),
             "domain_minus_general": {"remove": {"layers": [{"layer": i, "dip": 3 * math.exp(-i / 3), "low": -0.1, "high": 3.5}
                                                            for i in range(30)]}}}
    probe["domain"]["tasks"] = {"arc " + HOSTILE: {"task": {"items": 40}, "acc": {
        "base": {"acc": 0.5, "low": 0.4, "high": 0.6},
        "remove": {"layers": [{"layer": i, "acc": 0.5 - 0.2 * math.exp(-i), "low": 0.2, "high": 0.6} for i in range(30)]}}}}
    files = {
        "summary.json": {
            "format": 1, "base": "SmolLM2 " + HOSTILE,
            "plan": {"strategy": "slayer", "sketch": "==+==+=*", "reasons": ["new after 1: " + HOSTILE]},
            "train": {"method": "plan", "trains": "layers 2, 5", "layers": 2, "parameters": 7081344},
            "sft": {"method": "lora", "trains": "rank 8 beside q_proj", "layers": 37, "parameters": 340992},
            "models": {"base": {"layers": 30, "parameters": 134515008},
                       "new": {"layers": 37, "parameters": 159302016, "trained_layers": 8,
                               "trained_parameters": 28325376}},
            "verify": {"must_be_identical": True, "is_identical": True, "tokens": 1934,
                       "base_loss": 3.05, "new_loss": 3.05},
            "text": {"domain": text, "general": general},
            "samples": [{"prompt": "You may " + HOSTILE, "base": "line\nbreak " * 40, "new": HOSTILE}],
            "time": {"seconds": 700.5, "cpu_seconds": 1200,
                     "stages": {"plan": {"seconds": 0.1, "cpu_seconds": 0.1},
                                "train": {"seconds": 600, "cpu_seconds": 1100}}}},
        "plan.json": {"format": 1, "strategy": "slayer", "source": {"layers": 30, "hash": "0" * 64}, "layers": layers},
        "probe.json": probe,
        "compare.json": {"name": "new.json", "domain": [{**change, "task": "arc " + HOSTILE}],
                         "general": [change, {"task": "text:general", "metric": "loss", "base": 2.67,
                                              "new": 2.68, "difference": 0.007, "low": -0.002,
                                              "high": 0.015, "items": 58}],
                         "forgetting": {"mean_drop": -0.02, "low": -0.05, "high": 0.01},
                         "flips": [{"task": "gsm8k", "doc_id": 1, "became": "right", "question": "9 + 9? " + HOSTILE,
                                    "expected": "18", "base": "17", "new": HOSTILE},
                                   {"task": "arc_easy", "doc_id": 2, "became": "wrong", "question": "What floats?",
                                    "expected": "wood", "base": "wood", "new": "iron"}]},
        "overlap.json": {"format": 1, "words": 13, "sets": {"text:domain": {"items": 58, "overlapping": [3]},
                                                            "arc_easy": {"items": 4, "overlapping": []}}},
        "run.json": {"version": "0.1.0", "machine": {"cpu": "some cpu", "cores": 2}},
    }
    for name, content in files.items():
        (run / name).write_text(json.dumps(content))
    (run / "recipe.toml").write_text("# " + HOSTILE + "\n[train]\nsteps = 40\n" + "x" * 300)
    (run / "sft").mkdir()
    (run / "sft/metrics.jsonl").write_text("".join(json.dumps(
        {"step": step, "loss": 1.5, "lr": 2e-5, "grad_norm": 1.0, "tokens": 2048 * step,
         "tokens_per_second": 900.0, "elapsed_s": 2.2 * step}) + "\n" for step in range(1, 9)))
    (run / "train").mkdir()
    with open(run / "train/metrics.jsonl", "w") as metrics:
        for step in range(1, 1201):
            row = {"step": step, "loss": 2 + math.exp(-step / 300), "lr": 4e-4 * (1 - step / 1200),
                   "grad_norm": 1.0, "tokens": 2048 * step, "tokens_per_second": 900.0, "elapsed_s": 2.2 * step}
            if step % 100 == 0:
                row["general_loss"] = 2.5
            metrics.write(json.dumps(row) + "\n")


def chromium(binary, *arguments):
    # --no-sandbox: CI runs as root. The proxy leads nowhere: any request would fail and be logged.
    return subprocess.run(
        [binary, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--enable-logging=stderr",
         "--disable-dev-shm-usage", "--proxy-server=127.0.0.1:9", "--virtual-time-budget=10000", *arguments],
        capture_output=True, text=True, timeout=120)


def check(condition, message):
    if not condition:
        sys.exit(f"report_page: {message}")


def check_page(binary, page, charts, shots, name):
    """No script error, no overflow at a phone's and a desktop's width; screenshots of both. Gives the DOM."""
    dump = chromium(binary, "--dump-dom", page.as_uri())
    dom = dump.stdout
    check('data-state="ready"' in dom, f"{name}: the script failed: {dom[:200]} {dump.stderr[-500:]}")
    check("CONSOLE" not in dump.stderr, f"{name}: console messages: {dump.stderr}")
    shown = dom[dom.index("<main"):dom.index("</main>")]
    check("[object" not in shown and "undefined" not in shown, f"{name}: a value that is no text")
    check("<script" not in shown and "<img" not in shown, f"{name}: text became markup")
    page.with_name("measured.html").write_text(page.read_text().replace("</body>", MEASURE))
    for width, height, device in ((390, 8000, "phone"), (1280, 4800, "desktop")):
        harness = page.with_name("harness.html")
        harness.write_text(HARNESS % (width, height))
        outcome = chromium(binary, "--window-size=1300,900", "--dump-dom", harness.as_uri())
        found = re.search('data-measured="([^"]*)"', outcome.stdout)
        check(found, f"{name}: nothing measured at a {device}'s width: {outcome.stderr[-500:]}")
        measured = json.loads(html.unescape(found.group(1)))
        check(measured == {"state": "ready", "width": width, "overflow": 0, "charts": charts},
              f"{name} at a {device}'s width: {measured}")
        for scheme in ("light", "dark"):
            dark = ["--blink-settings=preferredColorScheme=0"] if scheme == "dark" else []
            shot = shots / f"{name}-{device}-{scheme}.png"
            chromium(binary, f"--window-size={max(width, 500)},{height}", *dark, f"--screenshot={shot}", harness.as_uri())
            check(shot.exists(), f"no screenshot {shot}")
    return shown, dom


def main():
    slayer, shots = sys.argv[1], pathlib.Path(sys.argv[2])
    binary = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser") \
        or shutil.which("google-chrome")
    if binary is None:
        print("report_page: SKIPPED, no chromium (apt install chromium, or CHROMIUM=/path)")
        sys.exit(77)
    shots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        run = pathlib.Path(folder) / "run"
        run.mkdir()
        write_run(run)
        subprocess.run([slayer, "report", str(run)], check=True)
        shown, dom = check_page(binary, run / "report.html", 13, shots, "run")
        check("&lt;script&gt;" in shown, "the hostile text is not shown")
        check("<title>run - slayer report</title>" in dom, "a script of the data ran")
        for heading in ("Layers", "Perplexity on held-out text", "Benchmarks", "Which layers matter", "Training",
                        "Training on conversations", "Overlap of training and held-out text",
                        "Items that changed sides", "Samples, before and after", "Settings"):
            check(f">{heading}</h2>" in shown, f"no section {heading}")
        subprocess.run([slayer, "report", str(run / "probe.json")], check=True)
        shown, _ = check_page(binary, run / "probe.html", 7, shots, "probe")
        check(">Layers</h2>" in shown, "the plan beside a probe is not shown")
        check("not finished" not in shown, "a probe's page is called an unfinished run")
        # What exists of a run that is not finished.
        for gone in ("summary.json", "compare.json", "probe.json"):
            (run / gone).unlink()
        subprocess.run([slayer, "report", str(run)], check=True)
        shown, _ = check_page(binary, run / "report.html", 6, shots, "unfinished")
        check("This run is not finished" in shown, "an unfinished run is not called so")


main()
