// The swim lanes: a canvas that draws what is visible, one option for the operation that has the keyboard.
const LANE = 32, BAR = 14, MARK = 16, AXIS = 36, JOIN = 24, MOST_LANES = 10;

class Lanes {
  constructor(owner) {
    this.owner = owner;
    this.lanes = [];
    this.hits = [];
    this.laneOf = new Int32Array(0);
    const id = owner.id;
    this.by = ["device", "kind"].map((by) => make("button", {
      type: "button", class: "iotnb-button", text: by === "device" ? "Devices" : "Kinds", "aria-pressed": "false",
      title: `One lane for each ${by}`, onclick: () => owner.setBy(by),
    }));
    this.axis = make("canvas", { class: "tl-axis", "aria-hidden": "true" });
    this.canvas = make("canvas", { class: "tl-canvas", "aria-hidden": "true" });
    this.labels = make("div", { class: "tl-labels", "aria-hidden": "true" });
    this.active = make("div", { class: "tl-active", role: "option", id: `${id}-op`, "aria-selected": "false" });
    this.stick = make("div", { class: "tl-stick" }, this.labels, this.canvas, this.active);
    this.size = make("div", { class: "tl-size" });
    this.scroll = make("div", {
      class: "tl-scroll", tabindex: "0", role: "group", "aria-label": `${owner.model.get("label")}: lanes over time`,
      "aria-describedby": `${id}-sum ${id}-keys`, "data-iotnb-keys": "",
      onkeydown: (event) => this.key(event), onscroll: () => this.later(), onfocus: () => this.later(), onblur: () => this.later(),
    }, this.stick, this.size);
    this.tip = make("div", { class: "tl-tip", "aria-hidden": "true", hidden: true });
    this.choice = make("div", { class: "tl-joined", role: "group", "aria-label": "A lane for each" }, ...this.by);
    this.corner = make("div", { class: "tl-corner" });
    this.node = make("div", { class: "iotnb-frame tl-frame" }, make("div", { class: "tl-top" }, this.corner, this.axis), this.scroll, this.tip);
    this.listen();
  }

