// The listener's ear: packets of 16-bit sound -> the audio device, in a thread of its own.
//
// Two clocks meet here, the instrument's and this device's. A queue lies between them, and its length is steered to the
// listener's target by playing a little faster or slower, never by more than 0.2 % (3.5 cents). Whatever cannot be
// steered fades: what is missing, what comes too late, what is too much.
"use strict";

const TAPS = 16;
const PHASES = 256;
const FADE_SECONDS = 0.005;
const STEER = 0.002;          // how much faster or slower at most
const TRIM_SECONDS = 0.06;    // what is more above the target, and stays so, is cut out
const BURST_SECONDS = 0.3;    // and what is more at any moment
const KEPT_SECONDS = 8;       // that the queue holds at most

// A windowed sinc at every phase between two samples: rows of TAPS, one row more than phases.
function kernel(cutoff) {
  const table = new Float32Array((PHASES + 1) * TAPS);
  for (let phase = 0; phase <= PHASES; phase++) {
    let sum = 0;
    for (let tap = 0; tap < TAPS; tap++) {
      const x = tap - (TAPS / 2 - 1) - phase / PHASES;
      const window = Math.abs(x) < TAPS / 2 ? Math.cos(Math.PI * x / TAPS) ** 2 : 0;
      const value = (x === 0 ? cutoff : Math.sin(Math.PI * cutoff * x) / (Math.PI * x)) * window;
      table[phase * TAPS + tap] = value;
      sum += value;
    }
    for (let tap = 0; tap < TAPS; tap++) table[phase * TAPS + tap] /= sum;
  }
  return table;
}

// A page that came over plain HTTP has no worklets: there the same ear works on the page's own thread.
const Processor = globalThis.AudioWorkletProcessor || class {
  constructor() {
    const { port1, port2 } = new MessageChannel();
    this.port = port1;
    this.outside = port2;
  }
};

class Ear extends Processor {
  constructor(options) {
    super();
    const given = options.processorOptions;
    this.rate = given.rate;
    this.channels = given.channels;
    this.target = given.target;               // seconds
    this.own = given.own;                     // samples a second of this device
    this.block = given.block;                 // samples that it asks for at a time
    this.base = this.rate / this.own;         // samples of the instrument for one of ours
    this.kernel = kernel(Math.min(1, 1 / this.base));
    this.queue = Array.from({ length: this.channels }, () => new Float32Array(KEPT_SECONDS * this.rate));
    this.fade = Math.round(FADE_SECONDS * this.rate);
    this.read = 0;                            // where in the queue, with a fraction
    this.write = 0;
    this.next = -1;                           // which sample should come next
    this.gain = 0;
    this.starving = true;
    this.refill = false;                      // the listener asks for a longer queue
    this.smooth = 0;                          // queued seconds, without the packets' saw
    this.integral = 0;
    this.told = { underruns: 0, trims: 0, gaps: 0, steer: 0, queued: 0 };
    this.since = 0;
    this.port.onmessage = (event) => this.take(event.data);
  }

  take(message) {
    if (message.target) {
      this.refill = message.target > this.smooth + 0.05;
      this.target = message.target;
      if (!this.starving && this.queued > this.target + 0.05) this.trim();
    }
    if (message.feed) message.feed.onmessage = (event) => this.put(event.data);
  }

  get queued() { return (this.write - this.read) / this.rate; }

  put(buffer) {
    const at = new DataView(buffer).getFloat64(0, true);
    const samples = new Int16Array(buffer, 8);
    const count = samples.length / this.channels;
    this.makeRoom(count);
    if (this.next >= 0 && at !== this.next) this.seam(samples, count);
    this.next = at + count;
    for (let channel = 0; channel < this.channels; channel++) {
      const queue = this.queue[channel];
      for (let n = 0, from = channel; n < count; n++, from += this.channels) queue[this.write + n] = samples[from] / 32768;
    }
    this.write += count;
    if (!this.starving && this.queued > this.target + BURST_SECONDS) this.trim();
  }

