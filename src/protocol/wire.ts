// The only place where JSON goes out of or comes into this program over NATS.
import * as v from "valibot";
import { HomelabError } from "../base/errors.ts";
import { parseJson, TooDeepError } from "../base/json.ts";

/**
 * The version of every message that does not say otherwise. Fields may be added under the same version; readers ignore
 * unknown ones.
 */
export const wireVersion = 1;

/** Bytes. A request is small; an event can name many hosts (NATS refuses messages above 1 MiB). */
export const limits = {
  request: 64 * 1024,
  event: 512 * 1024,
  progress: 64 * 1024,
  status: 64 * 1024,
  result: 64 * 1024,
  logChunk: 64 * 1024,
} as const;

export const encode = (message: object): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ v: wireVersion, ...message }));

export interface DecodeOptions {
  /** For the error: what this should have been, such as "build request". */
  readonly what: string;
  readonly maxBytes: number;
  /** The newest version of this kind of message that we understand, with all before it. Default 1. */
  readonly newestVersion?: number;
}

/**
 * Bytes from outside into a value of the schema.
 *
 * @throws HomelabError `usage` with code `TOO_LARGE`, `BAD_JSON`, `BAD_VERSION` or `BAD_MESSAGE`.
 */
export function decode<Schema extends v.GenericSchema>(
  schema: Schema,
  bytes: Uint8Array,
  { what, maxBytes, newestVersion = wireVersion }: DecodeOptions,
): v.InferOutput<Schema> {
  const refuse = (code: string, message: string, hint: string, cause?: unknown): never => {
    throw new HomelabError("usage", message, { code, hint, cause });
  };
  if (bytes.byteLength > maxBytes) {
    refuse("TOO_LARGE", `this ${what} has ${bytes.byteLength} bytes`, `allowed are ${maxBytes} bytes`);
  }
  const value = jsonOf(bytes, what);
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return refuse("BAD_MESSAGE", `this ${what} is not a JSON object`, `send an object, for example {}`);
  }
  const version = "v" in value ? value.v : wireVersion;
  if (!isUnderstood(version, newestVersion)) {
    refuse(
      "BAD_VERSION",
      `this ${what} has the version ${JSON.stringify(version)?.slice(0, 40)}`,
      `this side speaks version ${newestVersion}: upgrade both sides to the same release`,
    );
  }
  const result = v.safeParse(schema, value);
  if (!result.success) {
    return refuse(
      "BAD_MESSAGE",
      `this ${what} is not valid: ${describeIssues(result.issues)}`,
      "docs/reference/protocol.md lists the fields",
    );
  }
  return result.output;
}

const isUnderstood = (version: unknown, newest: number): boolean =>
  typeof version === "number" && Number.isInteger(version) && version >= 1 && version <= newest;

function jsonOf(bytes: Uint8Array, what: string): unknown {
  const text = new TextDecoder().decode(bytes).trim();
  if (text === "") return {};
  try {
    return parseJson(text);
  } catch (error) {
    const problem = error instanceof TooDeepError ? "nested too deeply" : "not JSON";
    throw new HomelabError("usage", `this ${what} is ${problem}`, {
      code: "BAD_JSON",
      hint: "send an object, for example {}",
      cause: error,
    });
  }
}

/** `hosts.3: Invalid type: Expected string but received 7`, at most five of them. */
function describeIssues(issues: readonly v.BaseIssue<unknown>[]): string {
  const shown = issues.slice(0, 5).map((issue) => {
    const path = v.getDotPath(issue);
    const message = issue.message.length > 200 ? `${issue.message.slice(0, 200)}…` : issue.message;
    return path === null ? message : `${path}: ${message}`;
  });
  const more = issues.length - shown.length;
  return more > 0 ? `${shown.join("; ")}; and ${more} more` : shown.join("; ");
}
