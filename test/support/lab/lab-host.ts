// One host of a lab, as a test sees it.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, readlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { hasCode } from "../../../src/base/errors.ts";
import { runProgram, type Ended } from "./run-program.ts";

const machine = join(import.meta.dirname, "machine");
const bootPatienceMs = 60_000;
const cleanEnvironment = [
  "HOME=/root",
  "LC_ALL=C.UTF-8",
  "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
  "NODE_COMPILE_CACHE=/var/cache/node",
];

/** Where the lab's namespaces are. */
export interface LabPlace {
  readonly name: string;
  readonly directory: string;
  readonly pid: number;
}

export interface LabHost {
  readonly name: string;
  /** In the lab's network. */
  readonly address: string;
  isUp(): boolean;
  /** Starts it, and waits until systemd has started everything. */
  boot(): Promise<void>;
  /** Ends it at once, as without power: nothing is stopped, nothing is written. */
  powerCut(): Promise<void>;
  /** A power cut, and the next boot, with whatever its boot loader has as the default. */
  reboot(): Promise<void>;
  /** Waits until it has rebooted by itself (`systemctl reboot`); `bootId` is that of before. */
  rebooted(bootId: string): Promise<void>;
  /** The cable to the lab's network is pulled, and plugged in again. */
  cut(): Promise<void>;
  mend(): Promise<void>;
  /** Ends every process of a unit at once, as `kill -9` does. Nothing where it does not run. */
  killUnit(unit: string): Promise<void>;
  /** A program in the host, with a clean environment. */
  exec(argv: readonly string[], options?: { readonly timeoutMs?: number }): Promise<Ended>;
  /** The same; gives stdout, and rejects when it fails. */
  run(...argv: readonly string[]): Promise<string>;
  /** A command on its disk while it is off. */
  runOff(...argv: readonly string[]): Promise<string>;
  readFile(path: string): Promise<string>;
  /** Where a file of the host is, seen from here, while it is up. */
  pathOf(path: string): string;
  writeFile(path: string, text: string): Promise<void>;
  /** What it runs, and what it would boot. */
  runs(): Promise<HostRuns>;
}

export interface HostRuns {
  readonly running: string | undefined;
  readonly booted: string | undefined;
  readonly etc: string | undefined;
  readonly permanent: string | undefined;
  readonly generation: number | undefined;
  readonly bootDefault: string | undefined;
  readonly bootId: string;
}

