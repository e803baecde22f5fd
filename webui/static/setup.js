// The first set-up works without this. It saves typing what the browser knows.

// The link with the claim code has it behind the #, which is never sent. It is
// filled in and taken out of the address line.
const fragment = document.querySelector("input[data-fragment]");
if (fragment) {
  const code = new URLSearchParams(location.hash.slice(1)).get(fragment.dataset.fragment);
  if (code) {
    fragment.value = code;
    history.replaceState(null, "", location.pathname + location.search);
  }
}

// While Bitcoin Core arrives, the part that tells of it is kept fresh. The page that
// it is taken from has it, too; a step that somebody fills in is left alone.
const REFRESH_MS = 2000;

async function refresh() {
  const part = document.querySelector("[data-refresh]");
  if (!part) return;
  try {
    const answer = document.hidden ? null : await fetch(part.dataset.refresh, { redirect: "error" });
    const page = answer?.ok && new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page && page.getElementById(part.id);
    if (fresh) part.replaceWith(document.importNode(fresh, true));
  } catch { /* the next time, perhaps */ }
  setTimeout(refresh, REFRESH_MS);
}

refresh();

// A zone that nobody has chosen yet is that of the browser.
const zones = document.querySelector("select[data-zone]");
if (zones) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (own && ![...zones.options].some((o) => o.value === own)) zones.add(new Option(own));
  if (own) zones.value = own;
}
