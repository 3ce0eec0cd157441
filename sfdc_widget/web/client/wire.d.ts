// Generated from gateway/sessions/wire.py by `python -m gateway.sessions.document`.
// Do not edit. Import the types by JSDoc:
//   /** @typedef {import("./wire.d.ts").CallView} CallView */

/** Stable names of errors (`error.data.kind`). */
export type ErrorKind =
  | "auth.expired"
  | "auth.denied"
  | "session.unknown"
  | "session.superseded"
  | "call.unknown"
  | "call.wrong_state"
  | "call.limit"
  | "number.invalid"
  | "codec.none"
  | "media.bad_sdp"
  | "media.unavailable"
  | "registrar.down"
  | "crm.unavailable"
  | "crm.refused"
  | "crm.duplicate"
  | "policy.denied"
  | "op.conflict"
  | "rate.limited"
  | "drain"
  | "bad_request"
  | "method.unknown"
  | "internal";

export type RegistrationState =
  | "registering"
  | "registered"
  | "failed"
  | "unregistered";

/** Why the phone account is not registered; the widget has words for each. */
export type RegistrationProblem =
  | "wrong_password"
  | "refused"
  | "unreachable"
  | "unavailable";

export type CallDirection =
  | "inbound"
  | "outbound";

/** `ringing` incoming; `calling`, `alerting` outgoing before an answer. */
export type CallState =
  | "ringing"
  | "answering"
  | "calling"
  | "alerting"
  | "active"
  | "ended";

/** Why a call ended, from the rep's point of view; one for every call. */
export type EndReason =
  | "hung_up_here"
  | "hung_up_there"
  | "cancelled_here"
  | "missed"
  | "declined_here"
  | "answered_elsewhere"
  | "declined_elsewhere"
  | "busy"
  | "declined_there"
  | "no_answer"
  | "unknown_number"
  | "unreachable"
  | "not_allowed"
  | "no_common_codec"
  | "server_unavailable"
  | "client_lost"
  | "media_failed"
  | "gateway_restarted"
  | "failed";

export type MatchState =
  | "searching"
  | "found"
  | "none"
  | "failed";

/** Of the call's CRM activity. `none`: this call is not to be logged. */
export type ActivityState =
  | "none"
  | "waiting"
  | "written"
  | "failed";

/**
 * What `call.media` says.
 *
 * `connected`: audio flows for `generation`. `renegotiate`: send
 * `call.media` with a new offer, same ICE, same generation. `renew`: build a new
 * peer connection and offer with generation + 1. `lost`: the browser's packets
 * stopped (a hint to renew).
 */
export type MediaAction =
  | "connected"
  | "renegotiate"
  | "renew"
  | "lost";

/** Why the browser offers. */
export type MediaReason =
  | "initial"
  | "reload"
  | "network"
  | "failed"
  | "renegotiate";

/** A CRM record, ready to show and to pop. */
export interface Record {
  id: string;
  kind: string;
  name: string;
  url: string;
  company: string;
  phone: string;
  certainty: "exact" | "possible";
}

/** What the CRM knows of the other party; `records` best first. */
export interface Match {
  state: MatchState;
  records: readonly Record[];
}

/** The other party: `number` as dialled or shown by SIP, `national` to read. */
export interface Peer {
  number: string;
  national: string;
  e164: string;
  display_name: string;
}

export interface ActivityView {
  state: ActivityState;
  record_id: string;
  url: string;
  problem: string;
}

/** All that a client needs to draw a call. Times are Unix milliseconds. */
export interface CallView {
  call_id: string;
  direction: CallDirection;
  state: CallState;
  peer: Peer;
  match: Match;
  started_at: number;
  answered_at?: number;
  ended_at?: number;
  end_reason?: EndReason;
  sip_code?: number;
  media_generation: number;
  activity: ActivityView;
}

/** `retry_in_s`: seconds to the next try, absent when none is planned. */
export interface Registration {
  state: RegistrationState;
  problem?: RegistrationProblem;
  sip_code?: number;
  retry_in_s?: number;
}

export interface UserView {
  id: string;
  name: string;
  number: string;
  tenant: string;
  company: string;
}

/** Everything, at one moment; enough to draw the whole client. */
export interface Snapshot {
  user: UserView;
  registration: Registration;
  calls: readonly CallView[];
  crm: string;
  country: string;
  server_time: number;
}

