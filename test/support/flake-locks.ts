// Locks of flakes, for tests of what is decided about them.
import { createHash } from "node:crypto";
import {
  type FlakeEdge,
  type FlakeLock,
  type FlakeNode,
  parseFlakeLock,
} from "../../src/nix/lock/flake-lock.ts";

/** A commit hash that only depends on the text. */
export const commitOf = (text: string): string => createHash("sha1").update(text).digest("hex");

/** An input from GitHub, `github:owner/<repo>`, at one of its states. */
export function node(repo: string, inputs?: Readonly<Record<string, FlakeEdge>>, state = 1): FlakeNode {
  const place = { owner: "owner", repo, type: "github" };
  return {
    ...(inputs !== undefined && { inputs }),
    locked: {
      lastModified: 1_700_000_000 + state,
      narHash: `sha256-${commitOf(`${repo} content ${state}`)}`,
      rev: commitOf(`${repo} ${state}`),
      ...place,
    },
    original: place,
  };
}

/** A lock of these nodes. Without a `root` the flake has an input for each, by its own name. */
export function lockOf(nodes: Readonly<Record<string, FlakeNode>>): FlakeLock {
  const inputs = Object.fromEntries(Object.keys(nodes).map((name) => [name, name]));
  return parseFlakeLock(JSON.stringify({ nodes: { root: { inputs }, ...nodes }, root: "root", version: 7 }));
}
