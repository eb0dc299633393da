import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import * as v from "valibot";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { addIndirectRoots } from "../../src/nix/roots/daemon-protocol.ts";
import { createGcRoots } from "../../src/nix/roots/create-gc-roots.ts";
import type { GcRoots, HostRoots } from "../../src/nix/gc-roots.ts";
import { createExec } from "../../src/process/create-exec.ts";
import { parseHostName, parseRepoName, StorePath } from "../../src/protocol/names.ts";
import { createFleet } from "../support/fleet.ts";
import { createThrowAwayStore, type ThrowAwayStore } from "../support/nix-store.ts";

const signal = new AbortController().signal;
const repo = parseRepoName("nixos-servers");

let store: ThrowAwayStore;
let daemon: ChildProcess;
let socket: string;
beforeAll(async () => {
  store = await createThrowAwayStore();
  // A path of a socket has at most 107 bytes.
  socket = join(store.directory, "socket");
  const env = { ...store.environment, NIX_DAEMON_SOCKET_PATH: socket, HOME: store.directory };
  daemon = spawn("nix-daemon", [], { env, stdio: "ignore" });
  await vi.waitFor(() => expect(existsSync(socket)).toBe(true), { timeout: 30_000 });
});
afterAll(async () => {
  daemon.kill();
  await store.remove();
});

/** A host of a new fleet, evaluated and not built. */
async function evaluated(salt: string): Promise<HostRoots> {
  const fleet = await createFleet(store.directory);
  const commit = await fleet.commit({ hosts: 1, shared: 1, salt });
  const apply = "c: with c.host01.config.system.build.toplevel; [ drvPath outPath ]";
  const ref = `git+file://${fleet.bare}?ref=refs/homelab-deploy/${commit}&rev=${commit}#nixosConfigurations`;
  const json = await store.run("nix", "eval", "--json", "--apply", apply, "--", ref);
  const [drvPath, outPath] = v.parse(v.tuple([StorePath, StorePath]), JSON.parse(json));
  return { repo, commit, host: parseHostName("host01"), drvPath, outPath };
}

const roots = () =>
  createGcRoots({
    directory: join(store.directory, "roots"),
    nixStateDirectory: store.stateDirectory,
    exec: createExec(),
    environment: { PATH: process.env["PATH"] ?? "" },
    clock: systemClock,
  });

async function dropAll(from: GcRoots): Promise<void> {
  for (const rooted of await from.list()) {
    expect(await from.drop(rooted, [...rooted.hosts.keys()], signal)).toBe("dropped");
  }
}

test("what was rooted before it was built survives the collector until it is dropped", async () => {
  const host = await evaluated("direct");
  await roots().protect([host], signal);
  await store.run("nix-store", "--gc");
  expect([existsSync(host.drvPath), existsSync(host.outPath)]).toEqual([true, false]);

  await store.run("nix-store", "--realise", host.drvPath);
  await store.run("nix-store", "--gc");
  expect(existsSync(join(host.outPath, "nixos-version"))).toBe(true);

  await dropAll(roots());
  await store.run("nix-store", "--gc");
  expect([existsSync(host.drvPath), existsSync(host.outPath)]).toEqual([false, false]);
  expect(await readdir(join(store.stateDirectory, "gcroots/auto"))).toEqual([]);
});

test("the daemon registers the same as we do by ourselves", async () => {
  const host = await evaluated("daemon");
  await roots().protect([host], signal);
  const auto = join(store.stateDirectory, "gcroots/auto");
  const ours = await readdir(auto);
  const links = ["drv", "out"].map((kind) =>
    join(store.directory, "roots", repo, host.commit, kind, "host01"),
  );
  await addIndirectRoots(socket, links, signal);
  expect(await readdir(auto)).toEqual(ours);
  expect(ours).toHaveLength(2);
});

test("a registration by the daemon protects what is built later, too", async () => {
  const host = await evaluated("only daemon");
  const elsewhere = createGcRoots({
    directory: join(store.directory, "other-roots"),
    // Nobody may make anything in sysfs, not even root: so it has to ask the daemon.
    nixStateDirectory: "/sys/nix",
    daemonSocket: socket,
    exec: createExec(),
    environment: { PATH: process.env["PATH"] ?? "" },
    clock: systemClock,
  });
  await elsewhere.protect([host], signal);
  await store.run("nix-store", "--realise", host.drvPath);
  await store.run("nix-store", "--gc");
  expect(existsSync(host.outPath)).toBe(true);
  await dropAll(elsewhere);
  await store.run("nix-store", "--gc");
  expect(existsSync(host.outPath)).toBe(false);
});

test("what nobody protects is collected", async () => {
  const host = await evaluated("unprotected");
  await store.run("nix-store", "--realise", host.drvPath);
  await store.run("nix-store", "--gc");
  expect(existsSync(host.outPath)).toBe(false);
});
