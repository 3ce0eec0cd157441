import { loadStyle } from '../softphone/style.js';
import { InvitesPanel } from './invites-panel.js';
import { loadInviteWords } from './words.js';

/**
 * The invites with their style, which is there before they are shown.
 *
 * @param {ConstructorParameters<typeof InvitesPanel>[0]} options
 * @returns {Promise<InvitesPanel>}
 */
export async function load(options) {
  await Promise.all([loadStyle(new URL('./invites.css', import.meta.url)), loadInviteWords()]);
  return new InvitesPanel(options);
}
