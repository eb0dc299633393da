import type { LockedInput } from "../../protocol/locked-inputs.ts";
import { inputState } from "./flake-lock-diff.ts";
import { nodeAt, parseFlakeLock, rootInputs } from "./flake-lock.ts";

/**
 * The flake's own inputs that do not follow another, in the order of their names.
 *
 * @param text of a flake.lock
 * @throws HomelabError as `parseFlakeLock`
 */
export function lockedInputs(text: string): readonly LockedInput[] {
  const lock = parseFlakeLock(text);
  const inputs = Object.entries(rootInputs(lock)).flatMap(([input, edge]): readonly LockedInput[] => {
    if (typeof edge !== "string") return [];
    const { locked, original } = nodeAt(lock, edge);
    if (locked === undefined) return [];
    const { source, rev, narHash, lastModified } = inputState(locked);
    const isPinned = original?.rev !== undefined;
    return [
      {
        input,
        source: source.slice(0, 256),
        rev: rev ?? narHash,
        madeAt: lastModified,
        ...(isPinned && { isPinned }),
      },
    ];
  });
  return inputs.toSorted((a, b) => (a.input < b.input ? -1 : 1));
}
