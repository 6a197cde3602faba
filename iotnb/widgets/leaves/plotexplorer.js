// The measurement explorer below its form: the tree at the left, tabs at the right.
const TABS = ["Plot", "Table", "Statistics", "Code", "HTTP"];

class Explorer {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.id = viewName();
    const tell = (content) => model.send({ view: this.id, ...content });
    const side = make("div", { class: "iotnb-side" }), main = make("div", { class: "iotnb-main" });
    el.classList.add("iotnb-explore");
    el.append(side, main);
    this.tree = new Tree(side, tell);
    this.bar = make("progress", { class: "iotnb-progress", max: "1", "aria-label": "Loading", hidden: true });
    this.tabs = TABS.map((name, i) => make("button", {
      type: "button", role: "tab", id: `${this.id}-t${i}`, "aria-controls": `${this.id}-p${i}`, class: "iotnb-tab", text: name,
      onclick: () => this.open(i), onkeydown: (event) => this.key(event, i),
    }));
    this.panes = TABS.map((name, i) => make("div", { role: "tabpanel", id: `${this.id}-p${i}`, "aria-labelledby": `${this.id}-t${i}`, class: "iotnb-pane" }));
    const act = (text, kind) => make("button", { type: "button", class: "iotnb-button", text, onclick: () => tell({ kind, from: this.from(), to: this.to() }) });
    this.exports = make("div", { class: "iotnb-gap iotnb-exports" }, act("Figure for print", "print"), act("CSV", "csv"), act("Parquet", "parquet"));
    main.append(this.bar, make("div", { class: "iotnb-tabbar" }, make("div", { role: "tablist", "aria-label": "Views of the measurements", class: "iotnb-tabs" }, ...this.tabs), this.exports), ...this.panes);
    this.plotted = make("div", {});
    this.print = make("div", {});
    this.panes[0].append(this.plotted, this.print);
    this.plot = new Plot(this.plotted, (content) => model.send(content));
    this.sheets = Object.fromEntries(TABS.slice(1).map((name, i) => [name, new Sheet(this.panes[i + 1], name, tell)]));
    this.onMessage = (message, buffers) => this.receive(message, buffers || []);
    model.on("msg:custom", this.onMessage);
    this.release = guard(el);
    this.open(0);
    tell({ kind: "hello" });
  }

  from() { return this.plot.window ? this.plot.window[0] : null; }

  to() { return this.plot.window ? this.plot.window[1] : null; }

  close() {
    this.model.off("msg:custom", this.onMessage);
    this.release();
    this.plot.close();
  }

  receive(message, buffers) {
    const { kind } = message;
    if (kind === "tree") this.tree.receive(message);
    else if (kind === "progress") this.progress(message);
    else if (kind === "sheet" && message.view === this.id) this.sheets[message.name].receive(message);
    else if (kind === "print" && message.view === this.id) this.picture(message, buffers);
    else if (kind === "file" && message.view === this.id) download(message.name, message.type, buffers[0]);
    else if (kind === "changed") { this.print.replaceChildren(); this.plot.receive(message, buffers); this.spoil(); }
    else this.plot.receive(message, buffers);
  }

  progress({ share, state, rows }) {
    this.el.dataset.state = state;
    this.el.dataset.rows = String(rows);
    this.bar.hidden = state !== "loading";
    if (share === null) this.bar.removeAttribute("value"); else this.bar.value = share;
    [...this.exports.children].forEach((button) => { button.disabled = !rows; });
  }

  spoil() {
    Object.values(this.sheets).forEach((sheet) => { sheet.stale = true; sheet.page = 0; });
    this.fresh();
  }

  fresh() {
    const sheet = this.sheets[TABS[this.at]];
    if (sheet && sheet.stale) sheet.ask();
  }

  open(i) {
    this.at = i;
    this.tabs.forEach((tab, j) => { tab.setAttribute("aria-selected", String(i === j)); tab.tabIndex = i === j ? 0 : -1; });
    this.panes.forEach((pane, j) => { pane.hidden = i !== j; });
    this.fresh();
  }

  key(event, i) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = { ArrowRight: i + 1, ArrowLeft: i - 1 + TABS.length, Home: 0, End: TABS.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    this.open(to % TABS.length);
    this.tabs[this.at].focus();
  }

  picture(message, buffers) {
    this.open(0);
    this.print.replaceChildren(pictures(message.name, message.alt, message.kinds, buffers));
    this.print.scrollIntoView({ block: "nearest" });
  }
}

export default {
  render({ model, el }) {
    const explorer = new Explorer(model, el);
    return () => explorer.close();
  },
};
