// The machine that is deployed to, for real: systemd, a boot loader's directory, and systems that misbehave.
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { System } from "../../src/host/system.ts";
import type { StorePath } from "../../src/protocol/names.ts";
import { daemon, type SystemSpecification } from "../support/lab/fake-systems.ts";
import type { LabHost } from "../support/lab/lab-host.ts";
import { startLab, whyNoLab, type Lab } from "../support/lab/lab.ts";
import { systemCall, systemIn, type InHost } from "../support/lab/host-calls.ts";

const refused = whyNoLab();
const minute = 60_000;
let lab: Lab;
let host: LabHost;
let system: InHost<System>;
let counter = 0;

const oldUnits = { "one.service": daemon("1"), "gone.service": daemon(), "manual.service": daemon() };
const newUnits = { "one.service": daemon("2"), "new.service": daemon() };
let old: StorePath;

/** A newer system than the last one, in the host's store. */
async function newer(specification: SystemSpecification = {}): Promise<StorePath> {
  const [path] = await lab.build("web01", [
    { units: newUnits, version: `26.05.20261102.${++counter}`, ...specification },
  ]);
  if (path === undefined) throw new Error("nothing was built");
  await lab.give(host, path);
  return path;
}

const isActive = async (...units: readonly string[]): Promise<readonly string[]> =>
  (await host.exec(["systemctl", "is-active", ...units])).stdout.trim().split("\n");

beforeAll(async () => {
  if (refused !== undefined) return;
  lab = await startLab();
  const [path] = await lab.build("web01", [{ units: oldUnits, optional: ["manual.service"] }]);
  if (path === undefined) throw new Error("nothing was built");
  old = path;
  host = await lab.install("web01", old);
  system = systemIn(host);
});
beforeEach(({ skip }) => skip(refused !== undefined, refused ?? ""));
afterAll(async () => lab?.[Symbol.asyncDispose]());

test("tries a system, makes it permanent, and boots it", async () => {
  const path = await newer();
  const before = await system.readPaths();
  expect(before).toMatchObject({
    running: old,
    booted: old,
    bootDefault: old,
    permanent: { path: old, generation: 1 },
  });
  expect(before.bootId).toMatch(/^[0-9a-f-]{36}$/);
  expect(await system.whyBusy()).toBeUndefined();

  const tried = await system.switchTo(path, "test", minute);
  expect(tried).toMatchObject({ exitCode: 0, timedOut: false, leftLists: false });
  expect(tried.output).toContain("stopping the following units: gone.service, one.service\n");
  expect(await isActive("one", "new", "gone")).toEqual(["active", "active", "inactive"]);
  expect(await system.readPaths()).toMatchObject({ ...before, running: path, etcStatic: expect.anything() });

  // The boot loader only knows generations of the profile.
  expect((await system.switchTo(path, "boot", minute)).exitCode).toBe(0);
  expect(await system.whyNotBootDefault(path)).toContain(old);
  await system.setProfile(path);
  expect((await system.switchTo(path, "boot", minute)).exitCode).toBe(0);
  expect(await system.whyNotBootDefault(path)).toBeUndefined();
  expect(await system.listGenerations()).toEqual([
    { generation: 1, path: old },
    { generation: 2, path },
  ]);

  await system.reboot();
  await host.rebooted(before.bootId);
  const after = await system.readPaths();
  expect(after).toMatchObject({ running: path, booted: path, bootDefault: path });
  expect(after.bootId).not.toBe(before.bootId);

  // And back again, with the newer generation out of the way.
  await system.switchGeneration(1);
  await system.deleteGenerations([2]);
  expect((await system.switchTo(old, "boot", minute)).exitCode).toBe(0);
  expect((await system.switchTo(old, "test", minute)).exitCode).toBe(0);
  expect(await system.readPaths()).toMatchObject({
    running: old,
    bootDefault: old,
    permanent: { path: old, generation: 1 },
  });
});

