#!/usr/bin/env bash
# Installs a build into a folder of its own, builds tests/package against it and runs both: the
# installed command and the program that links the installed libraries.
#
#   install.sh BUILD_FOLDER
set -euo pipefail
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

for component in command library; do
  cmake --install "$build" --prefix "$scratch/usr" --component "$component" >/dev/null
done
"$scratch/usr/bin/slayer" --version
test -f "$scratch/usr/share/slayer/tasks/arc_easy.toml"
for file in man/man1/slayer.1 bash-completion/completions/slayer zsh/site-functions/_slayer \
  fish/vendor_completions.d/slayer.fish; do
  grep -q inspect "$scratch/usr/share/$file"
done

cmake -S "$source" -B "$scratch/build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_PREFIX_PATH="$scratch/usr" \
  >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
cmake --build "$scratch/build" >"$scratch/log" 2>&1 || { cat "$scratch/log"; exit 1; }
test "$("$scratch/build/uses_slayer")" = "==+==+==+==+==+==+==+==+=============*xx"
