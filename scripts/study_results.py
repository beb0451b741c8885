"""The study's results: records of trainings, the tables and the picture that are made of them."""

import json
import math
import statistics

BEGIN, END = "<!-- results: written by scripts/study -->", "<!-- end of results -->"
COLORS = ["#1f6feb", "#c2410c", "#0b8a5f", "#8250df", "#b08800", "#d1247f", "#57606a", "#0891b2", "#7c4a1e", "#6e7f00", "#111827"]


def read_training(folder, known):
    """What the training of a run's variant tells by itself."""
    metrics = [json.loads(line) for line in (folder / "train/metrics.jsonl").read_text().splitlines()]
    costs = {stage: json.loads((folder / "stages" / f"{stage}.json").read_text()) for stage in ("plan", "surgery", "train")}
    steps_cpu = metrics[-1]["cpu_seconds"]
    return {
        "format": 1,
        **known,
        "tokens": metrics[-1]["tokens"],
        "seconds": metrics[-1]["elapsed_s"],
        "cpu_seconds": steps_cpu,
        "other_cpu_seconds": sum(cost["cpu_seconds"] for cost in costs.values()) - steps_cpu,
        "peak_bytes": costs["train"]["peak_bytes"],
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
                     f"{statistics.mean(r['cpu_seconds'] for r in records):.0f}",
                     f"{max(r['peak_bytes'] for r in records) / 1e9:.1f}"])
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


def pareto(all_records):
    """The first figure, as SVG: a panel a domain, forgetting above gain."""
    width, height, left, top = 420, 330, 60, 40
    panels, order = [], []
    for records in all_records.values():
        order += [name for name in by_method(records) if name not in order]
    for index, (domain, records) in enumerate(all_records.items()):
        points = [(name, -100 * change(r, "domain"), 100 * change(r, "general"))
                  for name, group in by_method(records).items() for r in group]
        if not points:
            continue
        low_x, high_x = padded([x for _, x, _ in points] + [0.0])
        low_y, high_y = padded([y for _, _, y in points] + [0.0])
        px = lambda x: left + (x - low_x) / (high_x - low_x) * (width - left - 20)
        py = lambda y: top + (high_y - y) / (high_y - low_y) * (height - top - 50)
        shapes = [f'<text x="{left}" y="24" font-weight="bold">{domain}</text>',
                  f'<rect x="{left}" y="{top}" width="{width - left - 20}" height="{height - top - 50}" fill="none" stroke="#c8ccd1"/>',
                  f'<text x="{(left + width - 20) / 2}" y="{height - 12}" text-anchor="middle">gain: fall of domain perplexity, %</text>',
                  f'<text transform="translate(16 {(top + height - 50) / 2}) rotate(-90)" text-anchor="middle">'
                  f'forgetting: rise of general perplexity, %</text>']
        for tick in ticks(low_x, high_x):
            shapes.append(f'<text x="{px(tick):.1f}" y="{height - 34}" text-anchor="middle" fill="#5c6269">{tick:g}</text>'
                          f'<line x1="{px(tick):.1f}" y1="{top}" x2="{px(tick):.1f}" y2="{height - 50}" stroke="#eceef0"/>')
        for tick in ticks(low_y, high_y):
            shapes.append(f'<text x="{left - 6}" y="{py(tick) + 4:.1f}" text-anchor="end" fill="#5c6269">{tick:g}</text>'
                          f'<line x1="{left}" y1="{py(tick):.1f}" x2="{width - 20}" y2="{py(tick):.1f}" stroke="'
                          f'{"#8a939c" if tick == 0 else "#eceef0"}"/>')
        for name, x, y in points:
            color = COLORS[order.index(name) % len(COLORS)]
            shapes.append(f'<circle cx="{px(x):.1f}" cy="{py(y):.1f}" r="5" fill="{color}"><title>{name}: gain {x:.1f} %, '
                          f'forgetting {y:.1f} %</title></circle>')
        panels.append(f'<g transform="translate({index * width} 0)">' + "\n".join(shapes) + "</g>")
    columns = max(1, len(panels)) * width
    per_row = max(1, columns // 140)
    legend = [f'<g transform="translate({left + index % per_row * 130} {height + 14 + index // per_row * 20})"><circle r="5" '
              f'fill="{COLORS[index % len(COLORS)]}"/><text x="10" y="4">{name}</text></g>' for index, name in enumerate(order)]
    total = height + 14 + 20 * math.ceil(len(order) / per_row)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns} {total}" width="{columns}" height="{total}" '
            'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#ffffff"/>\n' +
            "\n".join([*panels, *legend]) + "\n</svg>\n")


def padded(values):
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 1.0
    return low - room, high + room


def ticks(low, high):
    """Round numbers within the range."""
    step = 10 ** math.floor(math.log10(high - low))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if (high - low) / s <= 7)
    return [round(n * step, 10) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def write(records, docs):
    """pareto.svg and the tables of README.md, between its two markers, of records by domain; nothing where there is
    nothing to show yet, so that what an earlier study showed stays."""
    if not any(by_method(group) for group in records.values()):
        return
    docs.mkdir(parents=True, exist_ok=True)
    (docs / "pareto.svg").write_text(pareto(records), encoding="utf-8")
    tables = "\n".join(describe_domain(domain, group) for domain, group in records.items())
    readme = docs / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else f"# The study\n\n{BEGIN}\n{END}\n"
    head, _, rest = text.partition(BEGIN)
    tail = rest.partition(END)[2]
    readme.write_text(f"{head}{BEGIN}\n\n![Gain against forgetting](pareto.svg)\n\n{tables}\n{END}{tail}", encoding="utf-8")
    print(f"study: {docs / 'README.md'}")
