/**
 * Session storage that works where storage is blocked (a third-party frame with
 * site data off): values then live as long as the page.
 */
export class TabStorage {
  #memory = new Map();
  /** @type {Storage|null} */
  #store = null;
  #prefix;

  /** @param {string} [prefix] */
  constructor(prefix = 'ringbridge.') {
    this.#prefix = prefix;
    try {
      this.#store = globalThis.sessionStorage;
    } catch {
      this.#store = null;
    }
  }

  /** @param {string} name @returns {string|null} */
  get(name) {
    if (this.#memory.has(name)) return this.#memory.get(name);
    try {
      return this.#store?.getItem(this.#prefix + name) ?? null;
    } catch {
      return null;
    }
  }

  /** @param {string} name @param {string|null} value null removes it */
  set(name, value) {
    this.#memory.set(name, value);
    try {
      if (value === null) this.#store?.removeItem(this.#prefix + name);
      else this.#store?.setItem(this.#prefix + name, value);
    } catch {
      this.#store = null;
    }
  }
}

/**
 * What of a call's video a reload of this page is to bring back.
 *
 * @param {TabStorage} storage
 * @param {string} callId
 * @returns {string} 'camera', 'black', '' for no video
 */
export function keptVideo(storage, callId) {
  const [id, kept] = (storage.get('video') ?? '').split(' ');
  return id === callId ? kept ?? '' : '';
}

/** The calls that are muted in this tab, also after a reload. @param {TabStorage} storage */
export function mutedCalls(storage) {
  return (storage.get('muted') ?? '').split(' ').filter(Boolean);
}
