import type { Clock } from "../base/clock.ts";
import type { Log } from "../base/log.ts";
import { findAbandonedDirectories } from "../nix/realise/build-directory.ts";
import { buildsDirectoryOf } from "../nix/create-nix.ts";
import { endLeftBehind } from "../process/left-behind.ts";
import { join } from "node:path";

/** Ends what a process that had its state in this directory, and was killed, left running; before the same work begins again. */
export async function endLeftBehindIn(
  stateDirectory: string,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
  signal: AbortSignal,
): Promise<void> {
  const abandonedDirectories = await findAbandonedDirectories(buildsDirectoryOf(join(stateDirectory, "nix")));
  await endLeftBehind({ stateDirectory, abandonedDirectories, clock, log }, signal);
}
