// Generated from gateway/sessions/wire by `python -m gateway.sessions.document`.
// Do not edit. Import the types by JSDoc:
//   /** @typedef {import("./wire.d.ts").CallView} CallView */

export interface Empty {
}

/**
 * `kind` is the stable API; `message` beside it is for people.
 *
 * `field` names the request's field that is wrong, as a path (`guests.0.email`).
 */
export interface ErrorData {
  kind: ErrorKind;
  retryable: boolean;
  sip_code?: number;
  op_id?: string;
  trace_id?: string;
  records: readonly Record[];
  field: string;
}

/** Stable names of errors (`error.data.kind`). */
export type ErrorKind =
  | "auth.expired"
  | "auth.denied"
  | "session.unknown"
  | "session.superseded"
  | "session.observer"
  | "call.unknown"
  | "call.wrong_state"
  | "call.limit"
  | "number.invalid"
  | "codec.none"
  | "media.bad_sdp"
  | "media.unavailable"
  | "registrar.down"
  | "crm.unavailable"
  | "crm.limit"
  | "crm.refused"
  | "crm.duplicate"
  | "invite.unknown"
  | "invite.invalid"
  | "invite.closed"
  | "policy.denied"
  | "op.conflict"
  | "rate.limited"
  | "drain"
  | "bad_request"
  | "method.unknown"
  | "internal";

/** A CRM record, ready to show and to pop. */
export interface Record {
  id: string;
  kind: string;
  name: string;
  url: string;
  company: string;
  phone: string;
  email: string;
  certainty: "exact" | "possible";
}

/** Of the call's CRM activity. `none`: this call is not to be logged. */
export type ActivityState =
  | "none"
  | "waiting"
  | "written"
  | "failed";

export interface ActivityView {
  state: ActivityState;
  record_id: string;
  url: string;
  problem: string;
}

/**
 * Answer an incoming call; `offer` unless one was sent by `call.media`. Calls
 * that are active are put on hold; `call.wrong_state` if one of them cannot be.
 */
export interface CallAnswer {
  op_id: string;
  call_id: string;
  offer?: string;
  generation?: number;
}

export interface CallAnsweredEvent {
  seq: number;
  at: number;
  type: "call.answered";
  call: CallView;
}

/** `answer` is the SDP answer to the offer in the request, if there was one. */
export interface CallAnswerResult {
  call: CallView;
  answer?: string;
}

/** Of several matches, this one is meant; the activity goes there. */
export interface CallChooseRecord {
  op_id: string;
  call_id: string;
  record_id: string;
}

/**
 * Dial `to` (digits, E.164, `tel:` or `sip:`). `call_id` is client-made.
 *
 * Calls that are active are put on hold. `device` `desk_phone`: the desk phone
 * rings, and calls when it is answered; `offer` is absent then, and needed
 * otherwise. `consults_for`: a call that this one is about.
 */
export interface CallCreate {
  op_id: string;
  call_id: string;
  to: string;
  offer?: string;
  record?: Record;
  device?: CallDevice;
  consults_for?: string;
}

/**
 * Where the rep has the call. That of a desk phone is only followed: of the
 * requests about calls it takes `work.*` and `call.choose_record`. One that rang
 * here goes on there under its id: `call.answered` then follows its `call.ended`.
 */
export type CallDevice =
  | "here"
  | "desk_phone";

export type CallDirection =
  | "inbound"
  | "outbound";

/** `call.wrong_state` where no telephone hears it, as in a meeting. */
export interface CallDtmf {
  op_id: string;
  call_id: string;
  digits: string;
}

export interface CallDtmfEvent {
  seq: number;
  at: number;
  type: "call.dtmf";
  call_id: string;
  digit: string;
}

/** The far end sends sound before it answers; stop local ringback. */
export interface CallEarlyMediaEvent {
  seq: number;
  at: number;
  type: "call.early_media";
  call: CallView;
}

export interface CallEndedEvent {
  seq: number;
  at: number;
  type: "call.ended";
  call: CallView;
}

export interface CallHangup {
  op_id: string;
  call_id: string;
}

export interface CallIncomingEvent {
  seq: number;
  at: number;
  type: "call.incoming";
  call: CallView;
}

