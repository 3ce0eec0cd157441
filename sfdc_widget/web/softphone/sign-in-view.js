import { h, setText, show } from './dom.js';
import { words } from './strings.js';

/** @import {SignInFailure} from '../client/errors.js' */

/** Sign-in where no host vouches for the user. Submits as a `sign-in` event. */
export class SignInScreen extends HTMLElement {
  /** Known from the address; then it is not asked for. */
  tenant = '';

  #tenantField = h('input', { name: 'tenant', autocomplete: 'organization', required: true, autocapitalize: 'none', spellcheck: 'false' });
  #tenantLabel = h('label', {}, words.signIn.tenant, this.#tenantField);
  #username = h('input', { name: 'username', autocomplete: 'username', required: true, autocapitalize: 'none', spellcheck: 'false' });
  #password = h('input', { name: 'password', type: 'password', autocomplete: 'current-password', required: true });
  #submit = h('button', { type: 'submit', class: 'rb-button rb-brand rb-wide rb-big' }, words.signIn.submit);
  #note = h('p', { class: 'rb-card-text', hidden: true });
  #error = h('p', { class: 'rb-error', role: 'alert', hidden: true });
  #heading = h('h1', { class: 'rb-title', tabindex: -1 }, words.signIn.title);

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-view', 'rb-sign-in');
    show(this.#tenantLabel, this.tenant === '');
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
        this.#tenantLabel,
        h('label', {}, words.signIn.username, this.#username),
        h('label', {}, words.signIn.password, this.#password),
        this.#submit,
      ),
    );
  }

  /** @param {{isBusy: boolean, problem: SignInFailure|null, note: string}} model */
  update({ isBusy, problem, note }) {
    this.#submit.disabled = isBusy;
    setText(this.#submit, isBusy ? words.signIn.busy : words.signIn.submit);
    setText(this.#note, note);
    show(this.#note, note !== '');
    if (isBusy) this.#showError('');
    else if (problem) this.#showError(words.signInProblem[problem]);
  }

  get primary() {
    return this.tenant === '' ? this.#tenantField : this.#username;
  }

  get heading() {
    return this.#heading;
  }

  #send() {
    const detail = {
      tenant: this.tenant || this.#tenantField.value.trim(),
      username: this.#username.value.trim(),
      password: this.#password.value,
    };
    const missing = [this.#tenantField, this.#username, this.#password].find(
      (field) => field.value === '' && !(field === this.#tenantField && this.tenant),
    );
    if (missing) {
      this.#showError(words.signIn.required);
      missing.focus();
      return;
    }
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
