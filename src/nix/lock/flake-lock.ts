// flake.lock: which commit of each input a flake uses. Nix's `LockFile` (src/libflake/flake/lockfile.cc) writes it.
import * as v from "valibot";
import { HomelabError, messageOf } from "../../base/errors.ts";

/** The maximum size in bytes of the text. The largest that people have are below 1 MiB. */
export const maxLockBytes = 4 * 1024 * 1024;
const maxNodes = 5_000;
const maxFollowDepth = 100;
const newestVersion = 7;
const rootPath = "the flake itself";

/** What a flake says about an input, or what happened to it: its type, where it is, and which state of it. */
const Reference = v.looseObject({
  type: v.string(),
  owner: v.optional(v.string()),
  repo: v.optional(v.string()),
  url: v.optional(v.string()),
  host: v.optional(v.string()),
  dir: v.optional(v.string()),
  path: v.optional(v.string()),
  id: v.optional(v.string()),
  ref: v.optional(v.string()),
  rev: v.optional(v.string()),
  narHash: v.optional(v.string()),
  lastModified: v.optional(v.pipe(v.number(), v.safeInteger())),
});

/** The key of a node, or the path of input names, from the root, of the input that it follows. */
const Edge = v.union([v.string(), v.pipe(v.array(v.string()), v.maxLength(100))]);

const Node = v.looseObject({
  inputs: v.optional(v.record(v.string(), Edge)),
  locked: v.optional(Reference),
  original: v.optional(Reference),
  flake: v.optional(v.boolean()),
});

const Lock = v.looseObject({
  version: v.picklist([5, 6, 7]),
  root: v.string(),
  nodes: v.record(v.string(), Node),
});

export type FlakeReference = Readonly<v.InferOutput<typeof Reference>>;
export type FlakeEdge = string | readonly string[];
export interface FlakeNode {
  readonly inputs?: Readonly<Record<string, FlakeEdge>>;
  readonly locked?: FlakeReference;
  readonly original?: FlakeReference;
  readonly flake?: boolean;
  readonly [unknown: string]: unknown;
}
export interface FlakeLock {
  readonly version: number;
  readonly root: string;
  readonly nodes: Readonly<Record<string, FlakeNode>>;
  readonly [unknown: string]: unknown;
}

/**
 * Reads the text of a flake.lock, keeping what we do not know and the order of everything. An input may follow one
 * that does not exist, as Nix accepts it too: people commit such locks, and an update fixes them (`requireFollowed`).
 *
 * @throws HomelabError `failed` with code `FLAKE_LOCK_INVALID`.
 */
export function parseFlakeLock(text: string): FlakeLock {
  if (Buffer.byteLength(text) > maxLockBytes) throw invalid(`it has more than ${maxLockBytes} bytes`);
  let json: unknown;
  try {
    json = JSON.parse(text, refuseOddKeys);
  } catch (error) {
    if (/^<{7} /m.test(text)) throw conflicted();
    throw invalid(messageOf(error));
  }
  const result = v.safeParse(Lock, json);
  if (!result.success) {
    const [issue] = result.issues;
    throw invalid(`${v.getDotPath(issue) ?? "the whole"}: ${issue.message}`);
  }
  // Not the schema's output, which has the keys that it knows before the others.
  const lock = json as FlakeLock;
  const problem = inconsistency(lock);
  if (problem !== undefined) throw invalid(problem);
  return lock;
}

/** As Nix prints it. */
export const printFlakeLock = (lock: FlakeLock): string => `${printJson(lock, "")}\n`;

/** `JSON.stringify(value, null, 2)`, but for names that are numbers: JavaScript has these first, and Nix sorts bytes. */
function printJson(value: unknown, indent: string): string {
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = `${indent}  `;
  const items = Array.isArray(value)
    ? value.map((item) => printJson(item, inner))
    : inOrder(Object.entries(value)).map(
        ([key, item]) => `${JSON.stringify(key)}: ${printJson(item, inner)}`,
      );
  const [open, close] = Array.isArray(value) ? "[]" : "{}";
  if (items.length === 0) return `${open}${close}`;
  return `${open}\n${items.map((item) => `${inner}${item}`).join(",\n")}\n${indent}${close}`;
}

function inOrder(entries: readonly (readonly [string, unknown])[]): readonly (readonly [string, unknown])[] {
  const known = entries.filter(([, value]) => value !== undefined);
  const hasNumber = known.some(([key]) => /^(?:0|[1-9]\d*)$/.test(key));
  return hasNumber ? known.toSorted(([a], [b]) => (a < b ? -1 : 1)) : known;
}

/**
 * A lock of an older version as Nix writes it when it changes anything in it: before version 6 a part of what is locked
 * stood beside it, in `info`.
 */
export function inNewestVersion(lock: FlakeLock): FlakeLock {
  if (lock.version === newestVersion) return lock;
  const nodes = Object.entries(lock.nodes).map(([key, { info, ...node }]): [string, FlakeNode] => {
    if (typeof info !== "object" || info === null || node.locked === undefined) return [key, node];
    const locked = Object.entries({ ...info, ...node.locked }).toSorted(([a], [b]) => (a < b ? -1 : 1));
    return [key, { ...node, locked: Object.fromEntries(locked) as FlakeReference }];
  });
  return { ...lock, nodes: Object.fromEntries(nodes), version: newestVersion };
}

