// Hosts with a real systemd each, in namespaces, booted from a disk with the system of their boot loader's default entry.
// Servers of a test (NATS, a cache) run beside it, on `lab.address`.
//
// Everything of a lab ends with the process that started it, however that ends: see machine/keep-lab.sh.
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { createInterface } from "node:readline";
import type { StorePath } from "../../../src/protocol/names.ts";
import { fakeSystem, type FakeSystem, type SystemSpecification } from "./fake-systems.ts";
import { createHost, type LabHost, type LabPlace } from "./lab-host.ts";
import { runProgram } from "./run-program.ts";

/** The checkout and the lab's shared directory, as hosts see them. */
export const checkoutInHost = "/opt/homelab-deploy";
export const sharedInHost = "/lab";
export const nodeInHost = `${checkoutInHost}/node_modules/node/bin/node`;

export interface Lab extends AsyncDisposable {
  /** Of this process, in the hosts' network: they reach what listens on it or on all addresses. */
  readonly address: string;
  /** Seen by all hosts as `/lab`. */
  readonly sharedDirectory: string;
  /** A `file://` cache with every system that was built, signed; to be served by `serveNarCache`. */
  readonly cacheDirectory: string;
  /** `name:base64` of the key that signs it. */
  readonly cacheKey: string;
  host(name: string): LabHost;
  /** Builds systems, in the order of the specifications, and puts them into the cache. */
  build(host: string, specifications: readonly SystemSpecification[]): Promise<readonly StorePath[]>;
  /** The same for several hosts. */
  buildAll(systems: readonly FakeSystem[]): Promise<readonly StorePath[]>;
  /** Adds a directory of the shared one to the store in which systems are built. */
  add(directory: string): Promise<StorePath>;
  /** A host that is installed with this system, as generation 1, and booted. */
  install(name: string, system: StorePath, options?: InstallOptions): Promise<LabHost>;
  /** Copies a system into the store of a running host, as a fetch would. */
  give(host: LabHost, system: StorePath): Promise<void>;
}

export interface InstallOptions {
  /** Default true. */
  readonly boot?: boolean;
  /** How large the disks for `/nix` and `/boot` are, in KiB; default as large as need be. */
  readonly nixKiB?: number;
  readonly bootKiB?: number;
}

/** Why there can be no lab here, in a line for who reads that a test was skipped. */
export function whyNoLab(): string | undefined {
  if (process.platform !== "linux") return "a lab needs Linux";
  if (process.getuid?.() !== 0) return "a lab needs root, for namespaces and network links";
  if (!existsSync("/lib/systemd/systemd")) return "a lab needs systemd (Debian: apt-get install systemd)";
  for (const program of [
    "unshare",
    "nsenter",
    "setpriv",
    "ip",
    "flock",
    "busctl",
    "nix-build",
    "dbus-daemon",
  ]) {
    if (spawnSync("sh", ["-c", `command -v ${program}`]).status !== 0)
      return `a lab needs ${program} (bin/setup)`;
  }
  const namespaces = ["--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child"];
  const probe =
    "mount -t tmpfs tmpfs /mnt && mount -t proc proc /proc && ip link add probe0 type veth peer name probe1";
  const tried = spawnSync("unshare", [...namespaces, "--propagation", "private", "sh", "-c", probe]);
  return tried.status === 0 ? undefined : `namespaces are refused here: ${tried.stderr.toString().trim()}`;
}

