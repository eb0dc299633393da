// What a machine says about itself by its files, on a machine that is a directory.
import { writeFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../base/clock.ts";
import type { Exec, ExecResult } from "../process/exec.ts";
import type { StorePath } from "../protocol/names.ts";
import { createSystem } from "./create-system.ts";
import type { HostRoots } from "./host-roots.ts";

const never = new AbortController().signal;
const hash = (digit: string): string => digit.repeat(32);
let top: string;
let roots: HostRoots;

beforeEach(async () => {
  top = await mkdtemp(join(tmpdir(), "homelab-system-"));
  roots = {
    run: join(top, "run"),
    etc: join(top, "etc"),
    profiles: join(top, "profiles"),
    boot: join(top, "boot"),
    efi: join(top, "efi"),
    efiVariables: join(top, "efivars"),
    bootId: join(top, "boot_id"),
  };
});
afterEach(async () => rm(top, { recursive: true, force: true }));

async function put(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

async function link(target: string, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  await symlink(target, file);
}

/** A system in a store, with a kernel and initrd of its own. */
async function addSystem(digit: string, files: Readonly<Record<string, string>> = {}): Promise<StorePath> {
  const path = join(top, "store", `${hash(digit)}-nixos-system-web01`) as StorePath;
  const kernel = join(top, "store", `${hash(digit)}-linux`);
  await put(join(kernel, "bzImage"), `kernel ${digit}`);
  await put(join(kernel, "initrd"), `initrd ${digit}`);
  await link(join(kernel, "bzImage"), join(path, "kernel"));
  await link(join(kernel, "initrd"), join(path, "initrd"));
  for (const [name, text] of Object.entries(files)) await put(join(path, name), text);
  return path;
}

/** As the builder of systemd-boot writes it. */
async function installBootLoader(path: StorePath, digit: string, generation = 1): Promise<void> {
  const name = (file: string): string => `EFI/nixos/${hash(digit)}-linux-${file}.efi`;
  await put(join(roots.boot, name("bzImage")), `kernel ${digit}`);
  await put(join(roots.boot, name("initrd")), `initrd ${digit}`);
  await put(
    join(roots.boot, `loader/entries/nixos-generation-${generation}.conf`),
    `linux /${name("bzImage")}\ninitrd /${name("initrd")}\noptions init=${path}/init quiet\n`,
  );
  await put(join(roots.boot, "loader/loader.conf"), `default nixos-generation-${generation}.conf\n`);
}

const ended: ExecResult = { exitCode: 0, killedBy: undefined, timedOut: false, stdout: "", stderrTail: "" };

function systemWith(answer: (argv: readonly string[]) => Partial<ExecResult> = () => ({})) {
  const ran: string[] = [];
  const exec: Exec = async (file, args) => {
    ran.push([file, ...args].join(" "));
    return { ...ended, ...answer([file, ...args]) };
  };
  const outputFile = join(top, "switch.log");
  return {
    ran,
    system: createSystem({ exec, environment: {}, clock: systemClock, roots, outputFile: () => outputFile }),
  };
}

test("reads what runs, what booted, what is permanent, and what would boot", async () => {
  const [one, two] = [await addSystem("1"), await addSystem("2")];
  await link(two, join(roots.run, "current-system"));
  await link(one, join(roots.run, "booted-system"));
  await put(join(top, "store", `${hash("3")}-etc`, "etc/x"), "");
  await link(join(top, "store", `${hash("3")}-etc/etc`), join(roots.etc, "static"));
  await link(two, join(roots.profiles, "system-12-link"));
  await link("system-12-link", join(roots.profiles, "system"));
  await installBootLoader(one, "1", 11);
  await put(roots.bootId, "0c1d\n");
  expect(await systemWith().system.readPaths(never)).toEqual({
    running: two,
    etcStatic: join(top, "store", `${hash("3")}-etc/etc`),
    booted: one,
    permanent: { path: two, generation: 12 },
    bootDefault: one,
    bootId: "0c1d",
  });
});

test("what does not exist, or leads out of the store, is undefined", async () => {
  await put(join(top, "elsewhere"), "");
  await link(join(top, "elsewhere"), join(roots.run, "current-system"));
  await link(join(top, "store", `${hash("1")}-gone`), join(roots.run, "booted-system"));
  expect(await systemWith().system.readPaths(never)).toEqual({
    running: undefined,
    etcStatic: undefined,
    booted: undefined,
    permanent: undefined,
    bootDefault: undefined,
    bootId: "",
  });
});

test("the boot loader is proven by its default entry and what that loads", async () => {
  const [one, two] = [await addSystem("1"), await addSystem("2")];
  const { system } = systemWith();
  const why = async (path: StorePath) => system.whyNotBootDefault(path, never);
  expect(await why(one)).toBeUndefined();
  await installBootLoader(one, "1");
  expect(await why(one)).toBeUndefined();
  expect(await why(two)).toBe(`the boot loader's default entry boots ${one}`);

  const kernel = join(roots.boot, `EFI/nixos/${hash("1")}-linux-bzImage.efi`);
  await writeFile(kernel, "kern");
  expect(await why(one)).toContain("kernel has 4 bytes and not 8");
  await writeFile(kernel, "kernel x");
  expect(await why(one)).toContain("kernel is damaged");
  await rm(kernel);
  expect(await why(one)).toContain("is not there");
  await writeFile(kernel, "kernel 1");

  const initrd = join(roots.boot, `EFI/nixos/${hash("1")}-linux-initrd.efi`);
  await writeFile(initrd, "initrd 1 and secrets");
  expect(await why(one)).toBeUndefined();
  await writeFile(initrd, "initrd 7 and secrets");
  expect(await why(one)).toContain("initrd is damaged");
});

test("an EFI variable beats loader.conf, and an entry that is not there boots nothing", async () => {
  const [one, two] = [await addSystem("1"), await addSystem("2")];
  await installBootLoader(one, "1", 1);
  await installBootLoader(two, "2", 2);
  const { system } = systemWith();
  expect((await system.readPaths(never)).bootDefault).toBe(two);
  const setDefault = async (text: string): Promise<void> => {
    await mkdir(roots.efiVariables, { recursive: true });
    await writeFile(
      join(roots.efiVariables, "LoaderEntryDefault-4a67b082-0a4c-41cf-b6c7-440b29bb8c4f"),
      Buffer.concat([Buffer.from([7, 0, 0, 0]), Buffer.from(`${text}\0`, "utf16le")]),
    );
  };
  await setDefault("nixos-generation-1.conf");
  expect((await system.readPaths(never)).bootDefault).toBe(one);
  expect(await system.whyNotBootDefault(two, never)).toContain(one);
  await setDefault("nixos-generation-3.conf");
  expect(await system.whyNotBootDefault(two, never)).toBe(
    "the boot loader's default entry nixos-generation-3.conf is not there",
  );
  await setDefault("@saved");
  expect(await system.whyNotBootDefault(two, never)).toBeUndefined();
});

test("the boot loader whose configuration is the newest counts", async () => {
  const [one, two] = [await addSystem("1"), await addSystem("2")];
  await installBootLoader(one, "1");
  await put(
    join(roots.boot, "grub/grub.cfg"),
    `set default="0"\nmenuentry "NixOS" {\n  linux ($drive1)${two}/kernel init=${two}/init\n}\n`,
  );
  const { system } = systemWith();
  await utimes(join(roots.boot, "loader/loader.conf"), 1000, 1000);
  expect((await system.readPaths(never)).bootDefault).toBe(two);
  expect(await system.whyNotBootDefault(two, never)).toBeUndefined();
  await utimes(join(roots.boot, "grub/grub.cfg"), 500, 500);
  expect((await system.readPaths(never)).bootDefault).toBe(one);
});

test("room on /boot is needed for what does not exist yet", async () => {
  const [one, two] = [await addSystem("1"), await addSystem("2")];
  const { system } = systemWith();
  expect(await system.bootRoom(one, never)).toBeUndefined();
  await installBootLoader(one, "1");
  expect(await system.bootRoom(one, never)).toMatchObject({ needed: 0 });
  expect(await system.bootRoom(two, never)).toMatchObject({ needed: "kernel 2initrd 2".length });
});

test("what a cut installation left is removed, and nothing else", async () => {
  const one = await addSystem("1");
  await installBootLoader(one, "1");
  const tmp = [join(roots.boot, "loader/loader.tmp"), join(roots.boot, "loader/entries/nixos-1.conf.tmp")];
  for (const file of tmp) await put(file, "");
  const { system } = systemWith();
  await system.tidyBootLoader(never);
  expect((await system.readPaths(never)).bootDefault).toBe(one);
  for (const file of tmp) await expect(rm(file)).rejects.toThrow("ENOENT");
});

test("parts that only a boot takes over", async () => {
  const one = await addSystem("1", { "kernel-params": "quiet" });
  const two = await addSystem("2", { "kernel-params": "quiet", "firmware/x": "" });
  const three = await addSystem("3", { "kernel-params": "debug" });
  const { system } = systemWith();
  expect(await system.rebootParts(one, one)).toEqual([]);
  expect(await system.rebootParts(one, two)).toEqual(["kernel", "initrd", "firmware"]);
  expect(await system.rebootParts(one, three)).toEqual(["kernel", "initrd", "params"]);
});

test.each([
  ["none", undefined, undefined, undefined],
  ["the same", '{"dbus":"/a"}', '{"dbus":"/a"}', undefined],
  ["another", '{"dbus":"/a","x":"/x"}', '{"dbus":"/b","x":"/x"}', "only a reboot can change dbus"],
  ["one more", undefined, '{"dbus":"/a"}', "only a reboot can change dbus"],
  ["a broken file", '{"dbus":"/a"}', '{"dbus":"/a"', "switch-inhibitors cannot be read"],
  ["not a map", '{"dbus":"/a"}', "[]", "switch-inhibitors cannot be read"],
])("inhibitors: %s", async (_, before, after, why) => {
  const files = (text: string | undefined): Readonly<Record<string, string>> =>
    text === undefined ? {} : { "switch-inhibitors": text };
  const one = await addSystem("1", files(before));
  const two = await addSystem("2", files(after));
  const found = await systemWith().system.whyInhibited(one, two);
  expect(found?.slice(0, why?.length)).toBe(why);
});

test("unit files of a closure, without those that are masked", async () => {
  const one = await addSystem("1", {
    "etc/systemd/system/web.service": "",
    "etc/systemd/system/web.service.d/x.conf": "",
    "etc/systemd/system/multi-user.target.wants/web.service": "",
  });
  await link("/dev/null", join(one, "etc/systemd/system/getty.service"));
  await link("/somewhere/db.service", join(one, "etc/systemd/system/db.service"));
  expect([...(await systemWith().system.unitsOf(one, never))].toSorted()).toEqual([
    "db.service",
    "web.service",
  ]);
});

test("an instance belongs to a closure that starts it from a template of its own", async () => {
  const one = await addSystem("1", {
    "etc/systemd/system/serve@.service": "",
    "etc/systemd/system/multi-user.target.wants/serve@a.service": "",
    "etc/systemd/system/web.service.requires/serve@b@c.service": "",
    "etc/systemd/system/multi-user.target.wants/serve@masked.service": "",
    "etc/systemd/system/multi-user.target.wants/gone@a.service": "",
    "etc/systemd/system/multi-user.target.wants/hidden@a.service": "",
  });
  await link("/dev/null", join(one, "etc/systemd/system/serve@masked.service"));
  await link("/dev/null", join(one, "etc/systemd/system/hidden@.service"));
  expect([...(await systemWith().system.unitsOf(one, never))].toSorted()).toEqual([
    "serve@.service",
    "serve@a.service",
    "serve@b@c.service",
  ]);
});

test("a file of a closure is bounded, and never another closure's", async () => {
  const one = await addSystem("1", { "etc/homelab-deploy/host.json": "{}" });
  const { system } = systemWith();
  const read = async (name: string, maxBytes = 100) => system.readFile(one, name, maxBytes);
  expect(Buffer.from((await read("etc/homelab-deploy/host.json")) ?? []).toString()).toBe("{}");
  expect(await read("etc/nothing")).toBeUndefined();
  await expect(read("etc/homelab-deploy/host.json", 1)).rejects.toThrow("more than 1 bytes");
  await expect(read("../x")).rejects.toThrow("leads out of the closure");
});

test("generations, in their order", async () => {
  const [one, two] = [await addSystem("1"), await addSystem("2")];
  await link(two, join(roots.profiles, "system-10-link"));
  await link(one, join(roots.profiles, "system-9-link"));
  await link(join(top, "gone"), join(roots.profiles, "system-8-link"));
  await link("system-10-link", join(roots.profiles, "system"));
  expect(await systemWith().system.listGenerations(never)).toEqual([
    { generation: 9, path: one },
    { generation: 10, path: two },
  ]);
});

test("why nobody may switch", async () => {
  const busy = async (answers: Readonly<Record<string, Partial<ExecResult>>>) =>
    systemWith(
      (argv) => Object.entries(answers).find(([name]) => argv.join(" ").includes(name))?.[1] ?? {},
    ).system.whyBusy(never);
  expect(await busy({})).toBeUndefined();
  expect(await busy({ "is-system-running": { exitCode: 1, stdout: "stopping\n" } })).toBe(
    "the machine shuts down",
  );
  expect(await busy({ "is-system-running": { exitCode: 1, stdout: "degraded\n" } })).toBeUndefined();
  expect(
    await busy({
      "list-units": { stdout: "nixos-rebuild-switch-to-configuration-7.service loaded active running x\n" },
    }),
  ).toBe("nixos-rebuild-switch-to-configuration-7.service is running");
  // Without the file nobody holds it, and flock is not asked.
  expect(await busy({ flock: { exitCode: 75 } })).toBeUndefined();
  await put(join(roots.run, "nixos/switch-to-configuration.lock"), "");
  expect(await busy({ flock: { exitCode: 75 } })).toBe("another switch-to-configuration holds its lock");
  expect(await busy({})).toBeUndefined();
  await expect(busy({ flock: { exitCode: 66 } })).rejects.toMatchObject({ code: "HOST_COMMAND_FAILED" });
});

test("jobs of our own are never cancelled", async () => {
  const { ran, system } = systemWith(([, command]) =>
    command === "list-jobs"
      ? { stdout: "7 homelab-deploy-activation.service start running\n8 web.service start waiting\n" }
      : {},
  );
  await system.cancelJobs(never);
  expect(ran.at(-1)).toBe("systemctl cancel 8");
});

test("a switch runs in a unit of its own, whose end is told apart from a program's", async () => {
  const one = await addSystem("1");
  const switchWith = async (result: string, code: string, exitCode: number) => {
    const { ran, system } = systemWith(([file]) => {
      if (file !== "systemd-run") return {};
      writeFileSync(join(top, "switch.log"), "activating\n", { flag: "a" });
      const stderrTail = `Finished with result: ${result}\nMain processes terminated with: code=${code}\n`;
      return { exitCode, stderrTail };
    });
    return { ran, result: await system.switchTo(one, "test", 1500, never) };
  };
  const failed = await switchWith("exit-code", "exited/status=4", 4);
  expect(failed.result).toEqual({ exitCode: 4, timedOut: false, output: "activating\n", leftLists: false });
  const argv = failed.ran.find((command) => command.startsWith("systemd-run")) ?? "";
  expect(argv).toContain(`--property=StandardError=append:${join(top, "switch.log")}`);
  expect(argv).toContain("--property=RuntimeMaxSec=1500ms");
  expect(argv).toContain(`-- ${one}/bin/switch-to-configuration test`);

  await put(join(roots.run, "nixos/start-list"), "one.service\n");
  expect((await switchWith("timeout", "killed/status=15", 1)).result).toEqual({
    exitCode: undefined,
    timedOut: true,
    output: "activating\n",
    leftLists: true,
  });
  // systemd-run gives 1 for a program that was killed.
  expect((await switchWith("signal", "killed/status=9", 1)).result).toMatchObject({
    exitCode: undefined,
    timedOut: false,
  });
});

test("a switch that was not started is an error, and one that is out of sight is waited for", async () => {
  const one = await addSystem("1");
  await put(join(top, "switch.log"), "");
  const refused = systemWith(([file]) =>
    file === "systemd-run" ? { exitCode: 1, stderrTail: "Failed to connect to bus\n" } : {},
  );
  await expect(refused.system.switchTo(one, "boot", 1000, never)).rejects.toMatchObject({
    code: "HOST_COMMAND_FAILED",
    message: expect.stringContaining("Failed to connect to bus") as string,
  });

  let looks = 0;
  const lost = systemWith(([file, command]) => {
    if (file === "systemd-run") return { exitCode: 1, stderrTail: "Connection terminated\n" };
    // Before it there is none; then it runs for two more looks.
    return command === "show" ? { stdout: [2, 3].includes(++looks) ? "active\n" : "inactive\n" } : {};
  });
  expect(await lost.system.switchTo(one, "test", 1000, never)).toMatchObject({
    exitCode: undefined,
    timedOut: false,
  });
  expect(looks).toBe(4);
});
