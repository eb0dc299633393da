import { HomelabError } from "../../base/errors.ts";
import {
  type FlakeEdge,
  type FlakeLock,
  type FlakeNode,
  inNewestVersion,
  nodeAt,
  requireFollowed,
  rootInputs,
} from "./flake-lock.ts";

/** A node on its way from one of the two locks into the new one: keys of different locks are different nodes. */
interface Origin {
  readonly lock: FlakeLock;
  readonly key: string;
}

/**
 * The base lock with some of the flake's inputs, and all below them, as they are in the full update: what Nix would
 * have written had it updated only these, at the same moment. Without the network.
 *
 * The graph is printed as Nix prints it (`LockFile::toJSON`): depth first, inputs by name, each node named after the
 * input that it was reached by first, with `_2`, `_3` and so on where that name is taken. What nothing points to any
 * more is left out.
 *
 * @param from the base lock
 * @param newest the full update
 * @param inputs names of inputs of the flake itself
 * @throws HomelabError `usage` with code `UNKNOWN_FLAKE_INPUT`; `failed` with code `FLAKE_LOCK_UNFIT` when an input
 *   follows another that only the other lock has.
 */
export function graftLock(from: FlakeLock, newest: FlakeLock, inputs: ReadonlySet<string>): FlakeLock {
  // As Nix, which leaves an old lock alone until something in it changes.
  const [base, full] = inputs.size === 0 ? [from, newest] : [inNewestVersion(from), inNewestVersion(newest)];
  for (const name of inputs) {
    if (!Object.hasOwn(rootInputs(full), name) || !Object.hasOwn(rootInputs(base), name)) {
      throw new HomelabError("usage", `the flake has no input ${JSON.stringify(name)}`, {
        code: "UNKNOWN_FLAKE_INPUT",
        hint: `it has: ${Object.keys(rootInputs(base)).join(", ")}`,
      });
    }
  }
  const nodes = new Map<string, FlakeNode>();
  const keys = new Map<FlakeLock, Map<string, string>>([
    [base, new Map()],
    [full, new Map()],
  ]);

  function print(name: string, { lock, key }: Origin, originOf: (input: string) => FlakeLock): string {
    const known = keys.get(lock)?.get(key);
    if (known !== undefined) return known;
    const fresh = freshKey(name, nodes);
    keys.get(lock)?.set(key, fresh);
    const node = nodeAt(lock, key);
    nodes.set(fresh, node);
    const edges = Object.entries(node.inputs ?? {}).toSorted(byName);
    const printed = edges.map(([input, ours]): [string, FlakeEdge] => {
      const source = originOf(input);
      const edge = source === lock ? ours : (rootInputs(source)[input] ?? ours);
      if (typeof edge !== "string") return [input, edge];
      return [input, print(input, { lock: source, key: edge }, () => source)];
    });
    if (node.inputs !== undefined) nodes.set(fresh, { ...node, inputs: Object.fromEntries(printed) });
    return fresh;
  }

  const origin = { lock: base, key: base.root };
  const root = print("root", origin, (input) => (inputs.has(input) ? full : base));
  const sorted = Object.fromEntries([...nodes].toSorted(byName));
  const graft: FlakeLock = { ...base, nodes: sorted, root };
  requireFollowed(graft);
  return graft;
}

function freshKey(name: string, taken: ReadonlyMap<string, unknown>): string {
  let key = name;
  for (let number = 2; taken.has(key); number++) key = `${name}_${number}`;
  return key;
}

/** Nix's order, that of the bytes: these names are ASCII. */
const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0;
