// The details of one device beside the grid: its row, and the platform's document, both as text only.
class Inspector {
  constructor(close) {
    this.device = null;
    this.title = make("h3", { class: "iotnb-inspect-title" });
    this.facts = make("table", { class: "iotnb-facts" });
    this.document = make("pre", {});
    this.word = make("div", { class: "iotnb-note", role: "status" });
    this.node = make("div", {
      class: "iotnb-inspect", role: "region", "aria-label": "Details", hidden: true,
      onkeydown: (event) => { if (event.key === "Escape") { event.preventDefault(); close(); } },
    },
    make("div", { class: "iotnb-inspect-head" }, this.title,
      make("button", { type: "button", class: "iotnb-button iotnb-close", "aria-label": "Close details", onclick: close })),
    make("div", { class: "iotnb-inspect-body", tabindex: "0", role: "group", "aria-label": "Row and document" }, this.facts, make("h4", { text: "Document of the platform" }), this.word, this.document));
  }

  expect(device) { this.device = device; }

  receive(message) {
    if (message.device !== this.device) return;
    if (message.kind === "details") this.drawRow(message);
    this.drawDocument(message);
    this.node.hidden = false;
    this.node.dataset.device = this.device;
    this.node.dataset.document = message.kind === "details" ? message.document === null ? "asked" : message.document ? "shown" : "none" : message.text ? "shown" : "none";
  }

  drawRow(message) {
    const name = message.row.find(([label]) => label === "Name");
    this.title.textContent = (name && name[1]) || message.device;
    this.facts.replaceChildren(make("tbody", {}, ...message.row.filter(([, text]) => text !== "").map(([label, text]) =>
      make("tr", {}, make("th", { scope: "row", text: label }), make("td", { text })))));
  }

  drawDocument(message) {
    const text = message.kind === "details" ? message.document : message.text;
    this.document.textContent = text || "";
    this.document.hidden = !text;
    this.word.textContent = text === null ? "Asking the platform ..." : text ? "" : message.problem || "This table holds no documents: load it with documents=True.";
    this.word.hidden = !this.word.textContent;
  }
}
