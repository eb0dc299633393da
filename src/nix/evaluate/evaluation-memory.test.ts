import { mkdtempSync, rmSync } from "node:fs";
import { appendFile, mkdir, readdir, readFile, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import * as v from "valibot";
import { beforeEach, expect, test } from "vitest";
import { silentLog } from "../../base/log.ts";
import { parseCommit, parseHostName, parseRepoName, StorePath } from "../../protocol/names.ts";
import { someOverride } from "../../../test/support/overrides.ts";
import { createEvaluationMemory } from "./evaluation-memory.ts";
import type { EvaluationFailure, EvaluationKey, HostEvaluation } from "../evaluator.ts";

const repo = parseRepoName("nixos");
const commit = (digit: string) => parseCommit(digit.repeat(40));
const key: EvaluationKey = { repo, commit: commit("a"), allowImportFromDerivation: false };
const [web, db] = [parseHostName("web"), parseHostName("db")];
const storePath = (name: string) => v.parse(StorePath, `/nix/store/${"0".repeat(32)}-${name}`);
const evaluated: HostEvaluation = {
  drvPath: storePath("web.drv"),
  outPath: storePath("web"),
  system: "x86_64-linux",
  warnings: ["careful"],
};
const failure = (cause: EvaluationFailure["cause"]): EvaluationFailure => ({
  cause,
  message: "host web: no",
  details: "at line 1",
  ...(cause === "error" && { isOwn: true }),
});

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), "homelab-memory-"));
  return () => rmSync(base, { recursive: true });
});
const file = (): string => join(base, repo, `${commit("a")}.jsonl`);

const start = (options: { readonly nixVersion?: string; readonly settings?: string } = {}) =>
  createEvaluationMemory({
    directory: base,
    nixVersion: "2.8.0",
    settings: "digest",
    log: silentLog,
    ...options,
  });

/** What the next start of the program knows; to be polled, as writing takes a moment. */
const nextStart =
  (of: EvaluationKey = key, options: Parameters<typeof start>[0] = {}) =>
  async () => {
    const memory = await start(options).open(of);
    return { names: memory.inventory(), web: memory.get(web), db: memory.get(db) };
  };

test("remembers hosts and their evaluations, also over a restart", async () => {
  const memory = await start().open(key);
  expect(memory.inventory()).toBeUndefined();
  memory.rememberInventory(["web", "db", 'odd "name"']);
  memory.remember(web, evaluated);
  memory.remember(db, failure("error"));
  expect(memory.get(web)).toEqual(evaluated);
  const names = ["web", "db", 'odd "name"'];
  await expect.poll(nextStart()).toEqual({ names, web: evaluated, db: failure("error") });
});

test("remembers an empty inventory as one", async () => {
  const memory = await start().open(key);
  memory.rememberInventory([]);
  await expect.poll(nextStart()).toMatchObject({ names: [] });
});

test("never remembers what another evaluation could find otherwise", async () => {
  const memory = await start().open(key);
  for (const cause of ["timed-out", "out-of-memory", "infra"] as const) memory.remember(web, failure(cause));
  // Such as a feature that nix.conf lacks.
  memory.remember(web, { ...failure("error"), isOwn: false });
  expect(memory.get(web)).toBeUndefined();
  memory.remember(db, evaluated);
  await expect.poll(nextStart()).toMatchObject({ db: evaluated, web: undefined });
});

test("forgets a host for good", async () => {
  const memory = await start().open(key);
  memory.remember(web, evaluated);
  memory.remember(db, evaluated);
  memory.forget(web);
  expect(memory.get(web)).toBeUndefined();
  await expect.poll(nextStart()).toMatchObject({ db: evaluated, web: undefined });
  await expect.poll(async () => (await readFile(file(), "utf8")).split("\n").length).toBe(4);
});

test("knows nothing of what was evaluated in another way", async () => {
  const memory = await start().open(key);
  memory.remember(web, evaluated);
  await expect.poll(nextStart()).toMatchObject({ web: evaluated });
  await expect.poll(nextStart({ ...key, allowImportFromDerivation: true })).toMatchObject({ web: undefined });
  await expect.poll(nextStart({ ...key, directory: "hosts" })).toMatchObject({ web: undefined });
  await expect.poll(nextStart({ ...key, commit: commit("b") })).toMatchObject({ web: undefined });
  await expect.poll(nextStart(key, { nixVersion: "2.34.8" })).toMatchObject({ web: undefined });
  await expect.poll(nextStart(key, { settings: "another digest" })).toMatchObject({ web: undefined });
});

