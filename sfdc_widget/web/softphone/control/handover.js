import { consultation } from '../../client/focus.js';
import { h, setText, show } from '../dom.js';
import { peerNumber, who } from '../format.js';
import { words } from '../strings.js';

/**
 * @import {CallView, Peer} from '../../client/wire.d.ts'
 * @import {ClientState} from '../../client/ringbridge-client.js'
 * @import {Presses} from '../presses.js'
 */

/** A call that is being handed over: who is asked about it, and how the transfer goes. */
export class Handover {
  #presses;
  /** @type {ReturnType<typeof consultation>} */
  #pair = null;
  /** @type {CallView|null} */
  #call = null;
  #question = h('p', { dir: 'auto' });
  #complete = h('button', { type: 'button', class: 'rb-button rb-brand', on: { click: () => this.#withPair((pair) => this.#presses.transfer(pair.about, { toCall: pair.asked.call_id })) } }, words.control.complete);
  #back = h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => this.#withPair((pair) => this.#presses.comeBack(pair)) } }, words.control.comeBack);
  #merge = h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => this.#withPair(({ about, asked }) => this.#presses.merge([about, asked])) } }, words.control.merge);
  #consult = h('section', { class: 'rb-handover', hidden: true }, this.#question, h('div', { class: 'rb-row' }, this.#complete, this.#back, this.#merge));
  #progressText = h('p', { dir: 'auto' });
  #progressDetail = h('p', { class: 'rb-card-text', dir: 'auto' });
  #code = h('p', { class: 'rb-card-code' });
  #takeBack = h('button', { type: 'button', class: 'rb-button rb-neutral', on: { click: () => this.#call && void this.#presses.hold({ ...this.#call, held_here: true }) } }, words.control.takeBack);
  #close = h('button', { type: 'button', class: 'rb-link', on: { click: () => this.#dismiss() } }, words.control.dismiss);
  /** The failure that has been read. */
  #read = '';
  #progress = h('section', { class: 'rb-handover', role: 'status', hidden: true }, this.#progressText, this.#progressDetail, this.#code, this.#takeBack, this.#close);
  elements = [this.#consult, this.#progress];

  /** @param {Presses} presses */
  constructor(presses) {
    this.#presses = presses;
  }

  /** @param {ClientState} state @param {CallView|null} focus */
  update(state, focus) {
    const pair = consultation(state);
    this.#pair = pair;
    const transfer = this.#inTransfer(pair, focus);
    const isUnderWay = transfer !== null && transfer.state !== 'failed';
    show(this.#consult, pair !== null && !isUnderWay);
    if (pair) {
      setText(this.#question, words.control.consulting(who(pair.asked), who(pair.about)));
      const canJoin = pair.asked.state === 'active' && pair.about.state === 'active';
      this.#complete.disabled = this.#merge.disabled = !canJoin;
    }
    this.#drawProgress(transfer);
  }

  /** @param {ReturnType<typeof consultation>} pair @param {CallView|null} focus */
  #inTransfer(pair, focus) {
    this.#call = [focus, pair?.about, pair?.asked].find((call) => call?.transfer && call.state !== 'ended') ?? null;
    const transfer = this.#call?.transfer ?? null;
    return transfer && this.#key(transfer) === this.#read ? null : transfer;
  }

  /** @param {NonNullable<CallView['transfer']>} transfer */
  #key(transfer) {
    return transfer.state === 'failed' ? JSON.stringify([this.#call?.call_id, transfer]) : '-';
  }

  #dismiss() {
    const transfer = this.#call?.transfer;
    if (transfer) this.#read = this.#key(transfer);
    show(this.#progress, false);
  }

  /** @param {CallView['transfer']|null} transfer */
  #drawProgress(transfer) {
    show(this.#progress, Boolean(transfer));
    if (!transfer || !this.#call) return;
    const to = nameOf(transfer.to);
    const hasFailed = transfer.state === 'failed';
    this.#progress.classList.toggle('rb-failed', hasFailed);
    const { transferring } = words.control;
    setText(this.#progressText, transfer.state === 'failed' ? words.control.transferFailed(to) : transferring[transfer.state](to));
    const why = words.control.why[transfer.sip_code ?? 0] ?? '';
    setText(this.#progressDetail, hasFailed ? [why, words.control.stillThere(who(this.#call))].filter(Boolean).join(' ') : '');
    show(this.#progressDetail, hasFailed);
    setText(this.#code, hasFailed && transfer.sip_code ? `${words.problem.code} SIP ${transfer.sip_code}` : '');
    show(this.#code, hasFailed && Boolean(transfer.sip_code));
    show(this.#takeBack, !hasFailed);
    show(this.#close, hasFailed);
  }

  /** @param {(pair: NonNullable<ReturnType<typeof consultation>>) => unknown} act */
  #withPair(act) {
    if (this.#pair) void act(this.#pair);
  }
}

/** @param {Peer} peer */
function nameOf(peer) {
  return peer.display_name || peerNumber(peer);
}
