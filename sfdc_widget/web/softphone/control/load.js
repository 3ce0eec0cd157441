import { moreWords } from '../strings.js';
import { loadStyle } from '../style.js';
import { Control } from './control.js';

/**
 * Call control with its style, which is there before it is shown.
 *
 * @param {ConstructorParameters<typeof Control>[0]} options
 * @returns {Promise<Control>}
 */
export async function load(options) {
  await Promise.all([loadStyle(new URL('./control.css', import.meta.url)), moreWords('calls'), moreWords('problems'), moreWords('elsewhere')]);
  return new Control(options);
}
