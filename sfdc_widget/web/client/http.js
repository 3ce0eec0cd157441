import { SignInError } from './errors.js';

/**
 * @typedef {{assertion: string} | {code: string, secret: string} |
 *   {tenant: string, sip_username: string, sip_password: string} |
 *   {tenant: string, username: string, password: string}} Credentials
 *
 * @typedef {object} Tokens
 * @property {string} accessToken
 * @property {string|null} refreshToken null: this sign-in cannot be prolonged
 * @property {number} expiresIn seconds, of the access token
 */

/** The HTTP calls beside the WebSocket. Never sends cookies. */
export class GatewayHttp {
  #base;
  #fetch;

  /**
   * @param {URL} base the gateway's root
   * @param {typeof fetch} [fetcher]
   */
  constructor(base, fetcher = (...args) => globalThis.fetch(...args)) {
    this.#base = base;
    this.#fetch = fetcher;
  }

  /** @param {Credentials} credentials @returns {Promise<Tokens>} */
  async signIn(credentials) {
    return tokensOf(await this.#post('v1/sign-in', null, credentials));
  }

  /** @param {string} refreshToken good once @returns {Promise<Tokens>} */
  async refresh(refreshToken) {
    try {
      return tokensOf(await this.#post('v1/sign-in/refresh', null, { refresh_token: refreshToken }));
    } catch (error) {
      // There is nothing to be denied but what was good before.
      if (error instanceof SignInError && error.kind === 'denied') throw new SignInError('expired');
      throw error;
    }
  }

  /** @param {string} refreshToken of the sign-in that is to end */
  async signOut(refreshToken) {
    await this.#post('v1/sign-out', null, { refresh_token: refreshToken });
  }

  /** @param {string} token @returns {Promise<string>} a one-use ticket for the socket */
  async createTicket(token) {
    const body = await this.#post('v1/sessions', token, {});
    return String(body.ticket);
  }

  /**
   * ICE servers for this user; none is a normal answer.
   *
   * @param {string} token
   * @returns {Promise<RTCIceServer[]>}
   */
  async iceServers(token) {
    const body = await this.#post('v1/turn', token, {});
    const servers = body.ice_servers ?? body.iceServers ?? [];
    return Array.isArray(servers) ? servers : [];
  }

  /** The socket's address. */
  get socketUrl() {
    const url = new URL('v1/ws', this.#base);
    url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
    return url.href;
  }

  /**
   * @param {string} path
   * @param {string|null} token
   * @param {object} body
   * @returns {Promise<Record<string, unknown>>}
   */
  async #post(path, token, body) {
    /** @type {Record<string, string>} */
    const headers = { 'Content-Type': 'application/json' };
    if (token !== null) headers['Authorization'] = `Bearer ${token}`;
    let response;
    try {
      response = await this.#fetch(new URL(path, this.#base), {
        method: 'POST',
        headers,
        body: JSON.stringify(body),
        credentials: 'omit',
        cache: 'no-store',
        signal: AbortSignal.timeout(10_000),
      });
    } catch (error) {
      throw new SignInError('unreachable', String(error));
    }
    if (response.ok) {
      return /** @type {Promise<Record<string, unknown>>} */ (response.json());
    }
    if (response.status === 429) throw new SignInError('rate_limited');
    if (response.status === 401) throw new SignInError(token === null ? 'denied' : 'expired');
    if (response.status === 403) throw new SignInError('denied');
    if (response.status === 503 && (await kindOf(response)) === 'registrar.down') {
      throw new SignInError('phone_unreachable');
    }
    if (response.status >= 500) throw new SignInError('unreachable', `HTTP ${response.status}`);
    throw new SignInError('failed', `HTTP ${response.status}`);
  }
}

/** @param {Record<string, unknown>} body @returns {Tokens} */
function tokensOf({ access_token, refresh_token, expires_in }) {
  return {
    accessToken: String(access_token),
    refreshToken: typeof refresh_token === 'string' ? refresh_token : null,
    expiresIn: Number(expires_in) || 0,
  };
}

/** @param {Response} response @returns {Promise<string>} the stable name of its error */
async function kindOf(response) {
  try {
    return String((await response.json()).error.kind);
  } catch {
    return '';
  }
}
