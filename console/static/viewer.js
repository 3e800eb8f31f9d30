// Draws a recording on canvases from tiles that the console sends, and moves through it by key, pointer or link.
// Without this file the page shows the same view as a picture, and every link leads to the next one.
"use strict";

const root = document.getElementById("viewer");
const about = JSON.parse(root.dataset.about);
const canvas = root.querySelector("canvas.traces");
const overview = root.querySelector("canvas.overview");
const status = root.querySelector(".status");
const strips = [...root.querySelectorAll("img[data-strip]")];
const view = { ...about.view };
const ROW = 26, LANE = 32, COURSE = 68, TOLD = 0.05, AXIS = 22, TOP = 4, KEPT = 300;
const TICKS = [1, 2, 5, 10, 30, 60, 120, 300, 600];
const FIELDS = ["start", "seconds", "montage", "gain", "high", "low", "notch"];
let readings = [];
let waiting = false;

const gutter = () => (root.clientWidth < 520 ? 58 : 104);
const width = () => Math.max(40, canvas.clientWidth - gutter());
const rows = () => (about.montages[view.montage] || { rows: [] }).rows;
const last = () => Math.max(0, about.duration_s - view.seconds);
const clamp = (value, low, high) => Math.min(Math.max(value, low), high);
const ink = (name) => getComputedStyle(root).getPropertyValue(name).trim();
const plain = (name) => name.replace(/^(EEG|POL)\s+/i, "").replace(/-(Ref|Avg)$/i, "");

function clock(seconds) {
  const whole = Math.round(seconds), two = (n) => String(n).padStart(2, "0");
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return h ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

// Tiles: columns of lowest and highest values, asked for once and kept while there is room.
const tiles = new Map();
let trouble = "";
const look = () => `montage=${view.montage}&high=${view.high}&low=${view.low}&notch=${view.notch}`;

function tile(level, number) {
  const query = `${look()}&level=${level}&tile=${number}`;
  const kept = tiles.get(query);
  if (kept) {
    tiles.delete(query);
    tiles.set(query, kept);
    return kept.values ? kept : null;
  }
  tiles.set(query, {});
  while (tiles.size > KEPT) tiles.delete(tiles.keys().next().value);
  fetch(`${about.address}/traces?${query}`)
    .then((answer) => (answer.ok ? answer.arrayBuffer() : Promise.reject(new Error(answer.statusText))))
    .then((buffer) => {
      const values = new Float32Array(buffer), count = rows().length;
      tiles.set(query, { values, bins: values.length / 2 / Math.max(1, count) });
      if (trouble) status.textContent = said();
      trouble = "";
      paint();
    })
    .catch(() => {
      tiles.delete(query);
      trouble = "The traces could not be fetched: is the console still running?";
      status.textContent = trouble;
      notice(trouble);
    });
  return null;
}

function levelNow() {
  const perPixel = (view.seconds * about.rate_hz) / width();
  return clamp(Math.floor(Math.log2(Math.max(1, perPixel))), 0, about.top);
}

function paint() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    draw();
    drawOverview();
  });
}

function sized(target, height) {
  const scale = window.devicePixelRatio || 1, wide = target.clientWidth;
  if (target.width !== Math.round(wide * scale) || target.height !== Math.round(height * scale)) {
    target.style.height = `${height}px`;
    target.width = Math.round(wide * scale);
    target.height = Math.round(height * scale);
  }
  const pen = target.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  pen.clearRect(0, 0, wide, height);
  pen.font = "12px system-ui, sans-serif";
  pen.textBaseline = "middle";
  return pen;
}

const toX = (time) => gutter() + ((time - view.start) / view.seconds) * width();
const meets = (s) => s.onset_s < view.start + view.seconds && s.onset_s + s.duration_s > view.start;
const COLOURS = { label: "--lane-label", expert: "--lane-expert", model: "--lane-model" };

function bar(pen, stretch, y, height, colour) {
  const from = Math.max(gutter(), toX(stretch.onset_s));
  const to = Math.min(gutter() + width(), toX(stretch.onset_s + stretch.duration_s));
  pen.fillStyle = colour;
  pen.fillRect(from, y, Math.max(1.5, to - from), height);
  return [from, Math.max(1.5, to - from)];
}

