import { join } from "node:path";
import type { Log } from "../../base/log.ts";
import type { InstalledNix } from "../../nix/create-nix.ts";
import type { InputAccess } from "../../nix/input-access.ts";
import { createExec } from "../../process/create-exec.ts";
import type { Context } from "../context.ts";

/** The Nix of this machine, with `nix` in the state directory for what it writes. */
export async function openNix(
  { environment, clock }: Context,
  stateDirectory: string,
  log: Log,
  signal: AbortSignal,
  inputAccess?: InputAccess,
): Promise<InstalledNix> {
  const { createNix } = await import("../../nix/create-nix.ts");
  return createNix(
    { exec: createExec(), environment, stateDirectory: join(stateDirectory, "nix"), inputAccess, clock, log },
    signal,
  );
}
