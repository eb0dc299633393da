import * as v from "valibot";
import { expect, test } from "vitest";
import { StorePath } from "../../protocol/names.ts";
import { createBuildTimes } from "./build-times.ts";

const drvPath = v.parse(StorePath, `/nix/store/${"a".repeat(32)}-x.drv`);

test("a build that starts again is measured from its last start", () => {
  let now = 0;
  const times = createBuildTimes({ monotonic: () => now });
  times.take({ type: "derivation-started", drvPath });
  now = 1000;
  times.take({ type: "derivation-stopped", drvPath });
  now = 5000;
  times.take({ type: "derivation-started", drvPath });
  times.take({ type: "phase", drvPath, phase: "buildPhase" });
  now = 5500;
  expect(times.read()).toEqual(new Map([[drvPath, { durationMs: 500, silentMs: 500, phase: "buildPhase" }]]));
});

test("what never started has no times", () => {
  const times = createBuildTimes({ monotonic: () => 0 });
  times.take({ type: "log-line", drvPath, line: "hello" });
  expect(times.read().size).toBe(0);
});
