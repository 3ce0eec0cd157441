/**
 * Camera, microphone and speaker before the call, and which are chosen.
 *
 * Camera and microphone are asked for together, so that the browser asks once. Where
 * it will ask, it does so only after a click: a question nobody expected is answered
 * with "no". A device that cannot be had never keeps the other one away.
 */
import { CameraError, MicrophoneError } from '../client/index.js';
import { Microphone } from '../client/microphone.js';

/**
 * @import {RingbridgeClient} from '../client/index.js'
 * @import {Camera} from '../client/camera.js'
 * @import {DeviceProblem} from '../client/errors.js'
 * @import {TabStorage} from '../client/storage.js'
 *
 * @typedef {object} DeviceState
 * @property {boolean} isWanted by the user
 * @property {MediaStreamTrack|null} track
 * @property {DeviceProblem|null} problem
 * @property {string} message of the browser, with the problem
 * @property {string} deviceId of what was opened last
 *
 * @typedef {object} DeviceLists
 * @property {MediaDeviceInfo[]} cameras
 * @property {MediaDeviceInfo[]} microphones
 * @property {MediaDeviceInfo[]} speakers
 */

/** @typedef {'camera'|'microphone'} Kind */

export class Devices extends EventTarget {
  #client;
  #storage;
  /** @type {Record<Kind, DeviceState>} */
  #states = { camera: blank(), microphone: blank() };
  #isOpening = false;
  #mustAsk = false;
  /** What is opened counts only while somebody looks at it. */
  #isShown = false;
  #round = 0;
  /** @type {DeviceLists} */
  lists = { cameras: [], microphones: [], speakers: [] };

  /** @param {{client: RingbridgeClient, storage: TabStorage}} options */
  constructor({ client, storage }) {
    super();
    this.#client = client;
    this.#storage = storage;
    client.camera.choose(storage.get('camera_id') ?? '');
    client.microphone.choose(storage.get('microphone_id') ?? '');
    client.chooseSpeaker(storage.get('speaker_id') ?? '');
    this.#states.camera.isWanted = storage.get('camera_off') === null;
    this.#states.microphone.isWanted = storage.get('microphone_off') === null;
    navigator.mediaDevices?.addEventListener?.('devicechange', () => void this.#plugged());
  }

  get camera() {
    return this.#states.camera;
  }

  get microphone() {
    return this.#states.microphone;
  }

  /** The browser's question is on the screen, or a device is starting. */
  get isOpening() {
    return this.#isOpening;
  }

  /** The browser will ask; `open` is to be called from a click. */
  get mustAsk() {
    return this.#mustAsk;
  }

  #changed() {
    this.dispatchEvent(new Event('change'));
  }

