import { SignInError } from './errors.js';

/**
 * @import {Credentials, GatewayHttp, Tokens} from './http.js'
 * @import {SignInFailure} from './errors.js'
 * @import {TabStorage} from './storage.js'
 *
 * @typedef {() => Promise<string|null>} Source from the page around us
 */

/** Prolonged after this share of an access token's life: a network may be away. */
const REFRESH_AT = 0.8;
const AGAIN_MS = 30_000;
/** Browsers' timers hold no more. */
const MAX_TIMER_MS = 2 ** 31 - 1;
const CHANNEL = 'ringbridge.sign-in';

/** The tokens of this tab, and what is had for them. */
export class Access {
  #http;
  #storage;
  #assertion;
  #accessToken;
  /** @type {string|null} */
  #token;
  /** @type {string|null} */
  #refreshToken;
  /** @type {Promise<void>|null} */
  #refreshing = null;
  /** @type {ReturnType<typeof setTimeout>|undefined} */
  #timer;
  /** @type {BroadcastChannel|null} */
  #channel = null;
  /** @type {Promise<RTCIceServer[]>} */
  #iceServers = Promise.resolve([]);

  /**
   * @param {GatewayHttp} http
   * @param {TabStorage} storage
   * @param {{assertion?: Source, accessToken?: Source}} sources
   */
  constructor(http, storage, { assertion, accessToken }) {
    this.#http = http;
    this.#storage = storage;
    this.#assertion = assertion ?? null;
    this.#accessToken = accessToken ?? null;
    this.#token = storage.get('access_token');
    this.#refreshToken = storage.get('refresh_token');
    this.#schedule(Number(storage.get('refresh_at')) - Date.now());
    this.#listen();
  }

  get token() {
    return this.#token;
  }

  /** Without a refresh token: it is somebody else's to prolong. */
  set token(token) {
    this.#keep(token === null ? null : { accessToken: token, refreshToken: null, expiresIn: 0 });
  }

  /** Somebody may have a token for us without asking the user. */
  get hasSource() {
    return (this.#assertion ?? this.#accessToken) !== null;
  }

  /** @param {Credentials} credentials @throws {SignInError} */
  async signIn(credentials) {
    this.#keep(await this.#http.signIn(credentials));
  }

  /** From the page around us; false: it has nothing. @throws {SignInError} */
  async fresh() {
    if (this.#accessToken) {
      const token = await this.#accessToken();
      if (token !== null) this.token = token;
      return token !== null;
    }
    const assertion = (await this.#assertion?.()) ?? null;
    if (assertion !== null) await this.signIn({ assertion });
    return assertion !== null;
  }

  /**
   * Forgets the tokens at once.
   *
   * @returns {() => Promise<void>} tells the gateway that the sign-in is over
   */
  forget() {
    const refreshToken = this.#refreshToken;
    this.#keep(null);
    return async () => {
      if (refreshToken !== null) await this.#http.signOut(refreshToken).catch(() => undefined);
    };
  }

  /** A ticket for the socket. @throws {SignInError} */
  async ticket() {
    const token = this.#token;
    if (token === null) throw new SignInError('expired');
    try {
      const ticket = await this.#http.createTicket(token);
      // Calls that the snapshot has are renewed at once, and through these.
      this.#refreshIceServers();
      return ticket;
    } catch (error) {
      if (!(error instanceof SignInError) || error.kind !== 'expired') throw error;
      if (!(await this.#renew())) throw error;
      this.#refreshIceServers();
      return this.#http.createTicket(/** @type {string} */ (this.#token));
    }
  }

  /** By the refresh token, else from the page around us. @returns {Promise<boolean>} */
  async #renew() {
    try {
      if (this.#refreshToken !== null) {
        await this.#refresh();
        return true;
      }
    } catch (error) {
      // Not the end of the sign-in: asked again with the next connection.
      if (error instanceof SignInError && error.kind !== 'expired') throw error;
    }
    return this.fresh().catch(() => false);
  }

  /** Of the newest ticket; none is a normal answer. */
  iceServers() {
    return this.#iceServers;
  }

  #refreshIceServers() {
    const token = this.#token;
    if (token !== null) this.#iceServers = this.#http.iceServers(token).catch(() => []);
  }

  // Prolonging

  /** Whoever asks while it is under way gets the same answer. @throws {SignInError} */
  #refresh() {
    this.#refreshing ??= alone(() => this.#refreshNow(this.#refreshToken)).finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /** @param {string|null} asked the token that it was asked for with */
  async #refreshNow(asked) {
    const refreshToken = this.#refreshToken;
    // Another tab of this sign-in was faster.
    if (refreshToken === null || refreshToken !== asked) return;
    try {
      const tokens = await this.#http.refresh(refreshToken);
      // Signed out meanwhile, or in as somebody else.
      if (this.#refreshToken !== refreshToken) return;
      this.#keep(tokens);
      this.#channel?.postMessage(tokens);
    } catch (error) {
      const isOver = error instanceof SignInError && error.kind === 'expired';
      if (isOver && this.#refreshToken === refreshToken) this.#keepRefreshToken(null, 0);
      throw error;
    }
  }

  /** @param {Tokens|null} tokens */
  #keep(tokens) {
    this.#token = tokens?.accessToken ?? null;
    this.#storage.set('access_token', this.#token);
    this.#keepRefreshToken(tokens?.refreshToken ?? null, tokens?.expiresIn ?? 0);
  }

  /** @param {string|null} refreshToken @param {number} expiresIn */
  #keepRefreshToken(refreshToken, expiresIn) {
    this.#refreshToken = refreshToken;
    this.#storage.set('refresh_token', refreshToken);
    const inMs = expiresIn * 1000 * REFRESH_AT;
    this.#storage.set('refresh_at', refreshToken === null ? null : String(Date.now() + inMs));
    this.#schedule(inMs);
  }

  /** @param {number} inMs */
  #schedule(inMs) {
    clearTimeout(this.#timer);
    if (this.#refreshToken === null) return;
    this.#timer = setTimeout(
      () => this.#refresh().catch(() => this.#schedule(AGAIN_MS)),
      Math.min(Math.max(0, inMs), MAX_TIMER_MS),
    );
  }

  /** A doubled tab has the same sign-in: what one of them prolongs, all have. */
  #listen() {
    if (!globalThis.document || !globalThis.BroadcastChannel) return;
    try {
      this.#channel = new BroadcastChannel(CHANNEL);
    } catch {
      return;
    }
    this.#channel.addEventListener('message', ({ data }) => {
      const [mine, generation] = (this.#refreshToken ?? '').split('.');
      const [theirs, newer] = String(data?.refreshToken).split('.');
      if (mine !== '' && mine === theirs && Number(newer) > Number(generation)) this.#keep(data);
    });
  }
}

/**
 * One tab of this site at a time, where the browser can tell.
 *
 * @param {() => Promise<void>} work
 * @returns {Promise<void>}
 */
async function alone(work) {
  const locks = globalThis.navigator?.locks;
  return locks ? locks.request(CHANNEL, work) : work();
}

/** @param {unknown} error @returns {SignInFailure} */
export function signInProblem(error) {
  return error instanceof SignInError ? error.kind : 'failed';
}
