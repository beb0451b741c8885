#!/usr/bin/env python3
"""Compares our tokenizer with Hugging Face's package over megabytes of mixed text: ids one by one, and the
text that they decode to.

    python tests/parity/tokenizer_parity.py [--build build/release] [--megabytes 5] [FOLDER...]

Each FOLDER holds a tokenizer.json of a real model. Besides, tokenizers in the shape of each family are
trained by tools/fixtures/make_tokenizers.py.
"""

import argparse
import json
import pathlib
import random
import struct
import subprocess
import sys
import tempfile

import tokenizers

ROOT = pathlib.Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tools/fixtures"))
import make_tokenizers  # noqa: E402

VOCAB_SIZE = 6000


def documents(megabytes):
    """Half standard library sources (code and prose), half random text of all scripts."""
    rng = random.Random(make_tokenizers.SEED + 1)
    half = int(megabytes * 500_000)
    texts = []
    size = 0
    for source in make_tokenizers.python_sources(10_000):
        if size > half:
            break
        texts.append(source)
        size += len(source.encode())
    random_size = 0
    while random_size < half:
        texts.append(make_tokenizers.random_text(rng, 5000))
        random_size += len(texts[-1].encode())
    texts += make_tokenizers.EDGES
    return texts


def ask(program, folder, mode, documents):
    sent = b"".join(struct.pack("<I", len(document)) + document for document in documents)
    answer = subprocess.run([program, folder, mode], input=sent, capture_output=True, check=False)
    if answer.returncode != 0:
        sys.exit(answer.stderr.decode())
    answers = []
    position = 0
    while position < len(answer.stdout):
        (size,) = struct.unpack_from("<I", answer.stdout, position)
        answers.append(answer.stdout[position + 4 : position + 4 + size])
        position += 4 + size
    return answers


def packed(ids):
    return struct.pack(f"<{len(ids)}i", *ids)


def compare(program, folder, texts):
    """The number of documents that differ."""
    theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    ids = [theirs.encode(text).ids for text in texts]
    encoded = ask(program, folder, "encode", [text.encode() for text in texts])
    decoded = ask(program, folder, "decode", [packed(one) for one in ids])
    rng = random.Random(0)
    soup = [[rng.randrange(theirs.get_vocab_size()) for _ in range(200)] for _ in range(200)]
    decoded_soup = ask(program, folder, "skip", [packed(one) for one in soup])
    differing = 0
    for text, expected, ours in zip(texts, ids, encoded, strict=True):
        if packed(expected) != ours:
            differing += 1
            got = struct.unpack(f"<{len(ours) // 4}i", ours)
            at = next((i for i, (a, b) in enumerate(zip(expected, got)) if a != b), min(len(expected), len(got)))
            before = theirs.decode(expected[max(0, at - 5) : at], skip_special_tokens=False)
            print(f"  differs after {before!r}: {expected[at : at + 5]} but ours {got[at : at + 5]}")
            print("   ", [theirs.id_to_token(i) for i in expected[at : at + 5]], [theirs.id_to_token(i) for i in got[at : at + 5]])
    for expected, ours in zip(ids, decoded, strict=True):
        differing += theirs.decode(expected, skip_special_tokens=False).encode() != ours
    for expected, ours in zip(soup, decoded_soup, strict=True):
        differing += theirs.decode(expected, skip_special_tokens=True).encode() != ours
    print(f"{folder.name}: {sum(map(len, ids))} tokens, {differing} documents differ", flush=True)
    return differing


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build/release")
    parser.add_argument("--megabytes", type=float, default=5)
    parser.add_argument("--family", action="append", help="train only this one")
    parser.add_argument("folders", nargs="*", type=pathlib.Path)
    arguments = parser.parse_args()
    program = arguments.build / "bin/encode_main"
    texts = documents(arguments.megabytes)
    print(f"{len(texts)} documents, {sum(len(text.encode()) for text in texts) / 1e6:.1f} MB")
    differing = sum(compare(program, folder, texts) for folder in arguments.folders)
    rng = random.Random(make_tokenizers.SEED)
    corpus = make_tokenizers.python_sources(60) + [make_tokenizers.random_text(rng, 200_000)]
    with tempfile.TemporaryDirectory() as temporary:
        for family in make_tokenizers.FAMILIES:
            if arguments.family and family.__name__ not in arguments.family:
                continue
            folder = pathlib.Path(temporary) / family.__name__
            folder.mkdir()
            (folder / "tokenizer.json").write_text(json.dumps(family(corpus, VOCAB_SIZE)), "utf-8")
            differing += compare(program, folder, texts)
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
