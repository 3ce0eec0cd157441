/** What the window of a call has to show of it. Pure: facts in, a stage's model out. */
import { initials, duration, elapsed, who } from '../softphone/format.js';
import { words } from '../softphone/strings.js';
import { localeInUse } from '../words/index.js';
import { listed } from './people.js';
import { videoWords as say } from './words.js';

/**
 * @import {CallView} from '../client/wire.d.ts'
 * @import {RingbridgeClient} from '../client/ringbridge-client.js'
 * @import {Person} from './gallery.js'
 * @import {StageModel} from './stage.js'
 *
 * @typedef {ReturnType<RingbridgeClient['localState']>} Local
 */

/**
 * @param {CallView|null} call
 * @param {Local} local
 * @param {object} facts
 * @param {number} facts.now Unix ms by the server's clock
 * @param {boolean} facts.canShare
 * @returns {StageModel}
 */
export function stageModel(call, local, { now, canShare }) {
  const isLive = call !== null && call.state !== 'ended';
  const people = isLive ? peopleOf(call, local) : [];
  return {
    callId: call?.call_id ?? '',
    name: call ? listed(people.length > 0 ? people.map(({ name }) => name) : [who(call)], localeInUse(), say.others) : '',
    status: call ? statusOf(call, local) : '',
    timer: call?.answered_at ? duration(elapsed(call, now)) : '',
    people,
    preview: local.localVideo,
    isMuted: local.isMuted,
    isCameraOn: local.isCameraOn,
    isSharing: local.isSharing,
    canShare,
    isLive,
  };
}

/** @param {CallView} call @param {Local} local @returns {Person[]} */
function peopleOf(call, local) {
  const isAlone = local.remotes.length === 1;
  return local.remotes.map(({ id, name: known, video }) => {
    const name = known || who(call);
    let note = '';
    if (call.state === 'active' && !isAlone) note = say.noPictureOfOne;
    else if (call.state === 'active') {
      note = call.video.state === 'active' ? say.noPicture(name) : local.hasVideo ? say.waiting(name) : say.soundOnly;
    }
    return { id, name, letters: initials(known), video, note };
  });
}

/** @param {CallView} call @param {Local} local */
function statusOf({ state }, { isConnected, isRestored, isSharing, isMuted }) {
  switch (state) {
    case 'ended':
      return say.ended;
    case 'ringing':
      return words.status.incoming;
    case 'calling':
      return words.status.calling;
    case 'alerting':
      return words.status.alerting;
    case 'active':
      if (!isConnected) return isRestored ? say.restoring : say.connecting;
      if (isSharing) return say.sharing;
      return isMuted ? words.status.activeMuted : words.status.active;
    default:
      return say.connecting;
  }
}
