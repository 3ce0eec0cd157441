/** Which records the Lightning page around the phone shows; loaded after the start. */
/** @import {Record as CrmRecord} from '../client/wire.d.ts' */
/** @import {OpenCti} from './open-cti.js' */

/**
 * Tells of each record once in a row: Lightning also speaks when a page gets the focus
 * back, and when a form opens.
 *
 * @param {OpenCti} cti
 * @param {(record: CrmRecord) => void} listener
 */
export function listen(cti, listener) {
  let last = '';
  cti.onNavigationChange?.call(cti, {
    listener: (/** @type {any} */ payload) => {
      const view = payload?.recordId === undefined && payload?.returnValue ? payload.returnValue : payload ?? {};
      const id = String(view.recordId ?? '');
      if (id === '' || id === last) return;
      last = id;
      listener({
        id,
        kind: short(view.objectType),
        name: short(view.recordName),
        url: absolute(String(view.url ?? '')),
        company: '',
        phone: '',
        email: '',
        certainty: 'exact',
      });
    },
  });
}

/** @param {unknown} text */
function short(text) {
  return String(text ?? '').slice(0, 255);
}

/** An address of the page around us. @param {string} url */
function absolute(url) {
  try {
    return new URL(url, new URLSearchParams(location.search).get('sfdcIframeOrigin') ?? '').href;
  } catch {
    return '';
  }
}
