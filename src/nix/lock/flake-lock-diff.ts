import { isDeepStrictEqual } from "node:util";
import { compareUrl } from "./compare-url.ts";
import { type FlakeEdge, type FlakeLock, type FlakeReference, nodeAt, rootInputs } from "./flake-lock.ts";

/** One state of an input. */
export interface InputState {
  readonly type: string;
  /** Where it comes from, for people: `github:NixOS/nixpkgs`. Text from outside. */
  readonly source: string;
  readonly ref?: string;
  readonly rev?: string;
  readonly narHash?: string;
  /** Seconds since 1970. */
  readonly lastModified?: number;
}

export interface InputChange {
  /** Input names from the root: `["home-manager", "nixpkgs"]`; one for an input of the flake itself. */
  readonly path: readonly string[];
  /** Absent when it is new. */
  readonly before?: InputState;
  /** Absent when it is gone. */
  readonly after?: InputState;
  /** It went back in time: somebody forced a push, or the branch is another one now. */
  readonly downgraded: boolean;
  readonly compareUrl?: string;
}

/**
 * Which inputs of the flake itself changed between two of its locks, in the order of their names; not those that only
 * follow another.
 *
 * @param giteaHosts see `compareUrl`
 */
export function diffLocks(
  before: FlakeLock,
  after: FlakeLock,
  giteaHosts: readonly string[] = [],
): readonly InputChange[] {
  const changes: InputChange[] = [];
  for (const { path, ...keys } of walkPairs(before, after)) {
    if (path.length > 1) break; // those of the root come first
    const old = lockedAt(before, keys.before);
    const young = lockedAt(after, keys.after);
    if (isDeepStrictEqual(old, young)) continue;
    const link = old && young && compareUrl(old, young, giteaHosts);
    changes.push({
      path,
      before: old && inputState(old),
      after: young && inputState(young),
      downgraded: (young?.lastModified ?? Infinity) < (old?.lastModified ?? 0),
      compareUrl: link,
    });
  }
  return changes;
}

/** What people want to know of a locked reference. */
export function inputState(reference: FlakeReference): InputState {
  const { type, ref, rev, narHash, lastModified } = reference;
  return {
    type,
    source: sourceOf(reference),
    ref,
    rev,
    narHash,
    lastModified,
  };
}

/** Without what a URL may hold of a password. */
function sourceOf({ type, owner, repo, url, path, id }: FlakeReference): string {
  if (owner !== undefined && repo !== undefined) return `${type}:${owner}/${repo}`;
  const place = url?.replace(/:\/\/[^/\s@]*@/, "://").replace(/\?.*$/, "") ?? path ?? id ?? "unknown";
  return `${type}:${place}`;
}

/** The names of the flake's own inputs that can be updated: all that are locked and do not follow another. */
export const updatableInputs = (lock: FlakeLock): readonly string[] =>
  Object.entries(rootInputs(lock))
    .filter(([, edge]) => typeof edge === "string")
    .map(([name]) => name);

/** The same input in two locks, by the keys of its nodes; undefined in the one that does not have it. */
export interface InputPair {
  readonly path: readonly string[];
  readonly before: string | undefined;
  readonly after: string | undefined;
}

/**
 * Goes through both locks side by side, by input names, those of the root first. Each pair of nodes comes once,
 * whatever the number of ways to it; an input that follows another is where it follows to, and not gone into.
 */
export function* walkPairs(before: FlakeLock, after: FlakeLock): Generator<InputPair> {
  const seen = new Set<string>();
  const waiting: InputPair[] = [{ path: [], before: before.root, after: after.root }];
  for (let pair = waiting.shift(); pair !== undefined; pair = waiting.shift()) {
    const [old, young] = [inputsOf(before, pair.before), inputsOf(after, pair.after)];
    for (const name of new Set([...Object.keys(old), ...Object.keys(young)].toSorted())) {
      const child = { path: [...pair.path, name], before: own(old, name), after: own(young, name) };
      const identity = JSON.stringify([child.before, child.after]);
      const isNew = !seen.has(identity);
      seen.add(identity);
      if (child.before === undefined && child.after === undefined) continue;
      if (pair.path.length === 0 || isNew) yield child;
      if (isNew) waiting.push(child);
    }
  }
}

/** The node that an input has for itself. */
function own(inputs: Readonly<Record<string, FlakeEdge>>, name: string): string | undefined {
  const edge = Object.hasOwn(inputs, name) ? inputs[name] : undefined;
  return typeof edge === "string" ? edge : undefined;
}

const inputsOf = (lock: FlakeLock, key: string | undefined): Readonly<Record<string, FlakeEdge>> =>
  key === undefined ? {} : (nodeAt(lock, key).inputs ?? {});

/** The locked reference of a node; undefined for no node. */
const lockedAt = (lock: FlakeLock, key: string | undefined): FlakeReference | undefined =>
  key === undefined ? undefined : nodeAt(lock, key).locked;
