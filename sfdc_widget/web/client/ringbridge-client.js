/**
 * The Ringbridge client: everything a page needs to be a rep's phone, without any
 * picture of it. See `RingbridgeClient`.
 */
import { CallMedia, MediaClosed } from './call-media.js';
import { isWritten } from './call-facts.js';
import { Camera } from './camera.js';
import { SessionConnection } from './connection.js';
import { ConnectionError, MicrophoneError, RequestError, SignInError } from './errors.js';
import { GatewayHttp } from './http.js';
import { uuid7 } from './identifiers.js';
import { Invites } from './invites.js';
import { Microphone } from './microphone.js';
import { remotesOf } from './remotes.js';
import { TabStorage } from './storage.js';

/**
 * @import {AnyEvent, CallView, InviteView, JoinView, MediaReason, Peer,
 *   Record as CrmRecord, Registration, Snapshot, UserView} from './wire.d.ts'
 * @import {CallVideo} from './call-video.js'
 * @import {Credentials} from './http.js'
 * @import {DeviceProblem, MicrophoneProblem, SignInFailure} from './errors.js'
 * @import {ConnectionState, StopReason} from './connection.js'
 */

const VERSION = '0.1.0';
/** A dial that could not be sent at once is stale: the rep has moved on. */
const DIAL_TIMEOUT_MS = 10_000;
/** An end is wanted however long the connection takes to come back. */
const END_TIMEOUT_MS = 120_000;
const RECENT_CALLS = 20;
const KNOWN_INVITES = 100;
/** Whether the window of a call still has the session is asked this often. */
const YIELD_AGAIN_MS = 3_000;
/** Between tries to bring media back. */
const RENEWAL_WAIT_MS = 500;
const RENEWAL_WAIT_CAP_MS = 8_000;

/**
 * @typedef {'signed_out'|'signing_in'|'connecting'|'ready'|'reconnecting'|
 *   'superseded'} ClientStatus
 *
 * `ready`: state is live. `reconnecting`: state is the last known; a call in
 * progress goes on. `superseded`: another page has the phone, see `takeOver`.
 *
 * @typedef {object} ClientState
 * @property {ClientStatus} status
 * @property {SignInFailure|null} signInProblem why `signed_out`
 * @property {UserView|null} user
 * @property {Registration} registration
 * @property {string} crm its name for people, '' when there is none
 * @property {readonly CallView[]} calls those not yet ended, oldest first
 * @property {readonly CallView[]|null} recent ended ones, newest first; null: not yet loaded
 * @property {readonly InviteView[]|null} invites to come, next first, and what became
 *   of them since; null: not asked for, see `invites.load`
 * @property {{invite_id: string, ends_at: number}|null} ending an invite that ends soon
 * @property {JoinView|null} join what a guest's link leads to; null for reps
 * @property {MicrophoneProblem|null} microphoneProblem
 * @property {DeviceProblem|null} cameraProblem
 * @property {boolean} willAskMicrophone the browser will ask the user first
 * @property {boolean} isPlaybackBlocked the far end is heard after `unblockPlayback`
 * @property {boolean} isInWindow `superseded` by the window of a call, see `yields`
 * @property {number} clockOffsetMs server time minus this machine's
 *
 * @typedef {object} LocalCall What only this page knows of a call.
 * @property {CallMedia} media
 * @property {CallVideo|null} video loaded with the first use
 * @property {boolean} isMuted
 * @property {boolean} isConnected audio flows
 * @property {boolean} hasEarlyMedia
 * @property {boolean} isRestored its media was built anew
 * @property {boolean} preOffered an offer of this page was answered
 * @property {Promise<unknown>} turn negotiation steps of a call run one by one
 * @property {number} renewals without success, in a row
 * @property {ReturnType<typeof setTimeout>|undefined} renewalTimer
 *
 * @typedef {object} ClientEvents
 * @property {ClientState} change anything in `state` changed
 * @property {CallView} incoming a call rings here
 * @property {CallView} ended with `end_reason`
 * @property {CallView|InviteView} logged its CRM activity or event was written
 * @property {{status: ClientStatus}} status
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
 * (`problem`). After a
 * lost connection everything is repeated safely by itself.
 */
