// Listening in the page: a worker has the socket, an audio worklet the clock, and this shows how it goes.
"use strict";

const BUFFER_KEY = "musicgen-streamer-buffer";
const SCRIPT_BLOCK = 1024;
let listening = null;
let loading = null;

// The ear as a script of this page, once.
function plainEar() {
  loading = loading || new Promise((done, fail) => {
    const script = document.createElement("script");
    script.onload = done;
    script.onerror = () => fail(new Error("its script could not be loaded"));
    script.src = "ear.js";
    document.head.append(script);
  });
  return loading;
}

class Listening {
  constructor(rate, channels) {
    this.rate = rate;
    this.channels = channels;
    this.context = new AudioContext({ sampleRate: rate, latencyHint: "interactive" });
    this.way = 0;
    this.late = 0;
    this.told = null;
  }

  async begin() {
    const resumed = this.context.resume();  // at once, while the browser still sees the hand
    this.node = this.context.audioWorklet ? await this.workletNode() : await this.scriptNode();
    this.node.connect(this.context.destination);
    const { port1, port2 } = new MessageChannel();
    this.node.port.onmessage = (event) => { this.told = event.data; showListening(); };
    this.node.port.postMessage({ feed: port2 }, [port2]);
    this.worker = new Worker("feed.js");
    this.worker.onmessage = (event) => { if ("way" in event.data) this.way = event.data.way; };
    this.worker.postMessage({ address: socketAddress("sound"), token: token(), ear: port1 }, [port1]);
    await resumed;
  }

  move() { if (this.worker) this.worker.postMessage({ address: socketAddress("sound"), token: token() }); }

  options(block) {
    const own = this.context.sampleRate;
    return { rate: this.rate, channels: this.channels, target: buffer(), own, block };
  }

  async workletNode() {
    await this.context.audioWorklet.addModule("ear.js");
    return new AudioWorkletNode(this.context, "ear", {
      numberOfInputs: 0,
      outputChannelCount: [Math.min(2, this.channels)],
      processorOptions: this.options(128),
    });
  }

  async scriptNode() {
    await plainEar();
    const ear = new Ear({ processorOptions: this.options(SCRIPT_BLOCK) });
    const node = this.context.createScriptProcessor(SCRIPT_BLOCK, 0, 2);
    node.onaudioprocess = ({ outputBuffer: out }) => ear.process([], [[out.getChannelData(0), out.getChannelData(1)]]);
    node.port = ear.outside;
    this.late = SCRIPT_BLOCK / this.context.sampleRate;
    return node;
  }

  // Seconds from the instrument's own output to this ear: on the way, in the queue, in this device. Half a packet waits.
  get latency() {
    return this.way / 2 + 0.01 + this.told.queued + this.late + this.context.baseLatency + (this.context.outputLatency || 0);
  }

  setBuffer(seconds) { if (this.node) this.node.port.postMessage({ target: seconds }); }

  end() {
    if (this.worker) this.worker.terminate();
    return this.context.close();
  }
}

// By WebRTC: opus over UDP, for networks that lose and delay packets. The browser's own queue is its buffer.
class Call {
  constructor(rate, channels) {
    this.rate = rate;
    this.channels = channels;
    this.told = null;
    this.before = { jitterBufferDelay: 0, jitterBufferEmittedCount: 0 };
    this.latency = 0;
  }

  async begin() {
    this.peer = new RTCPeerConnection();
    this.audio = new Audio();
    this.peer.ontrack = (event) => {
      this.audio.srcObject = new MediaStream([event.track]);
      this.audio.play().catch((error) => word(`This browser does not play yet: ${error.message}`));
    };
    this.receiver = this.peer.addTransceiver("audio", { direction: "recvonly" }).receiver;
    const offer = await this.peer.createOffer();
    const stereo = offer.sdp.replace(/(a=fmtp:\d+ [^\r\n]*useinbandfec=1)/g, "$1;stereo=1");
    await this.peer.setLocalDescription({ type: "offer", sdp: stereo });
    await this.gathered();
    const headers = { "Content-Type": "application/json", Authorization: `Bearer ${token()}` };
    const body = JSON.stringify({ type: "offer", sdp: this.peer.localDescription.sdp });
    const answer = await fetch(beside("webrtc"), { method: "POST", headers, body });
    const told = await answer.json();
    if (!answer.ok) throw new Error(told.detail);
    await this.peer.setRemoteDescription({ type: "answer", sdp: told.sdp });
    this.setBuffer(buffer());
    this.looking = setInterval(() => this.look(), 500);
  }

  gathered() {
    return new Promise((done) => {
      const look = () => { if (this.peer.iceGatheringState === "complete") done(); };
      this.peer.onicegatheringstatechange = look;
      setTimeout(done, 2000);
      look();
    });
  }

  async look() {
    for (const own of (await this.peer.getStats(this.receiver.track)).values()) {
      if (own.type !== "inbound-rtp") continue;
      const count = own.jitterBufferEmittedCount - this.before.jitterBufferEmittedCount;
      if (count > 0) this.latency = 0.04 + (own.jitterBufferDelay - this.before.jitterBufferDelay) / count;
      this.told = { sounding: count > 0, underruns: own.concealmentEvents || 0 };
      this.before = own;
    }
    showListening();
  }

  move() { listen(true); }

  setBuffer(seconds) { if (this.receiver) this.receiver.jitterBufferTarget = 1000 * seconds; }

  end() {
    clearInterval(this.looking);
    this.audio.srcObject = null;
    this.peer.close();
  }
}

const buffer = () => Number(byId("buffer").value) / 1000;

function showListening() {
  const button = byId("listen");
  button.setAttribute("aria-pressed", String(Boolean(listening)));
  button.textContent = listening ? "Stop listening" : "Listen here";
  const told = listening && listening.told;
  byId("listening").textContent = !listening ? "" : !told || !told.sounding ? "Waiting for sound ..."
    : `${Math.round(1000 * listening.latency)} ms behind, ${told.underruns} gap${told.underruns === 1 ? "" : "s"}`;
}

async function listen(on) {
  const [rate, channels] = values.sound || [0, 0];
  if (listening) {
    listening.end();
    listening = null;
  }
  if (on && rate) {
    listening = new (byId("through").value === "call" ? Call : Listening)(rate, channels);
    showListening();
    try {
      await listening.begin();
    } catch (error) {
      word(home === born ? `This browser cannot play the sound: ${error.message}`
        : "The server that gave this page has gone: open the page at its new address to listen.");
      listening = null;
    }
  }
  showListening();
}

function makeListening() {
  const kept = Number(localStorage.getItem(BUFFER_KEY));
  if (kept) byId("buffer").value = kept;
  const show = () => { byId("buffer-shown").textContent = `${byId("buffer").value} ms`; };
  byId("buffer").oninput = () => {
    show();
    localStorage.setItem(BUFFER_KEY, byId("buffer").value);
    if (listening) listening.setBuffer(buffer());
  };
  show();
  byId("through").onchange = () => { if (listening) listen(true); };
  byId("listen").onclick = () => listen(!listening);
  shown.sound = (rate) => {
    byId("listen").disabled = !rate;
    byId("silent").hidden = Boolean(rate);
    if (listening && (listening.rate !== rate || listening.channels !== values.sound[1])) listen(Boolean(rate));
  };
}
