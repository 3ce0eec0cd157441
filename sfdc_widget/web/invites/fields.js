/** A field with its label, and below it what is wrong with it. */
import { h, setAttribute, setText, show } from '../softphone/dom.js';

/** @typedef {HTMLInputElement|HTMLTextAreaElement} Field */

let made = 0;

/** @param {string} label @param {Field} field */
export function labelled(label, field) {
  // Beside the label, not in it: it describes the field and does not name it.
  const error = h('span', { class: 'rb-error', id: `rb-field-${(made += 1)}`, hidden: true });
  field.setAttribute('aria-describedby', error.id);
  return h('div', { class: 'rb-labelled' }, h('label', {}, label, field), error);
}

/** @param {Field} field @param {string} text '' for none @returns {Field} */
export function setFieldError(field, text) {
  const error = /** @type {HTMLElement|null} */ (field.closest('.rb-labelled')?.querySelector('.rb-error'));
  if (error) {
    setText(error, text);
    show(error, text !== '');
  }
  setAttribute(field, 'aria-invalid', text !== '' ? 'true' : null);
  return field;
}
