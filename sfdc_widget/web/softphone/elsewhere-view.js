import { h, setText, show } from './dom.js';
import { icon } from './icons.js';
import { words } from './strings.js';

/** @import {WindowedClient} from '../video/windowed.js' */

/** Another page has the phone, and nothing of it can be shown here. */
export class ElsewhereScreen extends HTMLElement {
  /** @type {WindowedClient|null} */
  #client = null;
  #title = h('h1', { class: 'rb-title', tabindex: '-1' });
  #text = h('p', {});
  #show = h(
    'button',
    { type: 'button', class: 'rb-button rb-neutral rb-big', on: { click: () => this.#findWindow() } },
    words.video.show,
  );
  #take = h('button', {
    type: 'button',
    class: 'rb-button rb-brand rb-big',
    on: { click: () => void this.#client?.takeOver() },
  });

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-view', 'rb-superseded');
    this.append(icon('monitor-smartphone'), this.#title, this.#text, this.#show, this.#take);
  }

  get primary() {
    return this.#take;
  }

  get heading() {
    return this.#title;
  }

  /** @param {WindowedClient} client @param {boolean} isInWindow */
  update(client, isInWindow) {
    const say = words.elsewhere;
    this.#client = client;
    setText(this.#title, isInWindow ? say.windowTitle : say.title);
    setText(this.#text, isInWindow ? say.windowText : say.text);
    setText(this.#take, isInWindow ? words.video.back : say.takeOver);
    show(this.#show, isInWindow);
  }

  #findWindow() {
    if (!this.#client?.callWindow.show()) setText(this.#text, words.elsewhere.windowGone);
  }
}
customElements.define('ringbridge-elsewhere', ElsewhereScreen);
