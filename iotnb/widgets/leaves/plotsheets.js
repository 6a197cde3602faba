// Tables, code and exchanges beside the plot; they are asked for when their tab is opened.
class Sheet {
  constructor(el, name, tell) {
    this.el = el;
    this.name = name;
    this.tell = tell;
    this.page = 0;
    this.stale = true;
  }

  ask(page = this.page) {
    this.page = page;
    this.stale = false;
    this.tell({ kind: "sheet", name: this.name, page });
  }

  receive(message) {
    const blocks = message.blocks.flatMap((block) => this[block.kind](block));
    this.el.replaceChildren(...blocks);
  }

  text({ text }) { return [make("p", { class: "iotnb-note", text })]; }

  table({ caption, columns, rows, numbers, pages, page, hint }) {
    const side = (i) => (numbers.includes(i) ? "iotnb-num" : "");
    const head = make("tr", {}, ...columns.map((text, i) => make("th", { scope: "col", class: side(i), text })));
    const body = rows.map((row) => make("tr", {}, ...row.map((text, i) => make("td", { class: side(i), text, title: text }))));
    const table = make("table", { class: "iotnb-table" }, make("caption", { text: caption }), make("thead", {}, head), make("tbody", {}, ...body));
    const parts = [make("div", { class: "iotnb-wide-table", tabindex: "0", role: "region", "aria-label": caption }, table)];
    if (pages > 1) parts.push(this.pager(page, pages));
    if (hint) parts.push(...this.text({ text: hint }));
    return parts;
  }

  pager(page, pages) {
    const to = (text, target) => make("button", { type: "button", class: "iotnb-button", text, disabled: target === page || target < 0 || target >= pages, onclick: () => this.ask(target) });
    return make("div", { class: "iotnb-bar iotnb-pager" }, to("First", 0), to("Previous", page - 1),
      make("span", { class: "iotnb-note", text: `Page ${number(page + 1)} of ${number(pages)}` }), to("Next", page + 1), to("Last", pages - 1));
  }

  code({ code, label }) {
    const button = make("button", { type: "button", class: "iotnb-button", text: "Copy", onclick: () => {
      const done = (words) => { button.textContent = words; setTimeout(() => { button.textContent = "Copy"; }, 2000); };
      if (!navigator.clipboard) return done("No clipboard here");
      return navigator.clipboard.writeText(code).then(() => done("Copied"), () => done("Not allowed"));
    } });
    return [make("div", { class: "iotnb-code" }, make("div", { class: "iotnb-bar" }, make("span", { class: "iotnb-label", text: label }), button), make("pre", { tabindex: "0", text: code }))];
  }

  exchange({ title, http, curl }) {
    return [make("details", {}, make("summary", {}, make("code", { text: title })), ...this.code({ code: http, label: "HTTP" }), ...this.code({ code: curl, label: "curl" }))];
  }
}
