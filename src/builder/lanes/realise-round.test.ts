import { expect, test } from "vitest";
import { createFakeClock } from "../../../test/support/fake-clock.ts";
import { fakeDrv } from "../../../test/support/fake-nix.ts";
import type { NixActivity, Realiser } from "../../nix/realiser.ts";
import { createFailedHooks } from "./failed-hooks.ts";
import { startRound } from "./realise-round.ts";

const never = new AbortController().signal;
const limits = { timeoutSeconds: 36_000, silenceSeconds: 7200 };
const drvPath = fakeDrv("web");

/** A process that says only what it is told to say, and ends when it is ended. */
function startSilent() {
  const clock = createFakeClock();
  const ended = Promise.withResolvers<never>();
  let say: (activity: NixActivity) => void = () => undefined;
  const realise: Realiser["realise"] = async (_, __, onActivity, signal) => {
    say = (activity) => void onActivity(activity, () => ended.promise);
    signal.addEventListener("abort", () => ended.reject(signal.reason as Error), { once: true });
    return ended.promise;
  };
  const failedHooks = createFailedHooks();
  const given: string[] = [];
  const round = startRound(
    { nix: { realise }, clock, failedHooks },
    [drvPath],
    limits,
    (activity) => void given.push(activity.type),
    never,
  );
  let outcome = "runs";
  round.end.catch((error: unknown) => (outcome = String(error)));
  return { clock, say: (activity: NixActivity) => say(activity), outcome: () => outcome, given, round };
}

test("a Nix that says nothing for longer than any build may is ended, and nobody is accused", async () => {
  const { clock, say, outcome } = startSilent();
  say({ type: "derivation-started", drvPath });
  await clock.advance(7_200_000);
  expect(outcome()).toBe("runs");
  say({ type: "log-lines", drvPath, lines: ["compiling"] });
  await clock.advance(7_200_000);
  expect(outcome()).toBe("runs");
  await clock.advance(60_000);
  expect(outcome()).toMatch(
    /Nix printed nothing for 7260 seconds and was stopped: perhaps a remote builder hangs/,
  );
});

const waiting: NixActivity = { type: "waiting", reason: "waiting for a machine to build 'linux'" };

test("a Nix that only waits for others may be silent for as long as a build may take, and no longer", async () => {
  const { clock, say, outcome } = startSilent();
  say(waiting);
  await clock.advance(36_000_000);
  expect(outcome()).toBe("runs");
  await clock.advance(120_000);
  expect(outcome()).toMatch(/printed nothing for 36060 seconds and was stopped/);
});

test("what hangs after a Nix has only waited is noticed as soon", async () => {
  const { clock, say, outcome } = startSilent();
  say(waiting);
  await clock.advance(1000);
  say({ type: "derivation-started", drvPath });
  await clock.advance(14_520_000);
  expect(outcome()).toMatch(/was stopped/);
});

test("a Nix that waits for a machine that hangs with its builds is ended, and says which", async () => {
  const { clock, say, outcome } = startSilent();
  say({ type: "derivation-started", drvPath: fakeDrv("ended"), machine: "ssh://arm2" });
  say({ type: "derivation-started", drvPath, machine: "ssh://arm1" });
  say(waiting);
  say({ type: "derivation-stopped", drvPath: fakeDrv("ended") });
  await clock.advance(7_260_000);
  expect(outcome()).toMatch(/was stopped: perhaps ssh:\/\/arm1 hangs/);
});

test("what Nix says while it is ended says nothing of its builds", async () => {
  const { clock, say, given, round } = startSilent();
  say({ type: "derivation-started", drvPath, machine: "ssh://arm1" });
  await clock.advance(7_260_000);
  expect(round.isStuck()).toBe(true);
  say({ type: "derivation-stopped", drvPath });
  expect(given).toEqual(["derivation-started"]);
});

test("a Nix that copies may take its time, unless nothing arrives any more", async () => {
  const { clock, say, outcome } = startSilent();
  say({ type: "fetch-counts", done: 0, expected: 1 });
  for (let hours = 0; hours < 10; hours++) {
    await clock.advance(3_600_000);
    say({ type: "transferred" });
  }
  expect(outcome()).toBe("runs");
  await clock.advance(7_260_000);
  expect(outcome()).toMatch(/was stopped/);
});
