/** @import {HostAdapter} from './adapter.js' */

/**
 * The softphone as a page of its own.
 *
 * @returns {HostAdapter}
 */
export function standaloneHost() {
  return {
    hasOwnForm: false,
    async popRecord({ url }) {
      if (url && /^https?:$/.test(new URL(url, location.href).protocol)) {
        window.open(url, '_blank', 'noopener');
      }
    },
    async popNewContact() {},
    onClickToDial() {},
    onNavigate() {},
    setPanelVisible() {},
    setLabel(label) {
      document.title = label;
    },
    refresh() {},
    identityAssertion: async () => null,
    currentRecord: async () => null,
    language: async () => '',
  };
}
