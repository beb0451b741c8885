#!/usr/bin/env bash
# The Python module over the command of a build, laid out as a wheel has them.
#
#   python.sh BUILD_FOLDER
set -euo pipefail
source=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$1" --component python --prefix "$scratch/slayer" >/dev/null
cp "$source/python/slayer/__init__.py" "$scratch/slayer"
PYTHONPATH=$scratch python3 - "$source/tests/fixtures/models/smollm" <<'PYTHON'
import sys
import slayer

plan = slayer.plan(sys.argv[1], strategy="slayer", every=2, prune_layers=[3])
assert plan["layers"] == 4 and plan["new_layers"] == 1, plan
try:
    slayer.run(["inspect", "nowhere"])
except slayer.SlayerError as error:
    assert error.exit_code == 1 and str(error).startswith("slayer: nowhere: found nothing"), error
else:
    raise AssertionError("no error for a folder that is not there")
PYTHON
