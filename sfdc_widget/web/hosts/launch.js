/**
 * An address may say whom to invite: `#invite?record=&kind=&name=&email=`, all of them
 * optional. It stands behind the `#`, which browsers send to no server.
 */
/** @import {Record as CrmRecord} from '../client/wire.d.ts' */

const PREFIX = '#invite?';
const MAX_TEXT = 255;
const MAX_HASH = 8192;

/**
 * @param {string} hash of an address
 * @returns {Partial<CrmRecord>|null} null: it says nothing of the kind
 */
export function wantedInvite(hash) {
  if (!hash.startsWith(PREFIX) || hash.length > MAX_HASH) return null;
  const wanted = new URLSearchParams(hash.slice(PREFIX.length));
  const text = (/** @type {string} */ name) =>
    (wanted.get(name) ?? '').replace(/[\u0000-\u001f\u007f]/g, ' ').trim().slice(0, MAX_TEXT);
  return { id: text('record'), kind: text('kind'), name: text('name'), email: text('email') };
}
