import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { mkdir, readdir, readlink, rm, stat, symlink, utimes, writeFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import fc from "fast-check";
import * as v from "valibot";
import { beforeEach, expect, onTestFinished, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { createExec } from "../../process/create-exec.ts";
import { parseCommit, parseHostName, parseRepoName, StorePath, type HostName } from "../../protocol/names.ts";
import { variantOf } from "../../protocol/overrides.ts";
import { someOverride } from "../../../test/support/overrides.ts";
import { addIndirectRoots } from "./daemon-protocol.ts";
import { createGcRoots, type GcRootsOptions } from "./create-gc-roots.ts";
import { nix32 } from "../../protocol/store-paths/nix32.ts";
import type { HostRoots, RootedCommit } from "../gc-roots.ts";
import { createRootLocks } from "./root-locks.ts";

const signal = new AbortController().signal;
const repo = parseRepoName("nixos-servers");
const commit = (digit: string) => parseCommit(digit.repeat(40));
const storePath = (name: string) => v.parse(StorePath, `/nix/store/${"0".repeat(32)}-${name}`);
const rootsOf = (name: string, at = commit("a")): HostRoots => ({
  repo,
  commit: at,
  host: parseHostName(name),
  drvPath: storePath(`${name}.drv`),
  outPath: storePath(name),
});

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "homelab-roots-"));
  return () => rmSync(base, { recursive: true });
});
const directory = (): string => join(base, "roots");
const registrations = (): string => join(base, "nix/gcroots/auto");
const create = (clock = systemClock, nix: Partial<GcRootsOptions> = {}) =>
  createGcRoots({
    directory: directory(),
    nixStateDirectory: join(base, "nix"),
    exec: createExec(),
    environment: { PATH: "/usr/local/bin:/usr/bin:/bin" },
    clock,
    ...nix,
  });

test("links a host's derivation and its output, built or not, and registers both", async () => {
  await create().protect([rootsOf("web.example.com")], signal);
  const at = (kind: string) => join(directory(), repo, commit("a"), kind, "web.example.com");
  expect(await readlink(at("drv"))).toBe(storePath("web.example.com.drv"));
  expect(await readlink(at("out"))).toBe(storePath("web.example.com"));
  const registered = await readdir(registrations());
  const targets = await Promise.all(registered.map(async (name) => readlink(join(registrations(), name))));
  expect(new Set(targets)).toEqual(new Set([at("drv"), at("out")]));
});

test("replaces what pointed elsewhere and repairs what was unregistered", async () => {
  const roots = create();
  await roots.protect([rootsOf("web")], signal);
  const changed = { ...rootsOf("web"), outPath: storePath("web-2") };
  await rm(registrations(), { recursive: true });
  await roots.protect([changed], signal);
  const out = join(directory(), repo, commit("a"), "out");
  expect(await readdir(out)).toEqual(["web"]);
  expect(await readlink(join(out, "web"))).toBe(storePath("web-2"));
  expect(await readdir(registrations())).toHaveLength(2);
});

test("does nothing for 1,000 hosts that are protected", async () => {
  const many = Array.from({ length: 1000 }, (_, index) => rootsOf(`host${index}`));
  await create().protect(many, signal);
  expect(await readdir(registrations())).toHaveLength(2000);
  const changedAt = (await stat(registrations())).mtimeMs;
  await create().protect(many, signal);
  expect((await stat(registrations())).mtimeMs).toBe(changedAt);
});

test("repairs a link that was removed since, however often it was in place", async () => {
  const roots = create();
  const at = (kind: string) => join(directory(), repo, commit("a"), kind);
  await roots.protect([rootsOf("web")], signal);
  for (const path of [at("drv"), at("out"), registrations()]) await utimes(path, 1, 1);
  await roots.protect([rootsOf("web")], signal);
  await roots.protect([rootsOf("web")], signal);
  await rm(join(at("out"), "web"));
  await roots.protect([rootsOf("web")], signal);
  expect(await readlink(join(at("out"), "web"))).toBe(storePath("web"));
});

const hostsOf = ({ hosts }: RootedCommit): readonly HostName[] => [...hosts.keys()];

