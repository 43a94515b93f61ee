/**
 * The cookie of the page's sessions, and where it goes. Cookies know no ports: a shop on the same host would be sent one
 * of Path=/. So the page of somebody signed in has a path of its own, `/s/SEGMENT/`, whose segment nobody guesses; the
 * cookie goes with that path alone, and is looked at on it alone. Below it lies all that lies at the root.
 *
 * HttpOnly and SameSite=Lax always: a link to the page finds it signed in, and nothing that a link can ask for changes
 * anything. Where the browser speaks TLS the cookie is Secure and bears the prefix `__Secure-` (`__Host-` forbids a Path).
 * A namesake that another page of the host has set is passed over.
 */
import type { IncomingMessage } from "node:http";
import fastifyCookie from "@fastify/cookie";
import fastifyCsrfProtection from "@fastify/csrf-protection";
import fastifySession from "@fastify/session";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { Log } from "../../base/log.ts";
import { securePrefix, sessionCookie, signInCookie } from "../../config/values/page-cookies.ts";
import { cookieValues } from "../../decide/cookie.ts";
import type { Actor } from "../../state/rules/model.ts";
import type { AdminApp } from "../context.ts";
import { safeMethods } from "./browser.ts";
import { isSecure, makeSegment, pagePath, segmentOf } from "./page-path.ts";
import type { Credential, PageSession, PageSessions } from "./sessions.ts";

/** The id is random and looked up: a signature would say nothing more of it. */
const unsigned = {
  sign: (id: string) => id,
  unsign: (id: string) => ({ valid: true, renew: false, value: id }),
};

/** How people sign in to the page, and out. */
export interface PageDoor {
  /** Begins a session under a path and an id that were never seen before; whatever the request came with ends. */
  begin(request: FastifyRequest, actor: Actor, credential: Credential): Promise<PageSession>;
  /** Ends the request's session, and takes its cookie out of the browser. */
  end(request: FastifyRequest, reply: FastifyReply, session: PageSession): Promise<void>;
  /** Keeps something in the browser while its person is elsewhere, for a path that nobody guesses. */
  keep(reply: FastifyReply, segment: string, value: string, maxAgeSeconds: number): void;
  /** What came back of it, namesakes included; it is taken out of the browser. */
  takeKept(request: FastifyRequest, reply: FastifyReply): readonly string[];
  /** A hook: a change made with a session has to repeat its CSRF token. */
  refuseForgedChange(request: FastifyRequest, reply: FastifyReply, done: () => void): void;
  /** The same of a form, whose token is one of its fields. @throws Refused `forbidden` */
  refuseForgedForm(request: FastifyRequest, reply: FastifyReply, token: string): Promise<void>;
}

/**
 * To be called before any hook that asks for a session; every route has `request.session` then.
 *
 * @returns how sessions begin and end
 */
export async function registerSessions(app: AdminApp, sessions: PageSessions, log: Log): Promise<PageDoor> {
  await app.register(fastifyCookie);
  app.addHook("onRequest", async (request) => {
    const id = sessionIdOf(request.raw, sessions);
    request.cookies = id === undefined ? {} : { [sessionCookie]: id };
  });
  await app.register(fastifySession, {
    secret: unsigned,
    store: sessions.store,
    cookieName: sessionCookie,
    // Whether it is Secure is said below: by what the browser speaks, which a listener behind TLS of others does not.
    cookie: attributes,
    saveUninitialized: false,
    rolling: false,
  });
  app.addHook("onRequest", async ({ session, method, headers }) => {
    if (session.page === undefined) return;
    if (isOfPerson(method, headers)) sessions.touch(session.page);
    sessions.renewInTime(session.page);
  });
  app.addHook("onSend", async (request, reply) => secureCookies(request, reply));
  await app.register(fastifyCsrfProtection, {
    sessionPlugin: "@fastify/session",
    getToken: ({ headers, formToken }) => formToken ?? [headers["x-csrf-token"]].flat()[0],
  });

  return {
    async begin(request, actor, credential) {
      await request.session.regenerate();
      const segment = makeSegment();
      const page = sessions.begin(request.session.sessionId, actor, segment, credential);
      request.session.options({ path: pagePath(segment) });
      request.session.page = page;
      const { name, role } = actor;
      log.info(
        { by: name, role, remote: request.socket.remoteAddress, session: page.handle },
        "somebody signed in to the page",
      );
      return page;
    },

    async end(request, reply, { segment }) {
      await request.session.destroy();
      reply.clearCookie(sessionCookie, { ...attributes, path: pagePath(segment) });
    },

    keep(reply, segment, value, maxAge) {
      reply.setCookie(signInCookie, value, { ...attributes, path: pagePath(segment), maxAge });
    },

    takeKept(request, reply) {
      const segment = segmentOf(request.raw);
      if (segment === undefined) return [];
      reply.clearCookie(signInCookie, { ...attributes, path: pagePath(segment) });
      return cookiesOf(request.raw, signInCookie);
    },

    refuseForgedChange(request, reply, done) {
      if (request.signedIn === null || safeMethods.has(request.method)) done();
      else app.csrfProtection(request, reply, done);
    },

    async refuseForgedForm(request, reply, token) {
      request.formToken = token;
      await new Promise<void>((resolve, reject) => {
        app.csrfProtection(request, reply, (error?: Error) =>
          error === undefined ? resolve() : reject(error),
        );
      });
    },
  };
}

const attributes = { httpOnly: true, sameSite: "lax", secure: false } as const;

function secureCookies(request: FastifyRequest, reply: FastifyReply): void {
  const set = [reply.getHeader("set-cookie") ?? []].flat();
  if (set.length === 0 || !isSecure(request.raw)) return;
  reply.removeHeader("set-cookie");
  for (const cookie of set) reply.header("set-cookie", `${securePrefix}${cookie}; Secure`);
}

/** The session's id; none where the path is not that session's own. */
function sessionIdOf(request: IncomingMessage, sessions: PageSessions): string | undefined {
  const segment = segmentOf(request);
  if (segment === undefined) return undefined;
  return cookiesOf(request, sessionCookie).find((id) => sessions.find(id)?.segment === segment);
}

/** Every value that came under a name of the page's, plain or with its prefix. */
function cookiesOf({ headers }: IncomingMessage, name: string): readonly string[] {
  const { cookie = "" } = headers;
  return [securePrefix + name, name].flatMap((each) => cookieValues(["cookie", cookie], ["cookie"], each));
}

/**
 * Whether a person is behind it: a change, the page opened or loaded again, or a page that says it was touched since it last
 * asked. A page that only keeps itself current is nobody.
 */
function isOfPerson(method: string, headers: FastifyRequest["headers"]): boolean {
  return (
    !safeMethods.has(method) ||
    headers["sec-fetch-mode"] === "navigate" ||
    headers["x-cutover-touched"] === "yes"
  );
}
