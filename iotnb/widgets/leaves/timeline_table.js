// The table beside the lanes: the same operations, sorted by any column, drawn as far as they are visible.
const ROW = 28, COLUMNS = [
  ["time", "Created (UTC)", "136px", 136],
  ["device", "Device", "minmax(0, 1.4fr)", 100],
  ["kind", "Kind", "minmax(0, 1fr)", 84],
  ["status", "Status", "124px", 124],
  ["duration", "Took", "104px", 104],
  ["failure", "Failure", "minmax(0, 1.5fr)", 130],
];

class Table {
  constructor(owner) {
    this.owner = owner;
    this.id = `${owner.id}-t`;
    this.sort = ["time", "descending"];
    this.rows = this.place = new Int32Array(0);
    this.column = -1; // the heading that has the keyboard, -1 when a row has it
    this.heads = COLUMNS.map(([name, label], i) => {
      const node = make("div", { role: "columnheader", id: `${this.id}-h${i}`, "aria-sort": "none", title: `Sort by ${label}`, onclick: () => this.sortBy(i) });
      node.append(make("span", { text: label }));
      node.dataset.name = name;
      return node;
    });
    this.head = make("div", { role: "row", "aria-rowindex": "1", class: "iotnb-row iotnb-head" }, ...this.heads);
    this.canvas = make("div", { role: "rowgroup", class: "iotnb-canvas" });
    this.node = make("div", {
      role: "grid", tabindex: "0", class: "iotnb-scroll tl-table", "aria-label": `${owner.model.get("label")}: table`, "aria-describedby": `${owner.id}-keys`,
      "aria-colcount": String(COLUMNS.length), onkeydown: (event) => this.key(event), onscroll: () => this.draw(), onfocus: () => this.draw(), onblur: () => this.draw(),
    }, make("div", { role: "rowgroup", class: "iotnb-head-group" }, this.head), this.canvas);
    this.canvas.addEventListener("click", (event) => {
      const node = event.target.closest("[data-i]");
      if (!node) return;
      this.column = -1;
      owner.setCurrent(this.rows[Number(node.dataset.i)]);
      owner.open(owner.current);
    });
    this.slots = [];
  }

  // The order of the rows that are shown; equal ones stay in the order of time.
  arrange() {
    const { data, shown, rank } = this.owner, [name, way] = this.sort, last = Number.MAX_VALUE;
    const took = (row) => { const ms = data.end[row] - data.begin[row]; return Number.isNaN(ms) ? last : ms; };
    const keys = {
      time: (row) => data.begin[row], device: (row) => rank.device[data.device[row]], kind: (row) => data.kind[row], status: (row) => data.status[row],
      duration: took, failure: (row) => (data.reason[row] < 0 ? last : rank.reason[data.reason[row]]),
    };
    const key = keys[name], sign = way === "descending" ? -1 : 1, values = new Float64Array(data.n);
    this.rows = Int32Array.from(shown); // in the order of time, and so it stays where values are equal
    if (sign < 0) this.rows.reverse();
    if (name !== "time") {
      for (const row of shown) values[row] = key(row);
      this.rows.sort((a, b) => (values[a] === last) - (values[b] === last) || (values[a] - values[b]) * sign);
    }
    this.place = placed(this.rows, data.n);
    this.heads.forEach((node, i) => node.setAttribute("aria-sort", COLUMNS[i][0] === name ? way : "none"));
    this.draw();
  }

  at(row) { return row < 0 || row >= this.place.length ? -1 : this.place[row]; }

  sortBy(i) {
    const [name] = COLUMNS[i], [last, way] = this.sort;
    this.sort = [name, last === name && way === "ascending" ? "descending" : "ascending"];
    this.node.scrollTop = 0;
    this.arrange();
  }

  // Columns that do not fit are left out, the last ones first.
  fit() {
    let room = this.node.clientWidth || Infinity, n = 0;
    for (const column of COLUMNS) { room -= column[3]; if (room < 0 && n > 1) break; n += 1; }
    this.fitting = n;
    this.node.style.setProperty("--iotnb-columns", COLUMNS.slice(0, n).map((column) => column[2]).join(" "));
    [this.head, ...this.slots].forEach((row) => this.hide(row));
    const width = this.heads[1].clientWidth - 16;
    if (width !== this.deviceWidth) { this.deviceWidth = width; this.slots.forEach((row) => { row.children[1].title = ""; }); }
    this.draw();
  }

