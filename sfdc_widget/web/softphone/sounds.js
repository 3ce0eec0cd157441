/**
 * The softphone's own sounds, made by Web Audio: no files, nothing to load.
 *
 * Browsers keep an audio context silent until the user has touched the page; the
 * first touch anywhere in the softphone wakes it.
 */
const RING_NOTES_HZ = [659.26, 783.99, 987.77, 783.99];
const RING_EVERY_MS = 3000;
const RINGBACK_HZ = [440, 480];
const RINGBACK_EVERY_MS = 6000;
const RINGBACK_ON_S = 2;

export class Sounds {
  /** @type {AudioContext|null} */
  #context = null;
  /** @type {'ringtone'|'ringback'|null} */
  #playing = null;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #timer;
  /** @type {GainNode|null} */
  #output = null;
  isRingtoneOn = true;

  /** Call it from a user's gesture. */
  unlock() {
    this.#context ??= 'AudioContext' in globalThis ? new AudioContext() : null;
    if (this.#context?.state === 'suspended') this.#context.resume().catch(() => undefined);
  }

  /** What sounds now. */
  get playing() {
    return this.#playing;
  }

  /** @param {'ringtone'|'ringback'|null} sound */
  play(sound) {
    const wanted = sound === 'ringtone' && !this.isRingtoneOn ? null : sound;
    if (wanted === this.#playing) return;
    this.#stop();
    this.#playing = wanted;
    if (wanted === null) return;
    this.unlock();
    const once = wanted === 'ringtone' ? () => this.#ring() : () => this.#ringback();
    once();
    this.#timer = setInterval(once, wanted === 'ringtone' ? RING_EVERY_MS : RINGBACK_EVERY_MS);
  }

  #stop() {
    clearInterval(this.#timer);
    this.#output?.disconnect();
    this.#output = null;
  }

  /** @param {AudioContext} context */
  #target(context) {
    this.#output ??= new GainNode(context, { gain: 1 });
    this.#output.connect(context.destination);
    return this.#output;
  }

  #ring() {
    const context = this.#context;
    if (context?.state !== 'running') return;
    const target = this.#target(context);
    RING_NOTES_HZ.forEach((frequency, index) => {
      const start = context.currentTime + index * 0.16;
      const envelope = new GainNode(context, { gain: 0 });
      envelope.gain.setValueAtTime(0, start);
      envelope.gain.linearRampToValueAtTime(0.22, start + 0.015);
      envelope.gain.exponentialRampToValueAtTime(0.001, start + 0.7);
      const note = new OscillatorNode(context, { type: 'sine', frequency });
      note.connect(envelope).connect(target);
      note.start(start);
      note.stop(start + 0.75);
    });
  }

  #ringback() {
    const context = this.#context;
    if (context?.state !== 'running') return;
    const target = this.#target(context);
    const start = context.currentTime + 0.05;
    const envelope = new GainNode(context, { gain: 0 });
    envelope.gain.setTargetAtTime(0.05, start, 0.02);
    envelope.gain.setTargetAtTime(0, start + RINGBACK_ON_S, 0.02);
    envelope.connect(target);
    for (const frequency of RINGBACK_HZ) {
      const tone = new OscillatorNode(context, { frequency });
      tone.connect(envelope);
      tone.start(start);
      tone.stop(start + RINGBACK_ON_S + 0.2);
    }
  }
}
