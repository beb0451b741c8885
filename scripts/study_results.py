"""The study's results: records of trainings, and the tables that are made of them."""

import json
import math
import statistics

import study_picture

BEGIN, END = "<!-- results: written by scripts/study -->", "<!-- end of results -->"


def read_training(folder, known):
    """What the training of a run's variant tells by itself."""
    metrics = [json.loads(line) for line in (folder / "train/metrics.jsonl").read_text().splitlines()]
    plan, surgery, train = (json.loads((folder / "stages" / f"{stage}.json").read_text()) for stage in ("plan", "surgery", "train"))
    steps_cpu = metrics[-1]["cpu_seconds"]
    return {
        "format": 1,
        **known,
        "tokens": metrics[-1]["tokens"],
        "seconds": metrics[-1]["elapsed_s"],
        "cpu_seconds": steps_cpu,
        # Of a training that went on, its stage only knows the last part.
        "other_cpu_seconds": plan["cpu_seconds"] + surgery["cpu_seconds"] + max(0.0, train["cpu_seconds"] - steps_cpu),
        "peak_bytes": train["peak_bytes"],
        "machine": json.loads((folder / "run.json").read_text()),
        "curve": [{key: line[key] for key in ("step", "tokens", "cpu_seconds", "domain_loss", "general_loss")}
                  for line in metrics if "domain_loss" in line],
    }


def read_record(folder, known):
    """read_training, and what the report of a run's variant shows besides."""
    training = read_training(folder, known)
    summary = json.loads((folder / "summary.json").read_text())
    verify = summary["verify"]
    tasks = json.loads((folder / "compare.json").read_text()).get("general", [])
    after = sum(cost["cpu_seconds"] for name, cost in summary["time"]["stages"].items()
                if name not in ("import", "plan", "surgery", "train", "eval-base"))
    return training | {
        "other_cpu_seconds": training["other_cpu_seconds"] + after,
        "parameters": summary["models"]["new"]["parameters"],
        "trained_parameters": summary["models"]["new"]["trained_parameters"],
        "surgery_cost": None if verify["must_be_identical"] else verify["new_loss"] - verify["base_loss"],
        "sketch": summary["plan"]["sketch"],
        "text": summary["text"],
        "tasks": [task for task in tasks if not task["task"].startswith("text:")],
    }


def by_method(records, phase="final"):
    methods = {}
    for record in records:
        if record["phase"] == phase:
            methods.setdefault(record["method"], []).append(record)
    return methods


def change(record, kind):
    return record["text"][kind]["change"]


def mean_change(records, kind):
    return statistics.mean(change(record, kind) for record in records)


def percent(value):
    return f"{100 * value:+.1f}"


def change_text(records, kind):
    """Mean over seeds with their range; of one seed, the interval over documents."""
    if len(records) > 1:
        values = [change(record, kind) for record in records]
        return f"{percent(statistics.mean(values))} (seeds {percent(min(values))} to {percent(max(values))})"
    text = records[0]["text"][kind]
    interval = f" ({percent(text['change_low'])} to {percent(text['change_high'])})" if "change_low" in text else ""
    return percent(text["change"]) + interval


def against_healed(records, healed, kind):
    if not healed or records is healed:
        return ""
    return percent((1 + mean_change(records, kind)) / (1 + mean_change(healed, kind)) - 1)


def table(rows):
    lines = ["| " + " | ".join(map(str, row)) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]]) + "\n"


def equal_tokens(methods):
    rows = [["method", "trained", "lr", "seeds", "domain, %", "general, %", "domain against healed", "general against healed",
             "CPU-s", "memory, GB"]]
    healed = methods.get("healed")
    for name, records in methods.items():
        first = records[0]
        rows.append([name, f"{first['trained_parameters'] / 1e6:.1f} M", f"{first['lr']:g}", len(records),
                     change_text(records, "domain"), change_text(records, "general"),
                     against_healed(records, healed, "domain"), against_healed(records, healed, "general"),
                     # Other seeds may have run on other machines.
                     f"{first['cpu_seconds']:.0f}", f"{first['peak_bytes'] / 1e9:.1f}"])
    return table(rows)


def base_of(records):
    """The base's losses on the dev texts: those of the look before the first step where surgery cost nothing."""
    return next((group[0]["curve"][0] for group in by_method(records).values() if group[0]["surgery_cost"] is None), None)


def curve(record, base):
    """(tokens, CPU-seconds, gain, forgetting) at each look. The clock's seconds would tell what else the machine did."""
    return [(look["tokens"], look["cpu_seconds"], 1 - math.exp(look["domain_loss"] - base["domain_loss"]),
             math.exp(look["general_loss"] - base["general_loss"]) - 1) for look in record["curve"]]


