/**
 * The calls that have media in this page, and the devices they share.
 */
import { Camera } from './camera.js';
import { MicrophoneError } from './errors.js';
import { Microphone } from './microphone.js';
import { keptVideo, mutedCalls } from './storage.js';

/**
 * @import {Ask, LocalCall} from './local-call.js'
 * @import {DeviceProblem, MicrophoneProblem} from './errors.js'
 * @import {TabStorage} from './storage.js'
 * @import {CallView} from './wire.d.ts'
 *
 * @typedef {object} DeviceState Of the client's state what is known here.
 * @property {MicrophoneProblem|null} microphoneProblem
 * @property {DeviceProblem|null} cameraProblem
 * @property {boolean} willAskMicrophone
 * @property {boolean} isPlaybackBlocked
 * @property {boolean} isObserver
 *
 * @typedef {object} LocalCallsOptions
 * @property {Ask} ask
 * @property {(callId: string) => CallView|undefined} find
 * @property {() => Promise<RTCIceServer[]>} iceServers
 * @property {TabStorage} storage
 * @property {boolean} keepsVideo
 * @property {() => DeviceState} state
 * @property {(changes: Partial<DeviceState>) => void} update
 * @property {(callIds: readonly string[]) => void} muted these are, and no others
 * @property {(kind: 'microphone'|'camera', problem: DeviceProblem) => void} failed
 */

export class LocalCalls {
  microphone = new Microphone();
  camera = new Camera();
  speakerId = '';
  #options;
  /** @type {Map<string, LocalCall>} */
  #calls = new Map();
  /** @type {Promise<typeof import('./local-call.js')>|null} */
  #module = null;

  /** @param {LocalCallsOptions} options */
  constructor(options) {
    this.#options = options;
    this.#load().catch(() => undefined);
  }

