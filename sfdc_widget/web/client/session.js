import { signInProblem } from './access.js';
import { SessionConnection } from './connection.js';
import { ConnectionError } from './errors.js';
import { uuid7 } from './identifiers.js';

/**
 * @import {Access} from './access.js'
 * @import {ClientState} from './client-state.js'
 * @import {ConnectionState, StopReason} from './connection.js'
 * @import {Credentials} from './http.js'
 * @import {TabStorage} from './storage.js'
 * @import {AnyEvent, SessionOwner, Snapshot} from './wire.d.ts'
 *
 * @typedef {object} SessionOptions
 * @property {string} url of the socket
 * @property {Access} access
 * @property {string} name of the application
 * @property {readonly string[]} caps
 * @property {boolean} yields
 * @property {boolean} observes
 * @property {TabStorage} storage
 * @property {() => ClientState} state
 * @property {(changes: Partial<ClientState>) => void} update
 * @property {() => void} opening a session is asked for
 * @property {() => void} ready for the first time in a session
 * @property {(isNews: boolean) => void} role `isObserver` is another; not `isNews`: a
 *   snapshot follows
 * @property {(snapshot: Snapshot) => void} snapshot
 * @property {(event: AnyEvent) => void} event
 * @property {() => void} stopped it is over in this page
 */

const VERSION = '0.1.0';
/** Whether the window of a call still has the session is asked this often. */
const YIELD_AGAIN_MS = 3_000;

/** Signing in and out, and who has the session. */
export class PhoneSession {
  #instanceId = uuid7();
  #options;
  #access;
  /** @type {SessionConnection|null} */
  #connection = null;
  #isLoaded = false;
  /** @type {string|null} the load of this page that was here before */
  #follows = null;
  /** The newest sign-in; an older one that ends late changes nothing. */
  #attempt = Symbol();
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #yieldTimer;