export class RingbridgeClient extends EventTarget {
  #http;
  #storage;
  #microphone = new Microphone();
  /** @type {Promise<typeof import('./call-video.js')>|null} */
  #videoModule = null;
  #camera = new Camera();
  #instanceId = uuid7();
  #name;
  /** @type {(() => Promise<string|null>)|null} */
  #assertion;
  /** @type {(() => Promise<string|null>)|null} */
  #accessToken;
  #keepsVideo;
  #caps;
  #yields;
  /** @type {string|null} */
  #token;
  /** @type {SessionConnection|null} */
  #connection = null;
  /** @type {Promise<RTCIceServer[]>} */
  #iceServers = Promise.resolve([]);
  /** @type {Map<string, LocalCall>} */
  #local = new Map();
  /** Dialled here, not yet known to the gateway; `sent` once it may know. */
  #drafts = /** @type {Map<string, {isSent: boolean}>} */ (new Map());
  #speakerId = '';
  #isLoaded = false;
  /** The invite whose event was said to be written last. */
  #loggedInvite = '';
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #yieldTimer;
  /** @type {ClientState} */
  #state = {
    status: 'signed_out',
    signInProblem: null,
    user: null,
    registration: { state: 'unregistered' },
    crm: '',
    calls: [],
    recent: null,
    invites: null,
    ending: null,
    join: null,
    microphoneProblem: null,
    cameraProblem: null,
    willAskMicrophone: false,
    isPlaybackBlocked: false,
    isInWindow: false,
    clockOffsetMs: 0,
  };

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
    storage = new TabStorage(),
  } = {}) {
    super();
    this.#http = new GatewayHttp(new URL(baseUrl));
    this.#name = name;
    this.#assertion = assertion ?? null;
    this.#accessToken = accessToken ?? null;
    this.#keepsVideo = keepsVideo;
    this.#caps = caps;
    this.#yields = yields;
    this.invites = new Invites({
      ask: (method, params) => this.request(method, params),
      loaded: (invites) => this.#update({ invites }),
    });
    this.#storage = storage;
    this.#token = storage.get('access_token');
    globalThis.addEventListener('online', () => {
      for (const call of this.#state.calls) this.#needsRenewal(call.call_id, 'network');
    });
    navigator.mediaDevices?.addEventListener?.('devicechange', () => void this.checkMicrophone());
  }

  /** What to draw. Never mutated: every change is a new object. */
  get state() {
    return this.#state;
  }

  get microphone() {
    return this.#microphone;
  }

  get camera() {
    return this.#camera;
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
    const status = this.#state.status;
    this.#state = { ...this.#state, ...changes };
    if (this.#state.status !== status) this.#emit('status', { status: this.#state.status });
    this.#emit('change', this.#state);
  }

  // Signing in

  /**
   * Continues this tab's session, or signs in with the host's assertion. Without
   * either the status stays `signed_out` and `signIn` is wanted.
   */
  async start() {
    if (this.#token !== null) {
      this.#open();
      return;
    }
    await this.#signInByAssertion();
  }

  async #signInByAssertion() {
    this.#update({ status: 'signing_in', signInProblem: null });
    try {
      const token = await this.#freshToken();
      if (token === null) {
        this.#update({ status: 'signed_out' });
        return;
      }
      this.#setToken(token);
      this.#open();
    } catch (error) {
      this.#update({ status: 'signed_out', signInProblem: signInProblem(error) });
    }
  }

  /** From the page around us, or null. @throws {SignInError} */
  async #freshToken() {
    if (this.#accessToken) return this.#accessToken();
    const assertion = (await this.#assertion?.()) ?? null;
    return assertion === null ? null : this.#http.signIn({ assertion });
  }

  /**
   * With an access token that somebody else came by: a guest's page, a window of ours.
   *
   * @param {string} accessToken
   */
  useToken(accessToken) {
    this.#setToken(accessToken);
    this.#connection?.stop('closed');
    this.#open();
  }

  /** The token in use, for handing it to a window of this origin. */
  get accessToken() {
    return this.#token;
  }

  /**
   * @param {Credentials} credentials
   * @throws {SignInError}
   */
  async signIn(credentials) {
    this.#update({ status: 'signing_in', signInProblem: null });
    try {
      this.#setToken(await this.#http.signIn(credentials));
    } catch (error) {
      this.#update({ status: 'signed_out', signInProblem: signInProblem(error) });
      throw error;
    }
    this.#open();
  }

  /** Ends calls, unregisters the phone, forgets the tokens. */
  async signOut() {
    const connection = this.#connection;
    clearTimeout(this.#yieldTimer);
    this.#setToken(null);
    try {
      await connection?.request('session.close', { op_id: uuid7() }, { timeoutMs: 3_000 });
    } catch {
      // The gateway closes a session that nobody comes back to.
    }
    connection?.stop('closed');
    this.#update({ status: 'signed_out', signInProblem: null, user: null, recent: null });
  }

  /** Takes the phone over from the page that has it. */
  takeOver() {
    if (this.#state.status !== 'superseded') return;
    this.#update({ isInWindow: false });
    this.#open({ yields: false });
  }

  /** Lets go of the session, and of its calls' media; another page may have them. */
  release() {
    this.#connection?.stop('superseded');
  }

  /** @param {string|null} token */
  #setToken(token) {
    this.#token = token;
    this.#storage.set('access_token', token);
  }

  #open({ yields = this.#yields } = {}) {
    clearTimeout(this.#yieldTimer);
    // While a window has the session, each look whether it still does changes nothing.
    if (!this.#state.isInWindow) this.#update({ status: 'connecting', signInProblem: null });
    this.#isLoaded = false;
    const connection = new SessionConnection({
      url: this.#http.socketUrl,
      client: { name: this.#name, version: VERSION, instance_id: this.#instanceId },
      caps: yields ? [...this.#caps, 'yields'] : this.#caps,
      getTicket: () => this.#ticket(),
      listener: {
        state: (state) => this.#connectionChanged(state),
        snapshot: (snapshot) => this.#applySnapshot(snapshot),
        event: (event) => this.#applyEvent(event),
        stopped: (reason) => {
          if (connection === this.#connection) this.#stopped(reason);
        },
      },
    });
    this.#connection = connection;
    connection.start();
    void this.checkMicrophone();
  }

  async #ticket() {
    const token = this.#token;
    if (token === null) throw new SignInError('expired');
    try {
      const ticket = await this.#http.createTicket(token);
      // Calls that the snapshot has are renewed at once, and through these.
      this.#refreshIceServers();
      return ticket;
    } catch (error) {
      if (!(error instanceof SignInError) || error.kind !== 'expired') throw error;
      const fresh = await this.#freshToken().catch(() => null);
      if (fresh === null) throw error;
      this.#setToken(fresh);
      this.#refreshIceServers();
      return this.#http.createTicket(fresh);
    }
  }

  /** @param {ConnectionState} state */
  #connectionChanged(state) {
    if (state === 'open') {
      this.#update({ status: 'ready', isInWindow: false });
      if (!this.#isLoaded) {
        this.#isLoaded = true;
        void this.#loadRecent();
      }
    } else if ((state === 'connecting' || state === 'waiting') && !this.#state.isInWindow) {
      this.#update({ status: this.#state.user ? 'reconnecting' : 'connecting' });
    }
  }

  #refreshIceServers() {
    const token = this.#token;
    if (token !== null) this.#iceServers = this.#http.iceServers(token).catch(() => []);
  }

  /** @param {StopReason} reason */
  #stopped(reason) {
    this.#connection = null;
    for (const callId of [...this.#local.keys()]) this.#endLocal(callId);
    if (reason === 'signed_out') this.#setToken(null);
    if (reason === 'yielded') this.#yieldTimer = setTimeout(() => this.#open(), YIELD_AGAIN_MS);
    this.#update({
      status: reason === 'superseded' || reason === 'yielded' ? 'superseded' : 'signed_out',
      isInWindow: reason === 'yielded',
      signInProblem: reason === 'signed_out' ? 'expired' : null,
      calls: [],
    });
    if (reason === 'signed_out' && (this.#assertion ?? this.#accessToken)) void this.#signInByAssertion();
  }

  // State from the gateway

  /** @param {Snapshot} snapshot */
  #applySnapshot(snapshot) {
    const live = snapshot.calls.filter(({ state }) => state !== 'ended');
    const known = new Set(live.map(({ call_id }) => call_id));
    const drafts = this.#state.calls.filter(
      ({ call_id }) => this.#drafts.has(call_id) && !known.has(call_id),
    );
    const calls = [...live, ...drafts];
    const alive = new Set(calls.map(({ call_id }) => call_id));
    const gone = this.#state.calls.filter(({ call_id }) => !alive.has(call_id));
    for (const callId of [...this.#local.keys()]) if (!alive.has(callId)) this.#endLocal(callId);
    this.#update({
      user: snapshot.user,
      registration: snapshot.registration,
      crm: snapshot.crm ?? '',
      join: snapshot.join ?? null,
      calls,
      clockOffsetMs: snapshot.server_time - Date.now(),
    });
    this.#callsChanged();
    if (gone.length > 0) void this.#endedUnseen(gone);
    for (const call of live) {
      if (call.state === 'ringing') {
        void this.#preOffer(call);
        this.#emit('incoming', call);
      } else {
        this.#restoreMedia(call);
      }
    }
  }

  /** @param {AnyEvent} event */
  #applyEvent(event) {
    switch (event.type) {
      case 'registration.state':
        this.#update({ registration: event.registration });
        break;
      case 'call.incoming':
        this.#replaceCall(event.call);
        void this.#preOffer(event.call);
        this.#emit('incoming', event.call);
        break;
      case 'call.early_media': {
        const local = this.#local.get(event.call.call_id);
        if (local) local.hasEarlyMedia = true;
        this.#replaceCall(event.call);
        break;
      }
      case 'call.ringing':
      case 'call.answered':
        this.#replaceCall(event.call);
        if (!this.#local.has(event.call.call_id)) this.#restoreMedia(event.call);
        break;
      case 'call.updated':
        if (event.call.state === 'ended') this.#replaceRecent(event.call);
        else this.#replaceCall(event.call);
        break;
      case 'call.ended':
        this.#ended(event.call);
        break;
      case 'call.media':
        this.#mediaEvent(event);
        break;
      case 'invite.updated':
        this.#replaceInvite(event.invite);
        this.#emit('invite', event.invite);
        break;
      case 'invite.ending':
        this.#update({ ending: { invite_id: event.invite_id, ends_at: event.ends_at } });
        break;
      default:
      // `session.superseded` and `server.notice`: the close code that follows says it.
    }
  }

  /** @param {InviteView} invite */
  #replaceInvite(invite) {
    const { invites, ending } = this.#state;
    // Not by what the list says, which may have been asked for in between.
    const isLogged = this.#loggedInvite === invite.invite_id;
    if (isWritten(invite.event) !== isLogged) {
      this.#loggedInvite = isLogged ? '' : invite.invite_id;
      if (!isLogged) this.#emit('logged', invite);
    }
    const isEnding = ending?.invite_id === invite.invite_id;
    const isStill = isEnding && invite.state === 'open' && invite.ends_at <= ending.ends_at;
    this.#update({
      ending: isEnding && !isStill ? null : ending,
      // Not yet asked for: the list will have it.
      invites:
        invites &&
        [invite, ...invites.filter(({ invite_id }) => invite_id !== invite.invite_id)]
          .sort((a, b) => a.starts_at - b.starts_at)
          .slice(-KNOWN_INVITES),
    });
  }

  /** @param {CallView} call */
  #replaceCall(call) {
    const former = this.#find(call.call_id);
    const local = this.#local.get(call.call_id);
    if (local && former?.video?.state === 'active' && call.video?.state !== 'active') {
      // Nobody sees it any more: the light goes out.
      void local.video?.setCamera(false);
      void local.video?.stopSharing();
    }
    const others = this.#state.calls.filter(({ call_id }) => call_id !== call.call_id);
    const calls = [...others, call].sort((a, b) => a.started_at - b.started_at);
    this.#update({ calls });
    this.#callsChanged();
  }

  /** @param {CallView} call */
  #ended(call) {
    this.#endLocal(call.call_id);
    if (this.#keptVideo(call.call_id)) this.#storage.set('video', null);
    const calls = this.#state.calls.filter(({ call_id }) => call_id !== call.call_id);
    this.#update({ calls });
    this.#callsChanged();
    this.#replaceRecent(call);
    this.#emit('ended', call);
  }

  /** @param {CallView} call */
  #replaceRecent(call) {
    const recent = this.#state.recent ?? [];
    const former = recent.find(({ call_id }) => call_id === call.call_id);
    const others = recent.filter(({ call_id }) => call_id !== call.call_id);
    this.#update({
      recent: [call, ...others]
        .sort((a, b) => b.started_at - a.started_at)
        .slice(0, RECENT_CALLS),
    });
    if (isWritten(call.activity) && !isWritten(former?.activity)) this.#emit('logged', call);
  }

  #callsChanged() {
    this.#connection?.setInCall(this.#state.calls.length > 0);
  }

  /** What history does not know was cut off with the service. @param {CallView[]} calls */
  async #endedUnseen(calls) {
    await this.#loadRecent();
    for (const call of calls) {
      const kept = this.#state.recent?.find(({ call_id }) => call_id === call.call_id);
      this.#ended(kept ?? { ...call, state: 'ended', ended_at: Date.now(), end_reason: 'gateway_restarted' });
    }
  }

  async #loadRecent() {
    if (this.#state.user?.role === 'guest') return;
    try {
      const { calls } = await this.history({ limit: RECENT_CALLS });
      this.#update({ recent: calls });
    } catch {
      this.#update({ recent: this.#state.recent ?? [] });
    }
  }

  // Calls

  /**
   * Dials digits, E.164, `tel:` or `sip:`. Opens the microphone first, and the camera.
   *
   * @param {string} to
   * @param {{record?: Partial<CrmRecord>|null, video?: boolean}} [options] `record`:
   *   whom the number was taken from
   * @returns {Promise<CallView>}
   */
  async dial(to, { record = null, video = false } = {}) {
    const peer = { number: to, national: to, e164: '', display_name: '' };
    return this.#place('call.create', { to, ...(record ? { record } : {}) }, peer, record, {
      microphone: true,
      camera: video,
      video,
    });
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
    return (await this.#place('call.join', {}, peer, null, wanted)).call_id;
  }

  /**
   * @param {'call.create'|'call.join'} method
   * @param {object} params
   * @param {Peer} peer
   * @param {Partial<CrmRecord>|null} record
   * @param {{microphone: boolean, camera: boolean, video: boolean, isMuted?: boolean}} wanted
   * @returns {Promise<CallView>}
   */
  async #place(method, params, peer, record, wanted) {
    const callId = uuid7();
    const draft = { isSent: false };
    this.#drafts.set(callId, draft);
    this.#replaceCall(draftCall(callId, peer, record, Date.now() + this.#state.clockOffsetMs));
    try {
      const local = await this.#createLocal(callId);
      if (wanted.isMuted) this.mute(callId, true);
      if (wanted.microphone) await this.#openMicrophone(local);
      if (wanted.video) await (await this.#video(callId, local)).prepare(wanted.camera);
      const offer = await local.media.offer(1);
      if (!this.#drafts.has(callId)) throw new DialCancelled();
      draft.isSent = true;
      const result = await this.#ask(method, { call_id: callId, ...params, offer }, DIAL_TIMEOUT_MS);
      this.#drafts.delete(callId);
      if (!this.#local.has(callId)) return result.call;
      if (this.#find(callId)?.state === 'calling') this.#replaceCall(result.call);
      if (result.answer) await local.media.accept(1, result.answer);
      return result.call;
    } catch (error) {
      const wasCancelled = !this.#drafts.delete(callId);
      this.#forget(callId);
      throw wasCancelled && !draft.isSent ? new DialCancelled() : error;
    }
  }

  /** @param {string} callId */
  #forget(callId) {
    this.#endLocal(callId);
    this.#update({ calls: this.#state.calls.filter(({ call_id }) => call_id !== callId) });
    this.#callsChanged();
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
    const local = this.#local.get(callId) ?? (await this.#createLocal(callId));
    const isReady = await this.#microphone.isReady();
    const opened = this.#openMicrophone(local);
    if (isReady) opened.catch(() => undefined);
    else await opened;
    const own = video ? await this.#video(callId, local) : null;
    if (own && camera) await own.open();
    try {
      await this.#inTurn(local, async () => {
        // The offer made while it rang has no video: its answer is no refusal.
        await own?.prepare(false);
        await this.#sendAnswer(callId, local);
      });
    } catch (error) {
      await local.video?.giveUp();
      throw error;
    }
    await opened;
  }

  /** @param {string} callId @param {LocalCall} local */
  async #sendAnswer(callId, local) {
    if (local.preOffered && !local.media.wantsVideo) {
      await this.#ask('call.answer', { call_id: callId, generation: local.media.generation });
      return;
    }
    // With media negotiated while it rang, video is one more step on the same.
    const { generation, offer } = await this.#answerOffer(local);
    const result = await this.#ask('call.answer', { call_id: callId, offer, generation });
    if (result.answer) await local.media.accept(generation, result.answer);
    local.preOffered = true;
  }

  /** @param {LocalCall} local */
  async #answerOffer(local) {
    const { generation } = local.media;
    const again = local.preOffered ? await local.media.reoffer() : null;
    if (again !== null) return { generation, offer: again };
    return { generation: generation + 1, offer: await local.media.offer(generation + 1) };
  }

  /** @param {string} callId @param {'declined'|'busy'} [reason] */
  async decline(callId, reason = 'declined') {
    await this.#ask('call.reject', { call_id: callId, reason }, END_TIMEOUT_MS);
  }

  /** Ends a call in any state. @param {string} callId */
  async hangup(callId) {
    if (this.#drafts.get(callId)?.isSent === false) {
      this.#drafts.delete(callId);
      this.#forget(callId);
      return;
    }
    await this.#ask('call.hangup', { call_id: callId }, END_TIMEOUT_MS);
  }

  /** @param {string} callId @param {boolean} isMuted */
  mute(callId, isMuted) {
    // Who was muted before a reload is muted after it; so is a call without media yet.
    this.#storage.set('muted', isMuted ? callId : null);
    const local = this.#local.get(callId);
    if (!local) return;
    local.isMuted = isMuted;
    local.media.mute(isMuted);
    this.#update({});
  }

  /** @param {string} callId @param {string} digits `0-9 * # A-D` */
  async sendDigits(callId, digits) {
    await this.#ask('call.dtmf', { call_id: callId, digits });
  }

  /**
   * @param {{last_name: string, first_name?: string, phone?: string,
   *   company?: string, call_id?: string}} contact
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
   * Ended calls, newest first.
   *
   * @param {{limit?: number, before?: number}} [page] `before` in Unix ms
   * @returns {Promise<{calls: readonly CallView[]}>}
   */
  async history(page = {}) {
    return this.#connected().request('history.list', page);
  }

  /** Registers the phone now, also after a wrong password. */
  async retryRegistration() {
    await this.#ask('registration.retry', {});
  }

  /** What only this page knows of a call. @param {string} callId */
  localState(callId) {
    const local = this.#local.get(callId);
    const call = this.#find(callId);
    return {
      isMuted: local?.isMuted ?? false,
      isConnected: local?.isConnected ?? false,
      hasEarlyMedia: local?.hasEarlyMedia ?? false,
      isRestored: local?.isRestored ?? false,
      isMicrophoneOpen: Boolean(local?.media.track),
      hasVideo: local?.media.hasVideo ?? false,
      isCameraOn: local?.video?.isCameraOn ?? false,
      isSharing: local?.video?.isSharing ?? false,
      localVideo: local?.video?.preview ?? null,
      remoteVideo: local?.media.remoteVideo ?? null,
      remotes: call ? this.#remotes(call) : [],
    };
  }

  /** @param {CallView} call */
  #remotes(call) {
    const media = this.#local.get(call.call_id)?.media;
    return remotesOf(call, {
      isGuest: this.#state.user?.role === 'guest',
      videoOf: (id) => (id === '' ? media?.remoteVideo ?? null : null),
    });
  }

  /** WebRTC statistics of a call. @param {string} callId */
  async stats(callId) {
    return (await this.#local.get(callId)?.media.connection?.getStats()) ?? null;
  }

  /** @param {string} callId */
  #find(callId) {
    return this.#state.calls.find(({ call_id }) => call_id === callId);
  }

  #connected() {
    if (!this.#connection) throw new ConnectionError('not signed in');
    return this.#connection;
  }

  /**
   * Any request of the protocol.
   *
   * @param {string} method
   * @param {object} params with an `op_id` where the method changes something
   * @returns {Promise<any>}
   */
  async request(method, params) {
    return this.#connected().request(method, params);
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
    return this.#connected().request(method, { op_id: uuid7(), ...params }, { timeoutMs });
  }

  // Devices

  /** Looks, without asking the user, whether the microphone can be used. */
  async checkMicrophone() {
    const problem = await this.#microphone.check();
    const willAskMicrophone = await this.#microphone.willAsk();
    if (willAskMicrophone !== this.#state.willAskMicrophone) this.#update({ willAskMicrophone });
    if (problem !== null || this.#state.microphoneProblem !== 'no_device') {
      this.#setMicrophoneProblem(problem);
    }
    return problem;
  }

  /** Asks the browser for it, as a call would, and lets it go again. */
  async tryMicrophone() {
    try {
      this.#microphone.release(await this.#microphone.acquire());
      this.#microphoneOpened();
    } catch (error) {
      this.#microphoneFailed(error);
      throw error;
    }
  }

  /** Also for the calls in progress. @param {string} deviceId */
  async chooseMicrophone(deviceId) {
    this.#microphone.choose(deviceId);
    for (const local of this.#local.values()) {
      const former = local.media.track;
      if (!former) continue;
      await local.media.setTrack(await this.#microphone.acquire());
      this.#microphone.release(former);
    }
  }

  /** @param {string} deviceId */
  chooseSpeaker(deviceId) {
    this.#speakerId = deviceId;
    for (const local of this.#local.values()) local.media.setSpeaker(deviceId);
  }

  get speakerId() {
    return this.#speakerId;
  }

  /** Call it from a click, when `isPlaybackBlocked`. */
  unblockPlayback() {
    for (const local of this.#local.values()) local.media.play();
  }

  /** @param {LocalCall} local */
  async #openMicrophone(local) {
    if (local.media.track) return;
    try {
      const track = await this.#microphone.acquire();
      if ([...this.#local.values()].includes(local)) {
        track.addEventListener('ended', () => void this.#microphoneLost(local));
        await local.media.setTrack(track);
      } else {
        this.#microphone.release(track);
      }
      this.#microphoneOpened();
    } catch (error) {
      this.#microphoneFailed(error);
      throw error;
    }
  }

  /** Unplugged in mid-call: go on with what is there now. @param {LocalCall} local */
  async #microphoneLost(local) {
    if (![...this.#local.values()].includes(local)) return;
    try {
      this.#microphone.choose('');
      await local.media.setTrack(await this.#microphone.acquire());
    } catch (error) {
      this.#microphoneFailed(error);
    }
  }

  /** Opens the microphone of a call that goes on without. @param {string} callId */
  async retryMicrophone(callId) {
    const local = this.#local.get(callId);
    if (local) await this.#openMicrophone(local);
  }

  /** @param {unknown} error */
  #microphoneFailed(error) {
    if (!(error instanceof MicrophoneError)) return;
    this.#setMicrophoneProblem(error.problem);
    this.#emit('microphone', { problem: error.problem });
  }

  #microphoneOpened() {
    this.#setMicrophoneProblem(null);
    if (this.#state.willAskMicrophone) this.#update({ willAskMicrophone: false });
  }

  /** @param {MicrophoneProblem|null} problem */
  #setMicrophoneProblem(problem) {
    if (problem !== this.#state.microphoneProblem) this.#update({ microphoneProblem: problem });
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
    await (await this.#videoOf(callId))?.start(camera);
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
    await (await this.#videoOf(callId))?.setCamera(isOn);
  }

  /**
   * Shows a screen in the camera's place; call it from a click.
   *
   * @param {string} callId
   * @returns {Promise<boolean>} false: the user chose none
   */
  async shareScreen(callId) {
    return (await (await this.#videoOf(callId))?.share()) ?? false;
  }

  /** @param {string} callId */
  async stopSharing(callId) {
    await this.#local.get(callId)?.video?.stopSharing();
  }

  /** Also for the calls in progress. @param {string} deviceId */
  async chooseCamera(deviceId) {
    this.#camera.choose(deviceId);
    for (const { video } of this.#local.values()) await video?.switchCamera();
  }

  /** Most calls of most reps never need it. */
  #loadVideo() {
    return (this.#videoModule ??= import('./call-video.js'));
  }

  /** @param {string} callId */
  async #videoOf(callId) {
    const local = this.#local.get(callId);
    return local ? this.#video(callId, local) : null;
  }

  /** @param {string} callId @param {LocalCall} local @returns {Promise<CallVideo>} */
  async #video(callId, local) {
    const { CallVideo: Made } = await this.#loadVideo();
    local.video ??= new Made({
      camera: this.#camera,
      media: local.media,
      negotiate: (step) =>
        this.#inTurn(local, async () => {
          if (await step()) await this.#reoffer(callId, local);
        }),
      listener: {
        changed: () => {
          this.#rememberVideo(callId, local);
          this.#update({});
        },
        camera: (problem) => {
          if (problem !== this.#state.cameraProblem) this.#update({ cameraProblem: problem });
          if (problem !== null) this.#emit('camera', { problem });
        },
      },
    });
    return local.video;
  }

  /** What a reload of this page is to bring back. @param {string} callId @param {LocalCall} local */
  #rememberVideo(callId, local) {
    if (!this.#keepsVideo || this.#local.get(callId) !== local) return;
    const kept = local.video?.isCameraOn ? 'camera' : 'black';
    this.#storage.set('video', local.media.wantsVideo ? `${callId} ${kept}` : null);
  }

  /** @param {string} callId @returns {string} 'camera', 'black', '' for no video */
  #keptVideo(callId) {
    const [id, kept] = (this.#storage.get('video') ?? '').split(' ');
    return id === callId ? kept ?? '' : '';
  }

  /** @param {string} callId @param {LocalCall} local */
  async #restoreVideo(callId, local) {
    const kept = this.#keptVideo(callId);
    const isActive = this.#find(callId)?.video?.state === 'active';
    if (!this.#keepsVideo || local.media.wantsVideo || (!isActive && kept === '')) return;
    const video = await this.#video(callId, local);
    await video.prepare(false);
    // The user may be asked; the rest goes on meanwhile.
    if (kept === 'camera') video.setCamera(true).catch(() => undefined);
  }

  // Media of a call

  /** @param {string} callId @returns {Promise<LocalCall>} */
  async #createLocal(callId) {
    const iceServers = await this.#iceServers;
    const existing = this.#local.get(callId);
    if (existing) return existing;
    const media = new CallMedia({
      iceServers,
      speakerId: this.#speakerId,
      listener: {
        needsRenewal: (reason) => this.#needsRenewal(callId, reason),
        connected: (isConnected) => {
          if (isConnected) local.renewals = 0;
          local.isConnected = isConnected;
          this.#update({});
        },
        playback: (isPlaybackBlocked) => this.#update({ isPlaybackBlocked }),
        video: () => this.#update({}),
      },
    });
    /** @type {LocalCall} */
    const local = {
      media,
      video: null,
      isMuted: this.#storage.get('muted') === callId,
      isConnected: false,
      hasEarlyMedia: false,
      isRestored: false,
      preOffered: false,
      turn: Promise.resolve(),
      renewals: 0,
      renewalTimer: undefined,
    };
    media.mute(local.isMuted);
    this.#local.set(callId, local);
    return local;
  }

  /** @param {string} callId */
  #endLocal(callId) {
    const local = this.#local.get(callId);
    if (!local) return;
    this.#local.delete(callId);
    clearTimeout(local.renewalTimer);
    local.video?.close();
    const track = local.media.close();
    if (track) this.#microphone.release(track);
    if (this.#state.isPlaybackBlocked) this.#update({ isPlaybackBlocked: false });
  }

  /**
   * @template Result
   * @param {LocalCall} local
   * @param {() => Promise<Result>} step
   * @returns {Promise<Result>}
   */
  #inTurn(local, step) {
    const result = local.turn.then(step);
    local.turn = result.catch(() => undefined);
    return result;
  }

  /**
   * Negotiates while it rings, with the microphone still closed: "Answer" then only
   * has to open it. A failure costs nothing: the offer goes with the answer instead.
   *
   * @param {CallView} call
   */
  async #preOffer(call) {
    if (!globalThis.RTCPeerConnection) return;
    const local = await this.#createLocal(call.call_id);
    if (local.media.generation > 0) return;
    await this.#inTurn(local, async () => {
      try {
        await this.#negotiate(call.call_id, local, (call.media_generation ?? 0) + 1, 'initial');
        local.preOffered = true;
      } catch {
        local.preOffered = false;
      }
    });
  }

  /**
   * After a hello: a call that this page has no living media for gets it anew.
   *
   * @param {CallView} call
   */
  #restoreMedia(call) {
    const local = this.#local.get(call.call_id);
    if (this.#drafts.has(call.call_id)) return;
    if (!local) {
      void this.#renew(call.call_id, 'reload');
    } else if (!local.isConnected || (call.media_generation ?? 0) !== local.media.generation) {
      this.#needsRenewal(call.call_id, 'network');
    }
  }

  /** @param {{call_id: string, action: string, generation: number}} event */
  #mediaEvent({ call_id: callId, action, generation }) {
    const local = this.#local.get(callId);
    switch (action) {
      case 'renegotiate':
        if (local) void this.#renegotiate(callId, local);
        break;
      case 'renew':
        this.#needsRenewal(callId, 'failed');
        break;
      case 'lost':
        if (generation === local?.media.generation) this.#needsRenewal(callId, 'network');
        break;
      default:
      // `connected` is seen on the peer connection itself.
    }
  }

  /** @param {string} callId @param {LocalCall} local */
  async #renegotiate(callId, local) {
    try {
      await this.#inTurn(local, () => this.#reoffer(callId, local));
    } catch {
      this.#needsRenewal(callId, 'failed');
    }
  }

  /** @param {string} callId @param {LocalCall} local */
  async #reoffer(callId, local) {
    const offer = await local.media.reoffer();
    if (offer === null) return;
    const { generation } = local.media;
    const reason = 'renegotiate';
    const result = await this.#ask('call.media', { call_id: callId, offer, generation, reason });
    await local.media.accept(result.generation, result.answer);
  }

  /**
   * Media has to be built again; soon at first, with growing pauses if that does
   * not help, as long as the call is up.
   *
   * @param {string} callId
   * @param {MediaReason} reason
   */
  #needsRenewal(callId, reason) {
    const local = this.#local.get(callId);
    const call = this.#find(callId);
    if (!local || !call || call.state === 'ringing' || local.renewalTimer !== undefined) return;
    const wait =
      local.renewals === 0
        ? 0
        : Math.min(RENEWAL_WAIT_CAP_MS, RENEWAL_WAIT_MS * 2 ** (local.renewals - 1));
    local.renewals += 1;
    local.renewalTimer = setTimeout(() => {
      local.renewalTimer = undefined;
      void this.#renew(callId, reason);
    }, wait);
  }

  /** @param {string} callId @param {MediaReason} reason */
  async #renew(callId, reason) {
    try {
      const local = await this.#createLocal(callId);
      local.isRestored = true;
      // The rep may be asked for the microphone: listening goes on meanwhile.
      const opened = this.#openMicrophone(local).catch(() => undefined);
      if (await this.#microphone.isReady()) await opened;
      await this.#inTurn(local, async () => {
        await this.#restoreVideo(callId, local);
        const known = this.#find(callId)?.media_generation ?? 0;
        const generation = Math.max(known, local.media.generation) + 1;
        await this.#negotiate(callId, local, generation, reason);
        local.preOffered = true;
      });
    } catch (error) {
      const isFinal =
        error instanceof MediaClosed ||
        (error instanceof RequestError &&
          (error.kind === 'call.unknown' || error.kind === 'call.wrong_state'));
      if (!isFinal) this.#needsRenewal(callId, reason);
    }
  }

  /**
   * @param {string} callId
   * @param {LocalCall} local
   * @param {number} generation
   * @param {MediaReason} reason
   */
  async #negotiate(callId, local, generation, reason) {
    const offer = await local.media.offer(generation);
    const result = await this.#ask('call.media', { call_id: callId, offer, generation, reason });
    await local.media.accept(result.generation, result.answer);
  }
}

/** Hung up before the gateway was asked. */
export class DialCancelled extends Error {
  kind = 'cancelled';

  constructor() {
    super('the call was cancelled before it was placed');
    this.name = 'DialCancelled';
  }
}

/**
 * What there is to show of a call before the gateway has answered.
 *
 * @param {string} callId
 * @param {Peer} peer
 * @param {Partial<CrmRecord>|null} record
 * @param {number} now
 * @returns {CallView}
 */
function draftCall(callId, peer, record, now) {
  const blank = { id: '', kind: '', name: '', url: '', company: '', phone: '', email: '' };
  return {
    call_id: callId,
    direction: 'outbound',
    state: 'calling',
    peer,
    match: record?.name
      ? { state: 'found', records: [{ ...blank, certainty: 'exact', ...record }] }
      : { state: 'searching', records: [] },
    started_at: now,
    media_generation: 0,
    activity: { state: 'none', record_id: '', url: '', problem: '' },
    video: { state: 'none', sends: false, receives: false },
    participants: [],
  };
}

/** @param {unknown} error @returns {SignInFailure} */
function signInProblem(error) {
  return error instanceof SignInError ? error.kind : 'failed';
}
