// Two minutes before a session ends its line comes up from the foot of the page,
// with the button that keeps it. Without this file the line stands at the foot.

const WARN_MS = 120_000;
const line = document.querySelector("form.stay");

class Session {
  constructor(form) {
    this.form = form;
    this.skew = Date.parse(document.querySelector(".foot time").dateTime) - Date.now();
    this.form.addEventListener("submit", (e) => this.stay(e));
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.look(); });
    this.until(this.form.dataset.ends);
  }

  until(ends) {
    this.ends = Date.parse(ends);
    this.warn(false);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.look(), Math.max(0, this.left() - WARN_MS));
  }

  left() { return this.ends - Date.now() - this.skew; }

  // Another tab may have used the session: the server knows. This asks without
  // using it itself.
  async look() {
    if (this.left() > WARN_MS) return;
    const answer = await fetch("/sessions", { method: "HEAD", headers: { "Dmpool-Poll": "1" }, redirect: "manual" }).catch(() => null);
    const ends = answer?.headers.get("Dmpool-Session-Ends");
    if (ends && Date.parse(ends) > this.ends) this.until(ends);
    else this.warn(true);
  }

  warn(on) {
    this.form.classList.toggle("soon", on);
    this.form.querySelector(".stay-soon").hidden = !on;
    this.form.role = on ? "alert" : null;
  }

  // What is typed into the page stays there.
  async stay(e) {
    e.preventDefault();
    const answer = await fetch(this.form.action, { method: "POST", body: new URLSearchParams(new FormData(this.form)), redirect: "manual" }).catch(() => null);
    const now = await fetch("/sessions", { method: "HEAD", headers: { "Dmpool-Poll": "1" }, redirect: "manual" }).catch(() => null);
    const ends = now?.headers.get("Dmpool-Session-Ends");
    if (answer && ends) this.until(ends);
    else location.reload();
  }
}

if (line) new Session(line);

for (const b of document.querySelectorAll("button.print")) {
  b.hidden = false;
  b.addEventListener("click", () => print());
}
