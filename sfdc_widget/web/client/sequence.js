/** Acknowledge after this many events at the latest … */
export const ACK_EVERY_EVENTS = 16;
/** … or after this long. */
export const ACK_EVERY_MS = 2000;

/**
 * The receiving end of the server's gapless event log.
 *
 * Pure: it is told of sequence numbers and says what they mean; its owner keeps
 * the timer and sends the acknowledgements.
 */
export class EventSequence {
  #last = 0;
  #acknowledged = 0;

  /** The highest sequence number taken. */
  get last() {
    return this.#last;
  }

  /** Everything up to `seq` is contained in a snapshot. @param {number} seq */
  restart(seq) {
    this.#last = seq;
    this.#acknowledged = seq;
  }

  /**
   * @param {number} seq
   * @returns {'next'|'duplicate'|'gap'} on `gap` the owner resumes from `last`
   */
  take(seq) {
    if (seq <= this.#last) return 'duplicate';
    if (seq !== this.#last + 1) return 'gap';
    this.#last = seq;
    return 'next';
  }

  /** How many taken events the server has not been told of. */
  get unacknowledged() {
    return this.#last - this.#acknowledged;
  }

  get isAckDue() {
    return this.unacknowledged >= ACK_EVERY_EVENTS;
  }

  /** The number to acknowledge now, or null when there is nothing new. */
  acknowledge() {
    if (this.unacknowledged === 0) return null;
    this.#acknowledged = this.#last;
    return this.#last;
  }
}
