// The chat page: shows a Conversation, and lets a person take part in it.

import { Conversation } from "./conversation.js";
import { linkTo, render, safeAddress } from "./markdown.js";
import { dayOf, language, timeOf, words } from "./words.js";

const find = (id) => document.getElementById(id);
const { bot, title, maxChars } = document.body.dataset;
const limit = Number(maxChars);
const TOGETHER_MS = 3 * 60_000; // messages of one side that come closer than this share their time
const TYPING_MS = 30_000;
const EARLIER = 60;

const scroller = find("scroller");
const log = find("log");
const input = find("input");
const send = find("send");
const suggestions = find("suggestions");
const newest = find("newest");
const earlier = find("earlier");

const conversation = new Conversation(bot);
const entries = new Map(); // seq -> element
const outgoing = new Map(); // client id -> element, until it has a number
let first = Infinity; // the lowest number shown
let typingTimer = 0;
let streaming = null; // {turn, parts, box}
let gone = false; // there is no such bot any more

// --- showing what is said --------------------------------------------------------------------------------------------

function make(name, className, ...content) {
  const made = document.createElement(name);
  if (className) made.className = className;
  made.append(...content);
  return made;
}

function author(role) {
  if (role === "user") return words.you;
  return role === "human" ? words.humanSaid : words.bot(title);
}

function messageBox(role, at, body) {
  const bubble = make("div", "bubble", body);
  bubble.dir = "auto"; // Arabic and Hebrew begin at the right
  const meta = make("div", "meta", timeOf(at));
  const box = make("article", `message ${role}`, make("span", "spoken", author(role)), bubble, meta);
  if (role === "human") bubble.before(make("div", "human-name", words.human));
  box.dataset.role = role;
  box.dataset.at = at.getTime();
  return box;
}

function extras(entry) {
  const made = [];
  const list = (items) => made.push(make("ul", "extras", ...items.map((item) => make("li", "", item))));
  const link = (address, text) => (safeAddress(address) && address ? linkTo(safeAddress(address), text) : text);
  if (entry.attachments?.length) list(entry.attachments.map(({ name, url }) => link(url, `📎 ${name}`)));
  if (entry.sources?.length) {
    list(entry.sources.map(({ title: name, url, excerpt }) => {
      const source = make("span", "", link(url, name));
      if (excerpt) source.append(" – ", excerpt);
      return source;
    }));
    made.at(-1).setAttribute("aria-label", words.sources);
  }
  return made;
}

function entryBox(entry) {
  const plain = entry.role === "user";
  const box = messageBox(entry.role, new Date(entry.at), plain ? entry.text : render(entry.text));
  box.querySelector(".bubble").append(...extras(entry));
  box.dataset.seq = entry.seq;
  return box;
}

/** Put *box* in its place: entries by number, and after them what has no number yet. */
function place(box) {
  const seq = Number(box.dataset.seq ?? Infinity);
  let after = log.lastElementChild;
  while (after && (!after.classList.contains("message") || Number(after.dataset.seq ?? Infinity) > seq)) {
    if (after.classList.contains("notice") && seq === Infinity) break;
    after = after.previousElementSibling;
  }
  if (after) after.after(box);
  else earlier.after(box);
  group();
}

/** Days, which messages stand together, and the time below the last of each minute. */
function group() {
  let before = null;
  for (const mark of log.querySelectorAll(".day")) mark.remove();
  for (const box of log.querySelectorAll(".message[data-role]")) {
    const day = dayOf(new Date(Number(box.dataset.at)));
    if (!before || dayOf(new Date(Number(before.dataset.at))) !== day) {
      const mark = make("div", "day", day);
      box.before(mark);
      before?.classList.remove("followed");
      before = null;
    }
    const joined = before && before.dataset.role === box.dataset.role &&
      Number(box.dataset.at) - Number(before.dataset.at) < TOGETHER_MS;
    box.classList.toggle("joined", Boolean(joined));
    before?.classList.toggle("followed", Boolean(joined) || minute(before) === minute(box));
    before = box;
  }
  before?.classList.remove("followed");
}

const minute = (box) => Math.floor(Number(box.dataset.at) / 60_000);

