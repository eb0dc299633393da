// The shell scripts of the NixOS modules and of infra/nixos, with what they must not touch replaced by records of it.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { globSync, statSync } from "node:fs";
import { chmod, cp, mkdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createScratch, type Scratch } from "../support/scratch.ts";

const root = join(import.meta.dirname, "../..");
let scratch: Scratch;
beforeEach(async () => {
  scratch = await createScratch("homelab-scripts-");
  await mkdir(at("bin"));
});
afterEach(() => scratch[Symbol.asyncDispose]());
const at = (...names: readonly string[]): string => join(scratch.directory, ...names);

/** A program in the place of the real one: it records how it was called, and then runs these lines of shell. */
async function replace(name: string, lines = ""): Promise<void> {
  const file = at("bin", name);
  await writeFile(file, `#!/bin/sh\necho "${name} $*" >>${at("calls")}\n${lines}\n`);
  await chmod(file, 0o755);
}

const calls = async (): Promise<readonly string[]> =>
  (await readFile(at("calls"), "utf8").catch(() => "")).split("\n").filter((line) => line !== "");

const environment = (more: Readonly<Record<string, string>>) => ({
  ...more,
  TMPDIR: scratch.directory,
  PATH: `${at("bin")}:${process.env["PATH"] ?? ""}`,
});

function run(script: string, env: Readonly<Record<string, string>>, ...args: readonly string[]) {
  const { status, stdout, stderr } = spawnSync("bash", [join(root, script), ...args], {
    encoding: "utf8",
    env: environment(env),
  });
  return { status, stdout, stderr };
}

describe("infra/nixos/bootstrap-nix-store", () => {
  // Any block device will do: nothing that could touch it is the real program here.
  const disk = globSync("/dev/{loop,sd,vd,nvme,ram}*").find((path) => statSync(path).isBlockDevice());
  const bootstrap = (...args: readonly string[]) =>
    run("infra/nixos/bootstrap-nix-store", { NIX_DIRECTORY: at("nix") }, ...args);

  /** @param found what blkid prints, and the code it exits with */
  async function machine({ found = "", code = 2, device = "nixstore", onDisk = "" }): Promise<void> {
    await mkdir(at("nix/store/aaa-system/etc"), { recursive: true });
    await mkdir(at("nix/var/nix/profiles"), { recursive: true });
    await mkdir(at("nix/var/nix/db"));
    await writeFile(at("nix/var/nix/db/db.sqlite"), "");
    await writeFile(
      at("nix/store/aaa-system/etc/fstab"),
      `/dev/disk/by-label/${device} /nix xfs noatime 0 2\n`,
    );
    await symlink(at("nix/store/aaa-system"), at("nix/var/nix/profiles/system"));
    await replace("findmnt", "exit 1");
    await replace("blkid", `echo '${found}'\nexit ${code}`);
    await replace("mkfs.xfs");
    // The disk's content is a directory: mounted by copying it there, unmounted by copying it back.
    await mkdir(at("disk"));
    await replace(
      "mount",
      `for last; do :; done\necho "$last" >${at("target")}\ncp -a ${at("disk")}/. "$last/"\n${onDisk}`,
    );
    await replace("umount", `cp -a "$1/." ${at("disk")}/; rm -rf "$1"/* "$1"/.[a-z]*`);
    await replace("systemctl");
  }
  const made = async (): Promise<readonly string[]> =>
    (await calls()).filter((call) => call.startsWith("mkfs"));

  test("formats an empty disk, copies the store, and is done the second time", async ({ skip }) => {
    skip(disk === undefined, "there is no block device");
    await machine({});
    expect(bootstrap(String(disk))).toMatchObject({ status: 0, stderr: "" });
    expect(await made()).toEqual([`mkfs.xfs -L nixstore ${disk}`]);
    expect(await calls()).toContain("systemctl stop nix-daemon.socket nix-daemon.service");
    expect(await readFile(at("disk/store/aaa-system/etc/fstab"), "utf8")).toContain("nixstore");

    await rm(at("calls"));
    await replace("blkid", "printf 'TYPE=xfs\\nLABEL=nixstore\\n'");
    expect(bootstrap("--reboot", String(disk))).toMatchObject({ status: 0, stderr: "" });
    expect(await made()).toEqual([]);
    expect(await calls()).toContain("systemctl reboot");
    expect(await calls()).not.toContain("systemctl stop nix-daemon.socket nix-daemon.service");
  });

  test("continues with a copy that was interrupted", async ({ skip }) => {
    skip(disk === undefined, "there is no block device");
    await machine({
      found: "TYPE=xfs\nLABEL=nixstore",
      code: 0,
      onDisk: 'mkdir "$last/store"; touch "$last/.copying-by-bootstrap"',
    });
    expect(bootstrap(String(disk))).toMatchObject({ status: 0, stderr: "" });
    expect(await made()).toEqual([]);
    expect(await readFile(at("disk/store/aaa-system/etc/fstab"), "utf8")).toContain("nixstore");
  });

  test.for([
    ["a file system", { found: "TYPE=ext4\nLABEL=nixstore", code: 0 }, /is not empty: .*TYPE=ext4/],
    ["partitions", { found: "PTTYPE=gpt", code: 0 }, /is not empty: PTTYPE=gpt/],
    ["something ambiguous", { code: 8 }, /cannot say what is on/],
    [
      "a store of something else",
      { found: "TYPE=xfs\nLABEL=nixstore", code: 0, onDisk: 'mkdir "$last/store"' },
      /was not copied by this program/,
    ],
    [
      "an old copy",
      { found: "TYPE=xfs\nLABEL=nixstore", code: 0, onDisk: 'touch "$last/.copied-by-bootstrap"' },
      /of another machine or time/,
    ],
    ["a system that boots from elsewhere", { device: "other" }, /does not mount \/nix from nixstore/],
  ] as const)("leaves %s alone", async ([, state, reason], { skip }) => {
    skip(disk === undefined, "there is no block device");
    await machine(state);
    const { status, stderr } = bootstrap(String(disk));
    expect(status).toBe(1);
    expect(stderr).toMatch(reason);
    expect(await made()).toEqual([]);
    expect((await calls()).filter((call) => call.startsWith("systemctl"))).toEqual([]);
  });
});

