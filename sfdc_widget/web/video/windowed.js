/**
 * A client whose calls may be in a window of their own: see docs/design/008, 5.
 *
 * The window is a page like any other and takes the session over. While it has it,
 * this client shows the window's state, and what is pressed here is done there; when
 * the window is gone the session comes back. What does that (`CallWindow`) is loaded
 * after the first picture; until then there is no window.
 */

/**
 * @import {RingbridgeClient} from '../client/ringbridge-client.js'
 * @import {CallWindow} from './call-window.js'
 *
 * @typedef {Pick<CallWindow, 'mirror'|'isSilent'|'open'|'show'|'bringBack'|'call'>} WindowOfCall
 * @typedef {RingbridgeClient & {callWindow: WindowOfCall}} WindowedClient
 */

const LOAD_AGAIN_MS = 5_000;

/** @type {WindowOfCall} */
const none = {
  mirror: null,
  isSilent: false,
  open: () => false,
  show: () => false,
  bringBack: () => undefined,
  call: () => Promise.reject(new Error('there is no window')),
};

/** @param {RingbridgeClient} client @returns {WindowedClient} */
export function windowed(client) {
  /** @type {CallWindow|null} */
  let made = null;
  const load = async () => {
    try {
      const { CallWindow: Made } = await import('./call-window.js');
      made = new Made(client);
    } catch {
      setTimeout(load, LOAD_AGAIN_MS);
    }
  };
  void load();
  return /** @type {any} */ (
    new Proxy(client, {
      get(target, name) {
        if (name === 'callWindow') return made ?? none;
        const value = made?.instead(String(name)) ?? Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    })
  );
}
