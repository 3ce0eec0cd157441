/**
 * The media of one call: a peer connection, and while it is being replaced a second.
 *
 * The browser always offers. The gateway is ICE-lite with a public address, so the
 * offer leaves at once, without gathered candidates. A renewal builds a new
 * connection beside the old one; the old one is closed when the new one carries
 * audio, so the far end hears no more than it must.
 *
 * Whether there is video follows from the offers alone: a transceiver is added for it,
 * or stopped. It always both sends and takes; what is sent while there is no camera
 * is the owner's matter (`setVideoTrack`).
 *
 * In a meeting the others' streams come by further lines of the same connection
 * (`Lines`); `setRoom` says for how many there is to be room.
 */
import { Lines } from './lines.js';
import { Playback } from './playback.js';

/** @import {MediaReason} from './wire.d.ts' */

const DISCONNECTED_TOLERATED_MS = 2_000;
const CONNECT_TIMEOUT_MS = 8_000;

/**
 * @typedef {object} MediaListener
 * @property {(reason: MediaReason) => void} needsRenewal
 * @property {(isConnected: boolean) => void} connected
 * @property {(isBlocked: boolean) => void} playback the browser wants a click first
 * @property {() => void} video what is to be seen has changed
 *
 * @typedef {object} Link
 * @property {number} generation
 * @property {RTCPeerConnection} connection
 * @property {RTCRtpTransceiver} audio
 * @property {RTCRtpTransceiver|null} video
 * @property {Lines} lines
 * @property {ReturnType<typeof setTimeout>|undefined} timer
 */

export class CallMedia {
  /** @type {Link|null} in use */
  #link = null;
  /** @type {Link|null} meant to replace it */
  #next = null;
  /** @type {MediaStreamTrack|null} */
  #track = null;
  #isMuted = false;
  /** On hold: nothing goes out, nothing is heard. */
  #isSilent = false;
  #wantsVideo = false;
  /** @type {MediaStreamTrack|null} */
  #videoTrack = null;
  /** @type {MediaStream|null} made once for each track that is shown */
  #remoteVideo = null;
  #isClosed = false;
  /** How many others there is room for. */
  #room = 0;
  #playback;
  #iceServers;
  #listener;

  /**
   * @param {object} options
   * @param {RTCIceServer[]} options.iceServers
   * @param {string} options.speakerId '' for the default
   * @param {MediaListener} options.listener
   */
  constructor({ iceServers, speakerId, listener }) {
    this.#iceServers = iceServers;
    this.#listener = listener;
    this.#playback = new Playback(speakerId, (isBlocked) => listener.playback(isBlocked));
  }