function draw() {
  const names = rows(), courses = readings.filter((r) => r.trend);
  const below = TOP + names.length * ROW, under = below + readings.length * LANE;
  const bottom = under + courses.length * COURSE;
  const pen = sized(canvas, bottom + AXIS);
  drawTicks(pen, bottom);
  for (const reading of readings.filter((r) => r.kind === "label"))
    for (const s of reading.stretches.filter(meets)) bar(pen, s, TOP, below - TOP, ink("--lane-behind"));
  drawGaps(pen, below);
  const shares = drawDrivers(pen, names);
  const whole = drawTraces(pen, names);
  drawShares(pen, shares);
  readings.forEach((reading, i) => drawLane(pen, reading, below + i * LANE));
  courses.forEach((reading, i) => drawCourse(pen, reading, under + i * COURSE));
  root.setAttribute("aria-busy", String(!whole));
  if (!whole) notice(trouble || "The traces are loading…");
  if (whole) {
    if (!root.dataset.painted) performance.mark("ictal-traces");
    root.dataset.painted = JSON.stringify(view);
  }
}

// In the middle of where the traces will be.
function notice(text) {
  const pen = canvas.getContext("2d"), x = gutter() + width() / 2, y = TOP + (rows().length * ROW) / 2;
  const half = pen.measureText(text).width / 2 + 12;
  pen.fillStyle = ink("--paper");
  pen.fillRect(x - half, y - 12, 2 * half, 24);
  pen.fillStyle = ink("--quiet");
  pen.textAlign = "center";
  pen.fillText(text, x, y);
}

function drawTicks(pen, bottom) {
  const step = TICKS.find((t) => (view.seconds / t) * 70 <= width()) || TICKS[TICKS.length - 1];
  pen.strokeStyle = ink("--line");
  pen.fillStyle = ink("--quiet");
  pen.textAlign = "center";
  pen.lineWidth = 1;
  for (let t = Math.ceil(view.start / step) * step; t <= view.start + view.seconds + 1e-9; t += step) {
    const x = Math.round(toX(t)) + 0.5;
    pen.beginPath();
    pen.moveTo(x, TOP);
    pen.lineTo(x, bottom);
    pen.stroke();
    pen.fillText(clock(t), clamp(x, gutter(), gutter() + width() - 16), bottom + AXIS / 2);
  }
  pen.textAlign = "left";
}

function drawGaps(pen, below) {
  for (const [onset_s, duration_s] of about.gaps) {
    const gap = { onset_s, duration_s };
    if (!meets(gap)) continue;
    const [x] = bar(pen, gap, TOP, below - TOP, ink("--tint"));
    pen.fillStyle = ink("--quiet");
    pen.fillText("not recorded", x + 4, TOP + 10);
  }
}

// What drove an event: its channels' rows are tinted for as long as it lasts, with their shares in figures.
function drawDrivers(pen, names) {
  const shares = [];
  const told = readings.find((r) => r.stretches.some((s) => s.drivers.length && meets(s)));
  for (const s of told ? told.stretches.filter(meets) : [])
    for (const [channel, share] of s.drivers) {
      const row = names.indexOf(channel);
      if (row < 0 || share < TOLD) continue;
      pen.globalAlpha = 0.15 + 0.55 * share;
      const [x] = bar(pen, s, TOP + row * ROW + 1, ROW - 2, ink("--lane-model"));
      pen.globalAlpha = 1;
      shares.push([`${Math.round(100 * share)} %`, x + 3, TOP + row * ROW + 9]);
    }
  return shares;
}

function drawShares(pen, shares) {
  pen.lineWidth = 4;
  pen.lineJoin = "round";
  pen.strokeStyle = ink("--paper");
  pen.fillStyle = ink("--ink");
  for (const [text, x, y] of shares) {
    pen.strokeText(text, x, y);
    pen.fillText(text, x, y);
  }
}

