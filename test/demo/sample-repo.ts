import { execFile } from "node:child_process";
import { copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);
const fleet = join(import.meta.dirname, "fleet");

/** One change to the hosts of a repo: a text that stands there once, and what it becomes. */
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
  /** Where it is checked out; the hosts are in hosts.nix. */
  readonly checkout: string;
  /** Commits the change and pushes it to master. */
  commit(change: Change): Promise<void>;
}

/** Makes the remote and a checkout below `parent`, with one commit. `name` says which hosts: `fleet/<name>.nix`. */
export async function createSampleRepo(parent: string, name: string): Promise<SampleRepo> {
  const remote = join(parent, `${name}.git`);
  const checkout = join(parent, name);
  const hosts = join(checkout, "hosts.nix");
  await mkdir(parent, { recursive: true });
  await git(parent, "init", "--quiet", "--bare", "--initial-branch=master", remote);
  await git(parent, "init", "--quiet", "--initial-branch=master", checkout);

  await git(checkout, "remote", "add", "origin", remote);

  const flake = await readFile(join(fleet, "flake.nix"), "utf8");
  await writeFile(join(checkout, "flake.nix"), flake.replace("x86_64-linux", thisSystem()));
  await copyFile(join(fleet, "packages.nix"), join(checkout, "packages.nix"));
  await copyFile(join(fleet, `${name}.nix`), hosts);
  await publish(checkout, "The hosts of the home lab");

  return {
    name,
    url: `file://${remote}`,
    checkout,
    async commit({ from, to, message }) {
      const before = await readFile(hosts, "utf8");
      if (before.split(from).length !== 2) throw new Error(`${hosts}: not exactly one ${from}`);
      await writeFile(
        hosts,
        before.replace(from, () => to),
      );
      await publish(checkout, message);
    },
  };
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

async function git(directory: string, ...args: string[]): Promise<void> {
  const env = {
    PATH: process.env["PATH"] ?? "/usr/bin:/bin",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_AUTHOR_NAME: "demo",
    GIT_AUTHOR_EMAIL: "demo@localhost",
    GIT_COMMITTER_NAME: "demo",
    GIT_COMMITTER_EMAIL: "demo@localhost",
  };
  await run("git", args, { cwd: directory, env });
}
