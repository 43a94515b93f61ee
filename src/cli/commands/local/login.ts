import type { Command } from "commander";
import type { AdminClient } from "../../client.ts";
import type { Api, Context } from "../../context.ts";
import { type ExitCode, exitCodes, fail, report } from "../../exit.ts";
import { resultOf } from "../../failure.ts";
import { printJson, withApi } from "../../frame.ts";
import { type ApiOptions, examples, type JsonOption, withApiOptions, withJson } from "../../options.ts";
import { printable } from "../../screen/text.ts";

export function addLogin(program: Command, context: Context): void {
  const login = program
    .command("login")
    .description("sign in at the issuer from any browser; the token is kept for every command after it");
  withApiOptions(withJson(login, "print { name, role, url, expiresAt }")).action(
    (options: ApiOptions & JsonOption) =>
      withApi(context, options, (api) => signIn(api, context, options.json === true)),
  );
  examples(
    login,
    ["cutover login", "shows an address and a code, and waits"],
    ["cutover logout", "forgets the token"],
  );
}

export function addLogout(program: Command, context: Context): void {
  const logout = program.command("logout").description("forget the token that cutover login has kept");
  withApiOptions(logout).action((options: ApiOptions) =>
    withApi(context, options, async ({ client, terminal }) => {
      const { signedInTo, keepSignIn } = await import("../../sign-in/kept.ts");
      const urls = signedInTo(context.env, addressesOf(client));
      if (urls.length === 0) {
        terminal.out(`nobody was signed in to ${client.url}\n`);
        return exitCodes.done;
      }
      await keepSignIn(context.env, urls, undefined);
      terminal.out(
        `signed out of ${urls.join(", ")}: its token is forgotten here, and ends by itself at the issuer\n`,
      );
      return exitCodes.done;
    }),
  );
}

async function signIn({ client, terminal }: Api, { env }: Context, isJson: boolean): Promise<ExitCode> {
  const { url } = client;
  const ways = resultOf(await client.signInWays(), { url });
  if (!ways.ok) return report(terminal, ways);
  if (ways.value.cli === null) {
    const next =
      "Its configuration names one as auth.oidc.cli. Else: a token, as CUTOVER_TOKEN or --token-file FILE.";
    return report(terminal, fail(exitCodes.refused, `${url} has no issuer for the command line`, next));
  }
  // Whoever does not sign in starts without what the issuer is asked by.
  const { beginDeviceFlow } = await import("../../sign-in/device-flow.ts");
  const begun = await beginDeviceFlow(ways.value.cli);
  if (!begun.ok) return report(terminal, begun);
  const { uri, userCode, expiresInSeconds, wait } = begun.value;
  const minutes = Math.max(1, Math.floor(expiresInSeconds / 60));
  terminal.err(
    [
      "Open this in any browser, and sign in:",
      `  ${printable(uri)}`,
      `It shows this code, or asks for it: ${printable(userCode)}`,
      `Waiting for ${minutes} min. Ctrl-C ends it.`,
      "",
    ].join("\n"),
  );
  const stop = new AbortController();
  const leave = terminal.onStop(() => stop.abort());
  const signedIn = await wait(AbortSignal.any([stop.signal, terminal.closed])).finally(leave);
  if (!signedIn.ok) return report(terminal, signedIn);

  const { createClient } = await import("../../client.ts");
  const { createSeveral } = await import("../../several.ts");
  const { token, expiresAt } = signedIn.value;
  const urls = addressesOf(client);
  const fleet = createSeveral(urls.map((each) => createClient({ url: new URL(each), token })));
  const known = resultOf(await fleet.whoAmI(), { url });
  if (!known.ok) return report(terminal, known);
  const { keepSignIn } = await import("../../sign-in/kept.ts");
  const file = await keepSignIn(env, urls, signedIn.value);
  if (file === undefined) {
    return report(
      terminal,
      fail(exitCodes.refused, "there is no home to keep the token in", "Set HOME or XDG_CONFIG_HOME."),
    );
  }
  const { name, role } = known.value;
  const until = new Date(expiresAt).toISOString();
  if (isJson) printJson(terminal, { name, role, url, expiresAt: until });
  else terminal.out(`signed in to ${url} as ${printable(name)} (${role}) until ${until}; kept in ${file}\n`);
  const other = ["CUTOVER_TOKEN", "CUTOVER_TOKEN_FILE"].find((each) => (env[each] ?? "") !== "");
  if (other !== undefined) terminal.err(`${other} is set, and goes before it.\n`);
  return exitCodes.done;
}

function addressesOf({ url, each }: AdminClient): readonly string[] {
  return each === undefined ? [url] : each.map((one) => one.url);
}
