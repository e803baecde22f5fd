// The pages work without this file. It shows times in the reader's own zone,
// keeps the figures fresh, and makes the copy buttons work. It never puts text
// together with markup: the server renders, this swaps. Its words come with the
// page, in the page's language.

import "./session.js";
import "./password.js";
import "./setup.js";

// "en" alone would mean the American order of day and month.
const language = document.documentElement.lang;
const locale = language === "en" ? "en-GB" : language;
const POLL_MS = 30_000;
const words = JSON.parse(document.body.dataset.words);
const say = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

// ── Times ───────────────────────────────────────────────────────────────

const formats = {
  full: { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit" },
  day: { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" },
  clock: { hour: "2-digit", minute: "2-digit", second: "2-digit" },
  hour: { hour: "2-digit", minute: "2-digit" },
  weekday: { weekday: "short", day: "numeric" },
  date: { day: "numeric", month: "short" },
};

const writers = Object.fromEntries(Object.entries(formats).map(
  ([name, format]) => [name, new Intl.DateTimeFormat(locale, { ...format, hourCycle: "h23" })]));

function ago(ms) {
  const s = Math.abs(ms) / 1000;
  if (s < 1) return say("now");
  let span;
  if (s < 100) span = say("seconds", { n: Math.round(s) });
  else if (s < 6000) span = say("minutes", { n: Math.round(s / 60) });
  else if (s < 172800) span = say("hours", { n: Math.round(s / 3600) });
  else span = say("days", { n: Math.round(s / 86400) });
  return say(ms >= 0 ? "ago" : "in", { span });
}

// The server's clock counts: the difference to ours is taken when the page comes.
let skew = 0;
const asOf = document.querySelector(".foot time");
if (asOf) skew = Date.parse(asOf.dateTime) - Date.now();

function showTimes(root) {
  for (const el of root.querySelectorAll("time[data-show]")) {
    const at = new Date(el.dateTime);
    const show = el.dataset.show;
    const text = show === "ago" ? ago(Date.now() + skew - at) : writers[show]?.format(at);
    if (text && el.textContent !== text) el.textContent = text;
  }
}

function tick() {
  if (document.hidden) return;
  for (const el of document.querySelectorAll('time[data-show="ago"]')) {
    const text = ago(Date.now() + skew - Date.parse(el.dateTime));
    if (el.textContent !== text) el.textContent = text;
  }
}

// ── Copy buttons: clipboard, or the old way on plain http, or select ────

async function copy(button) {
  const text = button.dataset.copy;
  let done = false;
  try {
    await navigator.clipboard.writeText(text);
    done = true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.setAttribute("readonly", "");
    area.className = "hide";
    document.body.append(area);
    area.select();
    done = document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const label = button.textContent;
  button.textContent = say(done ? "copied" : "press");
  setTimeout(() => { button.textContent = label; }, 1600);
}

function showButtons(root) {
  for (const b of root.querySelectorAll("button[data-copy]")) b.hidden = false;
}

document.addEventListener("click", (e) => {
  const button = e.target.closest?.("button[data-copy]");
  if (button) copy(button);
});

// ── Panels that open over the page close again by a click beside them, or Esc ──

function closePanels(except) {
  for (const d of document.querySelectorAll("details.pop[open]")) if (d !== except) d.open = false;
}

document.addEventListener("click", (e) => closePanels(e.target.closest?.("details.pop")));
document.addEventListener("keydown", (e) => {
  if (e.key !== "Escape") return;
  document.querySelector("details.pop[open] > summary")?.focus();
  closePanels();
});

// ── Live parts ──────────────────────────────────────────────────────────

// A part that somebody is typing in, or has selected text in, stays as it is.
function inUse(el) {
  const active = document.activeElement;
  if (active && active !== el && el.contains(active) && active.matches("input, select, textarea")) return true;
  for (const input of el.querySelectorAll("input:not([type=hidden])")) if (input.value !== input.defaultValue) return true;
  const selection = getSelection();
  return selection && !selection.isCollapsed && el.contains(selection.anchorNode);
}

const PARTS = '[id^="live-"]:not(#live-state)';
const shown = new Map(); // by id: what each part last got from the server

// bare copies the content of a part without what may differ though nothing has
// changed: blanks before it, and the words of times, which this file writes.
function bare(source) {
  const copy = document.createElement("div");
  for (const node of source.childNodes) copy.append(document.importNode(node, true));
  for (const time of copy.querySelectorAll("time[data-show]")) time.textContent = "";
  if (copy.firstChild?.nodeType === Node.TEXT_NODE) copy.firstChild.data = copy.firstChild.data.trimStart();
  copy.normalize();
  return copy;
}

// swap replaces the content of an element by nodes of an inert document, keeps
// opened details open, the focus on the same link, and scrolled logs in place.
// What has not changed is left alone: a stream begins with parts that the page
// has, and a form must not go away under the pointer for that.
function swap(id, source) {
  const el = document.getElementById(id);
  if (!el || inUse(el)) return;
  const next = bare(source);
  if (shown.get(id)?.isEqualNode(next)) return;
  shown.set(id, next);
  const fresh = document.createDocumentFragment();
  for (const node of [...source.childNodes]) fresh.append(document.importNode(node, true));
  const open = [...el.querySelectorAll("details")].map((d) => d.open);
  const links = [...el.querySelectorAll("a, button, summary")];
  const focused = links.indexOf(document.activeElement);
  const pre = el.querySelector("pre");
  const atEnd = pre && pre.scrollTop + pre.clientHeight >= pre.scrollHeight - 4;
  const top = pre?.scrollTop;
  el.replaceChildren(fresh);
  el.querySelectorAll("details").forEach((d, i) => { if (open[i]) d.open = true; });
  if (focused >= 0) el.querySelectorAll("a, button, summary")[focused]?.focus({ preventScroll: true });
  const log = el.querySelector("pre");
  if (log) log.scrollTop = atEnd ? log.scrollHeight : top;
  showTimes(el);
  showButtons(el);
}

const parse = (html) => new DOMParser().parseFromString(html, "text/html");

class Live {
  constructor() {
    this.state = document.getElementById("live-state");
    this.pause = document.getElementById("pause");
    this.errors = 0;
    this.paused = false;
    this.over = false;
    this.pause.hidden = false;
    this.pause.addEventListener("click", () => this.toggle());
    document.addEventListener("visibilitychange", () => (document.hidden ? this.close() : this.open()));
    addEventListener("pagehide", () => this.close());
    addEventListener("pageshow", (e) => { if (e.persisted) this.open(); });
    this.open();
  }

  tell(key, on) {
    this.state.textContent = say(key, { n: POLL_MS / 1000 });
    this.state.classList.toggle("on", on);
  }

  fresh() {
    if (asOf) {
      asOf.dateTime = new Date(Date.now() + skew).toISOString();
      asOf.textContent = writers.clock.format(new Date(asOf.dateTime));
    }
  }

  toggle() {
    this.paused = !this.paused;
    this.pause.textContent = say(this.paused ? "resume" : "pause");
    if (this.paused) {
      this.close();
      this.tell("paused", false);
    } else this.open();
  }

  // One EventSource per page, none while the page is hidden: over HTTP/1.1 a
  // browser has six connections for all tabs together.
  open() {
    if (this.paused || this.over || document.hidden || this.source || this.timer) return;
    if (this.errors >= 2) return this.poll();
    const source = new EventSource(here());
    this.source = source;
    source.addEventListener("open", () => { this.errors = 0; this.tell("live", true); });
    source.addEventListener("part", (e) => {
      const part = JSON.parse(e.data);
      swap(part.id, parse(part.html).body);
      this.fresh();
    });
    source.addEventListener("signed-out", () => this.signedOut());
    source.addEventListener("error", () => {
      this.errors++;
      if (this.errors < 2 && source.readyState !== EventSource.CLOSED) return;
      this.errors = 2;
      this.close();
      this.open();
    });
  }

  close() {
    this.source?.close();
    this.source = undefined;
    clearTimeout(this.timer);
    this.timer = undefined;
  }

  // Where events do not get through, the page is fetched every 30 seconds.
  async poll() {
    this.timer = setTimeout(() => { this.timer = undefined; this.open(); }, POLL_MS);
    try {
      const answer = await fetch(here(), { headers: { "Dmpool-Poll": "1" }, redirect: "error" });
      if (answer.status === 401) return this.signedOut();
      if (!answer.ok) throw new Error(String(answer.status));
      const page = parse(await answer.text());
      for (const el of page.querySelectorAll(PARTS)) swap(el.id, el);
      this.fresh();
      this.tell("polled", true);
    } catch {
      this.tell("lost", false);
    }
  }

  signedOut() {
    this.over = true;
    this.close();
    this.pause.hidden = true;
    this.tell("signed_out", false);
  }
}

// A page that waits for something says since when, in the link to itself.
function here() { return document.querySelector("a[data-here]")?.href ?? location.href; }

// ── Start ───────────────────────────────────────────────────────────────

for (const el of document.querySelectorAll(PARTS)) shown.set(el.id, bare(el));
showTimes(document);
showButtons(document);
const zone = document.getElementById("zone");
if (zone) zone.textContent = Intl.DateTimeFormat().resolvedOptions().timeZone;
setInterval(tick, 1000);
if ("live" in document.body.dataset) new Live();
const log = document.querySelector("pre.log");
if (log) log.scrollTop = log.scrollHeight;
