/**
 * The Ringbridge client: everything a page needs to be a rep's phone, without any
 * picture of it. See `RingbridgeClient`.
 */
import { Access } from './access.js';
import { CallBook } from './call-book.js';
import { blankState, changed } from './client-state.js';
import { CallControl } from './control.js';
import { GatewayHttp } from './http.js';
import { uuid7 } from './identifiers.js';
import { Invites } from './invites.js';
import { LocalCalls } from './local-calls.js';
import { draftCall, Placing } from './placing.js';
import { remotesOf } from './remotes.js';
import { PhoneSession } from './session.js';
import { mutedCalls, TabStorage } from './storage.js';

/**
 * @import {CallView, DirectoryEntry, DirectorySearchResult, InviteView, PresenceState,
 *   Record as CrmRecord} from './wire.d.ts'
 * @import {Credentials} from './http.js'
 * @import {DeviceProblem, MicrophoneProblem} from './errors.js'
 * @import {Ask} from './local-call.js'
 *
 * @typedef {import('./client-state.js').ClientState} ClientState
 * @typedef {import('./client-state.js').ClientStatus} ClientStatus
 */

export { DialCancelled } from './placing.js';

/** An end is wanted however long the connection takes to come back. */
const END_TIMEOUT_MS = 120_000;

/**
 * @typedef {object} DialOptions
 * @property {Partial<CrmRecord>|null} [record] whom the number was taken from
 * @property {string} [name] of who is called, where there is no record
 * @property {string} [consultsFor] the call that this one is about
 *
 * @typedef {object} ClientEvents
 * @property {ClientState} change anything in `state` changed
 * @property {CallView} incoming a call rings here
 * @property {CallView} ended with `end_reason`
 * @property {CallView|InviteView} logged its CRM activity or event was written
 * @property {{status: ClientStatus}} status
 * @property {{isObserver: boolean}} role whether another page has the phone
 * @property {{problem: MicrophoneProblem}} microphone it could not be opened
 * @property {{problem: DeviceProblem}} camera it could not be opened
 * @property {InviteView} invite something about it has changed
 */

/**
 * A rep's phone.
 *
 * ```js
 * const phone = new RingbridgeClient({ baseUrl: 'https://phone.example.com/' });
 * phone.on('incoming', (call) => show(call.peer, call.match));
 * phone.on('change', (state) => draw(state));
 * await phone.signIn({ tenant: 'acme', username: 'ana', password });
 * const call = await phone.dial('+16465550175');
 * await phone.hangup(call.call_id);
 * ```
 *
 * Events are `CustomEvent`s too (`addEventListener('incoming', …)`, value in
 * `detail`). Methods that ask the gateway reject with `RequestError` (it said no:
 * `kind`), `ConnectionError` (no answer), `MicrophoneError` or `CameraError`
 * (`problem`). After a lost connection everything is repeated safely by itself.
 */
export class RingbridgeClient extends EventTarget {
  #access;
  #session;
  #local;
  #book;
  #placing;
  #control;
  #storage;
  /** @type {ClientState} */
  #state = blankState();

