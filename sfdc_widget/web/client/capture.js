/**
 * One kind of capture device: asking for it, and why it cannot be had.
 *
 * @typedef {import('./errors.js').DeviceProblem} DeviceProblem
 */
export class Capture {
  /** @type {Promise<MediaStreamTrack>|null} */
  #capture = null;
  #users = 0;
  /** Chosen device, '' for the browser's default. */
  deviceId = '';
  #kind;
  #constraints;
  #fail;

  /**
   * @param {object} options
   * @param {'audio'|'video'} options.kind
   * @param {MediaTrackConstraints} options.constraints
   * @param {(problem: DeviceProblem, text?: string) => Error & {problem: DeviceProblem}} options.fail
   *   makes the error to throw
   */
  constructor({ kind, constraints, fail }) {
    this.#kind = kind;
    this.#constraints = constraints;
    this.#fail = fail;
  }

  /**
   * What is known to be wrong before asking, or null.
   *
   * @returns {Promise<DeviceProblem|null>}
   */
  async check() {
    const known = this.#unavailable();
    if (known) return known;
    return (await this.#permission()) === 'denied' ? this.#refusal() : null;
  }

  /** True when opening it will not ask the user anything and most likely works. */
  async isReady() {
    if (this.#unavailable() || (await this.#permission()) !== 'granted') return false;
    try {
      const devices = await navigator.mediaDevices.enumerateDevices();
      return devices.some(({ kind }) => kind === `${this.#kind}input`);
    } catch {
      return false;
    }
  }

  /** True when the browser will ask the user. */
  async willAsk() {
    return this.#unavailable() === null && (await this.#permission()) === 'prompt';
  }

  /**
   * A track of one's own; give it back with `release`.
   *
   * @returns {Promise<MediaStreamTrack>}
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

  /**
   * What to ask the browser for.
   *
   * @returns {MediaTrackConstraints}
   */
  get constraints() {
    return { ...this.#constraints, ...(this.deviceId ? { deviceId: { ideal: this.deviceId } } : {}) };
  }

  /**
   * Takes over a track that was opened together with another device's, so that the
   * user was asked once. `acquire` it next, or it stays open.
   *
   * @param {MediaStreamTrack} track
   */
  adopt(track) {
    if (this.#capture) track.stop();
    else this.#capture = Promise.resolve(track);
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

  /** Those with a name, which browsers give once the user has allowed any. */
  async devices() {
    const all = (await navigator.mediaDevices?.enumerateDevices().catch(() => [])) ?? [];
    return all.filter(({ kind, label }) => kind === `${this.#kind}input` && label);
  }

  /** @returns {Promise<MediaStreamTrack>} */
  async #open() {
    const known = this.#unavailable();
    if (known) throw this.#fail(known);
    try {
      const stream = await navigator.mediaDevices.getUserMedia({
        audio: this.#kind === 'audio' && this.constraints,
        video: this.#kind === 'video' && this.constraints,
      });
      const track = stream.getTracks()[0];
      if (!track) throw this.#fail('no_device');
      return track;
    } catch (error) {
      throw error instanceof Error && 'problem' in error ? error : this.#classify(error);
    }
  }

  get #name() {
    return this.#kind === 'audio' ? 'microphone' : 'camera';
  }

  /** @returns {DeviceProblem|null} */
  #unavailable() {
    if (!globalThis.isSecureContext) return 'insecure';
    if (!navigator.mediaDevices?.getUserMedia || !globalThis.RTCPeerConnection) return 'unsupported';
    return this.isDelegated ? null : 'blocked_by_policy';
  }

  /** Whether the page around us lets us ask; browsers that cannot tell count as yes. */
  get isDelegated() {
    const policy = /** @type {{allowsFeature?: (name: string) => boolean}|undefined} */ (
      /** @type {any} */ (document).permissionsPolicy ?? /** @type {any} */ (document).featurePolicy
    );
    return policy?.allowsFeature?.(this.#name) ?? true;
  }

  /** @returns {Promise<PermissionState>} */
  async #permission() {
    try {
      const name = /** @type {PermissionName} */ (this.#name);
      return (await navigator.permissions.query({ name })).state;
    } catch {
      return 'prompt';
    }
  }

  /** @returns {DeviceProblem} */
  #refusal() {
    return this.isDelegated ? 'denied' : 'blocked_by_policy';
  }

  /** @param {unknown} error */
  #classify(error) {
    const name = error instanceof DOMException ? error.name : '';
    const text = String(error);
    switch (name) {
      case 'NotAllowedError':
      case 'SecurityError':
        // In a frame without delegation some browsers only say "not allowed", and
        // never stored an answer of the user's.
        return this.#fail(/policy/i.test(text) ? 'blocked_by_policy' : this.#refusal(), text);
      case 'NotFoundError':
      case 'OverconstrainedError':
        return this.#fail('no_device', text);
      default:
        return this.#fail('device_busy', text);
    }
  }
}
