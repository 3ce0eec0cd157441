/**
 * What the softphone needs of the page that it lives in.
 *
 * @import {Record as CrmRecord} from '../client/wire.d.ts'
 *
 * @typedef {'idle'|'ringing'|'outgoing'|'active'|'off'} PhoneMood
 *
 * @typedef {object} ClickToDial
 * @property {string} number
 * @property {Partial<CrmRecord>|null} record whom the number belongs to, if known
 * @property {boolean} isInvite dial nobody: a video invite is wanted for the record
 *
 * @typedef {object} ContactDefaults
 * @property {string} [firstName]
 * @property {string} [lastName]
 * @property {string} [phone]
 * @property {string} [company]
 *
 * @typedef {object} HostAdapter
 * @property {boolean} hasOwnForm `popNewContact` works
 * @property {(record: CrmRecord) => Promise<void>} popRecord shows it in the host
 * @property {(defaults: ContactDefaults) => Promise<void>} popNewContact opens the
 *   host's own form for a new contact
 * @property {(listener: (click: ClickToDial) => void) => void} onClickToDial
 * @property {(isVisible: boolean) => void} setPanelVisible
 * @property {(label: string, mood: PhoneMood) => void} setLabel what the host shows
 *   while the panel is closed
 * @property {() => void} refresh the record on show has changed
 * @property {() => Promise<string|null>} identityAssertion proof of who the user is;
 *   null when the host has none
 * @property {() => Promise<Partial<CrmRecord>|null>} currentRecord
 */

/**
 * @typedef {object} WidgetConfig Answer of `GET config.json?host=salesforce|standalone`.
 * @property {string} [tenant] whom this address serves, '' when the user must say
 * @property {string[]} [salesforce_origins] pages that may frame the widget and
 *   whose Open CTI script it may load
 * @property {string} [opencti_version]
 */

/**
 * @param {'salesforce'|'standalone'} host
 * @returns {Promise<WidgetConfig>}
 */
export async function loadConfig(host) {
  try {
    const url = new URL('../config.json', import.meta.url);
    url.searchParams.set('host', host);
    // Names the tenant where one address serves many.
    const origin = new URLSearchParams(location.search).get('sfdcIframeOrigin');
    if (origin) url.searchParams.set('origin', origin);
    const response = await fetch(url, { credentials: 'omit', cache: 'no-store' });
    return response.ok ? await response.json() : {};
  } catch {
    return {};
  }
}