  /** Shows what there is, without a question the user did not expect. */
  async begin() {
    if (this.#isShown) return;
    this.#isShown = true;
    const round = ++this.#round;
    const { camera, microphone } = this.#client;
    const willAsk = (await microphone.willAsk()) || (this.camera.isWanted && (await camera.willAsk()));
    if (round !== this.#round) return;
    this.#mustAsk = willAsk;
    this.#changed();
    await this.#list();
    if (!willAsk && round === this.#round) await this.open();
  }

  /** Lets go of everything; a call that has it keeps it. */
  rest() {
    this.#isShown = false;
    this.#round += 1;
    this.#isOpening = false;
    this.#drop('camera');
    this.#drop('microphone');
  }

  /** Opens what is wanted and not open yet. Never throws: see `problem`. */
  async open() {
    if (!this.#isShown || this.#isOpening) return;
    const round = this.#round;
    this.#isOpening = true;
    this.#mustAsk = false;
    for (const state of Object.values(this.#states)) if (!state.track) state.problem = null;
    this.#changed();
    const kinds = /** @type {Kind[]} */ (['camera', 'microphone']).filter(
      (kind) => !this.#states[kind].track && (kind === 'microphone' || this.camera.isWanted),
    );
    if (kinds.length === 2) await this.#askTogether();
    for (const kind of kinds) if (round === this.#round) await this.#acquire(kind, round);
    if (round !== this.#round) return;
    this.#isOpening = false;
    await this.#list();
    this.#changed();
  }

  /** One question for both. What goes wrong is found out device by device. */
  async #askTogether() {
    const { camera, microphone } = this.#client;
    if ((await camera.check()) !== null || (await microphone.check()) !== null) return;
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        video: camera.constraints,
        audio: microphone.constraints,
      });
      for (const track of stream.getTracks()) {
        (track.kind === 'video' ? camera : microphone).adopt(track);
      }
    } catch (error) {
      const isRefused = error instanceof DOMException && error.name === 'NotAllowedError';
      if (!isRefused) return;
      // Asked again device by device, a user who has just said no would be pressed.
      const isLasting = (await camera.check()) !== null || (await microphone.check()) !== null;
      if (isLasting) return;
      for (const state of Object.values(this.#states)) {
        state.problem = 'denied';
        state.message = String(error);
      }
    }
  }

  /** @param {Kind} kind @param {number} round */
  async #acquire(kind, round) {
    const state = this.#states[kind];
    if (state.problem !== null) return;
    const source = this.#source(kind);
    try {
      const track = await source.acquire();
      if (round !== this.#round || (kind === 'camera' && !state.isWanted)) {
        source.release(track);
        return;
      }
      track.enabled = kind === 'camera' || state.isWanted;
      track.addEventListener('ended', () => void this.#unplugged(kind, track));
      state.track = track;
      state.deviceId = track.getSettings().deviceId ?? '';
    } catch (error) {
      if (round !== this.#round) return;
      state.problem = problemOf(error);
      state.message = error instanceof Error ? error.message : '';
    }
    this.#changed();
  }

  /** @param {Kind} kind @returns {Camera|Microphone} */
  #source(kind) {
    return kind === 'camera' ? this.#client.camera : this.#client.microphone;
  }

  /** @param {Kind} kind */
  #drop(kind) {
    const state = this.#states[kind];
    const track = state.track;
    state.track = null;
    if (track) this.#source(kind).release(track);
  }

  /** @param {Kind} kind @param {MediaStreamTrack} track */
  async #unplugged(kind, track) {
    if (track !== this.#states[kind].track) return;
    this.#drop(kind);
    this.#source(kind).choose('');
    this.#changed();
    await this.open();
  }

  /** Something was plugged in or out: perhaps it is what was missing. */
  async #plugged() {
    await this.#list();
    if (!this.#isShown) return;
    const { cameras, microphones } = this.lists;
    const isThere =
      (this.camera.problem === 'no_device' && cameras.length > 0) ||
      (this.microphone.problem === 'no_device' && microphones.length > 0);
    if (isThere) await this.open();
    else this.#changed();
  }

  /** Looks what there is, for those who are about to choose. */
  async refresh() {
    await this.#list();
    this.#changed();
  }

  async #list() {
    const [cameras, { microphones, speakers }] = await Promise.all([
      this.#client.camera.devices(),
      Microphone.devices(),
    ]);
    const canChoose = 'setSinkId' in HTMLMediaElement.prototype;
    this.lists = { cameras, microphones, speakers: canChoose ? speakers : [] };
  }

  /** @param {boolean} isOn */
  async setCamera(isOn) {
    this.camera.isWanted = isOn;
    this.#storage.set('camera_off', isOn ? null : '1');
    if (isOn) {
      await this.open();
    } else {
      this.#drop('camera');
      this.camera.problem = null;
      this.#changed();
    }
  }

  /** @param {boolean} isOn */
  async setMicrophone(isOn) {
    this.microphone.isWanted = isOn;
    this.#storage.set('microphone_off', isOn ? null : '1');
    if (this.microphone.track) this.microphone.track.enabled = isOn;
    else if (isOn) await this.open();
    this.#changed();
  }

  /** @param {string} deviceId */
  async chooseCamera(deviceId) {
    this.#storage.set('camera_id', deviceId);
    this.#drop('camera');
    await this.#client.chooseCamera(deviceId).catch(() => undefined);
    await this.#reopened('camera');
  }

  /** @param {string} deviceId */
  async chooseMicrophone(deviceId) {
    this.#storage.set('microphone_id', deviceId);
    this.#drop('microphone');
    await this.#client.chooseMicrophone(deviceId).catch(() => undefined);
    await this.#reopened('microphone');
  }

  /** @param {Kind} kind */
  async #reopened(kind) {
    this.#states[kind].problem = null;
    if (this.#isShown && this.#states[kind].isWanted) await this.open();
    this.#changed();
  }

  /** @param {string} deviceId */
  chooseSpeaker(deviceId) {
    this.#storage.set('speaker_id', deviceId);
    this.#client.chooseSpeaker(deviceId);
    this.#changed();
  }

  /** What is chosen, '' for the system's own. @returns {{camera: string, microphone: string, speaker: string}} */
  get chosen() {
    const settings = (/** @type {Kind} */ kind) =>
      this.#source(kind).deviceId || this.#states[kind].deviceId;
    return {
      camera: settings('camera'),
      microphone: settings('microphone'),
      speaker: this.#client.speakerId,
    };
  }
}

/** @returns {DeviceState} */
function blank() {
  return { isWanted: true, track: null, problem: null, message: '', deviceId: '' };
}

/** @param {unknown} error @returns {DeviceProblem} */
function problemOf(error) {
  return error instanceof CameraError || error instanceof MicrophoneError ? error.problem : 'device_busy';
}