/**
 * Come to the meeting of the invite. Guests only, and all that they may dial.
 *
 * The first guest calls the host. Others hear ringing while that rings, and enter
 * (`call.answered`) when the host has answered in a browser, or is there already; if
 * the host took it elsewhere, or the first one gave up, the next one calls. At most
 * five are in a meeting, the host among them (`call.limit`).
 */
export interface CallJoin {
  op_id: string;
  call_id: string;
  offer: string;
}

/** Offer media: first time, after a reload or network change, or as asked. */
export interface CallMedia {
  op_id: string;
  call_id: string;
  offer: string;
  generation: number;
  reason?: MediaReason;
}

export interface CallMediaEvent {
  seq: number;
  at: number;
  type: "call.media";
  call_id: string;
  action: MediaAction;
  generation: number;
}

export interface CallMediaResult {
  answer: string;
  generation: number;
}

/** `declined`: on all devices; `busy`: on this one, the others go on ringing. */
export interface CallReject {
  op_id: string;
  call_id: string;
  reason?: "declined" | "busy";
}

export interface CallResult {
  call: CallView;
}

/**
 * The far end of an outgoing call rings, or that of another guest with whom this
 * one waits: play ringback unless early media.
 */
export interface CallRingingEvent {
  seq: number;
  at: number;
  type: "call.ringing";
  call: CallView;
}

/** `ringing` incoming; `calling`, `alerting` outgoing before an answer. */
export type CallState =
  | "ringing"
  | "answering"
  | "calling"
  | "alerting"
  | "active"
  | "ended";

/** A late ICE candidate; the gateway is ICE-lite and needs none, so a no-op. */
export interface CallTrickle {
  call_id: string;
  generation: number;
  candidate?: string;
}

/** `internal`: with a colleague; `consult`: with somebody about another call. */
export type CallType =
  | "external"
  | "internal"
  | "consult";

/** Anything else that a view shows has changed. */
export interface CallUpdatedEvent {
  seq: number;
  at: number;
  type: "call.updated";
  call: CallView;
}

/**
 * All that a client needs to draw a call. Times are Unix milliseconds.
 *
 * `participants`: everybody else in a meeting; empty in a call of two, where
 * `peer` is the other one. `held_here`, `held_there`: who has put it on hold.
 * `conference`: shared by the calls that are mixed into one; "" for none.
 * `consults_for`: the call that this one is about. `transferred_by`: who
 * transferred the other party to us. `caller_key`: what the caller typed into an
 * IVR, or the server says instead of a number.
 */
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
  video: VideoView;
  invite?: InviteRef;
  participants: readonly Participant[];
  type: CallType;
  device: CallDevice;
  held_here: boolean;
  held_there: boolean;
  conference: string;
  consults_for?: string;
  transfer?: TransferView;
  transferred_by?: Peer;
  caller_key: string;
  work: WorkView;
}

/**
 * Create a contact or lead, and match it to `call_id` when given.
 *
 * Somebody may be there already: `crm.duplicate`, with the records. Its `field` is
 * `allow_duplicate` where the CRM only warns: sent again with that, the request goes
 * through. `crm.refused` names the `field` that is missing or may not be written,
 * by its name here or, of others, in the CRM.
 */
export interface ContactCreate {
  op_id: string;
  kind?: "Contact" | "Lead";
  allow_duplicate?: boolean;
  last_name: string;
  first_name?: string;
  phone?: string;
  company?: string;
  email?: string;
  call_id?: string;
}

export interface ContactCreateResult {
  record: Record;
}

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
  | "invite_over"
  | "transferred"
  | "do_not_disturb"
  | "failed";

/** Ended calls, newest first; `before` is a `started_at` in Unix ms. */
export interface HistoryList {
  limit?: number;
  before?: number;
}

export interface HistoryListResult {
  calls: readonly CallView[];
}

/**
 * The video invite that a call came by; `guest` is who it was for. `ends_at`:
 * Unix ms when the call ends with the invite's time, None in the history.
 */
export interface InviteRef {
  invite_id: string;
  subject: string;
  guest: string;
  ends_at?: number;
}

