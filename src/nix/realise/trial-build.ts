// One build that needs nothing but a Nix that can build: no nixpkgs, no shell, no network.
import { randomUUID } from "node:crypto";
import { HomelabError } from "../../base/errors.ts";
import { firstLine } from "../../base/lines.ts";
import { plainText } from "../../base/terminal-text.ts";
import type { Exec, ExecResult } from "../../process/exec.ts";
import { isStorePath, type StorePath } from "../../protocol/names.ts";

const timeoutMs = 60_000;

/** Nix makes it itself, in the sandbox and as the build user of any other build (`builtin:buildenv`). */
const expression = `{ nonce }: derivation {
  name = "homelab-deploy-doctor";
  system = builtins.currentSystem;
  builder = "builtin:buildenv";
  derivations = "";
  manifest = nonce;
}`;

export interface TrialBuildOptions {
  readonly exec: Exec;
  readonly environment: Readonly<Record<string, string>>;
}

/** Gives what was built. @throws HomelabError `unavailable` with code `NIX_CANNOT_BUILD` */
export const createTrialBuild =
  ({ exec, environment: env }: TrialBuildOptions) =>
  async (signal: AbortSignal): Promise<StorePath | undefined> => {
    // What was built before would not be built again.
    const nonce = ["--argstr", "nonce", `/homelab-deploy/${randomUUID()}`];
    const here = ["--option", "builders", "", "--max-jobs", "1"];
    const args = ["--no-out-link", ...here, ...nonce, "--expr", expression];
    const result = await exec("nix-build", args, { env, signal, cwd: "/", timeoutMs });
    if (result.exitCode !== 0) throw trialError(result);
    const path = result.stdout.trim();
    return isStorePath(path) ? path : undefined;
  };

export function trialError({ stderrTail, timedOut, exitCode }: ExecResult): HomelabError {
  const lines = plainText(stderrTail).split("\n");
  const said =
    lines.findLast((line) => line.startsWith("error:")) ?? lines.find((line) => line.trim() !== "");
  const because = timedOut
    ? `it did not end within ${timeoutMs / 1000} s`
    : firstLine((said ?? `nix-build ended with ${exitCode}`).replace(/^error: */, ""));
  return new HomelabError("unavailable", `Nix cannot build the smallest thing: ${because.slice(0, 400)}`, {
    code: "NIX_CANNOT_BUILD",
    hint: hintFor(stderrTail),
  });
}

function hintFor(words: string): string {
  const known = hints.find(([pattern]) => pattern.test(words));
  return known?.[1] ?? "look into the log of the Nix daemon: journalctl -u nix-daemon";
}

const hints: readonly (readonly [RegExp, string])[] = [
  [
    /build users? group|nixbld|no build users/i,
    "make the build users that build-users-group in nix.conf names (the installer of Nix does), or start the Nix daemon and run this as another user than root",
  ],
  [
    /cannot connect to (?:socket|daemon)|daemon-socket/i,
    "start the Nix daemon: systemctl start nix-daemon.socket; or see NIX_REMOTE",
  ],
  [/post-build-hook/i, "correct post-build-hook in nix.conf, or take it out: it runs after each build"],
  [/no space left|disk quota/i, "free space on the store's disk: nix-collect-garbage"],
  [/read-only file system/i, "the store is mounted read-only: use the Nix daemon, or mount it writable"],
  [
    /permission denied|operation not permitted|unshare|clone|namespace|sandbox/i,
    "let this user use the Nix daemon (NIX_REMOTE=daemon, allowed-users), and see that the kernel allows the sandbox its user namespaces",
  ],
];
