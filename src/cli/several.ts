/**
 * Several addresses asked as one: whoever reads hears the first that answers; a change is made at the first that takes it.
 * A rollback and a hold go on to the next when one says nothing for a moment; any other change only when it is certain
 * that nothing was sent, for it must not be made twice.
 */
import type { AdminClient } from "./client.ts";
import type { ApiAnswer } from "./transport.ts";

/** How long an address has the word before the next one is asked as well. */
const staggerMs = 1500;

type Ask<T> = (client: AdminClient) => Promise<ApiAnswer<T>>;

export function createSeveral(each: readonly AdminClient[]): AdminClient {
  const read = <T>(ask: Ask<T>) => firstOf(each, ask, 0);
  const urgently = <T>(ask: Ask<T>) => firstOf(each, ask, staggerMs);
  const once = <T>(ask: Ask<T>) => inTurn(each, ask);
  return {
    url: each.map(({ url }) => url).join(", "),
    each,
    cutovers: () => read((client) => client.cutovers()),
    cutover: (name) => read((client) => client.cutover(name)),
    proposals: (name) => read((client) => client.proposals(name)),
    history: (name, query) => read((client) => client.history(name, query)),
    owner: (name, key) => read((client) => client.owner(name, key)),
    doubt: (name, query) => read((client) => client.doubt(name, query)),
    settleDoubt: (name, body) => once((client) => client.settleDoubt(name, body)),
    explain: (name, query) => read((client) => client.explain(name, query)),
    guard: (name) => read((client) => client.guard(name)),
    instances: () => read((client) => client.instances()),
    signInWays: () => read((client) => client.signInWays()),
    whoAmI: () => read((client) => client.whoAmI()),
    events: (signal) => inTurn(each, (client) => client.events(signal)),
    write: (name, call) =>
      call.call === "hold" || (call.call === "rollback" && call.body.hard !== true)
        ? urgently((client) => client.write(name, call))
        : once((client) => client.write(name, call)),
    writeAll: (call) => urgently((client) => client.writeAll(call)),
    approve: (name, id, waitMs) => once((client) => client.approve(name, id, waitMs)),
    withdraw: (name, id) => once((client) => client.withdraw(name, id)),
    annotate: (name, version, reason) => once((client) => client.annotate(name, version, reason)),
    list: (name) => read((client) => client.list(name)),
    isOnList: (name, member) => read((client) => client.isOnList(name, member)),
    listHistory: (name) => read((client) => client.listHistory(name)),
    changeList: (name, body) => once((client) => client.changeList(name, body)),
    schedule: (name) => read((client) => client.schedule(name)),
    setAt: (name, body) => once((client) => client.setAt(name, body)),
    cancelScheduled: (name, id) => once((client) => client.cancelScheduled(name, id)),
    frozen: () => read((client) => client.frozen()),
    freeze: (body) => once((client) => client.freeze(body)),
    unfreeze: (reason) => once((client) => client.unfreeze(reason)),
    plan: (name) => read((client) => client.plan(name)),
    series: (name, since) => read((client) => client.series(name, since)),
    changePlan: (name, to, body) => once((client) => client.changePlan(name, to, body)),
    putOwner: (name, key, asked) => once((client) => client.putOwner(name, key, asked)),
  };
}

/**
 * Asks one after the other, the next at once when one fails and after `afterMs` when it says nothing.
 *
 * @returns the first that is an answer; else what the API has refused with; else why none answers
 */
function firstOf<T>(each: readonly AdminClient[], ask: Ask<T>, afterMs: number): Promise<ApiAnswer<T>> {
  return new Promise((resolve) => {
    const failures: { readonly url: string; readonly answer: ApiAnswer<T> }[] = [];
    let next = 0;
    let timer: NodeJS.Timeout | undefined;
    const askNext = () => {
      clearTimeout(timer);
      const client = each[next];
      if (client === undefined) return;
      next += 1;
      void ask(client).then((answer) => {
        if (answer.kind === "ok") {
          clearTimeout(timer);
          return resolve(answer);
        }
        failures.push({ url: client.url, answer });
        if (failures.length === each.length) resolve(worstOf(failures));
        askNext();
      });
      if (afterMs === 0) askNext();
      else timer = setTimeout(askNext, afterMs);
    };
    askNext();
  });
}

async function inTurn<T>(each: readonly AdminClient[], ask: Ask<T>): Promise<ApiAnswer<T>> {
  const failures: { readonly url: string; readonly answer: ApiAnswer<T> }[] = [];
  for (const client of each) {
    const answer = await ask(client);
    failures.push({ url: client.url, answer });
    if (answer.kind !== "unreachable" || answer.sent) return named(client.url, answer);
  }
  return worstOf(failures);
}

function worstOf<T>(
  failures: readonly { readonly url: string; readonly answer: ApiAnswer<T> }[],
): ApiAnswer<T> {
  const refused = failures.find(({ answer }) => answer.kind === "refused");
  if (refused !== undefined) return refused.answer;
  const whys = failures.map(({ url, answer }) => `${url}: ${whyOf(answer)}`);
  const sent = failures.some(({ answer }) => "sent" in answer && answer.sent);
  return { kind: "unreachable", why: whys.join("; "), sent };
}

function named<T>(url: string, answer: ApiAnswer<T>): ApiAnswer<T> {
  return answer.kind === "unreachable" ? { ...answer, why: `${url}: ${answer.why}` } : answer;
}

function whyOf(answer: ApiAnswer<unknown>): string {
  if (answer.kind === "unreachable") return answer.why;
  return answer.kind === "foreign" ? `HTTP ${answer.status}, but not as cutover's admin API` : answer.kind;
}
