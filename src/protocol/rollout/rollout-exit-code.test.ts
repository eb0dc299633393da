import { expect, test } from "vitest";
import { playRollout } from "../../../test/support/played-rollout.ts";
import { rolloutExitCode } from "./rollout-exit-code.ts";

const finished = (outcome: string): object => ({ type: "finished", outcome });
const allDone = () => {
  const hosts = ["testvm01", "web01", "web02", "laptop", "gitea"];
  let played = playRollout().orders(2, ...hosts);
  for (const host of hosts) played = played.ends(3, host);
  return played;
};

test("nobody knows while it runs", () => {
  expect(rolloutExitCode(playRollout().rollout())).toBeUndefined();
  expect(rolloutExitCode(playRollout().add(2, { type: "aborted", by: "mo" }).rollout())).toBeUndefined();
});

test("only where every host runs it, it is success", () => {
  expect(rolloutExitCode(allDone().add(9, finished("completed")).rollout())).toBe(0);
  // Nobody may call a rollout completed of which a host is not there.
  expect(rolloutExitCode(playRollout().add(9, finished("completed")).rollout())).toBe(3);
});

test.each([
  ["completed-with-absent", 3],
  ["failed", 1],
  ["aborted", 3],
  ["superseded", 3],
])("%s exits with %i, whatever hosts did", (outcome, code) => {
  expect(rolloutExitCode(allDone().add(9, finished(outcome)).rollout())).toBe(code);
});

test.each([
  ["a host that was rolled back", { outcome: "rolled-back", code: "UNHEALTHY" }, 1],
  ["a host that is lost", { outcome: "lost" }, 1],
  ["a host that refused its order", { outcome: "rejected", code: "SIGNER_MAY_NOT" }, 4],
  ["a host that is held", { outcome: "rejected", code: "HELD" }, 4],
  ["a host that somebody else deployed", { outcome: "superseded" }, 3],
  ["a host that did not take its order", { outcome: "not-taken" }, 3],
])("%s makes a completed rollout exit with its code", (_, result, code) => {
  const played = playRollout().orders(2, "testvm01", "web01", "web02", "laptop", "gitea");
  for (const host of ["testvm01", "web02", "laptop", "gitea"]) played.ends(3, host);
  played.ends(4, "web01", result).add(9, finished("completed"));
  expect(rolloutExitCode(played.rollout())).toBe(code);
});

test("of several hosts 1 comes before 4, and 4 before 3", () => {
  const mixed = playRollout()
    .orders(2, "testvm01", "web01")
    .ends(3, "testvm01", { outcome: "rejected", code: "UNTRUSTED_SIGNER" });
  expect(rolloutExitCode(mixed.add(9, finished("aborted")).rollout())).toBe(4);
  const worse = playRollout()
    .orders(2, "testvm01", "web01")
    .ends(3, "testvm01", { outcome: "rejected", code: "UNTRUSTED_SIGNER" })
    .ends(4, "web01", { outcome: "rolled-back" });
  expect(rolloutExitCode(worse.add(9, finished("aborted")).rollout())).toBe(1);
});
