// The nats-server of this machine.
import { HomelabError } from "../base/errors.ts";
import type { Exec } from "../process/exec.ts";

export const natsServerProgram = "nats-server";

/** @throws HomelabError `unavailable` `PROGRAM_MISSING` when there is none in PATH of `env` */
export async function natsServerVersion(
  exec: Exec,
  env: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<string> {
  try {
    const { stdout } = await exec(natsServerProgram, ["--version"], { signal, env, timeoutMs: 10_000 });
    return /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? "0.0.0";
  } catch (error) {
    signal.throwIfAborted();
    throw new HomelabError("unavailable", "there is no nats-server on this machine", {
      code: "PROGRAM_MISSING",
      hint: "install it: apt-get install nats-server, or on NixOS: nix profile install nixpkgs#nats-server",
      cause: error,
    });
  }
}
