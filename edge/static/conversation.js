// One conversation over a socket that may come and go. What the person says is kept until the server has acknowledged
// it, and is sent again with the same id after a reconnect, so it arrives once. What the server says is numbered; on a
// reconnect it sends what came after the last number seen.

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 30_000;
const ACKNOWLEDGED_WITHIN_MS = 10_000;
const ON_LOAD = 60; // how many of the last entries a fresh page asks for
const POLICY_VIOLATION = 1008;

function storage() {
  const memory = new Map();
  const fallback = {
    getItem: (key) => memory.get(key) ?? null,
    setItem: (key, value) => memory.set(key, value),
    removeItem: (key) => memory.delete(key),
    keys: () => [...memory.keys()],
  };
  try {
    localStorage.setItem("botswain:probe", "1");
    localStorage.removeItem("botswain:probe");
  } catch {
    return fallback;
  }
  return {
    getItem: (key) => localStorage.getItem(key),
    setItem: (key, value) => {
      try {
        localStorage.setItem(key, value);
      } catch {
        // full: the message is still in this page's memory
      }
    },
    removeItem: (key) => localStorage.removeItem(key),
    keys: () => Object.keys(localStorage),
  };
}

function freshId() {
  // randomUUID is missing on pages that came over plain HTTP from another machine.
  if (crypto.randomUUID) return crypto.randomUUID();
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/**
 * Dispatches: `state` {state, seconds}, `welcome` {fresh}, `entry` {entry}, `acknowledged` {id, seq}, `outgoing`
 * {id, text, at}, `typing`, `delta` {turn, index, text}, `refused` {code, message, retryAfter}.
 */
export class Conversation extends EventTarget {
  #bot;
  #store = storage();
  #socket = null;
  #known = { token: null, session: null, seq: 0 };
  #pending = new Map();
  #seen = 0; // the newest entry that this page has shown
  #failures = 0;
  #timer = 0;
  #acknowledgement = 0;
  #typedAt = 0;
  #welcomed = false;
  #over = false;

  constructor(bot) {
    super();
    this.#bot = bot;
  }

  get session() {
    return this.#known.session;
  }

  get token() {
    return this.#known.token;
  }

  /** The number of the newest entry that is known of; 0 while nobody has said anything. */
  get seq() {
    return this.#known.seq;
  }

  get online() {
    return this.#welcomed;
  }

  start() {
    this.#known = this.#read(this.#key) ?? this.#known;
    this.#seen = Math.max(0, this.#known.seq - ON_LOAD);
    addEventListener("online", () => this.#hurry());
    addEventListener("offline", () => this.#socket?.close());
    addEventListener("pageshow", (event) => event.persisted && this.#hurry());
    document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && this.#hurry());
    this.#connect();
  }

  /** Forget this conversation and open a new one. What was not sent yet is dropped: it was meant for the old one. */
  restart() {
    for (const id of this.#pending.keys()) this.#store.removeItem(this.#pendingKey(id));
    this.#pending.clear();
    this.#remember({ token: null, session: null, seq: 0 });
    this.#seen = 0;
    this.#over = false;
    this.#failures = 0;
    this.#drop();
    this.#connect();
  }

  say(text) {
    const message = { id: freshId(), text, at: Date.now(), session: this.#known.session };
    this.#pending.set(message.id, message);
    this.#store.setItem(this.#pendingKey(message.id), JSON.stringify(message));
    this.#tell("outgoing", message);
    if (this.#welcomed) this.#transmit(message);
  }

  typing() {
    const now = Date.now();
    if (this.#welcomed && now - this.#typedAt > 3_000) {
      this.#typedAt = now;
      this.#socket.send('{"type":"typing"}');
    }
  }

  /** Entries before number *seq*, oldest first. */
  async before(seq, limit) {
    const after = Math.max(0, seq - 1 - limit);
    const query = new URLSearchParams({ after, limit: seq - 1 - after });
    const response = await fetch(`/api/v1/conversations/${this.#known.session}/messages?${query}`, {
      headers: { Authorization: `Bearer ${this.#known.token}` },
    });
    if (!response.ok) throw new Error(`the server answered ${response.status}`);
    return (await response.json()).messages;
  }

  // --- the socket ----------------------------------------------------------------------------------------------------

  #connect() {
    clearTimeout(this.#timer);
    this.#tell("state", { state: "connecting" });
    const query = new URLSearchParams();
    if (this.#known.token) {
      query.set("token", this.#known.token);
      query.set("after", this.#seen);
    }
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const socket = new WebSocket(`${scheme}//${location.host}/ws/${encodeURIComponent(this.#bot)}?${query}`);
    this.#socket = socket;
    socket.addEventListener("message", (event) => this.#socket === socket && this.#take(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => this.#socket === socket && this.#lost(event.code));
  }

  #drop() {
    const socket = this.#socket;
    this.#socket = null;
    this.#welcomed = false;
    clearTimeout(this.#acknowledgement);
    socket?.close();
  }

  #lost(code) {
    this.#drop();
    if (code === POLICY_VIOLATION) {
      this.#over = true;
      this.#tell("state", { state: "closed" });
      return;
    }
    // Full jitter: after a restart of the server its clients do not all come back in the same moment.
    const most = Math.min(LONGEST_DELAY_MS, FIRST_DELAY_MS * 2 ** this.#failures);
    const delay = this.#failures ? most * Math.random() : Math.random() * FIRST_DELAY_MS;
    this.#failures += 1;
    const due = Date.now() + delay;
    const count = () => {
      const left = due - Date.now();
      if (left <= 0) {
        this.#connect();
        return;
      }
      this.#tell("state", { state: "waiting", seconds: Math.ceil(left / 1000) });
      this.#timer = setTimeout(count, Math.min(left, 1000));
    };
    count();
  }

  #hurry() {
    if (this.#socket || this.#over) return;
    this.#failures = 0;
    this.#connect();
  }

  // --- frames --------------------------------------------------------------------------------------------------------

  #take(frame) {
    if (frame.type === "welcome") this.#welcome(frame);
    else if (frame.type === "ack") this.#acknowledged(frame);
    else if (frame.type === "message") this.#entry(frame);
    else if (frame.type === "typing") this.#tell("typing", frame);
    else if (frame.type === "delta") this.#tell("delta", frame);
    else if (frame.type === "error") this.#refused(frame);
  }

  #welcome({ session, token, seq }) {
    const fresh = session !== this.#known.session;
    if (fresh || seq < this.#seen) {
      // Another conversation, or a server that has lost the end of this one: what is shown is not what it has.
      const replaced = this.#known.session !== null;
      const behind = !fresh;
      this.#seen = 0;
      this.#remember({ token, session, seq });
      this.#tell("welcome", { fresh: true, replaced });
      if (behind) {
        this.#drop();
        this.#connect();
        return;
      }
    } else {
      this.#remember({ token, session, seq });
      this.#tell("welcome", { fresh: false });
    }
    this.#welcomed = true;
    this.#failures = 0;
    this.#tell("state", { state: "online" });
    this.#recall(session);
    for (const message of this.#pending.values()) this.#transmit(message);
  }

  /** Messages that an earlier page of this conversation could not send. */
  #recall(session) {
    const prefix = this.#pendingKey("");
    for (const key of this.#store.keys().filter((name) => name.startsWith(prefix))) {
      const message = this.#read(key);
      if (!message || (message.session !== null && message.session !== session)) {
        this.#store.removeItem(key);
      } else if (!this.#pending.has(message.id)) {
        this.#pending.set(message.id, message);
        this.#tell("outgoing", message);
      }
    }
  }

  #transmit(message) {
    this.#socket.send(JSON.stringify({ type: "message", id: message.id, text: message.text }));
    clearTimeout(this.#acknowledgement);
    this.#acknowledgement = setTimeout(() => this.#again(), ACKNOWLEDGED_WITHIN_MS);
  }

  #again() {
    if (this.#welcomed) for (const message of this.#pending.values()) this.#transmit(message);
  }

  #acknowledged({ id, seq }) {
    this.#store.removeItem(this.#pendingKey(id));
    if (this.#pending.delete(id)) this.#tell("acknowledged", { id, seq });
    if (!this.#pending.size) clearTimeout(this.#acknowledgement);
    this.#reach(seq);
  }

  #entry(entry) {
    this.#tell("entry", { entry });
    this.#reach(entry.seq);
  }

  #refused({ code, message, retry_after_s: retryAfter }) {
    this.#tell("refused", { code, message, retryAfter });
    if ((code === "rate_limited" || code === "unavailable") && this.#welcomed && this.#pending.size) {
      clearTimeout(this.#acknowledgement);
      this.#acknowledgement = setTimeout(() => this.#again(), 1000 * (retryAfter ?? 1));
    }
  }

  // --- what is kept --------------------------------------------------------------------------------------------------

  get #key() {
    return `botswain:chat:${this.#bot}`;
  }

  #pendingKey(id) {
    return `botswain:unsent:${this.#bot}:${id}`;
  }

  #reach(seq) {
    this.#seen = Math.max(this.#seen, seq);
    if (seq > this.#known.seq) this.#remember({ ...this.#known, seq });
  }

  #remember(known) {
    this.#known = known;
    this.#store.setItem(this.#key, JSON.stringify(known));
  }

  #read(key) {
    try {
      return JSON.parse(this.#store.getItem(key));
    } catch {
      return null;
    }
  }

  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
