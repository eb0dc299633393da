// Who builds, and what the Nix daemon lets that user do.
import { userInfo } from "node:os";
import type { Exec } from "../../process/exec.ts";
import type { Environment } from "../nix-environment.ts";

/** Who builds: the user of the builder, and the groups that it is in. */
export interface BuildUser {
  readonly name: string;
  readonly groups: readonly string[];
}

/** The user of this process: the builder's, and that of doctor if it is run as intended. */
export async function readBuildUser(
  exec: Exec,
  environment: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal,
): Promise<BuildUser> {
  const env: Environment = { PATH: environment["PATH"] ?? "" };
  const { stdout } = await exec("id", ["-Gn"], { env, signal, cwd: "/", timeoutMs: 5000 });
  return { name: userInfo().username, groups: stdout.trim().split(/\s+/) };
}

/** @param names as of `trusted-users` and `allowed-users`: users, `@group`, or `*` */
export const isAmong = (names: readonly string[], { name, groups }: BuildUser): boolean =>
  names.some(
    (each) => each === "*" || each === name || (each.startsWith("@") && groups.includes(each.slice(1))),
  );
