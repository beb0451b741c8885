#!/usr/bin/env python3
"""Times our tokenizer against Hugging Face's package on the same documents, in turns, by CPU seconds.

    python bench/tokenizer_bench.py [--build build/release] [--megabytes 8] [--pairs 5] [FOLDER...]

Each FOLDER holds a tokenizer.json; without one, a tokenizer in SmolLM2's shape and one in Llama 2's are
trained. Theirs is the fastest call it has (encode_batch_fast, without offsets) on one thread.
"""

import argparse
import json
import os
import pathlib
import statistics
import struct
import subprocess
import sys
import tempfile
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"

import tokenizers  # noqa: E402

ROOT = pathlib.Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools/fixtures"))
import make_tokenizers  # noqa: E402


def documents(megabytes):
    texts = []
    size = 0
    for source in make_tokenizers.python_sources(10_000):
        texts.append(source)
        size += len(source.encode())
        if size > megabytes * 1e6:
            return texts
    return texts * int(megabytes * 1e6 / size + 1)


def run_ours(program, folder, sent, threads):
    """Tokens, wall and CPU seconds of encoding alone."""
    answer = subprocess.run([program, folder, "bench", str(threads)], input=sent, capture_output=True, check=True)
    tokens, wall, cpu = answer.stdout.split()
    return int(tokens), float(wall), float(cpu)


def compare(program, folder, texts, pairs):
    theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    sent = b"".join(struct.pack("<I", len(text.encode())) + text.encode() for text in texts)
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    ratios, scalings, speeds = [], [], []
    for _ in range(pairs):
        start = time.process_time()
        tokens = sum(len(one.ids) for one in theirs.encode_batch_fast(texts))
        their_cpu = time.process_time() - start
        our_tokens, our_wall, our_cpu = run_ours(program, folder, sent, 1)
        _, wall_of_two, _ = run_ours(program, folder, sent, 2)
        assert our_tokens == tokens, f"{our_tokens} tokens, {tokens} expected"
        ratios.append(their_cpu / our_cpu)
        scalings.append(our_wall / wall_of_two)
        speeds.append((megabytes / their_cpu, megabytes / our_cpu))
    their_speed, our_speed = (statistics.median(column) for column in zip(*speeds, strict=True))
    print(
        f"{folder.name}: {megabytes:.1f} MB, {tokens} tokens; MB per CPU second: theirs {their_speed:.2f}, "
        f"ours {our_speed:.2f}; median ratio {statistics.median(ratios):.1f} "
        f"({min(ratios):.1f} to {max(ratios):.1f}); two threads {statistics.median(scalings):.2f} times as fast",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--megabytes", type=float, default=8)
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("folders", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    program = arguments.build / "bin/encode_main"
    texts = documents(arguments.megabytes)
    with tempfile.TemporaryDirectory() as temporary:
        folders = arguments.folders
        if not folders:
            for family in (make_tokenizers.smollm, make_tokenizers.llama2):
                folder = pathlib.Path(temporary) / family.__name__
                folder.mkdir()
                file = family(make_tokenizers.python_sources(60), 8000)
                (folder / "tokenizer.json").write_text(json.dumps(file), "utf-8")
                folders = [*folders, folder]
        for folder in folders:
            compare(program, folder, texts, arguments.pairs)


if __name__ == "__main__":
    main()
