/** What the rooms write log lines to: the part of pino they use. */
export interface Log {
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
}

/** The error as a log line says it. */
export function errorText(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