/** `instance_id` names this page load; a reload has another. */
export interface Client {
  name: string;
  version: string;
  instance_id: string;
}

/** First message of a new page: a one-use ticket from `POST /v1/sessions`. */
export interface SessionHello {
  ticket: string;
  client: Client;
  caps?: readonly string[];
}

export interface SessionHelloResult {
  session_id: string;
  resume_token: string;
  resume_window_s: number;
  heartbeat_s: number;
  heartbeat_in_call_s: number;
  seq: number;
  snapshot: Snapshot;
}

/** First message after a lost socket of the same page. */
export interface SessionResume {
  session_id: string;
  resume_token: string;
  instance_id: string;
  last_seq: number;
}

/** `resumed` false: events were lost, `snapshot` replaces all state. */
export interface SessionResumeResult {
  resumed: boolean;
  resume_token: string;
  seq: number;
  replay_from?: number;
  snapshot?: Snapshot;
}

export interface SessionAck {
  seq: number;
}

/** Sign out: calls end, the phone account is unregistered. */
export interface SessionClose {
  op_id: string;
}

export interface Ping {
}

export interface Empty {
}

/** Try to register now, also after `wrong_password`. */
export interface RegistrationRetry {
  op_id: string;
}

/** Dial `to` (digits, E.164, `tel:` or `sip:`). `call_id` is client-made. */
export interface CallCreate {
  op_id: string;
  call_id: string;
  to: string;
  offer: string;
  record?: Record;
}

/** `answer` is the SDP answer to the offer in the request, if there was one. */
export interface CallAnswerResult {
  call: CallView;
  answer?: string;
}

/** Answer an incoming call; `offer` unless one was sent by `call.media`. */
export interface CallAnswer {
  op_id: string;
  call_id: string;
  offer?: string;
  generation?: number;
}

export interface CallReject {
  op_id: string;
  call_id: string;
  reason?: "declined" | "busy";
}

export interface CallHangup {
  op_id: string;
  call_id: string;
}

export interface CallDtmf {
  op_id: string;
  call_id: string;
  digits: string;
}

/** Offer media: first time, after a reload or network change, or as asked. */
export interface CallMedia {
  op_id: string;
  call_id: string;
  offer: string;
  generation: number;
  reason?: MediaReason;
}

export interface CallMediaResult {
  answer: string;
  generation: number;
}

/** A late ICE candidate; the gateway is ICE-lite and needs none, so a no-op. */
export interface CallTrickle {
  call_id: string;
  generation: number;
  candidate?: string;
}

export interface CallResult {
  call: CallView;
}

/** Create a contact, and match it to `call_id` when given. */
export interface ContactCreate {
  op_id: string;
  last_name: string;
  first_name?: string;
  phone?: string;
  company?: string;
  call_id?: string;
}

export interface ContactCreateResult {
  record: Record;
}

/** Of several matches, this one is meant; the activity goes there. */
export interface CallChooseRecord {
  op_id: string;
  call_id: string;
  record_id: string;
}

/** Ended calls, newest first; `before` is a `started_at` in Unix ms. */
export interface HistoryList {
  limit?: number;
  before?: number;
}

export interface HistoryListResult {
  calls: readonly CallView[];
}

export interface RegistrationStateEvent {
  seq: number;
  at: number;
  type: "registration.state";
  registration: Registration;
}

export interface CallIncomingEvent {
  seq: number;
  at: number;
  type: "call.incoming";
  call: CallView;
}

/** The far end of an outgoing call rings: play ringback unless early media. */
export interface CallRingingEvent {
  seq: number;
  at: number;
  type: "call.ringing";
  call: CallView;
}

/** The far end sends sound before it answers; stop local ringback. */
export interface CallEarlyMediaEvent {
  seq: number;
  at: number;
  type: "call.early_media";
  call: CallView;
}

export interface CallAnsweredEvent {
  seq: number;
  at: number;
  type: "call.answered";
  call: CallView;
}

export interface CallMediaEvent {
  seq: number;
  at: number;
  type: "call.media";
  call_id: string;
  action: MediaAction;
  generation: number;
}

export interface CallDtmfEvent {
  seq: number;
  at: number;
  type: "call.dtmf";
  call_id: string;
  digit: string;
}

