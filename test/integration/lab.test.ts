// The lab itself: its fake switch-to-configuration behaves as the real one was seen to behave, and nothing of it is left.
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { StorePath } from "../../src/protocol/names.ts";
import { daemon, type SystemSpecification } from "../support/lab/fake-systems.ts";
import { fetcherIn } from "../support/lab/host-calls.ts";
import type { LabHost } from "../support/lab/lab-host.ts";
import { checkoutInHost, startLab, whyNoLab, type Lab } from "../support/lab/lab.ts";
import { programCommand, programUnit } from "../support/lab/program-units.ts";
import { serveNarCache } from "../support/nar-cache.ts";
import { processesWith } from "../support/processes.ts";

const refused = whyNoLab();
const oneshot = (command: string): string => `[Service]\nType=oneshot\nExecStart=${command}\n`;
const units = { "one.service": daemon("1"), "again.service": oneshot("/bin/sh -c 'echo ran >> /run/again'") };
let lab: Lab;
let host: LabHost;
let old: StorePath;
let counter = 0;

async function build(specification: SystemSpecification = {}): Promise<StorePath> {
  const [path] = await lab.build("web01", [{ units, version: `26.05.${++counter}`, ...specification }]);
  if (path === undefined) throw new Error("nothing was built");
  await lab.give(host, path);
  return path;
}

const act = async (path: StorePath, action: string) =>
  host.exec([`${path}/bin/switch-to-configuration`, action]);
/** Tries a system, and goes back. */
async function tryOut(specification: SystemSpecification) {
  const path = await build(specification);
  const { exitCode, stderr, stdout } = await act(path, "test");
  const runs = await host.runs();
  const isRunning = runs.running === path;
  const hasEtc = runs.etc === (await host.run("readlink", "-f", `${path}/etc`)).trim();
  return { path, exitCode, stderr, stdout, isRunning, hasEtc };
}
const states = async (...names: readonly string[]): Promise<readonly string[]> =>
  (await host.exec(["systemctl", "is-active", ...names])).stdout.trim().split("\n");

beforeAll(async () => {
  if (refused !== undefined) return;
  lab = await startLab();
  const [path] = await lab.build("web01", [{ units, version: "26.05.0" }]);
  if (path === undefined) throw new Error("nothing was built");
  old = path;
  host = await lab.install("web01", old);
});
beforeEach(({ skip }) => skip(refused !== undefined, refused ?? ""));
afterAll(async () => lab?.[Symbol.asyncDispose]());