  listen() {
    const { canvas } = this;
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      this.drag = { from: event.offsetX, to: event.offsetX };
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (this.drag) { this.drag.to = event.offsetX; this.tip.hidden = true; this.later(); } else this.hover(event);
    });
    canvas.addEventListener("pointerup", (event) => this.release(event));
    canvas.addEventListener("pointercancel", () => { this.drag = null; this.later(); });
    canvas.addEventListener("pointerleave", () => { this.tip.hidden = true; });
    canvas.addEventListener("dblclick", () => this.fit());
    this.scroll.addEventListener("wheel", (event) => this.wheel(event), { passive: false });
  }

  // ---- what there is to draw

  setLanes(lanes, by) {
    this.lanes = lanes;
    this.corner.textContent = `${number(lanes.length)} ${by}${lanes.length === 1 ? "" : "s"}`;
    this.laneOf = new Int32Array(this.owner.data.n).fill(-1);
    lanes.forEach((lane, i) => { for (const row of lane.rows) this.laneOf[row] = i; });
    this.scroll.style.height = `${Math.min(Math.max(lanes.length, 3), MOST_LANES) * LANE}px`;
    const some = lanes.length > 0;
    this.scroll.setAttribute("role", some ? "listbox" : "group");
    this.active.hidden = !some;
    this.later();
  }

  laneAt(row) { return row < 0 || row >= this.laneOf.length ? -1 : this.laneOf[row]; }

  full() {
    const { data } = this.owner;
    let [from, to] = data.window || [Infinity, -Infinity];
    for (let row = 0; row < data.n; row += 1) {
      if (data.begin[row] < from) from = data.begin[row];
      const last = Number.isNaN(data.end[row]) ? data.begin[row] : data.end[row];
      if (last > to) to = last;
    }
    if (!(to >= from)) [from, to] = [data.now - DAY, data.now];
    const edge = Math.max((to - from) * 0.02, MINUTE);
    return [from - edge, to + edge];
  }

  fit() { this.view = this.full(); this.later(); }

  // Zooms by a factor about a moment, or about the middle; not closer than a second, not wider than all.
  zoom(factor, about = (this.view[0] + this.view[1]) / 2) {
    const [from, to] = this.view, [least, most] = this.full();
    const span = Math.min(Math.max((to - from) * factor, SECOND), most - least);
    const start = about - (about - from) * (span / (to - from));
    this.place(start, span);
  }

  pan(share) { const [from, to] = this.view; this.place(from + (to - from) * share, to - from); }

  place(start, span) {
    const [least, most] = this.full(), at = Math.min(Math.max(start, least), Math.max(most - span, least));
    this.view = [at, at + span];
    this.later();
  }

  x(t) { return ((t - this.view[0]) / (this.view[1] - this.view[0])) * this.width; }

  // Where a bar ends, and how that is known: closed, open (not over yet) or stub (end not recorded).
  ending(row) {
    const { data } = this.owner, end = data.end[row];
    if (!Number.isNaN(end)) return [this.x(end), "closed"];
    const word = data.statuses[data.status[row]];
    if (word === "PENDING" || word === "EXECUTING") return [this.x(Math.max(data.now, data.begin[row])), "open"];
    return [this.x(data.begin[row]) + 30, "stub"];
  }

  // ---- drawing

  later() {
    if (this.frame) return;
    this.frame = requestAnimationFrame(() => { this.frame = 0; this.draw(); });
  }

  prepare(canvas, height) {
    const ratio = window.devicePixelRatio || 1, width = this.width;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    return pen;
  }

  draw() {
    const { owner } = this, total = this.lanes.length * LANE;
    this.width = Math.max(this.stick.clientWidth - this.labels.offsetWidth, 80);
    const height = this.scroll.clientHeight;
    if (!owner.data || !height) return;
    if (!this.view) this.view = this.full();
    this.stick.style.height = `${height}px`;
    this.size.style.height = `${Math.max(total - height, 0)}px`;
    const pen = this.prepare(this.canvas, height);
    this.marks = ticks(this.view[0], this.view[1], this.width / 88);
    this.hits = [];
    const top = this.scroll.scrollTop, first = Math.floor(top / LANE), last = Math.min(this.lanes.length, Math.ceil((top + height) / LANE));
    this.backdrop(pen, height, first, last, top);
    for (let i = first; i < last; i += 1) this.drawLane(pen, this.lanes[i], i * LANE - top);
    this.drawBand(pen, height);
    this.drawLabels(first, last, top);
    this.drawActive(pen, top);
    this.drawAxis();
    owner.el.dataset.from = String(Math.round(this.view[0]));
    owner.el.dataset.to = String(Math.round(this.view[1]));
  }

  backdrop(pen, height, first, last, top) {
    const { palette, data } = this.owner;
    for (let i = first; i < last; i += 1) {
      pen.fillStyle = palette.stripe;
      if (i % 2) pen.fillRect(0, i * LANE - top, this.width, LANE);
    }
    pen.fillStyle = palette.hair;
    for (const [at, , major] of this.marks) { pen.globalAlpha = major ? 1 : 0.6; pen.fillRect(Math.round(this.x(at)), 0, 1, height); }
    pen.globalAlpha = 1;
    const now = this.x(data.now);
    if (now >= 0 && now <= this.width) {
      pen.strokeStyle = palette.brand;
      pen.setLineDash([3, 3]);
      pen.beginPath(); pen.moveTo(now, 0); pen.lineTo(now, height); pen.stroke();
      pen.setLineDash([]);
    }
  }

  drawLane(pen, lane, y) {
    const { data } = this.owner, middle = y + LANE / 2, seen = [];
    for (const row of lane.rows) {
      const from = this.x(data.begin[row]), [to, kind] = this.ending(row);
      if (to + MARK < 0 || from - MARK > this.width) continue;
      seen.push([row, from, to, kind]);
    }
    for (const [row, from, to, kind] of seen) if (kind !== "closed") this.drawBar(pen, row, from, to, kind, middle);
    for (const [row, from, to, kind] of seen) if (kind === "closed" && to - from > 3) this.drawBar(pen, row, from, to, kind, middle);
    seen.forEach(([row, from, to, kind], i) => {
      if (kind !== "closed") this.drawNote(pen, row, from, Math.min(to, i + 1 < seen.length ? seen[i + 1][1] - MARK : Infinity), kind, middle);
    });
    let group = [];
    for (const each of seen) {
      if (group.length && each[1] - group[0][1] >= JOIN) { this.drawGroup(pen, group, middle); group = []; }
      group.push(each);
    }
    if (group.length) this.drawGroup(pen, group, middle);
  }

  drawBar(pen, row, from, to, kind, middle) {
    const { palette, data } = this.owner, word = data.statuses[data.status[row]];
    const left = Math.max(from, -20), right = Math.min(Math.max(to, from + 3), this.width + 20), top = middle - BAR / 2;
    pen.beginPath();
    pen.roundRect(left, top, right - left, BAR, kind === "closed" ? 4 : [4, 0, 0, 4]);
    pen.fillStyle = palette.fill(pen, word);
    pen.globalAlpha = kind === "closed" ? 1 : 0.38;
    pen.fill();
    pen.globalAlpha = 1;
    this.hits.push({ left, right, top: middle - MARK / 2, bottom: middle + MARK / 2, rows: [row], bar: true });
    if (kind === "closed") return;
    pen.strokeStyle = palette.colour(word);
    pen.setLineDash([4, 3]);
    for (const height of [top + 0.5, top + BAR - 0.5]) { pen.beginPath(); pen.moveTo(left, height); pen.lineTo(right, height); pen.stroke(); }
    pen.setLineDash([]);
  }

  // What an open bar means, in words, where there is room before the next operation.
  drawNote(pen, row, from, right, kind, middle) {
    const { palette, data } = this.owner, word = data.statuses[data.status[row]], left = Math.max(from, -20);
    const told = kind === "open" ? `${word.toLowerCase()} for ${lasting(data.now - data.begin[row])}` : "end not recorded";
    pen.font = `600 10.5px ${palette.font}`;
    const wide = pen.measureText(told).width;
    const at = Math.max(left, 0) + MARK;
    if (Math.min(right, this.width) - at < wide + 14) return;
    pen.fillStyle = palette.paper;
    pen.beginPath(); pen.roundRect(at - 1, middle - 7, wide + 10, 14, 7); pen.fill();
    pen.fillStyle = palette.ink;
    pen.textBaseline = "middle";
    pen.textAlign = "left";
    pen.fillText(told, at + 4, middle + 0.5);
  }

  drawGroup(pen, group, middle) {
    const { palette, data } = this.owner, [first, from] = group[0];
    if (group.length === 1) {
      if (from > -MARK) palette.mark(pen, data.statuses[data.status[first]], from - MARK / 2, middle - MARK / 2, MARK);
      this.hits.push({ left: from - MARK / 2, right: from + MARK / 2, top: middle - MARK / 2, bottom: middle + MARK / 2, rows: [first] });
      return;
    }
    const left = from - MARK / 2, wide = JOIN - 2, top = middle - 10;
    pen.fillStyle = palette.paper;
    pen.strokeStyle = palette.dim;
    pen.lineWidth = 1;
    pen.beginPath(); pen.roundRect(left + 0.5, top + 0.5, wide - 1, 19, 5); pen.fill(); pen.stroke();
    const counts = new Map();
    for (const [row] of group) counts.set(data.status[row], (counts.get(data.status[row]) || 0) + 1);
    pen.save();
    pen.beginPath(); pen.roundRect(left + 1.5, top + 1.5, wide - 3, 17, 4); pen.clip();
    let at = left + 1.5;
    for (const [code, n] of [...counts].sort((a, b) => a[0] - b[0])) {
      const share = ((wide - 3) * n) / group.length;
      pen.fillStyle = palette.fill(pen, data.statuses[code]);
      pen.fillRect(at, top + 13, share, 6);
      at += share;
    }
    pen.restore();
    const told = group.length < 1000 ? String(group.length) : `${Math.round(group.length / 1000)}k`;
    pen.fillStyle = palette.ink;
    pen.font = `600 ${told.length > 2 ? 9.5 : 10.5}px ${palette.font}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillText(told, left + wide / 2, top + 7.5);
    this.hits.push({ left, right: left + wide, top, bottom: top + 20, rows: group.map(([row]) => row) });
  }

  drawBand(pen, height) {
    if (!this.drag || Math.abs(this.drag.to - this.drag.from) < 4) return;
    const { palette } = this.owner, left = Math.min(this.drag.from, this.drag.to), wide = Math.abs(this.drag.to - this.drag.from);
    pen.globalAlpha = 0.16;
    pen.fillStyle = palette.brand;
    pen.fillRect(left, 0, wide, height);
    pen.globalAlpha = 1;
    pen.strokeStyle = palette.brand;
    pen.strokeRect(left + 0.5, 0.5, wide, height - 1);
  }

  drawLabels(first, last, top) {
    const wanted = Math.max(last - first, 0);
    while (this.labels.children.length < wanted) this.labels.append(make("div", { class: "tl-label" }, make("span", {}), make("small", {})));
    [...this.labels.children].forEach((node, i) => {
      const lane = this.lanes[first + i];
      node.hidden = i >= wanted;
      if (!lane || node.hidden) return;
      node.style.transform = `translateY(${(first + i) * LANE - top}px)`;
      node.classList.toggle("tl-odd", (first + i) % 2 === 1);
      node.title = lane.title;
      const count = number(lane.rows.length), label = this.elided(lane.label, this.labels.clientWidth - 36 - count.length * 7);
      if (node.children[0].textContent !== label) node.children[0].textContent = label;
      node.children[1].textContent = count;
    });
  }

  // A name that is too long loses its middle: names often differ at their end.
  elided(text, room) {
    const pen = this.axis.getContext("2d");
    pen.font = `13px ${this.owner.palette.font}`;
    if (pen.measureText(text).width <= room) return text;
    let kept = Math.max(4, Math.floor((text.length * room) / pen.measureText(text).width));
    const cut = () => `${text.slice(0, Math.ceil(kept / 2) - 1).trimEnd()}\u2026${text.slice(-Math.floor(kept / 2)).trimStart()}`;
    while (kept > 4 && pen.measureText(cut()).width > room) kept -= 1;
    return cut();
  }

  // A ring about the operation that has the keyboard, and the option that says what it is.
  drawActive(pen, top) {
    const { owner } = this, row = owner.current, lane = this.laneAt(row);
    if (lane < 0) { this.scroll.removeAttribute("aria-activedescendant"); this.active.textContent = ""; return; }
    this.scroll.setAttribute("aria-activedescendant", this.active.id);
    const words = owner.sentence(row);
    if (this.active.textContent !== words) this.active.textContent = words;
    const rows = this.lanes[lane].rows;
    this.active.setAttribute("aria-posinset", String(owner.place[row] + 1));
    this.active.setAttribute("aria-setsize", String(owner.shown.length));
    this.active.setAttribute("aria-selected", String(owner.opened === row));
    this.active.style.transform = `translateY(${lane * LANE - top}px)`;
    const hit = this.hits.find((each) => !each.bar && each.rows.includes(row));
    if (!hit || !rows.length || (document.activeElement !== this.scroll && owner.opened !== row)) return;
    pen.strokeStyle = owner.palette.brand;
    pen.lineWidth = 2;
    pen.beginPath();
    pen.roundRect(hit.left - 3, hit.top - 3, hit.right - hit.left + 6, hit.bottom - hit.top + 6, 7);
    pen.stroke();
  }

  drawAxis() {
    const pen = this.prepare(this.axis, AXIS), { palette, data } = this.owner;
    pen.font = `11px ${palette.font}`;
    pen.textBaseline = "middle";
    const said = (at) => `${new Date(at).getUTCDate()} ${MONTHS[new Date(at).getUTCMonth()]} ${new Date(at).getUTCFullYear()}`;
    const fine = this.view[1] - this.view[0] < 3 * DAY;
    const whole = (at) => (fine ? `${said(at)} ${moment(at).slice(11, this.view[1] - this.view[0] < 10 * MINUTE ? 19 : 16)}` : said(at));
    pen.fillStyle = palette.dim;
    pen.textAlign = "left";
    pen.fillText(whole(this.view[0]), 6, 9);
    pen.textAlign = "right";
    pen.fillText(`${whole(this.view[1])} UTC`, this.width - 6, 9);
    for (const [at, text, major] of this.marks) {
      const x = this.x(at), half = pen.measureText(text).width / 2;
      pen.fillStyle = palette.hair;
      pen.fillRect(Math.round(x), AXIS - 5, 1, 5);
      pen.fillStyle = major ? palette.ink : palette.dim;
      pen.font = `${major ? "600 " : ""}11px ${palette.font}`;
      pen.textAlign = "center";
      if (x - half > 2 && x + half < this.width - 2) pen.fillText(text, x, 25);
    }
    const now = this.x(data.now);
    if (now > 0 && now <= this.width) { pen.fillStyle = palette.brand; pen.beginPath(); pen.moveTo(now - 4, AXIS - 5); pen.lineTo(now + 4, AXIS - 5); pen.lineTo(now, AXIS); pen.fill(); }
  }

  // ---- mouse

  at(x, y) {
    const inside = this.hits.filter((each) => x >= each.left && x <= each.right && y >= each.top && y <= each.bottom);
    return inside.find((each) => !each.bar) || inside.at(-1);
  }

  hover(event) {
    const hit = this.at(event.offsetX, event.offsetY), { owner } = this;
    this.canvas.style.cursor = hit ? "pointer" : "crosshair";
    this.tip.hidden = !hit;
    if (!hit) return;
    const lines = hit.rows.length === 1 ? owner.lines(hit.rows[0]) : owner.groupLines(hit.rows);
    this.tip.replaceChildren(...lines.map((line, i) => make("div", { text: line, class: i ? "" : "tl-tip-head" })));
    const box = this.node.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    this.tip.style.left = `${Math.max(4, Math.min(x + 14, box.width - this.tip.offsetWidth - 6))}px`;
    this.tip.style.top = `${y + 18}px`;
  }

  release(event) {
    const { drag } = this;
    this.drag = null;
    if (!drag) return;
    this.scroll.focus({ preventScroll: true });
    const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    if (to - from >= 4) {
      const time = (x) => this.view[0] + (x / this.width) * (this.view[1] - this.view[0]);
      const [start, end] = [time(from), time(to)];
      this.place(start, Math.max(end - start, SECOND));
      return;
    }
    const hit = this.at(event.offsetX, event.offsetY);
    if (hit) this.choose(hit.rows);
  }

  // One operation: its document. Several under one sign: closer, until they part; then the next of them.
  choose(rows) {
    const { owner } = this, { begin } = owner.data;
    const spread = begin[rows.at(-1)] - begin[rows[0]];
    if (rows.length > 1 && spread > 0 && this.view[1] - this.view[0] > 2 * SECOND) {
      owner.setCurrent(rows[0]);
      const span = Math.max(spread * 1.6, SECOND);
      this.place(begin[rows[0]] - (span - spread) / 2, span);
      return;
    }
    const next = rows[(rows.indexOf(owner.opened) + 1) % rows.length];
    owner.setCurrent(next);
    owner.open(next);
  }

  wheel(event) {
    if (!this.view) return;
    if (event.ctrlKey || event.metaKey) {
      event.preventDefault();
      const box = this.canvas.getBoundingClientRect();
      const about = this.view[0] + ((event.clientX - box.left) / this.width) * (this.view[1] - this.view[0]);
      this.zoom(event.deltaY > 0 ? 1.25 : 0.8, about);
    } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
      event.preventDefault();
      this.pan((event.deltaX || event.deltaY) / 800);
    }
  }

  // ---- keys

  key(event) {
    const { key } = event, { owner } = this;
    if (event.altKey || event.ctrlKey || event.metaKey || !owner.data || !this.view) return;
    const moves = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0], Home: [0, -Infinity], End: [0, Infinity], PageDown: [MOST_LANES - 1, 0], PageUp: [1 - MOST_LANES, 0] };
    if (event.shiftKey && (key === "ArrowRight" || key === "ArrowLeft")) this.pan(key === "ArrowRight" ? 0.2 : -0.2);
    else if (key in moves) this.step(...moves[key]);
    else if (key === "+" || key === "=") this.zoom(0.6, this.about());
    else if (key === "-") this.zoom(1 / 0.6, this.about());
    else if (key === "0") this.fit();
    else if (key === "Enter" || key === " ") { if (this.laneAt(owner.current) >= 0) owner.open(owner.current); }
    else if (key === "Escape") owner.close();
    else if (key === "/") owner.search.focus();
    else return;
    event.preventDefault();
  }

  about() {
    const at = this.owner.data.begin[this.owner.current];
    return at >= this.view[0] && at <= this.view[1] ? at : undefined;
  }

  step(lanes, along) {
    const { owner } = this, here = this.laneAt(owner.current);
    if (!this.lanes.length) return;
    if (here < 0) { owner.setCurrent(this.lanes[Math.floor(this.scroll.scrollTop / LANE)].rows[0]); return; }
    if (!lanes) {
      const { rows } = this.lanes[here], at = rows.indexOf(owner.current) + along;
      owner.setCurrent(rows[Math.max(0, Math.min(rows.length - 1, at))]);
      return;
    }
    const { rows } = this.lanes[Math.max(0, Math.min(this.lanes.length - 1, here + lanes))], { begin } = owner.data, at = begin[owner.current];
    let best = rows[0];
    for (const row of rows) if (Math.abs(begin[row] - at) < Math.abs(begin[best] - at)) best = row;
    owner.setCurrent(best);
  }

  // Scrolls and pans until an operation is to be seen.
  reveal(row) {
    const lane = this.laneAt(row);
    if (lane < 0 || !this.view) return;
    const top = lane * LANE, height = this.scroll.clientHeight;
    if (top < this.scroll.scrollTop) this.scroll.scrollTop = top;
    else if (top + LANE > this.scroll.scrollTop + height) this.scroll.scrollTop = top + LANE - height;
    const at = this.owner.data.begin[row], [from, to] = this.view;
    if (at < from || at > to) this.place(at - (to - from) / 2, to - from);
    this.later();
  }
}
