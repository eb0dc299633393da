import { expect, test } from "vitest";
import * as v from "valibot";
import { isOpen, nextOpening, Window } from "./windows.ts";

const windowOf = (fields: object): Window => v.parse(Window, fields);
const at = (text: string): Date => new Date(text);
const sunday = windowOf({ days: ["sun"], start: "02:00", minutes: 120 });
const night = windowOf({ days: ["sat"], start: "23:30", minutes: 90 });
const berlin = windowOf({ start: "02:30", minutes: 30, zone: "Europe/Berlin" });

test("without a window it is always open", () => {
  expect(isOpen([], at("2026-11-29T10:00:00Z"))).toBe(true);
  expect(nextOpening([], at("2026-11-29T10:00:00Z"))).toEqual(at("2026-11-29T10:00:00Z"));
});

test.each([
  ["2026-11-29T01:59:59Z", false],
  ["2026-11-29T02:00:00Z", true],
  ["2026-11-29T03:59:59Z", true],
  ["2026-11-29T04:00:00Z", false],
  ["2026-11-30T02:30:00Z", false],
])("a window on Sundays, at %s: %s", (time, open) => {
  expect(isOpen([sunday], at(time))).toBe(open);
});

test.each([
  ["2026-11-28T23:29:00Z", false],
  ["2026-11-28T23:30:00Z", true],
  ["2026-11-29T00:59:00Z", true],
  ["2026-11-29T01:00:00Z", false],
  ["2026-11-29T23:45:00Z", false],
])("a window over midnight, at %s: %s", (time, open) => {
  expect(isOpen([night], at(time))).toBe(open);
});

test("the next opening is the first of all windows, to the minute", () => {
  expect(nextOpening([sunday, night], at("2026-11-26T12:34:56Z"))).toEqual(at("2026-11-28T23:30:00Z"));
  expect(nextOpening([sunday], at("2026-11-29T04:00:00Z"))).toEqual(at("2026-12-06T02:00:00Z"));
});

test("a zone's own time counts, in summer and in winter", () => {
  expect(isOpen([berlin], at("2026-07-01T00:30:00Z"))).toBe(true);
  expect(isOpen([berlin], at("2026-12-01T00:30:00Z"))).toBe(false);
  expect(nextOpening([berlin], at("2026-12-01T00:30:00Z"))).toEqual(at("2026-12-01T01:30:00Z"));
});

test("a start that a change of the clock skips is left out that day", () => {
  // On 29 March 2026 the clock of Berlin goes from 02:00 to 03:00.
  expect(nextOpening([berlin], at("2026-03-29T00:45:00Z"))).toEqual(at("2026-03-30T00:30:00Z"));
});

test.each([
  { start: "24:00", minutes: 5 },
  { start: "02:00", minutes: 0 },
  { start: "02:00", minutes: 5, zone: "Mars/Base" },
])("%j is no window", (fields) => {
  expect(v.safeParse(Window, fields).success).toBe(false);
});
