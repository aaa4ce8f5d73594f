// The page: everything on it is made from /table.json, and says and hears its values over one WebSocket.
"use strict";

const TOKEN_KEY = `musicgen-streamer-token${location.pathname}`;
const byId = (id) => document.getElementById(id);
const values = {};           // path -> list of values, as last told
const shown = {};            // path -> what shows a value
const held = new Set();      // what a hand is on: it is not moved under it
let table = null;
let socket = null;
let recording = "";
let taps = [];

// The token stands behind the #, which no server sees; it is kept for this tab and taken out of the address.
function token() {
  if (location.hash.length > 1) {
    sessionStorage.setItem(TOKEN_KEY, location.hash.slice(1));
    history.replaceState(null, "", location.pathname);
  }
  return sessionStorage.getItem(TOKEN_KEY) || "";
}

function ask(path, ...given) {
  if (socket && socket.readyState === WebSocket.OPEN) socket.send(JSON.stringify([path, ...given]));
}

// Many moves of a hand become few messages: the last value of each path counts.
const waiting = new Map();
function askSoon(path, ...given) {
  if (!waiting.size) setTimeout(() => { waiting.forEach((last, own) => ask(own, ...last)); waiting.clear(); }, 40);
  waiting.set(path, given);
}

function word(sentence) {
  const item = document.createElement("li");
  item.textContent = `${new Date().toLocaleTimeString()}  ${sentence}`;
  const journal = byId("journal");
  journal.prepend(item);
  byId("words").textContent = sentence;
  while (journal.children.length > 200) journal.lastChild.remove();
}

// ---- the connection

function connect() {
  const known = token();
  const address = socketAddress("ws");
  const own = known ? new WebSocket(address, known) : new WebSocket(address);
  const last = socket;
  socket = own;
  if (last) last.close();
  wait(ARRIVAL);
  own.binaryType = "arraybuffer";
  own.onopen = () => word("Connected.");
  own.onmessage = (event) => {
    if (own !== socket) return;
    wait(QUIET);
    if (typeof event.data !== "string") { takeColumns(event.data); return; }
    const told = JSON.parse(event.data);
    for (const [path, list] of Object.entries(told.values)) hear(path, list);
    for (const [about, sentence] of told.words) word(`${about} ${sentence}`.trim());
  };
  own.onclose = (event) => { if (own === socket) closed(event.code, event.reason); };
}

const isClosed = () => socket.readyState === WebSocket.CLOSED;

const CLOSED = {
  [STRANGER]: "This page needs the whole address, with its token.",
  [OVER]: `This session is over. At ${new URL("/", born)} you begin another.`,
  [FULL]: "Too many pages are open: trying again ...",
};

function closed(code, elsewhere) {
  byId("state").textContent = CLOSED[code] || "Not connected: trying again ...";
  wait(code === STRANGER || code === OVER ? Infinity : 0);
  if (code === STRANGER || code === OVER) return;
  if (code === ELSEWHERE && elsewhere) moveTo(at(elsewhere));
  else if (!doors.length) setTimeout(connect, 1500);
}

function hear(path, list) {
  values[path] = list;
  if (path.startsWith("status/") || path === "place") showStatus();
  if (path === "status/collapse" && list[0]) word(list[0]);
  if (path === "snapshot/names") showSnapshots(list);
  if (path === "doors") doors = list;
  if (path === "record") showRecording(list[0] || "");
  if (shown[path]) shown[path](list[0]);
}

// What this page's instrument cannot do is not shown.
function hideWhatIsMissing() {
  const can = (path) => table.commands.includes(path);
  byId("record").hidden = byId("replayable").hidden = !can("record");
  byId("save-form").closest("section").hidden = !can("snapshot/load");
  byId("through").hidden = byId("through-label").hidden = !table.webrtc;
}

