// Keeps the status page current: asks for the page again each second and swaps what it shows. What is older than
// three seconds is stale, and the page says so: a frozen number must never look like a live one.
const everyMs = 1000;
const staleAfterMs = 3000;
const tokenKey = "cutover-token";

const shown = document.getElementById("status");
const updated = document.getElementById("updated");
const alarm = document.getElementById("alarm");
const form = document.getElementById("sign-in");
const note = document.getElementById("sign-in-note");
const input = document.getElementById("token");

let lastAnswerAt = Date.now();
let asOf = updated.textContent;
let wasRejected = false;

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
  asOf = time.textContent;
}

async function refresh() {
  const token = sessionStorage.getItem(tokenKey);
  try {
    const response = await fetch("/", {
      headers: token === null ? {} : { authorization: `Bearer ${token}` },
      cache: "no-store",
      signal: AbortSignal.timeout(2000),
    });
    if (response.status === 401) {
      sessionStorage.removeItem(tokenKey);
      wasRejected = true;
      return;
    }
    if (!response.ok) throw new Error(`the answer was ${response.status}`);
    adopt(await response.text());
    lastAnswerAt = Date.now();
    if (shown.dataset.access !== "token") form.hidden = true;
    else askForToken(wasRejected ? "This token is not known." : "Sign in to see the cutovers.");
    showAge();
  } catch {
    // The age says it: what does not come in time is stale, whatever the cause.
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(tokenKey, input.value.trim());
  input.value = "";
  wasRejected = false;
  void refresh();
});

async function run() {
  await refresh();
  setTimeout(run, everyMs);
}

setInterval(showAge, 500);
void run();
