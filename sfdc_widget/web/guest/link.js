/** @import {JoinView} from '../client/wire.d.ts' */

/**
 * Why a link could not be asked about.
 *
 * - `offline`: this device has no network
 * - `unreachable`: no answer, or none that makes sense
 * - `too_many`: asked too often from this network
 * - `refused`: the gateway said no; look at the link again
 *
 * @typedef {'offline'|'unreachable'|'too_many'|'refused'} LinkFailure
 */
export class LinkError extends Error {
  /** @param {LinkFailure} kind @param {string} [message] */
  constructor(kind, message = kind) {
    super(message);
    this.name = 'LinkError';
    this.kind = kind;
  }
}

const TIMEOUT_MS = 10_000;

/**
 * The token in `/join/TOKEN`, without what mail programs and people add to links;
 * '' when there is none.
 *
 * @param {string} path
 */
export function tokenOf(path) {
  return /\/join\/([\w-]*)/u.exec(path)?.[1] ?? '';
}

/**
 * This browser's own secret: a link is not for two at once. Where nothing can be
 * kept, it lasts as long as the page.
 */
export function browserSecret() {
  const name = 'ringbridge.browser';
  try {
    const kept = localStorage.getItem(name);
    if (kept) return kept;
    const made = randomSecret();
    localStorage.setItem(name, made);
    return made;
  } catch {
    return randomSecret();
  }
}

function randomSecret() {
  const bytes = crypto.getRandomValues(new Uint8Array(24));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** An invite's link and what the gateway says of it. Never sends cookies. */
export class InviteLink {
  #base;
  #identity;
  #fetch;

  /**
   * @param {object} options
   * @param {URL} options.base the gateway's root
   * @param {string} options.token
   * @param {string} options.browser
   * @param {typeof fetch} [options.fetcher]
   */
  constructor({ base, token, browser, fetcher = (...args) => globalThis.fetch(...args) }) {
    this.#base = base;
    this.#identity = { token, browser };
    this.#fetch = fetcher;
  }

  /**
   * What it leads to, and the server's clock minus this device's, in ms.
   *
   * @returns {Promise<{view: JoinView, clockOffsetMs: number}>}
   * @throws {LinkError}
   */
  async look() {
    const asked = Date.now();
    const view = /** @type {JoinView} */ (await this.#post('v1/join', {}));
    const answered = Date.now();
    return { view, clockOffsetMs: view.server_time - (asked + answered) / 2 };
  }

  /**
   * @param {string} name to come in by
   * @returns {Promise<string>} an access token
   * @throws {LinkError}
   */
  async enter(name) {
    const { access_token } = await this.#post('v1/join/session', { name });
    return String(access_token);
  }

  /** @returns {Promise<string>} an iCalendar file @throws {LinkError} */
  async calendar() {
    return String((await this.#post('v1/join/calendar', {})).text);
  }

  /**
   * @param {string} path
   * @param {object} more
   * @returns {Promise<any>}
   */
  async #post(path, more) {
    let response;
    try {
      response = await this.#fetch(new URL(path, this.#base), {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ ...this.#identity, ...more }),
        credentials: 'omit',
        cache: 'no-store',
        referrerPolicy: 'no-referrer',
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (response.ok) return await response.json();
    } catch (error) {
      throw new LinkError(navigator.onLine === false ? 'offline' : 'unreachable', String(error));
    }
    if (response.status === 429) throw new LinkError('too_many');
    if (response.status >= 500) throw new LinkError('unreachable', `HTTP ${response.status}`);
    throw new LinkError('refused', `HTTP ${response.status}`);
  }
}

/**
 * What is shown of a link that cannot even be asked about.
 *
 * @param {number} now
 * @returns {JoinView}
 */
export function unknownLink(now) {
  return {
    state: 'unknown',
    subject: '',
    host: '',
    company: '',
    contact: '',
    guest: '',
    language: '',
    time_zone: '',
    guest_time_zone: '',
    opens_at: 0,
    starts_at: 0,
    ends_at: 0,
    server_time: now,
  };
}