function showStatus() {
  if ((values.place || [""])[0]) {  // of a session that waits or sleeps
    byId("state").textContent = values.place[0];
    return;
  }
  const of = (name, digits) => {
    const value = (values[`status/${name}`] || [])[0];
    return typeof value === "number" ? value.toFixed(digits) : "-";
  };
  byId("state").textContent = `${of("rtf", 1)} x real time, ${of("buffer_ms", 0)} ms queued, ` +
    `${of("xruns", 0)} xruns, ${of("tempo", 0)} bpm, bar ${of("bar", 0)}`;
  if (!(values.sound || [0])[0]) {
    for (const side of [0, 1]) showMeter(side, (values["status/level"] || [-60])[0]);
  }
}

// ---- dials

const toNorm = (p, value) => p.curve === "log" ? Math.log(value / p.low) / Math.log(p.high / p.low)
  : (value - p.low) / (p.high - p.low);
const fromNorm = (p, norm) => p.curve === "log" ? p.low * (p.high / p.low) ** norm : p.low + norm * (p.high - p.low);
// A word for a number below 0 stands for all numbers below 0.
const same = (one, other) => Math.abs(one - other) < 1e-6 || (one < 0 && other < 0);
const named = (p, value) => Object.keys(p.words).find((own) => same(p.words[own], value));
const format = (p, value) => named(p, value) || `${p.kind === "int" ? value : Number(value.toPrecision(3))} ${p.unit}`.trim();

function dial(p) {
  const box = document.createElement("div");
  const label = document.createElement("label");
  const name = document.createElement("span");
  const input = document.createElement(p.choices.length ? "select" : "input");
  box.className = "dial";
  box.title = p.doc;
  name.textContent = p.path;
  input.id = label.htmlFor = `dial-${p.name}`;
  label.append(name);
  box.append(label, input);
  if (p.choices.length) makeChoice(p, input);
  else if (p.kind === "bool") makeSwitch(p, input);
  else if (p.kind === "text" || p.kind === "path") makeText(p, input);
  else makeFader(p, input, label);
  return box;
}

function makeSwitch(p, input) {
  input.type = "checkbox";
  input.onchange = () => ask(p.path, input.checked ? 1 : 0);
  shown[p.path] = (value) => { input.checked = Boolean(value); };
}

function makeChoice(p, select) {
  select.append(...p.choices.map((name) => new Option(name)));
  select.onchange = () => ask(p.path, select.value);
  shown[p.path] = (value) => { select.value = p.kind === "text" ? value : named(p, value); };
}

function makeText(p, input) {
  input.type = "text";
  input.maxLength = 1024;
  input.onchange = () => ask(p.path, input.value);
  input.onblur = () => shown[p.path]((values[p.path] || [""])[0]);  // as it was taken, or what stands if it was not
  shown[p.path] = (value) => { if (document.activeElement !== input) input.value = value; };
}

function makeFader(p, input, label) {
  const output = document.createElement("output");
  label.append(output);
  if (p.high > 1e6) {  // a seed is typed, not slid to
    input.type = "number";
    input.min = p.low;
    input.max = p.high;
    input.onchange = () => ask(p.path, Math.round(Number(input.value)));
    shown[p.path] = (value) => { if (document.activeElement !== input) input.value = value; };
    return;
  }
  input.type = "range";
  input.min = 0;
  input.max = 1;
  input.step = p.kind === "int" ? 1 / (p.high - p.low) : 0.001;
  const show = (value) => { output.textContent = format(p, value); input.setAttribute("aria-valuetext", format(p, value)); };
  const send = (value) => { show(value); askSoon(p.path, p.kind === "int" ? Math.round(value) : value); };
  input.oninput = () => send(fromNorm(p, Number(input.value)));
  input.onpointerdown = () => held.add(p.path);
  input.onpointerup = input.onpointercancel = () => held.delete(p.path);
  input.ondblclick = () => { input.value = toNorm(p, p.default); send(p.default); };
  shown[p.path] = (value) => { show(value); if (!held.has(p.path)) input.value = toNorm(p, value); };
}

// ---- prompts and their blend

