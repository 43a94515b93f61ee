/** The whole page, of one value and the page's own doings: the server makes it once, the browser again at each change. */

import { staleAfterMs } from "../../admin/api/words/verdict.ts";
import type { ConsoleState } from "../state.ts";
import { chosenOf } from "../state.ts";
import { type Deeds, noDeeds, type Ui } from "../ui.ts";
import type { Figures } from "../words/figures.ts";
import { staleWords } from "../words/liveness.ts";
import { ActionBar } from "./actions.tsx";
import { Band, SignInForm } from "./band.tsx";
import { EvidenceCharts } from "./evidence.tsx";
import { FleetTable, UnderWayTable } from "./fleet.tsx";
import { GuardSection } from "./guard.tsx";
import { Hero } from "./hero.tsx";
import { HistoryTable } from "./history.tsx";
import { Overview } from "./overview.tsx";
import { PlanSection } from "./plan.tsx";
import { HelpSheet, RaiseSheet } from "./sheets/raise.tsx";
import { NoticeText, RollBackSheet } from "./sheets/rollback.tsx";
import { PausePlanSheet, ResumeSheet, StartPlanSheet } from "./sheets/with-reason.tsx";
import type { Shown } from "./shown.tsx";

interface AppProps {
  readonly state: ConsoleState;
  readonly ui: Ui;
  readonly deeds?: Deeds;
  /** As the state's locale and zone have them: made once, for they are what costs most of a render. */
  readonly figures: Figures;
}

export function App({ state, ui, deeds = noDeeds, figures }: AppProps) {
  const shown: Shown = { state, ui, deeds, figures };
  const isStale = ui.ageMs > staleAfterMs;
  return (
    <div
      class={isStale ? "console stale" : "console"}
      data-access={state.who ? "granted" : "token"}
      data-who={whoOf(state)}
    >
      <Band {...shown} />
      {isStale && <p class="alarm">{staleWords}</p>}
      <div id="said" class="unseen" role="status">
        {ui.toast?.text ?? ""}
      </div>
      {state.notice && <NoticeText notice={state.notice} />}
      <Content {...shown} />
      {ui.toast && <Toast {...shown} toast={ui.toast} />}
      <Foot {...shown} />
      <HelpSheet {...shown} />
    </div>
  );
}

/** Where nobody signs in nobody has a name. */
function whoOf({ page, who }: ConsoleState): string {
  return page.access.isOpen ? "" : (who?.name ?? "");
}

function Content(shown: Shown) {
  const { state } = shown;
  if (state.who === undefined) {
    return (
      <main class="alone">
        <h1>Who is asking?</h1>
        <SignInForm {...shown} />
      </main>
    );
  }
  if (state.cutovers.length === 0) {
    return (
      <main class="alone">
        <h1>No cutover is configured</h1>
        <p>What the file of the configuration has under “cutovers” is shown here.</p>
      </main>
    );
  }
  const view = chosenOf(state);
  if (view === undefined) return <Overview {...shown} />;
  const one = { ...shown, view };
  return (
    <main class="grid">
      <Hero {...one} />
      <ActionBar {...one} />
      <div class="evidence">
        <EvidenceCharts {...one} />
        <GuardSection {...one} />
        <UnderWayTable {...one} />
        <FleetTable {...one} />
        <PlanSection {...one} />
        <HistoryTable {...one} />
      </div>
      <RollBackSheet {...one} />
      <RaiseSheet {...one} />
      <ResumeSheet {...one} />
      <StartPlanSheet {...one} />
      <PausePlanSheet {...one} />
    </main>
  );
}

function Toast({ toast, deeds }: Shown & { readonly toast: NonNullable<Ui["toast"]> }) {
  return (
    <div class="toast">
      <span>{toast.text}</span>
      {toast.undo && (
        <button type="button" class="quiet" onClick={() => deeds.undo()}>
          Undo
        </button>
      )}
    </div>
  );
}

function Foot({ state, ui, deeds }: Shown) {
  const { links, build, instance } = state.page;
  const external = (["runbook", "grafana", "alerts"] as const).flatMap((kind) => {
    const href = links[kind];
    return href === undefined ? [] : [{ kind, href }];
  });
  const names = { runbook: "Runbook", grafana: "Grafana", alerts: "Alerts" };
  return (
    <footer>
      <nav aria-label="Elsewhere">
        {external.map(({ kind, href }) => (
          <a key={kind} href={href} rel="noreferrer">
            {names[kind]}
          </a>
        ))}
        <a href="openapi.json">API description</a>
        <a href="metrics">Metrics</a>
      </nav>
      <p>{`cutover ${build} · told by ${instance}`}</p>
      {ui.isLive && (
        <p class="switches">
          <button
            type="button"
            class="quiet"
            onClick={() => deeds.setZone(state.zone === "UTC" ? "Asia/Jakarta" : "UTC")}
          >
            {`Clock: ${state.zone === "UTC" ? "UTC" : "Jakarta (WIB)"}`}
          </button>
          <button type="button" class="quiet" onClick={() => deeds.open("help")}>
            Keys
          </button>
        </p>
      )}
      <noscript>
        <p>Without JavaScript this page does not renew itself: reload it to see how things stand.</p>
      </noscript>
    </footer>
  );
}
