import { h, setText, show } from '../softphone/dom.js';
import { icon } from './icons.js';

/**
 * @import {Words, Advice} from './strings/en.js'
 * @import {IconName} from './icons.js'
 *
 * @typedef {object} NoticeModel
 * @property {string} kind
 * @property {Advice} advice
 * @property {string} company
 * @property {string} host
 * @property {string} contact how to reach the host otherwise, '' when not known
 * @property {{label: string, act: () => void, isBusy?: boolean}|null} main the obvious next act
 * @property {boolean} canCopy the link, for another browser
 * @property {string} note what the page does by itself
 * @property {string} problem why the last act failed
 */

/** @type {Record<string, IconName>} */
const ICONS = {
  offline: 'wifi-off',
  unreachable: 'wifi-off',
  too_many: 'clock',
  full: 'users',
  over: 'clock',
  time_over: 'clock',
  cancelled: 'calendar-x',
  revoked: 'link-off',
  unknown: 'link-off',
  used_up: 'link-off',
  left: 'log-out',
  finished: 'check',
  elsewhere: 'monitor-smartphone',
};

/** What has happened, what it means, and the way on. */
export class NoticeView {
  #words;
  #kind = '';
  #company = h('p', { class: 'g-company' });
  #icon = h('div', { class: 'g-sign' });
  #title = h('h1', { tabindex: '-1' });
  #text = h('p');
  #note = h('p', { class: 'g-soft' });
  #problem = h('p', { class: 'g-error', role: 'alert' });
  #main = h('button', { type: 'button', class: 'g-button g-brand' });
  #copy;
  #copied = h('p', { class: 'g-soft', role: 'status' });
  #reach = h('p', { class: 'g-soft' });
  #contact = h('p', { class: 'g-contact' });
  /** @type {() => void} */
  #act = () => undefined;

  /** @param {Words} words */
  constructor(words) {
    this.#words = words;
    this.#main.addEventListener('click', () => this.#act());
    this.#copy = h(
      'button',
      { type: 'button', class: 'g-button g-neutral', on: { click: () => void this.#copyLink() } },
      icon('copy'),
      words.notice.copyLink,
    );
    this.element = h(
      'div',
      { class: 'g-column g-notice' },
      this.#company,
      this.#icon,
      this.#title,
      this.#text,
      this.#note,
      this.#problem,
      h('div', { class: 'g-acts' }, this.#main, this.#copy),
      this.#copied,
      h('div', { class: 'g-reach' }, this.#reach, this.#contact),
    );
  }

  get heading() {
    return this.#title;
  }

  async #copyLink() {
    try {
      await navigator.clipboard.writeText(location.href);
      setText(this.#copied, this.#words.notice.copied);
    } catch {
      // Then it is copied from where it stands.
      setText(this.#copied, location.href);
    }
  }

  /** @param {NoticeModel} model */
  update(model) {
    if (model.kind !== this.#kind) {
      this.#kind = model.kind;
      this.#icon.replaceChildren(icon(ICONS[model.kind] ?? 'triangle-alert'));
      setText(this.#copied, '');
    }
    setText(this.#company, model.company);
    show(this.#company, model.company !== '');
    setText(this.#title, model.advice.title);
    setText(this.#text, model.advice.text);
    setText(this.#note, model.note);
    show(this.#note, model.note !== '');
    setText(this.#problem, model.problem);
    show(this.#problem, model.problem !== '');
    show(this.#main, model.main !== null);
    if (model.main) {
      setText(this.#main, model.main.label);
      this.#main.disabled = model.main.isBusy ?? false;
      this.#act = model.main.act;
    }
    show(this.#copy, model.canCopy);
    show(this.#reach, model.contact !== '');
    show(this.#contact, model.contact !== '');
    if (model.contact !== '' && this.#contact.textContent !== model.contact) {
      setText(this.#reach, this.#words.invite.reach(model.host));
      this.#contact.replaceChildren(contactLink(model.contact));
    }
  }
}

/** An address or a number to press on; anything else is only read. @param {string} contact */
function contactLink(contact) {
  if (/^[^\s@:/?]+@[^\s@:/?]+\.[^\s@:/?]+$/u.test(contact)) {
    return h('a', { href: `mailto:${encodeURIComponent(contact).replace('%40', '@')}` }, h('bdi', {}, contact));
  }
  if (/^\+?[\d\s().\/-]{3,}$/u.test(contact)) {
    return h('a', { href: `tel:${contact.replace(/[^\d+]/gu, '')}` }, h('bdi', { dir: 'ltr' }, contact));
  }
  return h('bdi', {}, contact);
}
