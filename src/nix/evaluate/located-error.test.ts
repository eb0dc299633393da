import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { locatedError } from "./located-error.ts";
import { createEvaluationLogReader } from "./evaluation-log.ts";

const versions = ["2.8.0", "2.26.3", "2.34.8"] as const;
const fixtures = join(import.meta.dirname, "../../../test/fixtures/nix-logs");

function textIn(version: string, log: string): string {
  const reader = createEvaluationLogReader();
  reader.write(readFileSync(join(fixtures, version, `${log}.log`)));
  const { error } = reader.end();
  return error === undefined ? "there is no error" : locatedError(error);
}

test.each(versions)(
  "Nix %s: a mistake has its file, line and column, and the source around it",
  (version) => {
    expect(textIn(version, "eval_missing").split("\n")).toEqual([
      expect.stringMatching(/flake\.nix:\d+:22: attribute 'missingAttribute' missing$/),
      expect.stringContaining('abort = x: abort "host ${name}: aborted";'),
      expect.stringContaining("missing = x: ({ }).missingAttribute;"),
      expect.stringMatching(/^\s*\|\s+\^$/),
      expect.stringContaining('type = x: 1 + "a";'),
    ]);
  },
);

test.each(["2.26.3", "2.34.8"])("Nix %s: what is thrown has the place where it was thrown", (version) => {
  expect(textIn(version, "eval_throw")).toMatch(
    /^\S*flake\.nix:\d+:20: host host01: this option does not exist\n/,
  );
});

const error = { text: "infinite recursion encountered", whole: "infinite recursion encountered" };

test("an error without a place stands alone", () => {
  expect(locatedError(error)).toBe("infinite recursion encountered");
});

/** `throw ""` and what else Nix 2.34 prints of a flake, in its words. */
const flake = {
  path: "/nix/store/0ig357brx9v33cfjzs1gxndkn3qwykwv-source",
  commit: "efc418418f520336f6d44ea8962ab0b63167f4cf",
};
const reference = `«git+file:///s?ref=refs/heads/main&rev=${flake.commit}»`;

test("an error without a message has its place, and says that it has no message", () => {
  const whole = `… while evaluating the attribute 'a.toplevel'
         at ${reference}/flake.nix:3:16:
            2|   outputs = { self }: let
            3|     top = x: { toplevel = x; };
             |                ^
            4|   in {

       … while calling the 'throw' builtin
         at ${reference}/flake.nix:5:14:
            4|   in {
            5|     a = top (throw "");
             |              ^
            6|     f = top (x: x);

       error:`;
  const [first, , line] = locatedError({ text: "", whole, source: flake }).split("\n");
  expect(first).toBe("flake.nix:5:14: an error without a message");
  expect(line).toContain('a = top (throw "");');
});

test("a function is named by its place in the flake", () => {
  const text = `expected a set but found a function: «lambda @ ${reference}/flake.nix:6:14»`;
  expect(locatedError({ text, whole: `error: ${text}`, source: flake })).toBe(
    "expected a set but found a function: «lambda @ flake.nix:6:14»",
  );
});

test("what cannot be built while it evaluates has the reason in its first line", () => {
  const text = `Cannot build '/nix/store/dsdviccj56024sl5zkqca1dxng1hshfg-generated.nix.drv'.
Reason: builder failed with exit code 3.
Output paths:
  /nix/store/0qk30q0r17ga1gnfn4lzn8g3baxdhd1g-generated.nix`;
  expect(locatedError({ text, whole: "" }).split("\n").slice(0, 2)).toEqual([
    "Cannot build '/nix/store/dsdviccj56024sl5zkqca1dxng1hshfg-generated.nix.drv': builder failed with exit code 3",
    "Output paths:",
  ]);
});

test("before any host is evaluated, a file of the flake is named without the mirror that has it", () => {
  const mirror = `«git+file:///var/lib/homelab-deploy/mirrors/fleet.git?ref=refs/homelab-deploy/${flake.commit}&rev=${flake.commit}»`;
  const text = `Could not parse '${mirror}/flake.lock': [json.exception.parse_error.101] parse error at line 2, column 1: syntax error`;
  expect(locatedError({ text, whole: text })).toBe(
    "Could not parse 'flake.lock': [json.exception.parse_error.101] parse error at line 2, column 1: syntax error",
  );
  const input = "path '«github:NixOS/nixpkgs/0123?narHash=x»/flake.nix' does not exist";
  expect(locatedError({ text: input, whole: input })).toBe(input);
});

