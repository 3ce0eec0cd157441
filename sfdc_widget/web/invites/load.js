import { loadStyle } from '../softphone/style.js';
import { InvitesPanel } from './invites-panel.js';

/**
 * The invites with their style, which is there before they are shown.
 *
 * @param {ConstructorParameters<typeof InvitesPanel>[0]} options
 * @returns {Promise<InvitesPanel>}
 */
export async function load(options) {
  await loadStyle(new URL('./invites.css', import.meta.url));
  return new InvitesPanel(options);
}
