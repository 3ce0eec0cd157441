/**
 * Plays sounds, each through an element of its own: browsers differ in which tracks of
 * one stream they play. An element is kept for its place in the list, because one that
 * a click has allowed to play stays allowed.
 */
export class Playback {
  /** @type {{element: HTMLAudioElement, track: MediaStreamTrack|null, isBlocked: boolean}[]} */
  #places = [];
  #speakerId;
  #blocked;
  #wasBlocked = false;

  /**
   * @param {string} speakerId '' for the default
   * @param {(isBlocked: boolean) => void} blocked the browser wants a click before it
   *   plays; or no more
   */
  constructor(speakerId, blocked) {
    this.#speakerId = speakerId;
    this.#blocked = blocked;
  }

  /** These from now on, and nothing else. @param {readonly (MediaStreamTrack|null)[]} tracks */
  show(tracks) {
    while (this.#places.length < tracks.length) this.#add();
    for (const [index, place] of this.#places.entries()) {
      const track = tracks[index] ?? null;
      if (place.track === track) continue;
      place.track = track;
      place.isBlocked = false;
      place.element.srcObject = track && new MediaStream([track]);
      this.#play(place);
    }
    this.#tell();
  }

  #add() {
    const element = document.createElement('audio');
    element.autoplay = true;
    this.#places.push({ element, track: null, isBlocked: false });
    this.#route(element);
  }

  /** @param {string} deviceId */
  setSpeaker(deviceId) {
    this.#speakerId = deviceId;
    for (const { element } of this.#places) this.#route(element);
  }

  /** @param {HTMLAudioElement} element */
  #route(element) {
    if ('setSinkId' in element && (this.#speakerId || element.sinkId)) {
      element.setSinkId(this.#speakerId).catch(() => undefined);
    }
  }

  /** All of them, after the browser asked for a click. */
  play() {
    for (const place of this.#places) this.#play(place);
  }

  /** @param {{element: HTMLAudioElement, track: MediaStreamTrack|null, isBlocked: boolean}} place */
  #play(place) {
    const { element, track } = place;
    if (track === null) return;
    const settle = (/** @type {boolean} */ isBlocked) => {
      if (place.track !== track) return;
      place.isBlocked = isBlocked;
      this.#tell();
    };
    element.play().then(
      () => settle(false),
      (error) => {
        if (error instanceof DOMException && error.name === 'NotAllowedError') settle(true);
      },
    );
  }

  #tell() {
    const isBlocked = this.#places.some((place) => place.isBlocked);
    if (isBlocked === this.#wasBlocked) return;
    this.#wasBlocked = isBlocked;
    this.#blocked(isBlocked);
  }

  close() {
    for (const place of this.#places) {
      place.track = null;
      place.element.srcObject = null;
    }
    this.#places = [];
  }
}
