/**
 * Is the microphone heard, and the speaker? Made by Web Audio, which browsers keep
 * silent until the user has touched the page; the first touch wakes it.
 */

const FLOOR_DB = -60;
const CEILING_DB = -12;
/** As loud as somebody who speaks. */
const HEARD_LEVEL = 0.35;
const EVERY_MS = 80;
const CHIME_HZ = [523.25, 659.26, 783.99];
const CHIME_EVERY_S = 0.22;

/** 0 to 1 of what a person hears as quiet to loud. @param {Float32Array} samples */
export function levelOf(samples) {
  let sum = 0;
  for (const sample of samples) sum += sample * sample;
  const db = 10 * Math.log10(sum / Math.max(1, samples.length) + 1e-12);
  return Math.min(1, Math.max(0, (db - FLOOR_DB) / (CEILING_DB - FLOOR_DB)));
}

export class SoundCheck {
  /** @type {AudioContext|null} */
  #context = null;
  /** @type {MediaStreamTrack|null} */
  #track = null;
  /** @type {MediaStreamAudioSourceNode|null} */
  #source = null;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #timer;
  #listener;
  /** @type {HTMLAudioElement|null} */
  #output = null;

  /** @param {(level: number, isHeard: boolean) => void} listener 0 to 1, some times a second */
  constructor(listener) {
    this.#listener = listener;
  }

  /** Call it from a user's gesture. */
  wake() {
    if (this.#context?.state === 'suspended') this.#context.resume().catch(() => undefined);
  }

  #audio() {
    this.#context ??= 'AudioContext' in globalThis ? new AudioContext() : null;
    this.wake();
    return this.#context;
  }

  /** Measures this track from now on. @param {MediaStreamTrack|null} track */
  measure(track) {
    if (track === this.#track) return;
    clearInterval(this.#timer);
    this.#source?.disconnect();
    this.#source = null;
    this.#track = track;
    const context = track && this.#audio();
    if (!track || !context) return;
    const analyser = new AnalyserNode(context, { fftSize: 1024 });
    this.#source = new MediaStreamAudioSourceNode(context, { mediaStream: new MediaStream([track]) });
    this.#source.connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    this.#timer = setInterval(() => {
      if (context.state !== 'running') return;
      analyser.getFloatTimeDomainData(samples);
      const level = track.enabled ? levelOf(samples) : 0;
      this.#listener(level, level >= HEARD_LEVEL);
    }, EVERY_MS);
  }

  /** Plays a few notes. @param {string} speakerId '' for the system's own */
  async chime(speakerId) {
    const context = this.#audio();
    if (!context) return;
    const target = new MediaStreamAudioDestinationNode(context);
    this.#output ??= document.createElement('audio');
    if ('setSinkId' in this.#output) await this.#output.setSinkId(speakerId).catch(() => undefined);
    this.#output.srcObject = target.stream;
    await this.#output.play().catch(() => undefined);
    CHIME_HZ.forEach((frequency, index) => {
      const start = context.currentTime + 0.1 + index * CHIME_EVERY_S;
      const envelope = new GainNode(context, { gain: 0 });
      envelope.gain.setValueAtTime(0, start);
      envelope.gain.linearRampToValueAtTime(0.3, start + 0.02);
      envelope.gain.exponentialRampToValueAtTime(0.001, start + 0.6);
      const note = new OscillatorNode(context, { frequency });
      note.connect(envelope).connect(target);
      note.start(start);
      note.stop(start + 0.65);
    });
  }

  close() {
    this.measure(null);
    if (this.#output) this.#output.srcObject = null;
    void this.#context?.close().catch(() => undefined);
    this.#context = null;
  }
}