describe("the fake switch-to-configuration", () => {
  beforeEach(async () => {
    await act(old, "test");
    await host.run("sh", "-c", "rm -f /run/again; systemctl reset-failed");
  });

  test("0: changes only what runs, and starts oneshots again", async () => {
    const before = await host.runs();
    const tried = await tryOut({ units: { ...units, "one.service": daemon("2"), "new.service": daemon() } });
    expect(tried).toMatchObject({ exitCode: 0, isRunning: true, hasEtc: true, stdout: "" });
    expect(tried.stderr.split("\n").filter((line) => line !== "")).toEqual([
      "stopping the following units: one.service",
      "activating the configuration...",
      "restarting sysinit-reactivation.target",
      "starting the following units: one.service",
      "the following new units were started: new.service",
    ]);
    expect(await host.runs()).toMatchObject({
      permanent: before.permanent,
      bootDefault: before.bootDefault,
      booted: before.booted,
    });
    expect(await host.readFile("/run/again")).toBe("ran\n");
  });

  test("what a unit says about its own restart is respected", async () => {
    const flags = ["X-RestartIfChanged=false", "X-StopIfChanged=false", "X-StopOnRemoval=false"];
    const named = (version: string) =>
      Object.fromEntries(flags.map((flag, index) => [`f${index}.service`, daemon(version, `${flag}\n`)]));
    const first = await build({ units: named("1") });
    expect((await act(first, "test")).exitCode).toBe(0);
    const { "f2.service": _, ...rest } = named("2");
    const tried = await tryOut({ units: rest });
    expect(tried.stderr).toContain("NOT restarting the following changed units: f0.service\n");
    expect(tried.stderr).toContain("\nrestarting the following units: f1.service\n");
    expect(await states("f0", "f1", "f2")).toEqual(["active", "active", "active"]);
    await host.run("systemctl", "stop", "f2");
  });

  test("0 without an activation script, and nothing was activated", async () => {
    expect(await tryOut({ hasActivate: false })).toMatchObject({ exitCode: 0, isRunning: false });
  });

  test("2: the activation script failed, or died behind /etc", async () => {
    const failed = await tryOut({ failingSnippet: "agenix" });
    expect(failed).toMatchObject({ exitCode: 2, isRunning: true });
    expect(failed.stderr).toContain("Failed to run activate script\n");
    expect(failed.stdout).toContain("Activation script snippet 'agenix' failed (1)\n");
    expect(await tryOut({ hooks: { afterEtc: "kill -9 $$" } })).toMatchObject({
      exitCode: 2,
      isRunning: false,
      hasEtc: true,
    });
  });

  test("4: a unit failed, and the code hides that activation failed, too", async () => {
    const bad = { ...units, "bad.service": oneshot("/bin/false") };
    const tried = await tryOut({ units: bad });
    expect(tried).toMatchObject({ exitCode: 4, isRunning: true });
    expect(tried.stderr).toContain("warning: the following units failed: bad.service\n");
    expect(tried.stdout).toContain("bad.service");
    expect((await act(old, "test")).exitCode).toBe(0);
    const both = await tryOut({ units: bad, failingSnippet: "agenix" });
    expect(both.exitCode).toBe(4);
    expect(both.stderr).toContain("Failed to run activate script\n");
  });

  test("0: a crash loop is not seen, and what had failed before is forgotten", async () => {
    await host.exec(["systemd-run", "--unit=probe", "--wait", "/bin/false"]);
    expect(await states("probe")).toEqual(["failed"]);
    const loop = daemon("1").replace("/bin/sleep infinity", "/bin/sleep 2") + "Restart=always\n";
    const tried = await tryOut({ units: { ...units, "loop.service": loop } });
    expect(tried.exitCode).toBe(0);
    expect(await states("probe")).toEqual(["inactive"]);
    const restarts = async () => (await host.run("systemctl", "show", "-P", "NRestarts", "loop")).trim();
    await expect.poll(restarts).not.toBe("0");
    await act(tried.path, "test");
    expect(await restarts()).toBe("0");
  });

  test("a service whose new dependency fails is lost, and never failed", async () => {
    const needy = `[Unit]\nRequires=bad.service\nAfter=bad.service\n${daemon("2").replace("[Unit]\n", "")}`;
    const tried = await tryOut({
      units: { "one.service": needy, "bad.service": oneshot("/bin/false") },
      optional: ["bad.service"],
    });
    expect(tried.exitCode).toBe(4);
    expect(tried.stderr).toContain("Failed to start one.service\n");
    expect(await states("one", "bad")).toEqual(["inactive", "failed"]);
  });

  test("11: the lock is held, or logind is gone", async () => {
    const held = host.exec(["flock", "/run/nixos/switch-to-configuration.lock", "sleep", "2"]);
    await expect
      .poll(
        async () =>
          (await host.exec(["flock", "-n", "/run/nixos/switch-to-configuration.lock", "true"])).exitCode,
      )
      .toBe(1);
    for (const action of ["test", "boot", "check"]) {
      expect(await act(old, action)).toMatchObject({ exitCode: 11, stderr: "Could not acquire lock\n" });
    }
    await held;
    const masked = "/run/systemd/system.control/systemd-logind.service";
    await host.run("mkdir", "-p", "/run/systemd/system.control");
    await host.run("ln", "-s", "/dev/null", masked);
    await host.run("systemctl", "daemon-reload");
    await host.run("systemctl", "stop", "systemd-logind");
    const tried = await tryOut({ units: { "one.service": daemon("2") } });
    expect(tried).toMatchObject({ exitCode: 11, isRunning: true });
    expect(tried.stderr).toContain("Unable to list users with logind\n");
    expect(await states("one")).toEqual(["inactive"]);
    await host.run("rm", masked);
    await host.run("systemctl", "daemon-reload");
    expect((await act(old, "test")).exitCode).toBe(0);
  });

  test("100: another init interface; 1: the checks refuse, or the action is unknown", async () => {
    const other = await build({ initInterface: "systemd 3" });
    expect((await act(other, "test")).exitCode).toBe(100);
    expect((await act(other, "dry-activate")).exitCode).toBe(100);
    expect((await act(other, "boot")).exitCode).toBe(0);
    expect(await host.runs()).toMatchObject({ running: old, bootDefault: old });

    const checked = await build({ preSwitchCheckFails: "switch" });
    expect(await act(checked, "check")).toMatchObject({ exitCode: 1, stderr: "Pre-switch checks failed\n" });
    expect((await act(checked, "test")).exitCode).toBe(1);
    expect((await act(checked, "boot")).exitCode).toBe(0);
    expect((await act(await build({ preSwitchCheckFails: "always" }), "boot")).exitCode).toBe(1);

    const before = await act(await build({ isOldProgram: true }), "check");
    expect(before).toMatchObject({ exitCode: 1 });
    expect(before.stderr).toMatch(/^Usage:/);
  });

  test("killed behind /etc, either system is whole after its `test`", async () => {
    for (const next of ["same", "old"]) {
      const path = await build({
        units: { "one.service": daemon("2"), "new.service": daemon() },
        hooks: { afterEtc: "[ -e /run/once ] || { touch /run/once; kill -9 $PPID $$; }" },
      });
      expect((await act(path, "test")).exitCode).toBeNull();
      expect(await host.runs()).toMatchObject({ running: old });
      expect(await states("one")).toEqual(["inactive"]);
      expect((await act(next === "same" ? path : old, "test")).exitCode).toBe(0);
      expect(await states("one", "new")).toEqual(["active", next === "same" ? "active" : "inactive"]);
      expect((await act(old, "test")).exitCode).toBe(0);
      await host.run("rm", "-f", "/run/once");
    }
  });

  test("the boot loader knows only generations of the profile, and of these the newest", async () => {
    const set = async (path: StorePath): Promise<void> => {
      await host.run("nix-env", "--profile", "/nix/var/nix/profiles/system", "--set", path);
    };
    const path = await build({ configurationLimit: 2 });
    expect((await act(path, "boot")).exitCode).toBe(0);
    expect((await host.runs()).bootDefault).toBe(old);
    await set(path);
    expect((await act(path, "boot")).exitCode).toBe(0);
    expect((await host.runs()).bootDefault).toBe(path);

    const newest = [await build({ configurationLimit: 2 }), await build({ configurationLimit: 2 })];
    for (const each of newest) await set(each);
    expect((await act(newest[1] ?? old, "boot")).exitCode).toBe(0);
    await host.run("nix-env", "--profile", "/nix/var/nix/profiles/system", "--switch-generation", "2");
    expect((await act(path, "boot")).exitCode).toBe(0);
    expect((await host.runs()).bootDefault).toBe(newest[1]);

    await host.run("sh", "-c", "nix-env --profile /nix/var/nix/profiles/system --delete-generations 3 4");
    await host.writeFile("/boot/loader/loader.tmp", "");
    expect((await act(path, "boot")).exitCode).toBe(1);
    await host.run("rm", "/boot/loader/loader.tmp");
    expect((await act(path, "boot")).exitCode).toBe(0);
    expect((await host.runs()).bootDefault).toBe(path);
    expect((await act(await build({ bootExit: 1 }), "boot")).exitCode).toBe(1);
    expect((await act(await build({ bootWritesNothing: true }), "boot")).exitCode).toBe(0);
  });
});

