import { isDeepStrictEqual } from "node:util";
import { compareUrl } from "./compare-url.ts";
import {
  type FlakeEdge,
  type FlakeLock,
  type FlakeReference,
  inNewestVersion,
  nodeAt,
  rootInputs,
} from "./flake-lock.ts";
import { usableTime } from "./input-time.ts";

/** One state of an input. */
export interface InputState {
  readonly type: string;
  /** Where it comes from, for people: `github:NixOS/nixpkgs`. Text from outside. */
  readonly source: string;
  readonly ref?: string;
  readonly rev?: string;
  readonly narHash?: string;
  /** Seconds since 1970; absent where its lock has no time that means anything (`usableTime`). */
  readonly lastModified?: number;
}

export interface InputChange {
  /** Input names from the root: `["home-manager", "nixpkgs"]`; one for an input of the flake itself. */
  readonly path: readonly string[];
  /** Absent when it is new. */
  readonly before?: InputState;
  /** Absent when it is gone. */
  readonly after?: InputState;
  /** By the times in the lock it went back: somebody forced a push, or the branch is another one now. */
  readonly downgraded: boolean;
  readonly compareUrl?: string;
  /**
   * What changed below it, where that is so: inputs of an input without a lock of its own move by themselves. None
   * of these has a `below` itself.
   */
  readonly below?: readonly InputChange[];
}

/**
 * Which inputs of the flake itself changed between two of its locks, in the order of their names: those by which any
 * node differs that is reached from them. What an input follows belongs to another one, and is not gone into.
 *
 * @param giteaHosts see `compareUrl`
 */
export function diffLocks(
  from: FlakeLock,
  to: FlakeLock,
  giteaHosts: readonly string[] = [],
): readonly InputChange[] {
  const [before, after] = [inNewestVersion(from), inNewestVersion(to)];
  const isSame = sameInputs(before, after);
  const [old, young] = [rootInputs(before), rootInputs(after)];
  const names = new Set([...Object.keys(old), ...Object.keys(young)].toSorted());
  return [...names].flatMap((name) => {
    const edges = [edgeOf(old, name), edgeOf(young, name)] as const;
    if (isSame(...edges)) return [];
    const pair = { path: [name], before: ownKey(edges[0]), after: ownKey(edges[1]) };
    const below = [...walkPairs(before, after, pair)].flatMap((each) => {
      const change = stateChange(before, after, each, giteaHosts);
      return change.isMoved ? [change.change] : [];
    });
    const { change } = stateChange(before, after, pair, giteaHosts);
    return [below.length === 0 ? change : { ...change, below }];
  });
}

/**
 * What has moved by a change: the input itself, or where that stays as it is, what is below it. Nothing where it is
 * only declared otherwise.
 */
export const movedBy = (change: InputChange): readonly InputChange[] =>
  isDeepStrictEqual(change.before, change.after) ? (change.below ?? []) : [change];

function stateChange(
  before: FlakeLock,
  after: FlakeLock,
  { path, ...keys }: InputPair,
  giteaHosts: readonly string[],
): { readonly change: InputChange; readonly isMoved: boolean } {
  const [old, young] = [lockedAt(before, keys.before), lockedAt(after, keys.after)];
  const change = {
    path,
    before: old && inputState(old),
    after: young && inputState(young),
    downgraded: isOlder(young, old),
    compareUrl: old && young && compareUrl(old, young, giteaHosts),
  };
  return { change, isMoved: !isDeepStrictEqual(old, young) };
}

/** Whether a state was made before another one, as far as their locks have times that say so. */
export function isOlder(state: FlakeReference | undefined, than: FlakeReference | undefined): boolean {
  const [time, other] = [usableTime(state?.lastModified), usableTime(than?.lastModified)];
  return time !== undefined && other !== undefined && time < other;
}

/** Whether two edges, one of each lock, lead to the same: the same path that is followed, or equal nodes all the way down. */
function sameInputs(
  before: FlakeLock,
  after: FlakeLock,
): (old: FlakeEdge | undefined, young: FlakeEdge | undefined) => boolean {
  const known = new Map<string, boolean>();

  function isSame(old: FlakeEdge | undefined, young: FlakeEdge | undefined): boolean {
    if (typeof old !== "string" || typeof young !== "string") return isDeepStrictEqual(old, young);
    const pair = JSON.stringify([old, young]);
    const answer = known.get(pair);
    if (answer !== undefined) return answer;
    // Whoever comes here again before the end has found no difference on the way.
    known.set(pair, true);
    const { inputs: theirs = {}, ...node } = nodeAt(before, old);
    const { inputs: ours = {}, ...other } = nodeAt(after, young);
    const names = new Set([...Object.keys(theirs), ...Object.keys(ours)]);
    const same =
      isDeepStrictEqual(node, other) &&
      [...names].every((name) => isSame(edgeOf(theirs, name), edgeOf(ours, name)));
    known.set(pair, same);
    return same;
  }

  return isSame;
}

/** Describes a locked reference for people. */
export function inputState(reference: FlakeReference): InputState {
  const { type, ref, rev, narHash, lastModified } = reference;
  return {
    type,
    source: sourceOf(reference),
    ref,
    rev,
    narHash,
    lastModified: usableTime(lastModified),
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
 *
 * @param top what is gone into; not among the pairs itself
 */
export function* walkPairs(
  before: FlakeLock,
  after: FlakeLock,
  top: InputPair = { path: [], before: before.root, after: after.root },
): Generator<InputPair> {
  const seen = new Set<string>();
  const waiting: InputPair[] = [top];
  for (let pair = waiting.shift(); pair !== undefined; pair = waiting.shift()) {
    const [old, young] = [inputsOf(before, pair.before), inputsOf(after, pair.after)];
    for (const name of new Set([...Object.keys(old), ...Object.keys(young)].toSorted())) {
      const [theirs, ours] = [ownKey(edgeOf(old, name)), ownKey(edgeOf(young, name))];
      const child = { path: [...pair.path, name], before: theirs, after: ours };
      const identity = JSON.stringify([child.before, child.after]);
      const isNew = !seen.has(identity);
      seen.add(identity);
      if (child.before === undefined && child.after === undefined) continue;
      if (pair.path.length === 0 || isNew) yield child;
      if (isNew) waiting.push(child);
    }
  }
}

const edgeOf = (inputs: Readonly<Record<string, FlakeEdge>>, name: string): FlakeEdge | undefined =>
  Object.hasOwn(inputs, name) ? inputs[name] : undefined;

/** The node that an input has for itself. */
const ownKey = (edge: FlakeEdge | undefined): string | undefined =>
  typeof edge === "string" ? edge : undefined;

const inputsOf = (lock: FlakeLock, key: string | undefined): Readonly<Record<string, FlakeEdge>> =>
  key === undefined ? {} : (nodeAt(lock, key).inputs ?? {});

/** The locked reference of a node; undefined for no node. */
const lockedAt = (lock: FlakeLock, key: string | undefined): FlakeReference | undefined =>
  key === undefined ? undefined : nodeAt(lock, key).locked;
