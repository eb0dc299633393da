import fc from "fast-check";
import { expect, test } from "vitest";
import { storePath } from "../../../test/support/build-events.ts";
import { createDerivationCounts } from "./derivation-counts.ts";

const [web, db, shared, foreign] = ["web", "db", "shared", "foreign"].map((name) => storePath(`${name}.drv`));
if (web === undefined || db === undefined || shared === undefined || foreign === undefined)
  throw new Error("names");

test("what is built for other builds does not count", () => {
  const counts = createDerivationCounts();
  expect(counts.read([foreign])).toBeUndefined();
  counts.toBuild([web, shared]);
  counts.ended(foreign, "built");
  expect(counts.read([shared, foreign])).toEqual({ done: 0, running: 1, failed: 0, total: 2 });
});

test("what two processes plan, or build again after a failure, counts once", () => {
  const counts = createDerivationCounts();
  counts.toBuild([web, shared]);
  counts.ended(shared, "failed");
  expect(counts.read([])).toEqual({ done: 0, running: 0, failed: 1, total: 2 });
  counts.toBuild([shared, db]);
  counts.ended(shared, "built");
  counts.ended(shared, "built");
  counts.ended(shared, "failed");
  expect(counts.read([])).toEqual({ done: 1, running: 0, failed: 0, total: 3 });
});

test("what is built and what is to be built never become less", () => {
  const drvPath = fc.constantFrom(web, db, shared, foreign);
  const step = fc.oneof(
    fc.record({ toBuild: fc.array(drvPath) }),
    fc.record({ ended: drvPath, outcome: fc.constantFrom("built", "failed") }),
  );
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const counts = createDerivationCounts();
      let [done, total] = [0, 0];
      for (const happens of steps) {
        if ("toBuild" in happens) counts.toBuild(happens.toBuild);
        else counts.ended(happens.ended, happens.outcome);
        const now = counts.read([]) ?? { done: 0, failed: 0, total: 0 };
        expect(now.done).toBeGreaterThanOrEqual(done);
        expect(now.total).toBeGreaterThanOrEqual(total);
        expect(now.done + now.failed).toBeLessThanOrEqual(now.total);
        ({ done, total } = now);
      }
    }),
  );
});
