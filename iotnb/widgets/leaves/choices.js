// A list of many words to search in: to choose from, or to see what came of those that were asked for.
const MARKS = { granted: "good", dropped: "bad", lost: "bad", "not asked": "idle", asked: "idle" };

class Choices {
  constructor(model, el) {
    this.model = model;
    this.id = `iotnb-${viewName()}`;
    this.report = model.get("report");
    this.rows = [];
    this.extra = [];
    this.chosen = new Set();
    this.shown = [];
    this.at = 0;
    this.only = false;
    this.mark = "";
    this.build(el);
  }

  build(el) {
    const id = this.id;
    el.classList.add("iotnb-field", "iotnb-choices", "iotnb-wide");
    this.label = make("div", { class: "iotnb-label", id: `${id}-label` });
    this.words = make("span", { class: "iotnb-choices-words" });
    this.open = make("button", { type: "button", class: "iotnb-button", "aria-expanded": "false", "aria-controls": `${id}-body`, onclick: () => this.toggleOpen() });
    this.search = make("input", {
      type: "search", class: "iotnb-input", autocomplete: "off", spellcheck: "false", oninput: () => this.draw(),
      onkeydown: (event) => this.searchKey(event),
    });
    this.chips = make("div", { class: "iotnb-chips", role: "group" });
    this.list = make("div", { class: "iotnb-choices-list", tabindex: "0", role: this.report ? "list" : "listbox" });
    if (!this.report) {
      this.list.setAttribute("aria-multiselectable", "true");
      this.list.addEventListener("keydown", (event) => this.key(event));
      this.list.addEventListener("click", (event) => this.click(event));
    }
    this.count = make("span", { class: "iotnb-note", role: "status", "aria-live": "polite" });
    this.all = make("button", { type: "button", class: "iotnb-button", onclick: () => this.set(this.shown.map(([name]) => name), true) });
    this.none = make("button", { type: "button", class: "iotnb-button", text: "Clear", onclick: () => this.set([...this.chosen], false) });
    this.onlyButton = make("button", { type: "button", class: "iotnb-button", text: "Only chosen", "aria-pressed": "false", onclick: () => { this.only = !this.only; this.draw(); } });
    const foot = make("div", { class: "iotnb-bar" }, this.count, ...(this.report ? [] : [this.all, this.none, this.onlyButton]));
    this.body = make("div", { class: "iotnb-choices-body", id: `${id}-body`, hidden: true }, make("div", { class: "iotnb-bar" }, this.search, this.chips), this.list, foot);
    this.hint = make("div", { class: "iotnb-hint", id: `${id}-hint` });
    el.append(this.label, make("div", { class: "iotnb-choices-line" }, this.words, this.open), this.body, this.hint);
    this.onMessage = (message) => this.receive(message);
    this.onChange = () => { this.drawLabels(); this.draw(); };
    this.events = "change:label change:hint change:disabled";
    this.model.on("msg:custom", this.onMessage);
    this.model.on(this.events, this.onChange);
    this.release = guard(el);
    this.drawLabels();
    this.model.send({ kind: "open", view: id });
  }

  close() {
    this.model.off("msg:custom", this.onMessage);
    this.model.off(this.events, this.onChange);
    this.release();
  }

  receive(message) {
    if (message.do === "focus") { this.open.focus(); return; }
    if (message.view && message.view !== this.id) return;
    if (message.kind === "options") { this.rows = message.rows; this.sets = message.sets; }
    if (message.kind === "report") this.rows = message.rows;
    if (message.kind === "state") {
      this.chosen = new Set(message.chosen);
      this.extra = message.extra;
      this.text = message.text;
    }
    this.draw();
  }

  toggleOpen() {
    this.body.hidden = !this.body.hidden;
    this.drawLabels();
    this.draw();
    if (!this.body.hidden) this.search.focus();
  }

  drawLabels() {
    const label = this.model.get("label"), open = !this.body.hidden;
    this.label.textContent = label;
    this.hint.textContent = this.model.get("hint");
    this.hint.hidden = !this.model.get("hint");
    this.open.setAttribute("aria-expanded", String(open));
    this.open.textContent = open ? "Close list" : this.report ? "Show list" : "Choose";
    this.open.setAttribute("aria-label", `${this.open.textContent}: ${label}`);
    for (const [node, words] of [[this.search, `Search ${label.toLowerCase()}`], [this.list, label], [this.chips, this.report ? "What came of them" : "Sets"]]) node.setAttribute("aria-label", words);
    this.search.placeholder = `Search ${label.toLowerCase()}, or what they open`;
    this.open.disabled = this.search.disabled = this.model.get("disabled");
  }

  draw() {
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const rows = this.report ? this.rows : [...this.extra.map((name) => [name, "typed by hand"]), ...this.rows];
    const fits = (row) => words.every((word) => row.join(" ").toLowerCase().includes(word));
    const named = (row) => words.every((word) => row[0].toLowerCase().includes(word));
    const found = rows.filter((row) => fits(row) && (!this.only || this.chosen.has(row[0])) && (!this.mark || row[1] === this.mark));
    this.shown = [...found.filter(named), ...found.filter((row) => !named(row))];
    this.at = Math.max(0, Math.min(this.at, this.shown.length - 1));
    this.drawSummary();
    if (this.body.hidden) return;
    this.list.replaceChildren(...this.shown.map((row, i) => (this.report ? this.item(row) : this.option(row, i))));
    if (!this.shown.length) this.list.replaceChildren(make("div", { class: "iotnb-note", role: this.report ? "listitem" : "option", text: this.report || !words.length ? "Nothing here." : "None matches. Enter takes the word as it is typed." }));
    if (this.report) this.drawMarks();
    else { this.drawSets(); this.drawActive(); }
  }