function drawTraces(pen, names) {
  pen.fillStyle = ink("--ink");
  names.forEach((name, i) => pen.fillText(plain(name), 2, TOP + (i + 0.5) * ROW));
  if (!names.length) return true;
  const level = levelNow(), bin = 2 ** level, size = bin * about.bins;
  const first = Math.floor((view.start * about.rate_hz) / size);
  const end = Math.min(about.samples, (view.start + view.seconds) * about.rate_hz);
  const final = Math.max(first, Math.ceil(end / size) - 1);
  let whole = true;
  pen.save();
  pen.beginPath();
  pen.rect(gutter(), 0, width(), TOP + names.length * ROW);
  pen.clip();
  pen.strokeStyle = ink("--ink");
  pen.lineWidth = 0.9;
  pen.lineJoin = "round";
  for (let number = first; number <= final; number++) {
    const found = tile(level, number);
    if (found) strokeTile(pen, names.length, found, number * size, bin, level === 0);
    else whole = false;
  }
  pen.restore();
  if (whole) for (const beside of [final + 1, first - 1]) if (beside >= 0 && beside * size < about.samples) tile(level, beside);
  return whole;
}

function strokeTile(pen, count, found, begins, bin, raw) {
  const { values, bins } = found, step = (bin / about.rate_hz / view.seconds) * width();
  const left = toX((begins + (raw ? 0 : bin / 2)) / about.rate_hz), scale = ROW / view.gain;
  const from = Math.max(0, Math.floor((gutter() - left) / step) - 1);
  const to = Math.min(bins, Math.ceil((gutter() + width() - left) / step) + 2);
  for (let row = 0; row < count; row++) {
    const middle = TOP + (row + 0.5) * ROW, base = row * bins * 2;
    let drawing = false;
    pen.beginPath();
    for (let i = from; i < to; i++) {
      const low = values[base + 2 * i], high = values[base + 2 * i + 1];
      if (Number.isNaN(low)) {
        drawing = false;
        continue;
      }
      const x = left + i * step, y = middle + clamp(low * scale, -4 * ROW, 4 * ROW);
      if (drawing) pen.lineTo(x, y);
      else pen.moveTo(x, y);
      if (!raw) pen.lineTo(x, middle + clamp(high * scale, -4 * ROW, 4 * ROW) + 0.01);
      drawing = true;
    }
    pen.stroke();
  }
}

function drawLane(pen, reading, y) {
  pen.fillStyle = ink("--quiet");
  const nothing = reading.stretches.length ? "" : `: ${reading.note || "marked nothing"}`;
  pen.fillText(reading.source + nothing, 2, y + 10);
  for (const s of reading.silent.filter(meets)) {
    const [x, wide] = bar(pen, s, y + 21, 4, ink("--field"));
    if (wide > 60 && reading.stretches.every((one) => !meets(one))) label(pen, s.text, x, wide, y + 24);
  }
  for (const s of reading.stretches.filter(meets)) {
    const [x, wide] = bar(pen, s, y + 17, 14, ink(COLOURS[reading.kind]));
    pen.strokeStyle = ink("--field");
    pen.lineWidth = 1;
    pen.strokeRect(x + 0.5, y + 17.5, Math.max(1, wide - 1), 13);
    label(pen, s.confidence === null ? s.text : `${s.text} ${s.confidence.toFixed(2)}`, x, wide, y + 24);
  }
}

function label(pen, text, x, wide, y) {
  pen.save();
  pen.beginPath();
  pen.rect(x, y - 8, Math.max(wide, 14), 16);
  pen.clip();
  pen.fillStyle = ink("--ink");
  pen.fillText(text, x + 3, y);
  pen.restore();
}

