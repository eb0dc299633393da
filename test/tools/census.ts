// What our code makes of the versions of a flake.lock: whether it reads, prints, explains and reproduces them.
import { isDeepStrictEqual } from "node:util";
import { HomelabError } from "../../src/base/errors.ts";
import { diffLocks } from "../../src/nix/lock/flake-lock-diff.ts";
import { graftLock } from "../../src/nix/lock/flake-lock-graft.ts";
import {
  type FlakeLock,
  nodeAt,
  parseFlakeLock,
  printFlakeLock,
  rootInputs,
} from "../../src/nix/lock/flake-lock.ts";
import type { LockChange, LockHistory } from "./lock-history.ts";

export interface Census {
  readonly name: string;
  readonly path: string;
  readonly versions: number;
  readonly parsed: number;
  readonly identical: number;
  /** Commits that change the lock and not what the flake declares, and of which both versions parse. */
  readonly updates: number;
  readonly explained: number;
  readonly reproduced: number;
  /** What is not so, by kind. */
  readonly others: ReadonlyMap<string, readonly string[]>;
}

/** @throws Error when git cannot read it. */
export async function takeCensus({ name, path, changes, read }: LockHistory): Promise<Census> {
  const others = new Map<string, string[]>();
  const counts = { versions: 0, parsed: 0, identical: 0, updates: 0, explained: 0, reproduced: 0 };
  const note = (kind: string, { commit }: LockChange): void => {
    const commits = others.get(kind) ?? [];
    others.set(kind, [...commits, commit]);
  };
  let known: Version | undefined;
  async function versionOf(blob: string): Promise<Version> {
    if (known?.blob === blob) return known;
    return readVersion(blob, await read(blob));
  }

  for (const change of changes) {
    if (change.after === undefined) {
      note("the lock was removed", change);
      continue;
    }
    const before = change.before === undefined ? undefined : await versionOf(change.before);
    const after = await versionOf(change.after);
    known = after;
    counts.versions++;
    if (after.problem !== undefined) note(after.problem, change);
    if (after.lock === undefined) continue;
    counts.parsed++;
    if (printFlakeLock(after.lock) === after.text) counts.identical++;
    else note(`printed otherwise: ${printingOf(after.text)}`, change);
    if (before?.lock === undefined) {
      if (before !== undefined) note("the version before does not parse", change);
      continue;
    }
    if (change.changesFlake) {
      note("flake.nix changed too", change);
      continue;
    }
    counts.updates++;
    const unexplained = explain(before.lock, after.lock);
    if (unexplained === undefined) counts.explained++;
    else note(`not explained: ${unexplained}`, change);
    const different = reproduce(before.lock, after);
    if (different === undefined) counts.reproduced++;
    else note(`not reproduced: ${different}`, change);
  }
  return { name, path, ...counts, others };
}

interface Version {
  readonly blob: string;
  readonly text: string;
  readonly lock: FlakeLock | undefined;
  /** Why it has no lock. */
  readonly problem: string | undefined;
}

function readVersion(blob: string, text: string | undefined): Version {
  if (text === undefined)
    return { blob, text: "", lock: undefined, problem: "this copy of the repository does not have it" };
  try {
    return { blob, text, lock: parseFlakeLock(text), problem: undefined };
  } catch (error) {
    if (!(error instanceof HomelabError)) throw error;
    // Names and places would make each of them a kind of its own.
    const reason = error.message.replaceAll(/"[^"]*"|\bat position .*$|\d+/g, "…");
    const problem = /^[<=>]{7} /m.test(text) ? "not parsed: a conflict of a merge" : `not parsed: ${reason}`;
    return { blob, text, lock: undefined, problem };
  }
}

function printingOf(text: string): string {
  if (text.includes("\r\n")) return "lines end with CR and LF";
  if (!text.endsWith("\n")) return "no newline at its end";
  return JSON.stringify(JSON.parse(text)) === JSON.stringify(sortedKeys(JSON.parse(text)))
    ? "another indentation"
    : "keys in another order";
}

