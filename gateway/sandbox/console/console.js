// The sandbox's telephones: draws what /events says, sends what is clicked.

/** @typedef {{name: string, label: string, number: string, state: string,
 *   otherParty: string, lastEnd: string, registered: boolean, calls: string}} Phone */

const WORDS = {
  idle: "On the hook",
  calling: "Calling",
  ringing: "Ringing",
  talking: "In a call",
};

/** @param {string} id */
const element = (id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {string} tag @param {string} text @param {string} [className] */
function make(tag, text, className = "") {
  const node = document.createElement(tag);
  node.textContent = text;
  node.className = className;
  return node;
}

/** @param {Phone} phone @param {string} action @param {string} text @param {string} look */
function button(phone, action, text, look) {
  const node = make("button", text, look);
  node.setAttribute("type", "button");
  node.dataset.key = `${phone.name} ${action}`;
  node.addEventListener("click", () => {
    void fetch(`phones/${phone.name}/${action}`, { method: "POST" });
  });
  return node;
}

/** @param {Phone} phone */
function card(phone) {
  const node = make("li", "", `phone ${phone.state}`);
  node.append(make("h3", phone.label), make("span", phone.number, "number"));
  let words = WORDS[/** @type {keyof typeof WORDS} */ (phone.state)];
  if (!phone.registered) words = "Not registered";
  if (phone.otherParty) words += ` - ${phone.otherParty}`;
  node.append(make("p", words, "state"));
  if (phone.state === "idle" && phone.lastEnd) {
    node.append(make("p", phone.lastEnd, "quiet"));
  }
  const actions = make("div", "", "actions");
  if (phone.state === "ringing") {
    actions.append(button(phone, "answer", "Answer", "go"));
    actions.append(button(phone, "hangup", "Decline", "stop"));
  } else if (phone.state === "idle") {
    if (phone.calls) actions.append(button(phone, "call", `Call ${phone.calls}`, ""));
  } else {
    actions.append(button(phone, "hangup", "Hang up", "stop"));
  }
  node.append(actions);
  return node;
}

/** @param {Phone[]} phones */
function drawPhones(phones) {
  const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.key;
  element("phones").replaceChildren(...phones.map(card));
  if (focused) {
    const name = focused.split(" ")[0];
    const again = element("phones").querySelector(`[data-key^="${name} "]`);
    /** @type {HTMLElement | null} */ (again)?.focus();
  }
}

/** @param {{at: number, text: string}} entry */
function drawEntry(entry) {
  const node = document.createElement("li");
  const time = make("time", new Date(entry.at * 1000).toLocaleTimeString());
  node.append(time, make("span", entry.text));
  element("log").prepend(node);
  while (element("log").children.length > 50) element("log").lastChild?.remove();
  element("log-empty").hidden = true;
}

const source = new EventSource("events");
source.addEventListener("open", () => {
  element("lost").hidden = true;
});
source.addEventListener("phones", (event) => drawPhones(JSON.parse(event.data)));
source.addEventListener("entry", (event) => drawEntry(JSON.parse(event.data)));
source.addEventListener("error", () => {
  element("lost").hidden = false;
});
