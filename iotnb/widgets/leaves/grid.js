// The device grid: search, filters and a scrolled window over rows that stay in the kernel.
// A view keeps its own query, sort and scroll position; the selection is the kernel's, the same in all views.
const H = 28, EXTRA = 5, BLOCK = 100, FIRST = 40, DEBOUNCE = 60, PATIENCE = 1000, TALLEST = 12e6;
const CHECK = 32, INFO = 30;

class Grid {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.id = viewName();
    this.query = { text: "", type: [], status: [], only: false };
    this.sort = null;
    this.seq = 0;
    this.rows = new Map();
    this.asked = new Set();
    this.total = 0;
    this.current = 0;
    this.anchor = 0;
    this.state = { state: "loading" };
    this.stateAt = performance.now();
    this.columns = model.get("columns");
    this.lines = new Map();
    this.tree = null;
    this.build();
  }

  build() {
    const el = this.el, id = this.id;
    el.classList.add("iotnb-grid");
    this.search = make("input", {
      type: "search", class: "iotnb-input", placeholder: "Search: pump status:online", "aria-label": "Search devices",
      autocomplete: "off", spellcheck: "false",
      oninput: () => this.soon(),
      onkeydown: (event) => this.searchKey(event),
    });
    this.chips = make("div", { class: "iotnb-chips", role: "group", "aria-label": "Status" });
    this.types = new Menu(`${id}-types`, "Type", "Types", (name) => this.filter("type", name));
    this.treeButton = make("button", { type: "button", class: "iotnb-button", "aria-pressed": "false", text: "Tree", hidden: true, title: "Show devices below their parents", onclick: () => this.toggleTree() });
    this.unfold = make("button", { type: "button", class: "iotnb-button", text: "Unfold all", hidden: true, onclick: () => this.unfoldAll() });
    this.head = make("div", { role: "row", "aria-rowindex": "1", class: "iotnb-row iotnb-head", id: `${id}-head` });
    this.cells = [make("div", { role: "columnheader", class: "iotnb-check", title: "Select all that match" }, make("span", { class: "iotnb-unseen", text: "Selected" }))];
    this.cells[0].addEventListener("click", () => this.selectAll());
    this.columns.forEach((column, i) => {
      const cell = make("div", { role: "columnheader", "aria-sort": "none", id: `${id}-h${i + 1}`, title: `Sort by ${column.label}` });
      cell.append(make("span", { text: column.label }));
      cell.addEventListener("click", () => this.sortBy(i));
      this.cells.push(cell);
    });
    this.cells[0].id = `${id}-h0`;
    this.head.append(...this.cells, make("div", { role: "columnheader", class: "iotnb-info" }, make("span", { class: "iotnb-unseen", text: "Details" })));
    this.canvas = make("div", { role: "rowgroup", class: "iotnb-canvas" });
    this.grid = make("div", {
      role: "grid", tabindex: "0", class: "iotnb-scroll", "aria-label": this.model.get("label"), "aria-multiselectable": "true",
      "aria-colcount": String(this.columns.length + 2), "data-iotnb-keys": "a", "aria-describedby": `${id}-keys`,
      onkeydown: (event) => this.key(event), onscroll: () => this.draw(),
    }, make("div", { role: "rowgroup", class: "iotnb-head-group" }, this.head), this.canvas);
    this.canvas.addEventListener("click", (event) => this.click(event));
    this.notice = make("div", { class: "iotnb-notice", hidden: true });
    this.count = make("span", { class: "iotnb-count", role: "status", "aria-live": "polite" });
    this.matching = make("span", { class: "iotnb-note" });
    const button = (text, act, more = {}) => make("button", { type: "button", class: "iotnb-button", text, onclick: act, ...more });
    this.all = button("Select all", () => this.selectAll());
    this.clear = button("Clear", () => this.tell({ kind: "clear" }));
    this.only = button("Only selected", () => this.toggleOnly(), { "aria-pressed": "false" });
    this.copies = {
      ids: button("Copy ids", () => this.tell({ kind: "ids" })),
      code: button("Copy code", () => this.tell({ kind: "code" }), { title: "The same selection as lines of Python" }),
    };
    this.inspector = new Inspector(() => this.closeDetails());
    this.refresh = button("Refresh", () => this.tell({ kind: "refresh" }));
    this.cancel = button("Cancel", () => this.tell({ kind: "cancel" }));
    this.age = make("span", { class: "iotnb-note" });
    const keys = make("div", { id: `${id}-keys`, class: "iotnb-note iotnb-keys", text:
      "Keys: Space selects, Shift extends, Ctrl+A takes all that match, I shows details, / searches, Up from the first row sorts." });
    el.append(
      make("div", { class: "iotnb-bar" }, this.search, this.types.node, this.chips, make("span", { class: "iotnb-gap" }, this.unfold, this.treeButton)),
      make("div", { class: "iotnb-split" }, make("div", { class: "iotnb-frame" }, this.grid, this.notice), this.inspector.node),
      make("div", { class: "iotnb-bar iotnb-foot" }, this.count, this.matching, this.all, this.clear, this.only, this.copies.ids, this.copies.code,
        make("span", { class: "iotnb-gap" }, this.age, this.refresh, this.cancel)),
      keys,
    );
    this.onMessage = (message) => this.receive(message);
    this.model.on("msg:custom", this.onMessage);
    this.release = guard(el);
    this.observer = new ResizeObserver(() => { this.fit(); this.pool(); });
    this.observer.observe(this.grid);
    this.ticker = setInterval(() => this.drawAge(), 5000);
    this.fit();
    this.pool();
    this.ask();
  }

  close() {
    this.model.off("msg:custom", this.onMessage);
    this.observer.disconnect();
    clearInterval(this.ticker);
    clearTimeout(this.timer);
    clearTimeout(this.later);
    this.release();
  }

  tell(content) {
    const tree = this.tree && { every: this.tree.every, opened: [...this.tree.opened], shut: [...this.tree.shut] };
    this.model.send({ view: this.id, query: this.query, sort: this.sort, tree, ...content });
  }

  // After a key stroke: when the keys rest, and not before the last question is answered, so none pile up.
  soon(wait = DEBOUNCE) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      if (this.fresh && performance.now() - this.sent < PATIENCE) this.soon(10);
      else this.ask();
    }, wait);
  }

  // A new question to the kernel: answers to older ones are dropped by their number.
  ask(keep = false) {
    clearTimeout(this.timer);
    const text = this.search.value.trim();
    if (text !== this.query.text) keep = false;
    this.query = { ...this.query, text };
    this.asked.clear();
    if (!keep) { this.grid.scrollTop = 0; this.current = this.anchor = 0; }
    this.sent = performance.now();
    this.seq += 1;
    const start = keep ? Math.max(0, this.top() - EXTRA) : 0;
    this.fresh = true;
    this.tell({ kind: "rows", seq: this.seq, start, n: FIRST, facets: true });
  }

  receive(message) {
    if (message.kind === "state") return this.setState(message);
    if (message.kind === "changed") return this.ask(true);
    if (message.view !== this.id) return undefined;
    if (message.kind === "copy") return this.toClipboard(this.copies[message.what], message.text);
    if (message.kind === "details" || message.kind === "document") return this.inspector.receive(message);
    if (message.kind !== "rows" || message.seq !== this.seq) return undefined;
    if (this.fresh) { this.rows.clear(); this.lines.clear(); this.fresh = false; }
    message.rows.forEach((row, i) => this.rows.set(message.start + i, row));
    (message.lines || []).forEach((line, i) => this.lines.set(message.start + i, line));
    this.total = message.total;
    this.matches = message.matching;
    this.selected = message.selected;
    if (message.facets) this.drawFacets(message.facets);
    if (message.state) this.setState(message.state);
    this.current = Math.min(this.current, Math.max(this.total - 1, 0));
    this.draw();
    this.drawFoot();
    const root = this.el.dataset;
    root.q = this.query.text;
    root.n = String(this.total);
    root.ms = String(Math.round(performance.now() - this.sent));
    return undefined;
  }

  setState(state) {
    this.state = state;
    this.stateAt = performance.now();
    this.el.dataset.state = state.state;
    this.drawAge();
    this.drawNotice();
    this.cancel.hidden = state.state !== "loading";
    this.treeButton.hidden = !state.tree && !this.tree;
    this.unfold.hidden = !this.tree;
    this.refresh.hidden = !state.refresh || state.state === "loading";
  }

  // ---- drawing

  pool() {
    const wanted = Math.ceil(Math.max(this.grid.clientHeight - H, H) / H) + 2 * EXTRA;
    if (this.slots && this.slots.length === wanted) return;
    this.slots = Array.from({ length: wanted }, () => {
      const cells = this.columns.map((column) => make("div", { role: "gridcell", "data-kind": column.kind }));
      cells[0].classList.add("iotnb-first");
      const check = make("div", { role: "gridcell", class: "iotnb-check" });
      const info = make("div", { role: "gridcell", class: "iotnb-info", title: "Details (I)" });
      const row = make("div", { role: "row", class: "iotnb-row", hidden: true }, check, ...cells, info);
      [...row.children].forEach((cell, i) => cell.setAttribute("aria-colindex", String(i + 1)));
      this.hide(row);
      return row;
    });
    this.canvas.replaceChildren(...this.slots);
    this.draw();
  }

  // Columns that do not fit are left out, the last ones first.
  fit() {
    let room = (this.grid.clientWidth || Infinity) - CHECK - INFO, n = 0;
    for (const column of this.columns) { room -= column.min; if (room < 0 && n > 1) break; n += 1; }
    if (n === this.fitting) return;
    this.fitting = n;
    this.grid.style.setProperty("--iotnb-columns", [`${CHECK}px`, ...this.columns.slice(0, n).map((column) => column.width), `${INFO}px`].join(" "));
    this.hide(this.head);
    if (this.slots) this.slots.forEach((row) => this.hide(row));
  }

  hide(row) { [...row.children].forEach((cell, i, all) => { cell.hidden = i > this.fitting && i < all.length - 1; }); }

  height() { return Math.min(this.total * H, TALLEST); }

  // Above some 430,000 rows the canvas is shorter than its rows, and the scroll position is stretched.
  virtual() {
    const seen = this.grid.clientHeight - H, real = this.total * H, drawn = this.height();
    return drawn < real ? this.grid.scrollTop * (real - seen) / Math.max(drawn - seen, 1) : this.grid.scrollTop;
  }

  top() { return Math.floor(this.virtual() / H); }

  draw() {
    if (!this.slots) return;
    this.canvas.setAttribute("role", this.total ? "rowgroup" : "presentation");
    this.canvas.style.height = `${this.height()}px`;
    this.grid.setAttribute("aria-rowcount", String(this.total + 1));
    const at = this.virtual(), shift = this.grid.scrollTop - at;
    const first = Math.max(0, Math.floor(at / H) - EXTRA), last = Math.min(this.total, first + this.slots.length);
    const used = new Set();
    for (let i = first; i < last; i += 1) {
      const slot = i % this.slots.length;
      used.add(slot);
      this.drawRow(this.slots[slot], i, shift);
    }
    this.slots.forEach((row, slot) => { if (!used.has(slot)) { row.hidden = true; row.removeAttribute("id"); } });
    this.drawActive();
    this.want(first, last);
  }

  drawRow(node, i, shift) {
    const row = this.rows.get(i);
    node.hidden = false;
    node.id = `${this.id}-${i}`;
    node.dataset.i = i;
    node.setAttribute("aria-rowindex", String(i + 2));
    node.style.transform = `translateY(${i * H + shift}px)`;
    node.setAttribute("aria-selected", String(Boolean(row && row[1])));
    node.classList.toggle("iotnb-empty", !row);
    this.drawLine(node, row ? this.lines.get(i) : null);
    this.columns.forEach((column, c) => {
      const cell = node.children[c + 1], text = row ? row[c + 2] : "";
      if (cell.title !== text) { cell.textContent = text; cell.title = text; }
      if (column.kind === "status") cell.dataset.status = text;
    });
  }

  // The place of a row in the tree: indented, with a mark that folds and unfolds what is below it.
  drawLine(node, line) {
    const [depth, children, opened, match] = line || [0, 0, 0, 1];
    node.style.setProperty("--iotnb-depth", String(Math.min(depth, 12)));
    node.classList.toggle("iotnb-above", Boolean(line) && !match);
    const set = (name, value) => { if (value === null) node.removeAttribute(name); else node.setAttribute(name, value); };
    set("aria-level", line ? String(depth + 1) : null);
    set("aria-expanded", children ? String(Boolean(opened)) : null);
    node.children[1].dataset.below = children && !opened ? number(children) : "";
  }

  drawActive() {
    const header = this.current < 0;
    this.slots.forEach((node) => node.classList.toggle("iotnb-active", !header && node.dataset.i === String(this.current) && !node.hidden));
    this.cells.forEach((cell, i) => cell.classList.toggle("iotnb-active", header && i === (this.column || 0)));
    const id = header ? `${this.id}-h${this.column || 0}` : `${this.id}-${this.current}`;
    if (header || this.slots.some((node) => node.id === id)) this.grid.setAttribute("aria-activedescendant", id);
    else this.grid.removeAttribute("aria-activedescendant");
  }

  // Asks for the blocks of rows that are to be seen and not here yet.
  want(first, last) {
    for (let block = Math.floor(first / BLOCK); block * BLOCK < last; block += 1) {
      const from = Math.max(first, block * BLOCK), to = Math.min(last, (block + 1) * BLOCK);
      let lacking = false;
      for (let i = from; i < to; i += 1) if (!this.rows.has(i)) { lacking = true; break; }
      if (!lacking || this.asked.has(block) || this.fresh) continue;
      this.asked.add(block);
      this.tell({ kind: "rows", seq: this.seq, start: block * BLOCK, n: BLOCK });
    }
    if (this.rows.size > 5000) {
      for (const i of this.rows.keys()) if (i < first - 1000 || i > last + 1000) this.rows.delete(i);
      this.asked.clear();
    }
  }

  drawFacets(facets) {
    const pressed = new Set(this.query.status);
    const old = new Map([...this.chips.children].map((node) => [node.dataset.name, node]));
    const chips = (facets.status || []).map(([name, n]) => {
      const chip = old.get(name) || make("button", {
        type: "button", class: "iotnb-button iotnb-toggle", "data-name": name, "data-status": name, onclick: () => this.filter("status", name),
      });
      chip.setAttribute("aria-pressed", String(pressed.has(name)));
      chip.textContent = `${name || "none"} ${number(n)}`;
      return chip;
    });
    if (chips.length !== old.size || chips.some((chip, i) => this.chips.children[i] !== chip)) this.chips.replaceChildren(...chips);
    this.types.draw(facets.type || [], this.query.type);
  }

  drawFoot() {
    const n = this.selected || 0, words = `${number(n)} selected`;
    if (this.count.textContent !== words) this.count.textContent = words;
    const matches = this.matches || 0, rows = this.state.rows || 0;
    const narrowed = this.query.text || this.query.type.length || this.query.status.length || this.query.only;
    this.matching.textContent = narrowed && matches !== rows ? `${number(matches)} of ${number(rows)} match` : `of ${number(rows)}`;
    this.all.textContent = narrowed || !this.tree ? `Select all ${number(matches)}` : `Select all ${number(rows)}`;
    this.all.disabled = !matches && !rows;
    this.clear.disabled = this.copies.ids.disabled = this.copies.code.disabled = !n;
    this.only.disabled = !n && !this.query.only;
    this.only.setAttribute("aria-pressed", String(this.query.only));
  }

  drawAge() {
    const seconds = this.state.age === undefined || this.state.age === null ? null : this.state.age + (performance.now() - this.stateAt) / 1000;
    const words = seconds === null || this.state.state === "loading" ? "" : `loaded ${ago(seconds)}`;
    if (this.age.textContent !== words) this.age.textContent = words;
  }

  // What stands in place of rows: loading, nothing there, nothing that matches, an error.
  drawNotice() {
    const state = this.state.state, rows = this.state.rows || 0;
    let words = "", act = null;
    if (!this.total && rows) {
      words = this.query.only ? "Nothing is selected." : "No device matches.";
      act = make("button", { type: "button", class: "iotnb-button", text: "Clear search and filters", onclick: () => this.reset() });
    } else if (!rows) words = this.state.words || (state === "loading" ? "Loading devices ..." : "");
    const key = words + Boolean(act);
    if (this.notice.dataset.key === key) return;
    this.notice.dataset.key = key;
    this.notice.replaceChildren(make("div", { text: words }), ...(act ? [act] : []));
    this.notice.hidden = !words;
  }

  // ---- doing

  reset() {
    this.search.value = "";
    this.query = { text: "", type: [], status: [], only: false };
    this.ask();
    this.search.focus();
  }

  filter(which, name) {
    const chosen = new Set(this.query[which]);
    if (!chosen.delete(name)) chosen.add(name);
    this.query = { ...this.query, [which]: [...chosen] };
    this.ask();
  }

  // ---- the tree

  toggleTree() {
    this.tree = this.tree ? null : { every: false, opened: new Set(), shut: new Set() };
    this.treeButton.setAttribute("aria-pressed", String(Boolean(this.tree)));
    this.unfold.hidden = !this.tree;
    this.unfold.textContent = "Unfold all";
    this.grid.setAttribute("role", this.tree ? "treegrid" : "grid");
    this.el.classList.toggle("iotnb-treed", Boolean(this.tree));
    this.ask();
  }

  unfoldAll() {
    this.tree = { every: !this.tree.every, opened: new Set(), shut: new Set() };
    this.unfold.textContent = this.tree.every ? "Fold all" : "Unfold all";
    this.ask(true);
  }

  // Folds or unfolds a row; returns whether it has anything below it.
  fold(i, open) {
    const row = this.rows.get(i), line = this.lines.get(i);
    if (!this.tree || !row || !line || !line[1]) return false;
    const [add, drop] = open ? [this.tree.opened, this.tree.shut] : [this.tree.shut, this.tree.opened];
    add.add(row[0]);
    drop.delete(row[0]);
    this.ask(true);
    return true;
  }

  // Whether a click hits the mark before a name, which is drawn by the style sheet.
  onTwist(event) {
    const cell = this.tree && event.target.closest(".iotnb-first");
    if (!cell) return false;
    const left = cell.getBoundingClientRect().left + parseFloat(getComputedStyle(cell).paddingLeft);
    return event.clientX >= left && event.clientX < left + 24;
  }

  // Right unfolds or goes to the first child, Left folds or goes to the parent.
  across(key) {
    const line = this.lines.get(this.current);
    if (!this.tree || !line) return;
    if (key === "ArrowRight") {
      if (line[1] && !line[2]) this.fold(this.current, true);
      else if (line[1]) this.move(this.current + 1);
    } else if (line[1] && line[2]) this.fold(this.current, false);
    else {
      let i = this.current - 1;
      while (i >= 0 && this.lines.has(i) && this.lines.get(i)[0] >= line[0]) i -= 1;
      if (line[0] && this.lines.has(i)) this.move(i);
    }
  }

  // ---- details

  openDetails(i) {
    const row = this.rows.get(i);
    if (!row) return;
    this.inspector.expect(row[0]);
    this.tell({ kind: "details", device: row[0] });
  }

  // Open details follow the active row when it rests.
  follow() {
    if (this.inspector.node.hidden) return;
    clearTimeout(this.later);
    this.later = setTimeout(() => this.openDetails(this.current), 150);
  }

  closeDetails() {
    clearTimeout(this.later);
    this.inspector.node.hidden = true;
    this.grid.focus({ preventScroll: true });
  }

  toggleOnly() { this.query = { ...this.query, only: !this.query.only }; this.ask(); }

  sortBy(i) {
    const name = this.columns[i].name, [last, way] = this.sort || [];
    this.sort = last !== name ? [name, "ascending"] : way === "ascending" ? [name, "descending"] : null;
    this.cells.forEach((cell, c) => { if (c) cell.setAttribute("aria-sort", c === i + 1 && this.sort ? this.sort[1] : "none"); });
    const header = this.current < 0;
    this.ask();
    if (header) this.current = -1;
    this.drawActive();
  }

  selectAll() { if (this.total) this.tell({ kind: "all" }); }

  toggle(i) {
    const row = this.rows.get(i);
    this.anchor = i;
    if (!row) { this.tell({ kind: "toggle", index: i }); return; }
    row[1] = row[1] ? 0 : 1;
    this.draw();
    this.tell({ kind: "toggle", device: row[0], on: Boolean(row[1]) });
  }

  range(to) {
    for (let i = Math.min(this.anchor, to); i <= Math.max(this.anchor, to); i += 1) {
      const row = this.rows.get(i);
      if (row) row[1] = 1;
    }
    this.draw();
    const name = (at) => (this.rows.get(at) || [null])[0];
    this.tell({ kind: "range", from: [this.anchor, name(this.anchor)], to: [to, name(to)] });
  }

  click(event) {
    const node = event.target.closest("[data-i]");
    if (!node) return;
    const i = Number(node.dataset.i);
    this.current = i;
    if (this.onTwist(event) && this.fold(i, !this.lines.get(i)?.[2])) { this.drawActive(); return; }
    if (event.target.closest(".iotnb-info")) { this.drawActive(); this.openDetails(i); return; }
    this.follow();
    if (event.shiftKey) { window.getSelection()?.removeAllRanges(); this.range(i); } else this.toggle(i);
    this.drawActive();
  }

  move(to) {
    this.current = Math.max(0, Math.min(this.total - 1, to));
    const seen = this.grid.clientHeight - H, at = this.virtual(), y = this.current * H;
    const target = y < at ? y : y + H > at + seen ? y + H - seen : at;
    if (target !== at) {
      const real = this.total * H, drawn = this.height();
      this.grid.scrollTop = drawn < real ? target * (drawn - seen) / (real - seen) : target;
    }
    this.draw();
    this.follow();
  }

  key(event) {
    const { key } = event, page = Math.max(1, Math.floor((this.grid.clientHeight - H) / H) - 1);
    if (event.altKey) return;
    if (event.ctrlKey || event.metaKey) {
      if (key.toLowerCase() === "a") { event.preventDefault(); this.selectAll(); }
      return;
    }
    if (this.current < 0 && this.headerKey(key)) { event.preventDefault(); return; }
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (key in steps) {
      event.preventDefault();
      if (key === "ArrowUp" && this.current === 0 && !event.shiftKey) { this.current = -1; this.drawActive(); return; }
      const from = this.current;
      this.move(this.current + steps[key]);
      if (event.shiftKey && this.current !== from) this.range(this.current);
    } else if (key === " " || key === "Enter") {
      event.preventDefault();
      if (event.shiftKey) this.range(this.current);
      else this.toggle(this.current);
    } else if (key === "ArrowRight" || key === "ArrowLeft") { event.preventDefault(); this.across(key); }
    else if (key.toLowerCase() === "i") { event.preventDefault(); this.openDetails(this.current); }
    else if (key === "/") { event.preventDefault(); this.search.focus(); this.search.select(); }
    else if (key === "Escape") {
      event.preventDefault();
      if (!this.inspector.node.hidden) this.closeDetails();
      else if (this.search.value) { this.search.value = ""; this.ask(); }
    }
  }

  headerKey(key) {
    const last = this.fitting, at = this.column || 0;
    if (key === "ArrowLeft" || key === "ArrowRight") this.column = Math.max(0, Math.min(last, at + (key === "ArrowRight" ? 1 : -1)));
    else if (key === "ArrowDown") this.current = 0;
    else if (key === " " || key === "Enter") { if (at) this.sortBy(at - 1); else this.selectAll(); }
    else return key === "ArrowUp";
    this.drawActive();
    return true;
  }

  searchKey(event) {
    if (event.key === "Enter") this.ask();
    else if (event.key === "ArrowDown") { event.preventDefault(); this.grid.focus(); }
    else if (event.key === "Escape" && this.search.value) { event.preventDefault(); this.search.value = ""; this.ask(); }
  }

  toClipboard(button, text) {
    const done = (words) => {
      const before = button.dataset.name || button.textContent;
      button.dataset.name = before;
      button.textContent = words;
      setTimeout(() => { button.textContent = before; }, 2000);
    };
    if (!navigator.clipboard) return done("No clipboard here");
    return navigator.clipboard.writeText(text).then(() => done("Copied"), () => done("Not allowed"));
  }
}

export default {
  render({ model, el }) {
    const grid = new Grid(model, el);
    return () => grid.close();
  },
};