  hide(row) { [...row.children].forEach((cell, i) => { cell.hidden = i >= this.fitting; }); }

  pool() {
    const wanted = Math.ceil(Math.max(this.node.clientHeight - ROW, ROW) / ROW) + 4;
    if (this.slots.length === wanted) return;
    this.slots = Array.from({ length: wanted }, () => {
      const row = make("div", { role: "row", class: "iotnb-row", hidden: true }, ...COLUMNS.map(([name], i) => make("div", { role: "gridcell", "aria-colindex": String(i + 1), "data-kind": name })));
      this.hide(row);
      return row;
    });
    this.canvas.replaceChildren(...this.slots);
  }

  draw() {
    this.pool();
    const total = this.rows.length, top = this.node.scrollTop, first = Math.max(0, Math.floor(top / ROW) - 2);
    this.canvas.setAttribute("role", total ? "rowgroup" : "presentation");
    this.canvas.style.height = `${total * ROW}px`;
    this.node.setAttribute("aria-rowcount", String(total + 1));
    const used = new Set();
    for (let i = first; i < Math.min(total, first + this.slots.length); i += 1) {
      used.add(i % this.slots.length);
      this.drawRow(this.slots[i % this.slots.length], i);
    }
    this.slots.forEach((node, i) => { if (!used.has(i)) { node.hidden = true; node.removeAttribute("id"); } });
    this.drawActive();
  }

  drawRow(node, i) {
    const row = this.rows[i], { owner } = this, cells = owner.cells(row);
    node.hidden = false;
    node.id = `${this.id}-${i}`;
    node.dataset.i = i;
    node.setAttribute("aria-rowindex", String(i + 2));
    node.setAttribute("aria-selected", String(owner.opened === row));
    node.style.transform = `translateY(${i * ROW}px)`;
    cells.forEach((text, c) => {
      const cell = node.children[c];
      if (COLUMNS[c][0] === "status") {
        if (cell.dataset.word !== text) { cell.dataset.word = text; cell.replaceChildren(symbol(text), make("span", { text })); }
      } else if (cell.title !== text) { cell.title = text; cell.textContent = COLUMNS[c][0] === "device" ? this.owner.lanes.elided(text, this.deviceWidth) : text; }
    });
    node.children[4].classList.toggle("tl-late", Boolean(owner.data.late[row]));
  }

  drawActive() {
    const at = this.at(this.owner.current), heading = this.column >= 0;
    this.slots.forEach((node) => node.classList.toggle("iotnb-active", !heading && !node.hidden && Number(node.dataset.i) === at));
    this.heads.forEach((node, i) => node.classList.toggle("iotnb-active", heading && i === this.column));
    const id = heading ? `${this.id}-h${this.column}` : `${this.id}-${at}`;
    if (heading || this.slots.some((node) => node.id === id && !node.hidden)) this.node.setAttribute("aria-activedescendant", id);
    else this.node.removeAttribute("aria-activedescendant");
  }

  reveal(row) {
    const at = this.at(row);
    if (at < 0) return;
    const seen = this.node.clientHeight - ROW, top = at * ROW;
    if (top < this.node.scrollTop) this.node.scrollTop = top;
    else if (top + ROW > this.node.scrollTop + seen) this.node.scrollTop = top + ROW - seen;
    this.draw();
  }

  key(event) {
    const { key } = event, { owner } = this;
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const page = Math.max(1, Math.floor((this.node.clientHeight - ROW) / ROW) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const at = this.at(owner.current);
    if (this.column >= 0 && ["ArrowLeft", "ArrowRight", "Enter", " "].includes(key)) {
      if (key === "Enter" || key === " ") this.sortBy(this.column);
      else this.column = Math.max(0, Math.min(this.fitting - 1, this.column + (key === "ArrowRight" ? 1 : -1)));
      this.drawActive();
    } else if (key in steps) {
      if (key === "ArrowUp" && (at === 0 || !this.rows.length)) { this.column = 0; this.drawActive(); event.preventDefault(); return; }
      const from = this.column >= 0 ? -1 : at;
      this.column = -1;
      if (this.rows.length) owner.setCurrent(this.rows[Math.max(0, Math.min(this.rows.length - 1, from + steps[key]))]);
    } else if (key === "Enter" || key === " ") { if (at >= 0) owner.open(owner.current); }
    else if (key === "Escape") owner.close();
    else if (key === "/") owner.search.focus();
    else return;
    event.preventDefault();
  }
}
