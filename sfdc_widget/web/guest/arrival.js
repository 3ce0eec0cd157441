/** Coming in: a session in the guest's name, and the call to the host. */
import { CameraError, MicrophoneError, RequestError, SignInError } from '../client/index.js';
import { LinkError } from './link.js';

/**
 * @import {RingbridgeClient} from '../client/index.js'
 * @import {Devices} from './devices.js'
 * @import {InviteLink} from './link.js'
 */

/** The link's own state says it better than any words about the attempt. */
const ABOUT_THE_LINK = new Set([
  'refused',
  'denied',
  'expired',
  'auth.denied',
  'auth.expired',
  'invite.closed',
  'invite.unknown',
  'policy.denied',
]);
const TOO_MANY = new Set(['too_many', 'rate_limited', 'rate.limited']);

/**
 * Opens a session, and waits until it is ready.
 *
 * @param {RingbridgeClient} client
 * @param {InviteLink} link
 * @param {string} name
 * @throws {LinkError|SignInError}
 */
export async function enter(client, link, name) {
  client.useToken(await link.enter(name));
  await new Promise((resolve, reject) => {
    const waiting = new AbortController();
    const look = () => {
      const { status, signInProblem } = client.state;
      if (status !== 'ready' && status !== 'signed_out') return;
      waiting.abort();
      if (status === 'ready') resolve(undefined);
      else reject(new SignInError(signInProblem ?? 'failed'));
    };
    client.on('change', look, { signal: waiting.signal });
    look();
  });
}

/**
 * Calls the host, with what there is: a device that fails at the last moment is left
 * out, so that a customer is never kept out by a camera.
 *
 * @param {RingbridgeClient} client
 * @param {Devices} devices
 */
export async function callHost(client, { camera, microphone }) {
  const wanted = {
    camera: camera.isWanted && camera.problem === null,
    microphone: microphone.problem === null,
    isMuted: !microphone.isWanted,
  };
  for (;;) {
    try {
      await client.join(wanted);
      return;
    } catch (error) {
      if (error instanceof CameraError && wanted.camera) wanted.camera = false;
      else if (error instanceof MicrophoneError && wanted.microphone) wanted.microphone = false;
      else throw error;
    }
  }
}

/**
 * Why one did not come in.
 *
 * @param {unknown} error
 * @returns {'link'|'too_many'|'full'|'other'}
 */
export function refusalOf(error) {
  const isKnown = error instanceof RequestError || error instanceof LinkError || error instanceof SignInError;
  const kind = isKnown ? error.kind : '';
  if (ABOUT_THE_LINK.has(kind)) return 'link';
  if (kind === 'call.limit') return 'full';
  return TOO_MANY.has(kind) ? 'too_many' : 'other';
}
