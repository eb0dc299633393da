// One build that needs nothing but a Nix that can build: no nixpkgs, no shell, no network.
import { randomUUID } from "node:crypto";
import { HomelabError } from "../../base/errors.ts";
import { firstLine } from "../../base/lines.ts";
import { plainText } from "../../base/terminal-text.ts";
import type { Exec, ExecResult } from "../../process/exec.ts";
import { isStorePath, type StorePath } from "../../protocol/names.ts";
import type { Machine } from "../settings/machines.ts";

const timeoutMs = 60_000;

/** Nix makes it itself, in the sandbox and as the build user of any other build (`builtin:buildenv`). */
const expression = `{ nonce, system ? builtins.currentSystem, features ? "" }: derivation {
  name = "homelab-deploy-doctor";
  inherit system;
  requiredSystemFeatures = features;
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
    const args = trialArguments({ builders: "", jobs: 1 });
    const result = await exec("nix-build", args, { env, signal, cwd: "/", timeoutMs });
    if (result.exitCode !== 0) throw trialError(result);
    const path = result.stdout.trim();
    return isStorePath(path) ? path : undefined;
  };

/**
 * What came of a build on one remote builder: `elsewhere` when Nix built it in another place, since a Nix daemon takes
 * `builders` only from those that it trusts.
 */
export type RemoteTrial =
  | { readonly result: "built" | "elsewhere" }
  | { readonly result: "failed"; readonly because: string };

/** Has a remote builder build the smallest thing, and copies it from there: all that a real build needs of it. */
export const createRemoteTrial =
  ({ exec, environment: env }: TrialBuildOptions) =>
  async ({ uri, line, systems, mandatoryFeatures }: Machine, signal: AbortSignal): Promise<RemoteTrial> => {
    const [system] = systems;
    const args = trialArguments({ builders: line, jobs: 0, system, features: mandatoryFeatures });
    const ended = await exec("nix-build", args, { env, signal, cwd: "/", timeoutMs });
    return judgeRemoteTrial(uri, ended);
  };

/** Judges what Nix 2.8 to 2.34 print: `building '….drv' on 'ssh://arm1'...` or `cannot build on 'ssh://arm1': error: …`. */
export function judgeRemoteTrial(uri: string, { stderrTail, timedOut, exitCode }: ExecResult): RemoteTrial {
  const lines = plainText(stderrTail).split("\n");
  if (exitCode === 0) return { result: lines.some((line) => isBuildOn(line, uri)) ? "built" : "elsewhere" };
  if (timedOut) return { result: "failed", because: `it did not end within ${timeoutMs / 1000} s` };
  const refusal = lines.find((line) => line.startsWith("cannot build on '"));
  const of = refusal?.replace(/^cannot build on '[^']*': (?:error: )*/, "");
  // What ssh says stands before it, and says more.
  const ssh = lines.find((line) =>
    /^(?:ssh: |Host key verification failed|\S+: Permission denied)/.test(line),
  );
  // Nix's own last words may be that its build hook ended, which said before what it cannot read.
  const unreadable = lines.find((line) => line.includes("machine specification"));
  // Since 2.20 an error with a trace is indented, behind a line with nothing but "error:".
  const said =
    unreadable?.replace(/^\s*… /, "") ??
    ssh ??
    of ??
    lines.findLast((line) => /^\s*error: ./.test(line))?.trim();
  return {
    result: "failed",
    because: firstLine((said ?? `nix-build ended with ${exitCode}`).replace(/^error: */, "")).slice(0, 400),
  };
}

const isBuildOn = (line: string, uri: string): boolean =>
  line.startsWith("building '") && line.includes(`' on '${uri}'`);

interface TrialPlace {
  /** As of nix.conf. */
  readonly builders: string;
  /** How many are built on this machine at a time. */
  readonly jobs: 0 | 1;
  /** Default: that of this machine. */
  readonly system?: string | undefined;
  readonly features?: readonly string[];
}

function trialArguments({ builders, jobs, system, features = [] }: TrialPlace): readonly string[] {
  const given = {
    // What was built before would not be built again.
    nonce: `/homelab-deploy/${randomUUID()}`,
    ...(system === undefined ? {} : { system }),
    ...(features.length === 0 ? {} : { features: features.join(" ") }),
  };
  return [
    "--no-out-link",
    "--option",
    "builders",
    builders,
    "--max-jobs",
    `${jobs}`,
    ...Object.entries(given).flatMap(([name, value]) => ["--argstr", name, value]),
    "--expr",
    expression,
  ];
}

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