describe("nix/modules/restart-when-idle.sh", () => {
  const wanted = "/nix/store/new/bin/homelab-deploy --config /nix/store/new.json builder";

  /** The builder that runs, and how many processes are in its group. */
  async function builder(commandLine: string, processes: number): Promise<void> {
    await mkdir(at("proc/7"), { recursive: true });
    await mkdir(at("cgroup/builder"), { recursive: true });
    await writeFile(at("proc/7/cmdline"), commandLine.replaceAll(" ", "\0"));
    await writeFile(at("cgroup/builder/cgroup.procs"), "7\n".repeat(processes));
    await replace("systemctl", "case $* in *MainPID*) echo 7 ;; *ControlGroup*) echo /builder ;; esac");
  }
  const env = () => ({ WANTED: wanted, PROC: at("proc"), CGROUPS: at("cgroup"), PAUSE: "0.05" });
  const restarts = async (): Promise<number> =>
    (await calls()).filter((call) => call === "systemctl restart homelab-deploy-builder.service").length;
  const outdated = "/nix/store/node /nix/store/old/lib/main.js --config /nix/store/old.json builder";

  test("leaves a builder alone that is up to date", async () => {
    await builder("/nix/store/node /nix/store/new/lib/main.js --config /nix/store/new.json builder", 1);
    expect(run("nix/modules/restart-when-idle.sh", env())).toMatchObject({ status: 0, stderr: "" });
    expect(await restarts()).toBe(0);
  });

  test("restarts an outdated builder, but not while it works", async () => {
    await builder(outdated, 3);
    const script = spawn("bash", [join(root, "nix/modules/restart-when-idle.sh")], {
      env: environment(env()),
    });
    const ended = once(script, "exit");
    await expect
      .poll(async () => (await calls()).filter((call) => call.includes("ControlGroup")).length)
      .toBeGreaterThan(2);
    expect(await restarts()).toBe(0);
    await writeFile(at("cgroup/builder/cgroup.procs"), "7\n");
    expect(await ended).toEqual([0, null]);
    expect(await restarts()).toBe(1);
  });
});

test("nix/modules/cache-key.sh makes a key once and tells its public half", async () => {
  await mkdir(at("state"));
  await mkdir(at("run"));
  const env = {
    KEY_NAME: "cache01-1",
    STATE_DIRECTORY: at("state"),
    RUNTIME_DIRECTORY: at("run"),
    HOME: at("none"),
    // NixOS always has the group; this machine may not.
    NIX_CONFIG: "build-users-group =",
  };
  const first = run("nix/modules/cache-key.sh", env);
  expect(first).toMatchObject({ status: 0, stderr: "" });
  const publicKey = (await readFile(at("state/public-key"), "utf8")).trim();
  expect(publicKey).toMatch(/^cache01-1:[A-Za-z0-9+/]{43}=$/);
  expect(first.stdout).toContain(`nix.settings.trusted-public-keys = [ "${publicKey}" ];`);
  expect(await readFile(at("run/homelab-deploy-cache.issue"), "utf8")).toContain(publicKey);
  expect(statSync(at("state/signing-key")).mode & 0o777).toBe(0o600);
  expect(statSync(at("state/public-key")).mode & 0o777).toBe(0o644);

  const second = run("nix/modules/cache-key.sh", env);
  expect(second.stdout).not.toContain("made a new");
  expect((await readFile(at("state/public-key"), "utf8")).trim()).toBe(publicKey);

  // A key that is given comes as a credential, and nothing is made.
  await mkdir(at("credentials"));
  await cp(at("state/signing-key"), at("credentials/signing-key"));
  await rm(at("state/signing-key"));
  const given = { ...env, KEY_NAME: "", CREDENTIALS_DIRECTORY: at("credentials") };
  expect(run("nix/modules/cache-key.sh", given)).toMatchObject({ status: 0 });
  expect((await readFile(at("state/public-key"), "utf8")).trim()).toBe(publicKey);
  expect(globSync(at("state/*"))).toEqual([at("state/public-key")]);
});
