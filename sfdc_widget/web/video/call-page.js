/**
 * The window of a call: the stage, what is wrong, who else calls, and the end of it.
 * It does what it was opened for (`perform`), then what is pressed.
 */
import { focused, isHere } from '../client/focus.js';
import { endsSoonAt } from '../client/call-facts.js';
import { canShareScreen } from '../client/camera.js';
import { h, setText, show } from '../softphone/dom.js';
import { who } from '../softphone/format.js';
import { ProblemCard } from '../softphone/problem-card.js';
import { Sounds } from '../softphone/sounds.js';
import { words } from '../softphone/strings.js';
import { DevicePanel } from './devices.js';
import { stageModel } from './stage-model.js';
import { Stage } from './stage.js';
import { videoWords as say } from './words.js';

/**
 * @import {CallView} from '../client/wire.d.ts'
 * @import {ClientState, RingbridgeClient} from '../client/ringbridge-client.js'
 * @import {Problem} from '../softphone/problem-card.js'
 * @import {Bridge} from './bridge.js'
 * @import {Order} from './messages.js'
 * @import {StageModel} from './stage.js'
 */

const CLOSE_AFTER_MS = 3_000;
/** Nobody says what this window is for. */
const LOST_AFTER_MS = 8_000;
/** A raise waits this long for the sound to be there. */
const CONNECT_WAIT_MS = 5_000;

export class CallPage extends HTMLElement {
  /** @type {RingbridgeClient} */
  client = /** @type {any} */ (null);
  /** @type {Bridge} */
  bridge = /** @type {any} */ (null);

