import { expect, test } from "vitest";
import { requirementsOf } from "./derivation-requirements.ts";

test("a derivation that asks for nothing has no specification", () => {
  expect(requirementsOf(new Map([["name", "x"]]), false)).toEqual({});
  expect(requirementsOf(new Map([["url", "https://a/x"]]), false)).toEqual({});
});

test("features and sources are words of the environment", () => {
  const environment = new Map([
    ["requiredSystemFeatures", "kvm big-parallel"],
    ["url", ""],
    ["urls", "https://a/x mirror://gnu/x"],
  ]);
  expect(requirementsOf(environment, true)).toEqual({
    requiredFeatures: ["kvm", "big-parallel"],
    fetches: ["https://a/x", "mirror://gnu/x"],
  });
});

test("or they are in structured attributes", () => {
  const attributes = { requiredSystemFeatures: ["kvm"], urls: ["https://a/x"], url: 7 };
  expect(requirementsOf(new Map([["__json", JSON.stringify(attributes)]]), true)).toEqual({
    requiredFeatures: ["kvm"],
    fetches: ["https://a/x"],
  });
  expect(requirementsOf(new Map([["__json", "{"]]), true)).toEqual({ fetches: [] });
});

test("sources are few and short", () => {
  const urls = Array.from({ length: 50 }, () => "x".repeat(5000)).join(" ");
  const { fetches = [] } = requirementsOf(new Map([["urls", urls]]), true);
  expect(fetches.map(({ length }) => length)).toEqual(Array.from({ length: 10 }, () => 500));
});