/** What the CRM knows of the other party; `records` best first. */
export interface Match {
  state: MatchState;
  records: readonly Record[];
}

export type MatchState =
  | "searching"
  | "found"
  | "none"
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

/**
 * Somebody else in a meeting. `id`: stream id (`a=msid`) of what they send,
 * "" if that is the call's own audio and video.
 */
export interface Participant {
  id: string;
  name: string;
  is_host: boolean;
}

/** The other party: `number` as dialled or shown by SIP, `national` to read. */
export interface Peer {
  number: string;
  national: string;
  e164: string;
  display_name: string;
}

/** People whose name or e-mail begins so; fewer than two letters find nobody. */
export interface RecordSearch {
  text: string;
}

/** At most 10, the likeliest first. */
export interface RecordSearchResult {
  records: readonly Record[];
}

/**
 * Of a transfer that the rep asked for. `asked`: the far end was asked;
 * `trying`, `ringing`: what it, or the gateway in its stead, reports of the new
 * call; `failed`: the rep still has the call. When it is done, the call ends as
 * `transferred`.
 */
export type TransferState =
  | "asked"
  | "trying"
  | "ringing"
  | "failed";

/** `to`: whom the call is to go to. `sip_code`: why it failed, if SIP said. */
export interface TransferView {
  state: TransferState;
  to: Peer;
  sip_code?: number;
}

/**
 * Of a call's video. `offered`: the other party offers it or has asked for it,
 * and this side has none yet; it is taken by an offer with video.
 */
export type VideoState =
  | "none"
  | "offered"
  | "active";

/**
 * `sends`: the far end takes ours; `receives`: it sends us its own.
 *
 * In a meeting `sends` is so when anybody may take it; `receives` is about the
 * call's own video alone, not that of further streams.
 */
export interface VideoView {
  state: VideoState;
  sends: boolean;
  receives: boolean;
}

/**
 * Put a call on hold: the other party hears music. In a conference the rep alone is
 * out of it, and the others go on. `call.wrong_state` in a meeting with further
 * guests.
 */
export interface CallHold {
  op_id: string;
  call_id: string;
}

/**
 * Make one conference of these calls, or bring them into the one that one is in,
 * with the rep in it. At most eight are in one (`call.limit`). `conference` of
 * their views is the same then; it ends when fewer than two are left.
 */
export interface CallMerge {
  op_id: string;
  call_ids: readonly string[];
}

/**
 * Take it back, and with it the conference that it is in; other calls that are
 * active are put on hold (a swap).
 */
export interface CallRetrieve {
  op_id: string;
  call_id: string;
}

/**
 * Take the call out of its conference, on hold. With two left, the conference goes
 * on; with one, that is an ordinary call again.
 */
export interface CallSplit {
  op_id: string;
  call_id: string;
}

/**
 * Hand the other party over: to `to` (blind), or to the other party of
 * `to_call` (attended). The call shows how it goes; it ends as `transferred`, and
 * `to_call` with it, or stays when it failed.
 */
export interface CallTransfer {
  op_id: string;
  call_id: string;
  to?: string;
  to_call?: string;
}

export interface PresenceChangedEvent {
  seq: number;
  at: number;
  type: "presence.changed";
  state: PresenceState;
}

export interface PresenceSet {
  op_id: string;
  state: PresenceState;
}

/** `do_not_disturb`: calls do not ring here; other devices may. */
export type PresenceState =
  | "available"
  | "do_not_disturb";

/** The body of every HTTP answer that is an error. */
export interface HttpError {
  error: HttpErrorDetail;
}

export interface HttpErrorDetail {
  kind: ErrorKind;
  message: string;
}

/** As WebRTC's `RTCIceServer`. */
export interface IceServer {
  urls: readonly string[];
  username?: string;
  credential?: string;
}

export interface IceTestResult {
  ok: boolean;
  server_time: number;
  turn: boolean;
}

/**
 * `token` is the last part of the link `/join/TOKEN`. `browser` is a secret
 * that this browser made at first use and keeps: a link is not for two at once.
 */
export interface JoinByLink {
  token: string;
  browser: string;
}

/** `text`: the invite as an iCalendar file (RFC 5545). */
export interface JoinCalendar {
  text: string;
}

