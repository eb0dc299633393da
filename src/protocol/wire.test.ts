import fc from "fast-check";
import { expect, test } from "vitest";
import { HomelabError } from "../base/errors.ts";
import { decodeEvent, encodeEvent, inEventSizes, type BuildEvent } from "./events.ts";
import { parseBuildId, parseBuilderName, parseCommit, parseHostName, parseRepoName } from "./names.ts";
import { decodeControl, decodeRequest, encodeRequest, salvageRequest } from "./request.ts";
import { limits } from "./wire.ts";

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const id = parseBuildId("01JD0000000000000000000000");

function codeOf(act: () => unknown): string | undefined {
  try {
    act();
  } catch (error) {
    if (error instanceof HomelabError) return error.code;
    throw error;
  }
  return undefined;
}

test("{} and an empty body are requests", () => {
  expect(decodeRequest(bytes("{}"))).toEqual({});
  expect(decodeRequest(bytes(""))).toEqual({});
  expect(decodeRequest(bytes(" \n"))).toEqual({});
});

test("fields of a later version are ignored, a later version is not", () => {
  expect(decodeRequest(bytes('{"v":1,"id":"01JD0000000000000000000000","colour":"red"}'))).toEqual({ id });
  expect(codeOf(() => decodeRequest(bytes('{"v":2}')))).toBe("BAD_VERSION");
  expect(codeOf(() => decodeRequest(bytes('{"v":"1"}')))).toBe("BAD_VERSION");
});

test.each([
  ["not json", "BAD_JSON"],
  ["[]", "BAD_MESSAGE"],
  ["null", "BAD_MESSAGE"],
  ['"text"', "BAD_MESSAGE"],
  ['{"hosts":["a/*"]}', "BAD_MESSAGE"],
  ['{"hosts":[]}', "BAD_MESSAGE"],
  ['{"rev":"HEAD"}', "BAD_MESSAGE"],
  ['{"branch":"--upload-pack=x"}', "BAD_MESSAGE"],
  ['{"replyTo":"deploy.web01"}', "BAD_MESSAGE"],
  ['{"requestedBy":"a\\u001b[2J"}', "BAD_MESSAGE"],
  ["[".repeat(100_000), "TOO_LARGE"],
  ["[".repeat(50_000), "BAD_JSON"],
])("%.30s is refused as %s", (text, code) => {
  expect(codeOf(() => decodeRequest(bytes(text)))).toBe(code);
});

test("a message above its limit is refused before it is parsed", () => {
  expect(codeOf(() => decodeRequest(new Uint8Array(limits.request + 1)))).toBe("TOO_LARGE");
});

test("no bytes make a decoder throw anything but its own error", () => {
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.json().map(bytes)), (data) => {
      for (const decode of [decodeRequest, decodeControl, decodeEvent]) {
        expect(["undefined", "BAD_JSON", "BAD_MESSAGE", "BAD_VERSION"]).toContain(
          String(codeOf(() => decode(data))),
        );
      }
      salvageRequest(data);
    }),
    { numRuns: 5000 },
  );
});

test("a polluted prototype stays out", () => {
  decodeRequest(bytes('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}'));
  expect("polluted" in {}).toBe(false);
});

test("of a refused request the id and the reply subject are salvaged when they are sound", () => {
  expect(salvageRequest(bytes(`{"id":"${id}","hosts":7,"replyTo":"build-replies.ci.1"}`))).toEqual({
    id,
    replyTo: "build-replies.ci.1",
  });
  expect(salvageRequest(bytes('{"id":"nonsense","replyTo":"deploy.x"}'))).toEqual({
    id: undefined,
    replyTo: undefined,
  });
  expect(salvageRequest(bytes("nonsense"))).toEqual({});
});

test("what is encoded is decoded to the same", () => {
  const event: BuildEvent = {
    build: id,
    epoch: 1,
    index: 0,
    at: "2026-11-23T14:00:00.000Z",
    type: "accepted",
    builder: parseBuilderName("cache01"),
    priority: "interactive",
    trigger: "manual",
    sources: [{ repo: parseRepoName("nixos"), commit: parseCommit("a".repeat(40)) }],
    hosts: [{ repo: parseRepoName("nixos"), host: parseHostName("gunter") }],
    skipped: [{ repo: parseRepoName("nixos"), host: "we b", reason: "its name" }],
  };
  expect(decodeEvent(encodeEvent(event))).toEqual(event);
  expect(decodeRequest(encodeRequest({ id, priority: "batch" }))).toEqual({ id, priority: "batch" });
});

test("a long list is cut into pieces that fit, in order, and nothing is lost", () => {
  const items = Array.from({ length: 5000 }, (_, i) => ({ name: `host${i}`, text: "x".repeat(i % 300) }));
  const pieces = inEventSizes(items);
  expect(pieces.flat()).toEqual(items);
  for (const piece of pieces) expect(JSON.stringify(piece).length).toBeLessThan(limits.event);
  expect(inEventSizes([])).toEqual([]);
});
