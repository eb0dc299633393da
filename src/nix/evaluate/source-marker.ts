// How an error of evaluation says where the source of its flake is: a line of its trace, by our own expression.
import type { Commit } from "../../protocol/names.ts";

/** Where the files are that the user of the flake has before their eyes; all others are of inputs. */
export interface FlakeTree {
  /** `/nix/store/…-source` */
  readonly path: string;
  /** In the references to files, `«git+file:///…?rev=<commit>»/flake.nix`, that newer versions print. */
  readonly commit: string;
}

/** What stands before the path. */
export const sourceMarker = (commit: Commit): string => `homelab-deploy evaluates ${commit} in `;

const line = /^\s*… homelab-deploy evaluates (?<commit>[0-9a-f]+) in (?<path>\/\S+)\n*/m;

/** The trace without our line, and what it said. */
export function takeSource(trace: string): { readonly trace: string; readonly source?: FlakeTree } {
  const { commit, path } = line.exec(trace)?.groups ?? {};
  return commit === undefined || path === undefined
    ? { trace }
    : { trace: trace.replace(line, ""), source: { path, commit } };
}
