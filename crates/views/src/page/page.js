"use strict";
// Layers of the page. Text of the data is set as text (textContent), never as markup.
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const app = document.getElementById("app");
  const SVG = "http://www.w3.org/2000/svg";
  const WORST = 10;
  const STEP = 300;
  const state = { part: 0, layer: null, sort: "npu", down: false, all: false, shown: STEP, filter: "" };

  const make = (name, attributes, ...children) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) {
      if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
      else if (value !== null && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children.filter((child) => child !== null).map((child) => (child instanceof Node ? child : String(child))));
    return made;
  };
  const draw = (name, attributes, text) => {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  // A long name may be broken after a sign of punctuation, and nowhere else.
  const words = (text) => (text.length <= 16 ? [text] : text.split(/(?<=[._/,:=-])/).flatMap((piece, at) => (at ? [make("wbr"), piece] : [piece])));
  const known = (value) => value !== null && value !== undefined;
  const fixed = (value, digits, unit) => (known(value) ? value.toFixed(digits) + unit : null);
  const short = (value) => (Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 1e-3) ? value.toExponential(3) : String(+value.toPrecision(4)));

  const columns = [
    { key: "name", title: "layer", of: (layer) => layer.name, show: (layer) => layer.name },
    { key: "op", title: "operator", of: (layer) => layer.op, show: (layer) => layer.op },
    { key: "bits", title: "bits", of: (layer) => layer.bits, show: (layer) => layer.bits },
    { key: "sim", title: "SQNR simulated", number: true, of: (layer) => layer.sim, show: (layer) => fixed(layer.sim, 1, " dB") },
    { key: "npu", title: "SQNR NPU", number: true, of: (layer) => layer.npu, show: (layer) => fixed(layer.npu, 1, " dB") },
    { key: "added", title: "added noise", number: true, down: true, of: (layer) => layer.added, show: (layer) => fixed(layer.added, 2, " %") },
    { key: "saturation", title: "saturated", number: true, down: true, of: (layer) => layer.saturation, show: (layer) => fixed(layer.saturation, 3, " %") },
    { key: "range_use", title: "range used", number: true, of: (layer) => layer.range_use, show: (layer) => fixed(layer.range_use, 1, " %") },
    { key: "method", title: "method", of: (layer) => layer.method, show: (layer) => layer.method },
  ];
  if (known(data.against)) {
    const theirs = (layer) => (layer.other ? (known(layer.other.npu) ? layer.other.npu : layer.other.simulated) : undefined);
    columns.splice(5, 0, { key: "other", title: "other bundle", number: true, of: theirs, show: (layer) => fixed(theirs(layer), 1, " dB") });
  }
  const otherOf = (layer) => { const column = columns.find((column) => column.key === "other"); return column ? column.of(layer) : undefined; };

  const part = () => data.parts[state.part];
  const readers = new Map();
  const readersOf = (index) => {
    if (!readers.has(state.part)) {
      const lists = part().layers.map(() => []);
      part().layers.forEach((layer, at) => (layer.reads || []).forEach((from) => lists[from].push(at)));
      readers.set(state.part, lists);
    }
    return readers.get(state.part)[index];
  };

  // What has no figure comes last, whichever way it is sorted; equal ones keep the order of the network.
  const sorted = (shown) => {
    const column = columns.find((column) => column.key === state.sort);
    const sign = state.down ? -1 : 1;
    const wanted = state.filter.toLowerCase();
    const list = shown.layers.map((layer, index) => ({ layer, index, value: column.of(layer) }));
    if (state.sort === "npu") list.forEach((entry) => { if (!known(entry.value)) entry.value = entry.layer.sim; });
    const fits = ({ layer }) => (wanted ? (layer.name + " " + layer.op).toLowerCase().includes(wanted) : state.all || !layer.moves);
    const chosen = list.filter(fits);
    return chosen.sort((a, b) => {
      if (known(a.value) !== known(b.value)) return known(a.value) ? -1 : 1;
      if (!known(a.value) || a.value === b.value) return a.index - b.index;
      return (a.value < b.value ? -1 : 1) * sign;
    });
  };

  const chart = (shown, width, height) => {
    const layers = shown.layers;
    // The noise that each layer adds stands as bars in a strip below the lines.
    const added = layers.map((layer) => (layer.moves ? null : layer.added));
    const most = Math.max(0, ...added.filter(known)), strip = most > 0 ? Math.round(height * 0.28) : 0;
    const left = 44, right = 10, top = 12, bottom = 24 + strip;
    const svg = draw("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", tabindex: "0" });
    svg.append(draw("title", {}, "SQNR of the layers of " + shown.name + " in the network's order, and below it the noise that each of them adds; arrow keys go along it"));
    const lines = [["sim", (layer) => layer.sim], ["npu", (layer) => layer.npu], ["other", otherOf]];
    const values = layers.flatMap((layer) => lines.map(([, of]) => of(layer)).filter(known));
    const x = (index) => left + ((width - left - right) * (index + 0.5)) / Math.max(1, layers.length);
    if (values.length === 0) {
      svg.append(draw("text", { x: width / 2, y: height / 2, "text-anchor": "middle" }, "not measured"));
    } else {
      const low = Math.min(0, Math.floor(Math.min(...values) / 10) * 10), high = Math.max(10, Math.ceil(Math.max(...values) / 10) * 10);
      const y = (value) => top + ((height - top - bottom) * (high - value)) / (high - low);
      const step = high - low > 160 ? 40 : high - low > 80 ? 20 : 10;
      for (let value = low; value <= high; value += step) {
        svg.append(draw("line", { class: "grid", x1: left, x2: width - right, y1: y(value), y2: y(value) }));
        svg.append(draw("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, value + " dB"));
      }
      for (const [name, of] of lines) {
        let path = "", before = false, few = layers.filter((layer) => known(of(layer))).length < layers.length / 4;
        layers.forEach((layer, index) => {
          const value = of(layer);
          if (known(value)) {
            path += (before && !few ? "L" : "M") + x(index).toFixed(1) + " " + y(value).toFixed(1);
            if (few) svg.append(draw("circle", { class: name, cx: x(index).toFixed(1), cy: y(value).toFixed(1), r: 4 }));
          }
          before = known(value);
        });
        if (path && !few) svg.append(draw("path", { class: name, d: path, "vector-effect": "non-scaling-stroke" }));
      }
    }
    if (strip) {
      const floor = height - 24, half = Math.max(0.5, ((width - left - right) / layers.length) * 0.35);
      const bar = (index, top) => [[-half, floor], [-half, top], [half, top], [half, floor]].map(([aside, y]) => (x(index) + aside).toFixed(1) + "," + y.toFixed(1));
      const bars = added.flatMap((percent, index) => (percent > 0 ? bar(index, floor - ((strip - 14) * percent) / most) : []));
      svg.append(draw("line", { class: "grid", x1: left, x2: width - right, y1: floor, y2: floor }));
      svg.append(draw("polygon", { class: "added", points: bars.join(" ") }));
      svg.append(draw("text", { x: left - 6, y: floor - strip + 22, "text-anchor": "end" }, short(+most.toPrecision(2)) + " %"));
    }
    svg.append(draw("text", { x: left, y: height - 8 }, "first layer"));
    svg.append(draw("text", { x: width - right, y: height - 8, "text-anchor": "end" }, "last of " + layers.length));
    if (state.layer !== null && shown === part()) svg.append(draw("line", { class: "cursor", x1: x(state.layer), x2: x(state.layer), y1: top, y2: height - 24, "vector-effect": "non-scaling-stroke" }));
    const at = (event) => {
      const box = svg.getBoundingClientRect();
      const share = (((event.clientX - box.left) / box.width) * width - left) / (width - left - right);
      return Math.max(0, Math.min(layers.length - 1, Math.floor(share * layers.length)));
    };
    // Where few layers have a figure, the nearest of them is meant.
    const nearest = (index) => {
      const has = (layer) => lines.some(([, of]) => known(of(layer)));
      for (let distance = 0; distance < layers.length / 20; distance++) {
        for (const candidate of [index - distance, index + distance]) if (layers[candidate] && has(layers[candidate])) return candidate;
      }
      return index;
    };
    svg.addEventListener("click", (event) => layers.length && select(nearest(at(event))));
    svg.addEventListener("keydown", (event) => {
      const move = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (move === undefined || !layers.length) return;
      event.preventDefault();
      const from = state.layer === null ? -move : state.layer;
      select(Math.max(0, Math.min(layers.length - 1, from + move)));
      document.querySelector(".chart").focus();
    });
    return svg;
  };

  const range = (layer) => {
    const [low, high] = layer.holds, [min, max] = layer.seen;
    const from = Math.min(low, min), whole = Math.max(high, max) - from || 1;
    const svg = draw("svg", { class: "range", viewBox: "0 0 420 26", preserveAspectRatio: "none", role: "img" });
    svg.append(draw("title", {}, "the encoding's range (grey) and what calibration saw (colour)"));
    const bar = (name, a, b, y, size) => draw("rect", { class: name, x: (420 * (a - from)) / whole, width: Math.max(1, (420 * (b - a)) / whole), y, height: size });
    svg.append(bar("holds", low, high, 3, 20), bar("seen", min, max, 9, 8));
    return svg;
  };

  const histogram = ({ low, high, float, quantized = [] }) => {
    const svg = draw("svg", { class: "histogram", viewBox: "0 0 420 92", role: "img" });
    svg.append(draw("title", {}, "how many numbers lie where: float (grey), quantized (colour); the height is the root of the count"));
    const most = Math.sqrt(Math.max(1, ...float, ...quantized)), part = 420 / float.length;
    const bars = (name, counts, inset, size) => counts.forEach((count, index) => {
      const height = (70 * Math.sqrt(count)) / most;
      svg.append(draw("rect", { class: name, x: part * index + inset, width: size, y: 72 - height, height }));
    });
    bars("holds", float, 0.5, part - 1);
    bars("seen", quantized, part * 0.3, part * 0.4);
    svg.append(draw("text", { x: 0, y: 88 }, short(low)), draw("text", { x: 420, y: 88, "text-anchor": "end" }, short(high)));
    return svg;
  };

  const detail = () => {
    const box = make("div", { class: "detail", id: "detail", "aria-live": "polite" });
    if (state.layer === null) { box.hidden = true; return box; }
    const layer = part().layers[state.layer];
    const list = make("dl");
    const row = (title, value) => list.append(make("dt", {}, title), value instanceof Node ? make("dd", {}, value) : make("dd", { class: known(value) && value !== "" ? null : "missing" }, known(value) && value !== "" ? value : "not measured"));
    const links = (places) => {
      if (!places.length) return make("span", { class: "missing" }, "none");
      return make("span", {}, ...places.map((place) => make("button", { type: "button", onclick: () => select(place) }, part().layers[place].name)));
    };
    row("operator", layer.op || "not known");
    if (layer.shape) row("shape", "[" + layer.shape.join(", ") + "]");
    row("bits", layer.bits);
    row("SQNR simulated", fixed(layer.sim, 2, " dB"));
    row("SQNR NPU", fixed(layer.npu, 2, " dB"));
    if (known(data.against)) row("SQNR of the other bundle", fixed(otherOf(layer), 2, " dB"));
    row("noise it adds", fixed(layer.added, 2, " %"));
    row("saturated", fixed(layer.saturation, 4, " %"));
    row("encoding", layer.encoding);
    row("method", layer.method || null);
    if (layer.holds) row("holds", short(layer.holds[0]) + " to " + short(layer.holds[1]));
    row("calibration saw", layer.seen ? short(layer.seen[0]) + " to " + short(layer.seen[1]) + " in " + layer.count + " numbers" : null);
    if (layer.settled) row("settled after", "run " + layer.settled[0] + " of " + layer.settled[1]);
    row("range used", fixed(layer.range_use, 1, " %"));
    if (layer.holds && layer.seen) row("", range(layer));
    row("histogram", layer.histogram ? histogram(layer.histogram) : null);
    row("reads", links(layer.reads || []));
    if (layer.others && layer.others.length) row("and", layer.others.join("; "));
    row("is read by", links(readersOf(state.layer)));
    box.append(make("div", { class: "bar controls" },
      make("button", { type: "button", onclick: () => select(Math.max(0, state.layer - 1)) }, "← before"),
      make("button", { type: "button", onclick: () => select(Math.min(part().layers.length - 1, state.layer + 1)) }, "after →"),
      make("button", { type: "button", onclick: () => select(null) }, "close")));
    box.prepend(make("h3", {}, layer.name));
    box.append(list);
    return box;
  };

  const cell = (column, layer) => {
    const text = column.show(layer), missing = known(text) ? "" : " missing";
    const made = make("td", { class: (column.number ? "number" : "") + missing, "data-title": column.title }, ...(known(text) ? words(text) : ["not measured"]));
    return made;
  };
  const tableOf = (shown, head, most, attributes) => {
    const entries = sorted(shown);
    const rows = entries.slice(0, most).map((entry) => make("tr", attributes(entry), ...columns.map((column) => cell(column, entry.layer))));
    return [entries.length, make("div", { class: "wide" }, make("table", { class: "layers cards many" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows)))];
  };
  const limit = () => (state.all || state.filter ? state.shown : WORST);
  const table = () => {
    const most = limit();
    const head = columns.map((column) => make("th", { scope: "col", class: column.number ? "number" : null, "aria-sort": column.key === state.sort ? (state.down ? "descending" : "ascending") : null },
      make("button", { type: "button", "data-key": column.key, onclick: () => sort(column) }, column.title + (column.key === state.sort ? (state.down ? " ↓" : " ↑") : ""))));
    const [count, made] = tableOf(part(), head, most, ({ index }) => ({ "data-index": index, tabindex: "0", "aria-selected": String(index === state.layer),
      onclick: () => select(index), onkeydown: (event) => { if (event.key === "Enter") select(index); } }));
    const box = make("div", {}, made);
    if (count > most && most !== WORST) {
      box.append(make("button", { type: "button", class: "controls", onclick: () => { state.shown += 5 * STEP; render(); } }, `${count - most} more`));
    }
    if (!count) box.append(make("p", { class: "note" }, "No layer fits."));
    return box;
  };

  // On paper nothing can be chosen: every partition has its chart, and its worst layers or, where all are shown, all of them.
  const paper = () => {
    const head = () => columns.map((column) => make("th", { scope: "col", class: column.number ? "number" : null }, column.title));
    return make("div", {}, ...data.parts.flatMap((shown) => {
      const most = state.all ? shown.layers.length : WORST;
      const [count, made] = tableOf(shown, head(), most, () => ({}));
      const rest = count > most ? `The worst ${most} of ${count} layers that compute.` : `All ${count} layers.`;
      return [legendOf(shown), chart(shown, 720, 170), made, make("p", { class: "note" }, rest)];
    }));
  };
  const opened = [];
  const toPaper = () => {
    if (opened.length) return;
    for (const one of document.querySelectorAll("details")) { opened.push([one, one.open]); one.open = true; }
    if (data.parts.length) refresh("paper", paper());
  };
  const fromPaper = () => {
    for (const [one, open] of opened.splice(0)) one.open = open;
    if (data.parts.length) refresh("paper", make("div"));
  };
  window.addEventListener("beforeprint", toPaper);
  window.addEventListener("afterprint", fromPaper);

  const sort = (column) => {
    if (state.sort === column.key) state.down = !state.down;
    else { state.sort = column.key; state.down = column.down === true; }
    render();
  };
  const select = (index) => {
    state.layer = index;
    refresh("chart", screenChart());
    refresh("detail", detail());
    for (const row of app.querySelectorAll("tr[data-index]")) row.setAttribute("aria-selected", String(Number(row.dataset.index) === index));
  };
  const screenChart = () => chart(part(), Math.max(280, app.querySelector("[data-slot=chart]").clientWidth), 260);
  const lines = [["npu", "NPU"], ["sim", "simulated"]].concat(known(data.against) ? [["other", "other bundle"]] : []);
  const keys = (shown) => lines.concat(shown.layers.some((layer) => !layer.moves && layer.added > 0) ? [["added", "noise added by the layer"]] : []);
  const legendOf = (shown) => make("div", { class: "bar" }, make("strong", {}, shown.name), ...keys(shown).map(([name, title]) => make("span", { class: "legend" }, make("span", { class: "key " + name }), title)));
  const refresh = (name, made) => { const slot = app.querySelector(`[data-slot=${name}]`); slot.replaceChildren(made); };

  const render = () => {
    const toggle = (title, pressed, act) => make("button", { type: "button", "aria-pressed": String(pressed), onclick: act }, title);
    const parts = data.parts.map((one, index) => toggle(one.name, index === state.part, () => { Object.assign(state, { part: index, layer: null, shown: STEP }); render(); }));
    refresh("parts", make("div", { class: "bar controls", role: "group", "aria-label": "partition" }, ...parts));
    refresh("legend", legendOf(part()));
    refresh("choice", make("div", { class: "bar" },
      toggle("worst ten", !state.all, () => { state.all = false; state.shown = STEP; render(); }),
      toggle(`all ${part().layers.length}`, state.all, () => { state.all = true; render(); }),
      make("span", { class: "missing" }, state.all ? "" : "of the layers that compute")));
    refresh("chart", screenChart());
    refresh("detail", detail());
    refresh("table", table());
  };

  if (!data.parts.length) return;
  const slot = (name, attributes) => make("div", { "data-slot": name, ...attributes });
  const filter = make("input", { type: "search", placeholder: "find a layer or operator", "aria-label": "find a layer or operator", oninput: (event) => { state.filter = event.target.value; state.shown = STEP; refresh("table", table()); } });
  app.append(slot("parts"), slot("legend"), slot("chart"), slot("detail"), make("div", { class: "bar controls" }, slot("choice"), filter), slot("table"), slot("paper"));
  render();
  // A link to a layer opens it.
  const follow = () => {
    const found = /^#layer-(\d+)-(\d+)$/.exec(window.location.hash);
    if (!found || !data.parts[found[1]] || !data.parts[found[1]].layers[found[2]]) return;
    Object.assign(state, { part: Number(found[1]), layer: null, shown: STEP });
    render();
    select(Number(found[2]));
    document.getElementById("detail").scrollIntoView({ block: "center" });
  };
  window.addEventListener("hashchange", follow);
  // The same link again goes there again.
  document.addEventListener("click", (event) => {
    const link = event.target.closest && event.target.closest("a[href^='#layer-']");
    if (link && link.getAttribute("href") === window.location.hash) follow();
  });
  follow();
  let width = app.clientWidth;
  new ResizeObserver(() => {
    if (app.clientWidth !== width) refresh("chart", screenChart());
    width = app.clientWidth;
  }).observe(app);
})();
