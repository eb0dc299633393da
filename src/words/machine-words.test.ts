import { expect, test } from "vitest";
import { storePath } from "../../test/support/build-events.ts";
import type { DerivationFailure } from "../protocol/events.ts";
import { explain } from "./failure-groups.ts";
import { onMachine } from "./machine-words.ts";

test("a machine is called by its host, and the builder itself not at all", () => {
  expect(["ssh://arm1", "ssh-ng://me@arm1", "daemon", undefined].map(onMachine)).toEqual([
    " on arm1",
    " on me@arm1",
    " on daemon",
    "",
  ]);
});

test("a failure says where it was built, once", () => {
  const failure: DerivationFailure = {
    drvPath: storePath("etc.drv"),
    name: "etc",
    kind: "failed",
    reason: "builder failed with exit code 3",
    phase: "checkPhase",
    machine: "ssh://arm1",
    tail: [],
    hosts: [],
  };
  expect(explain(failure)).toBe("builder failed with exit code 3 (checkPhase, on arm1)");
  const reason = "its build on ssh://arm1 was lost: no route to host";
  expect(explain({ ...failure, phase: undefined, reason })).toBe(reason);
});
