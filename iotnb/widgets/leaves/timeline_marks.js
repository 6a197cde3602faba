// How a status looks: a symbol and a pattern beside its colour, the same on the lanes, in filters and in the table.
// Shapes are drawn in a box of 16 x 16; the sign lies on the shape in the background's colour.
const LOOKS = {
  PENDING: { shape: "M8 1.5 14.5 8 8 14.5 1.5 8Z", sign: "M8 5v3.4l2 1.6", pattern: "dots" },
  EXECUTING: { shape: "M3 1.8 14.6 8 3 14.2Z", sign: "", pattern: "rising" },
  SUCCESSFUL: { shape: "M8 1a7 7 0 1 1 0 14A7 7 0 0 1 8 1Z", sign: "M4.8 8.3 7.1 10.6 11.3 5.9", pattern: "" },
  FAILED: { shape: "M4 1.5h8A2.5 2.5 0 0 1 14.5 4v8a2.5 2.5 0 0 1-2.5 2.5H4A2.5 2.5 0 0 1 1.5 12V4A2.5 2.5 0 0 1 4 1.5Z", sign: "M5 5 11 11M11 5 5 11", pattern: "crossed" },
  CANCELLED: { shape: "M8 1 14.2 4.5v7L8 15 1.8 11.5v-7Z", sign: "M4.8 8h6.4", pattern: "flat" },
};
const OTHER_LOOK = { shape: "M1.5 8 5 2h6l3.5 6L11 14H5Z", sign: "M8 5v6M5 8h6", pattern: "falling" };
const look = (status) => LOOKS[status] || OTHER_LOOK;
const tone = (status) => `--tl-${status in LOOKS ? status.toLowerCase() : "other"}`;

function drawing(tag, attributes) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}

function symbol(status) {
  const { shape, sign } = look(status);
  const svg = drawing("svg", { viewBox: "0 0 16 16", class: "tl-symbol", "aria-hidden": "true" });
  svg.style.color = `var(${tone(status)})`;
  svg.append(drawing("path", { d: shape, fill: "currentColor" }), drawing("path", { d: sign, class: "tl-sign" }));
  return svg;
}

// The colours of the theme that is on, read from the style sheet; patterns are small tiles in them.
class Palette {
  constructor(el) {
    const style = getComputedStyle(el), read = (name) => style.getPropertyValue(name).trim();
    this.read = read;
    this.paper = style.getPropertyValue("--tl-paper").trim();
    this.ink = read("--tl-ink");
    this.dim = read("--tl-dim");
    this.hair = read("--tl-hair");
    this.stripe = read("--tl-stripe");
    this.brand = read("--tl-brand");
    this.font = style.fontFamily;
    this.tiles = new Map();
  }

  colour(status) { return this.read(tone(status)); }

  // Lines in the paper's colour over the status's own: the fill of a bar.
  fill(context, status) {
    if (!this.tiles.has(status)) this.tiles.set(status, this.tile(context, status));
    return this.tiles.get(status);
  }

  tile(context, status) {
    const scale = 2, size = 6, node = document.createElement("canvas");
    node.width = node.height = size * scale;
    const pen = node.getContext("2d");
    pen.scale(scale, scale);
    pen.fillStyle = this.colour(status);
    pen.fillRect(0, 0, size, size);
    pen.strokeStyle = pen.fillStyle = this.paper;
    pen.globalAlpha = 0.55;
    pen.lineWidth = 1.1;
    pen.beginPath();
    const { pattern } = look(status);
    if (pattern === "dots") { pen.arc(1.5, 1.5, 0.9, 0, 7); pen.fill(); pen.beginPath(); pen.arc(4.5, 4.5, 0.9, 0, 7); pen.fill(); }
    if (pattern === "rising" || pattern === "crossed") for (const x of [-6, 0, 6]) { pen.moveTo(x, 6); pen.lineTo(x + 6, 0); }
    if (pattern === "falling" || pattern === "crossed") for (const x of [-6, 0, 6]) { pen.moveTo(x, 0); pen.lineTo(x + 6, 6); }
    if (pattern === "flat") { pen.moveTo(0, 3); pen.lineTo(6, 3); }
    if (pattern !== "dots") pen.stroke();
    const made = context.createPattern(node, "repeat");
    made.setTransform(new DOMMatrix().scale(1 / scale));
    return made;
  }

  mark(context, status, x, y, size) {
    const { shape, sign } = look(status), scale = size / 16;
    context.save();
    context.translate(x, y);
    context.scale(scale, scale);
    context.fillStyle = this.colour(status);
    context.strokeStyle = this.paper;
    context.lineWidth = 2.2;
    const outline = new Path2D(shape);
    context.stroke(outline); // a rim of paper keeps neighbours apart
    context.fill(outline);
    context.lineWidth = 1.9;
    context.lineCap = context.lineJoin = "round";
    context.stroke(new Path2D(sign));
    context.restore();
  }
}

// ---- the axis of time, in UTC

const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const STEPS = [
  SECOND, 2 * SECOND, 5 * SECOND, 10 * SECOND, 30 * SECOND, MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 30 * MINUTE,
  HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 4 * DAY, 7 * DAY, 14 * DAY,
];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");
const two = (n) => String(n).padStart(2, "0");

// Where the axis has lines, and what they say: [milliseconds, text, whether a day or a month begins there].
function ticks(from, to, room) {
  const rough = (to - from) / Math.max(room, 1), step = STEPS.find((each) => each >= rough);
  const found = [];
  if (!step) {
    const months = [1, 2, 3, 6, 12, 24, 60].find((n) => n * 30 * DAY >= rough) || 120;
    const start = new Date(from), first = start.getUTCFullYear() * 12 + start.getUTCMonth();
    for (let m = Math.ceil(first / months) * months; ; m += months) {
      const at = Date.UTC(Math.floor(m / 12), m % 12, 1);
      if (at > to) return found;
      if (at >= from) found.push([at, m % 12 ? MONTHS[m % 12] : String(Math.floor(m / 12)), m % 12 === 0]);
    }
  }
  const origin = step >= 7 * DAY ? 4 * DAY : 0; // weeks begin on Mondays
  for (let at = Math.ceil((from - origin) / step) * step + origin; at <= to; at += step) {
    const date = new Date(at), midnight = at % DAY === 0;
    const day = `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
    const clock = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;
    found.push([at, midnight ? day : step < MINUTE ? `${clock}:${two(date.getUTCSeconds())}` : clock, midnight && step < DAY]);
  }
  return found;
}
