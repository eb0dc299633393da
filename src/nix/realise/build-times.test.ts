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
  times.take({ type: "derivation-stopped", drvPath });
  expect(times.read().get(drvPath)).toMatchObject({ durationMs: 500, end: "known" });
});

test("what never started has no times", () => {
  const times = createBuildTimes({ monotonic: () => 0 });
  times.take({ type: "log-lines", drvPath, lines: ["hello"] });
  expect(times.read().size).toBe(0);
});

test("an end that Nix may tell late is not known", () => {
  let now = 0;
  const times = createBuildTimes({ monotonic: () => now }, new Set([drvPath]));
  times.take({ type: "derivation-started", drvPath });
  now = 60_000;
  times.take({ type: "derivation-stopped", drvPath });
  expect(times.read().get(drvPath)).toMatchObject({ durationMs: 60_000, end: "late" });
});

test.each([
  ["its start", { start: 10_500, end: 20_000 }, "late"],
  ["its end", { start: 0, end: 10_500 }, "late"],
  ["neither", { start: 0, end: 12_000 }, "known"],
])("what is read long after Nix wrote it tells no times: %s", (_, { start, end }, known) => {
  let now = 0;
  const times = createBuildTimes({ monotonic: () => now });
  const happenings: readonly (readonly [at: number, happens: () => void])[] = [
    [start, () => times.take({ type: "derivation-started", drvPath })],
    [end, () => times.take({ type: "derivation-stopped", drvPath })],
    [8000, () => times.stalled(900)],
    [10_000, () => times.stalled(5000)],
  ];
  for (const [at, happens] of happenings.toSorted(([a], [b]) => a - b)) {
    now = at;
    happens();
  }
  expect(times.read().get(drvPath)?.end).toBe(known);
});

test("a post-build-hook is no part of the build before it", () => {
  let now = 0;
  const times = createBuildTimes({ monotonic: () => now }, new Set([drvPath]));
  times.take({ type: "derivation-started", drvPath });
  now = 2000;
  times.take({ type: "hook-started", drvPath });
  now = 60_000;
  times.take({ type: "hook-stopped", drvPath });
  times.take({ type: "derivation-stopped", drvPath });
  expect(times.read().get(drvPath)).toMatchObject({ durationMs: 2000, end: "known" });
});