/** Match, peer or activity state changed. */
export interface CallUpdatedEvent {
  seq: number;
  at: number;
  type: "call.updated";
  call: CallView;
}

export interface CallEndedEvent {
  seq: number;
  at: number;
  type: "call.ended";
  call: CallView;
}

/** Another page has taken over; close code 4409 follows. */
export interface SessionSupersededEvent {
  seq: number;
  at: number;
  type: "session.superseded";
}

export interface ServerNoticeEvent {
  seq: number;
  at: number;
  type: "server.notice";
  notice: "drain";
}

/** `kind` is the stable API; `message` beside it is for people. */
export interface ErrorData {
  kind: ErrorKind;
  retryable: boolean;
  sip_code?: number;
  op_id?: string;
  trace_id?: string;
  records: readonly Record[];
}

/** An RS256 JWT that the tenant's CRM signed for its user; see PROTOCOL.md. */
export interface SignInByAssertion {
  assertion: string;
}

/** Sign-in without a CRM. */
export interface SignInByPassword {
  tenant: string;
  username: string;
  password: string;
}

/** `access_token` goes into `Authorization: Bearer`; lasts `expires_in` s. */
export interface SignInResult {
  access_token: string;
  expires_in: number;
  user: UserView;
}

/** `ticket` opens one session, once, within `expires_in` seconds. */
export interface TicketResult {
  ticket: string;
  expires_in: number;
}

/** As WebRTC's `RTCIceServer`. */
export interface IceServer {
  urls: readonly string[];
  username?: string;
  credential?: string;
}

/** `expires_in`: seconds the credentials last, absent when they do not expire. */
export interface TurnResult {
  ice_servers: readonly IceServer[];
  expires_in?: number;
}

export interface IceTestResult {
  ok: boolean;
  server_time: number;
  turn: boolean;
}

export interface HttpErrorDetail {
  kind: ErrorKind;
  message: string;
}

/** The body of every HTTP answer that is an error. */
export interface HttpError {
  error: HttpErrorDetail;
}

/** What each method takes and gives. */
export interface Methods {
  "session.hello": { params: SessionHello; result: SessionHelloResult };
  "session.resume": { params: SessionResume; result: SessionResumeResult };
  "session.ack": { params: SessionAck; result: Empty };
  "session.close": { params: SessionClose; result: Empty };
  "ping": { params: Ping; result: Empty };
  "registration.retry": { params: RegistrationRetry; result: Empty };
  "call.create": { params: CallCreate; result: CallAnswerResult };
  "call.answer": { params: CallAnswer; result: CallAnswerResult };
  "call.reject": { params: CallReject; result: CallResult };
  "call.hangup": { params: CallHangup; result: CallResult };
  "call.dtmf": { params: CallDtmf; result: Empty };
  "call.media": { params: CallMedia; result: CallMediaResult };
  "call.trickle": { params: CallTrickle; result: Empty };
  "call.choose_record": { params: CallChooseRecord; result: CallResult };
  "contact.create": { params: ContactCreate; result: ContactCreateResult };
  "history.list": { params: HistoryList; result: HistoryListResult };
}

export type MethodName = keyof Methods;

/** Every event; `type` tells them apart. */
export type AnyEvent =
  | RegistrationStateEvent
  | CallIncomingEvent
  | CallRingingEvent
  | CallEarlyMediaEvent
  | CallAnsweredEvent
  | CallMediaEvent
  | CallDtmfEvent
  | CallUpdatedEvent
  | CallEndedEvent
  | SessionSupersededEvent
  | ServerNoticeEvent;

export type EventType = AnyEvent["type"];

/** A request frame. */
export interface Request<M extends MethodName = MethodName> {
  jsonrpc: "2.0";
  id: string | number;
  method: M;
  params: Methods[M]["params"];
}

/** A frame that answers the request with the same `id`. */
export interface Success<M extends MethodName = MethodName> {
  jsonrpc: "2.0";
  id: string | number;
  result: Methods[M]["result"];
}

/** `id` is null when the request could not be read. */
export interface Failure {
  jsonrpc: "2.0";
  id: string | number | null;
  error: { code: number; message: string; data: ErrorData };
}

/** A frame with an event. */
export interface Notification {
  jsonrpc: "2.0";
  method: "event";
  params: AnyEvent;
}

export type ServerFrame = Success | Failure | Notification;
