import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as v from "valibot";
import { HomelabError, messageOf } from "../../base/errors.ts";
import { parseJson } from "../../base/json.ts";
import { maxLockBytes, parseFlakeLock, printFlakeLock } from "./flake-lock.ts";
import { nixString } from "../nix-command.ts";
import type { LockUpdate, Locker } from "../locker.ts";
import { lockingFlags, runLocking, type LockingOptions } from "./run-locking.ts";

/** `nix flake metadata --json` has the whole lock, with what was overridden in it. */
const Metadata = v.object({ locks: v.looseObject({}) });

/**
 * Has Nix lock one input to one revision. Nothing is written: `nix flake lock` with `--override-input` would keep the
 * override in the lock as if the flake had declared it, so the lock is taken from what Nix prints.
 */
export function createRevisionLocker(
  locking: Pick<LockingOptions, "exec" | "environment" | "inputAccess">,
): Pick<Locker, "lockRevision"> {
  async function metadata(
    flake: string,
    more: readonly string[],
    { directory, timeoutMs }: Pick<LockingOptions, "directory" | "timeoutMs">,
    signal: AbortSignal,
  ): Promise<LockUpdate> {
    const args = [
      "flake",
      "metadata",
      "--json",
      "--no-write-lock-file",
      ...lockingFlags,
      ...more,
      "--",
      flake,
    ];
    const result = await runLocking({ ...locking, directory, timeoutMs }, args, signal);
    return result.type === "failed" ? result : { type: "updated", lock: lockOf(result.stdout) };
  }

  return {
    async lockRevision(directory, { input, reference, isFlake, timeoutMs }, signal) {
      if (isFlake) {
        // Overridden alone, an input keeps what the flake's lock has for its inputs, and its own lock is not read.
        // Nix from 2.19 on has another command for an update of one input, and warns of this flag.
        const override = ["--override-input", input, reference, "--update-input", input];
        return metadata(".", override, { directory, timeoutMs }, signal);
      }
      // Nix takes every override for a flake. Alone it is the same: an input that is not a flake has no inputs itself.
      const scratch = await mkdtemp(join(tmpdir(), "homelab-deploy-lock-"));
      try {
        const source = `{ url = ${nixString(reference)}; flake = false; }`;
        await writeFile(
          join(scratch, "flake.nix"),
          `{ inputs.${nixString(input)} = ${source}; outputs = _: { }; }\n`,
        );
        const flake = `path:${pathToFileURL(scratch).pathname}`;
        return await metadata(flake, [], { directory: scratch, timeoutMs }, signal);
      } finally {
        await rm(scratch, { recursive: true, force: true });
      }
    },
  };
}

function lockOf(stdout: string): string {
  try {
    if (Buffer.byteLength(stdout) > 2 * maxLockBytes) throw new Error("it is too large");
    const { locks } = v.parse(Metadata, parseJson(stdout));
    return printFlakeLock(parseFlakeLock(JSON.stringify(locks)));
  } catch (cause) {
    throw new HomelabError(
      "failed",
      `what Nix says of the flake's inputs cannot be read: ${messageOf(cause)}`,
      {
        code: "FLAKE_LOCK_INVALID",
        cause,
      },
    );
  }
}
