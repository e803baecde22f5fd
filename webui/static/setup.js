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

// A zone that nobody has chosen yet is that of the browser.
const zones = document.querySelector("select[data-zone]");
if (zones) {
  const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (own && ![...zones.options].some((o) => o.value === own)) zones.add(new Option(own));
  if (own) zones.value = own;
}
