/**
 * One session over as many sockets as it takes.
 *
 * Driven by: `start`/`stop`/`request` from its owner, the socket, its timers (retry,
 * heartbeat, acknowledgement, a look at the clock) and what the browser says of the
 * network and of the page: `online`, `offline`, `visibilitychange`, `pageshow`,
 * `freeze`, `resume`.
 *
 * Rules:
 * - The first socket says `session.hello` with a fresh ticket; every later one of
 *   this page says `session.resume`. A resume that the server does not know falls
 *   back to `hello` at once.
 * - A request with an answer outstanding when the socket dies is sent again after
 *   the next hello or resume, with the same `op_id`: the server replays the result.
 * - An event whose number leaves a gap means that something was lost on the way:
 *   the socket is dropped and the session resumed from the last number taken.
 * - Browsers do not tell a page that a socket is dead; two heartbeats without any
 *   sign of life are taken as death. When there is reason to doubt, one ping decides
 *   within two seconds, and nothing waits for its back-off: the network is back, the
 *   page is looked at again, or the clock has jumped (the machine has slept).
 * - A page that is frozen cannot ring: it lets go of its socket first, so that the
 *   gateway knows, and another page can have the phone.
 */
import { Backoff } from './backoff.js';
import { ConnectionError, RequestError, SignInError } from './errors.js';
import { ACK_EVERY_MS, EventSequence } from './sequence.js';
import { CLOSE, SUBPROTOCOL } from './protocol.js';

/** @import {AnyEvent, SessionHello, SessionHelloResult, SessionOwner, SessionResumeResult, Snapshot} from './wire.d.ts' */

/** Two unanswered hellos in a row: the identity is no good any more. */
const HELLO_REFUSALS_TOLERATED = 1;
const REQUEST_TIMEOUT_MS = 15_000;
const CONNECT_TIMEOUT_MS = 10_000;
const PROBE_TIMEOUT_MS = 2_000;
const DRAIN_RETRY_CAP_S = 30;
/** An attempt that began before the network was back is not waited for. */
const STALE_ATTEMPT_MS = 1_500;
const CLOCK_EVERY_MS = 2_000;
/** More between two looks at the clock: nothing has run meanwhile. */
const CLOCK_JUMP_MS = 10_000;

/**
 * @typedef {'idle'|'connecting'|'open'|'waiting'|'stopped'} ConnectionState
 * @typedef {'superseded'|'yielded'|'signed_out'|'left'|'closed'} StopReason
 *
 * `yielded`: the hello was refused, because a call's window has the session. `left`: the
 * user has signed out in another page.
 *
 * @typedef {object} Listener
 * @property {(state: ConnectionState) => void} state
 * @property {(owner: SessionOwner|undefined, isNews: boolean) => void} owner who has the
 *   phone; not `isNews`: a snapshot follows
 * @property {(isOffline: boolean) => void} offline the browser says so, and nobody has
 *   been heard of since
 * @property {(snapshot: Snapshot) => void} snapshot
 * @property {(event: AnyEvent) => void} event
 * @property {(reason: StopReason) => void} stopped
 *
 * @typedef {object} Pending
 * @property {string} method
 * @property {object} params
 * @property {boolean} repeat send again after a reconnect
 * @property {(result: any) => void} resolve
 * @property {(error: Error) => void} reject
 * @property {ReturnType<typeof setTimeout>} timer
 */

export class SessionConnection {
  #url;
  #hello;
  #getTicket;
  #listener;
  #backoff;

  /** @type {ConnectionState} */
  #state = 'idle';
  /** @type {WebSocket|null} */
  #socket = null;
  /** @type {{id: string, resumeToken: string}|null} */
  #session = null;
  #sequence = new EventSequence();
  /** Requests in the order they were made; ids are never used again. */
  #nextId = 1;
  /** @type {Map<number, Pending>} */
  #pending = new Map();
  #helloRefusals = 0;
  /** Bumped by every attempt, so that what a former one still does is ignored. */
  #attempt = 0;
  #attemptAt = 0;
  #isOffline = false;

  #heartbeatS = 15;
  #heartbeatInCallS = 5;
  #inCall = false;
  #unheardBeats = 0;

  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #retryTimer;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #beatTimer;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #ackTimer;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #probeTimer;
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #clock;
  #hints = new AbortController();

