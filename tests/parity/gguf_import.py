"""Compares `slayer import` with transformers' and llama.cpp's reading of the same GGUF.

The imported folder must open with AutoModelForCausalLM and AutoTokenizer, hold the tensors that
transformers' own `gguf_file=` loading gives in float32, bit for bit, and give llama.cpp's tokens.

    python tests/parity/gguf_import.py [build/release/bin/slayer [MODEL.gguf]]
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import llama_cpp
import torch
import transformers

ROOT = pathlib.Path(__file__).resolve().parents[2]
LICENCE = pathlib.Path("/usr/share/common-licenses/GPL-3")
TEXTS = [
    "Hello world",
    "  two  spaces,\ttabs\r\n\r\nand lines \n\n\n",
    "don't we'll I'VE 3.14159 1,000,000 2024-06-13",
    "def f(x: int) -> int:\n    return x ** 2  # squared\n",
    "naïve café – “quotes” … ﬁ ½ ² ① Ⅷ ٣",
    "日本語のテキスト、中文文本，한국어 텍스트",
    "Привет, мир! שלום עולם مرحبا بالعالم",
    "👩‍👩‍👧‍👦 🏳️‍🌈 e\u0301 \u200b\u00a0x",
    "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n",
    "",
]


def check_tensors(folder, gguf):
    """Returns the number of tensors compared; every one must have the same bits."""
    ours = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    theirs = transformers.AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )
    mine, reference = ours.state_dict(), theirs.state_dict()
    assert mine.keys() == reference.keys(), mine.keys() ^ reference.keys()
    differing = [name for name in reference if not torch.equal(mine[name], reference[name])]
    assert not differing, f"tensors that differ: {differing}"
    for key in ("hidden_size", "num_key_value_heads", "tie_word_embeddings", "vocab_size"):
        assert getattr(ours.config, key) == getattr(theirs.config, key), key
    return len(reference)


def check_tokens(folder, gguf):
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    llama = llama_cpp.Llama(str(gguf), vocab_only=True, verbose=False)
    licence = LICENCE.read_text()[:20000]
    for text in [*TEXTS, licence]:
        ours = tokenizer(text)["input_ids"]
        theirs = llama.tokenize(text.encode(), add_bos=True, special=True)
        assert ours == theirs, f"{text[:60]!r}: {ours[:20]} and {theirs[:20]}"
        assert tokenizer.decode(ours) == text, f"{text[:60]!r} does not survive"
    template = llama.metadata.get("tokenizer.chat_template")
    assert tokenizer.chat_template == template, "the chat template differs"
    return len(tokenizer(licence)["input_ids"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slayer", type=pathlib.Path, nargs="?", default=ROOT / "build/release/bin/slayer")
    parser.add_argument("gguf", type=pathlib.Path, nargs="?", default=ROOT / ".cache/SmolLM2-135M-Instruct.gguf")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "imported"
        subprocess.run(
            [arguments.slayer, "import", arguments.gguf, "--out", folder, "--dtype", "float32",
             "--quiet"],
            check=True,
        )
        print(f"tensors with the same bits: {check_tensors(folder, arguments.gguf)}")
        print(f"tokens of the licence's first 20,000 characters, as llama.cpp's: "
              f"{check_tokens(folder, arguments.gguf)}")


if __name__ == "__main__":
    sys.exit(main())
