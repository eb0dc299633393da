import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { fakeDrv } from "../../../test/support/fake-nix.ts";
import { silentLog } from "../../base/log.ts";
import type { ReadyWork } from "../work.ts";
import { createEarlyVerdicts } from "./early-verdicts.ts";

const never = new AbortController().signal;

/** A process for three hosts, and the questions that are asked about them. */
function startProcess(settle: () => Promise<void> = async () => undefined) {
  const clock = createFakeClock();
  const asked: string[][] = [];
  const works = ["a", "b", "c"].map((host): Pick<ReadyWork, "evaluation"> & { readonly host: string } => ({
    host,
    evaluation: { drvPath: fakeDrv(host), outPath: fakeDrv(host), system: "", warnings: [] },
  }));
  const early = createEarlyVerdicts({
    works: works as readonly object[] as readonly ReadyWork[],
    clock,
    log: silentLog,
    async settleBuilt(some) {
      asked.push(some.map(({ host }) => host));
      await settle();
    },
  });
  return { clock, asked, early, stopped: (host: string) => early.stopped(fakeDrv(host), never) };
}

test("toplevels that are built at about the same time are asked for together, later ones again", async () => {
  const { clock, asked, stopped, early } = startProcess();
  stopped("a");
  stopped("dependency");
  await clock.advance(200);
  stopped("b");
  expect(asked).toEqual([]);
  await clock.advance(100);
  expect(asked).toEqual([["a", "b"]]);
  stopped("c");
  await clock.advance(300);
  expect(asked).toEqual([["a", "b"], ["c"]]);
  await early.end();
});

test("a question that fails keeps no other from being asked", async () => {
  const failures = [new Error("the store is busy")];
  const { clock, asked, stopped, early } = startProcess(async () => {
    const failure = failures.pop();
    if (failure !== undefined) throw failure;
  });
  stopped("a");
  await clock.advance(300);
  stopped("b");
  await clock.advance(300);
  expect(asked).toEqual([["a"], ["b"]]);
  await early.end();
});

test("once the process has ended nothing is asked any more", async () => {
  const { clock, asked, stopped, early } = startProcess();
  stopped("a");
  await early.end();
  stopped("b");
  await clock.advance(1000);
  expect(asked).toEqual([]);
});
