/** Who decides, and by which version; and what is under way on each side. */
import type { SidesUnderWay } from "../../admin/api/cutover-view.ts";
import type { InstanceView } from "../../admin/api/instance-view.ts";
import { spanText } from "../../admin/api/words/span.ts";
import { Heads, type ShownOne } from "./shown.tsx";

export function FleetTable(shown: ShownOne) {
  const { state, view, figures } = shown;
  const known = state.instances.filter(({ versions }) => versions[view.name] !== undefined);
  const { store } = view;
  return (
    <section aria-labelledby="fleet">
      <h2 id="fleet">Fleet</h2>
      <section class="wide" tabIndex={0} aria-labelledby="fleet">
        <table class="dense">
          <thead>
            <tr>
              <Heads names={["instance", "version", "applied", "store", "in flight", "journeys, 5 min"]} />
              <Heads names={["admin", "configuration"]} />
            </tr>
          </thead>
          <tbody>
            {known.map((instance) => (
              <Row {...shown} instance={instance} key={instance.id} />
            ))}
            {view.instances.silent.map((silent) => (
              <tr key={silent.id} class="odd">
                <th scope="row">{silent.name}</th>
                <td>{`v${silent.version}`}</td>
                <td class="words">
                  {`▲ silent since ${figures.moment(silent.since, state.at)}`}
                  {silent.until === null ? "" : `, its lease ends ${figures.moment(silent.until, state.at)}`}
                </td>
                <td>–</td>
                <td>–</td>
                <td>–</td>
                <td>{silent.address ?? "–"}</td>
                <td>–</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
      {store !== undefined && (
        <p class={store.writable ? "note" : "note loud"}>{storeText(store, view.version, state.at)}</p>
      )}
    </section>
  );
}

function Row({ instance, view, state, figures }: ShownOne & { readonly instance: InstanceView }) {
  const { name, versions, inFlight, begun, tookMs, address, config, seenAt } = instance;
  const took = tookMs?.[view.name];
  const version = versions[view.name] ?? 0;
  const behind = view.version - version;
  const ago = spanText(Date.parse(state.at) - Date.parse(view.updatedAt));
  return (
    <tr class={behind > 0 ? "odd" : ""}>
      <th scope="row">{name}</th>
      <td>{`v${version}`}</td>
      <td class="words">
        {behind > 0
          ? `▲ v${version}, ${behind} behind for ${ago}`
          : `✓ ${took === undefined ? "applied" : `in ${took < 1000 ? figures.latency(took / 1000) : spanText(took)}`}`}
      </td>
      <td>{`written ${figures.moment(seenAt, state.at)}`}</td>
      <BothSides of={inFlight[view.name]} figures={figures} />
      <BothSides of={begun?.[view.name]} figures={figures} />
      <td>{address ?? "–"}</td>
      <td>{config?.hash.slice(0, 7) ?? "–"}</td>
    </tr>
  );
}

/** Legacy's and new's, each by its mark. */
function BothSides({
  of,
  figures,
}: Pick<ShownOne, "figures"> & {
  readonly of: { readonly legacy: number; readonly new: number } | undefined;
}) {
  if (of === undefined) return <td>–</td>;
  return (
    <td class="both">
      {(["legacy", "new"] as const).map((side) => (
        <span class={side} key={side}>
          <span aria-hidden="true">{side === "legacy" ? "●" : "■"}</span>
          <span class="unseen">{side}</span> {figures.count(of[side])}
        </span>
      ))}
    </td>
  );
}

function storeText(
  { writable, reachable, since, word }: NonNullable<ShownOne["view"]["store"]>,
  version: number,
  at: string,
): string {
  if (writable) return "The store takes what is written.";
  const ago = since === null ? "" : ` from ${spanText(Date.parse(at) - Date.parse(since))} ago`;
  const why = reachable ? `answers ${word ?? "no"}` : "is out of reach";
  return `The store ${why}: instances use v${version}${ago}. Raises cannot be saved; rollback and hold work here at once.`;
}

export function UnderWayTable({ state, view, figures }: ShownOne) {
  const { traffic, journeys, unfinished } = view;
  // Where nothing more begins, what is under way drains.
  const share = view.effectivePercent ?? view.percent;
  const drained = view.state === "rolled_back" || share === 0 ? "new" : share === 100 ? "legacy" : undefined;
  const cells = (of: SidesUnderWay, side: "legacy" | "new") => {
    if (of === null) return null;
    const { open, atLeast, oldestStartedAt: since } = of[side];
    const drains = side === drained && open > 0 ? ", draining" : "";
    return [
      <td
        key="open"
        class={drains === "" ? undefined : "words"}
      >{`${atLeast ? "at least " : ""}${figures.count(open)}${drains}`}</td>,
      <td key="oldest">{since === null ? "–" : spanText(Date.parse(state.at) - Date.parse(since))}</td>,
    ];
  };
  return (
    <section aria-labelledby="sides">
      <h2 id="sides">{`Sides, last ${spanText(traffic.windowSeconds * 1000)}`}</h2>
      <section class="wide" tabIndex={0} aria-labelledby="sides">
        <table class="dense">
          <thead>
            <tr>
              <Heads
                names={[
                  "side",
                  "requests",
                  "errors",
                  "p50",
                  "p99",
                  "2xx",
                  "4xx",
                  "5xx",
                  "in flight",
                  "oldest",
                ]}
              />
              {journeys !== null && [
                <th scope="col" key="j">
                  journeys
                </th>,
                <th scope="col" key="k">
                  oldest
                </th>,
              ]}
              {unfinished !== null && [
                <th scope="col" key="o">
                  orders
                </th>,
                <th scope="col" key="p">
                  oldest
                </th>,
              ]}
            </tr>
          </thead>
          <tbody>
            {(["legacy", "new"] as const).map((side) => {
              const {
                requests,
                errorRate,
                p50,
                p99,
                shares,
                inFlight,
                oldestInFlightSeconds: oldest,
              } = traffic[side];
              return (
                <tr class={side} key={side}>
                  <th scope="row">
                    <span aria-hidden="true">{side === "legacy" ? "●" : "■"}</span> {`${side}: ${view[side]}`}
                  </th>
                  <td>{figures.count(requests)}</td>
                  <td>{figures.rate(errorRate)}</td>
                  <td>{figures.latency(p50)}</td>
                  <td>{figures.latency(p99)}</td>
                  {(["2xx", "4xx", "5xx"] as const).map((status) => (
                    <td key={status}>{figures.rate(shares === null ? null : shares[status])}</td>
                  ))}
                  <td>{figures.count(inFlight)}</td>
                  <td>{oldest === null ? "–" : spanText(oldest * 1000)}</td>
                  {cells(journeys, side)}
                  {cells(unfinished, side)}
                </tr>
              );
            })}
          </tbody>
        </table>
      </section>
    </section>
  );
}
