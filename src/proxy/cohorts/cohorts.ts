/**
 * Which cohort of a cutover a request is of: the first of the configuration whose rule holds. What a rule asks for is in
 * the request or in memory: nothing is waited for.
 */
import { type Config, type CutoverConfig, leadersOf, linkingIn, saltOf } from "../../config/schema.ts";
import { isFound } from "../../config/values/expression.ts";
import { coversHost, hostNameOf } from "../../config/values/hosts.ts";
import type { Source } from "../../config/values/source.ts";
import { bucketOf, bytesOf, saltPrefix } from "../../decide/bucket.ts";
import type { Cohort } from "../../decide/decide.ts";
import { longestText, type RequestView, readSource } from "../../decide/sources.ts";
import type { Lists } from "../../lists/port.ts";
import { type CohortPercents, percentFromNumber } from "../../state/rules/percent.ts";
import { createTrust, type RequestHead } from "../inbound.ts";
import { clientOf } from "../request/client.ts";

/** Whose request it is, as far as rules ask. */
export interface Whose {
  readonly view: RequestView;
  /** A byte string. */
  readonly shopper: string | undefined;
  /** The authority that the request is for. */
  readonly host: string;
  /** Who has sent it here. */
  readonly peer: RequestHead["peer"];
}

/** What else rules go by. */
interface Surroundings {
  readonly table: { readonly trusts: (address: string) => boolean };
  readonly lists: Lists;
}

type Rule = (whose: Whose, around: Surroundings) => boolean;

interface CompiledCohort {
  readonly cohort: Cohort;
  readonly rule: Rule;
}

type CohortConfig = CutoverConfig["cohorts"][number];

/** By what a cutover's shoppers are split. */
export interface CompiledSplit {
  /** What goes before a shopper's name where his bucket is reckoned. */
  readonly salt: string;
  readonly cohorts: readonly CompiledCohort[];
  /** Names of the cutovers that it goes after, the nearest first. */
  readonly leaders: readonly string[];
  /** Name of the cutover whose links through logins count for its shoppers, as they do for all of its group. */
  readonly linking: string;
}

type SplitConfig = Pick<CutoverConfig, "salt" | "group" | "after" | "cohorts"> &
  Partial<Pick<CutoverConfig, "identity">>;

/** @param cutover its name @param all cutovers by name, for those that it goes after */
export function compileSplit(
  declared: SplitConfig,
  cutover: string,
  all: Readonly<Record<string, SplitConfig>> = {},
): CompiledSplit {
  const salt = saltOf(declared, cutover);
  const { cohorts } = declared;
  return {
    salt: saltPrefix(salt),
    leaders: leadersOf(all, cutover),
    linking: linkingIn(all, cutover),
    cohorts: cohorts.map(({ name, when, side, percent = 0 }) => ({
      cohort: { name, side, startThousandths: percentFromNumber(percent) ?? 0 },
      rule: compileRule(when, saltPrefix(`${salt}/${name}`)),
    })),
  };
}

/** @returns the sources that rules read, of the cutover and of those that it goes after */
export function cohortSources({ cutovers }: Pick<Config, "cutovers">, name: string): readonly Source[] {
  return [name, ...leadersOf(cutovers, name)].flatMap((each) =>
    (cutovers[each]?.cohorts ?? []).flatMap(({ when: { source } }) => source ?? []),
  );
}

export function cohortOf(
  cohorts: readonly CompiledCohort[],
  around: Surroundings,
  whose: Whose,
): Cohort | undefined {
  for (const { cohort, rule } of cohorts) if (rule(whose, around)) return cohort;
  return undefined;
}

/** @param prefix of the share's hash: other than the cutover's, or the share would be its first buckets */
function compileRule(when: CohortConfig["when"], prefix: string): Rule {
  const { source, in: texts, matches, list, host, cidr, share } = when;
  const valueIn = ({ view, shopper }: Whose) => {
    const value = source === undefined ? shopper : readSource(source, view);
    return value === undefined || value.length > longestText ? undefined : value;
  };
  const rules: Rule[] = [];
  if (host !== undefined) {
    rules.push((whose) => {
      const name = hostNameOf(whose.host);
      return host.some((wide) => coversHost(wide, name));
    });
  }
  if (cidr !== undefined) {
    const isIn = createTrust(cidr);
    rules.push(({ view, peer }, { table }) => {
      return isIn(clientOf(table.trusts, { fields: view.fields, peer }, view.fieldNames).address);
    });
  }
  if (source !== undefined) rules.push((whose) => valueIn(whose) !== undefined);
  if (texts !== undefined) {
    const wanted = new Set(texts.map(bytesOf));
    rules.push((whose) => {
      const value = valueIn(whose);
      return value !== undefined && wanted.has(value);
    });
  }
  if (matches !== undefined) {
    rules.push((whose) => {
      const value = valueIn(whose);
      return value !== undefined && isFound(matches, value) === true;
    });
  }
  if (list !== undefined) {
    rules.push((whose, { lists }) => {
      const value = valueIn(whose);
      return value !== undefined && lists.has(list, value);
    });
  }
  if (share !== undefined) {
    const below = percentFromNumber(share) ?? 0;
    rules.push(({ shopper }) => shopper !== undefined && bucketOf(prefix, shopper) < below);
  }
  return (whose, around) => rules.every((rule) => rule(whose, around));
}

/** @returns where the cutover's cohorts begin that have a percent of their own; `undefined`: none has */
export function cohortStarts({ cutovers }: Config, name: string): CohortPercents | undefined {
  const cohorts = Object.hasOwn(cutovers, name) ? (cutovers[name]?.cohorts ?? []) : [];
  const starts = cohorts.flatMap(({ name: cohortName, percent }) => {
    return percent === undefined ? [] : [[cohortName, percentFromNumber(percent) ?? 0] as const];
  });
  return starts.length === 0 ? undefined : Object.fromEntries(starts);
}
