import { expect, test } from "vitest";
import { systemClock } from "../../base/clock.ts";
import { parseConfig } from "../../config/load.ts";
import { checkClock, clockSources, judgeClock } from "./check-clock.ts";

const at = Date.parse("2026-01-02T03:04:05Z");
const never = new AbortController().signal;

test.each([
  ["the same second", 500, "ok"],
  ["a slow answer", 4000, "ok"],
  ["some seconds ahead", 10_000, "warning"],
  ["some seconds behind", -10_000, "warning"],
  ["a minute ahead", 60_000, "wrong"],
  ["an hour behind", -3_600_000, "wrong"],
])("%s", (_, offset, state) => {
  expect(judgeClock("https://git.lan", at, { before: at + offset, after: at + offset + 20 }).state).toBe(
    state,
  );
});

test("every HTTP server of the configuration is asked once", () => {
  const { config } = parseConfig(
    JSON.stringify({
      repos: {
        a: { url: "https://git.lan/a.git" },
        b: { url: "https://git.lan/b.git" },
        c: { url: "ssh://git@git.lan/c.git" },
      },
      cache: { url: "http://cache.lan:5000" },
    }),
    "test",
  );
  expect(clockSources(config)).toEqual(["https://git.lan", "http://cache.lan:5000"]);
});

test("without a server to ask nothing is known, and of one that does not answer others speak", async () => {
  const parts = { clock: systemClock, fetch: () => Promise.reject(new Error("away")) };
  expect((await checkClock([], parts, never)).map(({ state }) => state)).toEqual(["unknown"]);
  expect(await checkClock(["http://cache.lan"], parts, never)).toEqual([]);
});
