/** The band at the top: where one is, which cutover, how live it is, who is signed in; and how one signs in. */
import { livenessOf } from "../words/liveness.ts";
import { fieldOf, instead, type Shown } from "./shown.tsx";

export function Band(shown: Shown) {
  const { state, ui, deeds } = shown;
  const { environment, access } = state.page;
  const isProduction = environment?.toLowerCase() === "production";
  return (
    <header class={isProduction ? "band production" : "band"}>
      <a class="mark" href="./">
        cutover
      </a>
      {environment !== undefined && <span class="environment">{environment}</span>}
      <Switcher {...shown} />
      <span class="far">
        <Chip {...shown} />
        {state.who !== undefined && !access.isOpen && (
          <span class="who">
            <span class="name" title={`role ${state.who.role}`}>
              {state.who.name}
            </span>
            {ui.isLive && (
              <button type="button" class="quiet" onClick={() => deeds.signOut()}>
                Sign out
              </button>
            )}
          </span>
        )}
      </span>
    </header>
  );
}

function Switcher({ state }: Shown) {
  const { cutovers, chosen } = state;
  if (cutovers.length < 2) return null;
  return (
    <nav class="switcher" aria-label="Cutovers">
      <a href="./" {...(chosen === undefined ? { "aria-current": "page" as const } : {})}>
        All
      </a>
      {cutovers.map(({ name }) => (
        <a
          key={name}
          href={`?cutover=${encodeURIComponent(name)}`}
          {...(name === chosen ? { "aria-current": "page" as const } : {})}
        >
          {name}
        </a>
      ))}
    </nav>
  );
}

function Chip({ state, ui, figures }: Shown) {
  if (state.who === undefined) return null;
  if (!ui.isLive) {
    return (
      <span class="chip">
        <time dateTime={state.at}>{`as of ${figures.moment(state.at, state.at)}`}</time>
      </span>
    );
  }
  const { kind, mark, text } = livenessOf(ui.ageMs, state.at, figures);
  return (
    <span class={`chip ${kind}`} id="live">
      <span aria-hidden="true">{mark}</span> {text}
    </span>
  );
}

/** The token is traded for a cookie that no script can read, and kept nowhere. */
export function SignInForm({ state, ui, deeds }: Shown) {
  return (
    <div class="sign-in">
      {ui.signInNote !== undefined && <p role="alert">{ui.signInNote}</p>}
      {state.page.access.hasIssuer && (
        <p>
          <a id="issuer" class="button primary" href="/sign-in">
            Sign in at your issuer
          </a>
        </p>
      )}
      <p>
        A token is needed to see the cutovers. From a terminal: <code>CUTOVER_TOKEN=… cutover status</code>.
      </p>
      {ui.isLive ? (
        <form id="sign-in" onSubmit={instead((event) => deeds.signIn(fieldOf(event, "token")))}>
          <label>
            Token (the role viewer is enough to look; it is traded for a session, and kept nowhere)
            <input name="token" id="token" type="password" autocomplete="off" required />
          </label>
          <button type="submit" class="primary">
            Sign in
          </button>
        </form>
      ) : (
        <noscript>
          <p>With a token, signing in needs JavaScript.</p>
        </noscript>
      )}
    </div>
  );
}
