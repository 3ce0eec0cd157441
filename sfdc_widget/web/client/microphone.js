import { MicrophoneError } from './errors.js';

/** @import {MicrophoneProblem} from './errors.js' */

/**
 * The rep's microphone: one capture, shared by calls through clones of its track.
 *
 * It is open only while a call needs it, so that the browser's recording sign is
 * off between calls and while the phone merely rings.
 */
export class Microphone {
  /** @type {Promise<MediaStreamTrack>|null} */
  #capture = null;
  #users = 0;
  /** Chosen device, '' for the browser's default. */
  deviceId = '';

  /**
   * What is known to be wrong before asking, or null.
   *
   * @returns {Promise<MicrophoneProblem|null>}
   */
  async check() {
    const known = unavailable();
    if (known) return known;
    return (await permission()) === 'denied' ? refusal() : null;
  }

  /** True when opening it will not ask the user anything and most likely works. */
  async isReady() {
    if (unavailable() || (await permission()) !== 'granted') return false;
    try {
      const devices = await navigator.mediaDevices.enumerateDevices();
      return devices.some(({ kind }) => kind === 'audioinput');
    } catch {
      return false;
    }
  }

  /** True when the browser will ask the user. */
  async willAsk() {
    return unavailable() === null && (await permission()) === 'prompt';
  }

  /**
   * A track of one's own; give it back with `release`.
   *
   * @returns {Promise<MediaStreamTrack>}
   * @throws {MicrophoneError}
   */
  async acquire() {
    this.#users += 1;
    try {
      this.#capture ??= this.#open();
      const track = await this.#capture;
      if (track.readyState === 'ended') {
        this.#capture = this.#open();
        return (await this.#capture).clone();
      }
      return track.clone();
    } catch (error) {
      this.#capture = null;
      this.#users -= 1;
      throw error;
    }
  }

  /** @param {MediaStreamTrack} track */
  release(track) {
    track.stop();
    this.#users -= 1;
    if (this.#users === 0) this.#close();
  }

  /** The next `acquire` opens the device chosen now. */
  #close() {
    const capture = this.#capture;
    this.#capture = null;
    capture?.then((track) => track.stop()).catch(() => undefined);
  }

  /** @param {string} deviceId */
  choose(deviceId) {
    this.deviceId = deviceId;
    this.#close();
  }

  /** @returns {Promise<MediaStreamTrack>} */
  async #open() {
    const known = unavailable();
    if (known) throw new MicrophoneError(known);
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: {
          echoCancellation: true,
          noiseSuppression: true,
          autoGainControl: true,
          ...(this.deviceId ? { deviceId: { ideal: this.deviceId } } : {}),
        },
        video: false,
      });
      const track = stream.getAudioTracks()[0];
      if (!track) throw new MicrophoneError('no_device');
      return track;
    } catch (error) {
      throw error instanceof MicrophoneError ? error : await classify(error);
    }
  }

  /** @returns {Promise<{microphones: MediaDeviceInfo[], speakers: MediaDeviceInfo[]}>} */
  static async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    return {
      microphones: all.filter(({ kind, label }) => kind === 'audioinput' && label),
      speakers: all.filter(({ kind, label }) => kind === 'audiooutput' && label),
    };
  }
}

/** @returns {MicrophoneProblem|null} */
function unavailable() {
  if (!globalThis.isSecureContext) return 'insecure';
  if (!navigator.mediaDevices?.getUserMedia || !globalThis.RTCPeerConnection) return 'unsupported';
  return isDelegated() ? null : 'blocked_by_policy';
}

/** Whether the page around us lets us ask; browsers that cannot tell count as yes. */
function isDelegated() {
  const policy = /** @type {{allowsFeature?: (name: string) => boolean}|undefined} */ (
    /** @type {any} */ (document).permissionsPolicy ?? /** @type {any} */ (document).featurePolicy
  );
  return policy?.allowsFeature?.('microphone') ?? true;
}

/** @returns {Promise<PermissionState>} */
async function permission() {
  try {
    const name = /** @type {PermissionName} */ ('microphone');
    return (await navigator.permissions.query({ name })).state;
  } catch {
    return 'prompt';
  }
}

/** @returns {MicrophoneProblem} */
function refusal() {
  return isDelegated() ? 'denied' : 'blocked_by_policy';
}

/** @param {unknown} error */
async function classify(error) {
  const name = error instanceof DOMException ? error.name : '';
  const text = String(error);
  switch (name) {
    case 'NotAllowedError':
    case 'SecurityError':
      // In a frame without delegation some browsers only say "not allowed", and
      // never stored an answer of the user's.
      if (/policy/i.test(text)) return new MicrophoneError('blocked_by_policy', text);
      return new MicrophoneError(refusal(), text);
    case 'NotFoundError':
    case 'OverconstrainedError':
      return new MicrophoneError('no_device', text);
    default:
      return new MicrophoneError('device_busy', text);
  }
}