/** A node of the lock. @throws Error if it is missing, which `parseFlakeLock` excludes. */
export function nodeAt(lock: FlakeLock, key: string): FlakeNode {
  const node = Object.hasOwn(lock.nodes, key) ? lock.nodes[key] : undefined;
  if (node === undefined) throw new Error(`the lock has no node ${key}`);
  return node;
}

/** What the flake itself takes in, by the names that it has for it. */
export const rootInputs = (lock: FlakeLock): Readonly<Record<string, FlakeEdge>> =>
  nodeAt(lock, lock.root).inputs ?? {};

/** Finds the node at a path of input names; undefined where there is none, or it follows itself. */
export type InputResolver = (path: readonly string[]) => string | undefined;

/** Finds inputs as Nix does (`LockFile::findInput`): a path that an input follows starts at the root. */
export function inputResolver(lock: FlakeLock): InputResolver {
  const followed = new Map<readonly string[], string | undefined>();
  let depth = 0;

  function resolve(path: readonly string[]): string | undefined {
    let key: string | undefined = lock.root;
    for (const name of path) {
      const inputs: FlakeNode["inputs"] = nodeAt(lock, key).inputs;
      const edge: FlakeEdge | undefined =
        inputs !== undefined && Object.hasOwn(inputs, name) ? inputs[name] : undefined;
      key = typeof edge === "string" ? edge : edge && follow(edge);
      if (key === undefined || !Object.hasOwn(lock.nodes, key)) return undefined;
    }
    return key;
  }

  function follow(edge: readonly string[]): string | undefined {
    if (followed.has(edge)) return followed.get(edge);
    // Whoever comes here again before the end follows itself.
    followed.set(edge, undefined);
    depth++;
    const key = depth > maxFollowDepth ? undefined : resolve(edge);
    depth--;
    followed.set(edge, key);
    return key;
  }

  return resolve;
}

/** An input that follows a missing one: whose it is, its name, and what it should follow. */
export interface LostInput {
  /** The key of the node that has it. */
  readonly of: string;
  readonly input: string;
  readonly follows: readonly string[];
}

/** Inputs that follow nothing, or each other in a circle. */
export function lostInputs(lock: FlakeLock): readonly LostInput[] {
  const resolve = inputResolver(lock);
  return Object.entries(lock.nodes).flatMap(([of, { inputs = {} }]) =>
    Object.entries(inputs).flatMap(([input, edge]) =>
      typeof edge === "string" || resolve(edge) !== undefined ? [] : [{ of, input, follows: edge }],
    ),
  );
}

/**
 * For locks that we make or land.
 *
 * @throws HomelabError `failed` with code `FLAKE_LOCK_UNFIT` if an input follows one that does not exist.
 */
export function requireFollowed(lock: FlakeLock): void {
  const [lost] = lostInputs(lock);
  if (lost === undefined) return;
  const { of, input, follows } = lost;
  throw new HomelabError(
    "failed",
    `these inputs do not fit together: ${of} takes its ${input} from ${follows.join("/")}, which is not there`,
    { code: "FLAKE_LOCK_UNFIT", hint: `update ${follows[0] ?? "all inputs"} with them` },
  );
}

/** References in the lock to nodes that do not exist. */
function inconsistency(lock: FlakeLock): string | undefined {
  const nodes = Object.entries(lock.nodes);
  if (nodes.length > maxNodes) return `it has more than ${maxNodes} nodes`;
  if (!Object.hasOwn(lock.nodes, lock.root)) return "its root is not there";
  for (const [key, node] of nodes) {
    const where = key === lock.root ? rootPath : key;
    if (key !== lock.root && (node.locked === undefined || node.original === undefined)) {
      return `${where} is not locked`;
    }
    for (const [name, edge] of Object.entries(node.inputs ?? {})) {
      if (typeof edge === "string" && !Object.hasOwn(lock.nodes, edge)) {
        return `the input ${name} of ${where} points to nothing`;
      }
    }
  }
  return undefined;
}

/** Keys that mean something else to JavaScript: no flake has such an input. */
function refuseOddKeys(key: string, value: unknown): unknown {
  if (key === "__proto__" || key === "constructor" || key === "prototype") {
    throw new Error(`the key ${key} cannot be used`);
  }
  return value;
}

const conflicted = (): HomelabError =>
  new HomelabError("failed", "flake.lock cannot be read: it has the markers of a merge conflict", {
    code: "FLAKE_LOCK_INVALID",
    hint: "take one side (`git checkout --theirs flake.lock`), run `nix flake lock`, and commit it",
  });

const invalid = (reason: string): HomelabError =>
  new HomelabError("failed", `flake.lock cannot be read: ${reason}`, {
    code: "FLAKE_LOCK_INVALID",
    hint: "see what Nix reports: nix flake metadata",
  });