/** Come in as `name`, whoever the link was sent to. */
export interface JoinSession {
  token: string;
  browser: string;
  name: string;
}

/** An RS256 JWT that the tenant's CRM signed for its user; see PROTOCOL.md. */
export interface SignInByAssertion {
  assertion: string;
}

/**
 * What the sign-in window has given this page, and the secret whose SHA-256 the
 * window was opened with; see PROTOCOL.md.
 */
export interface SignInByCode {
  code: string;
  secret: string;
}

/** Sign-in without a CRM. */
export interface SignInByPassword {
  tenant: string;
  username: string;
  password: string;
}

/** Sign-in with the phone account, where the tenant has it switched on. */
export interface SignInByPhone {
  tenant: string;
  sip_username: string;
  sip_password: string;
}

/** The newest `refresh_token`; each is good once. */
export interface SignInRefresh {
  refresh_token: string;
}

/**
 * `access_token` goes into `Authorization: Bearer`; lasts `expires_in` s.
 *
 * `refresh_token` prolongs the sign-in by `POST /v1/sign-in/refresh`; guests of
 * invites have none.
 */
export interface SignInResult {
  access_token: string;
  expires_in: number;
  refresh_token?: string;
  user: UserView;
}

/** Ends the sign-in of this `refresh_token`, with its session and calls. */
export interface SignOut {
  refresh_token: string;
}

/** `ticket` opens one session, once, within `expires_in` seconds. */
export interface TicketResult {
  ticket: string;
  expires_in: number;
}

/** `expires_in`: seconds the credentials last, absent when they do not expire. */
export interface TurnResult {
  ice_servers: readonly IceServer[];
  expires_in?: number;
}

/**
 * Whom to invite; `guest_id` of one who is invited already. `email` may be
 * empty where no mail is to be sent. `time_zone`: IANA name of where the guest is,
 * in which they are told when it is; empty for the invite's own.
 */
export interface GuestDraft {
  name: string;
  email?: string;
  role?: GuestRole;
  time_zone?: string;
  guest_id?: string;
}

export type GuestRole =
  | "customer"
  | "colleague";

/** `joined_at`: first time in the call, Unix ms; `mail_problem` for people. */
export interface GuestView {
  guest_id: string;
  name: string;
  email: string;
  role: GuestRole;
  time_zone: string;
  mail: MailState;
  mail_problem: string;
  joined_at?: number;
  is_in_call: boolean;
}

export interface InviteCancel {
  op_id: string;
  invite_id: string;
}

/** Everything anew. Guests that are left out are told that it is cancelled. */
export interface InviteChange {
  op_id: string;
  invite_id: string;
  invite: InviteDraft;
}

/** `invite_id` is client-made. "Start now": `starts_at` is this moment. */
export interface InviteCreate {
  op_id: string;
  invite_id: string;
  invite: InviteDraft;
}

/**
 * `time_zone`: IANA name of where the rep is; mails to guests without one of
 * their own are written in it. `contact`: whom it is for in
 * the CRM; `about`: the record it was made from (an Opportunity, a Case).
 */
export interface InviteDraft {
  subject: string;
  text?: string;
  starts_at: number;
  ends_at: number;
  time_zone: string;
  language?: string;
  guests: readonly GuestDraft[];
  contact?: Record;
  about?: Record;
  send_mail?: boolean;
}

/** The invite's time ends soon; to its rep and to guests in the call. */
export interface InviteEndingEvent {
  seq: number;
  at: number;
  type: "invite.ending";
  invite_id: string;
  ends_at: number;
}

/** Let it end later, also while it runs. */
export interface InviteExtend {
  op_id: string;
  invite_id: string;
  minutes: number;
}

export interface InviteLink {
  invite_id: string;
  guest_id: string;
}

export interface InviteLinkResult {
  url: string;
}

/**
 * `past`: those that are over, newest first, else what comes, next first;
 * `after` is the last `invite_id` of the page before.
 */
export interface InviteList {
  past?: boolean;
  limit?: number;
  after?: string;
}

export interface InviteListResult {
  invites: readonly InviteView[];
}

