// Where the instrument is: beside this page, until that server is gone and another one goes on with the session.
"use strict";

const QUIET = 500;        // milliseconds without a word from the server, after which other ones are asked
const LOOK = 200;         // between two times that this is looked at
const PATIENCE = 1000;    // that one who was asked may take
const ARRIVAL = 2000;     // that a server may take to say its first word
const STRANGER = 4403, OVER = 4404, ELSEWHERE = 4409, FULL = 4503;
const born = new URL(".", location.href).href;
let home = born;
let doors = [];           // addresses of other servers of its kind, as told last
let patience = Infinity;  // until when nobody else is asked
let asking = false;

const beside = (name) => new URL(name, home).href;
const socketAddress = (name) => beside(name).replace(/^http/, "ws");
const sessionId = () => home.split("/").at(-2);

function wait(milliseconds) { patience = performance.now() + milliseconds; }

async function whereabouts(door) {
  const answer = await fetch(`${door}where/${sessionId()}`, { signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return (await answer.json()).address;
}

// All doors are asked at once, and who answers first is believed: they share one ledger.
async function lookElsewhere() {
  asking = true;
  const found = await Promise.any(doors.map(whereabouts)).catch(() => "");
  asking = false;
  if (found && at(found) !== home) moveTo(at(found));
  else if (isClosed()) connect();
}

const at = (server) => `${server}s/${sessionId()}/`;

function moveTo(there) {
  home = there;
  const link = byId("moved");
  link.hidden = home === born;
  link.href = `${home}#${token()}`;
  word(`The session goes on at another server: ${home}`);
  connect();
  if (listening) listening.move();
}

setInterval(() => { if (doors.length && !asking && performance.now() > patience) lookElsewhere(); }, LOOK);
