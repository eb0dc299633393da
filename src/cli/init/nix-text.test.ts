import { expect, test } from "vitest";
import { nixText } from "./nix-text.ts";

test("values are written as Nix reads them", () => {
  expect(nixText({ a: 1, "b.c": [true, "x"], with: {}, left: undefined, empty: [] })).toBe(`{
  a = 1;
  "b.c" = [
    true
    "x"
  ];
  "with" = { };
  empty = [ ];
}`);
});

test("no text can begin an expression or end itself", () => {
  expect(nixText('${builtins.abort "x"} \\ "')).toBe(String.raw`"\${builtins.abort \"x\"} \\ \""`);
});
