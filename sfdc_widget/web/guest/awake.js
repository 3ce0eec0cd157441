/** Keeps a phone's screen from going dark, which would end the picture. */
export class Awake {
  /** @type {Promise<{release: () => Promise<void>}|null>|null} */
  #lock = null;

  /** The browser itself lets go of it when the page is hidden. @param {boolean} isWanted */
  keep(isWanted) {
    if (isWanted && !this.#lock) {
      this.#lock = navigator.wakeLock?.request('screen').catch(() => null) ?? Promise.resolve(null);
    } else if (!isWanted && this.#lock) {
      const given = this.#lock;
      this.#lock = null;
      void given.then((lock) => lock?.release()).catch(() => undefined);
    }
  }
}
