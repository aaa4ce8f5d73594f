// A worker: packets from the server to the listener's ear, beside whatever the page is busy with.
"use strict";

let socket = null;
let waiting = 0;

function connect({ address, token, ear }) {
  socket = token ? new WebSocket(address, token) : new WebSocket(address);
  socket.binaryType = "arraybuffer";
  socket.onmessage = (event) => {
    if (typeof event.data === "string") postMessage({ way: (performance.now() - Number(event.data)) / 1000 });
    else ear.postMessage(event.data, [event.data]);
  };
  socket.onclose = (event) => {
    postMessage({ closed: event.code });
    if (event.code !== 4403) waiting = setTimeout(connect, 1000, { address, token, ear });
  };
}

setInterval(() => { if (socket && socket.readyState === WebSocket.OPEN) socket.send(String(performance.now())); }, 1000);

onmessage = (event) => connect(event.data);
