import type * as v from "valibot";

/** An error, or a possible error, at one place of the configuration. */
export interface Problem {
  /** `repos.nixos.include[0]`; empty for the file as a whole. */
  readonly path: string;
  /** A phrase that continues after the path: `must be a string, not a number`. Never has a value of the file in it. */
  readonly message: string;
}

export const formatProblem = ({ path, message }: Problem): string =>
  path === "" ? message : `${path}: ${message}`;

/** `repos.nixos.include[0]`, with keys that are not plain words in quotes. */
export function formatPath(keys: readonly unknown[]): string {
  let path = "";
  for (const key of keys) {
    if (typeof key === "number") path += `[${key}]`;
    else if (typeof key === "string" && /^[\w$-]+$/.test(key)) path += path === "" ? key : `.${key}`;
    else path += `[${JSON.stringify(key)}]`;
  }
  return path;
}

/** What the schema found, in our words. Values stay out: a secret may stand where it should not. */
export function problemOf(issue: v.BaseIssue<unknown>): Problem {
  const keys = issue.path?.map((item) => item.key) ?? [];
  return { path: formatPath(keys), message: messageFor(issue) };
}

function messageFor(issue: v.BaseIssue<unknown>): string {
  const { type, requirement } = issue;
  if (type === "strict_object" && issue.received === "undefined") return "is missing";
  switch (type) {
    case "integer":
      return "must be a whole number";
    case "min_value":
      return `must be at least ${String(requirement)}`;
    case "max_value":
      return `must be at most ${String(requirement)}`;
    case "min_length":
      return `must have at least ${String(requirement)}`;
    case "max_length":
      return `must be no longer than ${String(requirement)}`;
    default:
      // Valibot's own messages begin so, and repeat the value; those of our schema do not.
      if (!issue.message.startsWith("Invalid ")) return issue.message;
      return `must be ${expectedKind(issue.expected)}, not ${kindOf(issue.input)}`;
  }
}

const kinds: Readonly<Record<string, string>> = {
  string: "a string",
  number: "a number",
  boolean: "true or false",
  Array: "a list",
  Object: "an object",
};

const expectedKind = (expected: string | null): string =>
  expected === null
    ? "something else"
    : expected
        .replace(/^\(|\)$/g, "")
        .split(" | ")
        .map((each) => kinds[each] ?? each)
        .join(" or ");

/** What a value is, without saying it. */
export function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  return kinds[typeof value] ?? "an object";
}