export async function startLab(): Promise<Lab> {
  const directory = await mkdtemp(join(tmpdir(), "homelab-lab-"));
  const name = basename(directory);
  const shared = join(directory, "shared");
  await mkdir(shared);
  await writeFile(join(shared, "hosts"), "127.0.0.1 localhost\n");
  const { keeper, pid, network } = await startKeeper(directory, name);
  const address = `${network}.1`;
  const place = { name, directory, pid };
  const hosts = new Map<string, LabHost>();
  const builder = createHost(place, "builder", `${network}.2`);
  await builder.runOff("sh", "-c", "cd /lab && nix key generate-secret --key-name lab-1 > lab.secret");
  const secretKey = await readFile(join(shared, "lab.secret"), "utf8");

  async function nameHosts(): Promise<void> {
    const lines = [...hosts.values()].map((host) => `${host.address} ${host.name}`);
    const text = ["127.0.0.1 localhost", `${address} outside`, ...lines, ""].join("\n");
    await writeFile(join(shared, "hosts"), text);
  }

  let building: Promise<unknown> = Promise.resolve();
  async function buildNow(systems: readonly FakeSystem[]): Promise<readonly StorePath[]> {
    await writeFile(join(shared, "specs.json"), JSON.stringify(systems));
    const expression = `${checkoutInHost}/test/support/lab/system/systems.nix`;
    const script = `
        paths=$(nix-build --no-out-link ${expression} --argstr specs /lab/specs.json 2>/tmp/log) || { cat /tmp/log >&2; exit 1; }
        nix copy --to 'file:///lab/cache?compression=none&secret-key=/lab/lab.secret' $paths
        echo "$paths"`;
    const paths = (await builder.runOff("sh", "-ec", script)).trim().split("\n") as StorePath[];
    if (paths.length !== systems.length) throw new Error("two of the specified systems are the same");
    return paths;
  }

  /** One after another: two overlays over one disk would not see each other's files. */
  async function buildAll(systems: readonly FakeSystem[]): Promise<readonly StorePath[]> {
    const built = building.then(async () => buildNow(systems));
    building = built.catch(() => undefined);
    return built;
  }

  return {
    address,
    sharedDirectory: shared,
    cacheDirectory: join(shared, "cache"),
    cacheKey: publicKeyOf(secretKey),
    host(wanted) {
      const host = hosts.get(wanted);
      if (host === undefined) throw new Error(`the lab has no host ${wanted}`);
      return host;
    },
    build: async (host, specifications) =>
      buildAll(specifications.map((specification) => fakeSystem(host, specification))),
    buildAll,
    add: async (added) =>
      (await builder.runOff("nix-store", "--add", `${sharedInHost}/${added}`)).trim() as StorePath,
    async install(wanted, system, { boot = true, nixKiB, bootKiB } = {}) {
      const host = createHost(place, wanted, `${network}.${10 + hosts.size}`);
      hosts.set(wanted, host);
      await nameHosts();
      await addDisk(place, `${wanted}/nix`, nixKiB);
      await addDisk(place, `${wanted}/boot`, bootKiB);
      const script = `
        nix copy --no-check-sigs --from file:///lab/cache ${system}
        nix-env --profile /nix/var/nix/profiles/system --set ${system}
        ${system}/bin/switch-to-configuration boot`;
      await host.runOff("sh", "-ec", script);
      if (boot) await host.boot();
      return host;
    },
    async give(host, system) {
      await host.run("nix", "copy", "--no-check-sigs", "--from", `file://${sharedInHost}/cache`, system);
    },
    async [Symbol.asyncDispose]() {
      const gone = once(keeper, "exit");
      keeper.stdin?.end();
      await gone;
    },
  };
}

async function addDisk({ pid, directory }: LabPlace, disk: string, kib: number | undefined): Promise<void> {
  if (kib === undefined) return;
  const at = join(directory, "disks", disk);
  const script = `mkdir -p "$1" && mount -t tmpfs -o mode=755,size=${kib}k tmpfs "$1"`;
  const enter = ["--target", `${pid}`, "--mount", "--", "sh", "-c", script, "sh", at];
  (await runProgram("nsenter", enter)).orThrow();
}

async function startKeeper(
  directory: string,
  name: string,
): Promise<{ readonly keeper: ChildProcess; readonly pid: number; readonly network: string }> {
  // In a session of its own: Ctrl-C is for the test run, whose end is the end of the pipe.
  const keeper = spawn(join(import.meta.dirname, "machine/keep-lab.sh"), [directory, name], {
    detached: true,
    stdio: ["pipe", "pipe", "pipe"],
  });
  let said = "";
  keeper.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  for await (const line of createInterface(keeper.stdout)) {
    const { pid, network } = /^ready (?<pid>\d+) (?<network>[\d.]+)$/.exec(line)?.groups ?? {};
    if (pid !== undefined && network !== undefined) return { keeper, pid: Number(pid), network };
  }
  throw new Error(`the lab cannot be started: ${said}`);
}

/** A secret key ends with its public one. */
function publicKeyOf(secretKey: string): string {
  const [name = "", base64 = ""] = secretKey.trim().split(":");
  return `${name}:${Buffer.from(base64, "base64").subarray(32).toString("base64")}`;
}
