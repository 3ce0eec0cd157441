import { h } from '../softphone/dom.js';
import { InvitesPanel } from './invites-panel.js';

/**
 * The invites with their style, which is there before they are shown.
 *
 * @param {ConstructorParameters<typeof InvitesPanel>[0]} options
 * @returns {Promise<InvitesPanel>}
 */
export async function load(options) {
  const href = new URL('./invites.css', import.meta.url).href;
  if (!document.querySelector(`link[href="${href}"]`)) {
    const link = h('link', { rel: 'stylesheet', href });
    const isReady = new Promise((resolve, reject) => {
      link.onload = resolve;
      link.onerror = reject;
    });
    document.head.append(link);
    await isReady;
  }
  return new InvitesPanel(options);
}