test("lists what is rooted, with what is known of the commit", async () => {
  const now = new Date("2026-01-01");
  const roots = create({ ...systemClock, now: () => now });
  await using _ = await roots.use([{ repo, commit: commit("a"), isHead: true }], signal);
  await roots.protect([rootsOf("web"), rootsOf("db"), rootsOf("web", commit("b"))], signal);
  await mkdir(join(directory(), "no repo", "lost+found"), { recursive: true });
  const listed = new Map((await roots.list()).map((rooted) => [rooted.commit, rooted]));
  expect(listed.get(commit("a"))).toEqual({
    repo,
    commit: commit("a"),
    usedAt: now,
    wasHead: true,
    hosts: new Map([
      [parseHostName("web"), storePath("web")],
      [parseHostName("db"), storePath("db")],
    ]),
  });
  expect(listed.get(commit("b"))).toMatchObject({ wasHead: false });
  expect(listed.size).toBe(2);
});

test("drops some hosts of a commit, or with the last of them the commit", async () => {
  const roots = create();
  await roots.protect([rootsOf("web"), rootsOf("db")], signal);
  const drop = async (name: string): Promise<string | undefined> => {
    const [rooted] = await roots.list();
    return rooted && roots.drop(rooted, [parseHostName(name)], signal);
  };
  expect(await drop("web")).toBe("dropped");
  expect((await roots.list()).flatMap(hostsOf)).toEqual(["db"]);
  expect(await drop("db")).toBe("dropped");
  expect(await readdir(join(directory(), repo))).toEqual([]);
});

test("nobody drops what a build uses, in this process or another, until it is over", async () => {
  const roots = create();
  await roots.protect([rootsOf("web")], signal);
  const used = await roots.use([{ repo, commit: commit("a"), isHead: true }], signal);
  const [rooted] = await roots.list();
  if (rooted === undefined) throw new Error("nothing is rooted");
  expect(await create().drop(rooted, hostsOf(rooted), signal)).toBe("in-use");
  await used[Symbol.asyncDispose]();
  expect(await create().drop(rooted, hostsOf(rooted), signal)).toBe("dropped");
});

test("builds of a commit share one process that holds its lock, also one after the other", async () => {
  let processes = 0;
  const exec = createExec();
  const roots = create(systemClock, {
    exec: (...call) => {
      processes++;
      return exec(...call);
    },
  });
  await roots.protect([rootsOf("web")], signal);
  const of = [{ repo, commit: commit("a"), isHead: true }];
  for (let round = 0; round < 5; round++) {
    const uses = await Promise.all(Array.from({ length: 20 }, async () => roots.use(of, signal)));
    await Promise.all(uses.map(async (use) => use[Symbol.asyncDispose]()));
  }
  expect(processes).toBe(1);
  // What lingers is in nobody's way, in this process or another.
  const [rooted] = await roots.list();
  if (rooted === undefined) throw new Error("nothing is rooted");
  expect(await create().drop(rooted, hostsOf(rooted), signal)).toBe("dropped");
});

test("who waits for a lock, and does not want it any more, leaves it to the others", async () => {
  const roots = create();
  await roots.protect([rootsOf("web")], signal);
  const of = [{ repo, commit: commit("a"), isHead: true }];
  const left = new AbortController();
  const leaving = roots.use(of, left.signal);
  const staying = roots.use(of, signal);
  await using _ = await staying;
  left.abort(new Error("not wanted"));
  await leaving.catch(() => undefined);
  const [rooted] = await roots.list();
  if (rooted === undefined) throw new Error("nothing is rooted");
  expect(await create().drop(rooted, hostsOf(rooted), signal)).toBe("in-use");
});

test("a lock file that a crash of the machine left empty is usable", async () => {
  const roots = create();
  await roots.protect([rootsOf("web")], signal);
  const of = [{ repo, commit: commit("a"), isHead: true }];
  await (await roots.use(of, signal))[Symbol.asyncDispose]();
  const locks = join(directory(), ".locks");
  for (const file of await readdir(locks)) await writeFile(join(locks, file), "");
  const used = await roots.use(of, signal);
  const [rooted] = await roots.list();
  if (rooted === undefined) throw new Error("nothing is rooted");
  expect(await create().drop(rooted, hostsOf(rooted), signal)).toBe("in-use");
  await used[Symbol.asyncDispose]();
});

