/**
 * "Sign in with Salesforce": the window that goes there and comes back.
 *
 * The page makes a secret and opens the window with its hash alone. What the window
 * comes back with is a code that is worth nothing without the secret. No cookie and no
 * storage is shared between the two: this page may be a third party's frame.
 */
import { SignInError } from './errors.js';

/** @import {SignInFailure} from './errors.js' */

export const MESSAGE = 'ringbridge.sign-in';
const NAME = 'ringbridge-sign-in';
const SIZE = 'popup,width=540,height=700';
const LOOK_EVERY_MS = 250;
/** A window that has sent its word may be gone before the word is heard. */
const LAST_WORD_MS = 500;

/** How the gateway names why nobody is signed in, and how this client does. */
const PROBLEMS = /** @type {Record<string, SignInFailure>} */ ({
  declined: 'declined',
  not_approved: 'not_approved',
  wrong_org: 'wrong_org',
  unknown_user: 'unknown_user',
  expired: 'window_expired',
  off: 'off',
  unreachable: 'crm_unreachable',
});

/** @param {string} problem @returns {SignInFailure} */
export function failureOf(problem) {
  return PROBLEMS[problem] ?? 'failed';
}

export class SignInWindow {
  #base;
  /** @type {Window|null} */
  #window = null;
  /** @type {AbortController|null} */
  #waiting = null;

  /** @param {URL} base the gateway's root; it must be this page's own origin */
  constructor(base) {
    this.#base = base;
  }

  /**
   * Call it from a click: else browsers hold the window back.
   *
   * @param {string} tenant
   * @returns {Promise<{code: string, secret: string}>} credentials
   * @throws {SignInError}
   */
  async signIn(tenant) {
    this.cancel();
    // Opened before anything is awaited; the name finds the window of a click before.
    const opened = window.open('about:blank', NAME, SIZE);
    if (!opened) throw new SignInError('popup_blocked');
    this.#window = opened;
    const waiting = (this.#waiting = new AbortController());
    try {
      const secret = base64url(crypto.getRandomValues(new Uint8Array(32)));
      const url = new URL('v1/oauth/salesforce/start', this.#base);
      url.searchParams.set('tenant', tenant);
      url.searchParams.set('page', await hash(secret));
      const answer = this.#answer(opened, waiting.signal);
      opened.location.replace(url.href);
      opened.focus();
      return { code: await answer, secret };
    } finally {
      opened.close();
      if (this.#waiting === waiting) this.#waiting = this.#window = null;
    }
  }

  /** The user wants another way. */
  cancel() {
    this.#waiting?.abort();
    this.#window?.close();
    this.#waiting = this.#window = null;
  }

  /** To the front, if it is open. */
  show() {
    this.#window?.focus();
  }

  /**
   * @param {Window} opened
   * @param {AbortSignal} signal
   * @returns {Promise<string>} the one-use code
   */
  async #answer(opened, signal) {
    const done = new AbortController();
    try {
      return await new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(new SignInError('popup_closed')), { signal: done.signal });
        addEventListener(
          'message',
          (event) => {
            if (event.source !== opened || event.origin !== this.#base.origin) return;
            const { type, code, problem } = event.data ?? {};
            if (type !== MESSAGE) return;
            if (typeof code === 'string' && code !== '') resolve(code);
            else reject(new SignInError(failureOf(String(problem))));
          },
          { signal: done.signal },
        );
        const look = setInterval(() => {
          if (!opened.closed) return;
          clearInterval(look);
          setTimeout(() => reject(new SignInError('popup_closed')), LAST_WORD_MS);
        }, LOOK_EVERY_MS);
        done.signal.addEventListener('abort', () => clearInterval(look));
      });
    } finally {
      done.abort();
    }
  }
}

/** @param {string} secret SHA-256 of it in base64url, as the gateway compares it */
async function hash(secret) {
  return base64url(new Uint8Array(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(secret))));
}

/** @param {Uint8Array} bytes */
function base64url(bytes) {
  return btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}
