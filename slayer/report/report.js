"use strict";
// Draws the page from the JSON in #data. All text goes in as text nodes; nothing is parsed as HTML.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  window.addEventListener("error", (event) => { root.dataset.state = "error: " + event.message; });

  // h("td.number", {title: "..."}, "text", element, ...): an element with its children.
  function h(what, attributes, ...children) {
    const [tag, ...classes] = what.split(".");
    const element = document.createElement(tag);
    element.className = classes.join(" ");
    for (const [name, value] of Object.entries(attributes || {})) {
      element.setAttribute(name, value);
    }
    for (const child of children.flat(Infinity)) {
      if (child !== null && child !== undefined) { element.append(child); }
    }
    return element;
  }

  const fixed = (value, digits) => typeof value === "number" ? value.toFixed(digits) : "";
  const signed = (value, digits) => (value > 0 ? "+" : "") + fixed(value, digits);
  function count(value) {
    for (const [size, unit] of [[1e9, " B"], [1e6, " M"], [1e3, " k"]]) {
      if (value >= size) { return (value / size).toPrecision(3) + unit; }
    }
    return String(value);
  }
  function duration(seconds) {
    if (seconds < 60) { return fixed(seconds, seconds < 10 ? 1 : 0) + " s"; }
    const minutes = Math.round(seconds / 60);
    return minutes < 60 ? minutes + " min" : Math.floor(minutes / 60) + " h " + minutes % 60 + " min";
  }

  // Rows of cells; the first row is the heading, columns from `numbers` on stand at the right.
  function table(rows, numbers = 1) {
    const cell = (tag) => (content, column) => h(column >= numbers ? tag + ".number" : tag, {}, content);
    return h("div.scroll", {}, h("table", {},
      h("thead", {}, h("tr", {}, rows[0].map(cell("th")))),
      h("tbody", {}, rows.slice(1).map((row) => h("tr", {}, row.map(cell("td")))))));
  }

  function section(title, ...children) {
    return h("section", {}, h("h2", {}, title), ...children);
  }

  // A number with a colour when its interval tells it from zero.
  function verdict(text, low, high, isLowerBetter) {
    if (!(low > 0 || high < 0)) { return text; }
    return h((high < 0) === isLowerBetter ? "span.better" : "span.worse", {}, text);
  }

  // ---- Charts

  const color = (name) => getComputedStyle(root).getPropertyValue("--" + name).trim();
  const charts = [];  // Functions that draw again, after a change of colours.

  // series: [{name, x: [], y: [], low: [], high: []}]
  function lineChart(caption, series, xTitle, yTitle) {
    const canvas = h("canvas", {role: "img", "aria-label": caption});
    let chart = null;
    charts.push(() => {
      if (chart) { chart.destroy(); }
      chart = new Chart(canvas, lineConfiguration(series, xTitle, yTitle));
    });
    return h("figure", {}, h("div.chart", {}, canvas), h("figcaption", {}, caption));
  }

  function lineConfiguration(series, xTitle, yTitle) {
    const datasets = [];
    series.forEach((one, index) => {
      const stroke = color("series-" + (index % 4 + 1));
      const points = (ys) => one.x.map((x, i) => ({x, y: ys[i]})).filter((point) => point.y !== null);
      datasets.push({
        label: one.name, data: points(one.y), borderColor: stroke, backgroundColor: stroke,
        borderWidth: 2, tension: 0,
        pointRadius: (one.stopped || []).includes(true) ? one.stopped.map((isStopped) => isStopped ? 5 : 2) : one.x.length > 60 ? 0 : 2,
        pointStyle: one.stopped ? one.stopped.map((isStopped) => isStopped ? "star" : "circle") : "circle",
      });
      if (one.low && one.low.every((value) => typeof value === "number")) {
        const edge = {borderWidth: 0, pointRadius: 0, backgroundColor: stroke + "33", label: ""};
        datasets.push({...edge, data: points(one.low), fill: false});
        datasets.push({...edge, data: points(one.high), fill: "-1"});
      }
    });
    const axis = (title) => ({
      type: "linear", title: {display: true, text: title, color: color("soft")},
      grid: {color: color("line")}, ticks: {color: color("soft")},
    });
    return {
      type: "line", data: {datasets},
      options: {
        animation: false, responsive: true, maintainAspectRatio: false,
        interaction: {mode: "nearest", axis: "x", intersect: false},
        scales: {x: axis(xTitle), y: axis(yTitle)},
        plugins: {
          legend: {
            display: series.length > 1,
            labels: {color: color("ink"), filter: (item) => item.text !== ""},
          },
          tooltip: {filter: (item) => item.dataset.label !== ""},
        },
      },
    };
  }

  function drawCharts() { charts.forEach((draw) => draw()); }

  // ---- Sections

  // summary.plan says which layers did train, and why an auto plan is as it is.
  function layerPicture(plan, planned) {
    const trains = (layer, index) => planned && planned.trained ? planned.trained[index] : layer.train;
    const boxes = [];
    const seen = new Set();
    let next = 0;  // The first source layer that was not met yet.
    const absorbed = new Set(plan.layers.flatMap((layer) => layer.init === "collapse" ? layer.from.slice(1) : []));
    const kept = new Set(plan.layers.filter((layer) => layer.init !== "average" && !layer.zero_output)
      .map((layer) => layer.from[0]));
    const addGone = (end) => {
      for (; next < end; ++next) {
        if (!kept.has(next)) {
          const how = absorbed.has(next) ? " was absorbed by another" : " was deleted";
          boxes.push(h("div.layer.gone", {title: "Layer " + next + " of the base" + how}, "x"));
        }
      }
    };
    plan.layers.forEach((layer, index) => {
      const source = layer.from[0];
      const isNew = layer.init === "average" || layer.zero_output === true || seen.has(source);
      if (!isNew) {
        addGone(source);
        seen.add(source);
        next = Math.max(next, source + 1);
      }
      const isTrained = trains(layer, index);
      const kind = (isNew ? ".new" : "") + (isTrained ? ".trained" : ".frozen");
      const title = "Layer " + index + ": " + (layer.init || "copy") + " of " + layer.from.join(", ") +
        (layer.zero_output ? ", the identity at first" : "") + (isTrained ? ", trained" : ", frozen");
      boxes.push(h("div.layer" + (isNew ? kind.replace(".trained", "") : kind), {title}, String(index)));
    });
    const layers = plan.source ? plan.source.layers : next;
    addGone(layers);
    const legend = [["base", "kept, frozen"], ["new", "new"], ["trained", "kept, trained"], ["gone", "gone"]];
    return section("Layers",
      h("p.note", {}, "Strategy " + (plan.strategy || "custom") + ": " + layers + " layers became " +
        plan.layers.length + ". The embedding stands at the left, the head at the right."),
      h("div.layers", {}, boxes),
      h("div.legend", {}, legend.map(([name, text]) =>
        h("span", {}, h("i", {style: "background: var(--" + name + ")"}), text))),
      planned && planned.reasons ? h("details", {}, h("summary", {}, "Why these layers"),
        h("ul", {}, planned.reasons.map((reason) => h("li", {}, reason)))) : null);
  }

  function heldOut(summary) {
    const interval = (result) => fixed(result.perplexity, 2) +
      ("low" in result ? " (" + fixed(result.low, 2) + " to " + fixed(result.high, 2) + ")" : "");
    const rows = [["text", "change", "base", "new", "documents", "tokens"]];  // On a phone the first columns show.
    for (const [kind, text] of Object.entries(summary.text)) {
      const change = signed(100 * text.change, 1) + " %" + ("change_low" in text
        ? " (" + signed(100 * text.change_low, 1) + " to " + signed(100 * text.change_high, 1) + ")" : "");
      rows.push([kind, verdict(change, text.change_low, text.change_high, true), interval(text.base), interval(text.new),
        text.documents, text.tokens]);
    }
    return section("Perplexity on held-out text", table(rows),
      h("p.note", {}, "Lower is better. 95 % bootstrap intervals over documents; the change is paired."));
  }

  function benchmarks(compare) {
    const rows = [["task", "kind", "metric", "base", "new", "difference", "95 % interval", "flips", "p"]];
    for (const kind of ["domain", "general"]) {
      // Texts have a table of their own.
      for (const change of compare[kind].filter((one) => !one.task.startsWith("text:"))) {
        const isLowerBetter = /loss|perplexity|bits/.test(change.metric);
        rows.push([change.task, kind, change.metric, fixed(change.base, 3), fixed(change.new, 3),
          verdict(signed(change.difference, 3), change.low, change.high, isLowerBetter),
          signed(change.low, 3) + " to " + signed(change.high, 3),
          change.gained ? "+" + change.gained.length + " −" + change.lost.length : "",
          fixed(change.mcnemar_p, 3)]);
      }
    }
    if (rows.length === 1) { return null; }
    const forgetting = compare.forgetting;
    return section("Benchmarks", table(rows, 3),
      forgetting ? h("p", {}, "Forgetting, the mean drop of general accuracies: " +
        signed(forgetting.mean_drop, 4) + " (" + signed(forgetting.low, 4) + " to " + signed(forgetting.high, 4) + ")") : null,
      h("p.note", {}, "On the same items. Intervals by paired bootstrap over items; p is McNemar's exact test."));
  }

  // What each method of a probe gives for a layer, and what the layers of its curve are.
  const PROBED = {
    remove: {what: "Loss without each layer", key: "loss"},
    last: {what: "Loss without the last layers", key: "loss", x: "layers left out at the end"},
    expand: {what: "Loss when each layer runs again after itself", key: "loss"},
    angular: {what: "Angle between what enters and what leaves each layer", key: "angular", y: "angle / π"},
    gradient: {what: "Importance by the gradient", key: "importance", y: "sum of |weight × gradient|"},
    lens: {what: "Loss when a layer's output goes straight to the head", key: "loss"},
  };

  // The kinds of text of a probe: [name, its part].
  const kindsOf = (probe) => [["", probe], ["domain", probe.domain], ["general", probe.general]].filter(([, part]) => part);

  function layerSeries(name, layers, key) {
    return {
      name, x: layers.map((entry) => entry.layer), y: layers.map((entry) => entry[key]),
      low: layers.map((entry) => entry.low), high: layers.map((entry) => entry.high),
      stopped: layers.map((entry) => entry.groups !== undefined),
    };
  }

  // One chart a method; the two kinds of text share it.
  function probeCurves(probe) {
    return Object.entries(PROBED).flatMap(([method, {what, key, x, y}]) => {
      const parts = kindsOf(probe).filter(([, part]) => part[method] && part[method].layers && part[method].layers.length > 0);
      if (parts.length === 0) { return []; }
      const series = parts.map(([kind, part]) => layerSeries(kind || method, part[method].layers, key));
      const span = parts[0][1][method].span || 1;
      const notes = [span > 1 ? " and the " + (span - 1) + " after it" : ""];
      if (key === "loss" && parts[0][1].base) {
        notes.push("; the base's is " + parts.map(([kind, part]) => fixed(part.base.loss, 3) + (kind ? " (" + kind + ")" : "")).join(", "));
      }
      if (series.some((one) => one.stopped.includes(true))) { notes.push("; stars: stopped early"); }
      return [lineChart(what + notes.join("") + ". Bands: 95 % intervals.", series, x || "layer", y || "nats per token")];
    });
  }

  // A task's metrics under the sweeps that measured them.
  function taskCurves(probe) {
    return kindsOf(probe).flatMap(([, part]) => Object.entries(part.tasks || {})).flatMap(([task, metrics]) =>
      ["acc", "acc_norm", "loglikelihood"].filter((metric) => metrics[metric]).flatMap((metric) =>
        ["remove", "last", "expand"].filter((method) => metrics[metric][method]).map((method) => lineChart(
          task + ", " + metric + ": " + PROBED[method].what.replace("Loss ", "") + "; the base's is " +
            fixed(metrics[metric].base[metric], 3) + ". Bands: 95 % intervals.",
          [layerSeries(method, metrics[metric][method].layers, metric)], PROBED[method].x || "layer", metric))));
  }

  function differenceCurves(probe) {
    return Object.entries(probe.domain_minus_general || {}).filter(([method, sweep]) => PROBED[method] && sweep.layers)
      .map(([method, sweep]) => lineChart(PROBED[method].what + ": how much more it costs on domain than on general text.",
        [layerSeries(method, sweep.layers, "dip")], PROBED[method].x || "layer", "nats per token"));
  }

  function pruneTable(probe) {
    const found = kindsOf(probe).find(([, part]) => part.prune && part.prune.steps);
    if (!found) { return null; }
    const cost = (step) => step ? signed(step.dip, 3) +
      ("dip_low" in step ? " (" + signed(step.dip_low, 3) + " to " + signed(step.dip_high, 3) + ")" : "") : "";
    return [h("h3", {}, "Layers that cost least together"), table([["layers", "cost when dropped", "when absorbed"],
      ...found[1].prune.steps.map((step) => [step.layers.join(", "), cost(step), cost(step.collapse)])]),
      h("p.note", {}, "Nats per token above the base's loss, with 95 % intervals.")];
  }

  // From dark to bright, evenly to the eye (viridis).
  const RAMP = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
  function rampColor(share) {
    const at = Math.min(share, 0.9999) * (RAMP.length - 1);
    const below = Math.floor(at);
    return "rgb(" + RAMP[below].map((value, i) => Math.round(value + (at - below) * (RAMP[below + 1][i] - value))).join(" ") + ")";
  }

  // rows[span - 1][start]: distance between the input of layer `start` and what leaves `span` layers
  // later.
  function heatMap(title, rows) {
    const values = rows.flat().filter((value) => typeof value === "number");
    const low = Math.min(...values);
    const high = Math.max(...values);
    const shade = (value) => "background: " + rampColor(high > low ? (value - low) / (high - low) : 0);
    const head = h("tr", {}, h("th", {}), rows[0].map((_, start) => h("th", {}, start % 5 ? "" : String(start))));
    const body = rows.map((row, index) => h("tr", {}, h("th", {}, (index + 1) % 5 ? "" : String(index + 1)),
      rows[0].map((_, start) => typeof row[start] === "number"
        ? h("td", {style: shade(row[start]), title: "from layer " + start + ", " + (index + 1) + " layers: " + fixed(row[start], 3)})
        : h("td", {}))));
    const ramp = "linear-gradient(to right, " + RAMP.map((_, i) => rampColor(i / (RAMP.length - 1))).join(", ") + ")";
    return h("figure", {}, h("div.scroll", {}, h("table.heat", {}, head, body)),
      h("div.ramp", {}, fixed(low, 3), h("i", {style: "background: " + ramp}), fixed(high, 3)),
      h("figcaption", {}, title + ": first layer of the span across, its length down."));
  }

  function probeSection(probe) {
    const maps = kindsOf(probe).filter(([, part]) => part.angular && Array.isArray(part.angular.spans))
      .map(([kind, part]) => heatMap("Angle / π over spans of layers" + (kind ? ", " + kind + " text" : ""), part.angular.spans));
    return section("Which layers matter",
      h("div.charts", {}, probeCurves(probe), differenceCurves(probe), taskCurves(probe)),
      h("div.charts", {}, maps), pruneTable(probe));
  }

  // how: what summary.json says of the training.
  function trainingSection(title, training, how) {
    const x = training.step;
    const series = (pattern) => Object.keys(training).filter((key) => pattern.test(key))
      .map((key) => ({name: key.replace("_", " "), x, y: training[key]}));
    const last = (key) => training[key] && training[key][training[key].length - 1];
    return section(title,
      h("p.note", {}, (how ? "Method " + how.method + ": " + how.trains + "; " : "") +
        count(last("step")) + " steps, " + count(last("tokens")) + " tokens, " +
        duration(last("elapsed_s")) + ", " + fixed(last("tokens_per_second"), 0) + " tokens/s at the end."),
      h("div.charts", {},
        lineChart("Loss by step", series(/loss$/), "step", "nats per token"),
        lineChart("Learning rate by step", series(/^lr$/), "step", "learning rate"),
        lineChart("Norm of the gradient before clipping", series(/^grad_norm$/), "step", "norm")));
  }

  function overlapSection(overlap) {
    const rows = [["held-out set", "items", "in the training text", "share"]];
    for (const [name, set] of Object.entries(overlap.sets)) {
      rows.push([name, set.items, set.overlapping.length, fixed(100 * set.overlapping.length / Math.max(1, set.items), 1) + " %"]);
    }
    return section("Overlap of training and held-out text", table(rows),
      h("p.note", {}, "Items that share " + overlap.words + " words in a row with the training text: results on them show memory, not knowledge."));
  }

  function textBox(label, text) { return h("div.text", {}, h("b", {}, label), text === "" ? "(nothing)" : text); }

  function samplesSection(samples) {
    return section("Samples, before and after", samples.map((sample) => [
      h("h3", {}, "Asked to go on with: " + sample.prompt),
      h("div.pair", {}, textBox("base", sample.base), textBox("new", sample.new))]));
  }

  // Of each task a few items each way.
  function flippedSection(flips) {
    const most = 5;
    const counts = {};
    const shown = flips.filter((flip) => {
      const key = flip.task + " " + flip.became;
      counts[key] = (counts[key] || 0) + 1;
      return counts[key] <= most;
    });
    return section("Items that changed sides",
      h("p.note", {}, "Of each task at most " + most + " that became right and " + most + " that became wrong."),
      shown.map((flip) => h("details", {},
        h("summary", {}, h(flip.became === "right" ? "span.better" : "span.worse", {}, "became " + flip.became),
          " " + flip.task + ", item " + flip.doc_id),
        flip.question ? textBox("asked", flip.question) : null,
        h("div.pair", {}, textBox("base", flip.base), textBox("new", flip.new)),
        flip.expected ? h("p.note", {}, "Right: " + flip.expected) : null)));
  }

  function variantsSection(variants) {
    const rows = [["variant", "domain perplexity", "change", "general perplexity", "change", "parameters", "trained", "time"]];
    for (const variant of variants) {
      const {text, models, time} = variant.summary;
      const change = (part) => verdict(signed(100 * part.change, 1) + " %", part.change_low, part.change_high, true);
      rows.push([variant.name, fixed(text.domain.new.perplexity, 2), change(text.domain),
        fixed(text.general.new.perplexity, 2), change(text.general),
        count(models.new.parameters), count(models.new.trained_parameters), duration(time.seconds)]);
    }
    const canvas = h("canvas", {role: "img", "aria-label": "Gain against forgetting"});
    let chart = null;
    charts.push(() => {
      if (chart) { chart.destroy(); }
      const axis = (text) => ({title: {display: true, text, color: color("soft")},
        grid: {color: color("line")}, ticks: {color: color("soft")}});
      chart = new Chart(canvas, {
        type: "scatter",
        data: {datasets: variants.map(({name, summary}, index) => ({
          label: name, pointRadius: 6, backgroundColor: color("series-" + (index % 4 + 1)),
          pointStyle: ["circle", "rect", "triangle", "rectRot", "star"][Math.floor(index / 4) % 5],
          borderColor: color("series-" + (index % 4 + 1)),
          data: [{x: -100 * summary.text.domain.change, y: 100 * summary.text.general.change}]}))},
        options: {animation: false, maintainAspectRatio: false,
          scales: {x: axis("gain: fall of domain perplexity, %"), y: axis("forgetting: rise of general perplexity, %")},
          plugins: {legend: {labels: {color: color("ink"), usePointStyle: true}}}},
      });
    });
    return section("Variants", table(rows),
      h("figure", {}, h("div.chart", {}, canvas), h("figcaption", {}, "Gain against forgetting: best at the lower right.")));
  }

  function settingsSection() {
    const parts = [];
    if (data.summary && data.summary.time) {
      parts.push(h("h3", {}, "Time"), table([["stage", "seconds", "CPU-seconds", "peak memory, MB"],
        ...Object.entries(data.summary.time.stages).map(([stage, took]) =>
          [stage, fixed(took.seconds, 1), fixed(took.cpu_seconds, 1),
            took.peak_bytes ? fixed(took.peak_bytes / 1e6, 0) : ""])]));
    }
    if (data.machine) {
      const flat = (value) => typeof value === "object" ? JSON.stringify(value) : String(value);
      parts.push(h("h3", {}, "Versions and machine"), h("div.scroll", {}, h("table", {}, h("tbody", {},
        Object.entries(data.machine).map(([key, value]) =>
          h("tr", {}, h("th", {}, key), h("td", {style: "white-space: normal; overflow-wrap: anywhere"}, flat(value))))))));
    }
    if (data.recipe) { parts.push(h("h3", {}, "Recipe"), h("pre.text", {}, data.recipe)); }
    return parts.length ? section("Settings", ...parts) : null;
  }

  function answerBox(sentences) {
    return h("div.answer", {}, sentences.map((sentence) => {
      const colon = sentence.indexOf(":");
      const rest = sentence.slice(colon + 2);
      return h("p", {}, h("b", {}, sentence.slice(0, colon)), rest.charAt(0).toUpperCase() + rest.slice(1));
    }));
  }

  function page() {
    const {summary, plan, probe, compare, overlap} = data;
    const curves = (title, training, how) => training && training.step && training.step.length > 0
      ? trainingSection(title, training, how) : null;
    document.title = data.title + " - slayer report";
    return [
      h("h1", {}, data.title),
      h("div.subtitle", {}, "slayer " + data.version + (summary && summary.base ? ", base " + summary.base : "")),
      data.answer ? answerBox(data.answer) : !data.machine ? null  // A probe alone.
        : h("div.answer", {}, "This run is not finished; here is what there is."),
      summary && summary.variants ? variantsSection(summary.variants) : null,
      plan ? layerPicture(plan, summary && summary.plan) : null,
      summary && summary.text ? heldOut(summary) : null,
      compare ? benchmarks(compare) : null,
      probe ? probeSection(probe) : null,
      curves("Training", data.training, summary && summary.train),
      curves("Training on conversations", data.sft_training, summary && summary.sft),
      overlap ? overlapSection(overlap) : null,
      compare && compare.flips && compare.flips.length > 0 ? flippedSection(compare.flips) : null,
      summary && summary.samples && summary.samples.length > 0 ? samplesSection(summary.samples) : null,
      settingsSection(),
    ];
  }

  const main = document.getElementById("report");
  main.replaceChildren(...page().filter((part) => part !== null));
  drawCharts();
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
  // Paper is white, whatever the screen is.
  window.addEventListener("beforeprint", () => {
    root.classList.add("printing");
    main.querySelectorAll("details").forEach((details) => { details.open = true; });
    drawCharts();
  });
  window.addEventListener("afterprint", () => { root.classList.remove("printing"); drawCharts(); });
  root.dataset.state = root.dataset.state || "ready";
})();
