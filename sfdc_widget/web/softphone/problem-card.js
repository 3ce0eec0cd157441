import { h, setText, show } from './dom.js';
import { icon } from './icons.js';
import { words } from './strings.js';

/**
 * @typedef {object} Problem
 * @property {string} title what happened
 * @property {string} text what it means, what to do
 * @property {string} [code] for whoever is asked for help
 * @property {string} [action] the button's words
 * @property {(() => unknown)|null} [onAction]
 * @property {boolean} [isMild] an offer, not a failure
 */

/** A failure, in the rep's words, with its next step and a code to copy. */
export class ProblemCard extends HTMLElement {
  #title = h('h2', { class: 'rb-card-title' });
  #text = h('p', { class: 'rb-card-text' });
  #codeText = h('code', { dir: 'ltr' });
  #copy = h(
    'button',
    { type: 'button', class: 'rb-link', on: { click: () => void this.#copyCode() } },
    words.problem.copy,
  );
  #code = h('p', { class: 'rb-card-code' }, `${words.problem.code} `, this.#codeText, ' ', this.#copy);
  #action = h('button', {
    type: 'button',
    class: 'rb-button rb-neutral',
    on: { click: () => void this.#problem?.onAction?.() },
  });
  /** @type {Problem|null} */
  #problem = null;

  connectedCallback() {
    if (this.firstChild) return;
    this.hidden = true;
    this.classList.add('rb-card', 'rb-problem');
    this.append(
      h('span', { class: 'rb-card-icon' }, icon('triangle-alert')),
      h('div', { class: 'rb-card-body' }, this.#title, this.#text, this.#code, this.#action),
    );
  }

  /** @param {Problem|null} problem */
  update(problem) {
    this.#problem = problem;
    show(this, problem !== null);
    if (!problem) return;
    this.classList.toggle('rb-mild', problem.isMild ?? false);
    setText(this.#title, problem.title);
    setText(this.#text, problem.text);
    show(this.#text, problem.text !== '');
    setText(this.#codeText, problem.code ?? '');
    show(this.#code, Boolean(problem.code));
    setText(this.#action, problem.action ?? '');
    show(this.#action, Boolean(problem.action));
  }

  async #copyCode() {
    try {
      await navigator.clipboard.writeText(this.#codeText.textContent ?? '');
      setText(this.#copy, words.announce.copied);
    } catch {
      getSelection()?.selectAllChildren(this.#codeText);
    }
  }
}
customElements.define('ringbridge-problem', ProblemCard);
