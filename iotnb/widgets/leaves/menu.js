// A button with a list of check boxes: which of some words a filter lets through, with the rows of each.
class Menu {
  constructor(id, label, plural, toggle) {
    this.label = label;
    this.toggle = toggle;
    this.words = [];
    this.chosen = [];
    this.button = make("button", {
      type: "button", class: "iotnb-button iotnb-menu", "aria-expanded": "false", "aria-controls": id, text: `${label}: all`, onclick: () => this.open(this.list.hidden),
    });
    this.list = make("div", { id, class: "iotnb-popup", role: "group", "aria-label": plural, hidden: true });
    this.node = make("div", { class: "iotnb-filter", onkeydown: (event) => {
      if (event.key === "Escape" && !this.list.hidden) { event.preventDefault(); this.open(false); this.button.focus(); }
    } }, this.button, this.list);
    this.node.addEventListener("focusout", (event) => { if (event.relatedTarget && !this.node.contains(event.relatedTarget)) this.open(false); });
  }

  // `words` are pairs of a word and its number of rows.
  draw(words, chosen) {
    this.words = words;
    this.chosen = chosen;
    this.node.hidden = words.length < 2 && !chosen.length;
    this.button.textContent = `${this.label}: ${!chosen.length ? "all" : chosen.length === 1 ? chosen[0] || "none" : `${chosen.length} of ${words.length}`}`;
    if (!this.list.hidden) this.drawList();
  }

  drawList() {
    const focused = this.list.contains(document.activeElement) ? document.activeElement.dataset.name : null;
    this.list.replaceChildren(...this.words.slice(0, 200).map(([name, n]) => {
      const box = make("input", { type: "checkbox", "data-name": name, onchange: () => this.toggle(name) });
      box.checked = this.chosen.includes(name);
      return make("label", {}, box, make("span", { text: name || "none" }), make("span", { class: "iotnb-note", text: number(n) }));
    }));
    if (focused !== null) [...this.list.querySelectorAll("input")].find((box) => box.dataset.name === focused)?.focus();
  }

  open(open) {
    this.list.hidden = !open;
    this.button.setAttribute("aria-expanded", String(open));
    if (open) { this.drawList(); this.list.querySelector("input")?.focus(); }
  }
}
