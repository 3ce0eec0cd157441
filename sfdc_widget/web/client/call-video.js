import { blackTrack, chooseScreen } from './camera.js';

/** @import {Camera} from './camera.js' */
/** @import {CallMedia} from './call-media.js' */

/**
 * What a call's far end is shown: the screen, else the camera, else black.
 *
 * The camera opens by `openCamera` alone; nothing that happens elsewhere opens it.
 */
export class CallVideo {
  #camera;
  #media;
  #changed;
  #lost;
  /** @type {MediaStreamTrack|null} */
  #own = null;
  /** @type {Promise<void>|null} */
  #opening = null;
  /** @type {MediaStreamTrack|null} */
  #screen = null;
  /** @type {MediaStreamTrack|null} */
  #black = null;
  /** @type {MediaStream|null} */
  #preview = null;
  #isWanted = false;
  #isClosed = false;

  /**
   * @param {object} options
   * @param {Camera} options.camera
   * @param {CallMedia} options.media
   * @param {() => void} options.changed what is shown is another
   * @param {() => void} options.lost the camera was unplugged, and no other is there
   */
  constructor({ camera, media, changed, lost }) {
    this.#camera = camera;
    this.#media = media;
    this.#changed = changed;
    this.#lost = lost;
  }

  get isCameraOn() {
    return this.#own !== null;
  }

  get isSharing() {
    return this.#screen !== null;
  }

  /** What the far end is shown, for showing it here as well. @returns {MediaStream|null} */
  get preview() {
    const track = this.#screen ?? this.#own;
    if (this.#preview?.getTracks()[0] !== (track ?? undefined)) {
      this.#preview = track && new MediaStream([track]);
    }
    return this.#preview;
  }

  /** @throws {import('./errors.js').CameraError} */
  async openCamera() {
    this.#isWanted = true;
    if (this.#own || this.#isClosed) return;
    this.#opening ??= this.#open().finally(() => (this.#opening = null));
    await this.#opening;
  }

  async #open() {
    let track;
    try {
      track = await this.#camera.acquire();
    } catch (error) {
      this.#isWanted = false;
      throw error;
    }
    // Asking the user takes time: they may have thought better of it.
    if (!this.#isWanted || this.#isClosed) {
      this.#camera.release(track);
      return;
    }
    track.addEventListener('ended', () => void this.#unplugged(track));
    this.#own = track;
    await this.update();
  }

  async closeCamera() {
    this.#isWanted = false;
    const track = this.#own;
    this.#own = null;
    // First what takes its place, so that no last picture stays.
    await this.update();
    if (track) this.#camera.release(track);
  }

  /** After another device was chosen. @throws {import('./errors.js').CameraError} */
  async switchCamera() {
    const former = this.#own;
    if (!former) return;
    const track = await this.#camera.acquire();
    if (this.#own !== former) {
      this.#camera.release(track);
      return;
    }
    track.addEventListener('ended', () => void this.#unplugged(track));
    this.#own = track;
    await this.update();
    this.#camera.release(former);
  }

  /** @param {MediaStreamTrack} track */
  async #unplugged(track) {
    if (track !== this.#own) return;
    try {
      this.#camera.choose('');
      await this.switchCamera();
    } catch {
      await this.closeCamera();
      this.#lost();
    }
  }

  /**
   * Asks which screen; call it from a click.
   *
   * @returns {Promise<boolean>} whether one was chosen
   * @throws {import('./errors.js').CameraError}
   */
  async share() {
    const track = await chooseScreen();
    if (!track) return false;
    if (this.#isClosed) {
      track.stop();
      return false;
    }
    // The browser's own "Stop sharing" only ends the track.
    track.addEventListener('ended', () => void (track === this.#screen && this.stopSharing()));
    this.#screen?.stop();
    this.#screen = track;
    await this.update();
    return true;
  }

  async stopSharing() {
    const track = this.#screen;
    this.#screen = null;
    await this.update();
    track?.stop();
  }

  /** Sends what is to be sent now. */
  async update() {
    if (this.#isClosed) return;
    const shown = this.#screen ?? this.#own;
    const isBlack = shown === null && this.#media.wantsVideo;
    if (isBlack) this.#black ??= blackTrack();
    await this.#media.setVideoTrack(isBlack ? this.#black : shown);
    if (!isBlack) this.#stopBlack();
    this.#changed();
  }

  #stopBlack() {
    this.#black?.stop();
    this.#black = null;
  }

  close() {
    this.#isClosed = true;
    this.#stopBlack();
    this.#screen?.stop();
    if (this.#own) this.#camera.release(this.#own);
    this.#screen = this.#own = this.#preview = null;
  }
}