  /**
   * @param {object} options
   * @param {string} options.url
   * @param {Omit<SessionHello, 'ticket'>} options.hello
   * @param {() => Promise<string>} options.getTicket rejects with `SignInError`
   * @param {Listener} options.listener
   * @param {Backoff} [options.backoff]
   */
  constructor({ url, hello, getTicket, listener, backoff = new Backoff() }) {
    this.#url = url;
    this.#hello = hello;
    this.#getTicket = getTicket;
    this.#listener = listener;
    this.#backoff = backoff;
  }

  get state() {
    return this.#state;
  }

  start() {
    if (this.#state !== 'idle') throw new Error('a connection is started once');
    this.#listen(globalThis, {
      online: () => this.#hurry(),
      offline: () => this.#offline(),
      pageshow: () => this.#hurry(),
    });
    this.#listen(globalThis.document, {
      visibilitychange: () => document.visibilityState === 'visible' && this.#hurry(),
      freeze: () => this.#freeze(),
      resume: () => this.#hurry(),
    });
    let seen = Date.now();
    this.#clock = setInterval(() => {
      const passed = Date.now() - seen;
      seen += passed;
      if (passed > CLOCK_JUMP_MS) this.#hurry();
    }, CLOCK_EVERY_MS);
    void this.#connect();
  }

  /** @param {EventTarget|undefined} target @param {Record<string, () => unknown>} hints */
  #listen(target, hints) {
    for (const [name, act] of Object.entries(hints)) {
      target?.addEventListener?.(name, act, { signal: this.#hints.signal });
    }
  }

  /** Ends everything; outstanding requests are rejected. @param {StopReason} [reason] */
  stop(reason = 'closed') {
    if (this.#state === 'stopped') return;
    this.#attempt += 1;
    this.#hints.abort();
    clearInterval(this.#clock);
    clearTimeout(this.#retryTimer);
    this.#dropSocket();
    for (const id of [...this.#pending.keys()]) {
      this.#fail(id, new ConnectionError('the session has ended'));
    }
    this.#setState('stopped');
    this.#listener.stopped(reason);
  }

  /** Heartbeats come faster while a call is up. @param {boolean} inCall */
  setInCall(inCall) {
    if (this.#inCall === inCall) return;
    this.#inCall = inCall;
    if (this.#state === 'open') this.#scheduleBeat();
  }

  /**
   * @param {string} method
   * @param {object} params with an `op_id` where the method changes something
   * @param {{timeoutMs?: number}} [options]
   * @returns {Promise<any>}
   * @throws {RequestError|ConnectionError}
   */
  request(method, params, { timeoutMs = REQUEST_TIMEOUT_MS } = {}) {
    if (this.#state === 'stopped') {
      return Promise.reject(new ConnectionError('the session has ended'));
    }
    return new Promise((resolve, reject) => {
      const id = this.#remember({ method, params, repeat: true, resolve, reject }, timeoutMs);
      if (this.#state === 'open') this.#send(id, method, params);
    });
  }

  /**
   * @param {Omit<Pending, 'timer'>} pending
   * @param {number} timeoutMs
   */
  #remember(pending, timeoutMs) {
    const id = this.#nextId++;
    const timer = setTimeout(
      () => this.#fail(id, new ConnectionError(`no answer to ${pending.method}`)),
      timeoutMs,
    );
    this.#pending.set(id, { ...pending, timer });
    return id;
  }

  /** @param {number} id @param {Error} error */
  #fail(id, error) {
    const pending = this.#pending.get(id);
    if (!pending) return;
    this.#pending.delete(id);
    clearTimeout(pending.timer);
    pending.reject(error);
  }

  /** @param {number} id @param {string} method @param {object} params */
  #send(id, method, params) {
    this.#socket?.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
  }

  /** A request that belongs to this socket and dies with it. @param {string} method @param {object} params */
  #sendOnce(method, params) {
    return new Promise((resolve, reject) => {
      const id = this.#remember({ method, params, repeat: false, resolve, reject }, CONNECT_TIMEOUT_MS);
      this.#send(id, method, params);
    });
  }

  // Connecting

  async #connect() {
    clearTimeout(this.#retryTimer);
    this.#dropSocket();
    const attempt = ++this.#attempt;
    this.#attemptAt = Date.now();
    this.#setState('connecting');
    let ticket = '';
    if (this.#session === null) {
      try {
        ticket = await this.#getTicket();
      } catch (error) {
        if (attempt !== this.#attempt) return;
        if (error instanceof SignInError && (error.kind === 'expired' || error.kind === 'denied')) {
          this.stop('signed_out');
        } else {
          this.#retryLater();
        }
        return;
      }
      if (attempt !== this.#attempt) return;
    }
    const socket = new WebSocket(this.#url, SUBPROTOCOL);
    this.#socket = socket;
    const giveUp = setTimeout(() => this.#lost(0, ''), CONNECT_TIMEOUT_MS);
    socket.onopen = () => {
      clearTimeout(giveUp);
      void this.#introduce(ticket, attempt);
    };
    socket.onmessage = ({ data }) => this.#receive(data);
    socket.onclose = ({ code, reason }) => {
      clearTimeout(giveUp);
      if (socket === this.#socket) this.#lost(code, reason);
    };
  }

  /** @param {string} ticket @param {number} attempt */
  async #introduce(ticket, attempt) {
    const session = this.#session;
    try {
      if (session === null) {
        const result = /** @type {SessionHelloResult} */ (
          await this.#sendOnce('session.hello', { ...this.#hello, ticket })
        );
        this.#session = { id: result.session_id, resumeToken: result.resume_token };
        this.#heartbeatS = result.heartbeat_s ?? this.#heartbeatS;
        this.#heartbeatInCallS = result.heartbeat_in_call_s ?? this.#heartbeatInCallS;
        this.#helloRefusals = 0;
        this.#opened();
      } else {
        const result = /** @type {SessionResumeResult} */ (
          await this.#sendOnce('session.resume', {
            session_id: session.id,
            resume_token: session.resumeToken,
            instance_id: this.#hello.client.instance_id,
            last_seq: this.#sequence.last,
          })
        );
        session.resumeToken = result.resume_token;
        this.#opened();
      }
    } catch (error) {
      if (attempt !== this.#attempt || !(error instanceof RequestError)) return;
      if (error.kind === 'session.superseded') {
        this.stop(session === null ? 'yielded' : 'superseded');
      } else if (session !== null) {
        this.#session = null;
        void this.#connect();
      } else if (error.kind === 'auth.denied' || error.kind === 'auth.expired') {
        this.#helloRefused();
      } else {
        this.#lost(0, '');
      }
    }
  }

  /**
   * Events may follow the answer within the same task, before a promise's
   * continuation runs: the numbering must be right at once.
   *
   * @param {SessionHelloResult|SessionResumeResult} result
   */
  #adopt(result) {
    this.#listener.owner(result.owner, !result.snapshot);
    if (result.snapshot) {
      this.#sequence.restart(result.seq);
      this.#listener.snapshot(result.snapshot);
    }
  }

  #helloRefused() {
    this.#helloRefusals += 1;
    if (this.#helloRefusals > HELLO_REFUSALS_TOLERATED) this.stop('signed_out');
    else void this.#connect();
  }

  #opened() {
    this.#backoff.reset();
    this.#unheardBeats = 0;
    this.#setState('open');
    for (const [id, { method, params, repeat }] of this.#pending) {
      if (repeat) this.#send(id, method, params);
    }
    this.#scheduleBeat();
  }

  /** The socket is gone or useless. @param {number} code @param {string} reason */
  #lost(code, reason) {
    if (this.#state === 'stopped') return;
    this.#dropSocket();
    switch (code) {
      case CLOSE.SUPERSEDED:
        this.stop('superseded');
        return;
      case CLOSE.SIGNED_OUT:
        this.stop('left');
        return;
      case CLOSE.NO_HELLO:
        this.#session = null;
        this.#helloRefused();
        return;
      case CLOSE.DRAIN:
        this.#retryLater(drainDelayMs(reason));
        return;
      default:
        this.#retryLater();
    }
  }

  #retryLater(atLeastMs = 0) {
    this.#setState('waiting');
    clearTimeout(this.#retryTimer);
    this.#retryTimer = setTimeout(
      () => void this.#connect(),
      Math.max(atLeastMs, this.#backoff.next()),
    );
  }

  #dropSocket() {
    clearTimeout(this.#beatTimer);
    clearTimeout(this.#ackTimer);
    clearTimeout(this.#probeTimer);
    this.#ackTimer = undefined;
    this.#probeTimer = undefined;
    const socket = this.#socket;
    this.#socket = null;
    if (socket) {
      socket.onopen = socket.onmessage = socket.onclose = null;
      socket.close();
    }
    for (const [id, { repeat }] of [...this.#pending]) {
      if (!repeat) this.#fail(id, new ConnectionError('the connection was lost'));
    }
  }

  /** @param {ConnectionState} state */
  #setState(state) {
    if (this.#state === state) return;
    this.#state = state;
    this.#listener.state(state);
  }

  // Signs of life

  #scheduleBeat() {
    clearTimeout(this.#beatTimer);
    const seconds = this.#inCall ? this.#heartbeatInCallS : this.#heartbeatS;
    this.#beatTimer = setTimeout(() => {
      if (this.#unheardBeats >= 2) {
        this.#lost(0, '');
        return;
      }
      this.#ping();
      this.#scheduleBeat();
    }, seconds * 1000);
  }

  #ping() {
    this.#unheardBeats += 1;
    this.#sendOnce('ping', {}).catch(() => undefined);
  }

  /** Something may have happened to the network: ask, and do not wait long. */
  #probe() {
    if (this.#state !== 'open' || this.#probeTimer !== undefined) return;
    this.#ping();
    this.#probeTimer = setTimeout(() => this.#lost(0, ''), PROBE_TIMEOUT_MS);
  }

  /** The network or the user is back: no reason to go on waiting. */
  #hurry() {
    this.#backoff.reset();
    this.#setOffline(globalThis.navigator?.onLine === false);
    const isStale = this.#state === 'connecting' && Date.now() - this.#attemptAt > STALE_ATTEMPT_MS;
    if (this.#state === 'waiting' || isStale) void this.#connect();
    else this.#probe();
  }

  #offline() {
    this.#setOffline(true);
    this.#probe();
  }

  /** @param {boolean} isOffline */
  #setOffline(isOffline) {
    if (isOffline === this.#isOffline) return;
    this.#isOffline = isOffline;
    this.#listener.offline(isOffline);
  }

  #freeze() {
    this.#attempt += 1;
    clearTimeout(this.#retryTimer);
    this.#dropSocket();
    this.#setState('waiting');
  }

  // Receiving

  /** @param {unknown} data */
  #receive(data) {
    this.#unheardBeats = 0;
    clearTimeout(this.#probeTimer);
    this.#probeTimer = undefined;
    this.#setOffline(false);
    let message;
    try {
      message = JSON.parse(String(data));
    } catch {
      this.#lost(CLOSE.PROTOCOL, '');
      return;
    }
    if (message.method === 'event') {
      this.#receiveEvent(message.params);
      return;
    }
    const pending = this.#pending.get(message.id);
    if (!pending) return;
    if (message.error) {
      const { code, message: text, data: detail = {} } = message.error;
      this.#fail(
        message.id,
        new RequestError(detail.kind ?? (code === -32601 ? 'method.unknown' : 'internal'), text ?? '', {
          retryable: detail.retryable,
          sipCode: detail.sip_code,
          traceId: detail.trace_id,
          records: detail.records,
          field: detail.field,
        }),
      );
      return;
    }
    this.#pending.delete(message.id);
    clearTimeout(pending.timer);
    if (pending.method === 'session.hello' || pending.method === 'session.resume') {
      this.#adopt(message.result);
    }
    pending.resolve(message.result);
  }

  /** @param {AnyEvent} event */
  #receiveEvent(event) {
    switch (this.#sequence.take(event.seq)) {
      case 'duplicate':
        return;
      case 'gap':
        this.#lost(0, '');
        return;
      case 'next':
        if (event.type === 'session.owner') this.#listener.owner(event.owner, true);
        else this.#listener.event(event);
    }
    if (this.#sequence.isAckDue) this.#acknowledge();
    else this.#ackTimer ??= setTimeout(() => this.#acknowledge(), ACK_EVERY_MS);
  }

  #acknowledge() {
    clearTimeout(this.#ackTimer);
    this.#ackTimer = undefined;
    const seq = this.#sequence.acknowledge();
    if (seq !== null) this.#sendOnce('session.ack', { seq }).catch(() => undefined);
  }
}

/**
 * A draining gateway may say when to come back, as JSON in the close reason.
 *
 * @param {string} reason
 */
function drainDelayMs(reason) {
  try {
    const seconds = Number(JSON.parse(reason).retry_after);
    return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), DRAIN_RETRY_CAP_S) * 1000 : 0;
  } catch {
    return 0;
  }
}
