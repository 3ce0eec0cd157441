/**
 * The Ringbridge client: everything a page needs to be a rep's phone, without any
 * picture of it. See `RingbridgeClient`.
 */
import { isWritten } from './call-facts.js';
import { SessionConnection } from './connection.js';
import { ConnectionError, SignInError } from './errors.js';
import { GatewayHttp } from './http.js';
import { uuid7 } from './identifiers.js';
import { Invites } from './invites.js';
import { LocalCalls } from './local-calls.js';
import { remotesOf } from './remotes.js';
import { TabStorage } from './storage.js';

/**
 * @import {AnyEvent, CallView, InviteView, JoinView, Peer, Record as CrmRecord,
 *   Registration, Snapshot, UserView} from './wire.d.ts'
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
  #instanceId = uuid7();
  #name;
  /** @type {(() => Promise<string|null>)|null} */
  #assertion;
  /** @type {(() => Promise<string|null>)|null} */
  #accessToken;
  #caps;
  #yields;
  /** @type {string|null} */
  #token;
  /** @type {SessionConnection|null} */
  #connection = null;
  /** @type {Promise<RTCIceServer[]>} */
  #iceServers = Promise.resolve([]);
  #local;
  /** Dialled here, not yet known to the gateway; `sent` once it may know. */
  #drafts = /** @type {Map<string, {isSent: boolean}>} */ (new Map());
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
    this.#caps = caps;
    this.#yields = yields;
    this.invites = new Invites({
      ask: (method, params) => this.request(method, params),
      loaded: (invites) => this.#update({ invites }),
    });
    this.#storage = storage;
    this.#token = storage.get('access_token');
    this.#local = new LocalCalls({
      ask: (method, params, timeoutMs) => this.#ask(method, params, timeoutMs),
      find: (callId) => this.#find(callId),
      iceServers: () => this.#iceServers,
      storage,
      keepsVideo,
      state: () => this.#state,
      update: (changes) => this.#update(changes),
      failed: (kind, problem) => this.#emit(kind, { problem }),
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
    for (const callId of this.#local.ids()) this.#local.end(callId);
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
    for (const callId of this.#local.ids()) if (!alive.has(callId)) this.#local.end(callId);
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
        void this.#local.preOffer(call);
        this.#emit('incoming', call);
      } else {
        this.#restore(call);
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
        void this.#local.preOffer(event.call);
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
        if (!this.#local.get(event.call.call_id)) this.#restore(event.call);
        break;
      case 'call.updated':
        if (event.call.state === 'ended') this.#replaceRecent(event.call);
        else this.#replaceCall(event.call);
        break;
      case 'call.ended':
        this.#ended(event.call);
        break;
      case 'call.media':
        this.#local.get(event.call_id)?.mediaEvent(event);
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
    this.#local.end(call.call_id);
    this.#local.forgetVideo(call.call_id);
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

  /** @param {CallView} call */
  #restore(call) {
    if (!this.#drafts.has(call.call_id)) this.#local.restore(call);
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
      const local = await this.#local.create(callId);
      if (wanted.isMuted) this.mute(callId, true);
      if (wanted.microphone) await this.#local.openMicrophone(local);
      if (wanted.video) await (await local.loadVideo()).prepare(wanted.camera);
      const offer = await local.media.offer(1);
      if (!this.#drafts.has(callId)) throw new DialCancelled();
      draft.isSent = true;
      const result = await this.#ask(method, { call_id: callId, ...params, offer }, DIAL_TIMEOUT_MS);
      this.#drafts.delete(callId);
      if (local.isClosed) return result.call;
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
    this.#local.end(callId);
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
    const local = this.#local.get(callId) ?? (await this.#local.create(callId));
    await local.answer({ video, camera });
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
    this.#local.mute(callId, isMuted);
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
