"""Compares tokenizers that `slayer import` makes of GGUFs, and that `slayer export` writes back,
with llama.cpp's: every byte-level pre-tokenizer, with the vocabulary of a real model, and a
SentencePiece model trained here.

    python tests/parity/gguf_tokenizers.py [build/release/bin/slayer [MODEL.gguf]]
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import unicodedata

import gguf
import llama_cpp
import numpy as np
import sentencepiece
import transformers

from gguf_import import LICENCE, ROOT, TEXTS

HIDDEN, FFN, HEADS = 32, 32, 2
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6


def write_tiny_model(path, architecture, vocabulary_size, add_tokenizer):
    """One layer of random weights around the tokenizer."""
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_block_count(1)
    writer.add_context_length(256)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(FFN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    add_tokenizer(writer)
    rng = np.random.default_rng(1)
    shapes = {"token_embd.weight": (vocabulary_size, HIDDEN), "output_norm.weight": (HIDDEN,)}
    for name in ("attn_norm", "ffn_norm"):
        shapes[f"blk.0.{name}.weight"] = (HIDDEN,)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down"):
        shapes[f"blk.0.{name}.weight"] = (HIDDEN, HIDDEN)
    if architecture == "qwen2":
        for name in ("attn_q", "attn_k", "attn_v"):
            shapes[f"blk.0.{name}.bias"] = (HIDDEN,)
    for name, shape in shapes.items():
        writer.add_tensor(name, rng.standard_normal(shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def byte_level(reader, pre):
    """The real model's tokens and merges under another pre-tokenizer's name."""
    def contents(key):
        return reader.fields[f"tokenizer.ggml.{key}"].contents()

    def add(writer):
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(pre)
        writer.add_token_list(contents("tokens"))
        writer.add_token_types(contents("token_type"))
        writer.add_token_merges(contents("merges"))
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)

    return len(contents("tokens")), add


def sentencepiece_model(scratch):
    prefix = scratch / "spm"
    sentencepiece.SentencePieceTrainer.train(
        input=str(LICENCE), model_prefix=str(prefix), vocab_size=1000, model_type="bpe",
        byte_fallback=True, normalization_rule_name="identity", remove_extra_whitespaces=False,
        minloglevel=2)
    model = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
    size = model.get_piece_size()

    def type_of(index):
        if model.is_unknown(index):
            return UNKNOWN
        return CONTROL if model.is_control(index) else BYTE if model.is_byte(index) else NORMAL

    def add(writer):
        writer.add_tokenizer_model("llama")
        writer.add_token_list([model.id_to_piece(i) for i in range(size)])
        writer.add_token_scores([model.get_score(i) for i in range(size)])
        writer.add_token_types([type_of(i) for i in range(size)])
        writer.add_bos_token_id(1)
        writer.add_eos_token_id(2)
        writer.add_unk_token_id(0)

    return size, add


def texts(name):
    all_texts = [*TEXTS[:-1], "<s>a</s> b", LICENCE.read_text()[:20000]]
    # Qwen's own tokenizer composes characters first, and so does the import; llama.cpp does not.
    return [unicodedata.normalize("NFC", text) if name == "qwen2" else text for text in all_texts]


def tokens_with_llama(path, name):
    llama = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    return [llama.tokenize(text.encode(), add_bos=True, special=True) for text in texts(name)]


def check(slayer, name, original, scratch):
    folder, exported = scratch / name, scratch / f"{name}.back.gguf"
    run = [slayer, "import", original, "--out", folder, "--quiet"]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    run = [slayer, "export", folder, "--gguf", exported, "--type", "f32", "--quiet"]
    subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    reference = tokens_with_llama(original, name)
    for text, expected in zip(texts(name), reference):
        found = tokenizer(text)["input_ids"]
        assert found == expected, f"{name}: {text[:60]!r}: {found[:20]} and {expected[:20]}"
    assert tokens_with_llama(exported, name) == reference, f"{name}: the export differs"
    print(f"{name}: {sum(map(len, reference))} tokens as llama.cpp's, before and after export")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slayer", type=pathlib.Path, nargs="?", default=ROOT / "build/release/bin/slayer")
    parser.add_argument("gguf", type=pathlib.Path, nargs="?", default=ROOT / ".cache/SmolLM2-135M-Instruct.gguf")
    arguments = parser.parse_args()
    reader = gguf.GGUFReader(arguments.gguf)
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        cases = {pre: byte_level(reader, pre) for pre in ("smollm", "gpt-2", "llama-bpe", "qwen2")}
        cases["sentencepiece"] = sentencepiece_model(scratch)
        for case, (size, add) in cases.items():
            path = scratch / f"{case}.gguf"
            write_tiny_model(path, "qwen2" if case == "qwen2" else "llama", size, add)
            check(arguments.slayer, case, path, scratch)


if __name__ == "__main__":
    sys.exit(main())
