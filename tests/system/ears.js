// Put into every frame before its own scripts: see browser.py.
'use strict';
(() => {
  if (globalThis.ringbridgeEars) return;
  const peers = [];
  const tracks = [];
  const Native = globalThis.RTCPeerConnection;
  if (!Native) return;
  globalThis.RTCPeerConnection = class RTCPeerConnection extends Native {
    constructor(...parameters) {
      super(...parameters);
      peers.push(this);
      this.addEventListener('track', (event) => {
        tracks.push({peer: this, track: event.track});
      });
    }
  };
  // Noise suppression takes a steady tone for noise, which is what it is.
  const devices = navigator.mediaDevices;
  const capture = devices?.getUserMedia.bind(devices);
  if (capture) {
    devices.getUserMedia = (wanted) => capture(wanted?.audio ? {
      ...wanted,
      audio: {
        ...(wanted.audio === true ? {} : wanted.audio),
        echoCancellation: false,
        noiseSuppression: false,
        autoGainControl: false,
      },
    } : wanted);
  }
  let context = null;
  let tapped = new Map();
  // Of these tracks from now on, and of no others.
  function tap(live, rate, samples) {
    tapped = new Map(live.map((track) =>
      [track, tapped.get(track) ?? tapOne(track, rate, samples)]));
    return [...tapped.values()].map(({analyser}) => analyser);
  }
  function tapOne(track, rate, samples) {
    context ??= new AudioContext({sampleRate: rate});
    const stream = new MediaStream([track]);
    // Chromium decodes a remote track only while an element plays it.
    const element = new Audio();
    element.muted = true;
    element.srcObject = stream;
    element.play().catch(() => {});
    const analyser = context.createAnalyser();
    analyser.fftSize = samples;
    context.createMediaStreamSource(stream).connect(analyser);
    return {analyser, element};
  }
  function heardBy(analyser, samples) {
    context.resume();
    const heard = new Float32Array(samples);
    analyser.getFloatTimeDomainData(heard);
    return Array.from(heard, (value) => Math.round(value * 32767));
  }
  const living = (kind) => tracks
    .filter(({peer, track}) => track.kind === kind
      && peer.connectionState !== 'closed' && track.readyState === 'live')
    .map(({track}) => track);
  globalThis.ringbridgeEars = {
    peers,
    videoTracks: () => living('video'),
    listen({rate, samples}) {
      const live = living('audio');
      if (!live.length) return null;
      const [analyser] = tap(live.slice(-1), rate, samples);
      return heardBy(analyser, samples);
    },
    // Each remote track by itself.
    listenToAll({rate, samples}) {
      return tap(living('audio'), rate, samples).map((each) => heardBy(each, samples));
    },
    states: () => peers.map((peer) => peer.connectionState),
    async statistics() {
      const rows = [];
      const open = peers.filter((peer) => peer.connectionState !== 'closed');
      for (const peer of open) {
        (await peer.getStats()).forEach((row) => rows.push(row));
      }
      return JSON.parse(JSON.stringify(rows));
    },
  };
})();