/** Mail the invitation again, to all guests or to one. */
export interface InviteResend {
  op_id: string;
  invite_id: string;
  guest_id?: string;
}

export interface InviteResult {
  invite: InviteView;
}

/** `open`: guests may come in now. `no_show`: over, and no guest ever came. */
export type InviteState =
  | "scheduled"
  | "open"
  | "over"
  | "no_show"
  | "cancelled";

/** Changed, opened, joined, mailed, written to the CRM, over. */
export interface InviteUpdatedEvent {
  seq: number;
  at: number;
  type: "invite.updated";
  invite: InviteView;
}

/**
 * An invite as its rep sees it. Times are Unix milliseconds; `opens_at` is when
 * guests may come in; `event` is the CRM's calendar event.
 */
export interface InviteView {
  invite_id: string;
  state: InviteState;
  subject: string;
  text: string;
  starts_at: number;
  ends_at: number;
  opens_at: number;
  time_zone: string;
  language: string;
  guests: readonly GuestView[];
  contact?: Record;
  about?: Record;
  event: ActivityView;
}

/**
 * `unknown`: no such link, for whatever reason. `in_use`: somebody is in the
 * call by it, in another browser; `used_up`: as many browsers as may have used it.
 */
export type JoinState =
  | "early"
  | "open"
  | "over"
  | "cancelled"
  | "revoked"
  | "in_use"
  | "used_up"
  | "unknown";

/**
 * What a link leads to. Times are Unix ms, 0 when the link is `unknown`;
 * `contact` is how to reach the host otherwise. `time_zone` is the host's;
 * `guest_time_zone` what the host takes for the guest's, empty if nothing.
 */
export interface JoinView {
  state: JoinState;
  subject: string;
  host: string;
  company: string;
  contact: string;
  guest: string;
  language: string;
  time_zone: string;
  guest_time_zone: string;
  opens_at: number;
  starts_at: number;
  ends_at: number;
  server_time: number;
}

/**
 * Of the last mail to a guest. `none`: nothing was to be sent. `failed`: it
 * never left; `bounced`: it left, and a notice came that it was not delivered.
 * `uncertain`: the gateway died while it was being handed over; resend it to be
 * sure. `sent` with a `mail_problem`: delivery is delayed.
 */
export type MailState =
  | "none"
  | "waiting"
  | "sent"
  | "failed"
  | "bounced"
  | "uncertain";

/** Somebody to call or to transfer to. */
export interface DirectoryEntry {
  kind: EntryKind;
  name: string;
  number: string;
  company: string;
  record?: Record;
  state: EntryState;
  is_favourite: boolean;
}

/** By name, number or e-mail, as one types; "" gives the favourites alone. */
export interface DirectorySearch {
  text?: string;
}

/**
 * Favourites first, then colleagues, then CRM records; at most 20.
 * `is_complete` false: the CRM did not answer in time, the rest is there.
 */
export interface DirectorySearchResult {
  entries: readonly DirectoryEntry[];
  is_complete: boolean;
}

export type EntryKind =
  | "colleague"
  | "record";

/** What is known of a colleague's phone; `unknown` where nobody says. */
export type EntryState =
  | "unknown"
  | "available"
  | "busy"
  | "away";

/** Remember a number, or (`is_favourite` false) forget it. By number. */
export interface FavouriteSet {
  op_id: string;
  entry: DirectoryEntry;
  is_favourite?: boolean;
}

/**
 * What the page around the phone shows. `org`: as the organisation's softphone
 * layout says.
 */
export type PopAction =
  | "nothing"
  | "record"
  | "search"
  | "new_record"
  | "url"
  | "flow"
  | "org";

/**
 * `target`: URL with `{number}`, `{key}`, `{call}` and `{record}` in it,
 * a flow's name, or the kind of a new record.
 */
export interface PopRule {
  action: PopAction;
  target: string;
}

/** For one type of call, by how many records match. */
export interface PopRules {
  when: PopWhen;
  single: PopRule;
  several: PopRule;
  none: PopRule;
}

/** `inbound` and `outbound` of external calls. */
export interface PopsByCallType {
  inbound: PopRules;
  outbound: PopRules;
  internal: PopRules;
  consult: PopRules;
}

