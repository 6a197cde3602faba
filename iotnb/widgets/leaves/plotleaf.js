// The plot on its own, outside of a panel.
export default {
  render({ model, el }) {
    el.classList.add("iotnb-root", "iotnb-alone");
    const body = make("div", {});
    el.append(body);
    const plot = new Plot(body, (content) => model.send(content));
    const onMessage = (message, buffers) => plot.receive(message, buffers || []);
    model.on("msg:custom", onMessage);
    const release = guard(el);
    return () => { release(); model.off("msg:custom", onMessage); plot.close(); };
  },
};