test("a place in what Nix has built in is no place", () => {
  const whole = `… while evaluating the attribute 'nixosConfigurations'
         at «flakes-internal»/call-flake.nix:75:9:
           74|       result =
           75|         outputs
             |         ^

       error: outputs are broken`;
  expect(locatedError({ text: "outputs are broken", whole })).toBe("outputs are broken");
});

test("a place without source is said", () => {
  const position = { file: "/nix/store/00000000000000000000000000000000-source/a/b.nix", line: 3, column: 4 };
  expect(locatedError({ ...error, position })).toBe("a/b.nix:3:4: infinite recursion encountered");
});

test("a place in the expression that we evaluate is no place", () => {
  const text = "attribute 'system' missing";
  const position = { file: "configurations: let\n toplevel = config.system", line: 6, column: 18 };
  const whole = `${text}\n       at «string»:6:18:\n            6| toplevel = config.system`;
  expect(locatedError({ text, whole, position })).toBe(text);
  expect(locatedError({ text, whole: whole.replace("«string»", "(string)") })).toBe(text);
});

test("before its trace, as in 2.8, and behind it, the innermost call is the place", () => {
  const near = "while evaluating 'a'\n       at /s/near.nix:1:2:\n            1| a";
  const far = "while evaluating 'b'\n       at «github:o/r/0123»/far.nix:8:9:\n            8| b";
  expect(locatedError({ text: "no", whole: `no\n… ${near}\n… ${far}` })).toBe(
    "/s/near.nix:1:2: no\n      1| a",
  );
  expect(locatedError({ text: "no", whole: `… ${near}\n… ${far}\nerror: no` })).toBe(
    "far.nix:8:9: no\n      8| b",
  );
});

test("2.8 indents the further lines of a message in the trace, which still begins with the message", () => {
  const whole =
    "one\n       two\n… while a\n       at /s/near.nix:1:2:\n… while b\n       at /s/far.nix:8:9:";
  expect(locatedError({ text: "one\ntwo", whole })).toBe("/s/near.nix:1:2: one\ntwo");
});

test("an error of many lines keeps them, up to twenty", () => {
  const text = ["Failed assertions:", ...Array.from({ length: 40 }, (_, n) => `- assertion ${n}`)].join("\n");
  const lines = locatedError({ text, whole: text }).split("\n");
  expect(lines).toHaveLength(20);
  expect(lines.slice(0, 2)).toEqual(["Failed assertions:", "- assertion 0"]);
  expect(lines.at(-1)).toBe("[…]");
  expect(locatedError({ text: "x".repeat(1000), whole: "" })).toHaveLength(300);
});

const source = { path: "/s/11111111111111111111111111111111-source", commit: "0123" };
const library = "/s/00000000000000000000000000000000-source/lib/modules.nix";
/** As real NixOS has it, the innermost call first. */
const trace = (file: string): string[] => [
  `       at ${library}:809:9:\n\n          809|       { value = builtins.addErrorContext`,
  `       … while evaluating definitions from \`${file}':`,
  "       … while evaluating the option `networking.domain':",
  "       … while evaluating the option `system.build.toplevel':",
];

test("without a place in the flake, its module whose definition was evaluated last is named with the option", () => {
  const position = { file: library, line: 809, column: 9 };
  const own = trace(`${source.path}/hosts/web.nix`);
  const expected =
    "hosts/web.nix: infinite recursion encountered\n… while evaluating the option `networking.domain'";
  const before = [error.text, ...own].join("\n");
  expect(locatedError({ ...error, whole: before, position, source })).toBe(expected);
  const behind = [...own.toReversed(), `error: ${error.text}`].join("\n");
  expect(locatedError({ ...error, whole: behind, position, source })).toBe(expected);
});

test("a definition of an input is not taken for one of the flake", () => {
  const whole = ["A definition is not of type `boolean'.", ...trace(library)].join("\n");
  expect(locatedError({ text: "A definition is not of type `boolean'.", whole, source })).toBe(
    "A definition is not of type `boolean'.",
  );
});
