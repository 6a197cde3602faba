// Files that the kernel made: handed to the browser's downloads, pictures also shown.
const MIMES = { png: "image/png", svg: "image/svg+xml", csv: "text/csv", parquet: "application/vnd.apache.parquet" };
const fileUrl = (kind, buffer) => URL.createObjectURL(new Blob([buffer], { type: MIMES[kind] }));

function download(name, kind, buffer) {
  const link = make("a", { href: fileUrl(kind, buffer), download: `${name}.${kind}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// A picture with links to its files; `kinds` names the buffers, the first one is shown.
function pictures(name, alt, kinds, buffers) {
  const urls = kinds.map((kind, i) => fileUrl(kind, buffers[i]));
  const links = kinds.map((kind, i) => make("a", { class: "iotnb-button", href: urls[i], download: `${name}.${kind}`, text: `Save as ${kind.toUpperCase()}` }));
  return make("figure", { class: "iotnb-print" }, make("img", { src: urls[0], alt }), make("figcaption", { class: "iotnb-bar" }, ...links));
}
