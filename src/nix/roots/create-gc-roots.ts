import { createHash, randomUUID } from "node:crypto";
import { readlink, rename, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeDirectory } from "../../base/files/make-directory.ts";
import type { Clock } from "../../base/clock.ts";
import { hasCode, HomelabError, isProgrammingError, messageOf } from "../../base/errors.ts";
import { workThrough } from "../../base/work-through.ts";
import type { Exec } from "../../process/exec.ts";
import { addIndirectRoots } from "./daemon-protocol.ts";
import { nix32 } from "../../protocol/store-paths/nix32.ts";
import type { Environment } from "../nix-environment.ts";
import type { GcRoots, HostRoots } from "../gc-roots.ts";
import { createKnownLinks } from "./known-links.ts";
import {
  commitDirectory,
  headMark,
  linkOf,
  listRoots,
  pinMark,
  readRoots,
  type Link,
} from "./root-directory.ts";
import { createRootLocks } from "./root-locks.ts";

const atOnce = 64;

export interface GcRootsOptions {
  /** Absolute path, ours alone; root-directory.ts says what is in it. */
  readonly directory: string;
  /** Nix's own: `/nix/var/nix`. */
  readonly nixStateDirectory: string;
  /** Default: in `nixStateDirectory`, as Nix itself has it. */
  readonly daemonSocket?: string;
  readonly exec: Exec;
  readonly environment: Environment;
  readonly clock: Clock;
}

/**
 * Keeps roots as links in our own directory, which Nix knows as indirect roots. A link may point to what is not
 * built yet: the collector asks at each run whether its target is valid, and drops only registrations whose link is
 * gone. So deleting a link is all that it takes to give a path free.
 */
export function createGcRoots({
  directory,
  nixStateDirectory,
  daemonSocket = join(nixStateDirectory, "daemon-socket/socket"),
  exec,
  environment,
  clock,
}: GcRootsOptions): GcRoots {
  const locks = createRootLocks({
    directory: join(directory, ".locks"),
    exec,
    environment,
    pid: process.pid,
  });
  const registrations = join(nixStateDirectory, "gcroots/auto");
  const lookAtLinks = createKnownLinks(clock);
  /** As Nix names it, so that both ways of registering give the same (addIndirectRoot in local-store's gc.cc). */
  const registrationOf = (link: string): string =>
    join(registrations, nix32(createHash("sha1").update(link).digest()));

  async function register(links: readonly Link[], signal: AbortSignal): Promise<void> {
    try {
      // Nix makes it when it first opens the store.
      await makeDirectory(registrations);
      await workThrough([...links], atOnce, async ({ path }) => {
        await placeLink(registrationOf(path), path);
      });
    } catch (error) {
      if (!isForbidden(error)) throw error;
      const paths = links.map(({ path }) => path);
      await addIndirectRoots(daemonSocket, paths, signal);
    }
  }

  return {
    async protect(roots, signal) {
      signal.throwIfAborted();
      const commits = new Set(roots.map((root) => commitDirectory(directory, root)));
      try {
        for (const commit of commits) {
          await makeDirectory(join(commit, "drv"));
          await makeDirectory(join(commit, "out"));
        }
        const links = roots.flatMap((root) => linksOf(directory, root));
        const unregistered: Link[] = [];
        const within = [...commits].flatMap((commit) => [join(commit, "drv"), join(commit, "out")]);
        const known = await lookAtLinks([...within, registrations]);
        const unsure = links.filter((link) => !known.isKnown(link));
        await workThrough(unsure, atOnce, async (link) => {
          const wasThere = await placeLink(link.path, link.target);
          if (wasThere && (await targetOf(registrationOf(link.path))) === link.path) known.add(link);
          else unregistered.push(link);
        });
        if (unregistered.length > 0) await register(unregistered, signal);
        for (const commit of commits) await utimes(commit, clock.now(), clock.now());
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof HomelabError || isProgrammingError(error)) throw error;
        throw new HomelabError("unavailable", `GC roots cannot be made: ${messageOf(error)}`, {
          code: "GC_ROOTS",
          hint: `see whether ${directory} and ${registrations} can be written and have room`,
          cause: error,
        });
      }
    },

    async use(commits, signal) {
      const held = new AsyncDisposableStack();
      try {
        for (const used of commits) {
          held.use(await locks.share(used.repo, used.commit, signal));
          const path = commitDirectory(directory, used);
          await makeDirectory(path);
          if (used.isHead) await writeFile(join(path, headMark), "");
          await utimes(path, clock.now(), clock.now());
        }
        return held;
      } catch (error) {
        await held.disposeAsync();
        throw error;
      }
    },

    list: async () => listRoots(directory),

    async drop(planned, hosts, signal) {
      await using alone = await locks.takeAlone(planned.repo, planned.commit, signal);
      if (alone === undefined) return "in-use";
      const now = await readRoots(directory, planned);
      if (now === undefined) return "dropped";
      // A build came and went since the plan was made.
      if (now.usedAt.getTime() !== planned.usedAt.getTime()) return "in-use";
      const path = commitDirectory(directory, planned);
      const links = hosts.flatMap((host) =>
        (["drv", "out"] as const).map((kind) => linkOf(directory, { ...planned, host }, kind)),
      );
      const isWhole = [...now.hosts.keys()].every((host) => hosts.includes(host));
      await workThrough(isWhole ? [path] : links, atOnce, async (each) =>
        rm(each, { recursive: true, force: true }),
      );
      return "dropped";
    },

    async pin(repo, commit, reason) {
      const path = commitDirectory(directory, { repo, commit });
      const usedAt = (await stat(path).catch(() => undefined))?.mtime;
      if (usedAt === undefined) return false;
      const mark = join(path, pinMark);
      if (reason === undefined) await rm(mark, { force: true });
      else await writeFile(mark, `${reason}\n`);
      await utimes(path, usedAt, usedAt);
      return true;
    },
  };
}

function linksOf(directory: string, root: HostRoots): readonly Link[] {
  return [
    { path: linkOf(directory, root, "drv"), target: root.drvPath },
    { path: linkOf(directory, root, "out"), target: root.outPath },
  ];
}

/**
 * Makes a link, or changes it: there is no moment without one, as the new one is renamed over the old one. Most are new,
 * because each commit has links of its own.
 *
 * @returns whether there was one
 */
async function placeLink(path: string, target: string): Promise<boolean> {
  if (await isNewLink(path, target)) return false;
  if ((await targetOf(path)) === target) return true;
  const temporary = join(dirname(path), `.new-${randomUUID()}`);
  await symlink(target, temporary);
  try {
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return true;
}

/** Where a link leads; undefined for what is none. */
const targetOf = async (path: string): Promise<string | undefined> => readlink(path).catch(() => undefined);

/** Makes the link unless something is there. */
async function isNewLink(path: string, target: string): Promise<boolean> {
  try {
    await symlink(target, path);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

const isForbidden = (error: unknown): boolean => hasCode(error, "EACCES", "EPERM", "EROFS");
