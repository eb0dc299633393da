import { afterEach, expect, test, vi } from "vitest";
import { formatAbsolute, formatAgo, formatBytes, formatDuration, formatUtcTime } from "./duration.ts";

afterEach(() => vi.unstubAllEnvs());

const seconds = (count: number): number => count * 1000;

test.each([
  [0, "0s"],
  [999, "0s"],
  [-5, "0s"],
  [seconds(42), "42s"],
  [seconds(73), "1m13s"],
  [seconds(60), "1m00s"],
  [seconds(3599) + 999, "59m59s"],
  [seconds(2 * 3600 + 4 * 60 + 59), "2h04m"],
  [seconds(3 * 86_400 + 2 * 3600), "3d02h"],
])("%i ms are %s", (milliseconds, text) => {
  expect(formatDuration(milliseconds)).toBe(text);
});

test.each([
  ["2026-11-23T12:00:00Z", "just now"],
  ["2026-11-23T12:00:30Z", "just now"],
  ["2026-11-23T11:57:00Z", "3 min ago"],
  ["2026-11-23T07:00:00Z", "5 h ago"],
  ["2026-11-22T06:00:00Z", "30 h ago"],
  ["2026-11-11T12:00:00Z", "12 d ago"],
  ["never", "at an unknown time"],
])("%s was %s", (then, text) => {
  expect(formatAgo(new Date(then), new Date("2026-11-23T12:00:00Z"))).toBe(text);
});

test.each([
  [0, "0 B"],
  [512, "512 B"],
  [1023, "1023 B"],
  [1024, "1.0 KiB"],
  [1.5 * 2 ** 30, "1.5 GiB"],
  [1024 * 1024 - 1, "1.0 MiB"],
  [120 * 2 ** 30, "120 GiB"],
])("%d bytes are %s", (bytes, text) => {
  expect(formatBytes(bytes)).toBe(text);
});

test("lines for logs have the time of day in UTC", () => {
  expect(formatUtcTime(new Date("2026-11-23T14:08:58.123Z"))).toBe("14:08:58Z");
});

test.each([
  ["UTC", "2026-11-23 14:08:58 +0000"],
  ["Europe/Berlin", "2026-11-23 15:08:58 +0100"],
  ["America/St_Johns", "2026-11-23 10:38:58 -0330"],
])("in %s it is %s", (zone, text) => {
  vi.stubEnv("TZ", zone);
  expect(formatAbsolute(new Date("2026-11-23T14:08:58Z"))).toBe(text);
  expect(formatAbsolute(new Date(Number.NaN))).toBe("at an unknown time");
});