test("reads units, and which of them belong to a system", async () => {
  const units = new Map((await system.readUnits()).map((unit) => [unit.name, unit]));
  expect(units.get("one.service")).toMatchObject({ active: "active", sub: "running", restarts: 0 });
  expect(units.get("multi-user.target")).toMatchObject({ active: "active" });
  expect(await system.unitsOf(old)).toEqual(
    new Set([
      "gone.service",
      "manual.service",
      "one.service",
      "multi-user.target",
      "paths.target",
      "sockets.target",
      "timers.target",
      "sysinit-reactivation.target",
    ]),
  );
  await system.startUnits(["nothing.service", "manual.service"]);
  await expect.poll(async () => isActive("manual")).toEqual(["active"]);
});

test("a unit that fails is exit 4, and the way back is whole", async () => {
  const path = await newer({
    units: { ...newUnits, "bad.service": "[Service]\nType=oneshot\nExecStart=/bin/false\n" },
  });
  const tried = await system.switchTo(path, "test", minute);
  expect(tried).toMatchObject({ exitCode: 4, timedOut: false, leftLists: false });
  expect(tried.output).toContain("warning: the following units failed: bad.service\n");
  expect((await system.readUnits()).find(({ name }) => name === "bad.service")).toMatchObject({
    active: "failed",
    result: "exit-code",
  });
  expect((await system.switchTo(old, "test", minute)).exitCode).toBe(0);
  expect(await isActive("one", "gone")).toEqual(["active", "active"]);
  expect(await system.readPaths()).toMatchObject({ running: old, bootDefault: old });
});

test("a switch that hangs is ended with all that it has started, and the next one reads what it left", async () => {
  const path = await newer({ hooks: { afterStop: "sleep 3333 & trap '' TERM; sleep 3333; wait" } });
  const hung = await system.switchTo(path, "test", 2000);
  expect(hung).toMatchObject({ timedOut: true, leftLists: true });
  expect(hung.exitCode).toBeUndefined();
  expect((await host.exec(["pgrep", "-f", "sleep 3333"])).stdout).toBe("");
  expect(await isActive("one", "gone")).toEqual(["inactive", "inactive"]);

  await system.cancelJobs();
  expect(await system.switchTo(old, "test", minute)).toMatchObject({ exitCode: 0, leftLists: false });
  expect(await isActive("one", "gone")).toEqual(["active", "active"]);
});

test("the end of a switch that has systemd executed again is seen", async () => {
  const path = await newer({ systemd: "259", testExit: 3 });
  const tried = await system.switchTo(path, "test", minute);
  expect(tried.output).toContain("restarting systemd...\n");
  expect(tried).toMatchObject({ exitCode: 3, timedOut: false });
  expect((await system.switchTo(old, "test", minute)).exitCode).toBe(0);
});

test("a switch outlives who asked for it, is seen, and is ended by the next one", async () => {
  const path = await newer({ hooks: { afterEtc: "sleep 3334" } });
  const asked = host.exec([
    "systemd-run",
    "--wait",
    "--collect",
    "--unit=asks",
    ...systemCall("switchTo", path, "test", minute),
  ]);
  await expect.poll(async () => (await host.exec(["pgrep", "-xf", "sleep 3334"])).exitCode).toBe(0);
  await host.run("systemctl", "kill", "--signal=KILL", "asks.service");
  await asked;
  expect(await system.whyBusy()).toBe("homelab-deploy-switch.service is running");
  expect(await system.readPaths()).toMatchObject({ running: old });
  expect((await host.runs()).etc).not.toBe(await host.run("readlink", "-f", `${old}/etc`));

  expect((await system.switchTo(old, "test", minute)).exitCode).toBe(0);
  expect((await host.exec(["pgrep", "-f", "sleep 3334"])).stdout).toBe("");
  expect(await isActive("one", "gone")).toEqual(["active", "active"]);
  expect(await system.whyBusy()).toBeUndefined();
});

