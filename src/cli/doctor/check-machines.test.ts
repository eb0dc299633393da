import { expect, test } from "vitest";
import { parseMachines } from "../../nix/settings/machines.ts";
import { checkMachines, judgeMachine } from "./check-machines.ts";

const machines = parseMachines(
  "ssh://arm1?remote-program=/x aarch64-linux,armv7l-linux - 4\nssh-ng://arm2 aarch64-linux",
  "x86_64-linux",
);
const [arm1 = expect.fail(), arm2 = expect.fail()] = machines;
const here = ["x86_64-linux"];
const failed = { result: "failed", because: "No route to host" } as const;

test("one that builds is in order", () => {
  expect(judgeMachine(arm1, { result: "built" }, { here, machines })).toMatchObject({
    check: "remote builder ssh://arm1",
    state: "ok",
    message: "builds for aarch64-linux armv7l-linux, 4 jobs at a time",
  });
});

test("one that does not is wrong where nothing else builds for its systems", async () => {
  const findings = await checkMachines(
    {
      places: { here, machines },
      tryRemoteBuild: async (machine) => (machine === arm1 ? failed : { result: "built" }),
    },
    AbortSignal.timeout(60_000),
  );
  expect(findings.map(({ state }) => state)).toEqual(["wrong", "ok"]);
  expect(findings[0]?.message).toBe(
    "cannot build there: No route to host; nothing else builds for armv7l-linux",
  );
  expect(judgeMachine(arm2, failed, { here, machines: [arm1] })).toMatchObject({
    state: "warning",
    message: "cannot build there: No route to host",
  });
  expect(judgeMachine(arm2, failed, { here: [...here, "aarch64-linux"], machines: [] })).toMatchObject({
    state: "warning",
  });
});

test("what was built elsewhere says nothing of it", () => {
  expect(judgeMachine(arm1, { result: "elsewhere" }, { here, machines }).state).toBe("unknown");
});

test("many are not all tried, which is said", async () => {
  const many = parseMachines(
    Array.from({ length: 18 }, (_, index) => `ssh://m${index} aarch64-linux`).join("\n"),
    "x86_64-linux",
  );
  const findings = await checkMachines(
    { places: { here, machines: many }, tryRemoteBuild: async () => ({ result: "built" }) },
    AbortSignal.timeout(60_000),
  );
  expect(findings.filter(({ state }) => state === "unknown").map(({ check }) => check)).toEqual([
    "remote builder ssh://m16",
    "remote builder ssh://m17",
  ]);
});
