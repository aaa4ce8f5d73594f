// What is heard, as a picture that scrolls, and as meters.
"use strict";

const COLUMN_BYTES = 98;      // two peaks, then the bands from the lowest up
const RANGE_DB = 90;
const columns = [];
const peaks = [0, 0];

// Dark, through the accent, to white.
const COLOURS = Array.from({ length: 256 }, (_, level) => {
  const x = level / 255;
  const part = (low, high) => Math.max(0, Math.min(1, (x - low) / (high - low)));
  return [20 + 235 * part(0.2, 0.7), 22 + 158 * part(0.35, 0.8) + 75 * part(0.8, 1), 26 + 60 * part(0.1, 0.4) + 169 * part(0.75, 1)];
});

function takeColumns(buffer) {
  for (let at = 0; at + COLUMN_BYTES <= buffer.byteLength; at += COLUMN_BYTES) {
    columns.push(new Uint8Array(buffer, at, COLUMN_BYTES));
  }
  if (columns.length > 0) requestAnimationFrame(draw);
}

function draw() {
  const canvas = byId("picture");
  const context = canvas.getContext("2d");
  const fresh = columns.splice(0).slice(-canvas.width);
  if (!fresh.length) return;
  context.drawImage(canvas, -fresh.length, 0);
  const image = context.createImageData(fresh.length, canvas.height);
  fresh.forEach((column, x) => {
    for (let band = 0; band < canvas.height; band++) {
      const colour = COLOURS[column[2 + band]];
      const at = 4 * ((canvas.height - 1 - band) * fresh.length + x);
      image.data.set([...colour, 255], at);
    }
  });
  context.putImageData(image, canvas.width - fresh.length, 0);
  for (let side = 0; side < 2; side++) {
    peaks[side] = Math.max(peaks[side] * 0.9, ...fresh.map((column) => column[side]));
    showMeter(side, (peaks[side] / 255 - 1) * RANGE_DB);
  }
}

// A level in dB, from -60 to 0.
function showMeter(side, level) {
  const shown = Math.max(-60, Math.min(0, level));
  const meter = byId("meters").children[side];
  meter.setAttribute("aria-valuenow", shown.toFixed(0));
  meter.firstElementChild.style.width = `${(shown + 60) / 0.6}%`;
}
