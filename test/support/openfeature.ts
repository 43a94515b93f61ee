/**
 * cutover's flags for OpenFeature's server SDK, evaluated in the process that asks: what docs/choosing.md shows. The export
 * is fetched once and then every few seconds; what was fetched last counts while it cannot be.
 */
import { FlagdCore } from "@openfeature/flagd-core";
import type { EvaluationContext, JsonValue, Provider, ResolutionDetails } from "@openfeature/server-sdk";

export class CutoverProvider implements Provider {
  readonly metadata = { name: "cutover" } as const;
  readonly runsOn = "server";
  private readonly core = new FlagdCore();
  private timer: NodeJS.Timeout | undefined;
  private readonly url: string;
  private readonly headers: Readonly<Record<string, string>>;

  /** @param token of the role viewer */
  constructor(adminUrl: string, token?: string) {
    this.url = `${adminUrl}/api/v1/export/flagd.json`;
    this.headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  }

  async initialize(): Promise<void> {
    await this.fetchFlags();
    this.timer = setInterval(() => void this.fetchFlags().catch(() => undefined), 5000).unref();
  }

  async onClose(): Promise<void> {
    clearInterval(this.timer);
  }

  async fetchFlags(): Promise<void> {
    const answer = await fetch(this.url, { headers: this.headers });
    if (!answer.ok) throw new Error(`cutover answers ${answer.status}`);
    this.core.setConfigurations(await answer.text());
  }

  async resolveStringEvaluation(
    flag: string,
    fallback: string,
    context: EvaluationContext,
  ): Promise<ResolutionDetails<string>> {
    return this.core.resolveStringEvaluation(flag, fallback, context);
  }

  async resolveBooleanEvaluation(flag: string, fallback: boolean, context: EvaluationContext) {
    return this.core.resolveBooleanEvaluation(flag, fallback, context);
  }

  async resolveNumberEvaluation(flag: string, fallback: number, context: EvaluationContext) {
    return this.core.resolveNumberEvaluation(flag, fallback, context);
  }

  async resolveObjectEvaluation<T extends JsonValue>(flag: string, fallback: T, context: EvaluationContext) {
    return this.core.resolveObjectEvaluation(flag, fallback, context);
  }
}
