// Whose builds are. Where Nix opens the store itself as root, and in its daemon, builds run as the members of the group
// that `build-users-group` names. Installers make that group; Debian's package of Nix without its daemon does not, and
// then every build fails with "the group 'nixbld' specified in 'build-users-group' does not exist".
import type { Exec } from "../../process/exec.ts";
import type { Environment } from "../nix-environment.ts";

/** What is wrong with the group, or `undefined` where builds can work. */
export interface MissingBuildUsers {
  readonly group: string;
  readonly problem: "does not exist" | "has no members";
  /**
   * `root`: this process builds as root itself, and does so without the group. `daemon`: the Nix daemon builds, and
   * cannot.
   */
  readonly builds: "root" | "daemon";
}

export interface BuildUsersFacts {
  /** The setting; empty where builds run as whoever starts them. */
  readonly group: string;
  /** Nix takes user ids by itself, and needs no group. */
  readonly allocatesUids: boolean;
  readonly opensStoreItself: boolean;
  readonly isRoot: boolean;
  /** Undefined when there is no such group. */
  readonly members: readonly string[] | undefined;
}

export function judgeBuildUsers(facts: BuildUsersFacts): MissingBuildUsers | undefined {
  const { group, allocatesUids, opensStoreItself, isRoot, members } = facts;
  // Without root Nix cannot change users, and does not try.
  if (group === "" || allocatesUids || (opensStoreItself && !isRoot)) return undefined;
  if (members !== undefined && members.length > 0) return undefined;
  return {
    group,
    problem: members === undefined ? "does not exist" : "has no members",
    builds: opensStoreItself ? "root" : "daemon",
  };
}

/** Whether somebody is a member only by having it as the first group does not count: Nix asks for those listed. */
export function parseGroup(line: string): readonly string[] {
  const [, , , members = ""] = line.trim().split(":");
  return members.split(",").filter((name) => name !== "");
}

/** getent's exit code for an unknown name. */
const unknownName = 2;

/** The members of a group, wherever this machine's groups come from; undefined when there is no such group. */
export async function readGroup(
  exec: Exec,
  env: Environment,
  group: string,
  signal: AbortSignal,
): Promise<readonly string[] | undefined> {
  const options = { env: { PATH: env["PATH"] ?? "" }, signal, cwd: "/", timeoutMs: 10_000 };
  const { exitCode, stdout } = await exec("getent", ["group", "--", group], options);
  return exitCode === unknownName ? undefined : parseGroup(stdout);
}

/** Without build users, builds run as who opened the store. */
export const withoutBuildUsers: Environment = { NIX_CONFIG: "build-users-group =" };

/** How to have them, as a command for root. */
export const makeBuildUsers = (group: string): string =>
  `groupadd -r ${group}; for n in $(seq 1 32); do useradd -r -M -N -g ${group} -G ${group} -d /var/empty -s /usr/sbin/nologin ${group}$n; done`;
