/** What a configuration says of cookies that are kept apart per side, and of all others. */
import type { Draft } from "../load/draft.ts";
import { type Finding, formatPath, type Path, repeated, unwise, wrong } from "../load/problems.ts";
import { apartSuffix, namesCookie } from "../values/apart-cookies.ts";

/** A cookie of the proxy's own, by the block that it is configured in. */
interface OwnCookieDraft {
  readonly at: Path;
  readonly cookie: string | undefined;
}

/** What makes it wrong. */
export function apartFindings({ cutovers }: Draft, own: readonly OwnCookieDraft[]): Finding[] {
  const suffixes = cutovers.flatMap(({ apart, new: upstream }) =>
    apart.length > 0 && upstream !== undefined ? apartSuffix(upstream) : [],
  );
  const suffixed = own.filter(({ cookie }) => suffixes.some((suffix) => cookie?.endsWith(suffix)));
  const taken = new Set(own.map(({ cookie }) => cookie));
  return [
    ...suffixed.map(({ at }) =>
      wrong([...at, "cookie"], "expected another name: cookies that end so are an upstream's, kept apart"),
    ),
    ...cutovers.flatMap(({ apart }) => [
      ...repeated(apart, "expected each name once"),
      ...apart
        .filter(({ value }) => taken.has(value))
        .map(({ path }) => wrong(path, "expected a cookie of the shops: this one is the proxy's own")),
    ]),
  ];
}

/** Frameworks' scripts look for these on every page, by their plain names. */
const readByScripts = ["XSRF-TOKEN", "csrftoken", "_ga", "_gid", "_fbp"];

/** What is allowed but probably not meant. */
export function apartWarnings({ cutovers }: Draft): Finding[] {
  return cutovers.flatMap(({ at, apart, owners, legacy }) => {
    const isApart = (name: string) => apart.some(({ value }) => namesCookie(value, name));
    const keys = owners
      .flatMap((owner) => owner.keys)
      .filter(({ value }) => value.kind === "cookie" && isApart(value.name));
    const other = cutovers.find((each) => each.new === legacy && each.apart.length > 0);
    const isMiddle = apart.length > 0 && legacy !== undefined && other !== undefined;
    return [
      ...apart
        .filter(({ value }) => readByScripts.some((name) => namesCookie(value, name)))
        .map(({ path }) =>
          unwise(
            path,
            "scripts of pages read cookies of this name: they find legacy's or nothing while new serves the page",
          ),
        ),
      ...keys.map(({ path }) =>
        unwise(path, "the cookie is kept apart: the key is read of legacy's, and never of new's"),
      ),
      ...(isMiddle
        ? [
            unwise(
              [...at, "cookies"],
              `legacy is the new of ${formatPath(other.at)}: its cookies have a suffix, too, and who had plain ones is logged out there`,
            ),
          ]
        : []),
    ];
  });
}
