/** What a rep has chosen on this machine; as long as the page lives where storage is off. */
export class Preferences {
  /** @type {Map<string, string>} */
  #memory = new Map();

  /** @param {string} name @returns {string} '' for none */
  get(name) {
    try {
      return this.#memory.get(name) ?? localStorage.getItem(`ringbridge.${name}`) ?? '';
    } catch {
      return '';
    }
  }

  /** @param {string} name @param {string} value */
  set(name, value) {
    this.#memory.set(name, value);
    try {
      localStorage.setItem(`ringbridge.${name}`, value);
    } catch {
      // Then it is forgotten with the page.
    }
  }
}
