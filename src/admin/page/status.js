// Keeps the status page current: asks for the page again each second and swaps what it shows. What is older than
// three seconds is stale, and the page says so: a frozen number must never look like a live one.
const everyMs = 1000;
const staleAfterMs = 3000;
/** A session has a path of its own, which its cookie goes with. */
const own = /^\/s\/[\w-]{22}\//;
const root = own.exec(location.pathname)?.[0] ?? "/";
const kept = "cutover-path";

const shown = document.getElementById("status");
const updated = document.getElementById("updated");
const alarm = document.getElementById("alarm");
const form = document.getElementById("sign-in");
const note = document.getElementById("sign-in-note");
const input = document.getElementById("token");
const signedIn = document.getElementById("signed-in");
const who = document.getElementById("who");
const signOut = document.getElementById("sign-out");

let lastAnswerAt = Date.now();
let asOf = updated.textContent;
let refusal = "";
/** Whether a person did anything here since the page last asked: asking alone keeps no session alive. */
let isTouched = false;

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** The age changes every second; the alarm's words do not, so that they are read out once. */
function showAge() {
  const ageMs = Date.now() - lastAnswerAt;
  const isStale = ageMs > staleAfterMs;
  document.body.classList.toggle("stale", isStale);
  alarm.hidden = !isStale;
  setText(alarm, isStale ? "STALE: the admin API does not answer. What stands below is old." : "");
  setText(updated, isStale ? `${asOf}: ${Math.floor(ageMs / 1000)} s old` : asOf);
}

function askForToken(text) {
  form.hidden = false;
  setText(note, text);
}

function adopt(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const next = page.getElementById("status");
  const time = page.getElementById("updated");
  if (next === null || time === null) throw new Error("not the status page");
  if (next.innerHTML !== shown.innerHTML) shown.replaceChildren(...next.childNodes);
  shown.dataset.access = next.dataset.access;
  shown.dataset.who = next.dataset.who;
  asOf = time.textContent;
}

/** The session's path, for whoever opens the root: kept for this origin, which is one of this port alone. */
function recall() {
  try {
    const path = localStorage.getItem(kept) ?? "";
    return own.exec(path)?.[0];
  } catch {
    return undefined;
  }
}

function remember(path) {
  try {
    if (path === undefined) localStorage.removeItem(kept);
    else if (recall() !== path) localStorage.setItem(kept, path);
  } catch {
    // Then the root asks for a token again.
  }
}

/** At the root nobody is signed in; on a session's path that has ended, nobody is any more. */
function settlePath() {
  if (shown.dataset.access !== "token") {
    if (root !== "/" && shown.dataset.who !== "") remember(root);
    return;
  }
  const path = recall();
  const hasFailed = location.search.startsWith("?sign-in=");
  if (root === "/" && path !== undefined && !hasFailed) location.replace(path + location.hash);
  else if (path === root) remember(undefined);
}

async function refresh() {
  try {
    const headers = isTouched ? { "x-cutover-touched": "yes" } : {};
    isTouched = false;
    const response = await fetch(root, { cache: "no-store", headers, signal: AbortSignal.timeout(2000) });
    if (!response.ok) throw new Error(`the answer was ${response.status}`);
    adopt(await response.text());
    lastAnswerAt = Date.now();
    if (shown.dataset.access !== "token") form.hidden = true;
    else askForToken(refusal === "" ? "Sign in to see the cutovers." : refusal);
    signedIn.hidden = shown.dataset.who === "";
    setText(who, shown.dataset.who);
    settlePath();
    showAge();
  } catch {
    // The age says it: what does not come in time is stale, whatever the cause.
  }
}

/** Trades the token for a cookie no script can read; the token itself is kept nowhere. */
async function signIn(token) {
  try {
    const response = await fetch("/api/v1/session", {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(5000),
    });
    const answer = await response.json();
    if (response.ok && own.test(answer.path)) {
      remember(answer.path);
      location.replace(answer.path + location.hash);
      return;
    }
    refusal = `Not signed in: ${answer.detail ?? response.status}.`;
  } catch {
    refusal = "Not signed in: the admin API did not answer.";
  }
  await refresh();
}

async function leave() {
  const known = await fetch(`${root}api/v1/session`, { cache: "no-store" });
  if (known.ok) {
    const { csrf } = await known.json();
    await fetch(`${root}api/v1/session/end`, { method: "POST", headers: { "x-csrf-token": csrf } });
  }
  remember(undefined);
  location.replace("/");
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const token = input.value.trim();
  input.value = "";
  // What no header field can carry is no token.
  if (/^[\x21-\x7e]+$/.test(token)) void signIn(token);
  else askForToken("This is no token.");
});
signOut.addEventListener("click", () => void leave());
for (const event of ["pointerdown", "keydown", "wheel"]) {
  addEventListener(
    event,
    () => {
      isTouched = true;
    },
    { passive: true },
  );
}

async function run() {
  await refresh();
  setTimeout(run, everyMs);
}

setInterval(showAge, 500);
void run();
