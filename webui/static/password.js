// Helps to choose a password: ticks off the rules as they are met, makes one, and
// shows what was typed. The server checks all of it again.

const LETTERS = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789";

const rules = {
  length: (p) => [...p].length >= 12 && [...p].length <= 128,
  upper: (p) => /\p{Lu}/u.test(p),
  special: (p) => /[^\p{L}\p{Nd}]/u.test(p),
};

// pick takes one letter after the other, each as likely as any other.
function pick(n) {
  let text = "";
  const bytes = new Uint8Array(64);
  const fair = 256 - (256 % LETTERS.length);
  while (text.length < n) {
    for (const b of crypto.getRandomValues(bytes)) if (b < fair && text.length < n) text += LETTERS[b % LETTERS.length];
  }
  return text;
}

// Four groups of five hold 116 bits and can be read out.
function make() {
  for (;;) {
    const text = pick(20).match(/.{5}/g).join("-");
    if (/[A-Z]/.test(text) && /[a-z]/.test(text) && /\d/.test(text)) return text;
  }
}

function help(list) {
  const input = document.getElementById(list.dataset.for);
  if (!input) return;
  const again = input.form.querySelector(`[data-again="${input.id}"]`) ?? input.form.elements.again;
  const update = () => {
    for (const item of list.querySelectorAll("[data-rule]")) item.classList.toggle("met", rules[item.dataset.rule](input.value));
  };
  const show = (on) => {
    for (const field of [input, again]) if (field) field.type = on ? "text" : "password";
  };
  const tools = list.nextElementSibling;
  tools.hidden = false;
  tools.querySelector("[data-do=make]").addEventListener("click", () => {
    input.value = make();
    if (again) again.value = input.value;
    show(true);
    update();
  });
  tools.querySelector("[data-do=show]").addEventListener("click", () => show(input.type === "password"));
  // A browser offers to keep what was in a password field when it is sent.
  input.form.addEventListener("submit", () => show(false));
  input.addEventListener("input", update);
  update();
}

for (const list of document.querySelectorAll("ul.rules")) help(list);
