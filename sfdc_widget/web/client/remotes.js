import { peerNumber, person } from './call-facts.js';

/** @import {CallView} from './wire.d.ts' */

/**
 * Somebody else in a call, as to be shown.
 *
 * @typedef {object} Remote
 * @property {string} id '' for the call's own stream
 * @property {string} name '' when nothing is known of them
 * @property {boolean} isHost
 * @property {MediaStream|null} video null: sends no picture. Another object whenever
 *   another picture is to be shown.
 */

/**
 * Everybody else in a call, the host first, then in the order of coming. Never empty:
 * in a call of two it is the peer.
 *
 * @param {CallView} call
 * @param {object} known
 * @param {boolean} known.isGuest this side is a guest, whose peer is the host
 * @param {(id: string) => MediaStream|null} known.videoOf what was agreed to be received
 * @returns {readonly Remote[]}
 */
export function remotesOf(call, { isGuest, videoOf }) {
  const { participants, video } = call;
  const isSeen = video.state === 'active' && video.receives;
  if (participants.length === 0) {
    const name = person(call) || peerNumber(call.peer);
    return [{ id: '', name, isHost: isGuest, video: isSeen ? videoOf('') : null }];
  }
  const remotes = participants.map(({ id, name, is_host: isHost }) => ({
    id,
    name,
    isHost,
    video: id !== '' || isSeen ? videoOf(id) : null,
  }));
  return remotes.sort((a, b) => Number(b.isHost) - Number(a.isHost));
}
