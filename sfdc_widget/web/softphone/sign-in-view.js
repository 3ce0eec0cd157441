import { SignInWindow } from '../client/sign-in-window.js';
import { h, setText, show } from './dom.js';
import { words } from './strings.js';

/**
 * @import {SignInFailure} from '../client/errors.js'
 *
 * @typedef {'salesforce'|'phone'|'password'} SignInWay
 */

/**
 * Sign-in where no host vouches for the user; loaded when it is needed. Its event
 * `sign-in` has credentials or a promise of them, `cancel` is for what is under way.
 */
export class SignInScreen extends HTMLElement {
  /** Known from the address; then it is not asked for. */
  #known = '';
  /** Those that the gateway offers here. @type {readonly SignInWay[]} */
  #ways = [];
  #tenantField = h('input', { name: 'tenant', autocomplete: 'organization', required: true, autocapitalize: 'none', spellcheck: 'false' });
  #tenantLabel = h('label', {}, words.signIn.tenant, this.#tenantField);
  #username = h('input', { name: 'username', autocomplete: 'username', required: true, autocapitalize: 'none', spellcheck: 'false' });
  #usernameWord = h('span', {}, words.signIn.username);
  #password = h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true });
  #passwordWord = h('span', {}, words.signIn.password);
  #submit = h('button', { type: 'submit', class: 'rb-button rb-brand rb-wide rb-big' }, words.signIn.submit);
  #account = h(
    'div',
    { class: 'rb-form', hidden: true },
    h('label', {}, this.#usernameWord, this.#username),
    h('label', {}, this.#passwordWord, this.#password),
    this.#submit,
  );
  #salesforce = this.#button('rb-brand', words.signIn.salesforce, () => this.#begin());
  #phone = this.#button('rb-neutral', words.signIn.phone, () => this.#choose('phone'));
  #byPassword = this.#button('rb-neutral', words.signIn.byPassword, () => this.#choose('password'));
  #waiting = h('p', { class: 'rb-card-text', role: 'status', hidden: true });
  #cancel = this.#button('rb-neutral', words.signIn.cancel, () => this.#giveUp());
  #note = h('p', { class: 'rb-card-text', hidden: true });
  #error = h('p', { class: 'rb-error', role: 'alert', hidden: true });
  #heading = h('h1', { class: 'rb-title', tabindex: -1 }, words.signIn.title);
  /** Whose name and password the fields are for. @type {'phone'|'password'|null} */
  #form = null;
  #isBusy = false;
  #window = new SignInWindow(new URL('../../', import.meta.url));
  #hasWindow = false;
  /** What the host says, unless a way has something to say. */
  #hostNote = '';

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-view', 'rb-sign-in');
    this.append(
      h(
        'form',
        {
          class: 'rb-form',
          novalidate: true,
          on: {
            submit: (/** @type {Event} */ event) => {
              event.preventDefault();
              this.#send();
            },
          },
        },
        h('img', { class: 'rb-logo', src: new URL('../icon.svg', import.meta.url).href, alt: '' }),
        this.#heading,
        this.#note,
        this.#error,
        this.#waiting,
        this.#tenantLabel,
        this.#salesforce,
        this.#account,
        this.#phone,
        this.#byPassword,
        this.#cancel,
      ),
    );
  }

  /**
   * @param {{isBusy: boolean, problem: SignInFailure|null, note: string,
   *   tenant: string, ways: readonly SignInWay[]}} model
   */
  update({ isBusy, problem, note, tenant, ways }) {
    this.#known = tenant;
    if (this.#ways !== ways) {
      this.#ways = ways;
      this.#form = ways.includes('salesforce') ? null : ways.includes('password') ? 'password' : 'phone';
    }
    this.#isBusy = isBusy;
    this.#hasWindow &&= isBusy;
    this.#hostNote = note;
    this.#draw();
    if (isBusy) this.#showError('');
    else if (problem) this.#showError(words.signInProblem[problem]);
  }

  get primary() {
    if (this.#known === '') return this.#tenantField;
    return this.#form ? this.#username : this.#salesforce;
  }

  get heading() {
    return this.#heading;
  }

  /** @param {string} kind @param {string} text @param {() => void} act */
  #button(kind, text, act) {
    return h('button', { type: 'button', class: `rb-button rb-wide rb-big ${kind}`, on: { click: act } }, text);
  }

  #draw() {
    const isWaiting = this.#isBusy && this.#hasWindow;
    const has = (/** @type {SignInWay} */ way) => this.#ways.includes(way) && !isWaiting;
    show(this.#tenantLabel, this.#known === '' && !isWaiting);
    show(this.#salesforce, has('salesforce'));
    show(this.#account, this.#form !== null && !isWaiting);
    show(this.#phone, has('phone') && this.#form !== 'phone');
    show(this.#byPassword, has('password') && this.#form !== 'password');
    show(this.#cancel, isWaiting);
    show(this.#waiting, isWaiting);
    setText(this.#waiting, isWaiting ? words.signIn.waiting : '');
    const isPhone = this.#form === 'phone';
    setText(this.#usernameWord, isPhone ? words.signIn.phoneUsername : words.signIn.username);
    setText(this.#passwordWord, isPhone ? words.signIn.phonePassword : words.signIn.password);
    for (const button of [this.#submit, this.#salesforce, this.#phone, this.#byPassword]) button.disabled = this.#isBusy;
    setText(this.#submit, this.#isBusy && !isWaiting ? words.signIn.busy : words.signIn.submit);
    // One act is the obvious one.
    for (const kind of ['rb-brand', 'rb-neutral']) {
      this.#salesforce.classList.toggle(kind, (kind === 'rb-brand') === (this.#form === null));
    }
    const note = isWaiting ? '' : isPhone ? words.signIn.phoneNote : this.#hostNote;
    setText(this.#note, note);
    show(this.#note, note !== '');
  }

  /** @param {'phone'|'password'} form */
  #choose(form) {
    this.#form = form;
    this.#showError('');
    this.#draw();
    this.#username.focus();
  }

  get #tenant() {
    return this.#known || this.#tenantField.value.trim();
  }

  /** Within the click: else browsers hold the window back. */
  #begin() {
    if (this.#tenant === '') {
      this.#showError(words.signIn.required);
      this.#tenantField.focus();
      return;
    }
    this.#hasWindow = true;
    this.dispatchEvent(new CustomEvent('sign-in', { detail: this.#window.signIn(this.#tenant) }));
    if (this.#cancel.checkVisibility()) this.#cancel.focus();
  }

  #giveUp() {
    this.#window.cancel();
    this.dispatchEvent(new CustomEvent('cancel'));
    this.primary.focus();
  }

  #send() {
    if (this.#form === null || this.#isBusy) return;
    const missing = [this.#tenantField, this.#username, this.#password].find(
      (field) => field.value === '' && !(field === this.#tenantField && this.#known),
    );
    if (missing) {
      this.#showError(words.signIn.required);
      missing.focus();
      return;
    }
    const tenant = this.#tenant;
    const username = this.#username.value.trim();
    const password = this.#password.value;
    const detail =
      this.#form === 'phone'
        ? { tenant, sip_username: username, sip_password: password }
        : { tenant, username, password };
    this.#password.value = '';
    this.dispatchEvent(new CustomEvent('sign-in', { detail }));
  }

  /** @param {string} text */
  #showError(text) {
    setText(this.#error, text);
    show(this.#error, text !== '');
  }
}
customElements.define('ringbridge-sign-in', SignInScreen);
