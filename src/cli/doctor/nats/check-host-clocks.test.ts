import { expect, test } from "vitest";
import { someHostState } from "../../../../test/support/fake-deploy-bus.ts";
import { judgeHostClocks } from "./check-host-clocks.ts";

const now = new Date("2026-11-29T12:00:00.000Z");
const state = (host: string, at: string, ok = true) => someHostState({ host, at, clock: { ok } });
const briefOf = (...states: readonly ReturnType<typeof state>[]) =>
  judgeHostClocks(states, now).map(({ check, state: how }) => `${how} ${check}`);

test("a host with a wrong clock is named, and one that speaks from the future", () => {
  expect(
    briefOf(
      state("web01", "2026-11-29T11:59:30.000Z"),
      state("db01", "1970-01-01T00:10:00.000Z", false),
      state("nas", "2026-11-29T12:10:00.000Z"),
      state("late", "2026-11-29T10:00:00.000Z"),
    ),
  ).toEqual(["wrong clock of nixos-servers/db01", "warning clock of nixos-servers/nas"]);
});

test("in order is one word, and nothing is said where no host ever spoke", () => {
  expect(briefOf(state("web01", "2026-11-29T12:00:30.000Z"))).toEqual(["ok host clocks"]);
  expect(briefOf()).toEqual([]);
});
