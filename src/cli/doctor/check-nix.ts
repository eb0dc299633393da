// Nix on this machine, for machines that build.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNix } from "../../nix/create-nix.ts";
import { createExec } from "../../process/create-exec.ts";
import { silentLog } from "../../base/log.ts";
import type { Context } from "../context.ts";
import { findingOf, type Finding } from "./finding.ts";

export async function checkNix({ environment, clock }: Context, signal: AbortSignal): Promise<Finding[]> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-deploy-doctor-"));
  try {
    const nix = await createNix(
      { exec: createExec(), environment, stateDirectory: directory, clock, log: silentLog },
      signal,
    );
    const found: Finding = {
      check: "Nix",
      state: "ok",
      message: `Nix ${nix.version} builds for ${nix.systems.join(" ")}`,
    };
    const { dead } = await nix.probeSubstituters(signal);
    return [
      found,
      ...dead.map(({ url, reason }): Finding => ({
        check: `substituter ${url}`,
        state: "warning",
        message: reason,
        hint: "builds leave it out; remove it from nix.conf if it is gone for good",
      })),
    ];
  } catch (error) {
    signal.throwIfAborted();
    return [findingOf("Nix", error)];
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
