import { mkdtemp, rm, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import * as v from "valibot";
import { describe, expect, onTestFinished, test } from "vitest";
import { StorePath } from "../../protocol/names.ts";
import { createDerivationReader, parseDerivation } from "./derivation.ts";

const path = (name: string): StorePath => v.parse(StorePath, `/nix/store/${"a".repeat(32)}-${name}`);
const text =
  `Derive([("dev","${path("x-dev")}","",""),("out","${path("x")}","","")],` +
  `[("${path("dep.drv")}",["dev","out"]),("${path("other.drv")}",["out"])],["${path("source")}"],` +
  `"x86_64-linux","/bin/sh",["-c","echo \\"hi\\"\\n\\ttab"],[("name","x"),("out","${path("x")}")])`;

describe("a derivation's text", () => {
  test("gives outputs, inputs and system", () => {
    expect(parseDerivation(text)).toEqual({
      outputs: new Map([
        ["dev", path("x-dev")],
        ["out", path("x")],
      ]),
      inputDrvs: new Map([
        [path("dep.drv"), ["dev", "out"]],
        [path("other.drv"), ["out"]],
      ]),
      system: "x86_64-linux",
    });
  });

  test("may have no inputs, arguments or environment", () => {
    const bare = `Derive([("out","${path("x")}","sha256","00")],[],[],"builtin","builtin:fetchurl",[],[])`;
    expect(parseDerivation(bare)).toEqual({
      outputs: new Map([["out", path("x")]]),
      inputDrvs: new Map(),
      system: "builtin",
      fetches: [],
    });
  });

  test.each([
    ['("allowSubstitutes","")', true],
    ['("allowSubstitutes","1")', undefined],
    ['("name","x")', undefined],
    [String.raw`("__json","{\"allowSubstitutes\":false,\"name\":\"x\"}")`, true],
    [String.raw`("__json","{\"name\":\"x\"}")`, undefined],
  ])("says whether Nix only builds it: %s", (variable, expected) => {
    expect(parseDerivation(`Derive([],[],[],"s","b",[],[${variable}])`).isOnlyBuilt).toBe(expected);
  });

  test("leaves out outputs whose path is not known before they are built", () => {
    const floating = `Derive([("doc","${path("d")}","",""),("out","","r:sha256","")],[],[],"s","b",[],[])`;
    expect([...parseDerivation(floating).outputs.keys()]).toEqual(["doc"]);
  });

  test.each([
    ["nothing", ""],
    ["another format", 'DrvWithVersion("xp-dyn-drv",[],[],[],"s","b",[],[])'],
    ["an end too early", text.slice(0, -1)],
    ["something behind it", `${text}\n`],
    ["a string without an end", 'Derive([("out'],
    ["a string that ends in its escape", 'Derive([("out\\'],
    ["a comma too many", 'Derive([],[],[,],"s","b",[],[])'],
    ["an output outside of a store", 'Derive([("out","/etc/passwd","","")],[],[],"s","b",[],[])'],
    ["an input that is no store path", 'Derive([],[("../x.drv",["out"])],[],"s","b",[],[])'],
  ])("is refused with %s", (_, wrong) => {
    expect(() => parseDerivation(wrong)).toThrow(Error);
  });

  test("reads any string that is escaped as Nix does it", () => {
    const escape = (value: string): string =>
      value
        .replaceAll(/["\\]/g, "\\$&")
        .replaceAll("\n", "\\n")
        .replaceAll("\r", "\\r")
        .replaceAll("\t", "\\t");
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (system) => {
        expect(parseDerivation(`Derive([],[],[],"${escape(system)}","b",[],[])`).system).toBe(system);
      }),
    );
  });

  test("cut anywhere is refused, never read halfway", () => {
    for (let length = 0; length < text.length; length++) {
      expect(() => parseDerivation(text.slice(0, length))).toThrow(Error);
    }
  });
});

describe("a reader", () => {
  async function store(): Promise<(name: string) => StorePath> {
    const directory = await mkdtemp(join(tmpdir(), "homelab-derivations-"));
    onTestFinished(async () => rm(directory, { recursive: true }));
    return (name) => v.parse(StorePath, join(directory, `${"a".repeat(32)}-${name}.drv`));
  }

  test("reads a file once while it is kept, and again when it is not", async () => {
    const at = await store();
    for (const name of ["one", "two", "three"]) await writeFile(at(name), text);
    const read = createDerivationReader(2);
    const one = await read(at("one"));
    await read(at("two"));
    expect(await read(at("one"))).toBe(one);
    await read(at("three"));
    expect(await read(at("one"))).toBe(one);
    await rm(at("two"));
    await expect(read(at("two"))).rejects.toMatchObject({ code: "DERIVATION_MISSING" });
  });

  test("says which derivation is gone", async () => {
    const at = await store();
    await expect(createDerivationReader()(at("gone"))).rejects.toMatchObject({
      kind: "unavailable",
      code: "DERIVATION_MISSING",
      message: expect.stringContaining("gone.drv"),
    });
  });

  test("refuses what is no derivation, and what is too large", async () => {
    const at = await store();
    await writeFile(at("wrong"), "hello");
    await writeFile(at("huge"), "");
    await truncate(at("huge"), 16 * 1024 * 1024 + 1);
    const read = createDerivationReader();
    const unreadable = { kind: "unavailable", code: "DERIVATION_UNREADABLE" };
    await expect(read(at("wrong"))).rejects.toMatchObject(unreadable);
    await expect(read(at("huge"))).rejects.toMatchObject(unreadable);
  });
});
