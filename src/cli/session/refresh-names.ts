// Names for completion, read again behind the back of the shell: completing never waits for a network, and what it offers
// is at most as old as the completion before.
import { spawn } from "node:child_process";
import { stat, utimes } from "node:fs/promises";
import type { Clock } from "../../base/clock.ts";
import type { Environment } from "../../base/environment.ts";
import { markerOf, touchMarker } from "../arguments/known-names.ts";

/** Younger names are good enough; and while NATS is away, nothing is tried more often. */
const freshMs = 60_000;

/** Whoever lists hosts remembers their names. */
const refreshing = ["hosts", "list", "--json"] as const;

/** Starts a program and does not wait for it. */
export type Launch = (args: readonly string[]) => void;

export async function refreshNames(
  { environment, clock }: { readonly environment: Environment; readonly clock: Clock },
  launch: Launch = launchOurselves,
): Promise<void> {
  const marker = markerOf(environment);
  const askedAt = await stat(marker).then(
    ({ mtimeMs }) => mtimeMs,
    () => undefined,
  );
  const now = clock.now();
  if (askedAt !== undefined && Math.abs(now.getTime() - askedAt) < freshMs) return;
  try {
    await touchMarker(environment);
    await utimes(marker, now, now);
  } catch {
    // Where nothing can be kept, nothing is remembered either.
    return;
  }
  launch(refreshing);
}

function launchOurselves(args: readonly string[]): void {
  const [, program = ""] = process.argv;
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    detached: true,
    stdio: "ignore",
  });
  child.on("error", () => undefined);
  child.unref();
}
