/** Reading a configuration value by value: what cannot be read is absent. */
import type { z } from "zod";
import { isMapping, valueAt } from "./issues.ts";
import type { Path } from "./problems.ts";

/** A value that could be read, and the whole path to it. */
export interface Located<T> {
  readonly path: Path;
  readonly value: T;
}

export function read<T>(schema: z.ZodType<T>, value: unknown): T | undefined {
  const result = schema.safeParse(value);
  return result.success ? result.data : undefined;
}

/** A list's values, each by itself. */
export function each<T>(schema: z.ZodType<T>, path: Path, list: unknown): Located<T>[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((item, index) => {
    const value = read(schema, item);
    return value === undefined ? [] : [{ path: [...path, index], value }];
  });
}

/** A single text may stand without a list. */
export function texts(path: Path, value: unknown): Located<string>[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => texts([...path, index], item));
  return typeof value === "string" ? [{ path, value }] : [];
}

export function listAt(root: unknown, key: string): readonly unknown[] {
  const list = valueAt(root, [key]);
  return Array.isArray(list) ? list : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

export function keysAt(path: Path, root: unknown): Located<string>[] {
  const found = valueAt(root, path);
  return isMapping(found) ? Object.keys(found).map((key) => ({ path: [...path, key], value: key })) : [];
}
