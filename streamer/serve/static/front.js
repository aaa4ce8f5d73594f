// The front door: a prompt, and a session of one's own.
"use strict";

const KEY = "musicgen-streamer-key";
const byId = (id) => document.getElementById(id);
const tell = (sentence) => { byId("state").textContent = sentence; };

async function look() {
  const server = await (await fetch("api/server")).json();
  byId("key").hidden = byId("key-label").hidden = !server.needs_key;
  byId("key").value = sessionStorage.getItem(KEY) || "";
  const queue = server.waits ? `, ${server.waits} wait` : "";
  tell(`${server.plays} of ${server.places} streams play${queue}.`);
}

async function open(event) {
  event.preventDefault();
  const values = { prompt: byId("prompt").value };
  if (byId("seed").value) values.seed = Math.round(Number(byId("seed").value));
  const headers = { "Content-Type": "application/json" };
  if (byId("key").value) {
    sessionStorage.setItem(KEY, byId("key").value);
    headers.Authorization = `Bearer ${byId("key").value}`;
  }
  const answer = await fetch("api/sessions", { method: "POST", headers, body: JSON.stringify({ values }) });
  const told = await answer.json();
  if (answer.ok) location.href = `${told.page.slice(1)}#${told.secret}`;
  else tell(told.detail);
}

byId("begin").onsubmit = (event) => open(event).catch((error) => tell(`Not connected: ${error.message}`));
look().catch((error) => tell(`Not connected: ${error.message}`));
