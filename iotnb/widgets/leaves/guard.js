// Keeps JupyterLab's one-key shortcuts away from the node that has the focus inside a panel.
// Lumino looks for the attribute on the focused node itself and listens on the document, so it is set at
// each keydown on the window, before that. With Ctrl, Meta or Alt it is taken away again (Ctrl+S still
// saves), except for the combinations that a leaf claims for itself in data-iotnb-keys.
const SUPPRESS = "data-lm-suppress-shortcuts";

function guard(el) {
  const onKey = (event) => {
    const node = event.target;
    const root = el.closest(".iotnb-root") || el;
    if (!(node instanceof Element) || !root.contains(node)) return;
    const claimed = (node.getAttribute("data-iotnb-keys") || "").split(" ").includes(event.key.toLowerCase());
    if ((event.ctrlKey || event.metaKey || event.altKey) && !claimed) node.removeAttribute(SUPPRESS);
    else node.setAttribute(SUPPRESS, "true");
  };
  window.addEventListener("keydown", onKey, true);
  return () => window.removeEventListener("keydown", onKey, true);
}
