// A plot of curves that stay in the kernel: the page asks for a window and gets as many points as it has pixels.
// One chart a unit, one below the other over one time; a view keeps its own window.
const ROOM = 64, SMALLEST = 0.002, PALETTE = 8, PACE = 33;
const DASHES = [[], [6, 3], [2, 3], [8, 3, 2, 3]];
const TIMES = [
  [31536000, "{YYYY}", null, null, null, null, null, null, 1],
  [2419200, "{YYYY}-{MM}", null, null, null, null, null, null, 1],
  [86400, "{MM}-{DD}", "\n{YYYY}", null, null, null, null, null, 1],
  [3600, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
  [60, "{HH}:{mm}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{YYYY}-{MM}-{DD}", null, "\n{MM}-{DD}", null, null, null, 1],
  [0.001, "{mm}:{ss}.{fff}", "\n{YYYY}-{MM}-{DD} {HH}:{mm}", null, "\n{MM}-{DD} {HH}:{mm}", null, "\n{HH}:{mm}", null, 1],
];
const IN_WINDOW = "Values in this window";
const KEYS = "Keys: Left and Right move, + and - zoom, 0 shows all, Shift+Left and Shift+Right read values. Mouse: drag zooms, Shift and drag moves, double click shows all.";

const plain = (value) => value === null || value === undefined || !Number.isFinite(value) ? "" :
  Math.abs(value) >= 1e9 || (value && Math.abs(value) < 1e-4) ? value.toExponential(3) : Number(value.toPrecision(7)).toLocaleString("en-US", { maximumFractionDigits: 9 });
const axisNumber = (value) => value === null ? "" : Math.abs(value) >= 1e6 ? value.toLocaleString("en-US", { notation: "compact", maximumFractionDigits: 2 }) : plain(value);

function when(seconds, zone, precise) {
  const options = { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
  if (precise) options.fractionalSecondDigits = 3;
  return new Date(seconds * 1000).toLocaleString("sv-SE", options).replace(",", ".");
}

// The symbols of matplotlib's names that marks have on screen and in print.
function symbol(ctx, kind, x, y, r) {
  const shapes = {
    X: [[-1, -.4], [-.4, -1], [0, -.6], [.4, -1], [1, -.4], [.6, 0], [1, .4], [.4, 1], [0, .6], [-.4, 1], [-1, .4], [-.6, 0]],
    v: [[-1, -.8], [1, -.8], [0, 1]], "^": [[-1, .8], [1, .8], [0, -1]], D: [[0, -1], [1, 0], [0, 1], [-1, 0]], d: [[0, -1], [.6, 0], [0, 1], [-.6, 0]],
    P: [[-.4, -1], [.4, -1], [.4, -.4], [1, -.4], [1, .4], [.4, .4], [.4, 1], [-.4, 1], [-.4, .4], [-1, .4], [-1, -.4], [-.4, -.4]],
    "*": [[0, -1], [.3, -.3], [1, -.3], [.4, .2], [.6, 1], [0, .5], [-.6, 1], [-.4, .2], [-1, -.3], [-.3, -.3]],
    "<": [[.8, -1], [.8, 1], [-1, 0]], ">": [[-.8, -1], [-.8, 1], [1, 0]], s: [[-.8, -.8], [.8, -.8], [.8, .8], [-.8, .8]],
  };
  ctx.beginPath();
  if (shapes[kind]) shapes[kind].forEach(([dx, dy], i) => ctx[i ? "lineTo" : "moveTo"](x + dx * r, y + dy * r));
  else ctx.arc(x, y, r * .9, 0, 7);
  ctx.closePath();
  ctx.fill();
  ctx.stroke();
}

class Plot {
  constructor(el, tell) {
    this.el = el;
    this.tell = tell;
    this.id = viewName();
    this.version = 0;
    this.seq = 0;
    this.charts = [];
    this.meta = { curves: [], groups: [], marks: [], holes: [], zone: "UTC", whole: [0, 1] };
    this.hidden = new Set();
    const button = (text, act) => make("button", { type: "button", class: "iotnb-button", text, onclick: act });
    this.range = make("span", { class: "iotnb-range" });
    this.bar = make("div", { class: "iotnb-bar iotnb-plotbar" }, this.range, make("span", { class: "iotnb-gap" },
      button("Earlier", () => this.pan(-.5)), button("Later", () => this.pan(.5)), button("Zoom in", () => this.scale(.5)),
      button("Zoom out", () => this.scale(2)), button("Show all", () => this.reset())));
    this.chart = make("div", {
      class: "iotnb-chart", role: "application", tabindex: "0", "aria-roledescription": "chart", "aria-label": "Measurements over time",
      "aria-describedby": `${this.id}-sum ${this.id}-keys`, onkeydown: (event) => this.key(event),
    });
    this.chart.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
    this.notice = make("div", { class: "iotnb-notice", hidden: true });
    this.summary = make("p", { id: `${this.id}-sum`, class: "iotnb-unseen" });
    this.said = make("div", { class: "iotnb-said", role: "status", "aria-live": "polite" });
    this.legend = make("div", { class: "iotnb-legend" });
    this.marks = make("details", { class: "iotnb-marks", hidden: true });
    this.drawn = make("span", { class: "iotnb-note iotnb-drawn" });
    this.keys = make("div", { class: "iotnb-note iotnb-keys", id: `${this.id}-keys`, text: KEYS });
    el.classList.add("iotnb-plot");
    el.append(this.bar, make("div", { class: "iotnb-frame" }, this.chart, this.notice), this.said, this.legend, this.marks, this.drawn, this.keys, this.summary);
    this.sizer = new ResizeObserver(() => this.resize());
    this.sizer.observe(this.chart);
    this.themes = new MutationObserver(() => this.paint());
    for (const node of [document.body, document.documentElement]) {
      this.themes.observe(node, { attributes: true, attributeFilter: ["class", "style", "data-theme", "data-jp-theme-name", "data-jp-theme-light"] });
    }
  }

  close() {
    this.sizer.disconnect();
    this.themes.disconnect();
    clearTimeout(this.patience);
    clearTimeout(this.timer);
    this.charts.forEach((chart) => chart.destroy());
  }

  width() { return this.chart.clientWidth || 0; }

  // ---- asking the kernel: one question on its way at a time, the newest one next

  refresh() { this.ask(null); }

  ask(range) {
    this.wanted = { range };
    if (!this.waiting) this.next();
  }

  // At most some thirty questions a second, and the last one always.
  next() {
    const pause = PACE - (performance.now() - (this.began || -PACE));
    clearTimeout(this.timer);
    if (pause > 0) this.timer = setTimeout(() => { if (this.wanted && !this.waiting) this.send(); }, pause);
    else this.send();
  }

  send() {
    const [from, to] = this.wanted.range || [null, null];
    this.wanted = null;
    this.waiting = true;
    this.seq += 1;
    this.began = performance.now();
    clearTimeout(this.patience);
    this.patience = setTimeout(() => { this.waiting = false; }, 20000); // an answer that was lost must not stop all others
    this.tell({ kind: "window", view: this.id, seq: this.seq, version: this.version, from, to, width: Math.max((this.width() || this.seen || 0) - ROOM, 200) });
  }

  receive(message, buffers) {
    if (message.kind === "changed") { this.refresh(); return; }
    if (message.kind !== "window" || message.view !== this.id || message.seq !== this.seq) return;
    clearTimeout(this.patience);
    this.waiting = false;
    const moving = Boolean(this.wanted && this.wanted.range);
    if (message.meta) { this.meta = message.meta; this.version = message.version; this.build(); }
    this.take(message, buffers, moving);
    if (this.wanted) this.next();
    const root = this.el.dataset;
    root.ms = (performance.now() - this.began).toFixed(1);
    root.n = String(message.drawn);
    root.seq = String(message.seq);
  }

  take(message, buffers, moving) {
    const numbers = (buffer, kind) => new kind(buffer.buffer.slice(buffer.byteOffset, buffer.byteOffset + buffer.byteLength));
    const empty = !this.meta.curves.length;
    this.notice.hidden = !empty;
    this.notice.textContent = this.meta.words || "";
    this.el.classList.toggle("iotnb-nothing", empty);
    this.summary.textContent = message.summary;
    this.range.textContent = message.range;
    this.drawn.textContent = message.note;
    this.stats = message.curves;
    if (empty) return;
    const xs = numbers(buffers[0], Float64Array), at = numbers(buffers[1], message.wide ? Uint32Array : Uint16Array);
    const ys = numbers(buffers[2], Float64Array), lone = numbers(buffers[3], Uint32Array);
    let first = 0, single = 0;
    this.columns = message.curves.map((curve) => {
      const column = new Array(xs.length);
      for (let i = first; i < first + curve.n; i += 1) column[at[i]] = Number.isNaN(ys[i]) ? null : ys[i];
      column.lone = Array.from(lone.subarray(single, single + curve.lone));
      first += curve.n;
      single += curve.lone;
      return column;
    });
    this.xs = xs;
    if (!moving) this.window = [message.from, message.to];
    this.fill();
    this.drawLegend();
  }

  fill() {
    const [min, max] = this.window;
    for (const chart of this.charts) {
      const columns = chart.mine.map((i) => this.columns[i]);
      chart.lone = columns.map((column) => column.lone);
      chart.batch(() => { chart.setData([this.xs, ...columns], false); chart.setScale("x", { min, max }); });
    }
  }

  // ---- the charts

  build() {
    this.charts.forEach((chart) => chart.destroy());
    this.chart.replaceChildren();
    const units = [...new Set(this.meta.curves.map((curve) => curve.unit))];
    this.looks();
    this.charts = units.map((unit, row) => this.unit(unit, row, units.length));
    this.buildLegend();
    this.buildMarks();
  }

  looks() {
    const style = getComputedStyle(this.el);
    const get = (name, other) => style.getPropertyValue(name).trim() || other;
    // colours that are mixed or refer to others are only known on an element
    const probe = make("span", {});
    this.el.append(probe);
    const solid = (name, other) => { probe.style.color = `var(${name}, ${other})`; return getComputedStyle(probe).color; };
    this.ink = solid("--iot-ink", "#000");
    this.dim = solid("--iot-dim", "#666");
    this.hair = solid("--iot-hair", "#ddd");
    this.back = solid("--iot-sheet", "#fff");
    this.font = `11px ${get("--jp-ui-font-family", "sans-serif")}`;
    this.colours = Array.from({ length: PALETTE }, (_, i) => solid(`--iot-c${i}`, "#0072b2"));
    probe.remove();
  }

  height(count) { return count === 1 ? 300 : count === 2 ? 200 : 150; }

  unit(unit, row, count) {
    const last = row === count - 1;
    const mine = this.meta.curves.map((curve, i) => i).filter((i) => this.meta.curves[i].unit === unit);
    const names = [...new Set(mine.map((i) => this.meta.curves[i].series))];
    const title = `${names.length === 1 ? names[0] : `${names.length} series`}${unit ? `, ${unit}` : ""}`;
    const host = make("div", { class: "iotnb-unit" }, make("div", { class: "iotnb-unit-title", text: title, title: names.join("\n") }));
    this.chart.append(host);
    const grid = { stroke: () => this.hair, width: 1 }, ticks = { ...grid, size: 5 };
    const chart = new uPlot({
      width: Math.max(this.width(), 200), height: this.height(count) + (last ? 0 : -34), ms: 1e-3, pxAlign: 1,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), this.meta.zone === "UTC" ? "Etc/UTC" : this.meta.zone),
      padding: [row ? 8 : 18, 14, last ? 0 : 6, 0],
      legend: { show: false },
      scales: { x: { time: true, auto: false }, y: { range: (_, low, high) => this.room(low, high) } },
      axes: [
        { stroke: () => this.dim, font: this.font, grid, ticks, space: 78, size: last ? 44 : 6, values: last ? TIMES : (_, splits) => splits.map(() => "") },
        { stroke: () => this.dim, font: this.font, grid, ticks, size: ROOM, values: (_, splits) => splits.map(axisNumber) },
      ],
      series: [{}, ...mine.map((i, at) => ({
        label: this.meta.curves[i].series, stroke: () => this.colours[i % PALETTE], width: 1.4, dash: DASHES[Math.floor(i / PALETTE) % DASHES.length],
        show: !this.hidden.has(this.name(i)), spanGaps: false, points: { size: 4, filter: (self, _, show) => (show ? null : (self.lone || [])[at]) },
      }))],
      cursor: {
        sync: { key: this.id }, drag: { x: true, y: false, setScale: false }, focus: { prox: 24 },
        points: { size: 7 }, dataIdx: (self, series, idx) => this.nearest(self, series, idx),
        bind: {
          mousedown: (self, _, handler) => (event) => (event.shiftKey ? this.grab(event) : handler(event)),
          dblclick: () => () => this.reset(),
        },
      },
      focus: { alpha: .35 },
      hooks: {
        drawClear: [(self) => this.shade(self)],
        draw: [(self) => this.mark(self, row === 0)],
        setSelect: [(self) => this.selected(self)],
        setCursor: [(self) => { if (self.cursor.event || row === 0) this.pointed(self); }],
      },
    }, [[0], ...mine.map(() => [null])], host);
    chart.mine = mine;
    return chart;
  }

  name(i) { const curve = this.meta.curves[i]; return `${curve.device}\n${curve.series}\n${curve.unit}`; }

  room(low, high) {
    if (low === null || low === undefined) return [0, 1];
    const pad = (high - low) * .06 || Math.abs(low) * .05 || 1;
    return [low - pad, high + pad];
  }

  resize() {
    const width = this.width();
    if (width < 50) return;
    const grown = width > (this.seen || 0) * 1.3;
    this.seen = width;
    if (!this.seq) { this.refresh(); return; }
    this.charts.forEach((chart) => { if (chart.width !== width) chart.setSize({ width, height: chart.height }); });
    if (grown && this.window) this.ask(this.window);
  }

  paint() {
    requestAnimationFrame(() => { this.looks(); this.charts.forEach((chart) => chart.redraw(false)); this.swatches(); });
  }

  // What was not loaded is hatched; an alarm is a band from its first to its last moment.
  shade(self) {
    const { ctx, bbox } = self, [low, high] = [self.scales.x.min, self.scales.x.max];
    const span = (from, to) => [from, to].map((at) => Math.min(Math.max(self.valToPos(at, "x", true), bbox.left), bbox.left + bbox.width));
    ctx.save();
    ctx.beginPath(); ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height); ctx.clip();
    for (const [from, to] of this.meta.holes) {
      if (to < low || from > high) continue;
      const [x0, x1] = span(from, to), step = 9 * devicePixelRatio;
      ctx.save();
      ctx.beginPath(); ctx.rect(x0, bbox.top, Math.max(x1 - x0, 2), bbox.height); ctx.clip();
      ctx.strokeStyle = this.dim; ctx.globalAlpha = .4; ctx.lineWidth = devicePixelRatio;
      ctx.beginPath();
      for (let x = x0 - bbox.height; x < x1; x += step) { ctx.moveTo(x, bbox.top + bbox.height); ctx.lineTo(x + bbox.height, bbox.top); }
      ctx.stroke();
      ctx.restore();
    }
    for (const [from, to, group] of this.meta.marks) {
      if (to <= from || to < low || from > high) continue;
      const [x0, x1] = span(from, to);
      ctx.fillStyle = this.meta.groups[group].colour; ctx.globalAlpha = .1;
      ctx.fillRect(x0, bbox.top, Math.max(x1 - x0, 1), bbox.height);
    }
    ctx.restore();
  }

  mark(self, top) {
    const { ctx, bbox } = self, [low, high] = [self.scales.x.min, self.scales.x.max], ratio = devicePixelRatio;
    const seen = this.meta.marks.filter(([from, to]) => to >= low && from <= high);
    ctx.save();
    ctx.lineWidth = ratio;
    for (const [from, , group] of seen) {
      const { colour, symbol: kind } = this.meta.groups[group];
      const x = Math.max(self.valToPos(from, "x", true), bbox.left);
      ctx.strokeStyle = colour; ctx.globalAlpha = .7;
      if (seen.length <= 60 && from >= low) { ctx.beginPath(); ctx.moveTo(x, bbox.top); ctx.lineTo(x, bbox.top + bbox.height); ctx.stroke(); }
      if (!top) continue;
      ctx.globalAlpha = 1; ctx.fillStyle = colour; ctx.strokeStyle = this.back;
      symbol(ctx, kind, x, bbox.top - 8 * ratio, 5 * ratio);
    }
    ctx.restore();
  }

  // ---- moving and zooming

  move(from, to) {
    const [first, last] = this.meta.whole, span = Math.min(Math.max(to - from, SMALLEST), (last - first) * 1.5);
    const middle = Math.min(Math.max((from + to) / 2, first), last);
    this.window = [middle - span / 2, middle + span / 2];
    const [min, max] = this.window;
    this.charts.forEach((chart) => chart.setScale("x", { min, max }));
    this.ask(this.window);
  }

  pan(share) {
    if (!this.window) return;
    const [from, to] = this.window, by = (to - from) * share;
    this.move(from + by, to + by);
  }

  scale(factor, around = .5) {
    if (!this.window) return;
    const [from, to] = this.window, at = from + (to - from) * around;
    if (factor > 1 && to - from >= this.meta.whole[1] - this.meta.whole[0]) { this.reset(); return; }
    this.move(at - (at - from) * factor, at + (to - at) * factor);
  }

  reset() { if (this.window) this.move(...this.meta.whole); }

  selected(self) {
    const { left, width } = self.select;
    if (width < 3) return;
    this.move(self.posToVal(left, "x"), self.posToVal(left + width, "x"));
    self.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  }

  grab(event) {
    const begin = event.clientX, [from, to] = this.window, plot = this.charts[0].over.clientWidth;
    this.chart.focus();
    const drag = (move) => { const by = (begin - move.clientX) / plot * (to - from); this.move(from + by, to + by); };
    const drop = () => { window.removeEventListener("mousemove", drag, true); window.removeEventListener("mouseup", drop, true); };
    window.addEventListener("mousemove", drag, true);
    window.addEventListener("mouseup", drop, true);
  }

  // The page scrolls past the plot unless the plot has the focus or Ctrl is held.
  wheel(event) {
    if (!this.window || !(event.ctrlKey || this.chart.contains(document.activeElement))) return;
    event.preventDefault();
    const over = this.charts[0].over.getBoundingClientRect(), around = (event.clientX - over.left) / over.width;
    if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) this.pan(Math.sign(event.deltaX || event.deltaY) * .1);
    else this.scale(event.deltaY > 0 ? 1.25 : .8, Math.min(Math.max(around, 0), 1));
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.window) return;
    const acts = {
      ArrowLeft: () => this.pan(-.1), ArrowRight: () => this.pan(.1), PageUp: () => this.pan(-.9), PageDown: () => this.pan(.9),
      "+": () => this.scale(.5), "=": () => this.scale(.5), "-": () => this.scale(2), _: () => this.scale(2), 0: () => this.reset(), Home: () => this.reset(),
    };
    if (event.shiftKey && (event.key === "ArrowLeft" || event.key === "ArrowRight")) acts[event.key] = () => this.step(event.key === "ArrowRight" ? 1 : -1);
    if (!(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  }

  // ---- reading values

  nearest(self, series, idx) {
    const column = self.data[series], xs = self.data[0];
    if (!column || series === 0 || (column[idx] !== null && column[idx] !== undefined)) return idx;
    let left = idx, right = idx;
    while (left >= 0 && column[left] === undefined) left -= 1;
    while (right < column.length && column[right] === undefined) right += 1;
    const l = left >= 0 && column[left] !== null, r = right < column.length && column[right] !== null;
    if (!l && !r) return null;
    return !r || (l && xs[idx] - xs[left] <= xs[right] - xs[idx]) ? left : right;
  }

  // The next point of any curve, said in words.
  step(by) {
    const chart = this.charts[0], xs = this.xs, [from, to] = this.window;
    const filled = (i) => this.columns.some((column) => typeof column[i] === "number");
    let at = this.at ?? (by > 0 ? -1 : xs.length);
    do at += by; while (at >= 0 && at < xs.length && !(xs[at] >= from && xs[at] <= to && filled(at)));
    if (at < 0 || at >= xs.length) { this.said.textContent = by > 0 ? "No later value in this window." : "No earlier value in this window."; return; }
    this.at = at;
    chart.setCursor({ left: chart.valToPos(xs[at], "x"), top: chart.over.clientHeight / 2 });
    this.emphasize(null);
    const told = this.meta.curves.map((curve, i) => [curve, this.columns[i][at]]).filter(([, value]) => typeof value === "number");
    this.said.textContent = `${when(xs[at], this.meta.zone, true)}: ${told.slice(0, 6).map(([curve, value]) => `${curve.label} ${plain(value)} ${curve.unit}`.trim()).join(", ")}`;
  }

  pointed(self) {
    const { left, idx, idxs } = self.cursor;
    if (self.cursor.event && self.cursor.event.type === "mousemove") this.at = idx;
    if (idx === null || idx === undefined || left < 0) { this.cells.forEach((cell) => { cell.textContent = ""; }); this.hover.textContent = IN_WINDOW; return; }
    for (const chart of this.charts) {
      chart.mine.forEach((i, at) => {
        const found = chart === self ? idxs[at + 1] : this.nearest(chart, at + 1, idx);
        const value = found === null || found === undefined ? null : chart.data[at + 1][found];
        this.cells[i].textContent = plain(value);
      });
    }
    const here = self.posToVal(left, "x"), near = (self.posToVal(left + 6, "x") - here);
    const marks = this.meta.marks.filter(([from]) => Math.abs(from - here) <= near).slice(0, 3);
    this.hover.textContent = `${when(here, this.meta.zone, this.window[1] - this.window[0] < 120)} ${marks.map(([, , group, text]) => `${this.meta.groups[group].word}: ${text}`).join("; ")}`;
  }

  // ---- the legend, which is also the table of the window

  buildLegend() {
    this.hover = make("caption", { class: "iotnb-hover", text: "" });
    const one = new Set(this.meta.curves.map((curve) => curve.device)).size === 1;
    const head = [...(one ? [] : ["Device"]), "Series", "At cursor", "Min", "Max", "Last", "Values", "Gaps"];
    const cells = head.map((text, i) => make("th", { scope: "col", text, class: i > head.length - 7 ? "iotnb-num" : "" }));
    this.cells = [];
    this.numbers = [];
    const rows = this.meta.curves.map((curve, i) => {
      const box = make("input", { type: "checkbox", "aria-label": `Draw ${curve.label}`, onchange: () => this.show(i, box.checked) });
      box.checked = !this.hidden.has(this.name(i));
      const swatch = make("span", { class: "iotnb-swatch", "aria-hidden": "true" });
      const num = () => make("td", { class: "iotnb-num" });
      this.cells.push(num());
      this.numbers.push([num(), num(), num(), num(), num()]);
      const key = make("label", { class: "iotnb-key", title: curve.name }, box, swatch, make("span", { text: one ? curve.short : curve.name }));
      const series = make("th", { scope: "row", title: curve.series }, one ? key : make("span", { text: curve.short }), ...(one ? [] : [make("span", { class: "iotnb-of", text: curve.unit })]));
      if (one) key.lastChild.append(make("span", { class: "iotnb-of", text: curve.unit }));
      const row = make("tr", { onmouseenter: () => this.emphasize(i), onmouseleave: () => this.emphasize(null) },
        ...(one ? [] : [make("td", {}, key)]), series, this.cells[i], ...this.numbers[i]);
      row.swatch = swatch;
      return row;
    });
    this.rows = rows;
    this.legend.replaceChildren(make("table", { class: "iotnb-table" }, this.hover, make("thead", {}, make("tr", {}, ...cells)), make("tbody", {}, ...rows)));
    this.legend.hidden = !rows.length;
    this.swatches();
  }

  swatches() {
    (this.rows || []).forEach((row, i) => {
      const kind = ["solid", "dashed", "dotted", "double"][Math.floor(i / PALETTE) % 4];
      row.swatch.style.borderTop = `3px ${kind} ${this.colours[i % PALETTE]}`;
    });
  }

  drawLegend() {
    this.stats.forEach((curve, i) => {
      [plain(curve.min), plain(curve.max), plain(curve.last), number(curve.points), number(curve.gaps)].forEach((text, at) => { this.numbers[i][at].textContent = text; });
    });
    if (!this.hover.textContent) this.hover.textContent = IN_WINDOW;
  }

  show(i, on) {
    if (on) this.hidden.delete(this.name(i)); else this.hidden.add(this.name(i));
    const chart = this.charts.find((each) => each.mine.includes(i));
    chart.setSeries(chart.mine.indexOf(i) + 1, { show: on });
  }

  emphasize(i) {
    for (const chart of this.charts) {
      const at = i === null ? -1 : chart.mine.indexOf(i);
      chart.setSeries(at < 0 ? null : at + 1, { focus: at >= 0 });
    }
  }

  sign(group) {
    const canvas = make("canvas", { width: "28", height: "28", "aria-hidden": "true" }), ctx = canvas.getContext("2d");
    ctx.fillStyle = group.colour;
    ctx.strokeStyle = "transparent";
    symbol(ctx, group.symbol, 14, 14, 10);
    return canvas;
  }

  buildMarks() {
    const { groups, marks, more } = this.meta;
    this.marks.hidden = !marks.length;
    if (!marks.length) { this.marks.replaceChildren(); return; }
    const counts = groups.map((group) => make("span", { class: "iotnb-group-key" }, this.sign(group), `${group.word} (${number(group.count)})`));
    const rows = marks.slice(0, 200).map(([from, , group, text]) => make("tr", {}, make("td", { text: when(from, this.meta.zone) }), make("td", { text: groups[group].word }), make("td", { text })));
    const head = make("tr", {}, ...["Time", "What", "Text"].map((text) => make("th", { scope: "col", text })));
    const left = marks.length - 200 + more;
    this.marks.replaceChildren(make("summary", {}, ...counts), make("div", { class: "iotnb-scrolled", tabindex: "0", role: "region", "aria-label": "Marks" },
      make("table", { class: "iotnb-table" }, make("thead", {}, head), make("tbody", {}, ...rows))), left > 0 ? make("p", { class: "iotnb-note", text: `and ${number(left)} more` }) : "");
  }
}
