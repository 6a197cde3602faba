// A field whose value never leaves this page but in one message, when the kernel asks for it or at Enter.
export default {
  render({ model, el }) {
    const view = viewName();
    const id = `iotnb-${view}`;
    const input = make("input", {
      id, type: "password", autocomplete: "off", autocapitalize: "off", spellcheck: "false",
      "aria-describedby": `${id}-hint`, class: "iotnb-input",
    });
    const label = make("label", { for: id, class: "iotnb-label" });
    const toggle = make("button", { type: "button", class: "iotnb-button iotnb-reveal", text: "Show" });
    const hint = make("div", { id: `${id}-hint`, class: "iotnb-hint" });
    el.classList.add("iotnb-field", "iotnb-secret");
    el.append(label, make("div", { class: "iotnb-input-row" }, input, toggle), hint);

    const send = (content) => model.send({ view, ...content });
    let filled = false;
    const tell = () => {
      if (filled === Boolean(input.value)) return;
      filled = Boolean(input.value);
      send({ kind: "filled", filled });
    };
    const hide = () => {
      input.type = "password";
      toggle.textContent = "Show";
      toggle.setAttribute("aria-label", `Show ${model.get("label")}`);
    };
    const handOver = (content) => {
      const value = input.value;
      input.value = "";
      filled = false;
      hide();
      send({ ...content, value });
    };
    input.addEventListener("input", tell);
    input.addEventListener("change", tell);
    input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.isComposing) return;
      event.preventDefault();
      handOver({ kind: "submit" });
    });
    toggle.addEventListener("click", () => {
      if (input.type === "text") return hide();
      input.type = "text";
      toggle.textContent = "Hide";
      toggle.setAttribute("aria-label", `Hide ${model.get("label")}`);
    });
    const onMessage = (message) => {
      if (message.do === "collect" && input.value) handOver({ kind: "value", round: message.round });
      if (message.do === "clear") { input.value = ""; hide(); tell(); }
      if (message.do === "focus") input.focus();
    };
    const draw = () => {
      label.textContent = model.get("label");
      hint.textContent = model.get("hint");
      hint.hidden = !model.get("hint");
      input.placeholder = model.get("placeholder");
      input.disabled = toggle.disabled = model.get("disabled");
      if (model.get("invalid")) input.setAttribute("aria-invalid", "true");
      else input.removeAttribute("aria-invalid");
    };
    const events = "change:label change:hint change:placeholder change:disabled change:invalid";
    model.on("msg:custom", onMessage);
    model.on(events, draw);
    draw();
    hide();
    send({ kind: "view", open: true });
    const release = guard(el);
    return () => {
      input.value = "";
      model.off("msg:custom", onMessage);
      model.off(events, draw);
      release();
      send({ kind: "view", open: false });
    };
  },
};
