/** The API's description (OpenAPI 3.1), made from the very schemas that validate the requests. */
import fastifySwagger from "@fastify/swagger";
import { jsonSchemaTransform } from "fastify-type-provider-zod";
import * as z from "zod";
import type { AuthConfig } from "../config/auth-schema.ts";
import { type ProblemCode, problemCodes, problemDetails } from "./api/problem-details.ts";
import type { AdminApp } from "./context.ts";
import { problemOf, problemType, statusOf } from "./problem.ts";

const about =
  `Steers and shows the cutovers of this fleet. Reading is answered from memory and goes on while the
store is out of reach; then only this instance is known (\`instances.live\` is 1, the figures are its own). Errors
are problem details (RFC 9457); \`code\` is stable.`.replaceAll("\n", " ");

export async function registerOpenApi(app: AdminApp, auth: AuthConfig, version: string): Promise<void> {
  await app.register(fastifySwagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "cutover admin API",
        version,
        description: about,
        license: { name: "Apache-2.0", identifier: "Apache-2.0" },
      },
      servers: [{ url: "/" }],
      tags: [
        { name: "cutovers", description: "Read and steer" },
        { name: "lists", description: "Who cohorts are told by" },
        { name: "fleet", description: "Instances and events" },
        { name: "session", description: "Signing in to the page" },
        { name: "operation", description: "Health, metrics and this description: open without a token" },
      ],
      components: {
        securitySchemes: {
          bearer: {
            type: "http",
            scheme: "bearer",
            description: "A secret whose SHA-256 the configuration holds, or a token of its OIDC issuer",
          },
          session: {
            type: "apiKey",
            in: "cookie",
            name: "cutover_session",
            description:
              "Of signIn, on the session's path alone; over https named __Secure-cutover_session. A change then needs the session's x-csrf-token.",
          },
        },
      },
      security: auth === "none" ? [{}, { bearer: [] }] : [{ bearer: [] }, { session: [] }],
    },
    transform: jsonSchemaTransform,
  });
}

/** What any call behind a token can be answered besides what it is for. */
const anyCall = [
  "unauthenticated",
  "forbidden",
  "too_many_attempts",
  "issuer_unavailable",
  "internal",
] as const satisfies readonly ProblemCode[];
const publicCall = ["forbidden", "internal"] as const satisfies readonly ProblemCode[];

const examples: Readonly<Partial<Record<ProblemCode, string>>> = {
  unauthenticated: "a bearer token is needed",
  forbidden: "the role may not make this change",
  not_found: "no such cutover",
  version_conflict: "the state has another version than ifVersion says",
  invalid: "percent: expected a percent from 0 to 100 with at most 3 decimals",
  store_unavailable: "the store is out of reach: nothing was read or changed",
};

interface RefusalAnswer {
  readonly description: string;
  readonly content: Readonly<Record<string, { readonly schema: z.ZodType }>>;
}

/** The answer of one status, its `code` narrowed to what that status can say. */
function answerOf(codes: readonly [ProblemCode, ...ProblemCode[]]): RefusalAnswer {
  const schema = problemDetails
    .extend({ status: z.literal(statusOf[codes[0]]), code: z.enum(codes) })
    .meta({ examples: codes.map((code) => problemOf(code, examples[code] ?? "why it was refused")) });
  const description = codes.map((code) => `\`${code}\``).join(", ");
  return { description, content: { [problemType]: { schema } } };
}

/** Most statuses of a call say one thing, and the same as those of other calls: these schemas are made once. */
const answersOfOne = new Map(problemCodes.map((code) => [code, answerOf([code])]));

/** What a call that names something, has a body and changes the store may be refused for, whatever it asks. */
export const changeRefusals = [
  "malformed_body",
  "not_found",
  "body_too_large",
  "unsupported_media_type",
  "invalid",
  "store_unavailable",
] as const satisfies readonly ProblemCode[];

/** The error answers of a call: one schema a status. */
export function refusalAnswers(
  codes: readonly ProblemCode[],
  access: "token" | "public" = "token",
): Readonly<Record<number, RefusalAnswer>> {
  const all = [...new Set([...codes, ...(access === "token" ? anyCall : publicCall)])];
  const answers: Record<number, RefusalAnswer> = {};
  for (const code of all) {
    const status = statusOf[code];
    const others = all.filter((other) => other !== code && statusOf[other] === status);
    const alone = others.length === 0 ? answersOfOne.get(code) : undefined;
    answers[status] ??= alone ?? answerOf([code, ...others]);
  }
  return answers;
}

const requestBody = z.looseObject({
  required: z.boolean().optional(),
  content: z.record(
    z.string(),
    z.looseObject({ schema: z.looseObject({ required: z.array(z.string()).optional() }) }),
  ),
});
const operation = z.looseObject({
  requestBody: requestBody.optional(),
  responses: z.record(z.string(), z.looseObject({ headers: z.unknown().optional() })),
});
export const openapiDocument = z.looseObject({
  paths: z.record(z.string(), z.record(z.string(), operation)),
});

const fieldText = (description: string) => ({ description, schema: { type: "string" } });
const responseHeaders: Readonly<Record<string, unknown>> = {
  401: { "WWW-Authenticate": fieldText("Bearer (RFC 6750)") },
  429: { "Retry-After": fieldText("Whole seconds") },
};

/**
 * @param generated what the generator made of the routes
 * @returns the document, with what the generator cannot express: a body whose every field may be left
 *   out may be left out itself, and the header fields of an answer
 */
export function finishOpenApi(generated: unknown): z.output<typeof openapiDocument> {
  const described = openapiDocument.parse(structuredClone(generated));
  for (const path of Object.values(described.paths)) {
    for (const { requestBody: body, responses } of Object.values(path)) {
      if (body !== undefined) {
        body.required = Object.values(body.content).some(({ schema }) => (schema.required ?? []).length > 0);
      }
      for (const [status, response] of Object.entries(responses)) {
        const headers = responseHeaders[status];
        if (headers !== undefined) response.headers = headers;
      }
    }
  }
  return described;
}
