import { SignInError } from './errors.js';

/**
 * @import {Credentials, GatewayHttp} from './http.js'
 * @import {SignInFailure} from './errors.js'
 * @import {TabStorage} from './storage.js'
 *
 * @typedef {() => Promise<string|null>} Source from the page around us
 */

/** The access token of this tab, and what is had for it. */
export class Access {
  #http;
  #storage;
  #assertion;
  #accessToken;
  /** @type {string|null} */
  #token;
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
  }

  get token() {
    return this.#token;
  }

  set token(token) {
    this.#token = token;
    this.#storage.set('access_token', token);
  }

  /** Somebody may have a token for us without asking the user. */
  get hasSource() {
    return (this.#assertion ?? this.#accessToken) !== null;
  }

  /** @param {Credentials} credentials @throws {SignInError} */
  async signIn(credentials) {
    this.token = await this.#http.signIn(credentials);
  }

  /** From the page around us, or null. @throws {SignInError} */
  async fresh() {
    if (this.#accessToken) return this.#accessToken();
    const assertion = (await this.#assertion?.()) ?? null;
    return assertion === null ? null : this.#http.signIn({ assertion });
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
      const fresh = await this.fresh().catch(() => null);
      if (fresh === null) throw error;
      this.token = fresh;
      this.#refreshIceServers();
      return this.#http.createTicket(fresh);
    }
  }

  /** Of the newest ticket; none is a normal answer. */
  iceServers() {
    return this.#iceServers;
  }

  #refreshIceServers() {
    const token = this.#token;
    if (token !== null) this.#iceServers = this.#http.iceServers(token).catch(() => []);
  }
}

/** @param {unknown} error @returns {SignInFailure} */
export function signInProblem(error) {
  return error instanceof SignInError ? error.kind : 'failed';
}