test("a host that does not boot says so, and one that is cut off is not reached", async () => {
  await host.cut();
  await using cache = await serveNarCache(lab.cacheDirectory, { host: lab.address });
  const connect = `exec 3<>/dev/tcp/${lab.address}/${new URL(cache.url).port}`;
  const reach = async () => (await host.exec(["timeout", "3", "bash", "-c", connect])).exitCode;
  expect(await reach()).not.toBe(0);
  await host.mend();
  await expect.poll(reach).toBe(0);
  await host.run("rm", "/boot/loader/loader.conf");
  await host.powerCut();
  await expect(host.boot()).rejects.toThrow("boots nothing");
});

test("the checkout's own program runs as a unit, and the store of a host can be too small", async () => {
  const command = programCommand("src/cli/main.ts", "--version");
  const [small, large] = await lab.build("small", [
    { units: { "ours.service": programUnit(command, { Service: { Type: "oneshot" } }) } },
    { version: "26.05.large", ballastBytes: 30 * 1024 ** 2 },
  ]);
  if (small === undefined || large === undefined) throw new Error("nothing was built");
  const other = await lab.install("small", small, { nixKiB: 16 * 1024, bootKiB: 1024 });
  expect(await other.run("systemctl", "show", "-P", "Result", "ours")).toBe("success\n");
  expect(await other.run("ls", checkoutInHost)).toContain("package.json");

  await using cache = await serveNarCache(lab.cacheDirectory, { host: lab.address });
  const fetcher = fetcherIn(other, cache.url);
  const request = {
    path: large,
    root: "order-1",
    trustedCacheKeys: [lab.cacheKey],
    trustLocalBuilds: false,
    minFreeBytes: 0,
    timeoutMs: 60_000,
  };
  await expect(fetcher.plan(request)).rejects.toMatchObject({ code: "NO_SPACE" });
  expect(cache.requests.filter((url) => url.startsWith("/nar/"))).toEqual([]);
  await fetcher.fetch({ ...request, path: small });
  expect(await fetcher.listRoots()).toEqual(["order-1"]);
});

test("nothing is left of a lab whose test run was killed", async () => {
  const holder = spawn(process.execPath, [join(import.meta.dirname, "../support/lab/hold-lab.ts")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = (await once(createInterface(holder.stdout), "line")) as [string];
  const { directory, address } = JSON.parse(line) as { directory: string; address: string };
  const name = basename(directory);
  const groups = (): string =>
    spawnSync("find", ["/sys/fs/cgroup", "-maxdepth", "3", "-name", `${name}*`]).stdout.toString();
  // Another lab may take its name at once.
  const link = (): string => {
    const number = address.split(".")[2] ?? "";
    return spawnSync("cat", [`/sys/class/net/homelab${number}/ifindex`]).stdout.toString();
  };
  const index = link();
  expect(index).toMatch(/^\d+\n$/);
  expect(await processesWith(name)).not.toEqual([]);
  expect(groups()).toContain(name);

  holder.kill("SIGKILL");
  await expect.poll(() => existsSync(directory)).toBe(false);
  await expect.poll(() => processesWith(name)).toEqual([]);
  expect(groups()).toBe("");
  expect(readFileSync("/proc/self/mountinfo", "utf8")).not.toContain(name);
  await expect.poll(link).not.toBe(index);
});
