/** The command line's own settings: a small YAML file of a person. */
import { parse } from "yaml";
import { z } from "zod";

/** When a large raise has to be confirmed: where a person can be asked, or by scripts too. */
export const confirmRules = ["terminal", "always"] as const;
export type ConfirmRule = (typeof confirmRules)[number];

const settings = z
  .strictObject({
    adminUrl: z.string().min(1).optional(),
    /** From the settings' own folder, where it is not absolute. */
    tokenFile: z.string().min(1).optional(),
    confirm: z.enum(confirmRules).optional(),
  })
  .nullable();

export interface CliSettings {
  readonly adminUrl?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly confirm?: ConfirmRule | undefined;
}

/** @returns the settings; the keys that are wrong, where it is not that. A value is never repeated. */
export function readCliSettings(text: string): CliSettings | { readonly wrong: string } {
  let value: unknown;
  try {
    value = parse(text, { logLevel: "error" });
  } catch {
    return { wrong: "it is not YAML" };
  }
  const read = settings.safeParse(value);
  if (read.success) return read.data ?? {};
  const keys = read.error.issues.flatMap((issue) =>
    issue.code === "unrecognized_keys" ? issue.keys : [issue.path.join(".") || "the whole"],
  );
  return { wrong: `${keys.join(", ")}: expected adminUrl and tokenFile, each a text, and confirm: always` };
}
