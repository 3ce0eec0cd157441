/** The window's end of what it and the phone's page say to each other. */
import { plain, post, received, REMOTE } from './messages.js';

/**
 * @import {RingbridgeClient} from '../client/ringbridge-client.js'
 * @import {FromWindow, Order} from './messages.js'
 */

const TOKEN_TIMEOUT_MS = 5_000;
const TELL_EVERY_MS = 1_000;

export class Bridge {
  /** @type {Window|null} the phone's page, as far as it is still there */
  #page = /** @type {Window|null} */ (window.opener);
  /** @type {RingbridgeClient|null} */
  #client = null;
  #onTake;
  #isDue = false;
  /** @type {((token: string|null) => void)|null} */
  #tokenWanted = null;

  /** @param {(token: string, order: Order|null) => void} onTake */
  constructor(onTake) {
    this.#onTake = onTake;
    addEventListener('message', (event) => void this.#receive(event));
  }

  /** The page that opened this window is there. */
  get hasPage() {
    return this.#page !== null && !this.#page.closed;
  }

  /** @param {RingbridgeClient} client @param {boolean} isSignedIn */
  start(client, isSignedIn) {
    this.#client = client;
    client.on('change', () => this.#tellSoon());
    setInterval(() => this.#tell(), TELL_EVERY_MS);
    this.#post({ type: 'ready', isSignedIn });
  }

  /** The session is given up. */
  leave() {
    this.#post({ type: 'leave' });
    this.#client = null;
  }

  /** Another page has the session. */
  lost() {
    this.#post({ type: 'lost' });
  }

  /** A token that works, from the page. @returns {Promise<string|null>} */
  async freshToken() {
    if (!this.hasPage) return null;
    return new Promise((resolve) => {
      this.#tokenWanted = resolve;
      setTimeout(() => resolve(null), TOKEN_TIMEOUT_MS);
      this.#post({ type: 'want' });
    });
  }

  /** @param {FromWindow} message */
  #post(message) {
    if (this.#page && this.hasPage) post(this.#page, message);
  }

  #tellSoon() {
    if (this.#isDue) return;
    this.#isDue = true;
    queueMicrotask(() => this.#tell());
  }

  #tell() {
    this.#isDue = false;
    const client = this.#client;
    // Before and after it has the session its state says nothing.
    if (!client || !client.state.user || client.state.status === 'superseded') return;
    /** @type {Record<string, object>} */
    const local = {};
    for (const { call_id: callId } of client.state.calls) {
      // Pictures cannot be told.
      const { localVideo: _preview, remotes, ...rest } = client.localState(callId);
      local[callId] = { ...rest, remotes: remotes.map((each) => ({ ...each, video: null })) };
    }
    this.#post({ type: 'state', state: client.state, local });
  }

  /** @param {MessageEvent} event */
  async #receive(event) {
    const message = received(event);
    const source = /** @type {Window|null} */ (event.source);
    if (!message || !source || source === window) return;
    if (message.type === 'here') {
      // Loaded again: a page of this origin, or its message would not have come.
      this.#page = source;
      this.#tell();
      return;
    }
    if (source !== this.#page) return;
    if (message.type === 'take') this.#onTake(message.token, message.order);
    else if (message.type === 'token') this.#tokenWanted?.(message.token);
    else if (message.type === 'call') await this.#perform(message);
  }

  /** @param {{id: number, name: string, args: unknown[]}} call */
  async #perform({ id, name, args }) {
    const client = /** @type {any} */ (this.#client);
    try {
      if (!client || !REMOTE.includes(name)) throw new Error(`no such method: ${name}`);
      this.#post({ type: 'result', id, value: await client[name](...args) });
    } catch (error) {
      this.#post({ type: 'result', id, error: plain(error) });
    }
  }
}
