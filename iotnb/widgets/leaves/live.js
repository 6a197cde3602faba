// The live view below its buttons: numbers, the moving plot, and alarms and operations as they come.
const LISTED = 100;
const write = (node, text) => { if (node.textContent !== text) node.textContent = text; };

// A plot that follows the present until somebody moves it; "Show all" follows again.
class LivePlot extends Plot {
  constructor(el, tell) {
    super(el, tell);
    this.chart.setAttribute("aria-label", "The last minutes of the measurements");
    this.follow = make("button", { type: "button", class: "iotnb-button", text: "Follow again", hidden: true, onclick: () => this.reset() });
    this.range.after(this.follow);
  }

  hold(on) { this.held = on; this.follow.hidden = !on; this.el.dataset.held = String(on); }

  move(from, to) { if (!this.resetting) this.hold(true); super.move(from, to); }

  reset() {
    this.hold(false);
    this.resetting = true;
    super.reset();
    this.resetting = false;
    this.refresh();
  }

  refresh() { this.ask(this.held && this.window ? this.window : null); }

  take(message, buffers, moving) {
    if (!this.held) this.meta.whole = [message.from, message.to];
    super.take(message, buffers, moving && this.held);
  }

  // new series or marks build the charts anew; whoever was in the legend stays there
  build() {
    const at = this.rows ? this.rows.findIndex((row) => row.contains(document.activeElement)) : -1;
    super.build();
    if (at >= 0 && this.rows[at]) this.rows[at].querySelector("input").focus();
  }
}

class LiveLeaf {
  constructor(model, el) {
    this.model = model;
    this.el = el;
    this.id = viewName();
    el.classList.add("iotnb-watch");
    const fact = (label) => {
      const value = make("dd", { text: "–" });
      return [value, make("div", {}, make("dt", { text: label }), value)];
    };
    const facts = ["Last news", "Lag", "Values", "Alarms", "Operations", "Outages"].map(fact);
    [this.news, this.lag, this.values, this.alarms, this.operations, this.outages] = facts.map(([value]) => value);
    this.remarks = make("div", { class: "iotnb-note iotnb-remarks" });
    this.said = make("p", { class: "iotnb-unseen", role: "status", "aria-live": "polite" });
    const plotted = make("div", {});
    this.title = make("div", { class: "iotnb-label", id: `${this.id}-l`, text: "Alarms and operations" });
    this.empty = make("p", { class: "iotnb-note iotnb-nobody" });
    const head = make("tr", {}, ...["Time", "What", "State", "Device", "Text"].map((text) => make("th", { scope: "col", text })));
    this.body = make("tbody", {});
    this.table = make("table", { class: "iotnb-table", "aria-labelledby": `${this.id}-l` }, make("thead", {}, head), this.body);
    this.list = make("div", { class: "iotnb-happened", tabindex: "0", role: "region", "aria-labelledby": `${this.id}-l` }, this.table, this.empty);
    el.append(make("dl", { class: "iotnb-numbers" }, ...facts.map(([, node]) => node)), this.remarks, plotted, this.title, this.list, this.said);
    this.plot = new LivePlot(plotted, (content) => model.send(content));
    this.onMessage = (message, buffers) => this.receive(message, buffers || []);
    model.on("msg:custom", this.onMessage);
    this.release = guard(el);
    this.clock = setInterval(() => this.age(), 1000);
    model.send({ kind: "hello", view: this.id });
  }

  close() {
    clearInterval(this.clock);
    this.model.off("msg:custom", this.onMessage);
    this.release();
    this.plot.close();
  }

  receive(message, buffers) {
    if (message.kind === "numbers") this.numbers(message);
    else if (message.kind === "begin") { this.body.replaceChildren(); this.blank(); }
    else if (message.kind === "said") this.said.textContent = message.text;
    else this.plot.receive(message, buffers);
  }

  numbers(message) {
    const { counts } = message, count = (verb) => (verb in counts ? number(counts[verb]) : "none here");
    this.el.dataset.state = message.state;
    this.el.dataset.values = String(message.held);
    this.zone = message.zone;
    this.lacking = message.lacking;
    this.began = performance.now() - message.quiet * 1000;
    this.age();
    write(this.lag, message.lag === null ? "–" : message.lag < 0 ? `${lasting(-message.lag * 1000)} ahead` : lasting(message.lag * 1000));
    write(this.values, count("measurements"));
    write(this.alarms, count("alarms"));
    write(this.operations, count("operations"));
    write(this.outages, number(message.outages));
    write(this.remarks, message.remarks);
    this.remarks.hidden = !message.remarks;
    if (message.all) this.body.replaceChildren();
    this.add(message.rows, !message.all);
  }

  age() {
    if (this.began !== undefined) write(this.news, ago((performance.now() - this.began) / 1000));
  }

  add(rows, fresh) {
    const made = rows.map((row) => make("tr", { class: fresh ? "iotnb-fresh" : "" },
      make("td", { text: row.time === null ? "" : when(row.time, this.zone).slice(11), title: row.time === null ? "" : `${when(row.time, this.zone)} ${this.zone}` }),
      make("td", { text: row.what }), make("td", {}, make("span", { class: "iotnb-chip", "data-tone": row.tone, text: row.state || "–" })),
      make("td", { text: row.name, title: row.device }), make("td", { text: row.text, title: row.text })));
    this.body.prepend(...made.reverse());
    while (this.body.children.length > LISTED) this.body.lastChild.remove();
    this.el.dataset.rows = String(this.body.children.length);
    this.blank();
  }

  blank() {
    const none = !this.body.children.length;
    this.table.hidden = none;
    this.empty.hidden = !none;
    this.empty.textContent = ["None yet.", ...(this.lacking || []).map((each) => `${each}.`)].join(" ");
  }
}

export default {
  render({ model, el }) {
    const leaf = new LiveLeaf(model, el);
    return () => leaf.close();
  },
};
