import fc from "fast-check";
import { expect, test } from "vitest";
import type { RunningDerivation } from "../../../protocol/progress.ts";
import { startedDerivations } from "./started-derivations.ts";

const running = (name: string, elapsedMs: number): RunningDerivation => ({ name, elapsedMs });

test("what was not there before has started", () => {
  const linux = running("linux-6.18.4", 500);
  const after = [running("linux-6.18.4", 600), running("gitea-1.26.1", 20)];
  expect(startedDerivations([linux], after)).toEqual([running("gitea-1.26.1", 20)]);
  expect(startedDerivations([], [linux])).toEqual([linux]);
  expect(startedDerivations([linux], [])).toEqual([]);
});

test("a second one of the same name, and one that ended and another that began", () => {
  const second = running("source", 10);
  expect(startedDerivations([running("source", 500)], [running("source", 600), second])).toEqual([second]);
  expect(startedDerivations([running("source", 500)], [second])).toEqual([second]);
});

test("each derivation starts once, however many run under the same name", () => {
  const life = fc.record({
    name: fc.constantFrom("a", "b"),
    from: fc.integer({ min: 0, max: 50 }),
    ticks: fc.integer({ min: 1, max: 20 }),
  });
  fc.assert(
    fc.property(fc.array(life, { maxLength: 12 }), (lives) => {
      let started = 0;
      let before: RunningDerivation[] = [];
      for (let now = 0; now <= 80; now++) {
        const after = lives
          .filter(({ from, ticks }) => from <= now && now < from + ticks)
          .toSorted((a, b) => a.from - b.from)
          .map(({ name, from }) => running(name, (now - from) * 100));
        started += startedDerivations(before, after).length;
        before = after;
      }
      expect(started).toBe(lives.length);
    }),
  );
});
