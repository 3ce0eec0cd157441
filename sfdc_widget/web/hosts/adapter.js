/**
 * What the softphone needs of the page that it lives in.
 *
 * A host is one function that waits until the page around it answers and returns these
 * eleven members; it knows nothing of calls. Whatever it cannot do it leaves undone: no
 * method may disturb a call, `popRecord` and `popNewContact` alone tell when they failed.
 * Matching callers and writing activities are the gateway's affair, by the CRM's API, and
 * need no host. There are two: Open CTI for Lightning, which Salesforce ends on
 * 28 February 2028, and a page of its own. How others would follow: docs/design/006.
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
 * @property {(listener: (record: CrmRecord) => void) => void} onNavigate the page
 *   shows another record than before
 * @property {(isVisible: boolean) => void} setPanelVisible
 * @property {(label: string, mood: PhoneMood) => void} setLabel what the host shows
 *   while the panel is closed
 * @property {() => void} refresh the record on show has changed
 * @property {() => Promise<string|null>} identityAssertion proof of who the user is;
 *   null when the host has none
 * @property {() => Promise<Partial<CrmRecord>|null>} currentRecord
 * @property {() => Promise<string>} language the user's there, BCP 47 or as Java writes
 *   it, '' when the host does not say
 */

/**
 * @typedef {object} WidgetConfig Answer of `GET config.json?host=salesforce|standalone`.
 * @property {string} [tenant] whom this address serves, '' when the user must say
 * @property {string} [version] of the gateway
 * @property {('salesforce'|'phone'|'password')[]} [sign_in] ways that may be offered
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
