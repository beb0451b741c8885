"""Surgery against `cp` and mergekit, on a checkpoint with the shapes of Llama-2-7B.

    python bench/surgery_bench.py [--slayer build/release/bin/slayer] [--dir /scratch] [--pairs 5]

The paper's plan (a new layer after every second one of the first half) is applied with slayer, and
what it wrote is copied with `cp --reflink=never` and `sync`: the same bytes written, cold cache for
both, in turn. Bar: at least 80 % of cp's speed by the median of the pairwise ratios, peak memory
below 1 GB. mergekit's passthrough of the same source layers is timed too; bar: slayer at least 5
times as fast. Where the `mergekit-yaml` to call does not exist that part says it is skipped.

The checkpoint is 13.5 GB where the disk has three times that to spare, else 3 GB.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAKER = ROOT / "tools" / "fixtures" / "make_synthetic_checkpoint.py"


def drop_from_cache(folder):
    """Cold cache without root: what is clean on disk may be forgotten."""
    os.sync()
    for path in folder.rglob("*"):
        if path.is_file():
            descriptor = os.open(path, os.O_RDONLY)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def timed(command, read_from):
    """Wall seconds with the sync of what was written, CPU seconds, peak resident bytes."""
    drop_from_cache(read_from)
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        sys.exit(f"{command[0]} failed")
    os.sync()
    wall = time.monotonic() - start
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024


def gigabytes(folder):
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e9


def mergekit_config(base, layers, path):
    """The same number of layers from the same source, some twice: mergekit cannot average them."""
    slices, half = [], layers // 2
    for begin in range(0, half, 2):
        slices.append([begin, begin + 2])
        slices.append([begin + 1, begin + 2])
    slices.append([half, layers])
    config = dict(
        slices=[dict(sources=[dict(model=str(base), layer_range=r)]) for r in slices],
        merge_method="passthrough",
        dtype="bfloat16",
    )
    path.write_text(json.dumps(config))  # JSON is YAML


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slayer", type=Path, default=ROOT / "build/release/bin/slayer")
    parser.add_argument("--mergekit", type=Path, default=ROOT / ".venv-mergekit/bin/mergekit-yaml")
    parser.add_argument("--dir", type=Path, default=Path("/tmp/slayer-surgery-bench"))
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--layers", type=int, help="of the checkpoint; 32 is 13.5 GB")
    options = parser.parse_args()
    options.dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(options.dir).free
    layers = options.layers or (32 if free > 3 * 15e9 else 6)
    base, out, copy = (options.dir / name for name in (f"base-{layers}", "out", "copy"))
    if not base.exists():
        subprocess.run([sys.executable, MAKER, base, "--layers", str(layers)], check=True)
    plan = options.dir / "plan.json"
    subprocess.run(
        [options.slayer, "plan", base, "--out", plan, "--force", "--quiet"],
        check=True, stdout=subprocess.DEVNULL)
    surgery = [options.slayer, "apply", base, "--plan", plan, "--out", out, "--quiet"]

    ratios = []
    for pair in range(options.pairs):
        for folder in (out, copy):
            shutil.rmtree(folder, ignore_errors=True)
        ours, our_cpu, memory = timed(surgery, base)
        theirs, their_cpu, _ = timed(["cp", "-r", "--reflink=never", out, copy], out)
        ratios.append(theirs / ours)
        print(f"pair {pair}: slayer {ours:.1f} s ({our_cpu:.1f} s CPU, {memory / 1e6:.0f} MB peak), "
              f"cp {theirs:.1f} s ({their_cpu:.1f} s CPU), "
              f"slayer has {100 * theirs / ours:.0f} % of cp's speed", flush=True)
    median = statistics.median(ratios)
    print(f"{gigabytes(out):.1f} GB written: {100 * median:.0f} % of cp's speed, bar 80 %")

    if not options.mergekit.exists():
        print(f"mergekit: SKIPPED, no {options.mergekit}")
    else:
        config, merged = options.dir / "mergekit.yml", options.dir / "merged"
        mergekit_config(base, layers, config)
        shutil.rmtree(merged, ignore_errors=True)
        theirs, their_cpu, memory = timed([options.mergekit, config, merged], base)
        shutil.rmtree(out)
        ours, _, _ = timed(surgery, base)
        print(f"mergekit {theirs:.1f} s ({their_cpu:.1f} s CPU, {memory / 1e6:.0f} MB peak), "
              f"slayer {ours:.1f} s: {theirs / ours:.1f} times as fast, bar 5")
    for folder in (out, copy):
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
