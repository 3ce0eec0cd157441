import { isHere } from '../../client/focus.js';

/**
 * @import {CallView} from '../../client/wire.d.ts'
 * @import {Presses} from '../presses.js'
 */

/**
 * What Alt+Shift and a letter mean, by the key's place. Only for who has asked for it:
 * assistive technology has keys of its own.
 *
 * @param {KeyboardEvent} event
 * @param {{focus: CallView|null, waiting: CallView|null}} calls
 * @param {Presses} presses
 * @returns {boolean} it was one
 */
export function pressShortcut(event, { focus, waiting }, presses) {
  if (!event.altKey || !event.shiftKey || event.ctrlKey || event.metaKey || event.repeat) return false;
  const ringing = focus?.state === 'ringing' ? focus : waiting;
  const active = focus?.state === 'active' && isHere(focus) ? focus : null;
  switch (event.code) {
    case 'KeyA':
      if (ringing) void presses.answer(ringing);
      return ringing !== null;
    case 'KeyD':
      if (ringing) void presses.decline(ringing);
      return ringing !== null;
    case 'KeyM':
      if (active) presses.mute(active);
      return active !== null;
    case 'KeyH':
      if (active) void presses.hold(active);
      return active !== null;
    default:
      return false;
  }
}
