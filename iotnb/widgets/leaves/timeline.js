// The operation timeline: filters, lanes, table, and beside it the summary or an operation's document.
// Columns of numbers come once for each load; a question to the kernel is answered with one bit a row.
const DEBOUNCE = 100, INTS = ["device", "kind", "status", "reason"];

const aligned = (Kind, view) => new Kind(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));

// For each row its position in a list, -1 for those that are not in it.
function placed(rows, n) {
  const places = new Int32Array(n).fill(-1);
  rows.forEach((row, i) => { places[row] = i; });
  return places;
}

class Timeline {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.id = viewName();
    this.query = { text: "", status: [], kinds: [], stuck: false };
    this.by = "device";
    this.seq = 0;
    this.current = this.opened = -1;
    this.shown = [];
    this.place = new Int32Array(0);
    this.state = { state: "loading" };
    this.stateAt = performance.now();
    this.pane = "summary";
    this.collator = new Intl.Collator("en", { numeric: true });
    this.build();
  }

  build() {
    const { el, id } = this;
    el.classList.add("iotnb-grid", "iotnb-timeline");
    const button = (text, act, more = {}) => make("button", { type: "button", class: "iotnb-button", text, onclick: act, ...more });
    this.search = make("input", {
      type: "search", class: "iotnb-input", placeholder: "Search, or failure:checksum", "aria-label": "Search operations", autocomplete: "off", spellcheck: "false",
      oninput: () => { clearTimeout(this.timer); this.timer = setTimeout(() => this.ask(), DEBOUNCE); },
      onkeydown: (event) => this.searchKey(event),
    });
    this.kinds = new Menu(`${id}-kinds`, "Kind", "Kinds", (name) => this.toggle("kinds", name));
    this.chips = make("div", { class: "iotnb-chips", role: "group", "aria-label": "Status" });
    this.stuck = button("", () => { this.query = { ...this.query, stuck: !this.query.stuck }; this.ask(); }, { "aria-pressed": "false", class: "iotnb-button tl-stuck" });
    const zoom = make("div", { class: "tl-zoom", role: "group", "aria-label": "Time shown" },
      button("\u2212", () => this.lanes.zoom(1 / 0.6), { "aria-label": "Zoom out", title: "Zoom out (-)" }),
      button("+", () => this.lanes.zoom(0.6), { "aria-label": "Zoom in", title: "Zoom in (+)" }),
      button("Fit", () => this.lanes.fit(), { "aria-label": "Whole time", title: "Whole time (0)" }));
    this.lanes = new Lanes(this);
    this.table = new Table(this);
    this.aside = make("div", { class: "tl-aside", role: "region", "aria-label": "Details", onkeydown: (event) => { if (event.key === "Escape") { event.preventDefault(); this.close(true); } } });
    this.notice = make("div", { class: "iotnb-notice", hidden: true });
    this.count = make("span", { class: "iotnb-count", role: "status", "aria-live": "polite" });
    this.age = make("span", { class: "iotnb-note" });
    this.refresh = button("Refresh", () => this.tell({ kind: "refresh" }));
    this.cancel = button("Cancel", () => this.tell({ kind: "cancel" }));
    this.print = button("Figure for print", () => { this.print.disabled = true; this.tell({ kind: "figure" }); });
    this.code = button("Code", () => this.tell({ kind: "code" }));
    this.lanes.node.append(this.notice);
    el.append(
      make("div", { class: "iotnb-bar" }, this.search, this.kinds.node, this.lanes.choice, zoom),
      make("div", { class: "iotnb-bar" }, this.chips, this.stuck),
      make("p", { id: `${id}-sum`, class: "iotnb-unseen" }),
      this.lanes.node,
      make("div", { class: "tl-lower" }, make("div", { class: "iotnb-frame" }, this.table.node), this.aside),
      make("div", { class: "iotnb-bar iotnb-foot" }, this.count, this.print, this.code, make("span", { class: "iotnb-gap" }, this.age, this.refresh, this.cancel)),
      make("div", { id: `${id}-keys`, class: "iotnb-note iotnb-keys", text: "Keys: arrows move between operations, Enter opens one, + and \u2212 zoom, 0 fits, Shift+arrows pan, / searches, Escape closes. Mouse: drag to zoom, Ctrl+wheel, double click fits." }),
    );
    this.spoken = el.querySelector(`#${id}-sum`);
    this.onMessage = (message, buffers) => this.receive(message, buffers);
    this.model.on("msg:custom", this.onMessage);
    this.release = guard(el);
    this.observer = new ResizeObserver(() => { this.paint(); this.table.fit(); }); // the first time when it is in the page
    this.observer.observe(el);
    this.themes = new MutationObserver(() => setTimeout(() => this.paint(), 60));
    this.themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-jp-theme-name", "class"] });
    this.ticker = setInterval(() => this.drawAge(), 5000);
    this.paint();
    this.tell({ kind: "data" });
  }

  end() {
    this.model.off("msg:custom", this.onMessage);
    this.observer.disconnect();
    this.themes.disconnect();
    clearInterval(this.ticker);
    clearTimeout(this.timer);
    this.release();
  }

  tell(content) { this.model.send({ view: this.id, ...content }); }

  paint() { this.palette = new Palette(this.el); this.lanes.later(); }

  // ---- messages

  receive(message, buffers) {
    const { kind } = message;
    if (kind === "state") return this.setState(message);
    if (kind === "changed") return this.tell({ kind: "data" });
    if (kind === "filter") return this.adopt(message);
    if (message.view !== this.id) return undefined;
    if (kind === "data") return this.setData(message, buffers);
    if (kind === "rows") return this.setRows(message, buffers[0]);
    if (kind === "document") return this.showDocument(message);
    if (kind === "code") return this.show("code", "Code", [make("pre", { tabindex: "0", text: message.text }), this.copier(message.text)]);
    if (kind === "figure") return this.showFigure(buffers);
    return undefined;
  }

  setData(message, buffers) {
    const before = this.data, kept = before && this.current >= 0 ? this.current : -1;
    const data = { ...message, begin: aligned(Float64Array, buffers[0]), end: aligned(Float64Array, buffers[1]) };
    INTS.forEach((name, i) => { data[name] = aligned(Int32Array, buffers[i + 2]); });
    data.late = aligned(Uint8Array, buffers[6]);
    this.data = data;
    const ranked = (texts) => {
      const order = texts.map((text, i) => [text, i]).sort((a, b) => this.collator.compare(a[0], b[0])), rank = new Int32Array(texts.length);
      order.forEach(([, i], at) => { rank[i] = at; });
      return rank;
    };
    this.rank = { device: ranked(data.devices.map(([device, name]) => `${name || device}`)), reason: ranked(data.reasons) };
    this.order = Int32Array.from({ length: data.n }, (_, i) => i).sort((a, b) => data.begin[a] - data.begin[b] || a - b);
    this.current = kept < data.n ? kept : -1;
    this.seconds = message.stuck;
    if (!before) this.by = message.by;
    if (!before || !before.n) this.lanes.view = null;
    this.setState(message.state);
    this.adopt(message.filter);
  }

  adopt({ text, status, kinds, stuck }) {
    this.query = { text, status, kinds, stuck };
    if (document.activeElement !== this.search) this.search.value = text;
    if (this.data) this.ask();
  }

  // A new question: answers to older ones are dropped by their number.
  ask() {
    clearTimeout(this.timer);
    this.query = { ...this.query, text: this.search.value.trim() };
    this.sent = performance.now();
    this.seq += 1;
    this.tell({ kind: "query", seq: this.seq, query: this.query });
  }

  setRows(message, bits) {
    if (message.seq !== this.seq || !this.data || message.data !== this.data.data) return;
    const mask = aligned(Uint8Array, bits);
    this.shown = this.order.filter((row) => (mask[row >> 3] >> (row & 7)) & 1);
    this.place = placed(this.shown, this.data.n);
    if (!(this.place[this.current] >= 0)) this.current = this.shown.length ? this.shown[this.shown.length - 1] : -1;
    this.facts = message;
    this.spoken.textContent = `${message.sentence}${message.late ? ` ${number(message.late)} stuck for more than ${this.seconds}.` : ""}`;
    this.group();
    this.table.arrange();
    this.drawFilters();
    if (this.pane === "summary") this.showSummary();
    const words = this.shown.length === this.data.n ? `${number(this.data.n)} operations` : `${number(this.shown.length)} of ${number(this.data.n)} operations`;
    if (this.count.textContent !== words) this.count.textContent = words;
    this.print.disabled = this.code.disabled = !this.shown.length;
    this.drawNotice();
    Object.assign(this.el.dataset, { q: this.query.text, n: String(this.shown.length), ms: String(Math.round(performance.now() - this.sent)) });
  }

  setState(state) {
    this.state = state;
    this.stateAt = performance.now();
    this.el.dataset.state = state.state;
    this.cancel.hidden = state.state !== "loading";
    this.refresh.hidden = !state.refresh || state.state === "loading";
    this.drawAge();
    this.drawNotice();
  }

  // ---- what an operation is called

  device(row) { const [device, name] = this.data.devices[this.data.device[row]] || ["", ""]; return name || device; }

  took(row) {
    const { data } = this, ms = data.end[row] - data.begin[row], word = data.statuses[data.status[row]];
    if (!Number.isNaN(ms)) return lasting(ms);
    return word === "PENDING" || word === "EXECUTING" ? `open ${lasting(data.now - data.begin[row]).split(" ").slice(0, 2).join(" ")}` : "not recorded";
  }

  reason(row) { return this.data.reason[row] < 0 ? "" : this.data.reasons[this.data.reason[row]]; }

  cells(row) {
    const { data } = this;
    return [moment(data.begin[row]).slice(0, 16), this.device(row), data.kinds[data.kind[row]] || "", data.statuses[data.status[row]], this.took(row), this.reason(row)];
  }

  lines(row) {
    const [, device, kind, status, took, failure] = this.cells(row), created = moment(this.data.begin[row]);
    return [`${status}  ${kind}`, device, `${created} UTC`, this.data.late[row] ? `${took}, stuck` : took, ...(failure ? [failure] : [])];
  }

  groupLines(rows) {
    const { data } = this, counts = new Map();
    for (const row of rows) counts.set(data.statuses[data.status[row]], (counts.get(data.statuses[data.status[row]]) || 0) + 1);
    const told = [...counts].map(([word, n]) => `${n} ${word.toLowerCase()}`).join(", ");
    return [`${rows.length} operations`, told, `${moment(data.begin[rows[0]])} to ${moment(data.begin[rows.at(-1)]).slice(11)} UTC`, "Click to look closer"];
  }

  sentence(row) { return this.lines(row).join(", "); }

  // ---- lanes and filters

  group() {
    const { data } = this, words = this.by === "kind" ? data.kinds.map((kind) => [kind, ""]) : data.devices, codes = data[this.by];
    const buckets = words.map(() => []);
    for (const row of this.shown) if (codes[row] >= 0) buckets[codes[row]].push(row);
    const lanes = words.map(([device, name], i) => ({ label: name || device, title: name ? `${name} (${device})` : device, rows: buckets[i] }));
    const rank = this.by === "device" ? this.rank.device : null;
    const order = lanes.map((_, i) => i).filter((i) => lanes[i].rows.length);
    if (rank) order.sort((a, b) => rank[a] - rank[b]);
    this.lanes.by.forEach((node, i) => node.setAttribute("aria-pressed", String((i ? "kind" : "device") === this.by)));
    this.lanes.setLanes(order.map((i) => lanes[i]), this.by);
  }

  setBy(by) {
    this.by = by;
    this.tell({ kind: "by", by });
    if (this.data) { this.group(); this.lanes.reveal(this.current); }
  }

  drawFilters() {
    const { facets, late } = this.facts, old = new Map([...this.chips.children].map((node) => [node.dataset.name, node]));
    const chips = facets.status.map(([word, n]) => {
      const chip = old.get(word) || make("button", { type: "button", class: "iotnb-button tl-chip", "data-name": word, onclick: () => this.toggle("status", word) }, symbol(word), make("span", {}));
      chip.setAttribute("aria-pressed", String(this.query.status.includes(word)));
      chip.lastChild.textContent = `${word.toLowerCase() || "none"} ${number(n)}`;
      return [this.data.statuses.indexOf(word), chip];
    }).sort((a, b) => a[0] - b[0]).map(([, chip]) => chip);
    if (chips.length !== old.size || chips.some((chip, i) => this.chips.children[i] !== chip)) this.chips.replaceChildren(...chips);
    this.stuck.textContent = `stuck ${number(late)}`;
    this.stuck.title = `Pending or executing for more than ${this.seconds}`;
    this.stuck.hidden = !late && !this.query.stuck;
    this.stuck.setAttribute("aria-pressed", String(this.query.stuck));
    this.kinds.draw(facets.kind, this.query.kinds);
  }

  toggle(which, name) {
    const chosen = new Set(this.query[which]);
    if (!chosen.delete(name)) chosen.add(name);
    this.query = { ...this.query, [which]: [...chosen] };
    this.ask();
  }

  look(text) { this.search.value = text; this.ask(); }

  reset() {
    this.query = { text: "", status: [], kinds: [], stuck: false };
    this.look("");
    this.search.focus();
  }

  searchKey(event) {
    if (event.key === "Enter") this.ask();
    else if (event.key === "ArrowDown") { event.preventDefault(); this.lanes.scroll.focus(); }
    else if (event.key === "Escape" && this.search.value) { event.preventDefault(); this.look(""); }
  }

  // ---- the operation that has the keyboard, and the one whose document is open

  setCurrent(row) {
    this.current = row;
    this.lanes.reveal(row);
    this.table.reveal(row);
  }

  open(row) {
    this.opened = row;
    this.tell({ kind: "document", row });
    this.table.draw();
    this.lanes.later();
  }

  close(back = false) {
    if (this.pane === "summary") return;
    this.opened = -1;
    this.pane = "summary";
    this.showSummary();
    this.tell({ kind: "closed" });
    this.table.draw();
    this.lanes.later();
    if (back) this.lanes.scroll.focus({ preventScroll: true });
  }

  // ---- the pane beside the table

  show(pane, title, nodes) {
    this.pane = pane;
    const close = make("button", { type: "button", class: "iotnb-button", text: "Summary", title: "Back to the summary (Escape)", onclick: () => this.close(true) });
    this.aside.replaceChildren(make("div", { class: "tl-aside-head" }, make("h4", { text: title, "aria-live": "polite" }), ...(pane === "summary" ? [] : [close])), ...nodes);
    this.aside.dataset.pane = pane;
  }

  showSummary() {
    const { failures, durations, reasons, sentence } = this.facts || { failures: [], durations: [], reasons: 0, sentence: "" };
    const most = Math.max(1, ...failures.map(([, n]) => n)), why = make("div", {}), spans = make("div", {});
    if (failures.length) {
      const told = reasons > failures.length ? `Why they failed (${failures.length} of ${number(reasons)} reasons)` : "Why they failed";
      why.append(make("h5", { text: told }), make("ul", { class: "tl-reasons" }, ...failures.map(([reason, n, devices]) => make("li", {}, make("button", {
        type: "button", title: `${reason}: ${n} on ${devices} device${devices === 1 ? "" : "s"}; show them`, onclick: () => this.look(`failure:"${reason.replaceAll('"', "")}"`),
      }, make("span", { class: "tl-reason", text: reason }), make("span", { class: "tl-number", text: number(n) }), make("i", { style: `width:${(n / most) * 100}%` }))))));
    } else why.append(make("h5", { text: "Why they failed" }), make("p", { class: "tl-sentence", text: "None of these failed." }));
    const cell = (text, tag = "td") => make(tag, { text, ...(tag === "th" ? { scope: "col" } : {}) });
    const length = (seconds) => cell(seconds === null ? "\u2013" : lasting(seconds * 1000));
    const body = durations.map(([kind, n, median, p95, failed]) => make("tr", {}, make("th", { scope: "row", text: kind, title: kind }), cell(number(n)), length(median), length(p95), cell(n ? `${Math.round((100 * failed) / n)} %` : "")));
    const heads = ["Kind", "Count", "Median", "95 %", "Failed"].map((text) => cell(text, "th"));
    if (body.length) spans.append(make("h5", { text: "How long they took" }), make("table", { class: "tl-spans" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...body)));
    this.show("summary", "Summary", [make("p", { class: "tl-sentence", text: sentence }), make("div", { class: "tl-halves" }, why, spans)]);
  }

  showDocument({ row, facts, text, own }) {
    if (row !== this.opened || !this.data) return;
    const [, device, kind, status, took] = this.cells(row), created = moment(this.data.begin[row]), end = this.data.end[row];
    const word = facts.platform_status && facts.platform_status !== status ? `${status} (${facts.platform_status})` : status;
    const told = [
      ["Device", facts.name ? `${facts.name} (${facts.device})` : device], ["Operation", facts.operation], ["Created", `${created} UTC`],
      ["Finished", Number.isNaN(end) ? "not recorded" : `${moment(end)} UTC`], ["Took", this.data.late[row] ? `${took}, stuck` : took], ["Failure", facts.failure],
    ].filter(([, value]) => value);
    const list = make("dl", { class: "tl-facts" }, ...told.flatMap(([name, value]) => [make("dt", { text: name }), make("dd", { text: value, class: name === "Failure" ? "tl-bad" : "" })]));
    const head = make("p", { class: "tl-status" }, symbol(status), make("strong", { text: word }));
    const title = make("h5", { text: own ? "Document of the platform" : "Row of the table" });
    const whole = make("pre", { tabindex: "0", text, role: "group", "aria-label": "Document as JSON" });
    this.show("document", kind || "Operation", [make("div", { class: "tl-halves" }, make("div", {}, head, list), make("div", {}, title, whole, this.copier(text)))]);
  }

  showFigure(buffers) {
    this.print.disabled = false;
    this.show("figure", "Figure for print", [pictures("operations", `Operations as a figure for print. ${this.facts.sentence}`, ["png", "svg"], buffers)]);
  }

  copier(text) {
    const node = make("button", { type: "button", class: "iotnb-button", text: "Copy", onclick: () => {
      const done = (words) => { node.textContent = words; setTimeout(() => { node.textContent = "Copy"; }, 2000); };
      if (navigator.clipboard) navigator.clipboard.writeText(text).then(() => done("Copied"), () => done("Not allowed"));
      else done("No clipboard here");
    } });
    return node;
  }

  drawAge() {
    const { age } = this.state, seconds = age === undefined || age === null ? null : age + (performance.now() - this.stateAt) / 1000;
    const words = seconds === null || this.state.state === "loading" ? "" : `loaded ${ago(seconds)}`;
    if (this.age.textContent !== words) this.age.textContent = words;
  }

  // What stands in place of lanes: loading, nothing there, nothing that matches, an error.
  drawNotice() {
    const { state } = this.state, rows = this.data ? this.data.n : 0;
    let words = "", act = null;
    if (rows && !this.shown.length && this.facts) {
      words = "No operation matches.";
      act = make("button", { type: "button", class: "iotnb-button", text: "Clear search and filters", onclick: () => this.reset() });
    } else if (!rows) words = this.state.words || (state === "loading" ? "Loading operations ..." : "");
    const key = words + Boolean(act);
    if (this.notice.dataset.key === key) return;
    this.notice.dataset.key = key;
    this.notice.replaceChildren(make("div", { text: words }), ...(act ? [act] : []));
    this.notice.hidden = !words;
  }
}

export default {
  render({ model, el }) {
    const timeline = new Timeline(model, el);
    return () => timeline.end();
  },
};
