"""The study's first figure: what each training forgot above what it gained."""

import math

COLORS = ["#1f6feb", "#c2410c", "#0b8a5f", "#8250df", "#b08800", "#d1247f", "#57606a", "#0891b2", "#7c4a1e", "#6e7f00", "#111827"]
WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 420, 330, 60, 40, 20, 50
# %, of forgetting: what forgot more is named in a line below, as beside it all others would be one dot.
FAR = 50.0


def padded(values):
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 1.0
    return low - room, high + room


def ticks(low, high):
    """Round numbers within the range."""
    step = 10 ** math.floor(math.log10(high - low))
    step = next(s for s in (step / 5, step / 2, step, 2 * step) if (high - low) / s <= 7)
    return [round(n * step, 10) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def axes(px, py, x_range, y_range):
    right, bottom = WIDTH - RIGHT, HEIGHT - BOTTOM
    shapes = [f'<rect x="{LEFT}" y="{TOP}" width="{right - LEFT}" height="{bottom - TOP}" fill="none" stroke="#c8ccd1"/>',
              f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 12}" text-anchor="middle">gain: fall of domain perplexity, %</text>',
              f'<text transform="translate(16 {(TOP + bottom) / 2}) rotate(-90)" text-anchor="middle">'
              'forgetting: rise of general perplexity, %</text>']
    for tick in ticks(*x_range):
        shapes.append(f'<text x="{px(tick):.1f}" y="{HEIGHT - 34}" text-anchor="middle" fill="#5c6269">{tick:g}</text>'
                      f'<line x1="{px(tick):.1f}" y1="{TOP}" x2="{px(tick):.1f}" y2="{bottom}" stroke="#eceef0"/>')
    for tick in ticks(*y_range):
        shapes.append(f'<text x="{LEFT - 6}" y="{py(tick) + 4:.1f}" text-anchor="end" fill="#5c6269">{tick:g}</text>'
                      f'<line x1="{LEFT}" y1="{py(tick):.1f}" x2="{right}" y2="{py(tick):.1f}" stroke="'
                      f'{"#8a939c" if tick == 0 else "#eceef0"}"/>')
    return shapes


def front(points):
    """Those that no other one beats: by falling gain, each forgets less than all that gained more."""
    kept = []
    for gain, forgetting in sorted(points, key=lambda point: (-point[0], point[1])):
        if not kept or forgetting < kept[-1][1]:
            kept.append((gain, forgetting))
    return kept


def panel(domain, points, colors):
    """points: (method, gain, forgetting) in %, of each training; the base stands at 0, 0."""
    near = [point for point in points if point[2] <= FAR]
    x_range = padded([x for _, x, _ in near] + [0.0])
    y_range = padded([y for _, _, y in near] + [0.0])
    px = lambda x: LEFT + (x - x_range[0]) / (x_range[1] - x_range[0]) * (WIDTH - LEFT - RIGHT)
    py = lambda y: TOP + (y_range[1] - y) / (y_range[1] - y_range[0]) * (HEIGHT - TOP - BOTTOM)
    shapes = [f'<text x="{LEFT}" y="24" font-weight="bold">{domain}</text>', *axes(px, py, x_range, y_range)]
    line = " ".join(f"{px(x):.1f},{py(y):.1f}" for x, y in front([(x, y) for _, x, y in near] + [(0.0, 0.0)]))
    shapes.append(f'<polyline points="{line}" fill="none" stroke="#8a939c" stroke-dasharray="4 3"/>')
    for method, x, y in near:
        shapes.append(f'<circle cx="{px(x):.1f}" cy="{py(y):.1f}" r="5" fill="{colors[method]}" fill-opacity="0.85"><title>{method}: gain '
                      f'{x:.1f} %, forgetting {y:.1f} %</title></circle>')
    far = [f"{method} (gain {x:.0f} %, forgetting {y:.0f} %)" for method, x, y in points if y > FAR]
    shapes += [f'<text x="{LEFT}" y="{HEIGHT + 6 + 14 * row}" font-size="10" fill="#5c6269">outside: {text}</text>' for row, text in enumerate(far)]
    return shapes, len(far)


def pareto(points_of):
    """The figure as SVG, a panel a domain. points_of: by domain, (method, gain, forgetting) in %, of each training."""
    methods = list(dict.fromkeys(method for points in points_of.values() for method, _, _ in points))
    colors = {method: COLORS[index % len(COLORS)] for index, method in enumerate(methods)}
    panels, outside = [], 0
    for index, (domain, points) in enumerate(points_of.items()):
        shapes, far = panel(domain, points, colors)
        panels.append(f'<g transform="translate({index * WIDTH} 0)">' + "\n".join(shapes) + "</g>")
        outside = max(outside, far)
    columns, top = len(panels) * WIDTH, HEIGHT + 14 * (outside + 1)
    per_row = (columns - LEFT) // 120
    legend = [f'<g transform="translate({LEFT + index % per_row * 120} {top + index // per_row * 20})"><circle r="5" '
              f'fill="{color}"/><text x="10" y="4">{method}</text></g>' for index, (method, color) in enumerate(colors.items())]
    total = top + 20 * math.ceil(len(methods) / per_row)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns} {total}" width="{columns}" height="{total}" '
            'font-family="sans-serif" font-size="12">\n<rect width="100%" height="100%" fill="#ffffff"/>\n' +
            "\n".join([*panels, *legend]) + "\n</svg>\n")
