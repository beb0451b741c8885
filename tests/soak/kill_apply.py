"""Kills `slayer apply` at random moments: no half folder may ever stand under the final name.

    python tests/soak/kill_apply.py --slayer build/release/bin/slayer [--kills 100] [--layers 1]

After every kill the final name must be absent, or hold the whole old or the whole new model; run
again, the command must end in the same bytes as a run that nobody killed. Half of the runs replace
an existing folder (--force). Part of `make soak`; a few kills are in `make test`.
"""

import argparse
import filecmp
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MAKER = Path(__file__).resolve().parents[2] / "tools" / "fixtures" / "make_synthetic_checkpoint.py"


def same_folder(a, b):
    names = sorted(path.name for path in a.iterdir())
    if names != sorted(path.name for path in b.iterdir()):
        return False
    _, mismatch, errors = filecmp.cmpfiles(a, b, names, shallow=False)
    return not mismatch and not errors


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--slayer", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    generator = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as scratch:
        scratch = Path(scratch)
        base, plan = scratch / "base", scratch / "plan.json"
        subprocess.run([sys.executable, MAKER, base, "--layers", str(options.layers)], check=True)
        subprocess.run([options.slayer, "plan", base, "--every", "1", "--shallow", "1",
                        "--out", plan, "--quiet"], check=True, stdout=subprocess.DEVNULL)

        def command(out, *more):
            return [options.slayer, "apply", base, "--plan", plan, "--out", out, "--quiet", *more]

        whole, old, out = scratch / "whole", scratch / "old", scratch / "out"
        start = time.monotonic()
        subprocess.run(command(whole), check=True, stdout=subprocess.DEVNULL)
        seconds = time.monotonic() - start
        (old).mkdir()
        (old / "config.json").write_text("{}")

        killed, states = 0, dict(absent=0, old=0, new=0)
        for number in range(options.kills):
            shutil.rmtree(out, ignore_errors=True)
            replaces = number % 2 == 1
            if replaces:
                shutil.copytree(old, out)
            arguments = command(out, *(["--force"] if replaces else []))
            process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
            time.sleep(generator.uniform(0, 1.1 * seconds))
            process.send_signal(signal.SIGKILL)
            killed += process.wait() == -signal.SIGKILL
            if not out.exists():
                state = "absent"
            elif same_folder(out, whole):
                state = "new"
            elif replaces and same_folder(out, old):
                state = "old"
            else:
                sys.exit(f"kill {number}: a half folder under the final name")
            states[state] += 1
            if number % 10 == 9 or number + 1 == options.kills:
                subprocess.run(command(out, "--force"), check=True, stdout=subprocess.DEVNULL)
                left = [path.name for path in scratch.iterdir() if path.name.startswith("out.")]
                if not same_folder(out, whole) or left:
                    sys.exit(f"kill {number}: run again, other bytes or left over {left}")
        print(f"{options.kills} runs, {killed} killed before they ended; afterwards {states}; "
              "run again, the same bytes")


if __name__ == "__main__":
    main()