let dot = { x: 0.5, y: 0.5 };
const filled = () => table.slots.map((slot, n) => ({ n, text: (values[slot.text] || [""])[0] })).filter((own) => own.text);

function places(count) {
  if (count === 1) return [{ x: 0.5, y: 0.5 }];
  return Array.from({ length: count }, (_, n) => {
    const angle = 2 * Math.PI * n / count - Math.PI / 2 - (count === 4 ? Math.PI / 4 : 0);
    return { x: 0.5 + 0.34 * Math.cos(angle), y: 0.5 + 0.4 * Math.sin(angle) };
  });
}

function showPads() {
  const plane = byId("plane");
  const last = Math.max(1, ...filled().map((slot) => slot.n));
  [...byId("slots").children].forEach((item, n) => { item.hidden = n > last + 1; });
  plane.querySelectorAll(".pad").forEach((pad) => pad.remove());
  const own = filled();
  places(own.length).forEach((place, n) => {
    const pad = document.createElement("div");
    pad.className = "pad";
    pad.textContent = own[n].text;
    pad.style.left = `${100 * place.x}%`;
    pad.style.top = `${100 * place.y}%`;
    plane.append(pad);
  });
}

function moveDot(x, y) {
  dot = { x: Math.min(1, Math.max(0, x)), y: Math.min(1, Math.max(0, y)) };
  showDot();
  const own = filled();
  const near = places(own.length).map((place) => 1 / Math.max(1e-3, (place.x - dot.x) ** 2 + (place.y - dot.y) ** 2) ** 1.5);
  const total = near.reduce((sum, one) => sum + one, 0);
  const weights = table.slots.map(() => 0);
  own.forEach((slot, n) => { weights[slot.n] = near[n] / total < 0.02 ? 0 : near[n] / total; });
  if (own.length > 1) askSoon("prompt/weights", ...weights);
}

// Where the weights put the dot, for a page that did not move it.
function placeDot() {
  if (held.has("plane")) return;
  const own = filled();
  const weights = own.map((slot) => (values[table.slots[slot.n].weight] || [0])[0]);
  const total = weights.reduce((sum, one) => sum + one, 0);
  if (own.length < 2 || total <= 0) return;
  const where = places(own.length);
  dot = { x: 0, y: 0 };
  weights.forEach((weight, n) => { dot.x += where[n].x * weight / total; dot.y += where[n].y * weight / total; });
  showDot();
}

function showDot() {
  byId("dot").style.left = `${100 * dot.x}%`;
  byId("dot").style.top = `${100 * dot.y}%`;
}

