/**
 * What only this page has of a call: its media, and how that is negotiated.
 *
 * Steps of a negotiation run one by one (`#inTurn`), so that no offer is made while
 * another is unanswered. A connection is a generation; when it is lost or worth
 * nothing, the next one is offered (`needsRenewal`), with growing pauses as long as
 * that does not help.
 */
import { isSeen } from './call-facts.js';
import { CallMedia, MediaClosed } from './call-media.js';
import { RequestError } from './errors.js';
import { keptVideo, mutedCalls } from './storage.js';

/**
 * @import {CallVideo} from './call-video.js'
 * @import {Camera} from './camera.js'
 * @import {DeviceProblem} from './errors.js'
 * @import {TabStorage} from './storage.js'
 * @import {CallView, MediaReason} from './wire.d.ts'
 *
 * @typedef {(method: string, params: object, timeoutMs?: number) => Promise<any>} Ask
 *
 * @typedef {object} Surroundings
 * @property {Ask} ask a request that changes something
 * @property {(callId: string) => CallView|undefined} find the call as the gateway sees it
 * @property {(local: LocalCall) => Promise<void>} openMicrophone
 * @property {() => Promise<boolean>} isMicrophoneReady
 * @property {Camera} camera
 * @property {TabStorage} storage
 * @property {boolean} keepsVideo see `RingbridgeClient`
 * @property {() => void} changed something of `localState` did
 * @property {(isBlocked: boolean) => void} playback
 * @property {(problem: DeviceProblem|null) => void} cameraProblem
 */

/** Between tries to bring media back. */
const RENEWAL_WAIT_MS = 500;
const RENEWAL_WAIT_CAP_MS = 8_000;
/** Another page's offer may have been newer than was known here; that is soon overtaken. */
const WRONG_STATES_TOLERATED = 3;

export class LocalCall {
  media;
  /** @type {CallVideo|null} loaded with the first use */
  video = null;
  isMuted;
  /** Audio flows. */
  isConnected = false;
  hasEarlyMedia = false;
  /** Its media was built anew. */
  isRestored = false;
  isClosed = false;
  /** Silent in advance of what was asked for. */
  #isPaused = false;
  #callId;
  #around;
  /** The gateway waits for an offer. */
  #isAsked = false;
  /** An offer of this page was answered. */
  #preOffered = false;
  /** @type {Promise<unknown>} */
  #turn = Promise.resolve();
  /** Without success, in a row. */
  #renewals = 0;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #renewalTimer;

  /**
   * @param {string} callId
   * @param {RTCIceServer[]} iceServers
   * @param {string} speakerId
   * @param {Surroundings} around
   */
  constructor(callId, iceServers, speakerId, around) {
    this.#callId = callId;
    this.#around = around;
    this.isMuted = mutedCalls(around.storage).includes(callId);
    this.media = new CallMedia({
      iceServers,
      speakerId,
      listener: {
        needsRenewal: (reason) => this.needsRenewal(reason),
        connected: (isConnected) => {
          if (isConnected) this.#renewals = 0;
          this.isConnected = isConnected;
          around.changed();
        },
        playback: around.playback,
        video: around.changed,
      },
    });
    this.media.mute(this.isMuted);
    this.follow();
    this.media.setRoom(this.#others.length);
  }

  /** Those in a meeting whose streams come by lines of their own. */
  get #others() {
    return (this.#view?.participants ?? []).flatMap(({ id }) => (id === '' ? [] : [id]));
  }

  get #view() {
    return this.#around.find(this.#callId);
  }

  /** @param {boolean} isMuted */
  mute(isMuted) {
    this.isMuted = isMuted;
    this.media.mute(isMuted);
  }

  /** @param {boolean} isPaused */
  pause(isPaused) {
    this.#isPaused = isPaused;
    this.follow();
  }

