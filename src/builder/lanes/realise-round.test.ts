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
  const round = startRound(
    { nix: { realise }, clock, failedHooks },
    [drvPath],
    limits,
    () => undefined,
    never,
  );
  let outcome = "runs";
  round.end.catch((error: unknown) => (outcome = String(error)));
  return { clock, say: (activity: NixActivity) => say(activity), outcome: () => outcome };
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

test.each<NixActivity>([
  { type: "waiting", reason: "waiting for the lock on linux: another Nix process builds it" },
  { type: "fetch-counts", done: 0, expected: 1 },
])("a Nix that says nothing after $type has something to wait for", async (activity) => {
  const { clock, say, outcome } = startSilent();
  say(activity);
  await clock.advance(30_000_000);
  expect(outcome()).toBe("runs");
});