test("an abort ends the switch", async () => {
  const path = await newer({ hooks: { begin: "sleep 3335" } });
  const asked = host.exec([
    "systemd-run",
    "--wait",
    "--collect",
    "--pipe",
    "--unit=asks",
    ...systemCall("switchTo", path, "test", minute),
  ]);
  await expect.poll(async () => (await host.exec(["pgrep", "-xf", "sleep 3335"])).exitCode).toBe(0);
  await host.run("systemctl", "kill", "--kill-whom=main", "--signal=TERM", "asks.service");
  expect((await asked).stdout).toContain('"message":"stopped"');
  expect((await host.exec(["pgrep", "-f", "sleep 3335"])).stdout).toBe("");
  expect(await system.whyBusy()).toBeUndefined();
});

test("somebody else's switch, and its lock, make it busy", async () => {
  await host.run("systemd-run", "--unit=nixos-rebuild-switch-to-configuration", "sleep", "infinity");
  expect(await system.whyBusy()).toBe("nixos-rebuild-switch-to-configuration.service is running");
  await host.run("systemctl", "stop", "nixos-rebuild-switch-to-configuration");
  expect(await system.whyBusy()).toBeUndefined();
  await host.run(
    "systemd-run",
    "--unit=holder",
    "flock",
    "/run/nixos/switch-to-configuration.lock",
    "sleep",
    "infinity",
  );
  await expect.poll(async () => system.whyBusy()).toBe("another switch-to-configuration holds its lock");
  const path = await newer();
  const tried = await system.switchTo(path, "test", minute);
  expect(tried).toMatchObject({ exitCode: 11, output: "Could not acquire lock\n" });
  await host.run("systemctl", "stop", "holder");
});

test("a power cut in the middle boots what was there before", async () => {
  const path = await newer({ hooks: { afterActivate: "sleep 3336" } });
  const asked = host.exec(systemCall("switchTo", path, "test", minute));
  await expect.poll(async () => (await host.runs()).running).toBe(path);
  await host.reboot();
  await asked;
  expect(await system.readPaths()).toMatchObject({ running: old, booted: old, bootDefault: old });
  expect(await isActive("one", "gone")).toEqual(["active", "active"]);
});

test("a boot loader that was cut off while it was written is tidied", async () => {
  const path = await newer({ hooks: { beforeDefault: "kill -9 $$" } });
  await system.setProfile(path);
  expect((await system.switchTo(path, "boot", minute)).exitCode).toBe(1);
  const { generation } = await host.runs();
  await system.switchGeneration(1);
  await system.deleteGenerations([generation ?? 0]);
  expect((await system.switchTo(old, "boot", minute)).exitCode).toBe(1);
  await system.tidyBootLoader();
  expect((await system.switchTo(old, "boot", minute)).exitCode).toBe(0);
  expect(await system.whyNotBootDefault(old)).toBeUndefined();
});

test("says what a reboot would change, what inhibits a switch, and what /boot needs", async () => {
  const path = await newer({ kernel: "6.13", kernelBytes: 100_000, inhibitors: '{"dbus":"/nix/store/x"}' });
  expect(await system.rebootParts(old, path)).toEqual(["kernel", "modules"]);
  expect(await system.whyInhibited(old, path)).toBe("only a reboot can change dbus");
  const room = await system.bootRoom(path);
  expect(room?.needed).toBeGreaterThan(100_000);
  expect(room?.free).toBeGreaterThan(room?.needed ?? 0);
});

test("what cannot be started is an error, and no result", async () => {
  const nothing = old.replace(/nixos-system.*/, "nothing") as StorePath;
  await expect(system.switchTo(nothing, "test", minute)).rejects.toMatchObject({
    code: "HOST_COMMAND_FAILED",
  });
  await expect(system.setProfile(nothing)).rejects.toMatchObject({ code: "HOST_COMMAND_FAILED" });
  await expect(system.switchGeneration(99)).rejects.toMatchObject({ code: "HOST_COMMAND_FAILED" });
});
