// The sandbox's mailbox: lists what /events says has come, shows one mail at a time.

/** @typedef {{number: number, at: number, from: string, to: string[], subject: string,
 *   method: string}} Summary */
/** @typedef {{method: string, summary: string, starts: string, ends: string,
 *   organizer: string, attendees: string[], status: string, sequence: string,
 *   uid: string}} Entry */
/** @typedef {Summary & {text: string, hasHtml: boolean, link: string,
 *   calendar: Entry | null}} Mail */

const KINDS = new Map([
  ["REQUEST", "Invitation"],
  ["CANCEL", "Cancellation"],
]);
const NO_SUBJECT = "(no subject)";

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {string} tag @param {string} text @param {string} [className] */
function make(tag, text, className = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  node.className = className;
  return node;
}

/** @param {string} title @param {string} text */
function row(title, text) {
  const node = make("div", "");
  const words = make("dd", text);
  words.dir = "auto";
  node.append(make("dt", title), words);
  return node;
}

/** @param {string} from @param {string} to ISO 8601; a day alone has no zone */
function span(from, to) {
  if (!from) return "";
  const isDay = !from.includes("T");
  /** @type {Intl.DateTimeFormatOptions} */
  const format = isDay
    ? { dateStyle: "full", timeZone: "UTC" }
    : { dateStyle: "full", timeStyle: "short" };
  const format_ = new Intl.DateTimeFormat(undefined, format);
  const words = to
    ? format_.formatRange(new Date(from), new Date(to))
    : format_.format(new Date(from));
  return isDay ? words : `${words} (your time)`;
}

/** The calendar entry in words. @param {Entry} entry */
function calendar(entry) {
  const node = make("section", "", "entry");
  let kind = KINDS.get(entry.method) ?? "Calendar entry";
  if (entry.method === "REQUEST" && Number(entry.sequence) > 0) kind = "Changed invitation";
  const title = make("h3", `${kind}: ${entry.summary || NO_SUBJECT}`);
  title.dir = "auto";
  const facts = make("dl", "");
  facts.append(row("When", span(entry.starts, entry.ends) || "not said"));
  facts.append(row("Organizer", entry.organizer || "not said"));
  facts.append(row("Invited", entry.attendees.join(", ") || "not said"));
  const details = [entry.status.toLowerCase(), `version ${entry.sequence || "0"}`];
  facts.append(row("State", details.filter(Boolean).join(", ")));
  node.append(title, facts);
  return node;
}

/** @param {Mail} mail */
function letter(mail) {
  const head = make("header", "");
  const title = make("h2", mail.subject || NO_SUBJECT);
  title.id = "mail-title";
  title.dir = "auto";
  const facts = make("dl", "");
  facts.append(row("From", mail.from), row("To", mail.to.join(", ")));
  facts.append(row("Received", new Date(mail.at * 1000).toLocaleString()));
  head.append(title, facts);
  const nodes = [head];
  if (/^https?:\/\//.test(mail.link)) {
    const link = /** @type {HTMLAnchorElement} */ (make("a", "Open the link", "link"));
    link.href = mail.link;
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    nodes.push(link);
  }
  if (mail.calendar) nodes.push(calendar(mail.calendar));
  nodes.push(...bodies(mail));
  return nodes;
}

/** Both forms of the mail, one on show. @param {Mail} mail */
function bodies(mail) {
  const text = make("pre", mail.text, "text");
  text.dir = "auto";
  if (!mail.hasHtml) return [text];
  const frame = document.createElement("iframe");
  frame.title = "The mail as HTML";
  frame.setAttribute("sandbox", "allow-popups allow-popups-to-escape-sandbox");
  frame.src = `mails/${mail.number}/html`;
  const choice = make("div", "", "forms");
  choice.setAttribute("role", "group");
  choice.setAttribute("aria-label", "Form");
  const forms = /** @type {[string, HTMLElement][]} */ ([["HTML", frame], ["Text", text]]);
  const buttons = forms.map(([name]) => make("button", name, "form"));
  const show = (/** @type {number} */ chosen) => {
    forms.forEach(([, node], place) => (node.hidden = place !== chosen));
    buttons.forEach((node, place) => node.setAttribute("aria-pressed", String(place === chosen)));
  };
  buttons.forEach((node, place) => {
    node.setAttribute("type", "button");
    node.addEventListener("click", () => show(place));
  });
  choice.append(...buttons);
  show(0);
  return [choice, frame, text];
}

let shown = 0;

/** @param {number} number @param {{focus: boolean}} options */
async function open(number, { focus }) {
  shown = number;
  mark();
  const reply = await fetch(`mails/${number}`);
  if (!reply.ok || shown !== number) return;
  element("mail").replaceChildren(...letter(await reply.json()));
  element("mail").hidden = false;
  if (focus) element("mail").focus();
}

function mark() {
  for (const node of element("mails").querySelectorAll("button")) {
    if (Number(node.dataset.number) === shown) node.setAttribute("aria-current", "true");
    else node.removeAttribute("aria-current");
  }
}

/** @param {Summary} mail */
function item(mail) {
  const node = make("li", "");
  const button = make("button", "", "item");
  button.setAttribute("type", "button");
  button.dataset.number = String(mail.number);
  const subject = make("span", mail.subject || NO_SUBJECT, "subject");
  subject.dir = "auto";
  const to = make("span", `to ${mail.to.join(", ")}`, "quiet");
  button.append(subject, to, make("time", new Date(mail.at * 1000).toLocaleTimeString()));
  button.addEventListener("click", () => void open(mail.number, { focus: true }));
  node.append(button);
  return node;
}

let newest = -1;

/** @param {Summary[]} mails the newest first */
function draw(mails) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.number;
  element("mails").replaceChildren(...mails.map(item));
  element("mails-empty").hidden = mails.length > 0;
  mark();
  if (focused) {
    const again = element("mails").querySelector(`[data-number="${focused}"]`);
    /** @type {HTMLElement | null} */ (again)?.focus();
  }
  const top = mails[0];
  if (top && newest >= 0 && top.number > newest) {
    element("news").textContent = `New mail: ${top.subject || NO_SUBJECT}`;
  }
  newest = top?.number ?? 0;
  // What one came for is the mail that has just arrived.
  if (top && !shown) void open(top.number, { focus: false });
}

const source = new EventSource("events");
source.addEventListener("open", () => {
  element("lost").hidden = true;
});
source.addEventListener("mails", (event) => draw(JSON.parse(event.data)));
source.addEventListener("error", () => {
  element("lost").hidden = false;
});