def at(points, column, value):
    """The point where a column first reaches a value, interpolated; None where it never does."""
    for before, after in zip(points, points[1:]):
        if before[column] <= value <= after[column]:
            share = (value - before[column]) / (after[column] - before[column]) if after[column] > before[column] else 1.0
            return tuple(a + share * (b - a) for a, b in zip(before, after))
    return None


def same_axis(methods, base, column):
    """All methods where a column has the value that each of them reaches, by their first seeds' curves."""
    curves = {name: curve(records[0], base) for name, records in methods.items() if name != "healed"}
    tops = [max(point[column] for point in points) for points in curves.values()]
    value = min((top for top in tops if top > 0), default=None)
    if value is None:
        return None, {}
    return value, {name: at(points, column, value) for name, points in curves.items()}


def rows_at(points):
    rows = [["method", "tokens", "CPU-seconds", "gain, %", "forgetting, %"]]
    for name, point in points.items():
        rows.append([name, *(["not reached", "", "", ""] if point is None else
                             [f"{point[0]:.0f}", f"{point[1]:.0f}", percent(point[2]), percent(point[3])])])
    return table(rows)


def grid(records):
    """Of the dev texts: a grid's trainings see no others. Their surgery costs nothing, so the first look is the base's."""
    methods = by_method(records, "grid")
    rates = sorted({record["lr"] for group in methods.values() for record in group})
    rows = [["method", *(f"{rate:g}" for rate in rates)]]
    for name, group in methods.items():
        found = {}
        for record in group:
            *_, gain, forgetting = curve(record, record["curve"][0])[-1]
            found[record["lr"]] = f"{percent(-gain)} / {percent(forgetting)}"
        rows.append([name, *(found.get(rate, "") for rate in rates)])
    return table(rows) if methods else ""


def tasks(methods):
    names = sorted({(task["task"], task["metric"]) for records in methods.values() for record in records for task in record["tasks"]})
    if not names:
        return ""
    rows = [["method", *(f"{task} {metric}" for task, metric in names)]]
    for method, records in methods.items():
        found = {(task["task"], task["metric"]): task for task in records[0]["tasks"]}
        rows.append([method, *(f"{found[name]['base']:.3f} to {found[name]['new']:.3f} ({found[name]['low']:+.3f} to "
                               f"{found[name]['high']:+.3f})" if name in found else "" for name in names)])
    return "Benchmarks, of the first seed:\n\n" + table(rows)


def surgery_costs(methods):
    costs = [f"{name} {records[0]['surgery_cost']:+.3f}" for name, records in methods.items()
             if records[0]["surgery_cost"] is not None]
    return f"What surgery cost before training, nats per token: {', '.join(costs)}.\n" if costs else ""


def describe_domain(domain, records):
    methods, base = by_method(records), base_of(records)
    if not methods:
        return ""
    first = next(iter(methods.values()))[0]
    sizes = ", ".join(f"{kind} {first['text'][kind]['tokens']} tokens in {first['text'][kind]['documents']} documents, perplexity "
                      f"{first['text'][kind]['base']['perplexity']:.2f}" for kind in ("domain", "general"))
    parts = [f"### {domain}\n", f"Held-out text and the base on it: {sizes}. Each method trained on {first['tokens']} tokens.\n",
             "Changes of perplexity against the base:\n", equal_tokens(methods), surgery_costs(methods), tasks(methods)]
    for title, column, show in (("At equal compute, {} CPU-seconds of training", 1, lambda v: f"{v:.0f}"),
                                ("At equal gain, {} %", 2, lambda v: f"{100 * v:.1f}")):
        value, points = same_axis(methods, base, column) if base else (None, {})
        if value is not None:
            parts += [title.format(show(value)) + " (dev texts, interpolated between looks, first seed):\n", rows_at(points)]
    if grid_table := grid(records):
        parts += ["The grid, domain / general change in % at its budget (dev texts):\n", grid_table]
    return "\n".join(part for part in parts if part)


def points(records):
    """(method, gain, forgetting) in %, of each final training."""
    return [(method, -100 * change(record, "domain"), 100 * change(record, "general"))
            for method, group in by_method(records).items() for record in group]


def write(records, docs):
    """pareto.svg and the tables of README.md, between its two markers, of records by domain; nothing where there is
    nothing to show yet, so that what an earlier study showed stays."""
    if not any(by_method(group) for group in records.values()):
        return
    docs.mkdir(parents=True, exist_ok=True)
    points_of = {domain: points(group) for domain, group in records.items() if by_method(group)}
    (docs / "pareto.svg").write_text(study_picture.pareto(points_of), encoding="utf-8")
    tables = "\n".join(describe_domain(domain, group) for domain, group in records.items())
    readme = docs / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else f"# The study\n\n{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    readme.write_text(f"{head}{BEGIN}\n\n![Gain against forgetting](pareto.svg)\n\n{tables}\n{END}{tail}", encoding="utf-8")
    print(f"study: {docs / 'README.md'}")
