#!/usr/bin/env bash
# `pip install .` into a new environment that holds the torch of .venv, then the command and the Python
# module as a user has them. It builds all of slayer once more, in build/pip, mostly from ccache.
#
#   pip.sh SOURCE_FOLDER
set -euo pipefail
source=$(cd "$1" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

"$source/.venv/bin/python" -m venv "$scratch/venv"
python=$scratch/venv/bin/python
if ! "$python" -m pip install --quiet --disable-pip-version-check 'scikit-build-core>=0.10'; then
  echo "skipped: scikit-build-core could not be downloaded"
  exit 77
fi
site=$("$python" -c 'import site; print(site.getsitepackages()[0])')
wheels=$(echo "$source"/.venv/lib/python3*/site-packages)
echo "$wheels" >"$site/wheels.pth"
# By the name that the presets call the compiler by, ccache knows what it has compiled for them.
CXX=${CXX:-c++} "$python" -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps \
  --config-settings=build-dir="$source/build/pip" --config-settings=cmake.define.SLAYER_WERROR=ON "$source"

# As if pip had put the wheels themselves here, which are of a gigabyte.
rm "$site/wheels.pth"
for wheel in torch pyarrow; do
  if [[ -e $wheels/$wheel ]]; then ln -s "$wheels/$wheel" "$site"; fi
done

cd "$scratch"
venv/bin/slayer --version
venv/bin/python - "$source/tests/fixtures/models/smollm" <<'PYTHON'
import pathlib
import sys
import slayer

model = pathlib.Path(sys.argv[1])
plan = slayer.plan(model, strategy="slayer", every=2, out="plan.json")
assert plan["new_layers"] == 1, plan
assert slayer.run(["inspect", model])["layers"] == 4
text = pathlib.Path("text.jsonl")
text.write_text("".join(f'{{"text": "Licence {i}: you may copy section {i}."}}\n' for i in range(9)))
slayer.run(["eval", model, "--text", text, "--seq-len", 32, "--out", "base.json", "--quiet"])
assert pathlib.Path("base.json").exists()
assert (pathlib.Path(slayer.__file__).parent / "share/slayer/tasks/arc_easy.toml").exists()
PYTHON
