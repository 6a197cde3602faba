// The tree of devices and their series: the kernel sends the rows that are open, the page draws and asks.
class Tree {
  constructor(el, tell) {
    this.tell = tell;
    this.id = viewName();
    this.rows = [];
    this.active = "";
    this.search = make("input", {
      type: "search", class: "iotnb-input", placeholder: "Search devices and series", "aria-label": "Search devices and series", autocomplete: "off", spellcheck: "false",
      oninput: () => { clearTimeout(this.timer); this.timer = setTimeout(() => this.find(), 150); },
      onkeydown: (event) => this.searchKey(event),
    });
    this.list = make("div", {
      role: "tree", tabindex: "0", class: "iotnb-tree", "aria-label": "Series", "aria-multiselectable": "true", onkeydown: (event) => this.key(event),
    });
    this.list.addEventListener("click", (event) => this.click(event));
    this.notice = make("div", { class: "iotnb-note iotnb-tree-note", hidden: true });
    this.count = make("span", { class: "iotnb-count", role: "status", "aria-live": "polite" });
    this.clear = make("button", { type: "button", class: "iotnb-button", text: "Clear", onclick: () => this.tell({ kind: "clear" }) });
    el.append(this.search, this.list, this.notice, make("div", { class: "iotnb-bar iotnb-foot" }, this.count, this.clear));
  }

  find() { clearTimeout(this.timer); this.tell({ kind: "find", text: this.search.value.trim() }); }

  searchKey(event) {
    if (event.key === "Enter") this.find();
    else if (event.key === "ArrowDown") { event.preventDefault(); this.list.focus(); }
    else if (event.key === "Escape" && this.search.value) { event.preventDefault(); this.search.value = ""; this.find(); }
  }

  receive(message) {
    this.rows = message.rows;
    this.count.textContent = message.count;
    this.clear.hidden = !message.selected;
    this.notice.hidden = !message.note;
    this.notice.textContent = message.note;
    if (!this.rows.some((row) => row.key === this.active)) this.active = this.rows.length ? this.rows[0].key : "";
    const old = new Map([...this.list.children].map((node) => [node.dataset.key, node]));
    const nodes = this.rows.map((row, i) => this.item(row, i, old.get(row.key)));
    this.list.replaceChildren(...nodes);
    this.list.setAttribute("role", nodes.length ? "tree" : "group");
    this.point(false);
  }

  item(row, i, old) {
    const node = old || make("div", { role: "treeitem", class: "iotnb-item" },
      make("span", { class: "iotnb-twist", "aria-hidden": "true" }), make("span", { class: "iotnb-tick", "aria-hidden": "true" }),
      make("span", { class: "iotnb-item-name" }, make("span", {}), make("span", { class: "iotnb-item-part" })), make("span", { class: "iotnb-item-more" }));
    const set = (name, value) => (value === null ? node.removeAttribute(name) : node.setAttribute(name, String(value)));
    node.id = `${this.id}-${i}`;
    node.dataset.key = row.key;
    node.style.setProperty("--iot-level", row.level);
    set("aria-level", row.level);
    set("aria-checked", row.checked);
    set("aria-expanded", row.open);
    set("aria-setsize", row.of);
    set("aria-posinset", row.at);
    const [, , name, more] = node.children;
    for (const [cell, text] of [[name.firstChild, row.name], [name.lastChild, row.part], [more, row.more]]) if (cell.textContent !== text) cell.textContent = text;
    node.title = row.title;
    return node;
  }

  point(scroll = true) {
    const at = this.rows.findIndex((row) => row.key === this.active);
    [...this.list.children].forEach((node, i) => node.classList.toggle("iotnb-active", i === at));
    if (at < 0) this.list.removeAttribute("aria-activedescendant");
    else this.list.setAttribute("aria-activedescendant", `${this.id}-${at}`);
    if (scroll && at >= 0) this.list.children[at].scrollIntoView({ block: "nearest" });
  }

  toggle(row) { this.tell({ kind: "check", key: row.key, on: row.checked !== "true" }); }

  open(row, on) { if (row.open !== null) this.tell({ kind: "open", key: row.key, on }); }

  click(event) {
    const node = event.target.closest("[role=treeitem]");
    if (!node) return;
    const row = this.rows.find((each) => each.key === node.dataset.key);
    this.active = row.key;
    if (event.target.closest(".iotnb-twist") || (row.open !== null && !event.target.closest(".iotnb-tick"))) this.open(row, row.open !== "true");
    else this.toggle(row);
    this.point(false);
  }

  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/") { event.preventDefault(); this.search.focus(); this.search.select(); return; }
    const at = Math.max(this.rows.findIndex((row) => row.key === this.active), 0), row = this.rows[at], last = this.rows.length - 1;
    if (!row) return;
    const go = (to) => { this.active = this.rows[Math.max(0, Math.min(last, to))].key; this.point(); };
    const acts = {
      ArrowDown: () => go(at + 1), ArrowUp: () => go(at - 1), PageDown: () => go(at + 10), PageUp: () => go(at - 10), Home: () => go(0), End: () => go(last),
      ArrowRight: () => (row.open === "false" ? this.open(row, true) : row.open === "true" && go(at + 1)),
      ArrowLeft: () => (row.open === "true" ? this.open(row, false) : go(this.parent(at))),
      " ": () => this.toggle(row), Enter: () => this.toggle(row),
    };
    if (!(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  }

  parent(at) {
    for (let i = at - 1; i >= 0; i -= 1) if (this.rows[i].level < this.rows[at].level) return i;
    return at;
  }
}
