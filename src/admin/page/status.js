// Keeps the status page current: asks for the page again each second and swaps what it shows. What is older than
// three seconds is stale, and the page says so: a frozen number must never look like a live one.
const everyMs = 1000;
const staleAfterMs = 3000;
const session = "/api/v1/session";

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

async function refresh() {
  try {
    const response = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(2000) });
    if (!response.ok) throw new Error(`the answer was ${response.status}`);
    adopt(await response.text());
    lastAnswerAt = Date.now();
    if (shown.dataset.access !== "token") form.hidden = true;
    else askForToken(refusal === "" ? "Sign in to see the cutovers." : refusal);
    signedIn.hidden = shown.dataset.who === "";
    setText(who, shown.dataset.who);
    showAge();
  } catch {
    // The age says it: what does not come in time is stale, whatever the cause.
  }
}

/** Trades the token for a cookie no script can read; the token itself is kept nowhere. */
async function signIn(token) {
  try {
    const response = await fetch(session, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      signal: AbortSignal.timeout(5000),
    });
    const problem = response.ok ? {} : await response.json();
    refusal = response.ok ? "" : `Not signed in: ${problem.detail ?? response.status}.`;
  } catch {
    refusal = "Not signed in: the admin API did not answer.";
  }
  await refresh();
}

async function leave() {
  const known = await fetch(session, { cache: "no-store" });
  if (known.ok) {
    const { csrf } = await known.json();
    await fetch(session, { method: "DELETE", headers: { "x-csrf-token": csrf } });
  }
  refusal = "";
  await refresh();
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

async function run() {
  await refresh();
  setTimeout(run, everyMs);
}

setInterval(showAge, 500);
void run();
