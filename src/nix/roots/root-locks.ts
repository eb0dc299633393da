// Who uses a commit's roots, over all processes on this machine: the builder, `build --local`, an update. The locks
// are the kernel's, so none outlives its process.
import { randomUUID } from "node:crypto";
import { appendFile, link, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { makeDirectory } from "../../base/files/make-directory.ts";
import { hasCode, HomelabError } from "../../base/errors.ts";
import type { Exec } from "../../process/exec.ts";
import type { Commit, RepoName } from "../../protocol/names.ts";
import type { Environment } from "../nix-environment.ts";

/** What flock ends with when the lock is taken. */
const takenExitCode = 75;
/** Whoever drops roots has it for some seconds; one that was stopped meanwhile must not hold up builds. */
const patienceSeconds = 60;
/** A lock that nobody in this process needs any more is kept for so long: the next build of the commit is often near. */
const lingerMs = 1000;
/** Longer than another process keeps one that it does not need. */
const lingeringSeconds = 2;
/** tail prints it once flock has given it the lock. */
const heldLine = "in use while this is locked\n";

export interface RootLocksOptions {
  readonly directory: string;
  readonly exec: Exec;
  /** Its `PATH` has flock and tail. */
  readonly environment: Environment;
  /** The process that uses the roots: the lock ends with it, however it ends. */
  readonly pid: number;
}

export interface RootLocks {
  /** Kept until it is disposed, or the signal aborts. Waits while somebody drops roots. */
  share(repo: RepoName, commit: Commit, signal: AbortSignal): Promise<AsyncDisposable>;
  /** The same for who drops roots; undefined when somebody has it. */
  takeAlone(repo: RepoName, commit: Commit, signal: AbortSignal): Promise<AsyncDisposable | undefined>;
}

/** Held by a process of its own, for all in this one that share it. */
interface Shared {
  users: number;
  readonly held: Promise<HeldLock | undefined>;
  lingering?: NodeJS.Timeout;
}

interface HeldLock extends AsyncDisposable {
  /** The process that holds it is over. */
  readonly over: Promise<unknown>;
}

export function createRootLocks({ directory, exec, environment, pid }: RootLocksOptions): RootLocks {
  const sharing = new Map<string, Shared>();

  /** One lock for several commits, so that their number has a bound: to share one only delays a removal. */
  async function lockOf(repo: RepoName, commit: Commit): Promise<string> {
    await makeDirectory(directory);
    const file = join(directory, `${repo}-${commit.slice(0, 2)}`);
    const bytes = await sizeOf(file);
    if (bytes === undefined) await placeFile(file, heldLine);
    // A crash of the machine can leave it empty, and tail would never say that the lock is held.
    else if (bytes === 0) await appendFile(file, heldLine);
    return file;
  }

  async function lock(
    file: string,
    how: readonly string[],
    signal: AbortSignal | undefined,
  ): Promise<HeldLock | undefined> {
    const released = new AbortController();
    const held = Promise.withResolvers<boolean>();
    const wait = ["tail", `--pid=${pid}`, "--follow", "--lines=1", "--", file];
    const conflict = ["--conflict-exit-code", `${takenExitCode}`];
    const over = exec("flock", [...how, ...conflict, "--no-fork", "--", file, ...wait], {
      signal: AbortSignal.any([...(signal === undefined ? [] : [signal]), released.signal]),
      env: environment,
      cwd: "/",
      onStdout: () => held.resolve(true),
    }).then(
      ({ exitCode, stderrTail }) =>
        exitCode === takenExitCode ? held.resolve(false) : held.reject(notLocked(file, stderrTail)),
      (error: unknown) => held.reject(error),
    );
    if (!(await held.promise)) return undefined;
    return {
      over,
      async [Symbol.asyncDispose]() {
        released.abort(new Error("the lock is not needed any more"));
        await over;
      },
    };
  }

  function shareIn(file: string): Shared {
    const known = sharing.get(file);
    if (known !== undefined) {
      clearTimeout(known.lingering);
      known.users++;
      return known;
    }
    const how = ["--shared", "--timeout", `${patienceSeconds}`];
    const shared: Shared = { users: 1, held: lock(file, how, undefined) };
    sharing.set(file, shared);
    const forget = (): void => {
      if (sharing.get(file) === shared) sharing.delete(file);
    };
    void shared.held.then(
      (held) => (held === undefined ? forget() : void held.over.then(forget)),
      () => forget(),
    );
    return shared;
  }

  async function end(file: string, shared: Shared): Promise<void> {
    if (sharing.get(file) === shared) sharing.delete(file);
    await (await shared.held)?.[Symbol.asyncDispose]();
  }

  async function leave(file: string, shared: Shared, at: "once" | "leisure"): Promise<void> {
    shared.users--;
    if (shared.users > 0) return;
    if (at === "once") await end(file, shared);
    else shared.lingering = setTimeout(() => void end(file, shared).catch(() => undefined), lingerMs);
  }

  return {
    async share(repo, commit, signal) {
      signal.throwIfAborted();
      const file = await lockOf(repo, commit);
      const shared = shareIn(file);
      let isOver = false;
      const leaveOnce = async (at: "once" | "leisure"): Promise<void> => {
        if (isOver) return;
        isOver = true;
        await leave(file, shared, at);
      };
      const aborted = Promise.withResolvers<never>();
      const onAbort = (): void => {
        aborted.reject(signal.reason);
        void leaveOnce("once").catch(() => undefined);
      };
      aborted.promise.catch(() => undefined);
      signal.addEventListener("abort", onAbort, { once: true });
      try {
        const held = await Promise.race([shared.held, aborted.promise]);
        if (held === undefined)
          throw notLocked(file, `another process has held it for more than ${patienceSeconds} s`);
      } catch (error) {
        signal.removeEventListener("abort", onAbort);
        await leaveOnce("once").catch(() => undefined);
        throw error;
      }
      return {
        async [Symbol.asyncDispose]() {
          signal.removeEventListener("abort", onAbort);
          await leaveOnce(signal.aborted ? "once" : "leisure");
        },
      };
    },
    async takeAlone(repo, commit, signal) {
      const file = await lockOf(repo, commit);
      const shared = sharing.get(file);
      if (shared !== undefined) {
        if (shared.users > 0) return undefined;
        clearTimeout(shared.lingering);
        await end(file, shared);
      }
      return lock(file, ["--exclusive", "--timeout", `${lingeringSeconds}`], signal);
    },
  };
}

const sizeOf = async (file: string): Promise<number | undefined> =>
  stat(file).then(
    ({ size }) => size,
    () => undefined,
  );

/** Created atomically, and never replaces one that somebody may have locked. */
async function placeFile(file: string, text: string): Promise<void> {
  const temporary = `${file}.${randomUUID()}`;
  await writeFile(temporary, text, { flush: true });
  try {
    await link(temporary, file);
  } catch (error) {
    if (!hasCode(error, "EEXIST")) throw error;
  } finally {
    await rm(temporary, { force: true });
  }
}

const notLocked = (file: string, said: string): HomelabError =>
  new HomelabError("unavailable", `GC roots cannot be locked: ${said.trim() || "flock ended"}`, {
    code: "GC_ROOTS",
    hint: `see whether ${file} can be written and has room`,
  });
