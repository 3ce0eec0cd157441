import { background, isHere } from '../../client/focus.js';
import { h, setText, show } from '../dom.js';
import { isWithheld, person, peerNumber, who } from '../format.js';
import { icon } from '../icons.js';
import { entryOf } from '../presses.js';
import { words } from '../strings.js';
import { controlIcon } from './icons-control.js';
import { isFavourite } from './favourites.js';

/**
 * @import {CallView} from '../../client/wire.d.ts'
 * @import {ClientState} from '../../client/ringbridge-client.js'
 * @import {Presses} from '../presses.js'
 *
 * @typedef {object} MoreOptions
 * @property {Presses} presses
 * @property {() => void} invite
 * @property {() => boolean} canInvite
 * @property {(text: string) => void} announce
 * @property {() => ClientState} state
 * @property {() => void} done close it
 */

/** What is wanted now and then in a call. */
export class MorePanel extends HTMLElement {
  #options;
  /** @type {CallView|null} */
  #call = null;
  /** @type {CallView|null} */
  #other = null;
  #merge = this.#item(controlIcon('merge'), () => this.#call && this.#other && this.#options.presses.merge([this.#call, this.#other]));
  #invite = this.#item(icon('calendar-clock'), () => this.#options.invite());
  #star = this.#item(icon('star'), () => this.#toggleStar());
  #copy = this.#item(controlIcon('copy'), () => this.#copyNumber());

  /** @param {MoreOptions} options */
  constructor(options) {
    super();
    this.#options = options;
  }

  connectedCallback() {
    if (this.firstChild) return;
    this.hidden = true;
    this.classList.add('rb-panel', 'rb-more');
    this.append(this.#merge, this.#invite, this.#star, this.#copy);
  }

  opened() {
    /** @type {HTMLElement|null} */ (this.querySelector('button:not([hidden])'))?.focus({ preventScroll: true });
  }

  closed() {}

  /** @param {CallView} call */
  update(call) {
    this.#call = call;
    const state = this.#options.state();
    this.#other = background(state).find((each) => isHere(each) && each.state === 'active') ?? null;
    show(this.#merge, this.#other !== null && call.state === 'active');
    if (this.#other) setText(label(this.#merge), words.control.mergeWith(who(this.#other)));
    show(this.#invite, this.#options.canInvite() && person(call) !== '' && !call.invite);
    setText(label(this.#invite), words.invite.make(person(call)));
    const hasNumber = !isWithheld(call.peer);
    show(this.#copy, hasNumber);
    setText(label(this.#copy), words.control.copyNumber);
    show(this.#star, hasNumber && state.favourites !== null);
    const isOn = isFavourite(state.favourites, call.peer);
    setText(label(this.#star), isOn ? words.people.unstar(who(call)) : words.people.star(who(call)));
  }

  async #toggleStar() {
    if (!this.#call) return;
    const isOn = isFavourite(this.#options.state().favourites, this.#call.peer);
    await this.#options.presses.favourite(entryOf(this.#call), !isOn);
  }

  async #copyNumber() {
    const number = this.#call?.peer.e164 || (this.#call ? peerNumber(this.#call.peer) : '');
    await navigator.clipboard.writeText(number).then(() => this.#options.announce(words.control.copied), () => undefined);
  }

  /** @param {SVGSVGElement} image @param {() => unknown} act */
  #item(image, act) {
    return h(
      'button',
      {
        type: 'button',
        class: 'rb-more-item',
        on: {
          click: () => {
            this.#options.done();
            void act();
          },
        },
      },
      image,
      h('span', { dir: 'auto' }),
    );
  }
}
customElements.define('ringbridge-more', MorePanel);

/** @param {HTMLElement} item */
function label(item) {
  return /** @type {Element} */ (item.lastElementChild);
}
