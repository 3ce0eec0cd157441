/** The state in words, for the top line. Pure. */
import { together } from '../client/focus.js';
import { words } from './strings.js';

/**
 * @import {CallView} from '../client/wire.d.ts'
 * @import {ClientState} from '../client/ringbridge-client.js'
 *
 * @typedef {{text: string, tone: 'off'|'wait'|'warn'|'ring'|'call'|'ready'|'error'|'away'}} Status
 */

/**
 * @param {ClientState} state
 * @param {CallView|null} shown
 * @param {{isMuted: boolean, isOfflineForLong: boolean}} local
 * @returns {Status}
 */
export function stateInWords(state, shown, { isMuted, isOfflineForLong }) {
  const say = words.status;
  if (state.status === 'superseded') return { text: state.isInWindow ? say.inWindow : say.elsewhere, tone: 'off' };
  if (state.status === 'signed_out') return { text: say.signedOut, tone: 'off' };
  if (state.status === 'signing_in' || state.status === 'connecting') return { text: say.connecting, tone: 'wait' };
  if (state.isOffline) return { text: say.offline, tone: 'warn' };
  if (state.status === 'reconnecting' && isOfflineForLong) return { text: say.reconnecting, tone: 'warn' };
  if (shown) return callInWords(state, shown, isMuted);
  switch (state.registration.state) {
    case 'registered':
      return state.presence === 'do_not_disturb'
        ? { text: say.doNotDisturb, tone: 'away' }
        : { text: say.ready, tone: 'ready' };
    case 'registering':
      return { text: say.phoneConnecting, tone: 'wait' };
    default:
      return { text: say.phoneOff, tone: 'error' };
  }
}

/** @param {ClientState} state @param {CallView} call @param {boolean} isMuted @returns {Status} */
function callInWords(state, call, isMuted) {
  const say = words.status;
  if (call.device === 'desk_phone' && call.state !== 'ended') {
    if (call.state === 'ringing') return { text: words.desk.ringing, tone: 'ring' };
    return { text: call.state === 'active' ? words.desk.active : words.desk.calling, tone: 'call' };
  }
  switch (call.state) {
    case 'ringing':
      return { text: call.video?.state === 'offered' ? say.incomingVideo : say.incoming, tone: 'ring' };
    case 'answering':
      return { text: say.answering, tone: 'call' };
    case 'calling':
      return { text: say.calling, tone: 'call' };
    case 'alerting':
      return { text: say.alerting, tone: 'call' };
    case 'ended':
      return { text: call.work.state === 'wrap_up' ? say.wrapUp : say.ended, tone: 'off' };
    default:
  }
  if (call.transfer && call.transfer.state !== 'failed') return { text: say.transferring, tone: 'warn' };
  if (call.held_here) return { text: say.onHold, tone: 'warn' };
  if (together(state.calls, call).length > 1) {
    return isMuted ? { text: say.conferenceMuted, tone: 'warn' } : { text: say.conference, tone: 'call' };
  }
  return isMuted ? { text: say.activeMuted, tone: 'warn' } : { text: say.active, tone: 'call' };
}
