import { CameraError, VideoRefused } from './errors.js';
import { blackTrack, chooseScreen } from './screen.js';

/** @import {Camera} from './camera.js' */
/** @import {CallMedia} from './call-media.js' */
/** @import {DeviceProblem} from './errors.js' */

/**
 * The video of a call: whether it has any, and what the far end is shown: the screen,
 * else the camera, else black.
 *
 * The camera opens when this page is told to open it; nothing that happens elsewhere
 * opens it.
 *
 * @typedef {object} VideoListener
 * @property {() => void} changed what is shown is another
 * @property {(problem: DeviceProblem|null) => void} camera it failed, or works again
 */
export class CallVideo {
  #camera;
  #media;
  #negotiate;
  #listener;
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
   * @param {(step: () => Promise<boolean>) => Promise<void>} options.negotiate runs
   *   `step` when nothing else is negotiated, then offers if it says so
   * @param {VideoListener} options.listener
   */
  constructor({ camera, media, negotiate, listener }) {
    this.#camera = camera;
    this.#media = media;
    this.#negotiate = negotiate;
    this.#listener = listener;
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

  // With and without video

  /** The camera, before anything is offered. @throws {CameraError} */
  async open() {
    await this.#openCamera();
  }

  /** The next offer has video. @param {boolean} withCamera @throws {CameraError} */
  async prepare(withCamera) {
    if (withCamera) await this.#openCamera();
    this.#media.setVideo(true);
    await this.#update();
  }

  /** The offer that was prepared came to nothing. */
  async giveUp() {
    await this.#media.withdraw(false);
    await this.stopSharing();
    await this.#closeCamera();
  }

  /**
   * @param {boolean} withCamera
   * @throws {CameraError|VideoRefused|import('./errors.js').RequestError}
   */
  async start(withCamera) {
    if (withCamera) await this.#openCamera();
    if (this.#media.hasVideo) return;
    try {
      await this.#negotiate(async () => {
        if (this.#media.hasVideo) return false;
        await this.prepare(false);
        return true;
      });
      if (!this.#media.hasVideo) throw new VideoRefused();
    } catch (error) {
      await this.giveUp();
      throw error;
    }
  }

  async stop() {
    await this.stopSharing();
    await this.#closeCamera();
    if (!this.#media.wantsVideo) return;
    await this.#negotiate(async () => {
      this.#media.setVideo(false);
      await this.#update();
      return true;
    });
  }

  // The camera

  /** @param {boolean} isOn @throws {CameraError} */
  async setCamera(isOn) {
    if (!isOn) await this.#closeCamera();
    else if (this.#media.wantsVideo) await this.#openCamera();
    else await this.start(true);
  }

  async #openCamera() {
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
      this.#failed(error);
      throw error;
    }
    this.#listener.camera(null);
    // Asking the user takes time: they may have thought better of it.
    if (!this.#isWanted || this.#isClosed) {
      this.#camera.release(track);
      return;
    }
    track.addEventListener('ended', () => void this.#unplugged(track));
    this.#own = track;
    await this.#update();
  }

  async #closeCamera() {
    this.#isWanted = false;
    const track = this.#own;
    this.#own = null;
    // First what takes its place, so that no last picture stays.
    await this.#update();
    if (track) this.#camera.release(track);
  }

  /** After another device was chosen. @throws {CameraError} the camera is off then */
  async switchCamera() {
    const former = this.#own;
    if (!former) return;
    let track;
    try {
      track = await this.#camera.acquire();
    } catch (error) {
      await this.#closeCamera();
      this.#failed(error);
      throw error;
    }
    if (this.#own !== former) {
      this.#camera.release(track);
      return;
    }
    track.addEventListener('ended', () => void this.#unplugged(track));
    this.#own = track;
    await this.#update();
    this.#camera.release(former);
  }

  /** @param {MediaStreamTrack} track */
  async #unplugged(track) {
    if (track !== this.#own) return;
    this.#camera.choose('');
    await this.switchCamera().catch(() => undefined);
  }

  /** @param {unknown} error */
  #failed(error) {
    if (error instanceof CameraError) this.#listener.camera(error.problem);
  }

  // The screen

  /**
   * Asks which screen; call it from a click.
   *
   * @returns {Promise<boolean>} whether one was chosen
   * @throws {CameraError|VideoRefused|import('./errors.js').RequestError}
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
    await this.#update();
    if (!this.#media.hasVideo) await this.start(false);
    return true;
  }

  async stopSharing() {
    const track = this.#screen;
    if (!track) return;
    this.#screen = null;
    await this.#update();
    track.stop();
  }

  /** Sends what is to be sent now. */
  async #update() {
    if (this.#isClosed) return;
    const shown = this.#screen ?? this.#own;
    const isBlack = shown === null && this.#media.wantsVideo;
    if (isBlack) this.#black ??= blackTrack();
    await this.#media.setVideoTrack(isBlack ? this.#black : shown);
    if (!isBlack) this.#stopBlack();
    this.#listener.changed();
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