test("a plan is void for a commit that was asked for since", async () => {
  let now = Date.parse("2026-01-01");
  const roots = create({ ...systemClock, now: () => new Date((now += 1000)) });
  await roots.protect([rootsOf("web")], signal);
  const [planned] = await roots.list();
  if (planned === undefined) throw new Error("nothing is rooted");
  await roots.protect([rootsOf("web")], signal);
  expect(await roots.drop(planned, hostsOf(planned), signal)).toBe("in-use");
  expect(await roots.list()).toHaveLength(1);
});

test("the lock of a process that was killed is free again", async () => {
  const roots = create();
  await roots.protect([rootsOf("web")], signal);
  const killed = spawn("sleep", ["600"]);
  const locks = createRootLocks({
    directory: join(directory(), ".locks"),
    exec: createExec(),
    environment: { PATH: "/usr/local/bin:/usr/bin:/bin" },
    pid: killed.pid ?? 0,
  });
  await locks.share(repo, commit("a"), signal);
  expect(await locks.takeAlone(repo, commit("a"), signal)).toBeUndefined();
  killed.kill("SIGKILL");
  await expect
    .poll(async () => locks.takeAlone(repo, commit("a"), signal), { timeout: 30_000 })
    .toBeDefined();
});

test.each(["pin", "out"])("drops nothing while %s of the commit cannot be read", async (entry) => {
  const roots = create();
  await roots.protect([rootsOf("web")], signal);
  const [planned] = await roots.list();
  if (planned === undefined) throw new Error("nothing is rooted");
  const path = join(directory(), repo, commit("a"));
  const { atime, mtime } = await stat(path);
  await rm(join(path, entry), { recursive: true, force: true });
  // Reading a file as a directory, or the other way round, fails for root too.
  await (entry === "pin" ? mkdir(join(path, entry)) : writeFile(join(path, entry), ""));
  await utimes(path, atime, mtime);
  await expect(roots.drop(planned, hostsOf(planned), signal)).rejects.toMatchObject({ code: "GC_ROOTS" });
  await expect(roots.list()).rejects.toMatchObject({ kind: "unavailable" });
  expect(await readdir(path)).toContain("drv");
});

test("pins a commit with a reason, without making it newer, and unpins it", async () => {
  const roots = create();
  expect(await roots.pin(repo, commit("a"), "before the move")).toBe(false);
  await roots.protect([rootsOf("web")], signal);
  const [before] = await roots.list();
  expect(await roots.pin(repo, commit("a"), "before the move")).toBe(true);
  expect(await roots.list()).toEqual([{ ...before, pin: "before the move" }]);
  expect(await roots.pin(repo, commit("a"), undefined)).toBe(true);
  expect(await roots.list()).toEqual([before]);
});

test("with overrides roots stand beside those of the commit, and are listed and dropped by themselves", async () => {
  const roots = create();
  const variant = variantOf([someOverride()]);
  const overridden = { ...rootsOf("web"), variant, outPath: storePath("web-2") };
  await roots.protect([rootsOf("web"), overridden], signal);
  const systems = async (): Promise<unknown> =>
    (await roots.list()).map((rooted) => [rooted.commit, rooted.variant, ...rooted.hosts.values()]);
  expect(await systems()).toEqual([
    [commit("a"), undefined, storePath("web")],
    [commit("a"), variant, storePath("web-2")],
  ]);
  const [, rooted] = await roots.list();
  if (rooted === undefined) throw new Error("nothing is rooted");
  expect(await roots.drop(rooted, hostsOf(rooted), signal)).toBe("dropped");
  expect(await systems()).toEqual([[commit("a"), undefined, storePath("web")]]);
});

test("says what could not be written", async () => {
  await symlink("/nowhere", join(base, "roots"));
  await expect(create().protect([rootsOf("web")], signal)).rejects.toMatchObject({
    kind: "unavailable",
    code: "GC_ROOTS",
  });
});

test("digits are those of nix-hash --to-base32", () => {
  // printf hello | sha1sum
  expect(nix32(Buffer.from("aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d", "hex"))).toBe(
    "9m1skbnr5i43n3yypvda5s65vhfwdx5a",
  );
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 20, maxLength: 20 }), (bytes) => {
      expect(nix32(bytes)).toMatch(/^[0-9abcdfghijklmnpqrsvwxyz]{32}$/);
    }),
  );
});

