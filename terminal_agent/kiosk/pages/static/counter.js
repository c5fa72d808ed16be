// Keeps a screen up to date from the event stream, sends its forms without a reload, and brings the number pad to life.
// Without it every page still works by its forms.
"use strict";

const said = document.getElementById("said");
const staff = location.pathname.startsWith("/staff");
let awake = 0;
let sending = 0;
let told = 0;

document.documentElement.classList.add("scripted");
prepare(document, true);

document.addEventListener("submit", async (submitted) => {
  const form = submitted.target;
  if (form.getAttribute("method") !== "post" || form.dataset.plain !== undefined) return;
  submitted.preventDefault();
  if (form.dataset.sent) return; // a second tap
  form.dataset.sent = "yes";
  const body = new URLSearchParams(new FormData(form, submitted.submitter));
  sending += 1;
  try {
    // The attribute: a field of the form may itself be called "action".
    await take(await fetch(form.getAttribute("action"), { method: "POST", body }));
  } finally {
    delete form.dataset.sent;
    sending -= 1;
    look();
  }
});

document.addEventListener("click", (clicked) => {
  const key = clicked.target.closest("[data-key]");
  if (key) press(key.closest("form"), key.dataset.key);
  const copy = clicked.target.closest("[data-copy]");
  if (copy) copyText(copy);
});

document.addEventListener("input", (changed) => {
  const form = changed.target.closest(".secret");
  if (form) sendWhenFull(form);
});

if (!staff) {
  for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, stayAwake, { passive: true });
}

const stream = new EventSource(staff ? "/staff/events" : "/events");
stream.onmessage = (message) => {
  if (message.data === "ended") return leave();
  told = Number(message.data);
  look();
};
// Sessions are in the program's memory: with its end they have ended, too.
stream.onerror = leave;
// A page that was kept for "back" may be of a session that has ended.
addEventListener("pageshow", (shown) => { if (shown.persisted) location.reload(); });

function leave() {
  const screen = document.getElementById("screen");
  if (!screen || screen.dataset.private === undefined) return;
  stream.close();
  screen.remove(); // at once: nobody may be there to answer
  location.replace("/staff/sign-in");
}

function look() {
  // A form's own answer brings the newest page; asking beside it would only make it later.
  if (sending) return;
  const screen = document.getElementById("screen");
  if (screen && screen.dataset.live !== "no" && told > Number(screen.dataset.changes)) refresh();
}

let refreshing = false;
let again = false;
async function refresh() {
  // One at a time, and never an older page over a newer one.
  if (refreshing) { again = true; return; }
  refreshing = true;
  try {
    do {
      again = false;
      // Nobody did anything: it must not keep a session of staff who have left alive.
      await take(await fetch(location.href, { headers: { "Counter-Looks-Again": "yes" } }));
    } while (again);
  } catch {
    setTimeout(refresh, 1000); // the terminal is being restarted
  } finally {
    refreshing = false;
  }
}

async function take(answer) {
  if (new URL(answer.url).pathname !== location.pathname) {
    location.assign(answer.url);
    return;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("screen");
  const shown = document.getElementById("screen");
  if (!fresh || !shown) return location.reload();
  // Nothing newer: leave what is being typed alone. What the form has set going is told by the stream.
  if (Number(fresh.dataset.changes) <= Number(shown.dataset.changes)) return;
  const focused = document.activeElement && document.activeElement.id;
  const turned = fresh.dataset.turn !== shown.dataset.turn || fresh.querySelector("[autofocus]") !== null;
  document.title = page.title;
  document.documentElement.lang = page.documentElement.lang;
  document.body.className = page.body.className;
  shown.replaceWith(fresh);
  prepare(fresh, turned && !staff, focused);
}

function prepare(root, moveFocus, focused) {
  for (const pad of root.querySelectorAll(".pad")) pad.hidden = false;
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
  if (moveFocus) {
    const target = root.querySelector("[autofocus]") || root.querySelector("h1");
    if (target) target.focus({ preventScroll: true });
    const heading = root.querySelector("h1");
    const notice = root.querySelector("#notice");
    if (heading) said.textContent = [heading, notice].filter(Boolean).map((e) => e.textContent.trim().replace(/\s+/g, " ")).join(" ");
    scrollTo(0, 0);
  } else if (focused) {
    document.getElementById(focused)?.focus({ preventScroll: true });
  }
  const hint = root.querySelector("#hint");
  if (hint && !moveFocus) said.textContent = hint.textContent.trim();
}

function press(form, key) {
  const field = form.querySelector("input[name=secret]");
  if (key === "clear") field.value = "";
  else if (field.value.length < field.maxLength) field.value += key;
  sendWhenFull(form);
}

function sendWhenFull(form) {
  const field = form.querySelector("input[name=secret]");
  if (field.value.length === Number(form.dataset.digits)) form.requestSubmit();
}

function stayAwake() {
  const now = Date.now();
  if (now - awake < 5000) return;
  awake = now;
  fetch("/awake", { method: "POST" }).catch(() => {});
}

async function copyText(button) {
  await navigator.clipboard.writeText(button.dataset.copy);
  said.textContent = button.dataset.copied;
  button.classList.add("copied");
  setTimeout(() => button.classList.remove("copied"), 1500);
}
