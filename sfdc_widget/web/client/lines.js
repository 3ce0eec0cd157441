/**
 * The further receiving lines of a connection: room for the streams of others in a
 * meeting, see docs/design/010, "In the engine".
 *
 * The gateway says whose stream is in a line by the stream id of the answer's
 * `a=msid`, and keeps a line for as long as its member is there; later it may be
 * somebody else's. Browsers tell a page only of a track that is new to it, and the
 * track of a line never changes: so the answer itself is read.
 *
 * Audio and video have lines of their own, in no relation to each other.
 */
export class Lines {
  #connection;
  /** @type {{audio: RTCRtpTransceiver[], video: RTCRtpTransceiver[]}} */
  #lines = { audio: [], video: [] };
  /** Who is in a line, by the newest answer. @type {Map<RTCRtpTransceiver, string>} */
  #members = new Map();
  /** Made once for each picture. @type {Map<string, MediaStream>} */
  #pictures = new Map();

  /** @param {RTCPeerConnection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /**
   * Before an offer: room for so many. Lines are not taken back, those with nobody in
   * them wait; of video only as long as this side has none.
   *
   * @param {number} count
   * @param {boolean} hasVideo
   */
  fit(count, hasVideo) {
    this.#fit('audio', count);
    this.#fit('video', hasVideo ? count : 0);
    for (const line of this.#lines.video) line.direction = hasVideo ? 'recvonly' : 'inactive';
  }

  /** @param {'audio'|'video'} kind @param {number} count */
  #fit(kind, count) {
    const lines = this.#lines[kind].filter(({ direction }) => direction !== 'stopped');
    while (lines.length < count) {
      lines.push(this.#connection.addTransceiver(kind, { direction: 'recvonly' }));
    }
    this.#lines[kind] = lines;
  }

  /** After an answer. @param {string} answer SDP */
  read(answer) {
    const ids = streamIds(answer);
    this.#members.clear();
    for (const line of [...this.#lines.audio, ...this.#lines.video]) {
      const id = ids.get(line.mid ?? '') ?? '';
      if (id !== '' && line.currentDirection === 'recvonly') this.#members.set(line, id);
    }
    const former = this.#pictures;
    this.#pictures = new Map();
    for (const line of this.#lines.video) {
      const id = this.#members.get(line);
      if (id === undefined) continue;
      const { track } = line.receiver;
      const known = former.get(id);
      this.#pictures.set(id, known?.getTracks()[0] === track ? known : new MediaStream([track]));
    }
  }

  /** Whose sound is received. @returns {string[]} stream ids */
  get members() {
    return this.#lines.audio.flatMap((line) => this.#members.get(line) ?? []);
  }

  /** What is to be heard, line by line; null: nobody is in it. */
  get sounds() {
    return this.#lines.audio.map((line) => (this.#members.has(line) ? line.receiver.track : null));
  }

  /** @param {string} id @returns {MediaStream|null} */
  pictureOf(id) {
    return this.#pictures.get(id) ?? null;
  }
}

/**
 * The stream id of each media section, by mid. Pure.
 *
 * @param {string} sdp
 * @returns {Map<string, string>}
 */
export function streamIds(sdp) {
  const ids = new Map();
  for (const section of sdp.split(/^m=/mu).slice(1)) {
    const mid = /^a=mid:(\S+)/mu.exec(section)?.[1];
    // "-" is a track of no stream (RFC 8830, 2).
    const id = /^a=msid:(\S+)/mu.exec(section)?.[1];
    if (mid !== undefined && id !== undefined && id !== '-') ids.set(mid, id);
  }
  return ids;
}
