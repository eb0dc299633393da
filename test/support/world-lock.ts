// The locks of a random history: as Nix prints them, with what the generator's inputs are at.
import { parseFlakeLock, printFlakeLock, type FlakeNode } from "../../src/nix/lock/flake-lock.ts";
import { lockOf, node } from "./flake-locks.ts";
import type { InputStates, UpdateWorld } from "./update-world.ts";

/** Every input has a node of its own name. */
export function printWorldLock({ inputs, below }: UpdateWorld, states: InputStates): string {
  const nodes: Record<string, FlakeNode> = {};
  for (const input of inputs) {
    const inner = below[input];
    nodes[input] = node(input, inner === undefined ? undefined : { [inner]: inner }, states[input]);
    if (inner !== undefined) nodes[inner] = node(inner, undefined, states[inner]);
  }
  nodes["root"] = { inputs: Object.fromEntries(inputs.map((input) => [input, input])) };
  const sorted = Object.fromEntries(Object.entries(nodes).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return printFlakeLock({ ...lockOf(nodes), nodes: sorted });
}

export const statesInLock = (lock: string): InputStates =>
  Object.fromEntries(
    Object.entries(parseFlakeLock(lock).nodes)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, { locked }]) =>
        locked?.lastModified === undefined ? [] : [[name, locked.lastModified - 1_700_000_000]],
      ),
  );
