// A worker: packets from the server to the listener's ear, beside whatever the page is busy with.
"use strict";

let socket = null;
let waiting = 0;
let given = null;  // { address, token, ear }

function connect() {
  const own = given.token ? new WebSocket(given.address, given.token) : new WebSocket(given.address);
  const last = socket;
  socket = own;
  if (last) last.close();
  clearTimeout(waiting);
  own.binaryType = "arraybuffer";
  own.onmessage = (event) => {
    if (own !== socket) return;
    if (typeof event.data === "string") postMessage({ way: (performance.now() - Number(event.data)) / 1000 });
    else given.ear.postMessage(event.data, [event.data]);
  };
  own.onclose = (event) => {
    if (own === socket && event.code !== 4403 && event.code !== 4404) waiting = setTimeout(connect, 1000);
  };
}

setInterval(() => { if (socket && socket.readyState === WebSocket.OPEN) socket.send(String(performance.now())); }, 1000);

onmessage = (event) => {
  given = { ...given, ...event.data };
  connect();
};