function makePlane() {
  const plane = byId("plane");
  const move = (event) => {
    const box = plane.getBoundingClientRect();
    moveDot((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
  };
  const letGo = () => setTimeout(() => held.delete("plane"), 500);  // what is on its way back is older than the hand
  plane.onpointerdown = (event) => { plane.setPointerCapture(event.pointerId); held.add("plane"); move(event); };
  plane.onpointerup = plane.onpointercancel = letGo;
  plane.onpointermove = (event) => { if (plane.hasPointerCapture(event.pointerId)) move(event); };
  plane.onkeydown = (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step) return;
    event.preventDefault();
    held.add("plane");
    letGo();
    moveDot(dot.x + step[0] * 0.05, dot.y + step[1] * 0.05);
  };
  showDot();
}

function makeSlots() {
  table.slots.forEach((slot, n) => {
    const item = document.createElement("li");
    const number = document.createElement("span");
    const input = document.createElement("input");
    const output = document.createElement("output");
    number.textContent = n + 1;
    input.maxLength = 1024;
    input.setAttribute("aria-label", `Prompt ${n + 1}`);
    input.onchange = () => { values[slot.text] = [input.value]; ask(slot.text, input.value); showPads(); };
    item.append(number, input, output);
    item.hidden = n > 2;
    byId("slots").append(item);
    shown[slot.text] = (text) => {
      if (document.activeElement !== input) input.value = text;
      if (n === 0 && document.activeElement !== byId("prompt")) byId("prompt").value = text;
      showPads();
    };
    shown[slot.weight] = (weight) => { output.textContent = `${Math.round(100 * weight)} %`; placeDot(); };
  });
}

// ---- snapshots, recording, tempo

function showSnapshots(names) {
  byId("snapshots").replaceChildren(...names.map((name) => {
    const item = document.createElement("li");
    const load = document.createElement("button");
    const drop = document.createElement("button");
    load.textContent = name;
    load.onclick = () => ask("snapshot/load", name, Number(byId("morph").value));
    drop.textContent = "×";
    drop.setAttribute("aria-label", `Delete ${name}`);
    drop.onclick = () => { if (confirm(`Delete the snapshot ${name}?`)) { ask("snapshot/delete", name); ask("snapshot/list"); } };
    item.append(load, drop);
    return item;
  }));
}

function showRecording(name) {
  recording = name;
  byId("record").setAttribute("aria-pressed", String(Boolean(name)));
  byId("record").textContent = name ? "Stop recording" : "Record";
}

function record() {
  if (recording) { ask("record", "0"); showRecording(""); return; }
  const name = new Date().toISOString().slice(0, 19).replace(/[T:]/g, "-");
  ask("record", name);
}

// The journal of the last recording: `streamer replay` plays it again.
async function downloadPerformance() {
  const answer = await fetch(beside("performance.jsonl"));
  if (answer.ok) keep(await answer.blob(), "performance.jsonl");
  else word((await answer.json()).detail);
}

function keep(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

function tap() {
  const now = performance.now();
  taps = taps.filter((time) => now - time < 8000).slice(-7);
  if (taps.length && now - taps[taps.length - 1] > 2000) taps = [];
  taps.push(now);
  if (taps.length < 3) return;
  ask("tempo", Math.round(600000 * (taps.length - 1) / (now - taps[0])) / 10);
}

// ---- keys, where no hand is on something that takes keys itself

const KEYS = { " ": () => ask((values["status/playing"] || [1])[0] ? "stop" : "play"), t: tap, r: () => { if (!byId("record").hidden) record(); }, u: () => ask("undo"),
  l: () => byId("listen").click(), Escape: () => ask("panic") };

function makeKeys() {
  document.onkeydown = (event) => {
    const own = event.target.closest("input, button, select");
    if (own || event.ctrlKey || event.metaKey || event.altKey || event.repeat || !KEYS[event.key]) return;
    event.preventDefault();
    KEYS[event.key]();
  };
}

// ---- begin

async function begin() {
  table = await (await fetch("table.json")).json();
  for (const p of table.parameters) {
    if (p.group !== "slot") byId(p.group).append(dial(p));
  }
  hideWhatIsMissing();
  makeSlots();
  makePlane();
  makeListening();
  makeKeys();
  byId("prompt-form").onsubmit = (event) => {
    event.preventDefault();
    const seconds = Number(byId("fade").value);
    if (seconds > 0) ask("prompt/fade", byId("prompt").value, seconds);
    else ask("prompt", byId("prompt").value);
    hear("prompt", [byId("prompt").value]);
    byId("prompt").blur();
  };
  for (const button of document.querySelectorAll("[data-path]")) {
    const given = "value" in button.dataset ? [Number(button.dataset.value)] : [];
    button.onclick = () => ask(button.dataset.path, ...given);
  }
  byId("tap").onclick = tap;
  byId("record").onclick = record;
  byId("save-form").onsubmit = (event) => {
    event.preventDefault();
    if (byId("save").value) { ask("snapshot/save", byId("save").value); ask("snapshot/list"); }
  };
  byId("download").onclick = () => {
    const lines = [...byId("journal").children].map((item) => item.textContent).reverse().join("\n");
    keep(new Blob([lines], { type: "text/plain" }), "journal.txt");
  };
  byId("replayable").onclick = () => downloadPerformance().catch((error) => word(`Not connected: ${error.message}`));
  connect();
}

begin();
