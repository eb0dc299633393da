// What our directory of GC roots holds, a directory for each commit:
//
//     <repo>/<commit>/drv/<host>   link to the host's derivation
//     <repo>/<commit>/out/<host>   link to its system, built or not
//     <repo>/<commit>/head         is there when the commit was the tip of the configured branch
//     <repo>/<commit>/pin          is there when the commit is kept for good, with the reason
// With overrides, `<commit>~<variant>` stands for the commit.
//
//     .locks/                      who uses what: root-locks.ts
//
// The time of a commit's directory says when its roots were last asked for.
import { readdir, readFile, readlink, stat } from "node:fs/promises";
import { join } from "node:path";
import { hasCode, HomelabError, isProgrammingError, messageOf } from "../../base/errors.ts";
import * as v from "valibot";
import { type HostName, isHostName, isRepoName, StorePath, type RepoName } from "../../protocol/names.ts";
import { parseRevisionName, revisionName, type Revision } from "../../protocol/overrides.ts";
import type { RootedCommit } from "../gc-roots.ts";

export const headMark = "head";
export const pinMark = "pin";
const maxReasonLength = 200;

export interface Link {
  readonly path: string;
  readonly target: StorePath;
}

interface At extends Revision {
  readonly repo: RepoName;
}

export const commitDirectory = (directory: string, at: At): string =>
  join(directory, at.repo, revisionName(at));

export const linkOf = (
  directory: string,
  root: At & { readonly host: HostName },
  kind: "drv" | "out",
): string => join(commitDirectory(directory, root), kind, root.host);

/** Everything in the directory that has one of our names. */
export async function listRoots(directory: string): Promise<readonly RootedCommit[]> {
  const found: RootedCommit[] = [];
  for (const repo of (await namesIn(directory)).filter(isRepoName)) {
    for (const name of await namesIn(join(directory, repo))) {
      const revision = parseRevisionName(name);
      const rooted = revision && (await readRoots(directory, { repo, ...revision }));
      if (rooted !== undefined) found.push(rooted);
    }
  }
  return found;
}

/** Undefined when there is nothing of the commit. */
export async function readRoots(
  directory: string,
  { repo, commit, variant }: At,
): Promise<RootedCommit | undefined> {
  const at = { repo, commit, variant };
  const path = commitDirectory(directory, at);
  const usedAt = (await ifThere(stat(path)))?.mtime;
  // It was dropped after its name was read.
  if (usedAt === undefined) return undefined;
  const hosts = new Map<HostName, StorePath>();
  for (const host of (await namesIn(join(path, "out"))).filter(isHostName)) {
    const target = await ifThere(readlink(linkOf(directory, { ...at, host }, "out")));
    const system = v.safeParse(StorePath, target);
    if (system.success) hosts.set(host, system.output);
  }
  const pin = await ifThere(readFile(join(path, pinMark), "utf8"));
  const wasHead = (await ifThere(stat(join(path, headMark)))) !== undefined;
  return {
    ...at,
    usedAt,
    wasHead,
    pin: pin?.trim().slice(0, maxReasonLength),
    hosts,
  };
}

const namesIn = async (path: string): Promise<readonly string[]> => (await ifThere(readdir(path))) ?? [];

/** What cannot be read is not absent: a pin or a host that nobody sees would be dropped. */
async function ifThere<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    if (isProgrammingError(error)) throw error;
    throw new HomelabError("unavailable", `GC roots cannot be read: ${messageOf(error)}`, {
      code: "GC_ROOTS",
      hint: "run it as the builder's user or as root, and look at the disk",
      cause: error,
    });
  }
}