  /**
   * @param {object} [options]
   * @param {string|URL} [options.baseUrl] the gateway's root; default: where this
   *   module came from
   * @param {string} [options.name] of the application, for the operator's logs
   * @param {() => Promise<string|null>} [options.assertion] proof of identity from
   *   the host page, asked for whenever a sign-in is needed
   * @param {() => Promise<string|null>} [options.accessToken] instead: an access token
   *   from whoever has one for this page, asked for likewise
   * @param {boolean} [options.keepsVideo] a call that this page takes up anew (a
   *   reload, a takeover) goes on with its video, else with sound alone. Only a camera
   *   that was on in this tab is opened again.
   * @param {readonly string[]} [options.caps] see PROTOCOL.md
   * @param {boolean} [options.yields] leaves the session to the window of a call, until
   *   that is gone or `takeOver` is called
   * @param {boolean} [options.observes] of several pages of one user one has the phone,
   *   and the others show what it does (`isObserver`); else the newest is alone
   * @param {TabStorage} [options.storage]
   */
  constructor({
    baseUrl = new URL('../../', import.meta.url),
    name = 'ringbridge-widget',
    assertion,
    accessToken,
    keepsVideo = true,
    caps = [],
    yields = false,
    observes = false,
    storage = new TabStorage(),
  } = {}) {
    super();
    this.#storage = storage;
    this.#state = { ...this.#state, heldSince: keptTimes(storage) };
    const http = new GatewayHttp(new URL(baseUrl));
    this.#access = new Access(http, storage, { assertion, accessToken });
    this.#session = new PhoneSession({
      url: http.socketUrl,
      access: this.#access,
      name,
      caps,
      yields,
      observes,
      storage,
      state: () => this.#state,
      update: (changes) => this.#update(changes),
      opening: () => void this.checkMicrophone(),
      ready: () => void this.#book.loadRecent(),
      role: (isNews) => {
        const { isObserver } = this.#state;
        if (isObserver) this.#local.endAll();
        else if (isNews) this.#book.takeUp();
        this.#emit('role', { isObserver });
      },
      snapshot: (snapshot) => this.#book.applySnapshot(snapshot),
      event: (event) => this.#book.applyEvent(event),
      stopped: () => this.#local.endAll(),
    });
    this.invites = new Invites({
      ask: (method, params) => this.request(method, params),
      loaded: (invites) => this.#update({ invites }),
    });
    /** @type {Ask} */
    const ask = (method, params, timeoutMs) => this.#ask(method, params, timeoutMs);
    this.#local = new LocalCalls({
      ask,
      find: (callId) => this.#book.find(callId),
      iceServers: () => this.#access.iceServers(),
      storage,
      keepsVideo,
      state: () => this.#state,
      update: (changes) => this.#update(changes),
      muted: (call_ids) => {
        if (observes) this.request('session.mute', { call_ids }).catch(() => undefined);
      },
      failed: (kind, problem) => this.#emit(kind, { problem }),
    });
    this.#book = new CallBook({
      local: this.#local,
      state: () => this.#state,
      update: (changes) => this.#update(changes),
      emit: (type, value) => this.#emit(type, /** @type {any} */ (value)),
      isDraft: (callId) => this.#placing.has(callId),
      history: async (limit) => (await this.history({ limit })).calls,
      counted: (isInCall) => this.#session.setInCall(isInCall),
    });
    this.#placing = new Placing({ ask, book: this.#book, local: this.#local });
    this.#control = new CallControl({
      ask,
      request: (method, params) => this.request(method, params),
      local: this.#local,
      state: () => this.#state,
      update: (changes) => this.#update(changes),
    });
    globalThis.addEventListener('online', () => {
      for (const { call_id } of this.#state.calls) this.#local.get(call_id)?.needsRenewal('network');
    });
    navigator.mediaDevices?.addEventListener?.('devicechange', () => void this.checkMicrophone());
  }

  /** What to draw. Never mutated: every change is a new object. */
  get state() {
    return this.#state;
  }

  get microphone() {
    return this.#local.microphone;
  }

  get camera() {
    return this.#local.camera;
  }

  /**
   * @template {keyof ClientEvents} Name
   * @param {Name} type
   * @param {(value: ClientEvents[Name]) => void} listener
   * @param {AddEventListenerOptions} [options]
   */
  on(type, listener, options) {
    this.addEventListener(
      type,
      (event) => listener(/** @type {CustomEvent<ClientEvents[Name]>} */ (event).detail),
      options,
    );
  }

  /**
   * @template {keyof ClientEvents} Name
   * @param {Name} type
   * @param {ClientEvents[Name]} value
   */
  #emit(type, value) {
    this.dispatchEvent(new CustomEvent(type, { detail: value }));
  }

  /** @param {Partial<ClientState>} changes */
  #update(changes) {
    const { status, heldSince } = this.#state;
    this.#state = changed(this.#state, changes);
    const held = this.#state.heldSince;
    if (held !== heldSince) this.#storage.set('held', Object.keys(held).length > 0 ? JSON.stringify(held) : null);
    if (this.#state.status !== status) this.#emit('status', { status: this.#state.status });
    this.#emit('change', this.#state);
  }

  // Signing in

  /**
   * Continues this tab's session, or signs in with the host's assertion. Without
   * either the status stays `signed_out` and `signIn` is wanted.
   */
  async start() {
    await this.#session.start();
  }

  /**
   * With an access token that somebody else came by: a guest's page, a window of ours.
   *
   * @param {string} accessToken
   */
  useToken(accessToken) {
    this.#session.useToken(accessToken);
  }

  /** The token in use, for handing it to a window of this origin. */
  get accessToken() {
    return this.#access.token;
  }

  /**
   * With Salesforce: of `SignInWindow` (sign-in-window.js).
   *
   * @param {Credentials|Promise<Credentials>} credentials
   * @throws {SignInError}
   */
  async signIn(credentials) {
    await this.#session.signIn(credentials);
  }

  /** Gives up the sign-in under way. */
  cancelSignIn() {
    this.#session.cancelSignIn();
  }

  /** Ends calls, unregisters the phone, forgets the tokens. */
  async signOut() {
    await this.#session.signOut();
  }

  /** Takes the phone, and the sound of its calls, from the page that has it. */
  async takeOver() {
    await this.#session.takeOver();
  }

  /** What needs the phone takes it first. */
  async #withPhone() {
    if (this.#state.isObserver) await this.takeOver();
  }

  /** Lets go of the session, and of its calls' media; another page may have them. */
  release() {
    this.#session.release();
  }

  // Calls

  /**
   * Dials digits, E.164, `tel:` or `sip:`. Opens the microphone first, and the camera.
   * Calls that talk are put on hold.
   *
   * @param {string} to
   * @param {DialOptions & {video?: boolean}} [options]
   * @returns {Promise<CallView>}
   */
  async dial(to, { record = null, name = '', consultsFor = '', video = false } = {}) {
    const draft = { ...draftCall(peerOf(to, name), record, this.#now), ...consult(consultsFor) };
    const params = { to, ...(record ? { record } : {}), ...(consultsFor ? { consults_for: consultsFor } : {}) };
    const wanted = { microphone: true, camera: video, video };
    await this.#withPhone();
    return this.#control.instead(draft.call_id, () => this.#placing.place('call.create', params, draft, wanted));
  }

  /**
   * Calls somebody about the other party of a call, who waits on hold meanwhile;
   * `transfer` or `merge` then brings them together.
   *
   * @param {string} callId
   * @param {string} to
   * @param {DialOptions} [options]
   */
  async consult(callId, to, options = {}) {
    return this.dial(to, { ...options, consultsFor: callId });
  }

  /**
   * The desk phone rings, and calls when it is picked up. Such a call is only looked at
   * here: `device` says so.
   *
   * @param {string} to
   * @param {DialOptions} [options]
   * @returns {Promise<CallView>}
   */
  async createOnDeskPhone(to, { record = null, name = '' } = {}) {
    const device = /** @type {const} */ ('desk_phone');
    const draft = { ...draftCall(peerOf(to, name), record, this.#now), device };
    return this.#placing.placeElsewhere({ to, device, ...(record ? { record } : {}) }, draft);
  }

  /**
   * For guests: calls the host of the invite. What is not to be had (`microphone`,
   * `camera` false) is not asked for; the call has video all the same unless `video`
   * is false.
   *
   * @param {{camera?: boolean, microphone?: boolean, video?: boolean,
   *   isMuted?: boolean}} [options]
   * @returns {Promise<string>} the call's id
   */
  async join({ camera = true, microphone = true, video = true, isMuted = false } = {}) {
    const host = this.#state.join?.host ?? '';
    const peer = { number: '', national: '', e164: '', display_name: host };
    const wanted = { microphone, camera: camera && video, video, isMuted };
    const draft = draftCall(peer, null, this.#now);
    return (await this.#placing.place('call.join', {}, draft, wanted)).call_id;
  }

  /** Server time. */
  get #now() {
    return Date.now() + this.#state.clockOffsetMs;
  }

  /**
   * Answers a ringing call. When the microphone, or with `video` the camera, cannot
   * be opened, the call goes on ringing, so that it can still be answered elsewhere,
   * otherwise, or declined.
   *
   * @param {string} callId
   * @param {{video?: boolean, camera?: boolean}} [options] `camera` false: with video,
   *   seeing and not seen
   */
  async answer(callId, { video = false, camera = video } = {}) {
    await this.#withPhone();
    const local = this.#local.get(callId) ?? (await this.#local.create(callId));
    await this.#control.instead(callId, () => local.answer({ video, camera }));
  }

  /** `busy`: on this device alone, others go on ringing. @param {string} callId @param {'declined'|'busy'} [reason] */
  async decline(callId, reason = 'declined') {
    await this.#ask('call.reject', { call_id: callId, reason }, END_TIMEOUT_MS);
  }

  /** Ends a call in any state. @param {string} callId */
  async hangup(callId) {
    if (this.#placing.cancel(callId)) return;
    await this.#ask('call.hangup', { call_id: callId }, END_TIMEOUT_MS);
  }

  /** All of a conference. @param {string} callId @param {boolean} isMuted */
  mute(callId, isMuted) {
    // Whoever observes has no microphone open.
    if (!this.#state.isObserver) this.#control.mute(callId, isMuted);
  }

  /** In a conference the rep alone is out of it. @param {string} callId */
  async hold(callId) {
    await this.#control.hold(callId);
  }

  /** Takes it back; calls that talk are put on hold: a swap. @param {string} callId */
  async retrieve(callId) {
    await this.#control.retrieve(callId);
  }

  /**
   * Hands the other party over: to a number (blind), or to another call's other party
   * (attended). `transfer` of the call says how it goes; it ends as `transferred`, or
   * stays when that failed.
   *
   * @param {string} callId
   * @param {{to?: string, toCall?: string}} target one of the two
   */
  async transfer(callId, target) {
    await this.#control.transfer(callId, target);
  }

  /** One conference of these calls, or of all in the conferences they are in. @param {readonly string[]} callIds */
  async merge(callIds) {
    await this.#control.merge(callIds);
  }

  /** Out of its conference, on hold. @param {string} callId */
  async split(callId) {
    await this.#control.split(callId);
  }

  /** Whether calls ring here. @param {PresenceState} state */
  async setPresence(state) {
    await this.#control.setPresence(state);
  }

  /**
   * Whom one can call, by name, number or e-mail; '' gives the favourites, which are in
   * the state from then on.
   *
   * @param {string} text
   * @returns {Promise<DirectorySearchResult>}
   */
  async searchDirectory(text) {
    return this.#control.searchDirectory(text);
  }

  /** @param {DirectoryEntry} entry @param {boolean} isFavourite */
  async setFavourite(entry, isFavourite) {
    await this.#control.setFavourite(entry, isFavourite);
  }

  /** @param {string} callId @param {string} digits `0-9 * # A-D` */
  async sendDigits(callId, digits) {
    await this.#ask('call.dtmf', { call_id: callId, digits });
  }

  /**
   * @param {{last_name: string, first_name?: string, phone?: string,
   *   company?: string, call_id?: string, kind?: 'Contact'|'Lead',
   *   allow_duplicate?: boolean}} contact
   * @returns {Promise<CrmRecord>}
   * @throws {RequestError} `crm.duplicate` carries the `records` that exist
   */
  async createContact(contact) {
    return (await this.#ask('contact.create', contact)).record;
  }

  /** Of several matches, this one is meant. @param {string} callId @param {string} recordId */
  async chooseRecord(callId, recordId) {
    await this.#ask('call.choose_record', { call_id: callId, record_id: recordId });
  }

  /**
   * What the rep has written down about a call, also long after it.
   *
   * @param {string} callId
   * @param {Partial<Omit<import('./wire.d.ts').WorkChange, 'op_id'|'call_id'>>} change what is absent stays
   */
  async changeWork(callId, change) {
    this.#book.changed((await this.#ask('work.change', { call_id: callId, ...change })).call);
  }

  /**
   * Ends a call's wrap-up now.
   *
   * @param {string} callId
   * @throws {RequestError} with a `field`: the rules ask for it first
   */
  async saveWork(callId) {
    this.#book.changed((await this.#ask('work.save', { call_id: callId })).call);
  }

  /** The user has opened this record; it belongs to the calls that are up. @param {CrmRecord} record */
  async visit(record) {
    await this.#ask('work.visit', { record });
  }

  /** Has an activity that failed written again. @param {string} callId */
  async retryActivity(callId) {
    this.#book.changed((await this.#ask('activity.retry', { call_id: callId })).call);
  }

  /**
   * Ended calls, newest first.
   *
   * @param {{limit?: number, before?: number}} [page] `before` in Unix ms
   * @returns {Promise<{calls: readonly CallView[]}>}
   */
  async history(page = {}) {
    return this.#session.request('history.list', page);
  }

  /** Registers the phone now, also after a wrong password. */
  async retryRegistration() {
    await this.#ask('registration.retry', {});
  }

  /** What only this page knows of a call. @param {string} callId */
  localState(callId) {
    const local = this.#local.get(callId);
    const call = this.#book.find(callId);
    return {
      isMuted: local?.isMuted ?? mutedCalls(this.#storage).includes(callId),
      isConnected: local?.isConnected ?? false,
      hasEarlyMedia: local?.hasEarlyMedia ?? false,
      isRestored: local?.isRestored ?? false,
      isMicrophoneOpen: Boolean(local?.media.track),
      hasVideo: local?.media.hasVideo ?? false,
      isCameraOn: local?.video?.isCameraOn ?? false,
      isSharing: local?.video?.isSharing ?? false,
      localVideo: local?.video?.preview ?? null,
      remotes: call ? this.#remotes(call) : [],
    };
  }

  /** @param {CallView} call */
  #remotes(call) {
    const media = this.#local.get(call.call_id)?.media;
    return remotesOf(call, {
      isGuest: this.#state.user?.role === 'guest',
      videoOf: (id) => (id === '' ? media?.remoteVideo : media?.pictureOf(id)) ?? null,
    });
  }

  /** WebRTC statistics of a call. @param {string} callId */
  async stats(callId) {
    return (await this.#local.get(callId)?.media.connection?.getStats()) ?? null;
  }

  /**
   * Any request of the protocol.
   *
   * @param {string} method
   * @param {object} params with an `op_id` where the method changes something
   * @returns {Promise<any>}
   */
  async request(method, params) {
    return this.#session.request(method, params);
  }

  /** As `invites.load`. */
  async loadInvites() {
    await this.invites.load();
  }

  /**
   * @param {string} method
   * @param {object} params
   * @param {number} [timeoutMs]
   */
  #ask(method, params, timeoutMs) {
    return this.#session.request(method, { op_id: uuid7(), ...params }, { timeoutMs });
  }

  // Devices

  /** Looks, without asking the user, whether the microphone can be used. */
  async checkMicrophone() {
    return this.#local.checkMicrophone();
  }

  /** Asks the browser for it, as a call would, and lets it go again. */
  async tryMicrophone() {
    await this.#local.tryMicrophone();
  }

  /** Also for the calls in progress. @param {string} deviceId */
  async chooseMicrophone(deviceId) {
    await this.#local.chooseMicrophone(deviceId);
  }

  /** @param {string} deviceId */
  chooseSpeaker(deviceId) {
    this.#local.chooseSpeaker(deviceId);
  }

  get speakerId() {
    return this.#local.speakerId;
  }

  /** Call it from a click, when `isPlaybackBlocked`. */
  unblockPlayback() {
    this.#local.unblockPlayback();
  }

  /** Opens the microphone of a call that goes on without. @param {string} callId */
  async retryMicrophone(callId) {
    const local = this.#local.get(callId);
    if (local) await this.#local.openMicrophone(local);
  }

  // Video of a call: CallVideo, see there

  /**
   * Raises a call to video, or takes up the video that the far end offers.
   *
   * @param {string} callId
   * @param {{camera?: boolean}} [options] false: seeing, and not seen
   * @throws {import('./errors.js').CameraError|RequestError|import('./errors.js').VideoRefused}
   */
  async startVideo(callId, { camera = true } = {}) {
    await (await this.#local.get(callId)?.loadVideo())?.start(camera);
  }

  /** Back to sound alone. @param {string} callId */
  async stopVideo(callId) {
    await this.#local.get(callId)?.video?.stop();
  }

  /**
   * The camera within a call's video; off, the far end sees black.
   *
   * @param {string} callId
   * @param {boolean} isOn
   */
  async setCamera(callId, isOn) {
    await (await this.#local.get(callId)?.loadVideo())?.setCamera(isOn);
  }

  /**
   * Shows a screen in the camera's place; call it from a click.
   *
   * @param {string} callId
   * @returns {Promise<boolean>} false: the user chose none
   */
  async shareScreen(callId) {
    return (await (await this.#local.get(callId)?.loadVideo())?.share()) ?? false;
  }

  /** @param {string} callId */
  async stopSharing(callId) {
    await this.#local.get(callId)?.video?.stopSharing();
  }

  /** Also for the calls in progress. @param {string} deviceId */
  async chooseCamera(deviceId) {
    await this.#local.chooseCamera(deviceId);
  }
}

/** @param {string} to @param {string} name */
function peerOf(to, name) {
  return { number: to, national: to, e164: '', display_name: name };
}

/** @param {string} about @returns {Partial<CallView>} */
function consult(about) {
  return about ? { consults_for: about, type: 'consult' } : {};
}

/** Since when calls are on hold, from before a reload. @param {TabStorage} storage */
function keptTimes(storage) {
  try {
    return JSON.parse(storage.get('held') ?? '{}');
  } catch {
    return {};
  }
}
