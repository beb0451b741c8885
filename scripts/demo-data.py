#!/usr/bin/env python3
"""Prepares the demo's texts from what scripts/bootstrap downloaded.

    scripts/demo-data.py LICENSEDCODE_DATA_WHEEL UNPACKED_DEBIAN_PACKAGES OUT_FOLDER

Domain: licence texts, split by family (all gpl-* and their kin on one side), so that a held-out text
is no variant of a training text; near-copies that cross the split all the same are dropped.
General: prose of Debian's manuals. Writes domain_train.jsonl, domain_heldout.jsonl,
general_heldout.jsonl and sources.json.
"""

import hashlib
import html.parser
import json
import pathlib
import re
import sys
import zipfile

HELDOUT_WORDS = 16_500  # Of each held-out set: more than 20,000 tokens.
DOCUMENT_WORDS = 400  # The beginning of each document: many documents make a narrow interval.
TRAIN_WORDS = 400_000
SHINGLE_WORDS = 8
LEAK_SHARE = 0.20
KIN = {"lgpl": "gpl", "agpl": "gpl", "gfdl": "gpl", "fsf": "gpl", "gcc": "gpl", "autoconf": "gpl"}


def fixed_order(name):
    return hashlib.sha256(name.encode()).hexdigest()


def family(key):
    first = re.split(r"[-_.0-9]", key)[0]
    return KIN.get(first, first)


def is_heldout(key):
    return int(fixed_order(family(key))[:8], 16) % 5 == 0


def shingles(text):
    words = re.findall(r"\w+", text.lower())
    return {hash(tuple(words[i : i + SHINGLE_WORDS])) for i in range(len(words) - SHINGLE_WORDS + 1)}


def beginning(text, words=DOCUMENT_WORDS):
    """The first words of a text with its line breaks, cut at the end of a paragraph or line."""
    end = 0
    for count, match in enumerate(re.finditer(r"\S+", text), 1):
        if count > words:
            return text[:end].rstrip()
        end = match.end()
    return text.strip()


def first_words(documents, words):
    """The documents in their order until there are enough words."""
    chosen, count = [], 0
    for document in documents:
        if count >= words:
            break
        chosen.append(document)
        count += len(document["text"].split())
    return chosen


def licence_texts(wheel):
    """English licence texts by key, from files that begin with a YAML header."""
    texts = {}
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            if "/licenses/" not in name or not name.endswith(".LICENSE"):
                continue
            header, _, text = archive.read(name).decode().partition("\n---\n")
            is_english = "\nlanguage:" not in header and text.isascii()
            if is_english and len(text.split()) >= 60:
                texts[pathlib.PurePath(name).stem] = text.strip()
    return texts


class Paragraphs(html.parser.HTMLParser):
    """The text of a page's <p> elements."""

    def __init__(self):
        super().__init__()
        self.found, self.current = [], None

    def handle_starttag(self, tag, attrs):
        if tag == "p":
            self.current = ""

    def handle_endtag(self, tag):
        if tag == "p" and self.current is not None:
            self.found.append(" ".join(self.current.split()))
            self.current = None

    def handle_data(self, data):
        if self.current is not None:
            self.current += data


def prose(folder):
    """One document a page of a manual: its paragraphs of at least 12 words."""
    documents = []
    pages = [*folder.rglob("FAQ/*.en.html"), *folder.rglob("developers-reference/*.html"),
             *folder.rglob("policy.html/*.html")]
    for page in pages:
        if page.stem in ("developers-reference", "index", "index.en", "genindex", "search") or page.is_symlink():
            continue
        parser = Paragraphs()
        parser.feed(page.read_text(encoding="utf-8"))
        paragraphs = [p for p in parser.found if len(p.split()) >= 12 and p.isprintable()]
        text = "\n\n".join(paragraphs)
        if len(text.split()) >= 100:
            documents.append({"id": f"{page.parent.name}/{page.name}", "text": beginning(text)})
    return sorted(documents, key=lambda document: fixed_order(document["id"]))


def write_jsonl(path, documents):
    with path.open("w", encoding="utf-8") as out:
        for document in documents:
            out.write(json.dumps(document, ensure_ascii=False) + "\n")


def main(wheel, unpacked, out):
    texts = licence_texts(wheel)
    keys = sorted(texts, key=fixed_order)
    train_keys = [key for key in keys if not is_heldout(key)]
    seen = set().union(*(shingles(texts[key]) for key in train_keys))

    heldout, dropped = [], 0
    for key in filter(is_heldout, keys):
        text = beginning(texts[key])
        own = shingles(text)
        if len(own & seen) > LEAK_SHARE * len(own):
            dropped += 1
        else:
            heldout.append({"id": key, "text": text})

    sets = {
        "domain_train": first_words(({"id": key, "text": texts[key]} for key in train_keys), TRAIN_WORDS),
        "domain_heldout": first_words(heldout, HELDOUT_WORDS),
        "general_heldout": first_words(prose(unpacked), HELDOUT_WORDS),
    }
    for name, documents in sets.items():
        write_jsonl(out / f"{name}.jsonl", documents)
        words = sum(len(document["text"].split()) for document in documents)
        print(f"demo-data: {name}: {len(documents)} documents, {words} words")
    print(f"demo-data: dropped {dropped} of {dropped + len(heldout)} held-out licences that share over "
          f"{LEAK_SHARE:.0%} of their {SHINGLE_WORDS}-word shingles with training text")
    sources = {"domain": wheel.name, "general": sorted(p.name for p in unpacked.parent.glob("*.deb")),
               "dropped_near_copies": dropped}
    (out / "sources.json").write_text(json.dumps(sources, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
