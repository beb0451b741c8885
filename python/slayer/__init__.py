"""The slayer command for notebooks: every subcommand with its JSON result.

    import slayer
    slayer.plan("my-model", strategy="slayer", out="plan.json")["layers"]
    slayer.run(["run", "my.toml", "--out", "runs/my"])["text"]["domain"]["change"]
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

_EXECUTABLE = pathlib.Path(__file__).parent / "bin" / "slayer"


class SlayerError(RuntimeError):
    """What slayer said was wrong, on one line; `exit_code` is 1 for bad input, 2 for wrong usage."""

    def __init__(self, message, exit_code):
        super().__init__(message)
        self.exit_code = exit_code


def run(arguments):
    """Runs `slayer ARGUMENTS --json` and gives its result; progress goes to standard error.

    Raises SlayerError with slayer's own message when it fails.
    """
    command = [str(_EXECUTABLE), *map(str, arguments), "--json"]
    lines = []
    with tempfile.TemporaryFile("w+") as output:
        with subprocess.Popen(command, stdout=output, stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                lines.append(line)
                if not line.startswith("slayer: "):
                    sys.stderr.write(line)
        output.seek(0)
        result = output.read()
    if process.returncode != 0:
        said = [line for line in lines if line.startswith("slayer")]
        message = (said or lines or [f"ended with {process.returncode}"])[-1]
        raise SlayerError(message.strip(), process.returncode)
    return json.loads(result)


def plan(checkpoint, **options):
    """`slayer plan CHECKPOINT`: options under their names, as prune_layers=[11, 25], force=True."""
    arguments = ["plan", checkpoint]
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is True:
            arguments.append(option)
        elif value is not None and value is not False:
            values = value if isinstance(value, (list, tuple)) else [value]
            arguments += [option, ",".join(map(str, values))]
    return run(arguments)


def main():
    """The command itself, in place of this process."""
    os.execv(_EXECUTABLE, [str(_EXECUTABLE), *sys.argv[1:]])