  /** On hold nothing of the page is heard or seen, and nothing is in it. */
  follow() {
    this.media.silence(this.#isPaused || Boolean(this.#view?.held_here));
  }

  /** Ends it; returns the microphone's track for giving back. */
  close() {
    this.isClosed = true;
    clearTimeout(this.#renewalTimer);
    this.video?.close();
    return this.media.close();
  }

  /**
   * @template Result
   * @param {() => Promise<Result>} step
   * @returns {Promise<Result>}
   */
  #inTurn(step) {
    const result = this.#turn.then(step);
    this.#turn = result.catch(() => undefined);
    return result;
  }

  /** @param {object} params @param {'call.media'|'call.answer'} [method] */
  #ask(params, method = 'call.media') {
    return this.#around.ask(method, { call_id: this.#callId, ...params });
  }

  // The beginning

  /**
   * Negotiates while it rings, with the microphone still closed: "Answer" then only
   * has to open it. A failure costs nothing: the offer goes with the answer instead.
   *
   * @param {CallView} call
   */
  async preOffer(call) {
    if (this.media.generation > 0) return;
    await this.#inTurn(async () => {
      try {
        await this.#negotiate((call.media_generation ?? 0) + 1, 'initial');
        this.#preOffered = true;
      } catch {
        this.#preOffered = false;
      }
    });
  }

  /** See `RingbridgeClient.answer`. @param {{video: boolean, camera: boolean}} wanted */
  async answer({ video, camera }) {
    const isReady = await this.#around.isMicrophoneReady();
    const opened = this.#around.openMicrophone(this);
    if (isReady) opened.catch(() => undefined);
    else await opened;
    const own = video ? await this.loadVideo() : null;
    if (own && camera) await own.open();
    try {
      await this.#inTurn(async () => {
        // The offer made while it rang has no video: its answer is no refusal.
        await own?.prepare(false);
        await this.#sendAnswer();
      });
    } catch (error) {
      await this.video?.giveUp();
      throw error;
    }
    await opened;
  }

  async #sendAnswer() {
    if (this.#preOffered && !this.media.wantsVideo) {
      await this.#ask({ generation: this.media.generation }, 'call.answer');
      return;
    }
    // With media negotiated while it rang, video is one more step on the same.
    const { generation, offer } = await this.#answerOffer();
    const result = await this.#ask({ offer, generation }, 'call.answer');
    if (result.answer) await this.media.accept(generation, result.answer);
    this.#preOffered = true;
  }

  async #answerOffer() {
    const { generation } = this.media;
    const again = this.#preOffered ? await this.media.reoffer() : null;
    if (again !== null) return { generation, offer: again };
    return { generation: generation + 1, offer: await this.media.offer(generation + 1) };
  }

  // Later

  /** After a hello: media of this page that the gateway does not go on with. @param {CallView} call */
  restore(call) {
    if (!this.isConnected || (call.media_generation ?? 0) !== this.media.generation) {
      this.needsRenewal('network');
    }
    this.follow();
    this.meet();
  }

  /**
   * Others may have come to the call or left it: offers anew if that is not how the
   * last answer has it. A renewal that is due does so anyway.
   */
  meet() {
    this.media.setRoom(this.#others.length);
    const isUp = this.#view?.state === 'active' && this.media.generation > 0;
    if (isUp && this.#renewalTimer === undefined && !this.#isMet) void this.#renegotiate(() => !this.#isMet);
  }

  get #isMet() {
    const [wanted, met] = [this.#others, this.media.members];
    return wanted.length === met.length && wanted.every((id) => met.includes(id));
  }

  /** What the gateway says about media. @param {{action: string, generation: number}} event */
  mediaEvent({ action, generation }) {
    switch (action) {
      case 'renegotiate':
        this.#isAsked = true;
        void this.#renegotiate(() => this.#isAsked);
        break;
      case 'renew':
        this.needsRenewal('failed');
        break;
      case 'lost':
        if (generation === this.media.generation) this.needsRenewal('network');
        break;
      default:
      // `connected` is seen on the peer connection itself.
    }
  }

  /**
   * The same connection again, if that is still wanted when it is its turn.
   *
   * @param {() => boolean} isWanted
   */
  async #renegotiate(isWanted) {
    try {
      await this.#inTurn(async () => {
        if (isWanted()) await this.#reoffer();
      });
    } catch {
      this.needsRenewal('failed');
    }
  }

  async #reoffer() {
    this.#isAsked = false;
    const offer = await this.media.reoffer();
    if (offer === null) return;
    const { generation } = this.media;
    const result = await this.#ask({ offer, generation, reason: 'renegotiate' });
    await this.media.accept(result.generation, result.answer);
  }

  /**
   * Media has to be built again; soon at first, with growing pauses if that does
   * not help, as long as the call is up.
   *
   * @param {MediaReason} reason
   */
  needsRenewal(reason) {
    const call = this.#view;
    if (this.isClosed || !call || call.state === 'ringing' || this.#renewalTimer !== undefined) return;
    const wait =
      this.#renewals === 0
        ? 0
        : Math.min(RENEWAL_WAIT_CAP_MS, RENEWAL_WAIT_MS * 2 ** (this.#renewals - 1));
    this.#renewals += 1;
    this.#renewalTimer = setTimeout(() => {
      this.#renewalTimer = undefined;
      void this.renew(reason);
    }, wait);
  }

  /** Media anew, now. @param {MediaReason} reason */
  async renew(reason) {
    try {
      this.isRestored = true;
      // The rep may be asked for the microphone: listening goes on meanwhile.
      const opened = this.#around.openMicrophone(this).catch(() => undefined);
      if (await this.#around.isMicrophoneReady()) await opened;
      await this.#inTurn(async () => {
        await this.#restoreVideo();
        const known = this.#view?.media_generation ?? 0;
        await this.#negotiate(Math.max(known, this.media.generation) + 1, reason);
        this.#preOffered = true;
      });
    } catch (error) {
      const isFinal =
        error instanceof MediaClosed ||
        (error instanceof RequestError &&
          (error.kind === 'call.unknown' ||
            (error.kind === 'call.wrong_state' && this.#renewals >= WRONG_STATES_TOLERATED)));
      if (!isFinal) this.needsRenewal(reason);
    }
  }

  /** @param {number} generation @param {MediaReason} reason */
  async #negotiate(generation, reason) {
    const offer = await this.media.offer(generation);
    const result = await this.#ask({ offer, generation, reason });
    await this.media.accept(result.generation, result.answer);
  }

  // Video

  /** Most calls of most reps never need it. @returns {Promise<CallVideo>} */
  async loadVideo() {
    const { CallVideo: Made } = await import('./call-video.js');
    this.video ??= new Made({
      camera: this.#around.camera,
      media: this.media,
      negotiate: (step) =>
        this.#inTurn(async () => {
          if (await step()) await this.#reoffer();
        }),
      listener: {
        changed: () => {
          this.#rememberVideo();
          this.#around.changed();
        },
        camera: this.#around.cameraProblem,
      },
    });
    return this.video;
  }

  /** What a reload of this page is to bring back. */
  #rememberVideo() {
    if (!this.#around.keepsVideo || this.isClosed) return;
    const kept = this.video?.isCameraOn ? 'camera' : 'black';
    this.#around.storage.set('video', this.media.wantsVideo ? `${this.#callId} ${kept}` : null);
  }

  async #restoreVideo() {
    const kept = keptVideo(this.#around.storage, this.#callId);
    const call = this.#view;
    const hadVideo = kept !== '' || (call !== undefined && isSeen(call));
    if (!this.#around.keepsVideo || this.media.wantsVideo || !hadVideo) return;
    const video = await this.loadVideo();
    await video.prepare(false);
    // The user may be asked; the rest goes on meanwhile.
    if (kept === 'camera') video.setCamera(true).catch(() => undefined);
  }
}
