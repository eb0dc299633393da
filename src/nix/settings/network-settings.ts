// Which files Nix signs in to caches with, and which authorities it trusts: for our own questions to the same caches.
import { join } from "node:path";
import * as v from "valibot";
import type { Environment } from "../../base/environment.ts";
import { decodeJson } from "../../base/json.ts";
import type { Exec } from "../../process/exec.ts";
import { featureFlags } from "../nix-command.ts";

export interface NixNetworkSettings {
  /** `netrc-file`; the file need not exist. */
  readonly netrcFile: string;
  /** `ssl-cert-file` (Nix 2.10 and newer), where it is set. */
  readonly sslCertFile?: string;
}

const text = v.optional(v.object({ value: v.nullish(v.string()) }));
const Output = v.object({ "netrc-file": text, "ssl-cert-file": text });
const timeoutMs = 10_000;

/** As nix.conf says it; Nix's defaults where there is no Nix to ask. */
export async function readNixNetworkSettings(
  exec: Exec,
  environment: Environment,
  signal: AbortSignal,
): Promise<NixNetworkSettings> {
  const directory = environment["NIX_CONF_DIR"] ?? "/etc/nix";
  const env = {
    PATH: environment["PATH"] ?? "",
    HOME: "/homeless-shelter",
    NIX_CONF_DIR: directory,
    NIX_USER_CONF_FILES: "",
  };
  const defaults = { netrcFile: join(directory, "netrc") };
  // `show-config` is an alias in newer versions.
  for (const name of [["show-config"], ["config", "show"]]) {
    const result = await exec("nix", [...featureFlags, ...name, "--json"], {
      env,
      cwd: "/",
      signal,
      timeoutMs,
    }).catch(() => undefined);
    signal.throwIfAborted();
    if (result === undefined) return defaults;
    const said = result.exitCode === 0 ? decodeJson(Output, result.stdout) : undefined;
    if (said === undefined) continue;
    return {
      netrcFile: said["netrc-file"]?.value ?? defaults.netrcFile,
      sslCertFile: said["ssl-cert-file"]?.value ?? undefined,
    };
  }
  return defaults;
}