export type PopWhen =
  | "ringing"
  | "answered";

/**
 * What the tenant wants of the widget. `wrap_up_s` 0: activities are
 * saved at once. `desk_phone`: the rep's desk phone can be followed and used.
 */
export interface WidgetRules {
  pops: PopsByCallType;
  dispositions: readonly string[];
  disposition_required: boolean;
  wrap_up_s: number;
  desk_phone: boolean;
}

/** `instance_id` names this page load; a reload has another. */
export interface Client {
  name: string;
  version: string;
  instance_id: string;
}

export interface Ping {
}

/** `retry_in_s`: seconds to the next try, absent when none is planned. */
export interface Registration {
  state: RegistrationState;
  problem?: RegistrationProblem;
  sip_code?: number;
  retry_in_s?: number;
}

/** Why the phone account is not registered; the widget has words for each. */
export type RegistrationProblem =
  | "wrong_password"
  | "refused"
  | "unreachable"
  | "unavailable";

/** Try to register now, also after `wrong_password`. */
export interface RegistrationRetry {
  op_id: string;
}

export type RegistrationState =
  | "registering"
  | "registered"
  | "failed"
  | "unregistered";

export interface RegistrationStateEvent {
  seq: number;
  at: number;
  type: "registration.state";
  registration: Registration;
}

export interface ServerNoticeEvent {
  seq: number;
  at: number;
  type: "server.notice";
  notice: "drain";
}

export interface SessionAck {
  seq: number;
}

/** Sign out: calls end, the phone account is unregistered. */
export interface SessionClose {
  op_id: string;
}

/**
 * First message of a new page: a one-use ticket from `POST /v1/sessions`.
 *
 * `role` `owner` takes the phone, `observer` leaves it to the page that has it,
 * if one does; both stay connected as observers when another page takes it. Without a
 * `role` the page takes the phone and is superseded by the next one.
 * `instead_of`: the `instance_id` of the load that this page replaces.
 */
export interface SessionHello {
  ticket: string;
  client: Client;
  caps?: readonly string[];
  role?: SessionRole;
  instead_of?: string;
}

export interface SessionHelloResult {
  session_id: string;
  resume_token: string;
  resume_window_s: number;
  heartbeat_s: number;
  heartbeat_in_call_s: number;
  seq: number;
  snapshot: Snapshot;
  owner?: SessionOwner;
}

/** These calls are muted in the page that has the phone, and no others. */
export interface SessionMute {
  call_ids: readonly string[];
}

/**
 * The page that has the phone. `is_window`: it is the window of a call.
 *
 * `muted`: calls that are muted there, and stay so where the phone goes next.
 */
export interface SessionOwner {
  instance_id: string;
  is_window: boolean;
  muted: readonly string[];
}

/** Another page has the phone, or it has muted others. Told to all pages. */
export interface SessionOwnerEvent {
  seq: number;
  at: number;
  type: "session.owner";
  owner: SessionOwner;
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
  owner?: SessionOwner;
}

/** Of several pages of one user: who has the phone, and who looks on. */
export type SessionRole =
  | "owner"
  | "observer";

/** Another page has taken over; close code 4409 follows. */
export interface SessionSupersededEvent {
  seq: number;
  at: number;
  type: "session.superseded";
}

/** The phone is to be here; at once, and nothing happens where it is already. */
export interface SessionTake {
}

/** Everything, at one moment; enough to draw the whole client. */
export interface Snapshot {
  user: UserView;
  registration: Registration;
  calls: readonly CallView[];
  crm: string;
  country: string;
  join?: JoinView;
  presence: PresenceState;
  rules: WidgetRules;
  server_time: number;
}

/** `guest`: somebody who came by an invite's link. */
export type UserRole =
  | "rep"
  | "guest";

export interface UserView {
  id: string;
  name: string;
  number: string;
  tenant: string;
  company: string;
  role: UserRole;
  invites_from: string;
}

/** Try again to write an activity that failed. */
export interface ActivityRetry {
  op_id: string;
  call_id: string;
}

/** A task for later, in the CRM, due on `on`, a day as ISO 8601 writes it. */
export interface NextStep {
  subject: string;
  on: string;
}