function drawCourse(pen, reading, y) {
  const high = COURSE - 28, base = y + COURSE - 6;
  pen.fillStyle = ink("--quiet");
  pen.fillText(`Probability, ${reading.source}`, 2, y + 10);
  pen.textAlign = "right";
  for (const [text, value] of [["1", 1], ["0", 0]]) pen.fillText(text, gutter() - 4, base - (high - 10) * value - 5);
  pen.textAlign = "left";
  pen.strokeStyle = ink("--line");
  pen.lineWidth = 1;
  pen.strokeRect(gutter() + 0.5, base - high + 0.5, width() - 1, high - 1);
  if (reading.threshold !== null) {
    pen.strokeStyle = ink("--fail");
    pen.setLineDash([4, 3]);
    pen.beginPath();
    pen.moveTo(gutter(), base - high * reading.threshold);
    pen.lineTo(gutter() + width(), base - high * reading.threshold);
    pen.stroke();
    pen.setLineDash([]);
  }
  pen.strokeStyle = ink("--link");
  pen.lineWidth = 1.6;
  pen.beginPath();
  let drawing = false;
  const late = reading.trend_delay_s, end = view.start + view.seconds + late;
  const from = Math.max(0, Math.floor(view.start + late)), to = Math.min(reading.trend.length, end);
  for (let s = from; s < to; s++) {
    const value = reading.trend[s];
    if (value === null) {
      drawing = false;
      continue;
    }
    const [x0, x1] = [s - late, s + 1 - late].map((t) => clamp(toX(t), gutter(), gutter() + width()));
    if (drawing) pen.lineTo(x0, base - high * value);
    else pen.moveTo(x0, base - high * value);
    pen.lineTo(x1, base - high * value);
    drawing = true;
  }
  pen.stroke();
}

function drawOverview() {
  const high = 44, pen = sized(overview, high), left = gutter(), wide = width();
  const x = (t) => left + (t / about.duration_s) * wide;
  pen.fillStyle = ink("--tint");
  pen.fillRect(left, 0, wide, high);
  pen.fillStyle = ink("--quiet");
  pen.fillText("All of it", 2, high / 2);
  const lanes = Math.max(1, readings.length), each = (high - 4) / lanes;
  readings.forEach((reading, i) => {
    pen.fillStyle = ink(COLOURS[reading.kind]);
    for (const s of reading.stretches)
      pen.fillRect(x(s.onset_s), 2 + i * each, Math.max(1.5, x(s.onset_s + s.duration_s) - x(s.onset_s)), each - 1);
  });
  pen.strokeStyle = ink("--focus");
  pen.lineWidth = 2;
  pen.strokeRect(x(view.start), 1, Math.max(3, (view.seconds / about.duration_s) * wide), high - 2);
}

// Moving: everything ends here, so that address, words, fields and strips always say what is drawn.
let settling = 0;

function go(changed) {
  Object.assign(view, changed);
  trouble = "";
  view.start = clamp(view.start, 0, last());
  paint();
  clearTimeout(settling);
  settling = setTimeout(settled, 120);
}

function settled() {
  const query = FIELDS.map((name) => `${name}=${encodeURIComponent(view[name])}`).join("&");
  history.replaceState(null, "", `${location.pathname}?${query}`);
  for (const name of FIELDS) {
    const field = document.getElementById(name);
    if (field) field.value = name === "start" ? +view.start.toFixed(2) : view[name];
  }
  const frames = clamp(Math.floor(width() / 80), 2, 16);
  for (const strip of strips) strip.src = `${about.address}/strip/${strip.dataset.strip}?${query}&frames=${frames}`;
  status.textContent = trouble || said();
}

function said() {
  const span = `${clock(view.start)} to ${clock(Math.min(view.start + view.seconds, about.duration_s))} of ${clock(about.duration_s)}`;
  if (!rows().length) return span;
  const passes = [["high-pass", view.high], ["low-pass", view.low], ["notch", view.notch]];
  const filters = passes.filter(([, hz]) => +hz).map(([name, hz]) => `${name} ${hz} Hz`).join(", ") || "no filter";
  return `${span}; ${about.montages[view.montage].text}; ${filters}; ${view.gain} µV per row, negative upwards`;
}

const beside = (values, now, way) => {
  const others = values.filter((v) => (v - now) * way > 1e-9);
  return others.length ? others.reduce((a, b) => (Math.abs(b - now) < Math.abs(a - now) ? b : a)) : now;
};

function zoom(way) {
  const seconds = beside(about.seconds, +view.seconds, way), middle = view.start + view.seconds / 2;
  go({ seconds, start: middle - seconds / 2 });
}

