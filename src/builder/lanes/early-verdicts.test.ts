import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { fakeDrv, fakeOut } from "../../../test/support/fake-nix.ts";
import { silentLog } from "../../base/log.ts";
import type { NixActivity, RealiseResult } from "../../nix/realiser.ts";
import type { ReadyWork } from "../work.ts";
import { createEarlyVerdicts } from "./early-verdicts.ts";

const never = new AbortController().signal;
const soFar = async (): Promise<RealiseResult> => ({
  exitCode: undefined,
  killedBy: undefined,
  messages: [],
  started: new Map(),
  outOfMemoryKills: 0,
});

type TestWork = Pick<ReadyWork, "evaluation"> & { readonly host: string };

/** A process for some hosts, what is decided in it, and what is asked. */
function startProcess(...hosts: readonly string[]) {
  const clock = createFakeClock();
  const open = new Map(
    hosts.map((host): [string, TestWork] => [
      host,
      { host, evaluation: { drvPath: fakeDrv(host), outPath: fakeOut(host), system: "", warnings: [] } },
    ]),
  );
  /** In the store: built, or still being written. */
  const there = new Set<string>();
  const [valid, failed] = [new Set<string>(), new Set<string>()];
  const asked: string[][] = [];
  const failures: Error[] = [];
  const early = createEarlyVerdicts(
    {
      open: () => [...open.values()] as readonly object[] as readonly ReadyWork[],
      present: async (path) => there.has(path),
      clock,
      log: silentLog,
      async settleBuilt(works) {
        asked.push(["built", ...works.map(({ host }) => host)]);
        const failure = failures.pop();
        if (failure !== undefined) throw failure;
        for (const { host } of works) if (valid.has(host)) open.delete(host);
      },
      async settleFailed(works) {
        asked.push(["failed", ...works.map(({ host }) => host)]);
        for (const { host } of works) if (failed.has(host)) open.delete(host);
      },
    },
    never,
  );
  const take = (activity: NixActivity): void => early.take(activity, soFar);
  return {
    clock,
    asked,
    failures,
    there,
    valid,
    failed,
    early,
    isOpen: (host: string) => open.has(host),
    builds(host: string) {
      there.add(fakeOut(host));
      valid.add(host);
    },
    stopped: (name: string) => take({ type: "derivation-stopped", drvPath: fakeDrv(name) }),
    counted: (done: number) => take({ type: "build-counts", done, expected: 9, running: 1, failed: 0 }),
    says: (text: string) => take({ type: "message", message: { level: 0, text, authentic: false } }),
  };
}

test("hosts that end at about the same time are asked for together, later ones within a second", async () => {
  const { clock, asked, stopped, builds, isOpen, early } = startProcess("a", "b", "c");
  builds("a");
  stopped("a");
  await clock.advance(200);
  builds("b");
  stopped("b");
  expect(asked).toEqual([]);
  await clock.advance(100);
  expect(asked).toEqual([["built", "a", "b"]]);
  builds("c");
  stopped("c");
  await clock.advance(1000);
  expect(asked).toEqual([
    ["built", "a", "b"],
    ["built", "c"],
  ]);
  expect(isOpen("c")).toBe(false);
  await early.end();
});

test("a host that another process built, or that was fetched, is noticed when Nix counts", async () => {
  const { clock, builds, counted, isOpen } = startProcess("a", "b");
  builds("a");
  counted(1);
  await clock.advance(300);
  expect([isOpen("a"), isOpen("b")]).toEqual([false, true]);
  await clock.advance(60_000);
  builds("b");
  counted(2);
  await clock.advance(300);
  expect(isOpen("b")).toBe(false);
});

test("a thousand things that end cost the store one question a second, and none where nothing is there", async () => {
  const { clock, asked, stopped, there } = startProcess("a", "b");
  const buildFor = async (seconds: number): Promise<void> => {
    for (let tick = 0; tick < seconds * 100; tick++) {
      stopped(`dependency-${tick}`);
      await clock.advance(10);
    }
  };
  await buildFor(5);
  expect(asked).toEqual([]);
  there.add(fakeOut("a")); // a builder writes there
  await buildFor(5);
  expect(asked).toEqual(Array.from({ length: 5 }, () => ["built", "a"]));
});

test.each([
  ["1 dependencies of derivation 'D' failed to build"],
  ["error: builder for 'D' failed with exit code 1"],
  ["error: Cannot build 'D'.\nReason: 1 dependency failed."],
])("a host fails when Nix gives it up: %s", async (text) => {
  const { clock, asked, failed, says, isOpen } = startProcess("a", "b");
  failed.add("a");
  says(text.replace("D", fakeDrv("shared")));
  await clock.advance(1000);
  expect(asked).toEqual([]);
  says(text.replace("D", fakeDrv("a")));
  await clock.advance(300);
  expect(asked).toEqual([["failed", "a"]]);
  expect(isOpen("a")).toBe(false);
});

test("what ended unclearly is looked at three times, and is left to the end of the process then", async () => {
  const { clock, asked, stopped, counted, isOpen } = startProcess("a", "b");
  stopped("a");
  await clock.advance(10_000);
  counted(3);
  await clock.advance(10_000);
  expect(asked).toEqual([
    ["failed", "a"],
    ["failed", "a"],
    ["failed", "a"],
  ]);
  expect(isOpen("a")).toBe(true);
});

test("a question that the store does not answer is asked again, not at once", async () => {
  const { clock, asked, failures, builds, stopped, isOpen } = startProcess("a", "b");
  failures.push(new Error("the store is busy"));
  builds("a");
  stopped("a");
  await clock.advance(2000);
  expect(asked).toEqual([["built", "a"]]);
  await clock.advance(4000);
  expect(asked).toHaveLength(2);
  expect(isOpen("a")).toBe(false);
});

test("once the process has ended nothing is asked any more", async () => {
  const { clock, asked, builds, stopped, early } = startProcess("a", "b");
  builds("a");
  stopped("a");
  await early.end();
  stopped("b");
  await clock.advance(1000);
  expect(asked).toEqual([]);
});