  makeRoom(count) {
    const length = this.queue[0].length;
    if (this.write + count <= length) return;
    const from = Math.max(0, Math.min(Math.floor(this.read) - TAPS, this.write));
    const skipped = Math.max(0, this.write - from + count - length);
    for (const queue of this.queue) queue.copyWithin(0, from + skipped, this.write);
    this.write -= from + skipped;
    this.read = Math.max(TAPS, this.read - from - skipped);
  }

  // Packets were lost on the way: what is queued fades out, and what comes fades in.
  seam(samples, count) {
    this.told.gaps++;
    const out = Math.min(this.fade, Math.floor(this.write - this.read));
    for (const queue of this.queue) for (let n = 0; n < out; n++) queue[this.write - 1 - n] *= n / out;
    const rise = Math.min(this.fade, count);
    for (let n = 0; n < rise; n++) {
      for (let channel = 0; channel < this.channels; channel++) samples[n * this.channels + channel] *= n / rise;
    }
  }

  // Too much waits: a piece is cut out, and the ends crossfade.
  trim() {
    const surplus = Math.floor((this.queued - this.target) * this.rate);
    const from = Math.floor(this.read) - TAPS / 2;
    const length = this.fade + TAPS;
    for (const queue of this.queue) {
      for (let n = 0; n < length; n++) {
        const here = Math.min(1, n / this.fade);
        queue[from + surplus + n] = here * queue[from + surplus + n] + (1 - here) * queue[from + n];
      }
    }
    this.read += surplus;
    this.smooth = this.queued;
    this.told.trims++;
  }

  process(inputs, outputs) {
    const out = outputs[0];
    const size = out[0].length;
    this.wake();
    const step = this.base * (1 + this.steer(size / this.own));
    for (let n = 0; n < size; n++) {
      this.gain = this.starving ? Math.max(0, this.gain - 1 / this.fade) : Math.min(1, this.gain + 1 / this.fade);
      const silent = this.gain === 0 || this.write - this.read < TAPS;
      const loud = 0.5 - 0.5 * Math.cos(Math.PI * this.gain);
      for (let channel = 0; channel < out.length; channel++) {
        out[channel][n] = silent ? 0 : loud * this.sample(this.queue[Math.min(channel, this.channels - 1)]);
      }
      if (!silent) this.read += step;
    }
    this.report(size);
    return true;
  }

  // Whether it plays: from a queue as long as it should be, until no more is left than a fade needs.
  wake() {
    const needed = (2 * this.block * this.base + this.fade + TAPS) / this.rate;
    if (this.starving && this.gain === 0 && this.queued >= Math.max(this.target, needed)) {
      this.read = Math.max(TAPS, this.read);
      this.smooth = this.target;
      this.starving = false;
      if (this.queued > this.target + 0.03) this.trim();
    } else if (!this.starving && (this.queued < needed || this.refill)) {
      if (!this.refill) this.told.underruns++;
      this.refill = false;
      this.starving = true;
    }
  }

  steer(seconds) {
    if (this.starving) return 0;
    this.smooth += (this.queued - this.smooth) * Math.min(1, 2 * seconds);
    if (this.smooth > this.target + TRIM_SECONDS && this.queued > this.target) this.trim();
    const error = this.smooth - this.target;
    this.integral = Math.max(-STEER, Math.min(STEER, this.integral + 0.0025 * error * seconds));
    return Math.max(-STEER, Math.min(STEER, 0.1 * error + this.integral));
  }

  sample(queue) {
    const whole = Math.floor(this.read);
    const phase = (this.read - whole) * PHASES;
    const row = Math.floor(phase);
    const between = phase - row;
    const from = whole - (TAPS / 2 - 1);
    let sum = 0;
    for (let tap = 0, at = row * TAPS; tap < TAPS; tap++, at++) {
      sum += queue[from + tap] * (this.kernel[at] + between * (this.kernel[at + TAPS] - this.kernel[at]));
    }
    return sum;
  }

  report(size) {
    this.since += size / this.own;
    if (this.since < 0.25) return;
    this.since = 0;
    this.told.queued = this.smooth;
    this.told.steer = this.integral;
    this.told.sounding = !this.starving;
    this.port.postMessage(this.told);
  }
}

if (globalThis.registerProcessor) registerProcessor("ear", Ear);