function notice(text, bad = false) {
  const last = log.lastElementChild;
  if (last?.classList.contains("notice") && last.textContent === text) return;
  keepPlace(() => log.append(make("p", bad ? "notice bad" : "notice", text)));
}

// --- reading in peace ------------------------------------------------------------------------------------------------

const atEnd = () => scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;
const toEnd = () => { scroller.scrollTop = scroller.scrollHeight; };

/** Change what is shown; follow only a reader who is at the end. */
function keepPlace(change) {
  const follow = atEnd();
  change();
  if (follow) toEnd();
  else newest.hidden = false;
}

scroller.addEventListener("scroll", () => {
  if (atEnd()) newest.hidden = true;
}, { passive: true });

newest.addEventListener("click", () => {
  newest.hidden = true;
  toEnd();
  input.focus();
});

new ResizeObserver(() => {
  if (newest.hidden) toEnd();
}).observe(scroller);

earlier.addEventListener("click", async () => {
  earlier.disabled = true;
  try {
    const found = await conversation.before(first, EARLIER);
    const height = scroller.scrollHeight;
    const top = scroller.scrollTop;
    log.classList.add("still");
    for (const entry of found) add(entry);
    scroller.scrollTop = top + scroller.scrollHeight - height;
    if (!found.length) first = 1;
  } catch {
    notice(words.unavailable, true);
  }
  earlier.disabled = false;
  earlier.hidden = first <= 1;
});

// --- the bot is writing ----------------------------------------------------------------------------------------------

function typingShown(shown) {
  clearTimeout(typingTimer);
  const box = find("typing");
  if (shown) typingTimer = setTimeout(() => typingShown(false), TYPING_MS);
  if (shown === Boolean(box)) return;
  if (!shown) {
    box.remove();
    return;
  }
  const bubble = make("div", "bubble", make("span", "spoken", words.typing(title)), make("i"), make("i"), make("i"));
  const made = make("div", "message typing", bubble);
  made.id = "typing";
  keepPlace(() => log.append(made));
}

function streamed({ turn, index, text }) {
  typingShown(false);
  if (streaming?.turn !== turn) {
    streaming?.box.remove();
    streaming = { turn, parts: [], box: messageBox("bot", new Date(), "") };
    streaming.box.setAttribute("aria-hidden", "true"); // the whole answer is read out when it is there
    place(streaming.box);
  }
  streaming.parts[index] = text;
  keepPlace(() => streaming.box.querySelector(".bubble").replaceChildren(render(streaming.parts.join(""))));
}

// --- what the conversation tells -------------------------------------------------------------------------------------

function add(entry) {
  if (entries.has(entry.seq)) return;
  const box = entryBox(entry);
  entries.set(entry.seq, box);
  first = Math.min(first, entry.seq);
  place(box);
}

function clear() {
  entries.clear();
  outgoing.clear();
  first = Infinity;
  streaming = null;
  for (const child of [...log.children]) if (child !== earlier) child.remove();
  earlier.hidden = true;
  newest.hidden = true;
  suggest([]);
}

const on = (type, act) => conversation.addEventListener(type, ({ detail }) => act(detail));

on("state", ({ state, seconds }) => {
  const shown = find("state");
  shown.dataset.state = state;
  shown.textContent = state === "waiting" ? words.waiting(seconds) : words[state];
  // The seconds are not read out, only that there is no connection, and that there is one again.
  const spoken = state === "waiting" || state === "connecting" ? words.offline : words[state];
  if (find("spoken-state").textContent !== spoken) find("spoken-state").textContent = spoken;
  if (state !== "online") typingShown(false);
  if (state === "closed" && !gone) notice(words.refused, true);
  for (const box of outgoing.values()) sendingState(box, state === "online" ? words.sending : words.kept);
});

on("welcome", ({ fresh, replaced }) => {
  if (!fresh) return;
  clear();
  if (replaced) notice(words.replaced);
});

on("entry", ({ entry }) => {
  keepPlace(() => {
    if (entry.role !== "user") {
      typingShown(false);
      streaming?.box.remove();
      streaming = null;
    }
    add(entry);
  });
  if (entry.role === "user") suggest([]);
  else suggest(entry.suggestions ?? []);
  earlier.hidden = first <= 1;
});

