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
/** Two soft pips, under the voice of who is talked to. */
const WAITING_HZ = 520;
const WAITING_EVERY_MS = 5000;
/** Rows and columns of a telephone's keys (ITU-T Q.23). */
const ROWS_HZ = [697, 770, 852, 941];
const COLUMNS_HZ = [1209, 1336, 1477, 1633];
const KEYS = '123A456B789C*0#D';
const KEY_S = 0.12;

/** @typedef {'ringtone'|'ringback'|'waiting'} Sound */

export class Sounds {
  /** @type {AudioContext|null} */
  #context = null;
  /** @type {Sound|null} */
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

  /** @param {Sound|null} sound */
  play(sound) {
    const wanted = sound === 'ringtone' && !this.isRingtoneOn ? null : sound;
    if (wanted === this.#playing) return;
    this.#stop();
    this.#playing = wanted;
    if (wanted === null) return;
    this.unlock();
    /** @type {Record<Sound, [() => void, number]>} */
    const ways = {
      ringtone: [() => this.#ring(), RING_EVERY_MS],
      ringback: [() => this.#ringback(), RINGBACK_EVERY_MS],
      waiting: [() => this.#pips(), WAITING_EVERY_MS],
    };
    const [once, everyMs] = ways[wanted];
    once();
    this.#timer = setInterval(once, everyMs);
  }

  /** A key of the keypad, as it sounds on a telephone; the far end hears its own. @param {string} digit */
  key(digit) {
    this.unlock();
    const index = KEYS.indexOf(digit);
    const context = this.#context;
    if (index < 0 || context?.state !== 'running') return;
    const pair = [ROWS_HZ[index >> 2], COLUMNS_HZ[index & 3]];
    this.#tone(/** @type {number[]} */ (pair), { at: context.currentTime, gain: 0.04, lastsS: KEY_S }, context.destination);
  }

  #pips() {
    const context = this.#context;
    if (context?.state !== 'running') return;
    for (const delay of [0.05, 0.3]) {
      this.#tone([WAITING_HZ], { at: context.currentTime + delay, gain: 0.035, lastsS: 0.12 }, this.#target(context));
    }
  }

  /**
   * @param {number[]} pitches in Hz
   * @param {{at: number, gain: number, lastsS: number}} shape
   * @param {AudioNode} target
   */
  #tone(pitches, { at, gain, lastsS }, target) {
    const context = /** @type {AudioContext} */ (this.#context);
    const envelope = new GainNode(context, { gain: 0 });
    envelope.gain.setTargetAtTime(gain, at, 0.005);
    envelope.gain.setTargetAtTime(0, at + lastsS, 0.01);
    envelope.connect(target);
    for (const frequency of pitches) {
      const tone = new OscillatorNode(context, { frequency });
      tone.connect(envelope);
      tone.start(at);
      tone.stop(at + lastsS + 0.1);
    }
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
    const shape = { at: context.currentTime + 0.05, gain: 0.05, lastsS: RINGBACK_ON_S };
    this.#tone(RINGBACK_HZ, shape, this.#target(context));
  }
}