test("the same commit with and without overrides, and with others, are different things", async () => {
  const memory = await start().open(key);
  memory.remember(web, evaluated);
  await expect.poll(nextStart()).toMatchObject({ web: evaluated });
  const overridden: EvaluationKey = { ...key, overrides: [someOverride()] };
  expect((await start().open(overridden)).get(web)).toBeUndefined();
  const other = await start().open(overridden);
  other.remember(web, { ...evaluated, outPath: storePath("web-2") });
  await expect.poll(nextStart(overridden)).toMatchObject({ web: { outPath: storePath("web-2") } });
  await expect.poll(nextStart()).toMatchObject({ web: evaluated });
  for (const different of [{ commit: "c".repeat(40) }, { input: "others" }, { repo: "nixos" }]) {
    const otherwise = { ...key, overrides: [someOverride(different)] };
    expect((await start().open(otherwise)).get(web)).toBeUndefined();
  }
  const elsewhere = { ...key, overrides: [{ ...someOverride(), directory: "hosts" }] };
  expect((await start().open(elsewhere)).get(web)).toBeUndefined();
});

test("overrides do not take the room of commits", async () => {
  const memories = start();
  (await memories.open(key)).remember(web, evaluated);
  for (const digit of "bcd") {
    const overridden = { ...key, overrides: [someOverride({ commit: digit.repeat(40) })] };
    (await memories.open(overridden)).remember(web, evaluated);
    await expect.poll(nextStart(overridden)).toMatchObject({ web: evaluated });
  }
  await memories.prune(repo, 1, new Set());
  expect(await readdir(join(base, repo))).toHaveLength(2);
  await expect.poll(nextStart()).toMatchObject({ web: evaluated });
});

test("gives everybody the same memory of a commit", async () => {
  const memories = start();
  const [one, other] = await Promise.all([memories.open(key), memories.open({ ...key })]);
  one.remember(web, evaluated);
  expect(other.get(web)).toEqual(evaluated);
  await expect.poll(nextStart()).toMatchObject({ web: evaluated });
});

test("writes nothing that it knows already", async () => {
  const memory = await start().open(key);
  for (let time = 0; time < 5; time++) {
    memory.rememberInventory(["web"]);
    memory.remember(web, { ...evaluated });
    memory.forget(db);
  }
  await expect.poll(nextStart()).toMatchObject({ names: ["web"], web: evaluated });
  expect((await readFile(file(), "utf8")).trim().split("\n")).toHaveLength(2);
});

test("a line torn by a crash costs that line only", async () => {
  const before = await start().open(key);
  before.remember(web, evaluated);
  await expect.poll(nextStart()).toMatchObject({ web: evaluated });
  await appendFile(file(), '{"type":"result","host":"db","resu');
  const after = await start().open(key);
  expect(after.get(web)).toEqual(evaluated);
  after.remember(db, failure("error"));
  await expect.poll(nextStart()).toMatchObject({ web: evaluated, db: failure("error") });
});

test("reads any file without failing, and takes no path from it that is none", async () => {
  await mkdir(join(base, repo));
  const context = JSON.stringify([2, "2.8.0", "x86_64-linux", false, ""]);
  const hostile = { type: "result", context, host: "web", result: { ...evaluated, outPath: "/etc/../etc" } };
  await writeFile(file(), `${JSON.stringify(hostile)}\n`);
  expect((await start().open(key)).get(web)).toBeUndefined();
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(fc.json(), fc.string())), async (lines) => {
      await writeFile(file(), lines.join("\n"));
      expect((await start().open(key)).get(web)).toBeUndefined();
    }),
    { numRuns: 50 },
  );
});

test("goes on when nothing can be written", async () => {
  await writeFile(join(base, repo), "a file where the directory should be");
  const said: string[] = [];
  const log = { ...silentLog, warn: (_: object, message: string) => void said.push(message) };
  const options = { directory: base, nixVersion: "2.8.0", settings: "digest", log };
  const memory = await createEvaluationMemory(options).open(key);
  memory.remember(web, evaluated);
  expect(memory.get(web)).toEqual(evaluated);
  await expect.poll(() => said).toEqual(["evaluations cannot be remembered for the next start"]);
});

test("prunes all but the newest commits and those in use, on disk and in memory", async () => {
  const memories = start();
  for (const [age, digit] of ["a", "b", "c", "d"].entries()) {
    const memory = await memories.open({ ...key, commit: commit(digit) });
    memory.remember(web, evaluated);
    const path = join(base, repo, `${commit(digit)}.jsonl`);
    await expect.poll(async () => readFile(path, "utf8").catch(() => "")).toContain("web");
    await utimes(path, 1_000_000 + age, 1_000_000 + age);
  }
  // Opening counts as use.
  await start().open(key);
  await memories.prune(repo, 2, new Set([commit("b")]));
  const left = [commit("a"), commit("b"), commit("d")];
  expect(new Set(await readdir(join(base, repo)))).toEqual(new Set(left.map((name) => `${name}.jsonl`)));
  expect((await memories.open({ ...key, commit: commit("c") })).get(web)).toBeUndefined();
  expect((await memories.open({ ...key, commit: commit("d") })).get(web)).toEqual(evaluated);
  await memories.prune(parseRepoName("unknown"), 1, new Set());
});