/**
 * Also after the end, and after it was saved: the activity is then written again.
 *
 * What is absent stays; `clear` names what is to be empty. `keep_open`: wrap-up
 * waits for `work.save` (true), or ends by itself again (false).
 */
export interface WorkChange {
  op_id: string;
  call_id: string;
  notes?: string;
  disposition?: string;
  about?: Record;
  next_step?: NextStep;
  clear?: readonly string[];
  keep_open?: boolean;
}

/** End wrap-up now. `field` of the error names what the rules still ask for. */
export interface WorkSave {
  op_id: string;
  call_id: string;
}

/**
 * `none`: this call is not to be logged; `open`: it goes on; `wrap_up`: it is
 * over and its activity waits for the rep, until `saves_at` if that is given;
 * `saved`: handed over to be written.
 */
export type WorkState =
  | "none"
  | "open"
  | "wrap_up"
  | "saved";

/**
 * `about`: what the activity is related to besides the person, as the rep chose,
 * or the last one visited. `visited`: records opened during the call, oldest first.
 * `saves_at`: Unix ms when wrap-up ends by itself.
 */
export interface WorkView {
  state: WorkState;
  notes: string;
  disposition: string;
  about?: Record;
  next_step?: NextStep;
  visited: readonly Record[];
  saves_at?: number;
}

/** The rep has opened this record: it belongs to all calls that are up. */
export interface WorkVisit {
  op_id: string;
  record: Record;
}

/** What each method takes and gives. */
export interface Methods {
  "session.hello": { params: SessionHello; result: SessionHelloResult };
  "session.resume": { params: SessionResume; result: SessionResumeResult };
  "session.ack": { params: SessionAck; result: Empty };
  "session.take": { params: SessionTake; result: Empty };
  "session.mute": { params: SessionMute; result: Empty };
  "session.close": { params: SessionClose; result: Empty };
  "ping": { params: Ping; result: Empty };
  "registration.retry": { params: RegistrationRetry; result: Empty };
  "call.create": { params: CallCreate; result: CallAnswerResult };
  "call.join": { params: CallJoin; result: CallAnswerResult };
  "call.answer": { params: CallAnswer; result: CallAnswerResult };
  "call.reject": { params: CallReject; result: CallResult };
  "call.hangup": { params: CallHangup; result: CallResult };
  "call.dtmf": { params: CallDtmf; result: Empty };
  "call.media": { params: CallMedia; result: CallMediaResult };
  "call.trickle": { params: CallTrickle; result: Empty };
  "call.choose_record": { params: CallChooseRecord; result: CallResult };
  "call.hold": { params: CallHold; result: CallResult };
  "call.retrieve": { params: CallRetrieve; result: CallResult };
  "call.transfer": { params: CallTransfer; result: CallResult };
  "call.merge": { params: CallMerge; result: CallResult };
  "call.split": { params: CallSplit; result: CallResult };
  "presence.set": { params: PresenceSet; result: Empty };
  "work.change": { params: WorkChange; result: CallResult };
  "work.save": { params: WorkSave; result: CallResult };
  "work.visit": { params: WorkVisit; result: Empty };
  "activity.retry": { params: ActivityRetry; result: CallResult };
  "directory.search": { params: DirectorySearch; result: DirectorySearchResult };
  "favourite.set": { params: FavouriteSet; result: Empty };
  "contact.create": { params: ContactCreate; result: ContactCreateResult };
  "record.search": { params: RecordSearch; result: RecordSearchResult };
  "history.list": { params: HistoryList; result: HistoryListResult };
  "invite.create": { params: InviteCreate; result: InviteResult };
  "invite.change": { params: InviteChange; result: InviteResult };
  "invite.cancel": { params: InviteCancel; result: InviteResult };
  "invite.resend": { params: InviteResend; result: InviteResult };
  "invite.extend": { params: InviteExtend; result: InviteResult };
  "invite.link": { params: InviteLink; result: InviteLinkResult };
  "invite.list": { params: InviteList; result: InviteListResult };
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
  | PresenceChangedEvent
  | InviteUpdatedEvent
  | InviteEndingEvent
  | SessionOwnerEvent
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
