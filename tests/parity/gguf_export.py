"""Compares `slayer export` as llama.cpp runs it with transformers on the same folder.

f32: the first 64 greedy tokens on ten prompts are transformers'; where they part, the two best
logits of transformers must be a near-tie (below 2e-3), which is listed. f16, bf16 and q8_0: the
perplexity of a text is within 0.5 % of transformers' in float32.

    python tests/parity/gguf_export.py [build/release/bin/slayer [CHECKPOINT_FOLDER]]
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import llama_cpp
import numpy as np
import torch
import transformers
from perplexity import checkpoint

ROOT = pathlib.Path(__file__).resolve().parents[2]
LICENCE = pathlib.Path("/usr/share/common-licenses/GPL-3")
NEW_TOKENS = 64
NEAR_TIE = 2e-3
WINDOW, WINDOWS = 512, 4
LARGEST_PERPLEXITY_CHANGE = 0.005
PROMPTS = [
    "The capital of France is",
    "def fibonacci(n):\n",
    "Once upon a time, in a small village by the sea,",
    "Water boils at",
    "1, 2, 3, 5, 8, 13,",
    "The licence grants you the right to",
    "Photosynthesis is the process by which",
    "Dear Sir or Madam,\n\nI am writing to",
    "<|im_start|>user\nName three colours.<|im_end|>\n<|im_start|>assistant\n",
    "La vie est belle parce que",
]


def export(slayer, folder, type_, scratch):
    path = scratch / f"{type_}.gguf"
    subprocess.run([slayer, "export", folder, "--gguf", path, "--type", type_, "--quiet"],
                   check=True)
    return path


def load(path, **options):
    return llama_cpp.Llama(str(path), n_ctx=1024, n_batch=512, n_threads=2, logits_all=True,
                           verbose=False, **options)


def greedy_with_llama(llama, prompt_ids):
    llama.reset()
    tokens = []
    for token in llama.generate(prompt_ids, temp=0.0, repeat_penalty=1.0, top_k=1):
        tokens.append(token)
        if len(tokens) == NEW_TOKENS or token == llama.token_eos():
            break
    return tokens


def greedy_with_transformers(model, prompt_ids):
    output = model.generate(
        torch.tensor([prompt_ids]), max_new_tokens=NEW_TOKENS, do_sample=False
    )
    return output[0, len(prompt_ids):].tolist()


def check_generation(model, tokenizer, llama):
    same = 0
    for prompt in PROMPTS:
        ids = tokenizer(prompt)["input_ids"]
        assert llama.tokenize(prompt.encode(), add_bos=True, special=True) == ids, prompt
        theirs = greedy_with_transformers(model, ids)
        ours = greedy_with_llama(llama, ids)
        length = min(len(ours), len(theirs))
        parts = next((i for i in range(length) if ours[i] != theirs[i]), None)
        if parts is None:
            assert len(ours) == len(theirs), f"{prompt!r}: {len(ours)} and {len(theirs)} tokens"
            same += 1
            continue
        with torch.no_grad():
            logits = model(torch.tensor([ids + theirs[:parts]])).logits[0, -1]
        best = logits.topk(2).values
        gap = (best[0] - best[1]).item()
        print(f"near-tie: {prompt!r} parts at token {parts}, gap {gap:.2g}")
        assert gap < NEAR_TIE, "not a near-tie"
    return same


def windows_of(tokenizer):
    ids = tokenizer(LICENCE.read_text())["input_ids"]
    return [ids[i * WINDOW : (i + 1) * WINDOW] for i in range(WINDOWS)]


def perplexity(windows, logits_of):
    losses = []
    for window in windows:
        logits = torch.as_tensor(np.asarray(logits_of(window)), dtype=torch.float32)
        targets = torch.tensor(window[1:])
        losses.append(torch.nn.functional.cross_entropy(logits[:-1], targets, reduction="none"))
    return torch.cat(losses).mean().exp().item()


def logits_with_llama(llama, window):
    llama.reset()
    llama.eval(window)
    return llama.scores[: len(window)].copy()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("slayer", type=pathlib.Path, nargs="?", default=ROOT / "build/release/bin/slayer")
    parser.add_argument("folder", type=pathlib.Path, nargs="?", help="default: SmolLM2, imported")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scratch = pathlib.Path(name)
        folder = arguments.folder or checkpoint(scratch / "model")
        model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        windows = windows_of(tokenizer)
        with torch.no_grad():
            reference = perplexity(windows, lambda ids: model(torch.tensor([ids])).logits[0])
        print(f"transformers, float32: perplexity {reference:.4f}")
        for type_ in ("f32", "f16", "bf16", "q8_0"):
            path = export(arguments.slayer, folder, type_, scratch)
            llama = load(path)
            found = perplexity(windows, lambda ids: logits_with_llama(llama, ids))
            change = found / reference - 1
            print(f"{type_}: perplexity {found:.4f}, {100 * change:+.3f} %")
            assert abs(change) <= LARGEST_PERPLEXITY_CHANGE, type_
            if type_ == "f32":
                same = check_generation(model, tokenizer, llama)
                print(f"f32: {same} of {len(PROMPTS)} prompts give the same {NEW_TOKENS} tokens")
            del llama
            path.unlink()


if __name__ == "__main__":
    sys.exit(main())