  /** The newest generation offered, 0 before the first offer. */
  get generation() {
    return (this.#next ?? this.#link)?.generation ?? 0;
  }

  get isConnected() {
    return this.#link?.connection.connectionState === 'connected';
  }

  get track() {
    return this.#track;
  }

  get isMuted() {
    return this.#isMuted;
  }

  /** The connection in use, for statistics. */
  get connection() {
    return this.#link?.connection ?? null;
  }

  /** @param {boolean} isMuted */
  mute(isMuted) {
    this.#isMuted = isMuted;
    this.#openTrack();
  }

  /** Silence both ways, and no picture goes out. @param {boolean} isSilent */
  silence(isSilent) {
    if (isSilent === this.#isSilent) return;
    this.#isSilent = isSilent;
    this.#openTrack();
    void this.#sendVideo();
    if (this.#link) this.#show(this.#link);
  }

  #openTrack() {
    if (this.#track) this.#track.enabled = !this.#isMuted && !this.#isSilent;
  }

  /** Speaks through `track` from now on. @param {MediaStreamTrack} track */
  async setTrack(track) {
    this.#track = track;
    this.#openTrack();
    for (const link of [this.#link, this.#next]) await link?.audio.sender.replaceTrack(track);
  }

  /** Video is agreed, in the connection in use. */
  get hasVideo() {
    return isAgreed(this.#link?.video);
  }

  /** The far end's picture; black while it sends none. @returns {MediaStream|null} */
  get remoteVideo() {
    const video = this.#link?.video;
    const track = isAgreed(video) ? video?.receiver.track ?? null : null;
    if (this.#remoteVideo?.getTracks()[0] !== (track ?? undefined)) {
      this.#remoteVideo = track && new MediaStream([track]);
    }
    return this.#remoteVideo;
  }

  /** Whose streams of a meeting are received, by the newest answer. @returns {string[]} */
  get members() {
    return (this.#next ?? this.#link)?.lines.members ?? [];
  }

  /** The picture of one of them. @param {string} id @returns {MediaStream|null} */
  pictureOf(id) {
    return this.#link?.lines.pictureOf(id) ?? null;
  }

  /** Room for so many others in a meeting, from the next offer on. @param {number} count */
  setRoom(count) {
    this.#room = count;
  }

  /**
   * With or without video from the next offer on.
   *
   * @param {boolean} isWanted
   */
  setVideo(isWanted) {
    this.#wantsVideo = isWanted;
    for (const link of [this.#link, this.#next]) {
      if (!link) continue;
      if (isWanted) {
        link.video ??= this.#addVideo(link.connection);
      } else {
        link.video?.stop();
        link.video = null;
      }
    }
    this.#listener.video();
  }

  get wantsVideo() {
    return this.#wantsVideo;
  }

  /** Shows this from now on, null for nothing. @param {MediaStreamTrack|null} track */
  async setVideoTrack(track) {
    this.#videoTrack = track;
    await this.#sendVideo();
  }

  /** What is shown now. */
  get #shownVideo() {
    return this.#isSilent ? null : this.#videoTrack;
  }

  async #sendVideo() {
    for (const link of [this.#link, this.#next]) {
      if (link?.video) await link.video.sender.replaceTrack(this.#shownVideo);
    }
  }

  /** @param {RTCPeerConnection} connection */
  #addVideo(connection) {
    return connection.addTransceiver(this.#shownVideo ?? 'video', { direction: 'sendrecv' });
  }

  /** @param {string} deviceId */
  setSpeaker(deviceId) {
    this.#playback.setSpeaker(deviceId);
  }

  /** Plays everybody after the browser asked for a click. */
  play() {
    this.#playback.play();
  }

  /**
   * A new connection and its offer. An unfinished earlier one is given up.
   *
   * @param {number} generation
   * @returns {Promise<string>} SDP
   */
  async offer(generation) {
    this.#assertOpen();
    if (this.#next) closeLink(this.#next);
    const connection = new RTCPeerConnection({
      iceServers: this.#iceServers,
      bundlePolicy: 'max-bundle',
    });
    /** @type {Link} */
    const link = {
      generation,
      connection,
      audio: connection.addTransceiver(this.#track ?? 'audio', { direction: 'sendrecv' }),
      video: null,
      lines: new Lines(connection),
      timer: undefined,
    };
    if (this.#wantsVideo) link.video = this.#addVideo(connection);
    this.#next = link;
    connection.onconnectionstatechange = () => this.#stateChanged(link);
    return this.#describe(link);
  }

  /** The same connection again, as the gateway asked. @returns {Promise<string|null>} SDP */
  async reoffer() {
    const link = this.#next ?? this.#link;
    return link ? this.#describe(link) : null;
  }

  /** Takes back an offer that was refused. @param {boolean} hadVideo before it */
  async withdraw(hadVideo) {
    const link = this.#next ?? this.#link;
    if (link?.connection.signalingState === 'have-local-offer') {
      await link.connection.setLocalDescription({ type: 'rollback' });
    }
    this.setVideo(hadVideo);
  }

  /**
   * Takes the gateway's answer; one to an offer that has been given up is ignored.
   *
   * @param {number} generation
   * @param {string} sdp
   */
  async accept(generation, sdp) {
    const link = [this.#next, this.#link].find((each) => each?.generation === generation);
    if (!link || link.connection.signalingState !== 'have-local-offer') return;
    await link.connection.setRemoteDescription({ type: 'answer', sdp });
    link.lines.read(sdp);
    if (link.video && !isAgreed(link.video)) {
      link.video = null;
      this.#wantsVideo = false;
    }
    if (this.#link === null) {
      this.#link = link;
      this.#next = null;
    }
    if (link === this.#link) this.#show(link);
    if (link.connection.connectionState !== 'connected') {
      clearTimeout(link.timer);
      link.timer = setTimeout(() => this.#fail(link, 'failed'), CONNECT_TIMEOUT_MS);
    }
  }

  /** Ends it; returns the microphone's track for giving back. */
  close() {
    this.#videoTrack = null;
    this.#isClosed = true;
    for (const link of [this.#link, this.#next]) if (link) closeLink(link);
    this.#link = this.#next = null;
    this.#playback.close();
    const track = this.#track;
    this.#track = null;
    return track;
  }

  /** @param {Link} link */
  async #describe(link) {
    link.lines.fit(this.#room, this.#wantsVideo);
    await link.connection.setLocalDescription();
    this.#assertOpen();
    return /** @type {RTCSessionDescription} */ (link.connection.localDescription).sdp;
  }

  #assertOpen() {
    if (this.#isClosed) throw new MediaClosed();
  }

  /** @param {Link} link */
  #stateChanged(link) {
    if (link !== this.#link && link !== this.#next) return;
    switch (link.connection.connectionState) {
      case 'connected':
        clearTimeout(link.timer);
        if (link === this.#next) this.#switchTo(link);
        this.#listener.connected(true);
        break;
      case 'disconnected':
        clearTimeout(link.timer);
        link.timer = setTimeout(() => this.#fail(link, 'network'), DISCONNECTED_TOLERATED_MS);
        break;
      case 'failed':
        this.#fail(link, 'failed');
        break;
      default:
    }
  }

  /** @param {Link} link */
  #switchTo(link) {
    const former = this.#link;
    this.#link = link;
    this.#next = null;
    this.#show(link);
    if (former) closeLink(former);
  }

  /** @param {Link} link @param {MediaReason} reason */
  #fail(link, reason) {
    clearTimeout(link.timer);
    if (this.#isClosed || (link === this.#link && this.#next)) return;
    this.#listener.connected(false);
    this.#listener.needsRenewal(reason);
  }

  /** @param {Link} link */
  #show(link) {
    this.#listener.video();
    const { currentDirection: direction, receiver } = link.audio;
    const isHeard = direction === 'sendrecv' || direction === 'recvonly';
    const sounds = [isHeard ? receiver.track : null, ...link.lines.sounds];
    this.#playback.show(this.#isSilent ? sounds.map(() => null) : sounds);
  }
}

/** The call ended while its media was being negotiated. */
export class MediaClosed extends Error {
  constructor() {
    super('the call is over');
    this.name = 'MediaClosed';
  }
}

/** @param {RTCRtpTransceiver|null|undefined} video */
function isAgreed(video) {
  const direction = video?.currentDirection ?? null;
  return direction !== null && direction !== 'stopped';
}

/** @param {Link} link */
function closeLink(link) {
  clearTimeout(link.timer);
  link.connection.onconnectionstatechange = null;
  link.connection.close();
}
