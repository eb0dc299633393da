import * as v from "valibot";
import { expect, test } from "vitest";
import { decodeJson, jsonOrNothing, parseJson, TooDeepError } from "./json.ts";

const nested = (depth: number): string => "[".repeat(depth) + "]".repeat(depth);

test("what is nested too deeply is refused before anything can call itself that often", () => {
  expect(JSON.stringify(parseJson(nested(64)))).toBe(nested(64));
  for (const text of [nested(65), nested(200_000), '{"a":'.repeat(65)]) {
    expect(() => parseJson(text)).toThrow(TooDeepError);
    expect(jsonOrNothing(text)).toBeUndefined();
  }
});

test("brackets in strings are text", () => {
  const value = { a: `\\"${"[".repeat(100)}`, b: ["{".repeat(100)] };
  expect(parseJson(JSON.stringify(value))).toEqual(value);
});

test.for(["", "{", "nul", '"a'])("%j is no JSON", (text) => {
  expect(() => parseJson(text)).toThrow(SyntaxError);
  expect(jsonOrNothing(text)).toBeUndefined();
  expect(decodeJson(v.unknown(), text)).toBeUndefined();
});

test("what is decoded is what the schema says, or nothing", () => {
  const schema = v.object({ n: v.number() });
  expect(decodeJson(schema, '{"n":1,"more":2}')).toEqual({ n: 1 });
  expect(decodeJson(schema, '{"n":"1"}')).toBeUndefined();
  expect(jsonOrNothing("null")).toBeNull();
});
