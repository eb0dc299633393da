import { didYouMean } from "../protocol/did-you-mean.ts";
import { formatPath, kindOf, type Problem } from "./problems.ts";

/**
 * Keys that the schema does not know, all of them (valibot stops at the first of an object), and lists where
 * objects belong (valibot takes a list for an object).
 */
export function findUnknownKeys(
  schema: unknown,
  value: unknown,
  keys: readonly (string | number)[] = [],
): Problem[] {
  if (typeof value !== "object" || value === null || !isObject(schema)) return [];
  if ("wrapped" in schema) return findUnknownKeys(schema["wrapped"], value, keys);
  const { entries, type, item } = schema;
  if (type === "array" && Array.isArray(value))
    return value.flatMap((child, index) => findUnknownKeys(item, child, [...keys, index]));
  if (!isObject(entries) && type !== "record") return [];
  if (Array.isArray(value))
    return [{ path: formatPath(keys), message: `must be an object, not ${kindOf(value)}` }];
  return Object.entries(value).flatMap(([key, child]) => {
    const path = [...keys, key];
    if (!isObject(entries)) {
      return unusable.has(key)
        ? [{ path: formatPath(path), message: "is not a valid name" }]
        : findUnknownKeys(schema["value"], child, path);
    }
    if (Object.hasOwn(entries, key)) return findUnknownKeys(entries[key], child, path);
    return [{ path: formatPath(path), message: unknownKey(key, Object.keys(entries)) }];
  });
}

/** Valibot leaves these keys of a record out without a word. */
const unusable: ReadonlySet<string> = new Set(["__proto__", "prototype", "constructor"]);

function unknownKey(key: string, known: readonly string[]): string {
  const meant = didYouMean(key, known);
  return meant === undefined
    ? `is not a setting; known are ${known.join(", ")}`
    : `is not a setting; did you mean ${meant}?`;
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null;
