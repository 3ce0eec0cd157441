/**
 * The window of a call, as the phone's page has it: opened, watched over, mirrored. See
 * `windowed`.
 */
import { isWritten } from '../client/call-facts.js';
import { Invites } from '../client/invites.js';
import { post, received, REMOTE, WINDOW_NAME } from './messages.js';

/**
 * @import {ClientState, RingbridgeClient} from '../client/ringbridge-client.js'
 * @import {FromPage, Order} from './messages.js'
 */

const LOOK_EVERY_MS = 300;
const ANSWER_TIMEOUT_MS = 20_000;
/** The window tells its state at least every second; browsers slow hidden pages. */
const SILENT_AFTER_MS = 8_000;
const SIZE = 'popup,width=960,height=640';

export class CallWindow {
  #client;
  /** @type {Window|null} */
  #window = null;
  /** @type {Order|null} */
  #order = null;
  /** @type {{state: ClientState, local: Record<string, object>}|null} */
  #mirror = null;
  #heardAt = 0;
  #wasSilent = false;
  /** @type {Map<number, {resolve: (value: any) => void, reject: (error: Error) => void, timer: ReturnType<typeof setTimeout>}>} */
  #asked = new Map();
  #nextId = 1;
  #remote = new Set(REMOTE);
  #invites = new Invites({
    ask: (method, params) => this.call('request', [method, params]),
    loaded: () => undefined,
  });
  /** @type {ReturnType<typeof setInterval>|undefined} */
  #watch;

  /** @param {RingbridgeClient} client */
  constructor(client) {
    this.#client = client;
    addEventListener('message', (event) => this.#receive(event));
    // The window tells this page what there is to show.
    client.on('role', ({ isObserver }) => isObserver && this.#mirror && client.release());
  }

  /** What the window shows, null while this page has the session. */
  get mirror() {
    return this.#mirror;
  }

  /**
   * What stands for a member of the client while the window has the session.
   *
   * @param {string} name
   * @returns {unknown} undefined: the client's own
   */
  instead(name) {
    const mirror = this.#mirror;
    if (!mirror) return undefined;
    if (name === 'state') return mirror.state;
    if (name === 'invites') return this.#invites;
    if (name === 'localState') {
      return (/** @type {string} */ callId) => ({ ...this.#client.localState(''), ...mirror.local[callId] });
    }
    return this.#remote.has(name) ? (/** @type {unknown[]} */ ...args) => this.call(name, args) : undefined;
  }

  /** The window has not been heard of for long; perhaps it hangs. */
  get isSilent() {
    return this.#mirror !== null && performance.now() - this.#heardAt > SILENT_AFTER_MS;
  }

  /**
   * Opens it; call it from a click, before anything else.
   *
   * @param {Order} order
   * @returns {boolean} false: the browser would not
   */
  open(order) {
    this.#order = order;
    const opened = window.open(new URL('../call.html', import.meta.url), WINDOW_NAME, SIZE);
    if (!opened) return false;
    this.#watchOver(opened);
    return true;
  }

  /**
   * Brings it to the front, also one that an earlier load of this page opened; call it
   * from a click.
   *
   * @returns {boolean} false: there is none
   */
  show() {
    if (this.#window && !this.#window.closed) {
      this.#window.focus();
      return true;
    }
    const found = window.open('', WINDOW_NAME);
    if (!found) return false;
    if (isBlank(found)) {
      found.close();
      return false;
    }
    this.#watchOver(found);
    post(found, { type: 'here' });
    found.focus();
    return true;
  }

  /** Takes the session back, whatever the window does. */
  bringBack() {
    this.#forget();
    this.#takeOver();
  }

  #takeOver() {
    this.#client.takeOver().catch(() => undefined);
  }

  /** @param {string} name @param {unknown[]} args @returns {Promise<any>} */
  call(name, args) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.#settle(id, { error: { kind: 'connection' } }), ANSWER_TIMEOUT_MS);
      this.#asked.set(id, { resolve, reject, timer });
      this.#send({ type: 'call', id, name, args });
    });
  }

  /** @param {FromPage} message */
  #send(message) {
    if (this.#window) post(this.#window, message);
  }

  /** @param {Window} opened */
  #watchOver(opened) {
    this.#window = opened;
    clearInterval(this.#watch);
    this.#watch = setInterval(() => {
      if (opened.closed) this.#gone();
      else if (this.isSilent !== this.#wasSilent) {
        this.#wasSilent = this.isSilent;
        this.#changed();
      }
    }, LOOK_EVERY_MS);
  }

  /** Closed, or done: the session is free. */
  #gone() {
    const hadSession = this.#mirror !== null;
    this.#forget();
    if (hadSession) this.#takeOver();
  }

  #forget() {
    clearInterval(this.#watch);
    this.#window = this.#order = this.#mirror = null;
    for (const id of [...this.#asked.keys()]) this.#settle(id, { error: { kind: 'connection' } });
    this.#changed();
  }

  #changed() {
    const { state } = this.#mirror ?? this.#client;
    this.#client.dispatchEvent(new CustomEvent('change', { detail: state }));
  }

  /** @param {MessageEvent} event */
  #receive(event) {
    const message = received(event);
    if (!message || event.source !== this.#window) return;
    this.#heardAt = performance.now();
    switch (message.type) {
      case 'ready':
        this.#hand(message.isSignedIn);
        break;
      case 'state':
        this.#show(message.state, message.local);
        break;
      case 'result':
        this.#settle(message.id, message);
        break;
      case 'want':
        this.#send({ type: 'token', token: this.#client.accessToken });
        break;
      case 'leave':
        this.#gone();
        break;
      case 'lost':
        this.#forget();
        // Another page has it.
        void this.#client.start();
        break;
      default:
    }
  }

  /** @param {boolean} isSignedIn the window was only loaded again */
  #hand(isSignedIn) {
    const { accessToken: token, state } = this.#client;
    const order = this.#order;
    this.#order = null;
    if (token === null || (isSignedIn && order === null)) return;
    // From here on the window has the session; what is known stays on show meanwhile.
    this.#mirror ??= { state, local: {} };
    const isMuted = order?.callId ? this.#client.localState(order.callId).isMuted : false;
    this.#send({ type: 'take', token, order: order && { ...order, isMuted } });
  }

  /** @param {ClientState} state @param {Record<string, object>} local */
  #show(state, local) {
    const former = this.#mirror?.state ?? null;
    this.#mirror = { state, local };
    this.#changed();
    if (!former) return;
    const tell = (/** @type {string} */ type, /** @type {object} */ detail) =>
      this.#client.dispatchEvent(new CustomEvent(type, { detail }));
    for (const call of state.calls) {
      const isNew = !former.calls.some(({ call_id }) => call_id === call.call_id);
      if (isNew && call.state === 'ringing') tell('incoming', call);
    }
    for (const call of former.calls) {
      if (state.calls.some(({ call_id }) => call_id === call.call_id)) continue;
      const ended = state.recent?.find(({ call_id }) => call_id === call.call_id);
      if (ended) tell('ended', ended);
    }
    for (const call of state.recent ?? []) {
      const known = former.recent?.find(({ call_id }) => call_id === call.call_id);
      if (isWritten(call.activity) && !isWritten(known?.activity)) tell('logged', call);
    }
  }

  /** @param {number} id @param {{value?: any, error?: Record<string, unknown>}} result */
  #settle(id, { value, error }) {
    const asked = this.#asked.get(id);
    if (!asked) return;
    this.#asked.delete(id);
    clearTimeout(asked.timer);
    if (error) asked.reject(Object.assign(new Error(String(error['message'] ?? '')), error));
    else asked.resolve(value);
  }
}

/** A window that was only opened by looking for it. @param {Window} found */
function isBlank(found) {
  try {
    return found.location.href === 'about:blank';
  } catch {
    return false;
  }
}
