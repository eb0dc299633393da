import { expect, test } from "vitest";
import { usableTime } from "./input-time.ts";

const at = (date: string): number => Date.parse(date) / 1000;

test.each([
  ["a commit of today", at("2026-11-20T04:05:06Z")],
  ["what nobody has touched for decades", at("1998-03-31T00:00:00Z")],
])("%s has a time", (_, seconds) => {
  expect(usableTime(seconds)).toBe(seconds);
});

test.each([
  ["no time", undefined],
  ["the epoch", 0],
  ["the Nix store", 1],
  ["a time before the epoch", -1_700_000_000],
  ["an archive that zip could not date", at("1980-01-01T00:00:00Z")],
  ["an archive of npm", at("1985-10-26T08:15:00Z")],
  ["milliseconds that were taken for seconds", 1_700_000_000_000],
  ["the largest number of 32 bits", 4_294_967_295],
  ["the largest safe number", Number.MAX_SAFE_INTEGER],
  ["nothing that is a number", Number.NaN],
])("%s is no time that says when it was made", (_, seconds) => {
  expect(usableTime(seconds)).toBeUndefined();
});
