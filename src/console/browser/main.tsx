/** Takes the server's page over: one value, one render of it after each event, and all that is set off from it. */
import { hydrate, render } from "preact";
import { type ConsoleState, withChange, withMetrics, withSnapshot, type Zone } from "../state.ts";
import { type Deeds, firstUi, type Ui } from "../ui.ts";
import { App } from "../view/app.tsx";
import { createFigures } from "../words/figures.ts";
import { createApiCalls } from "./calls.ts";
import { createDeeds, type Stage } from "./deeds.ts";
import { keep, kept, onKey, settleDialogs } from "./dialogs.ts";
import { openEvidence } from "./evidence.ts";
import { type Heard, openLive } from "./live.ts";
import { createRenewal, type Renewal } from "./renewal.ts";
import { leave, remember, rootOf, settlePath, tradeToken } from "./session.ts";

function start(at: HTMLElement, first: ConsoleState): void {
  const root = rootOf(location.pathname);
  let state = first;
  let ui: Ui = firstUi(first);
  let figures = createFigures(first.page.locale, first.zone);
  let isTouched = false;
  const touch = () => {
    const fields = isTouched ? { "x-cutover-touched": "yes" } : {};
    isTouched = false;
    return fields;
  };
  const onTouch = () => {
    isTouched = true;
  };
  const calls = createApiCalls(root, () => state.csrf, touch);
  const evidence = openEvidence(calls);

  function draw(): void {
    render(<App state={state} ui={ui} deeds={deeds} figures={figures} />, at);
    settleDialogs();
    evidence.draw(state, ui);
  }
  const show = (change: Partial<Ui>) => {
    ui = { ...ui, ...change };
    draw();
  };
  const setState = (change: (state: ConsoleState) => ConsoleState) => {
    state = change(state);
    draw();
  };

  const signedOut = (signInNote: string) => {
    remember(undefined);
    setState((now) => ({ ...now, who: undefined, cutovers: [], instances: [], told: {} }));
    show({ sheet: undefined, signInNote });
  };
  const stage = { state: () => state, ui: () => ui, show, setState, signedOut };
  const renewal = createRenewal(stage, calls, evidence);
  const deeds: Deeds = {
    ...createDeeds({ ...stage, renew: renewal.all }, calls),
    ...{ choose, showTable: (isTable) => show({ isTable }) },
    setZone: (zone) => {
      keep("cutover-zone", zone);
      figures = createFigures(state.page.locale, zone);
      setState((now) => ({ ...now, zone }));
    },
    setKeys: (hasKeys) => {
      keep("cutover-keys", hasKeys ? "on" : "off");
      show({ hasKeys });
    },
    signIn: async (token) => {
      const why = await tradeToken(token.trim());
      if (why !== "") show({ signInNote: why });
    },
    signOut: () => void leave(() => calls.send("POST", "api/v1/session/end")),
  };

  function choose(range: Ui["range"]): void {
    show({ range });
    void evidence.renew(state, ui).then(show);
  }

  hydrate(<App state={state} ui={ui} deeds={deeds} figures={figures} />, at);
  settlePath(root, state.who !== undefined, !state.page.access.isOpen);
  const zone = kept("cutover-zone");
  if (zone === "UTC" || zone === "Asia/Jakarta") {
    state = { ...state, zone: zone satisfies Zone };
    figures = createFigures(state.page.locale, zone);
  }
  ui = { ...ui, isLive: true, hasKeys: kept("cutover-keys") !== "off" };
  draw();
  addEventListener("keydown", (event) => {
    onTouch();
    onKey(event, state, ui, deeds);
  });
  for (const event of ["pointerdown", "wheel"]) {
    addEventListener(event, onTouch, { passive: true });
  }
  if (state.who === undefined) return;
  openLive(root, heard(stage, renewal));
  renewal.all();
}

/** What the stream of events does to the page. */
function heard({ show, setState, signedOut, ui }: Omit<Stage, "renew">, renewal: Renewal): Heard {
  return {
    snapshot(cutovers) {
      setState((now) => withSnapshot(now, cutovers));
      renewal.look();
    },
    change(view) {
      setState((now) => withChange(now, view));
      renewal.all();
    },
    metrics(figures) {
      setState((now) => withMetrics(now, figures));
      renewal.look();
    },
    tick: (at) => setState((now) => ({ ...now, at })),
    age(ageMs) {
      // A live page is drawn by its events alone.
      if (ageMs > 1500 || ui().ageMs > 1500) show({ ageMs });
    },
    signedOut: () => signedOut("Your session has ended: sign in again."),
  };
}

const at = document.getElementById("console");
const text = document.getElementById("state")?.textContent;
if (at !== null && text != null) start(at, JSON.parse(text));