  /** @param {SessionOptions} options */
  constructor(options) {
    this.#options = options;
    this.#access = options.access;
    const { observes, storage } = options;
    if (!observes) return;
    // Only what this load follows: a doubled tab has a copy of the storage, not of this.
    this.#follows = storage.get('left');
    storage.set('left', null);
    globalThis.addEventListener('pagehide', () => storage.set('left', this.#instanceId));
    globalThis.addEventListener('pageshow', () => storage.set('left', null));
  }

  /** @param {Partial<ClientState>} changes */
  #update(changes) {
    this.#options.update(changes);
  }

  /** @param {boolean} isInCall */
  setInCall(isInCall) {
    this.#connection?.setInCall(isInCall);
  }

  /**
   * @param {string} method
   * @param {object} params
   * @param {{timeoutMs?: number}} [options]
   * @returns {Promise<any>}
   */
  request(method, params, options) {
    if (!this.#connection) throw new ConnectionError('not signed in');
    return this.#connection.request(method, params, options);
  }

  /** See `RingbridgeClient.start`. */
  async start() {
    if (this.#access.token !== null) {
      this.#open();
      return;
    }
    await this.#signInByAssertion();
  }

  async #signInByAssertion() {
    this.#update({ status: 'signing_in', signInProblem: null });
    try {
      if (await this.#access.fresh()) this.#open();
      else this.#update({ status: 'signed_out' });
    } catch (error) {
      const problem = signInProblem(error);
      // Nobody has typed a password that could be wrong.
      this.#update({ status: 'signed_out', signInProblem: problem === 'denied' ? null : problem });
    }
  }

  /** @param {string} accessToken */
  useToken(accessToken) {
    this.#access.token = accessToken;
    this.#connection?.stop('closed');
    this.#open();
  }

  /**
   * @param {Credentials|Promise<Credentials>} credentials
   * @throws {SignInError}
   */
  async signIn(credentials) {
    const attempt = (this.#attempt = Symbol());
    this.#update({ status: 'signing_in', signInProblem: null });
    try {
      const given = await credentials;
      if (attempt === this.#attempt) await this.#access.signIn(given);
    } catch (error) {
      if (attempt === this.#attempt) {
        this.#update({ status: 'signed_out', signInProblem: signInProblem(error) });
      }
      throw error;
    }
    if (attempt === this.#attempt) this.#open();
  }

  /** The user wants another way than the one under way. */
  cancelSignIn() {
    if (this.#options.state().status !== 'signing_in') return;
    this.#attempt = Symbol();
    this.#update({ status: 'signed_out', signInProblem: null });
  }

  /** Ends calls, unregisters the phone, ends the sign-in. */
  async signOut() {
    const connection = this.#connection;
    clearTimeout(this.#yieldTimer);
    this.#attempt = Symbol();
    const tellGateway = this.#access.forget();
    try {
      await connection?.request('session.close', { op_id: uuid7() }, { timeoutMs: 3_000 });
    } catch {
      // With the sign-in the gateway ends the session, too.
    }
    connection?.stop('closed');
    await tellGateway();
    this.#update({ status: 'signed_out', signInProblem: null, user: null, recent: null });
  }

  /** See `RingbridgeClient.takeOver`. */
  async takeOver() {
    const { status, isObserver } = this.#options.state();
    if (isObserver) await this.request('session.take', {});
    if (status !== 'superseded') return;
    this.#update({ isInWindow: false });
    this.#open({ isWish: true });
  }

  /** Lets go of the session, and of its calls' media; another page may have them. */
  release() {
    this.#connection?.stop('superseded');
  }

  #open({ isWish = false } = {}) {
    clearTimeout(this.#yieldTimer);
    // While a window has the session, each look whether it still does changes nothing.
    if (!this.#options.state().isInWindow) this.#update({ status: 'connecting', signInProblem: null });
    this.#isLoaded = false;
    const { url, name, caps, yields, observes, snapshot, event } = this.#options;
    const connection = new SessionConnection({
      url,
      hello: {
        client: { name, version: VERSION, instance_id: this.#instanceId },
        caps: yields && !isWish ? [...caps, 'yields'] : caps,
        ...(observes ? { role: isWish ? 'owner' : 'observer' } : {}),
        ...(this.#follows ? { instead_of: this.#follows } : {}),
      },
      getTicket: () => this.#access.ticket(),
      listener: {
        state: (state) => this.#connectionChanged(state),
        owner: (owner, isNews) => this.#setRole(owner, isNews),
        offline: (isOffline) => this.#update({ isOffline }),
        snapshot,
        event,
        stopped: (reason) => {
          if (connection === this.#connection) this.#stopped(reason);
        },
      },
    });
    this.#connection = connection;
    connection.start();
    this.#options.opening();
  }

  /** @param {SessionOwner|undefined} owner @param {boolean} isNews */
  #setRole(owner, isNews) {
    const { observes, storage, state, role } = this.#options;
    if (!observes || !owner) return;
    const isObserver = owner.instance_id !== this.#instanceId;
    const isNewRole = isObserver !== state().isObserver;
    // The page that has the phone knows best; the one that gets it goes on with the same.
    if (isObserver || isNewRole) storage.set('muted', owner.muted.join(' ') || null);
    this.#update({ isObserver });
    if (isNewRole) role(isNews);
  }

  /** @param {ConnectionState} state */
  #connectionChanged(state) {
    if (state === 'open') {
      this.#update({ status: 'ready', isInWindow: false });
      if (!this.#isLoaded) {
        this.#isLoaded = true;
        this.#options.ready();
      }
    } else if ((state === 'connecting' || state === 'waiting') && !this.#options.state().isInWindow) {
      this.#update({ status: this.#options.state().user ? 'reconnecting' : 'connecting' });
    }
  }

  /** @param {StopReason} reason */
  #stopped(reason) {
    this.#connection = null;
    this.#options.stopped();
    if (reason === 'signed_out') this.#access.token = null;
    if (reason === 'left') void this.#access.forget();
    if (reason === 'yielded') this.#yieldTimer = setTimeout(() => this.#open(), YIELD_AGAIN_MS);
    this.#update({
      status: reason === 'superseded' || reason === 'yielded' ? 'superseded' : 'signed_out',
      isInWindow: reason === 'yielded',
      signInProblem: reason === 'signed_out' ? 'expired' : null,
      isObserver: false,
      isOffline: false,
      calls: [],
      ...(reason === 'left' ? { user: null, recent: null } : {}),
    });
    if (reason === 'signed_out' && this.#access.hasSource) void this.#signInByAssertion();
  }
}