  /** What carries media: needed soon, but not for the page's first picture. */
  #load() {
    return (this.#module ??= import('./local-call.js').catch((error) => {
      this.#module = null;
      throw error;
    }));
  }

  /** @param {string} callId */
  get(callId) {
    return this.#calls.get(callId);
  }

  ids() {
    return [...this.#calls.keys()];
  }

  /** @param {string} callId @returns {Promise<LocalCall>} */
  async create(callId) {
    const { ask, find, iceServers, storage, keepsVideo, update, failed } = this.#options;
    const { LocalCall: Made } = await this.#load();
    const servers = await iceServers();
    const existing = this.#calls.get(callId);
    if (existing) return existing;
    const local = new Made(callId, servers, this.speakerId, {
      ask,
      find,
      openMicrophone: (each) => this.openMicrophone(each),
      isMicrophoneReady: () => this.microphone.isReady(),
      camera: this.camera,
      storage,
      keepsVideo,
      changed: () => update({}),
      playback: (isPlaybackBlocked) => update({ isPlaybackBlocked }),
      cameraProblem: (problem) => {
        if (problem !== this.#options.state().cameraProblem) update({ cameraProblem: problem });
        if (problem !== null) failed('camera', problem);
      },
    });
    this.#calls.set(callId, local);
    return local;
  }

  /** @param {string} callId */
  end(callId) {
    const local = this.#calls.get(callId);
    if (!local) return;
    this.#calls.delete(callId);
    const track = local.close();
    if (track) this.microphone.release(track);
    if (this.#options.state().isPlaybackBlocked) this.#options.update({ isPlaybackBlocked: false });
  }

  endAll() {
    for (const callId of this.ids()) this.end(callId);
  }

  /** @param {CallView} call */
  async preOffer(call) {
    if (!globalThis.RTCPeerConnection || isElsewhere(call)) return;
    await this.#begin(call, (made) => made.preOffer(call));
  }

  /**
   * After a hello: a call that this page has no living media for gets it anew.
   *
   * @param {CallView} call
   */
  restore(call) {
    if (isElsewhere(call)) return;
    const local = this.#calls.get(call.call_id);
    if (local) local.restore(call);
    else void this.#begin(call, (made) => made.renew('reload'));
  }

  /** @param {CallView} call @param {(made: LocalCall) => Promise<void>} step */
  async #begin({ call_id: callId }, step) {
    const made = await this.create(callId).catch(() => null);
    // Another page may have got the phone meanwhile.
    if (this.#options.state().isObserver) this.end(callId);
    else if (made) await step(made);
  }

  /** A reload has nothing to bring back. @param {string} callId */
  forgetVideo(callId) {
    const { storage } = this.#options;
    if (keptVideo(storage, callId)) storage.set('video', null);
  }

  /** @param {readonly string[]} callIds @param {boolean} isMuted */
  mute(callIds, isMuted) {
    const { storage, find, update, muted } = this.#options;
    // Who was muted before a reload is muted after it; so is a call without media yet.
    const others = mutedCalls(storage).filter((id) => !callIds.includes(id) && find(id));
    const now = [...others, ...(isMuted ? callIds : [])];
    storage.set('muted', now.join(' ') || null);
    muted(now);
    for (const id of callIds) this.#calls.get(id)?.mute(isMuted);
    update({});
  }

  // Devices

  /** Looks, without asking the user, whether the microphone can be used. */
  async checkMicrophone() {
    const { state, update } = this.#options;
    const problem = await this.microphone.check();
    const willAskMicrophone = await this.microphone.willAsk();
    if (willAskMicrophone !== state().willAskMicrophone) update({ willAskMicrophone });
    if (problem !== null || state().microphoneProblem !== 'no_device') {
      this.#setMicrophoneProblem(problem);
    }
    return problem;
  }

  /** Asks the browser for it, as a call would, and lets it go again. */
  async tryMicrophone() {
    try {
      this.microphone.release(await this.microphone.acquire());
      this.#microphoneOpened();
    } catch (error) {
      this.#microphoneFailed(error);
      throw error;
    }
  }

  /** @param {string} deviceId */
  async chooseMicrophone(deviceId) {
    this.microphone.choose(deviceId);
    for (const { media } of this.#calls.values()) {
      const former = media.track;
      if (!former) continue;
      await media.setTrack(await this.microphone.acquire());
      this.microphone.release(former);
    }
  }

  /** @param {string} deviceId */
  chooseSpeaker(deviceId) {
    this.speakerId = deviceId;
    for (const { media } of this.#calls.values()) media.setSpeaker(deviceId);
  }

  unblockPlayback() {
    for (const { media } of this.#calls.values()) media.play();
  }

  /** @param {string} deviceId */
  async chooseCamera(deviceId) {
    this.camera.choose(deviceId);
    for (const { video } of this.#calls.values()) await video?.switchCamera();
  }

  /** @param {LocalCall} local */
  async openMicrophone(local) {
    if (local.media.track) return;
    try {
      const track = await this.microphone.acquire();
      if (local.isClosed) {
        this.microphone.release(track);
      } else {
        track.addEventListener('ended', () => void this.#microphoneLost(local));
        await local.media.setTrack(track);
      }
      this.#microphoneOpened();
    } catch (error) {
      this.#microphoneFailed(error);
      throw error;
    }
  }

  /** Unplugged in mid-call: go on with what is there now. @param {LocalCall} local */
  async #microphoneLost(local) {
    if (local.isClosed) return;
    try {
      this.microphone.choose('');
      await local.media.setTrack(await this.microphone.acquire());
    } catch (error) {
      this.#microphoneFailed(error);
    }
  }

  /** @param {unknown} error */
  #microphoneFailed(error) {
    if (!(error instanceof MicrophoneError)) return;
    this.#setMicrophoneProblem(error.problem);
    this.#options.failed('microphone', error.problem);
  }

  #microphoneOpened() {
    this.#setMicrophoneProblem(null);
    if (this.#options.state().willAskMicrophone) this.#options.update({ willAskMicrophone: false });
  }

  /** @param {MicrophoneProblem|null} problem */
  #setMicrophoneProblem(problem) {
    const { state, update } = this.#options;
    if (problem !== state().microphoneProblem) update({ microphoneProblem: problem });
  }
}

/** Its sound is no business of this page's. @param {CallView} call */
function isElsewhere(call) {
  return call.device === 'desk_phone';
}