export function createHost(place: LabPlace, name: string, address: string): LabHost {
  const shared = join(place.directory, "shared");
  let pid: number | undefined;
  let process: ChildProcess | undefined;
  let ended: Promise<unknown> = Promise.resolve();

  function pidOrThrow(): number {
    if (pid === undefined) throw new Error(`${name} is off`);
    return pid;
  }

  async function waitFor<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
    const until = performance.now() + bootPatienceMs;
    for (;;) {
      const found = await look();
      if (found !== undefined) return found;
      if (performance.now() > until) throw new Error(`${name}: ${what} in vain`);
      await sleep(20);
    }
  }

  const pidFile = async (kind: string): Promise<number | undefined> => {
    if (process === undefined) throw new Error(`${name} ended while it booted:\n${said.slice(-2000)}`);
    const text = await readFile(join(shared, `${name}.${kind}`), "utf8").catch(() => "");
    return /^\d+\n$/.test(text) ? Number(text) : undefined;
  };
  let said = "";

  /** Until it has ended for good. Like a real machine it boots again by itself after `systemctl reboot`, which the kernel tells as SIGHUP. */
  async function stayOff(started: ChildProcess): Promise<void> {
    const [, signal] = (await once(started, "exit")) as [unknown, string | null];
    process = undefined;
    pid = undefined;
    if (signal === "SIGHUP") await powerOn().catch(() => undefined);
  }

  async function powerOn(): Promise<void> {
    const args = ["--target", `${place.pid}`, "--mount", "--net", "--pid", "--"];
    const script = [join(machine, "start-machine.sh"), place.name, place.directory, name];
    said = "";
    await runProgram("rm", ["-f", join(shared, `${name}.began`), join(shared, `${name}.pid`)]);
    const started = spawn("nsenter", [...args, ...script], { stdio: ["ignore", "pipe", "pipe"] });
    process = started;
    for (const stream of [started.stdout, started.stderr]) {
      stream.setEncoding("utf8").on("data", (text: string) => (said = `${said}${text}`.slice(-10_000)));
    }
    ended = stayOff(started);
    const began = await waitFor(
      "waited for its first process",
      async () => (await pidFile("began")) ?? pidFile("pid"),
    );
    const link = ["link", "add", `v-${name}`.slice(0, 15), "type", "veth", "peer", "name", "eth0", "netns"];
    await inLab("ip", ...link, `${began}`);
    await inLab("ip", "link", "set", `v-${name}`.slice(0, 15), "master", "bridge0", "up");
    pid = await waitFor("waited for systemd", async () => pidFile("pid"));
  }

  const inLab = async (...argv: readonly string[]): Promise<string> =>
    (await runProgram("nsenter", ["--target", `${place.pid}`, "--net", "--", ...argv])).orThrow();

  async function exec(argv: readonly string[], { timeoutMs = 120_000 } = {}): Promise<Ended> {
    const enter = ["--target", `${pidOrThrow()}`, "--all", "--", "env", "-i", "-C", "/", ...cleanEnvironment];
    return runProgram("nsenter", [...enter, ...argv], { timeoutMs });
  }
  const run = async (...argv: readonly string[]): Promise<string> => (await exec(argv)).orThrow();
  const inside = (path: string): string => `/proc/${pidOrThrow()}/root${path}`;
  const linkOf = async (path: string): Promise<string | undefined> =>
    readlink(inside(path)).catch(() => undefined);

  async function waitUntilUp(): Promise<void> {
    await waitFor("waited until it has booted", async () => {
      if (pid === undefined) return undefined;
      const { stdout } = await exec(["systemctl", "is-system-running"]);
      return /^(?:running|degraded)/.test(stdout) ? true : undefined;
    });
  }

  const host: LabHost = {
    name,
    address,
    isUp: () => pid !== undefined,
    async boot() {
      if (process === undefined) await powerOn();
      await waitUntilUp();
    },
    async powerCut() {
      if (pid === undefined) return;
      globalThis.process.kill(pid, "SIGKILL");
      await ended;
    },
    async reboot() {
      await host.powerCut();
      await host.boot();
    },
    async rebooted(bootId) {
      await waitFor("waited for its reboot", async () => {
        if (pid === undefined) return undefined;
        const now = await host.readFile("/proc/sys/kernel/random/boot_id").catch(() => bootId);
        return now.trim() === bootId ? undefined : true;
      });
      await waitUntilUp();
    },
    async killUnit(unit) {
      // The kernel kills them all at the same moment: none starts another meanwhile.
      const group = join(await controlGroups(), place.name, name, "system.slice", unit);
      await writeFile(join(group, "cgroup.kill"), "1").catch((error: unknown) => {
        if (!hasCode(error, "ENOENT") && !hasCode(error, "ENODEV")) throw error;
      });
    },
    cut: async () => void (await inLab("ip", "link", "set", `v-${name}`.slice(0, 15), "down")),
    mend: async () => void (await inLab("ip", "link", "set", `v-${name}`.slice(0, 15), "up")),
    exec,
    run,
    async runOff(...argv) {
      const enter = ["--target", `${place.pid}`, "--mount", "--net", "--pid", "--"];
      const args = [...enter, "unshare", "--mount", "--propagation", "private"];
      const command = [join(machine, "machine.sh"), place.directory, name, "run", ...argv];
      return (await runProgram("nsenter", [...args, ...command])).orThrow();
    },
    readFile: async (path) => readFile(inside(path), "utf8"),
    pathOf: inside,
    async writeFile(path, text) {
      await mkdir(dirname(inside(path)), { recursive: true });
      await writeFile(inside(path), text);
    },
    async runs() {
      const generationLink = await linkOf("/nix/var/nix/profiles/system");
      const generation = /^system-(?<number>\d+)-link$/.exec(generationLink ?? "")?.groups?.["number"];
      return {
        running: await linkOf("/run/current-system"),
        booted: await linkOf("/run/booted-system"),
        etc: await linkOf("/etc/static"),
        permanent:
          generationLink === undefined ? undefined : await linkOf(`/nix/var/nix/profiles/${generationLink}`),
        generation: generation === undefined ? undefined : Number(generation),
        bootDefault: await bootDefaultOf(inside("/boot/loader")),
        bootId: (await host.readFile("/proc/sys/kernel/random/boot_id")).trim(),
      };
    },
  };
  return host;
}

async function controlGroups(): Promise<string> {
  const mounts = await readFile("/proc/mounts", "utf8");
  const path = /^\S+ (?<path>\S+) cgroup2 /m.exec(mounts)?.groups?.["path"];
  if (path === undefined) throw new Error("no control groups of version 2 are mounted here");
  return path;
}

/** As the lab's own firmware reads it, and not as the code under test does. */
async function bootDefaultOf(loader: string): Promise<string | undefined> {
  const conf = await readFile(join(loader, "loader.conf"), "utf8").catch(() => "");
  const entry = /^default (?<entry>\S+)$/m.exec(conf)?.groups?.["entry"];
  if (entry === undefined) return undefined;
  const text = await readFile(join(loader, "entries", entry), "utf8").catch(() => "");
  return /^options init=(?<system>\S+)\/init/m.exec(text)?.groups?.["system"];
}
