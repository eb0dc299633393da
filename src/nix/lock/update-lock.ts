import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { hasCode, HomelabError, messageOf } from "../../base/errors.ts";
import type { Exec } from "../../process/exec.ts";
import { updatableInputs } from "./flake-lock-diff.ts";
import { maxLockBytes, parseFlakeLock, printFlakeLock, requireFollowed } from "./flake-lock.ts";
import type { InputAccess } from "../input-access.ts";
import type { Environment } from "../nix-environment.ts";
import { isAtLeast } from "../../base/version.ts";
import type { Locker } from "../locker.ts";
import { lockingFlags, runLocking, type LockingResult } from "./run-locking.ts";

/** What Nix takes for an element of an input path (`flakeIdRegex`). */
const inputPattern = /^[A-Za-z][A-Za-z0-9_-]*$/;

/** Nix writes no lock for a flake without inputs. */
const noInputs = printFlakeLock({ version: 7, root: "root", nodes: { root: {} } });

export interface LockUpdaterOptions {
  readonly exec: Exec;
  readonly environment: Environment;
  readonly inputAccess?: InputAccess;
  /** The version of Nix. */
  readonly version: string;
}

/** Runs Nix's own update of a lock file. */
export function createLockUpdater({
  exec,
  environment,
  inputAccess,
  version,
}: LockUpdaterOptions): Pick<Locker, "updateLock"> {
  return {
    async updateLock(directory, { inputs, timeoutMs }, signal) {
      const path = join(directory, "flake.lock");
      const before = await readLock(path);
      const locking = { exec, environment, inputAccess, directory, timeoutMs };
      const run = async (names: readonly string[] | undefined): Promise<LockingResult> =>
        runLocking(locking, updateArguments(version, names), signal);
      if (inputs !== undefined) {
        // What can be named is what flake.nix has, and its lock may not have that yet.
        const fitted = await run([]);
        if (fitted.type === "failed") return fitted;
        checkInputs(inputs, await readLock(path));
      }
      if (inputs?.length !== 0) {
        const result = await run(inputs);
        if (result.type === "failed") return result;
      }
      // Exit code 0 says nothing about what is in the file, nor that there is one.
      const after = (await readLock(path)) ?? (before === undefined ? noInputs : undefined);
      if (after === undefined) throw unreadable("it is gone");
      requireFollowed(parseFlakeLock(after));
      return { type: "updated", lock: after };
    },
  };
}

/**
 * - The flake is that of the working directory, so that its path is not an argument.
 * - Nix never commits: when git refuses the commit, the next run finds the lock changed and reports success without one.
 */
export function updateArguments(version: string, inputs: readonly string[] | undefined): readonly string[] {
  if (inputs === undefined) return ["flake", "update", ...lockingFlags];
  // Newer versions take an update of no input for one of all.
  if (inputs.length > 0 && isAtLeast(version, "2.19"))
    return ["flake", "update", ...lockingFlags, "--", ...inputs];
  return ["flake", "lock", ...lockingFlags, ...inputs.flatMap((input) => ["--update-input", input])];
}

/** Newer versions of Nix only warn of a name that they do not know, and 2.8 takes it for a flake. */
function checkInputs(inputs: readonly string[], lock: string | undefined): void {
  const known = lock === undefined ? [] : updatableInputs(parseFlakeLock(lock));
  const unknown = inputs.find((name) => !inputPattern.test(name) || !known.includes(name));
  if (unknown === undefined) return;
  const message = `${JSON.stringify(unknown.slice(0, 80))} is not an input of the flake that can be updated`;
  throw new HomelabError("usage", message, {
    code: "UNKNOWN_FLAKE_INPUT",
    hint: known.length === 0 ? "its flake.lock has no inputs" : `those are: ${known.join(", ")}`,
  });
}

/** Undefined when there is none. */
async function readLock(path: string): Promise<string | undefined> {
  try {
    // A link could point anywhere.
    await using file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    const status = await file.stat();
    if (!status.isFile() || status.size > maxLockBytes)
      throw new Error("it is not a file of a reasonable size");
    return await file.readFile("utf8");
  } catch (cause) {
    if (hasCode(cause, "ENOENT")) return undefined;
    throw unreadable(messageOf(cause), cause);
  }
}

const unreadable = (reason: string, cause?: unknown): HomelabError =>
  new HomelabError("failed", `flake.lock cannot be read: ${reason}`, {
    code: "FLAKE_LOCK_INVALID",
    hint: "flake.lock must be a plain file beside flake.nix",
    cause,
  });
