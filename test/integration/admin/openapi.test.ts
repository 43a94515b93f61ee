import { Validator } from "@seriousme/openapi-schema-validator";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { problemCodes } from "../../../src/admin/api/problem-details.ts";
import { type Rig, startRig, tokens } from "./rig.ts";

const documentShape = z.looseObject({
  openapi: z.string(),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        operationId: z.string(),
        security: z.array(z.unknown()).optional(),
        requestBody: z.looseObject({ required: z.boolean() }).optional(),
        responses: z.record(
          z.string(),
          z.looseObject({
            description: z.string().min(1),
            /** Not where an answer has no body. */
            content: z.record(z.string(), z.looseObject({ schema: z.unknown() })).optional(),
          }),
        ),
      }),
    ),
  ),
});

const problemShape = z.looseObject({
  required: z.array(z.string()),
  properties: z.looseObject({ code: z.looseObject({ enum: z.array(z.enum(problemCodes)).min(1) }) }),
  examples: z.array(z.looseObject({ code: z.enum(problemCodes), status: z.int() })).min(1),
});

let rig: Rig;
let served: unknown;
beforeAll(async () => {
  rig = await startRig({ auth: tokens });
  served = (await rig.call("GET", "/openapi.json")).json;
});
afterAll(() => rig.close());

const operations = () =>
  Object.entries(documentShape.parse(served).paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
  );

describe("openapi.json", () => {
  test("is a valid OpenAPI 3.1 document", async () => {
    const result = await new Validator().validate(structuredClone(documentShape.parse(served)));
    expect(result.errors ?? []).toEqual([]);
    expect(result.valid).toBe(true);
    expect(documentShape.parse(served).openapi).toBe("3.1.0");
  });

  test("describes every call, and no other", () => {
    expect(operations().map(({ method, path }) => `${method} ${path}`)).toEqual([
      "get /api/v1/cutovers",
      "get /api/v1/cutovers/{name}",
      "get /api/v1/cutovers/{name}/explain",
      "get /api/v1/cutovers/{name}/guard",
      "get /api/v1/export/flagd.json",
      "get /api/v1/instances",
      "get /api/v1/cutovers/{name}/series",
      "get /api/v1/cutovers/{name}/payments",
      "get /api/v1/cutovers/{name}/history",
      "post /api/v1/cutovers/{name}/history/{version}/annotate",
      "put /api/v1/cutovers/{name}/percent",
      "put /api/v1/cutovers/{name}/cohorts/{cohort}/percent",
      "post /api/v1/cutovers/{name}/rollback",
      "post /api/v1/cutovers/{name}/hold",
      "post /api/v1/cutovers/{name}/resume",
      "put /api/v1/cutovers/{name}/maintenance",
      "post /api/v1/cutovers/{name}/close",
      "post /api/v1/rollback",
      "post /api/v1/hold",
      "get /api/v1/cutovers/{name}/proposals",
      "post /api/v1/cutovers/{name}/proposals/{id}/approve",
      "delete /api/v1/cutovers/{name}/proposals/{id}",
      "get /api/v1/cutovers/{name}/plan",
      "post /api/v1/cutovers/{name}/plan/start",
      "post /api/v1/cutovers/{name}/plan/pause",
      "get /api/v1/freeze",
      "post /api/v1/freeze",
      "post /api/v1/unfreeze",
      "get /api/v1/cutovers/{name}/schedule",
      "post /api/v1/cutovers/{name}/schedule",
      "delete /api/v1/cutovers/{name}/schedule/{id}",
      "get /api/v1/cutovers/{name}/owners/{key}",
      "put /api/v1/cutovers/{name}/owners/{key}",
      "delete /api/v1/cutovers/{name}/owners/{key}",
      "get /api/v1/cutovers/{name}/doubt",
      "get /api/v1/cutovers/{name}/doubt/export",
      "post /api/v1/cutovers/{name}/doubt/settle",
      "get /api/v1/lists",
      "get /api/v1/lists/{name}",
      "put /api/v1/lists/{name}",
      "get /api/v1/lists/{name}/has",
      "get /api/v1/lists/{name}/history",
      "post /api/v1/session",
      "get /api/v1/session",
      "delete /api/v1/session",
      "post /api/v1/session/end",
      "get /api/v1/sessions",
      "post /api/v1/sessions/{handle}/revoke",
      "get /api/v1/whoami",
      "get /api/v1/sign-in",
      "get /health/live",
      "get /health/ready",
      "get /metrics",
      "get /openapi.json",
      "get /api/v1/events",
    ]);
  });

  test("gives every operation an id of its own", () => {
    const ids = operations().map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("describes every error as a problem whose code is one of those of its status, with an example", () => {
    for (const { path, operation } of operations()) {
      for (const [status, response] of Object.entries(operation.responses)) {
        if (status < "400" || path === "/health/ready") continue;
        const content = response.content?.["application/problem+json"];
        expect(content, `${path} ${status}`).toBeDefined();
        const schema = problemShape.parse(content?.schema);
        for (const example of schema.examples) {
          expect(schema.properties.code.enum).toContain(example.code);
          expect(example.status).toBe(Number(status));
        }
      }
    }
  });

  test("leaves the body optional exactly where every field is", () => {
    const required = operations().flatMap(({ path, operation }) =>
      operation.requestBody === undefined ? [] : [[path.split("/").at(-1), operation.requestBody.required]],
    );
    expect(required).toEqual([
      ["annotate", true],
      ["percent", true],
      ["percent", true],
      ["rollback", false],
      ["hold", false],
      ["resume", true],
      ["maintenance", true],
      ["close", true],
      ["rollback", false],
      ["hold", false],
      ["approve", false],
      ["start", true],
      ["pause", true],
      ["freeze", true],
      ["unfreeze", true],
      ["schedule", true],
      ["{key}", true],
      ["{key}", true],
      ["settle", true],
      ["{name}", true],
    ]);
  });

  test("asks for the token everywhere but on the open paths", () => {
    const open = operations()
      .filter(({ operation }) => operation.security?.length === 0)
      .map(({ path }) => path);
    expect(open).toEqual(["/api/v1/sign-in", "/health/live", "/health/ready", "/metrics", "/openapi.json"]);
  });
});
