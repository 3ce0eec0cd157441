/** A camera that nobody sees: a desk phone has answered. */
import { isSeen } from '../client/call-facts.js';

/**
 * @import {CallView} from '../client/wire.d.ts'
 * @import {RingbridgeClient} from '../client/index.js'
 */

/** What was agreed may take a moment to be known after the answer. */
const UNSEEN_MS = 3_000;

export class UnseenCamera {
  #client;
  /** Since when the camera is on in a call without video. */
  #since = 0;
  /** It was closed for that, and not by the user. */
  #isClosed = false;

  /** @param {RingbridgeClient} client */
  constructor(client) {
    this.#client = client;
  }

  /** The user decides, or another call begins. */
  forget() {
    this.#isClosed = false;
  }

  /** Its light goes out. @param {CallView} call */
  look(call) {
    const { call_id } = call;
    const isUnseen = !isSeen(call) && this.#client.localState(call_id).isCameraOn;
    if (!isUnseen) this.#since = 0;
    else if (this.#since === 0) this.#since = Date.now();
    else if (Date.now() - this.#since > UNSEEN_MS) {
      this.#isClosed = true;
      this.#since = 0;
      void this.#client.setCamera(call_id, false).catch(() => undefined);
    }
  }

  /** The other side has video, and would have ours but for a press. @param {CallView} call */
  isAskedFor({ call_id, video }) {
    if (video?.state === 'offered') return true;
    return video?.state === 'active' && this.#isClosed && !this.#client.localState(call_id).isCameraOn;
  }
}