on("outgoing", ({ id, text, at }) => {
  const box = messageBox("user", new Date(at), text);
  box.classList.add("pending");
  outgoing.set(id, box);
  place(box);
  sendingState(box, conversation.online ? words.sending : words.kept);
  toEnd();
});

on("acknowledged", ({ id, seq }) => {
  const box = outgoing.get(id);
  outgoing.delete(id);
  if (!box) return;
  if (entries.has(seq)) {
    box.remove(); // it came with the transcript already
  } else {
    box.classList.remove("pending");
    box.dataset.seq = seq;
    sendingState(box, "");
    entries.set(seq, box);
    first = Math.min(first, seq);
    place(box);
  }
});

on("typing", () => typingShown(true));
on("delta", streamed);

on("refused", ({ code, message }) => {
  if (code === "rate_limited") notice(words.slowDown, true);
  else if (code === "unavailable") notice(words.unavailable, true);
  else if (code === "not_found") {
    gone = true;
    notice(words.notFound, true);
  } else if (code === "unauthorized") return; // the welcome before it has said that this is a new conversation
  else notice(message, true);
});

function sendingState(box, text) {
  const meta = box.querySelector(".meta");
  meta.textContent = text || timeOf(new Date(Number(box.dataset.at)));
}

// --- what the person does --------------------------------------------------------------------------------------------

function say(text) {
  suggest([]);
  newest.hidden = true;
  conversation.say(text);
}

function suggest(found) {
  suggestions.replaceChildren(...found.map(({ text, value }) => {
    const button = make("button", "suggestion", text);
    button.type = "button";
    button.dir = "auto";
    button.addEventListener("click", () => {
      say(value);
      input.focus({ preventScroll: true });
    });
    return button;
  }));
  suggestions.hidden = !found.length;
}

function fit() {
  input.style.setProperty("height", "auto");
  input.style.setProperty("height", `${input.scrollHeight}px`);
  send.disabled = !input.value.trim();
}

input.addEventListener("input", () => {
  fit();
  if (input.value) conversation.typing();
});

input.addEventListener("keydown", (event) => {
  // While an input method composes a word, Enter belongs to it.
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    find("composer").requestSubmit();
  }
});

find("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = input.value.trim();
  if (!text) return;
  if ([...text].length > limit) {
    notice(words.tooLong(limit), true);
    toEnd(); // it answers what was just done: somebody who reads further up must see it, too
    return;
  }
  input.value = "";
  fit();
  say(text);
  input.focus({ preventScroll: true });
});

function startOver() {
  clear();
  conversation.restart();
  input.focus();
}

// Nobody can come back to a conversation that was left. Only one in which the person said nothing is left unasked.
find("restart").addEventListener("click", () => {
  const whole = first === 1 || conversation.seq === 0; // all that was said is shown
  if (whole && !log.querySelector(".message.user")) {
    startOver();
    return;
  }
  find("leave").returnValue = "";
  find("leave").showModal();
});

find("leave").addEventListener("close", () => {
  if (find("leave").returnValue) startOver();
});

find("appearance").addEventListener("click", () => globalThis.toggleAppearance());

// --- begin -----------------------------------------------------------------------------------------------------------

document.documentElement.lang = language;
for (const [id, attribute, text] of [
  ["restart", "aria-label", words.newConversation],
  ["restart", "title", words.newConversation],
  ["appearance", "aria-label", words.appearance],
  ["appearance", "title", words.appearance],
  ["send", "aria-label", words.send],
  ["input", "aria-label", words.message],
  ["input", "placeholder", words.placeholder],
  ["log", "aria-label", words.conversation],
  ["suggestions", "aria-label", words.suggestions],
]) {
  find(id).setAttribute(attribute, text);
}
find("leave-question").textContent = words.leave;
find("stay").textContent = words.stay;
find("start-over").textContent = words.startOver;
newest.textContent = words.newest;
earlier.textContent = words.earlier;
fit();
conversation.start();
if (matchMedia("(hover: hover)").matches) input.focus(); // on a phone this would open the keyboard

if (document.body.dataset.development) {
  const { watch } = await import("./development.js");
  watch(bot, words.problems);
}