  #stage = new Stage();
  #devices = new DevicePanel();
  #problem = new ProblemCard();
  #bare = h('button', { type: 'button', class: 'rb-button rb-brand', hidden: true, on: { click: () => void this.#again(false) } });
  #sound = h('button', { type: 'button', class: 'rb-button rb-neutral', hidden: true, on: { click: () => void this.#soundOnly() } });
  #choices = h('div', { class: 'rb-row' }, this.#bare, this.#sound);
  #notice = h('section', { class: 'rb-call-notice', hidden: true }, this.#problem, this.#choices);
  #strip = h('div', { class: 'rb-call-strips' });
  #secondText = h('p', { class: 'rb-second-text' });
  #second = h(
    'section',
    { class: 'rb-second', hidden: true },
    this.#secondText,
    h(
      'div',
      { class: 'rb-row' },
      h('button', { type: 'button', class: 'rb-button rb-answer', on: { click: () => void this.#endAndAnswer() } }, words.call.endAndAnswer),
      h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => void this.#declineSecond() } }, words.call.decline),
    ),
  );
  #endingText = h('p', {});
  #extend = h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => void this.#extendInvite() } }, words.ending.extend);
  #ending = h('section', { class: 'rb-banner rb-ending', hidden: true }, this.#endingText, this.#extend);
  #offline = h('p', { class: 'rb-banner', hidden: true }, words.reconnecting.inCall);
  #takeOver = h('button', { type: 'button', class: 'rb-button rb-brand', hidden: true, on: { click: () => this.client.takeOver() } }, say.takeOver);
  #close = h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => this.#leave() } }, say.close);
  #doneTitle = h('h2', { class: 'rb-title' });
  #doneText = h('p', {});
  #done = h('section', { class: 'rb-call-done', hidden: true }, this.#doneTitle, this.#doneText, h('div', { class: 'rb-row' }, this.#takeOver, this.#close));
  #polite = h('div', { class: 'rb-live', role: 'status', 'aria-live': 'polite' });
  #assertive = h('div', { class: 'rb-live', role: 'alert' });

  #sounds = new Sounds();
  /** @type {Order|null} what is still to be done */
  #order = null;
  #isPerforming = false;
  /** @type {CallView|null} */
  #ended = null;
  /** @type {Problem|null} */
  #failure = null;
  /** @type {Set<string>} whose picture is on show */
  #seen = new Set();
  #isLeaving = false;
  #openedAt = Date.now();
  #said = '';

  connectedCallback() {
    if (this.firstChild) return;
    this.classList.add('rb-softphone', 'rb-call-page');
    this.#devices.client = this.client;
    this.#strip.append(this.#offline, this.#ending, this.#second);
    this.append(
      h('main', { class: 'rb-call-main' }, this.#stage, this.#strip, this.#notice, this.#done),
      this.#devices,
      this.#polite,
      this.#assertive,
    );
    this.#wire();
    this.update();
  }

  #wire() {
    const { client } = this;
    client.on('change', () => this.update());
    client.on('ended', (call) => this.#callEnded(call));
    client.on('incoming', (call) => {
      if (this.#order?.callId !== call.call_id) setText(this.#assertive, words.announce.incoming(who(call)));
    });
    client.on('status', ({ status }) => {
      if (status === 'superseded' && !this.#isLeaving) this.bridge.lost();
    });
    this.#stage.actions = {
      mute: () => this.#withCall(({ call_id: id }) => {
        const isMuted = !client.localState(id).isMuted;
        client.mute(id, isMuted);
        this.#announce(isMuted ? say.announce.muted : say.announce.unmuted);
      }),
      camera: () => this.#withCall(async ({ call_id: id }) => {
        const isOn = !client.localState(id).isCameraOn;
        await client.setCamera(id, isOn);
        this.#announce(isOn ? say.announce.cameraOn : say.announce.cameraOff);
      }),
      share: () => this.#withCall(async ({ call_id: id }) => {
        if (client.localState(id).isSharing) await client.stopSharing(id);
        else await client.shareScreen(id);
      }),
      devices: () => void this.#toggleDevices(),
      end: () => this.#withCall(({ call_id: id }) => client.hangup(id)),
    };
    this.#devices.addEventListener('close', () => void this.#toggleDevices(false));
    document.addEventListener('pointerdown', (event) => {
      this.#sounds.unlock();
      const target = /** @type {Node} */ (event.target);
      if (!this.#devices.contains(target) && !this.#stage.devicesButton.contains(target)) void this.#toggleDevices(false);
    });
    setInterval(() => this.update(), 500);
  }

  // What it was opened for

  /** @param {Order} order */
  perform(order) {
    this.#order = order;
    this.#ended = null;
    this.#failure = null;
    void this.#tryOrder();
  }

  async #tryOrder() {
    const order = this.#order;
    const { client } = this;
    if (!order || this.#isPerforming || client?.state.status !== 'ready') return;
    const call = order.act === 'dial' ? null : this.#find(order.callId);
    if (order.act !== 'dial' && !call) {
      this.#order = null;
      return;
    }
    this.#isPerforming = true;
    try {
      if (call && order.isMuted) client.mute(call.call_id, true);
      if (order.act === 'dial') await client.dial(order.to ?? '', { record: order.record ?? null, video: true });
      else if (call?.state === 'ringing') await client.answer(call.call_id, { video: true });
      else if (call) await this.#raise(call.call_id, true);
      this.#order = null;
    } catch (error) {
      // A camera that fails leaves the choice to go on without.
      if (/** @type {any} */ (error).kind !== 'camera') this.#order = null;
      this.#fail(error);
    } finally {
      this.#isPerforming = false;
      this.update();
    }
  }

  /** @param {string} callId @param {boolean} camera */
  async #raise(callId, camera) {
    const { client } = this;
    const until = Date.now() + CONNECT_WAIT_MS;
    while (!client.localState(callId).isConnected && Date.now() < until) await changed(client);
    await client.startVideo(callId, { camera });
  }

  /** The order once more, perhaps without the camera. @param {boolean} camera */
  async #again(camera) {
    const order = this.#order;
    this.#failure = null;
    const call = this.#call();
    if (!order) return;
    if (camera) {
      await this.#tryOrder();
      return;
    }
    this.#order = null;
    try {
      if (call?.state === 'ringing') await this.client.answer(call.call_id, { video: true, camera: false });
      else if (call) await this.#raise(call.call_id, false);
    } catch (error) {
      this.#fail(error);
    }
    this.update();
  }

  /** The call goes on in the phone's page. */
  async #soundOnly() {
    const call = this.#call();
    this.#order = null;
    try {
      if (call?.state === 'ringing') await this.client.answer(call.call_id);
      this.#leave();
    } catch (error) {
      this.#fail(error);
    }
  }

  // What to show

  update() {
    const { client } = this;
    if (!client) return;
    const { state } = client;
    if (this.#order) void this.#tryOrder();
    const call = this.#call();
    const shown = call ?? this.#ended;
    if (call) this.#ended = null;
    const name = this.#drawStage(state, shown);
    this.#drawNotice(state, call);
    this.#drawStrips(state, call);
    this.#drawDone(state, shown);
    const second = this.#second.hidden ? null : 'ringtone';
    this.#sounds.play(this.bridge?.hasPage ? null : second);
    document.title = shown ? say.title(name) : words.label.idle;
  }

  /** @param {ClientState} state @param {CallView|null} call @returns {string} who is there, in words */
  #drawStage(state, call) {
    const now = Date.now() + state.clockOffsetMs;
    const model = stageModel(call, this.client.localState(call?.call_id ?? ''), { now, canShare: canShareScreen() });
    this.#announcePictures(model);
    if (call && model.status !== this.#said) {
      this.#said = model.status;
      this.#announce(model.status);
    }
    this.#stage.update(model);
    return model.name;
  }

  /** Who can be seen now, or not any more; who comes and goes is said by the stage. @param {StageModel} model */
  #announcePictures({ people }) {
    const seen = new Set();
    for (const { id, name, video } of people) {
      if (video !== null) seen.add(id);
      if (seen.has(id) !== this.#seen.has(id)) this.#announce(video !== null ? say.announce.theirPicture(name) : say.announce.noPicture(name));
    }
    this.#seen = seen;
  }

  /** @param {ClientState} state @param {CallView|null} call */
  #drawNotice(state, call) {
    const problem = call ? this.#problemOf(state) : null;
    this.#problem.update(problem);
    const isCamera = Boolean(call && problem && state.cameraProblem && this.#order && !this.#failure);
    setText(this.#bare, call?.state === 'ringing' ? say.answerBare : say.goOnBare);
    setText(this.#sound, call?.state === 'ringing' ? say.answerAudio : say.audioOnly);
    show(this.#bare, isCamera);
    show(this.#sound, isCamera);
    show(this.#notice, problem !== null);
  }

  /** @param {ClientState} state @returns {Problem|null} */
  #problemOf(state) {
    if (state.isPlaybackBlocked) {
      return {
        title: words.problem.hear,
        text: words.problem.playback,
        action: words.problem.hear,
        onAction: () => this.client.unblockPlayback(),
      };
    }
    const microphone = state.microphoneProblem;
    if (microphone !== null) {
      return {
        ...words.microphone[microphone],
        code: `microphone ${microphone}`,
        action: words.problem.retry,
        onAction: () => this.#withCall(({ call_id: id, state: at }) => (at === 'ringing' ? this.#tryOrder() : this.client.retryMicrophone(id))),
      };
    }
    if (this.#failure) return this.#failure;
    const camera = state.cameraProblem;
    if (camera === null) return null;
    return {
      ...say.problem[camera],
      code: `camera ${camera}`,
      action: words.problem.retry,
      onAction: () => (this.#order ? this.#again(true) : this.#withCall(({ call_id: id }) => this.client.setCamera(id, true))),
    };
  }

  /** @param {ClientState} state @param {CallView|null} call */
  #drawStrips(state, call) {
    show(this.#offline, state.status === 'reconnecting');
    const second = this.#secondCall(state);
    show(this.#second, second !== undefined);
    if (second) setText(this.#secondText, words.call.second(who(second)));
    const now = Date.now() + state.clockOffsetMs;
    const endsAt = call && endsSoonAt(call, now);
    show(this.#ending, endsAt !== null);
    if (endsAt !== null) setText(this.#endingText, words.ending.in(Math.ceil((endsAt - now) / 60_000)));
  }

  /** @param {ClientState} state @param {CallView|null} shown */
  #drawDone(state, shown) {
    const isElsewhere = state.status === 'superseded' && !this.#isLeaving && !this.#ended;
    const isAlone = state.status === 'signed_out' && !this.bridge.hasPage;
    const isLost = !shown && !this.#order && !isElsewhere && (isAlone || Date.now() - this.#openedAt > LOST_AFTER_MS);
    const isOver = shown?.state === 'ended';
    show(this.#done, isElsewhere || isLost || isOver);
    show(this.#takeOver, isElsewhere);
    if (isElsewhere) {
      setText(this.#doneTitle, say.elsewhere);
      setText(this.#doneText, '');
    } else if (isOver) {
      const advice = words.endReason[shown.end_reason ?? 'failed'] ?? words.endReason.failed;
      setText(this.#doneTitle, advice.title);
      setText(this.#doneText, [advice.text, say.closing].filter(Boolean).join(' '));
    } else if (isLost) {
      setText(this.#doneTitle, say.noCall);
      setText(this.#doneText, say.noCallText);
    }
  }

  /** The call on show: the one it was opened for, or the one that is up. */
  #call() {
    const inFocus = focused(this.client.state);
    return this.#find(this.#order?.callId) ?? (inFocus && isHere(inFocus) ? inFocus : null);
  }

  /** @param {string|undefined} callId */
  #find(callId) {
    return this.client.state.calls.find(({ call_id }) => call_id === callId) ?? null;
  }

  /** @param {ClientState} state */
  #secondCall(state) {
    const call = this.#call();
    return state.calls.find((each) => each.state === 'ringing' && each.call_id !== call?.call_id);
  }

  // What happens, what is pressed

  /** @param {CallView} call */
  #callEnded(call) {
    if (this.#order?.callId === call.call_id) this.#order = null;
    if (this.client.state.calls.length > 0) return;
    this.#ended = call;
    this.#failure = null;
    this.update();
    const advice = words.endReason[call.end_reason ?? 'failed'] ?? words.endReason.failed;
    this.#announce([advice.title, advice.text].filter(Boolean).join('. '));
    setTimeout(() => {
      if (this.#ended === call) this.#leave();
    }, CLOSE_AFTER_MS);
  }

  /** Gives the session back and closes. */
  #leave() {
    this.#isLeaving = true;
    this.client.release();
    this.bridge.leave();
    window.close();
  }

  async #endAndAnswer() {
    const call = this.#call();
    const second = this.#secondCall(this.client.state);
    if (!call || !second) return;
    try {
      await this.client.hangup(call.call_id);
      await this.client.answer(second.call_id);
    } catch (error) {
      this.#fail(error);
    }
  }

  async #declineSecond() {
    const second = this.#secondCall(this.client.state);
    if (second) await this.client.decline(second.call_id).catch((error) => this.#fail(error));
  }

  async #extendInvite() {
    const invite = this.#call()?.invite;
    if (!invite) return;
    try {
      await this.client.invites.extend(invite.invite_id, words.ending.minutes);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** @param {(call: CallView) => unknown} action */
  #withCall(action) {
    const call = this.#call();
    if (!call) return;
    this.#failure = null;
    Promise.resolve()
      .then(() => action(call))
      .catch((error) => this.#fail(error));
  }

  /** @param {unknown} error */
  #fail(error) {
    const { kind = 'internal', sipCode, traceId } = /** @type {any} */ (error);
    if (kind === 'camera' || kind === 'microphone') {
      this.update();
      return;
    }
    const advice = kind === 'video.refused' ? say.refused : words.error[/** @type {keyof typeof words.error} */ (kind)] ?? words.error.internal;
    this.#failure = {
      ...advice,
      code: [kind, sipCode ? `SIP ${sipCode}` : '', traceId ?? ''].filter(Boolean).join(', '),
      action: say.close,
      onAction: () => {
        this.#failure = null;
        this.update();
      },
    };
    this.#announce([advice.title, advice.text].join('. '));
    this.update();
  }

  /** @param {boolean} [isOpen] */
  async #toggleDevices(isOpen = Boolean(this.#devices.hidden)) {
    if (isOpen === !this.#devices.hidden) return;
    const button = this.#stage.devicesButton;
    button.setAttribute('aria-expanded', String(isOpen));
    button.setAttribute('aria-controls', 'rb-devices');
    if (isOpen) {
      await this.#devices.open();
      return;
    }
    const hadFocus = this.#devices.contains(document.activeElement);
    this.#devices.hidden = true;
    if (hadFocus) button.focus();
  }

  /** @param {string} text */
  #announce(text) {
    setText(this.#polite, text);
  }
}
customElements.define('ringbridge-call-page', CallPage);

/** Settles with the client's next change, or soon. @param {RingbridgeClient} client */
function changed(client) {
  return new Promise((resolve) => {
    client.on('change', resolve, { once: true });
    setTimeout(resolve, 250);
  });
}