/** Numbers and strings as the daemon's protocol has them. */
function wire(...values: readonly (number | string)[]): Buffer {
  const parts = values.map((value) => {
    const number = Buffer.alloc(8);
    number.writeBigUInt64LE(BigInt(typeof value === "number" ? value : value.length));
    if (typeof value === "number") return number;
    const padded = value.padEnd(Math.ceil(value.length / 8) * 8, "\0");
    return Buffer.concat([number, Buffer.from(padded)]);
  });
  return Buffer.concat(parts);
}
const [hello, last] = [0x6478696f, 0x616c7473];

/** A daemon that says this in pieces of a few bytes, the last of them when it has heard so many bytes. */
async function fakeDaemon(says: Buffer, afterBytes = 0): Promise<{ socket: string; heard: () => Buffer }> {
  const socket = join(base, "socket");
  let heard = Buffer.alloc(0);
  const server = createServer((connection: Socket) => {
    const finish = (): void => {
      if (heard.length >= afterBytes) connection.write(says.subarray(-8));
    };
    connection.on("error", () => {});
    connection.on("data", (chunk: Buffer) => {
      heard = Buffer.concat([heard, chunk]);
      finish();
    });
    for (let at = 0; at < says.length - 8; at += 5) {
      connection.write(says.subarray(at, Math.min(at + 5, says.length - 8)));
    }
    finish();
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  onTestFinished(() => void server.close());
  return { socket, heard: () => heard };
}

test.each([
  ["1.26", 0x11a, []],
  ["1.34", 0x122, ["2.8.0"]],
  ["1.38", 0x126, ["2.34.8", 1]],
])("speaks to a daemon of protocol %s", async (_, version, handshake) => {
  const greeting = wire(0x6e697863, Math.min(version, 0x123), 0, 0);
  const expected = Buffer.concat([greeting, wire(12, "/roots/one"), wire(12, "/roots/two")]);
  const log = wire(0x6f6c6d67, "log\n");
  const started = wire(0x53545254, 1, 3, 0, "doing", 2, 0, 7, 1, "field", 0);
  const progressed = wire(0x52534c54, 1, 105, 1, 0, 9);
  const stopped = wire(0x53544f50, 1);
  const handshakeAnswer = wire(hello, version, ...handshake, last);
  const answers = wire(last, 1, last, 1);
  const says = Buffer.concat([handshakeAnswer, log, started, progressed, stopped, answers]);
  const { socket, heard } = await fakeDaemon(says, expected.length);
  await addIndirectRoots(socket, ["/roots/one", "/roots/two"], signal);
  expect(heard()).toEqual(expected);
});

const failure = wire(hello, 0x11a, last, 0x63787470, "Error", 0, "Error", "\u001b[31mno permission\u001b[0m");

test.each([
  ["something else", Buffer.from("HTTP/1.1 400 Bad Request"), "speaks another protocol"],
  ["an old daemon", wire(hello, 0x115), "older than Nix 2.4"],
  ["an error", failure, "no permission"],
  ["a string without end", wire(hello, 0x122, 2 ** 40), "a string of"],
  ["an unknown message", wire(hello, 0x11a, 77), "unknown kind 77"],
])("does not take %s for a success", async (_, says, reason) => {
  const { socket } = await fakeDaemon(says);
  await expect(addIndirectRoots(socket, ["/roots/one"], signal)).rejects.toMatchObject({
    kind: "unavailable",
    code: "NIX_DAEMON",
    cause: { message: expect.stringContaining(reason) as string },
  });
});

test("says that there is no daemon", async () => {
  await expect(addIndirectRoots(join(base, "none"), ["/x"], signal)).rejects.toMatchObject({
    code: "NIX_DAEMON",
    cause: { code: "ENOENT" },
  });
});

test("asks the daemon where it may not write itself", async () => {
  const out = join(directory(), repo, commit("a"), "out/web");
  const asked = wire(0x6e697863, 0x11a, 0, 0, 12, join(dirname(dirname(out)), "drv/web"), 12, out);
  const { socket, heard } = await fakeDaemon(wire(hello, 0x11a, last, last, 1, last, 1), asked.length);
  // Nobody may make anything in sysfs, not even root.
  const forbidden = { nixStateDirectory: "/sys/nix", daemonSocket: socket };
  await create(systemClock, forbidden).protect([rootsOf("web")], signal);
  expect(heard()).toHaveLength(asked.length);
  expect(heard().includes(out)).toBe(true);
});
