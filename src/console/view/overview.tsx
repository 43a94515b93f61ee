/** Several cutovers: a line each, and one grip for all of them. */
import type { CutoverView } from "../../admin/api/cutover-view.ts";
import { isOfAll } from "../../admin/api/rules.ts";
import { agoText } from "../../admin/api/words/span.ts";
import { verdictOf } from "../../admin/api/words/verdict.ts";
import { mayDo, toldOf } from "../state.ts";
import { momentsIn } from "../words/figures.ts";
import { RollBackAllSheet } from "./sheets/rollback.tsx";
import { instead, type Shown } from "./shown.tsx";

export function Overview(shown: Shown) {
  const { state, figures } = shown;
  const { cutovers } = state;
  const common = cutovers.flatMap(({ warnings }) => warnings.filter(({ code }) => isOfAll(code)));
  return (
    <main class="grid">
      <section class="hero" aria-labelledby="title">
        <h1 id="title">{`${cutovers.length} cutovers`}</h1>
        {[...new Set(common.map(({ text }) => text))].map((text) => (
          <p class="warning" key={text}>
            {momentsIn(text, figures, state.at)}
          </p>
        ))}
        <ul class="all">
          {cutovers.map((view) => (
            <Row {...shown} view={view} key={view.name} />
          ))}
        </ul>
      </section>
      <aside class="actions" aria-label="Actions">
        {mayDo(state, "responder") ? <Grip {...shown} /> : <p class="note">You see, and change nothing.</p>}
      </aside>
      <RollBackAllSheet {...shown} />
    </main>
  );
}

function Row({ view, state, ui, figures }: Shown & { readonly view: CutoverView }) {
  const { name, percent, effectivePercent = percent, new: onNew, updatedAt, version, warnings } = view;
  const { tone, mark, text } = verdictOf(view, toldOf(state, name).guard, ui.ageMs, figures);
  const own = warnings.filter(({ code }) => !isOfAll(code));
  return (
    <li>
      <a href={`?cutover=${encodeURIComponent(name)}`}>
        <strong>{name}</strong>
      </a>
      <span class={`state ${view.state}`}>{words[view.state]}</span>
      <span>{`${figures.percent(effectivePercent)} to ${onNew}`}</span>
      <span class="note">
        {version === 0 ? "never changed" : agoText(Date.parse(state.at) - Date.parse(updatedAt))}
      </span>
      <span class={`verdict ${tone}`}>
        <span class="sign" aria-hidden="true">
          {mark}
        </span>
        <span>{text}</span>
      </span>
      {own.map((warning) => (
        <p class="warning" key={warning.text}>
          {momentsIn(warning.text, figures, state.at)}
        </p>
      ))}
    </li>
  );
}

const words = { open: "open", held: "HELD", rolled_back: "ROLLED BACK", closed: "CLOSED" } as const;

function Grip({ state, deeds }: Shown) {
  return (
    <div class="bar">
      <form method="get" action="./" onSubmit={instead(() => deeds.open("rollback_all"))}>
        <input type="hidden" name="intent" value="rollback" />
        <button type="submit" id="roll-back-all" class="danger">
          Roll back all to 0%
        </button>
        <p class="means">New checkouts of every cutover go to its legacy side.</p>
      </form>
      <form method="post" action="act" class="pair" onSubmit={instead(() => deeds.holdAll())}>
        <input type="hidden" name="csrf" value={state.csrf ?? ""} />
        <button type="submit" id="hold-all" name="action" value="hold_all" class="secondary">
          Hold all
        </button>
      </form>
    </div>
  );
}
