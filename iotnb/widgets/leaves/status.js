// One line that says in words what state the panel is in. The live region stays in the page; its text is
// written only when it changes. The note beside it (a countdown) is no part of it: nobody wants it read out.
export default {
  render({ model, el }) {
    const chip = make("span", { class: "iotnb-chip" });
    const text = make("span", { class: "iotnb-detail" });
    const note = make("span", { class: "iotnb-note" });
    const line = make("div", { class: "iotnb-status-text", role: "status", "aria-live": "polite" }, chip, text);
    el.classList.add("iotnb-status");
    el.append(line, note);
    const write = (node, value) => {
      if (node.textContent !== value) node.textContent = value;
      node.hidden = !value;
    };
    const draw = () => {
      chip.dataset.tone = model.get("tone");
      write(chip, model.get("word"));
      write(text, model.get("text"));
      write(note, model.get("note"));
    };
    // The kernel side goes away with a restart, this page does not: say so.
    const gone = () => {
      chip.dataset.tone = "warn";
      write(chip, "Disconnected");
      write(text, "The kernel has restarted: run the cell again.");
      write(note, "");
    };
    const events = "change:tone change:word change:text change:note";
    model.on(events, draw);
    model.on("comm_live_update", gone);
    draw();
    return () => {
      model.off(events, draw);
      model.off("comm_live_update", gone);
    };
  },
};