/** The inputs of the flake that our diff names must be those below which anything differs. */
function explain(before: FlakeLock, after: FlakeLock): string | undefined {
  const told = new Set(diffLocks(before, after).map(({ path }) => path[0] ?? ""));
  const names = new Set([...Object.keys(rootInputs(before)), ...Object.keys(rootInputs(after))]);
  const changed = [...names].filter(
    (name) => !isDeepStrictEqual(reachable(before, name), reachable(after, name)),
  );
  const unseen = changed.filter((name) => !told.has(name));
  const invented = [...told].filter((name) => !changed.includes(name));
  if (invented.length > 0) return "an input is named that has not changed";
  if (unseen.length > 0) return "something below an input changed, and the input is not named";
  return told.size === 0 && !isDeepStrictEqual(before, after) ? "nothing that is locked changed" : undefined;
}

/** All that is said of an input of the flake and of those below it, by the first path to it. */
function reachable(lock: FlakeLock, input: string): ReadonlyMap<string, unknown> {
  const found = new Map<string, unknown>();
  const seen = new Set<string>();
  const waiting = [{ path: input, edge: rootInputs(lock)[input] }];
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { path, edge } = next;
    // What follows another is at its own place.
    if (typeof edge !== "string") {
      found.set(path, edge);
      continue;
    }
    const { inputs = {}, ...node } = nodeAt(lock, edge);
    found.set(path, node);
    if (seen.has(edge)) continue;
    seen.add(edge);
    for (const [name, inner] of Object.entries(inputs).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      waiting.push({ path: `${path}/${name}`, edge: inner });
  }
  return found;
}

/** Undefined when the base with the changed inputs is the next version, byte for byte. */
function reproduce(before: FlakeLock, { lock: after, text }: Version): string | undefined {
  if (after === undefined) return "it does not parse";
  if (before.version !== after.version) return "the version of the format changed";
  try {
    const changed = diffLocks(before, after).map(({ path }) => path[0] ?? "");
    const graft = graftLock(before, after, new Set(changed));
    if (printFlakeLock(graft) === text) return undefined;
    if (printFlakeLock(after) !== text) return "the version is printed otherwise";
    if (isDeepStrictEqual(unnamed(graft), unnamed(after))) return "only the names of nodes differ";
    return isDeepStrictEqual(declared(before), declared(after))
      ? "something else differs"
      : "what the flake declares changed before this commit";
  } catch (error) {
    if (!(error instanceof HomelabError)) throw error;
    const [was, is] = [Object.keys(rootInputs(before)), Object.keys(rootInputs(after))];
    return isDeepStrictEqual(was.toSorted(), is.toSorted())
      ? `${error.code}: ${error.message.split(":")[0]}`
      : "inputs came or went";
  }
}

/** All of it by its paths, whatever nodes are called. */
const unnamed = (lock: FlakeLock): object =>
  Object.fromEntries(Object.keys(rootInputs(lock)).map((name) => [name, [...reachable(lock, name)]]));

/** What the flake itself says of its inputs. */
const declared = (lock: FlakeLock): object =>
  Object.fromEntries(
    Object.entries(rootInputs(lock)).map(([name, edge]) => {
      if (typeof edge !== "string") return [name, edge];
      const { original, flake, inputs = {} } = nodeAt(lock, edge);
      const follows = Object.entries(inputs).filter(([, inner]) => typeof inner !== "string");
      return [name, { original, flake, follows }];
    }),
  );

function sortedKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedKeys);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortedKeys(inner)]));
}

/** @param examples commits that are named for each kind */
export function printCensus(census: Census, examples: number): string {
  const { name, path, versions, parsed, identical, updates, explained, reproduced, others } = census;
  const lines = [
    `${name}: ${versions} versions of ${path}`,
    `  ${parsed} parse`,
    `  ${identical} print back byte for byte`,
    `  ${updates} are updates and change nothing in flake.nix`,
    `  ${explained} of these our diff explains`,
    `  ${reproduced} of these a graft of the changed inputs reproduces byte for byte`,
  ];
  const kinds = [...others].toSorted(([, a], [, b]) => b.length - a.length);
  if (kinds.length > 0) lines.push("others:");
  for (const [kind, commits] of kinds) {
    const named = commits.slice(0, examples).map((commit) => commit.slice(0, 12));
    const more = commits.length > named.length ? ", …" : "";
    lines.push(`  ${commits.length} ${kind}${named.length === 0 ? "" : ` (${named.join(", ")}${more})`}`);
  }
  return `${lines.join("\n")}\n`;
}
