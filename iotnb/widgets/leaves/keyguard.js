export default {
  render({ model, el }) {
    const view = viewName();
    el.style.display = "none";
    model.send({ view, open: true });
    const release = guard(el);
    return () => {
      release();
      model.send({ view, open: false });
    };
  },
};
