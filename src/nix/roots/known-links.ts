// Which links were found in place, for as long as nothing in their directories has changed: a directory's time is that of
// the last entry that was made, renamed or removed in it (inode(7)). So a thousand links cost a question or three.
import { stat } from "node:fs/promises";
import type { Clock } from "../../base/clock.ts";
import type { Link } from "./root-directory.ts";

/** A change that soon after another one may leave the directory's time as it is: the kernel's clock ticks. */
const tickMs = 1000;
/** How many sets of directories have their links remembered. */
const mostRemembered = 8;

export interface KnownLinks {
  isKnown(link: Link): boolean;
  /** To be called for each that was found in place, or put there. */
  add(link: Link): void;
}

/** Gives what is known about the links in these directories now. What is added counts while they stay unchanged. */
export function createKnownLinks(clock: Clock): (directories: readonly string[]) => Promise<KnownLinks> {
  const remembered = new Map<string, { readonly stamp: string; readonly links: Map<string, string> }>();
  return async (directories) => {
    const stamp = await stampOf(directories, clock.now().getTime() - tickMs);
    if (stamp === undefined) return { isKnown: () => false, add: () => {} };
    const key = directories.join("\n");
    const before = remembered.get(key);
    const links = before?.stamp === stamp ? before.links : new Map<string, string>();
    remembered.delete(key);
    remembered.set(key, { stamp, links });
    const [oldest] = remembered.keys();
    if (remembered.size > mostRemembered && oldest !== undefined) remembered.delete(oldest);
    return {
      isKnown: ({ path, target }) => links.get(path) === target,
      add: ({ path, target }) => void links.set(path, target),
    };
  };
}

/** Undefined if one of them has changed since, or is missing. */
async function stampOf(directories: readonly string[], sinceMs: number): Promise<string | undefined> {
  try {
    const stats = await Promise.all(directories.map(async (path) => stat(path, { bigint: true })));
    if (stats.some(({ mtimeMs }) => Number(mtimeMs) > sinceMs)) return undefined;
    return stats.map(({ dev, ino, mtimeNs }) => `${dev}:${ino}:${mtimeNs}`).join(" ");
  } catch {
    return undefined;
  }
}
