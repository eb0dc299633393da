import { expect, test } from "vitest";
import {
  collectServer,
  parseCount,
  parseDuration,
  parsePort,
  parsePositive,
  parseScale,
  parseBuildReference,
} from "./parse-options.ts";

test.each([
  ["90s", 90_000],
  ["30m", 1_800_000],
  ["2h", 7_200_000],
  ["596h", 2_145_600_000],
])("the duration %s is %i ms", (text, milliseconds) => {
  expect(parseDuration(text)).toBe(milliseconds);
});

test.each(["nats://nats.lan:4222", "tls://nats.lan", "localhost:4222", "nats://[::1]:4222"])(
  "%s is a server",
  (server) => {
    expect(collectServer(server, ["nats://a"])).toEqual(["nats://a", server]);
  },
);

test.each([
  "http://nats.lan",
  "nats://kai:secret@nats.lan",
  "",
  "nats://a,nats://b",
  "nats://a/b",
  "nats://a:99999",
])("%j is no server, and is not quoted", (server) => {
  expect(() => collectServer(server, undefined)).toThrow(/^It must be nats:\/\/host:port/);
});

test.each([
  [parseDuration, ["", "0", "5", "90", "-1s", "1d", "1.5h", "597h", "9999999h", "2 h"]],
  [parseCount, ["", "-1", "1.5", "1e3", "9999999999"]],
  [parsePositive, ["0", "x"]],
  [parsePort, ["0", "65536"]],
  [parseScale, ["0", "-1", "101", "x", "Infinity"]],
  [parseBuildReference, ["", "../../etc/passwd", "01J*", "build.>", "x".repeat(27)]],
])("%o refuses what it does not understand", (parse, texts) => {
  for (const text of texts) expect(() => parse(text), text).toThrow(/must (?:be|have)/);
});

test("what is too long is told so", () => {
  expect(() => parseDuration("99999999999h")).toThrow("at most 596h");
});
