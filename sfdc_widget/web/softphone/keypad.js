import { h } from './dom.js';

const KEYS = /** @type {const} */ ([
  ['1', ''], ['2', 'ABC'], ['3', 'DEF'],
  ['4', 'GHI'], ['5', 'JKL'], ['6', 'MNO'],
  ['7', 'PQRS'], ['8', 'TUV'], ['9', 'WXYZ'],
  ['*', ''], ['0', '+'], ['#', ''],
]);

/** Twelve keys; each press is a `key` event with the digit in `detail`. */
export class Keypad extends HTMLElement {
  connectedCallback() {
    if (this.firstChild) return;
    this.setAttribute('role', 'group');
    this.setAttribute('dir', 'ltr');
    this.classList.add('rb-keypad');
    for (const [digit, letters] of KEYS) {
      this.append(
        h(
          'button',
          {
            type: 'button',
            class: 'rb-key',
            on: { click: () => this.dispatchEvent(new CustomEvent('key', { detail: digit })) },
          },
          h('span', { class: 'rb-key-digit' }, digit),
          h('span', { class: 'rb-key-letters', 'aria-hidden': 'true' }, letters),
        ),
      );
    }
  }
}
customElements.define('ringbridge-keypad', Keypad);
