import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import type { HostPolicy } from "../../src/protocol/deploy/host-policy.ts";

const run = promisify(execFile);
const fleet = join(import.meta.dirname, "fleet");

/** One change to the file that a repo is about: a text that stands there once, and what it becomes. */
export interface Change {
  readonly from: string;
  readonly to: string;
  readonly message: string;
}

/** A repo of the home lab with a bare remote, as a forge would have it. */
export interface SampleRepo {
  readonly name: string;
  /** `file://` and the path of the remote. */
  readonly url: string;
  readonly checkout: string;
  /** What changes in it: the hosts in hosts.nix, or the packages in packages.nix. */
  readonly file: string;
  /** Fetches what others have pushed, commits the change and pushes it to master. */
  commit(change: Change): Promise<void>;
}

/** Where hosts get their packages from: the input of the other repos. */
export async function createPackagesRepo(parent: string): Promise<SampleRepo> {
  const { checkout, url } = await makeRepo(parent, "packages");
  await copyFile(join(fleet, "packages.nix"), join(checkout, "packages.nix"));
  await publish(checkout, "The packages of the home lab");
  return sampleRepo("packages", "packages.nix", { checkout, url });
}

/** What is the same for all hosts of the home lab. */
export type LabPolicy = Pick<
  HostPolicy,
  "trustedKeys" | "trustedBuilders" | "trustedCacheKeys" | "natsServers"
>;

export interface SampleOptions {
  readonly policy: LabPolicy;
  readonly packages: SampleRepo;
  /** Runs `nix flake lock` in that directory. */
  readonly lock: (checkout: string) => Promise<void>;
}

/** Makes the remote and a checkout below `parent`, with one commit. `name` says which hosts: `fleet/<name>.nix`. */
export async function createSampleRepo(
  parent: string,
  name: string,
  { policy: lab, packages, lock }: SampleOptions,
): Promise<SampleRepo> {
  const { checkout, url } = await makeRepo(parent, name);
  const flake = await readFile(join(fleet, "flake.nix"), "utf8");
  await writeFile(
    join(checkout, "flake.nix"),
    flake.replace("x86_64-linux", thisSystem()).replace("PACKAGES", `git+${packages.url}?ref=master`),
  );
  await copyFile(join(fleet, "switch-to-configuration.sh"), join(checkout, "switch-to-configuration.sh"));
  const policy = {
    ...lab,
    repo: name,
    system: thisSystem(),
    allowedBranches: ["master"],
    minFreeBytes: 0,
    // A pretended host settles at once.
    timeouts: { settle: 1 },
  };
  await writeFile(join(checkout, "policy.json"), `${JSON.stringify(policy, undefined, 2)}\n`);
  await copyFile(join(fleet, `${name}.nix`), join(checkout, "hosts.nix"));
  await git(checkout, "add", "--all");
  await lock(checkout);
  await publish(checkout, "The hosts of the home lab");
  return sampleRepo(name, "hosts.nix", { checkout, url });
}

type Place = Pick<SampleRepo, "checkout" | "url">;

async function makeRepo(parent: string, name: string): Promise<Place> {
  const remote = join(parent, `${name}.git`);
  const checkout = join(parent, name);
  await mkdir(parent, { recursive: true });
  await git(parent, "init", "--quiet", "--bare", "--initial-branch=master", remote);
  await git(parent, "init", "--quiet", "--initial-branch=master", checkout);
  await git(checkout, "remote", "add", "origin", remote);
  return { checkout, url: `file://${remote}` };
}

const sampleRepo = (name: string, file: string, place: Place): SampleRepo => ({
  name,
  ...place,
  file,
  async commit({ from, to, message }) {
    const { checkout } = place;
    await git(checkout, "pull", "--quiet", "--ff-only", "origin", "master");
    const path = join(checkout, file);
    const before = await readFile(path, "utf8");
    if (before.split(from).length !== 2) throw new Error(`${path}: not exactly one ${from}`);
    await writeFile(
      path,
      before.replace(from, () => to),
    );
    await publish(checkout, message);
  },
});

/** The commit that master of the remote has now. */
export async function tipOf({ checkout }: SampleRepo): Promise<string> {
  const text = await git(checkout, "ls-remote", "origin", "refs/heads/master");
  return text.slice(0, 40);
}

async function publish(checkout: string, message: string): Promise<void> {
  await git(checkout, "add", "--all");
  await git(checkout, "commit", "--quiet", "--message", message);
  await git(checkout, "push", "--quiet", "origin", "master");
}

/** What Nix calls this machine: `x86_64-linux`. */
function thisSystem(): string {
  const architecture = { arm64: "aarch64", x64: "x86_64" }[process.arch as string] ?? process.arch;
  return `${architecture}-${process.platform}`;
}

async function git(directory: string, ...args: string[]): Promise<string> {
  const env = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "demo",
    GIT_AUTHOR_EMAIL: "demo@localhost",
    GIT_COMMITTER_NAME: "demo",
    GIT_COMMITTER_EMAIL: "demo@localhost",
  };
  const { stdout } = await run("git", args, { cwd: directory, env });
  return stdout;
}
