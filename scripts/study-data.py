#!/usr/bin/env python3
"""Prepares the study's texts from what scripts/bootstrap downloaded.

    scripts/study-data.py LICENSEDCODE_DATA_WHEEL UNPACKED_DEBIAN_PACKAGES OUT_FOLDER

Domains: law (licence texts, by family), code (the modules of this Python's standard library, by package),
math (Metamath's set.mm: statements and their comments without the proofs, by section). General: prose of
Debian's manuals, by page. Writes OUT_FOLDER/KIND/{train,dev,test}.jsonl and sources.json. dev chooses
learning rates and draws curves; test is looked at once, at the end. A document of dev or test that shares
much with one before it in the order train, dev, test is dropped.
"""

import ast
import importlib.machinery
import importlib.util
import json
import pathlib
import platform
import re
import sys
import sysconfig

TRAIN_CHARACTERS = 2_000_000
HELDOUT_CHARACTERS = {"dev": 16_000, "test": 40_000}
DOCUMENT_CHARACTERS = 2_500  # The beginning of each held-out document: many make a narrow interval.
LEAST_CHARACTERS = 400


def load_demo_data():
    loader = importlib.machinery.SourceFileLoader("demo_data", str(pathlib.Path(__file__).with_name("demo-data.py")))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("demo_data", loader))
    loader.exec_module(module)
    return module


demo = load_demo_data()


def law(wheel):
    return [{"id": key, "family": demo.family(key), "text": text} for key, text in demo.licence_texts(wheel).items()]


def code():
    """Modules that parse; tests and generated tables are none of the knowledge that is wanted."""
    root = pathlib.Path(sysconfig.get_paths()["stdlib"])
    documents = []
    for path in sorted(root.rglob("*.py")):
        name = path.relative_to(root)
        if {"test", "tests", "idle_test", "site-packages", "dist-packages", "encodings", "pydoc_data"} & set(name.parts):
            continue
        try:
            text = path.read_text(encoding="utf-8")
            ast.parse(text)
        except (UnicodeDecodeError, SyntaxError):
            continue
        documents.append({"id": str(name), "family": name.parts[0].removesuffix(".py").lstrip("_"), "text": text.strip()})
    return documents


HEADER = re.compile(r"\$\(\s*\n\s*(?:####|#\*#\*|=-=-|-\.-\.)[^\n]*\n\s*([^\n]+?)\s*\n", re.M)
CREDIT = re.compile(r"\s*\((?:Contributed|Revised|Proof\s+shortened|Moved|New\s+usage|Proof\s+modification)[^()]*\)")


def math(database):
    """One document a section of set.mm: its comments and statements."""
    pieces = HEADER.split(database.read_text(encoding="utf-8"))[1:]
    documents = []
    for number, (title, body) in enumerate(zip(pieces[::2], pieces[1::2])):
        body = body.partition("$)")[2]  # The rest of the header.
        body = re.sub(r"\$=.*?\$\.", "$.", body, flags=re.S)  # Proofs.
        body = CREDIT.sub("", body)
        body = re.sub(r"\n\s*\n\s*\n+", "\n\n", body).strip()
        if body.count("$p") >= 3:
            documents.append({"id": f"{number}: {title}", "family": title, "text": body})
    return documents


def general(packages):
    """One document a page of a manual: its paragraphs of at least 12 words."""
    documents = []
    for path in sorted(packages.rglob("*.html")):
        language = re.search(r"\.([a-z]{2})([-_]\w+)?\.html$", path.name)
        if not path.is_file() or path.is_symlink() or (language and language[1] != "en"):
            continue
        parser = demo.Paragraphs()
        parser.feed(path.read_text(encoding="utf-8"))
        paragraphs = [p for p in parser.found if len(p.split()) >= 12 and p.isprintable()]
        documents.append({"id": str(path.relative_to(packages)), "family": path.name, "text": "\n\n".join(paragraphs)})
    return documents


def part_of(family, tenths):
    """tenths: the shares of the families that dev and test get."""
    number = int(demo.fixed_order(family)[:8], 16) % 10
    return "dev" if number < tenths[0] else "test" if number < sum(tenths) else "train"


def take(documents, characters):
    chosen, count = [], 0
    for document in documents:
        if count < characters:
            chosen.append(document)
            count += len(document["text"])
    return chosen


def split(documents, tenths):
    """The three sets, and how many held-out documents were dropped as near-copies."""
    documents = sorted((d for d in documents if len(d["text"]) >= LEAST_CHARACTERS),
                       key=lambda document: demo.fixed_order(document["id"]))
    train = take((d for d in documents if part_of(d["family"], tenths) == "train"), TRAIN_CHARACTERS)
    sets, dropped = {"train": train}, 0
    seen = set().union(*(demo.shingles(document["text"]) for document in train))
    for part, characters in HELDOUT_CHARACTERS.items():
        kept = []
        for document in (d for d in documents if part_of(d["family"], tenths) == part):
            text = document["text"][:DOCUMENT_CHARACTERS].rpartition("\n")[0] or document["text"][:DOCUMENT_CHARACTERS]
            own = demo.shingles(text)
            if len(own & seen) > demo.LEAK_SHARE * len(own):
                dropped += 1
                continue
            seen |= own
            kept.append({**document, "text": text})
        sets[part] = take(kept, characters)
    return sets, dropped


def main(wheel, packages, out):
    sources = {"packages": sorted([wheel.name, *(path.name for path in packages.parent.glob("*.deb"))]),
               "python": platform.python_version()}
    kinds = {"law": law(wheel), "code": code(), "math": math(next(packages.rglob("set.mm"))),
             "general": general(packages)}
    for kind, documents in kinds.items():
        sets, dropped = split(documents, tenths=(2, 4) if kind == "general" else (1, 2))
        sources[kind] = {"dropped_near_copies": dropped}
        (out / kind).mkdir(parents=True, exist_ok=True)
        for part, chosen in sets.items():
            demo.write_jsonl(out / kind / f"{part}.jsonl", chosen)
            sources[kind][part] = {"documents": len(chosen), "characters": sum(len(d["text"]) for d in chosen)}
        print(f"study-data: {kind}: {sources[kind]}")
    (out / "sources.json").write_text(json.dumps(sources, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