// An event is put a quarter of the view from the left, so that what came before it is seen.
const lead = () => view.seconds / 4;

function event(way) {
  const onsets = [...new Set(readings.flatMap((r) => r.stretches.map((s) => s.onset_s)))].sort((a, b) => a - b);
  const starts = onsets.map((at) => clamp(at - lead(), 0, last()));
  const others = starts.filter((start) => (start - view.start) * way > 1e-3);
  if (others.length) go({ start: way > 0 ? others[0] : others[others.length - 1] });
}

const ACTS = {
  earlier: () => go({ start: view.start - view.seconds }),
  later: () => go({ start: view.start + view.seconds }),
  previous: () => event(-1),
  next: () => event(1),
  narrower: () => zoom(-1),
  wider: () => zoom(1),
  louder: () => go({ gain: beside(about.gains, +view.gain, -1) }),
  softer: () => go({ gain: beside(about.gains, +view.gain, 1) }),
};
const KEYS = {
  ArrowLeft: () => go({ start: view.start - view.seconds / 5 }),
  ArrowRight: () => go({ start: view.start + view.seconds / 5 }),
  PageUp: ACTS.earlier, PageDown: ACTS.later,
  Home: () => go({ start: 0 }), End: () => go({ start: last() }),
  "+": ACTS.louder, "=": ACTS.louder, "-": ACTS.softer, "−": ACTS.softer, ArrowUp: ACTS.louder, ArrowDown: ACTS.softer,
  "[": ACTS.narrower, "]": ACTS.wider, n: ACTS.next, p: ACTS.previous,
  "?": () => {
    document.getElementById("keys").open = true;
    document.querySelector("#keys summary").focus();
  },
};

root.addEventListener("keydown", (key) => {
  if (key.ctrlKey || key.metaKey || key.altKey) return;
  const turned = { ArrowLeft: ACTS.earlier, ArrowRight: ACTS.later };
  const act = (key.shiftKey && turned[key.key]) || KEYS[key.key];
  if (!act) return;
  key.preventDefault();
  act();
});

for (const link of document.querySelectorAll("a[data-act], a[data-at]"))
  link.addEventListener("click", (click) => {
    if (click.ctrlKey || click.metaKey || click.shiftKey) return;
    click.preventDefault();
    if (link.dataset.act) ACTS[link.dataset.act]();
    else {
      go({ start: link.dataset.at - lead() });
      root.focus();
    }
  });

const form = document.querySelector("form.looking");
form.addEventListener("change", () => {
  const asked = Object.fromEntries(new FormData(form));
  for (const name of ["start", "seconds", "gain", "high", "low", "notch"]) if (name in asked) asked[name] = +asked[name] || 0;
  go(asked);
});
form.addEventListener("submit", (submit) => submit.preventDefault());

// By pointer: drag the traces, press the overview, turn the wheel sideways.
let held = null;
canvas.addEventListener("pointerdown", (at) => {
  held = { x: at.clientX, start: view.start };
  canvas.setPointerCapture(at.pointerId);
});
canvas.addEventListener("pointermove", (at) => {
  if (held) go({ start: held.start - ((at.clientX - held.x) / width()) * view.seconds });
});
for (const over of ["pointerup", "pointercancel"]) canvas.addEventListener(over, () => (held = null));
overview.addEventListener("pointerdown", (at) => {
  const share = (at.clientX - overview.getBoundingClientRect().left - gutter()) / width();
  go({ start: share * about.duration_s - view.seconds / 2 });
});
canvas.addEventListener("wheel", (turned) => {
  const by = turned.deltaX || (turned.shiftKey ? turned.deltaY : 0);
  if (!by) return;
  turned.preventDefault();
  go({ start: view.start + (by / width()) * view.seconds });
}, { passive: false });

if (!location.search.includes("seconds") && root.clientWidth < 520) view.seconds = 10;
new ResizeObserver(paint).observe(root);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", paint);
go({});
fetch(`${about.address}/readings.json`)
  .then((said) => said.json())
  .then((said) => {
    readings = said;
    root.dataset.readings = readings.length;
    paint();
  });