  drawSummary() {
    const total = this.chosen.size;
    if (this.report) {
      const words = Object.keys(MARKS).map((mark) => [this.rows.filter((row) => row[1] === mark).length, mark]).filter(([n]) => n);
      this.words.textContent = words.map(([n, mark]) => `${n} ${mark}`).join(", ") || "not known";
      this.count.textContent = `${this.shown.length} of ${this.rows.length} shown`;
      return;
    }
    const text = this.text || "";
    this.words.textContent = total ? (text.length <= 60 ? `${text} (${total})` : `${total} chosen`) : "none";
    this.count.textContent = `${total} chosen, ${this.shown.length} shown`;
    this.all.textContent = `Choose ${this.shown.length} shown`;
    this.all.disabled = !this.shown.length || this.model.get("disabled");
    this.none.disabled = !total || this.model.get("disabled");
    this.onlyButton.setAttribute("aria-pressed", String(this.only));
  }

  option([name, text], i) {
    return make("div", { role: "option", id: `${this.id}-${i}`, "data-i": i, "aria-selected": String(this.chosen.has(name)), class: "iotnb-choice", title: text },
      make("span", { class: "iotnb-box" }), make("code", { text: name }), make("span", { class: "iotnb-note", text }));
  }

  item([name, mark, text]) {
    return make("div", { role: "listitem", class: "iotnb-choice iotnb-came", title: text },
      make("span", { class: "iotnb-mark", "data-tone": MARKS[mark], text: mark }), make("code", { text: name }), make("span", { class: "iotnb-note", text }));
  }

  drawSets() {
    const focused = this.chips.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    this.chips.replaceChildren(...(this.sets || []).map(([name, help, n]) => make("button", {
      type: "button", class: "iotnb-button iotnb-pill", "data-name": name, title: help, text: `${name} ${n}`, disabled: this.model.get("disabled"),
      "aria-pressed": String((this.text || "").split(" ").includes(name)), onclick: () => this.model.send({ kind: "take", name }),
    })));
    if (focused !== null) [...this.chips.children].find((node) => node.dataset.name === focused)?.focus();
  }

  drawMarks() {
    const focused = this.chips.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    this.chips.replaceChildren(...Object.keys(MARKS).map((mark) => [mark, this.rows.filter((row) => row[1] === mark).length]).filter(([, n]) => n).map(([mark, n]) => make("button", {
      type: "button", class: "iotnb-button iotnb-pill", "data-name": mark, text: `${mark} ${n}`, "aria-pressed": String(this.mark === mark),
      onclick: () => { this.mark = this.mark === mark ? "" : mark; this.draw(); },
    })));
    if (focused !== null) [...this.chips.children].find((node) => node.dataset.name === focused)?.focus();
  }

  drawActive() {
    [...this.list.children].forEach((node, i) => node.classList.toggle("iotnb-active", i === this.at));
    if (this.shown.length) this.list.setAttribute("aria-activedescendant", `${this.id}-${this.at}`);
    else this.list.removeAttribute("aria-activedescendant");
  }

  set(names, on) {
    if (this.model.get("disabled") || !names.length) return;
    this.model.send({ kind: "set", names, on });
  }

  toggle(i) {
    const row = this.shown[i];
    if (row) this.set([row[0]], !this.chosen.has(row[0]));
  }

  click(event) {
    const node = event.target.closest("[data-i]");
    if (!node) return;
    this.at = Number(node.dataset.i);
    this.toggle(this.at);
  }

  key(event) {
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8, Home: -Infinity, End: Infinity };
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in steps) {
      event.preventDefault();
      this.at = Math.max(0, Math.min(this.shown.length - 1, this.at + steps[event.key]));
      this.drawActive();
      this.list.children[this.at]?.scrollIntoView({ block: "nearest" });
    } else if (event.key === " " || event.key === "Enter") { event.preventDefault(); this.toggle(this.at); }
    else if (event.key === "/") { event.preventDefault(); this.search.focus(); }
    else if (event.key === "Escape") { event.preventDefault(); this.toggleOpen(); this.open.focus(); }
  }

  searchKey(event) {
    if (event.key === "ArrowDown") { event.preventDefault(); this.list.focus(); }
    else if (event.key === "Escape") {
      event.preventDefault();
      if (this.search.value) { this.search.value = ""; this.draw(); } else { this.toggleOpen(); this.open.focus(); }
    } else if (event.key === "Enter" && !this.report) {
      event.preventDefault();
      const typed = this.search.value.trim();
      if (!this.shown.length && typed && !/[\s,]/.test(typed)) this.set([typed], true);
      else if (this.shown.length === 1) this.toggle(0);
    }
  }
}

export default {
  render({ model, el }) {
    const choices = new Choices(model, el);
    return () => choices.close();
  },
};
