import * as v from "valibot";
import { expect, test } from "vitest";
import { HomelabError } from "../../base/errors.ts";
import { StorePath } from "../../protocol/names.ts";
import type { Derivation } from "../store.ts";
import { createToplevelCheck } from "./toplevel.ts";

const hash = "0".repeat(32);
const drvPath = v.parse(StorePath, `/nix/store/${hash}-nixos-system-web.drv`);
const out = v.parse(StorePath, `/nix/store/${hash}-nixos-system-web`);
const truth = { drvPath, instantiated: true, output: out };

const check = (said: unknown, derivation: Partial<Derivation> = {}) =>
  createToplevelCheck({
    storeDirectory: "/nix/store",
    readDerivation: async () => ({
      outputs: new Map([["out", out]]),
      inputDrvs: new Map(),
      system: "x86_64-linux",
      ...derivation,
    }),
  })(said);

test("the output and the system are those of the derivation", async () => {
  expect(await check({ ...truth, system: "riscv64-linux" })).toEqual({
    type: "evaluated",
    evaluation: { drvPath, outPath: out, system: "x86_64-linux" },
  });
});

test("any output of the derivation may be the toplevel", async () => {
  const dev = v.parse(StorePath, `/nix/store/${hash}-nixos-system-web-dev`);
  const outputs = new Map([
    ["dev", dev],
    ["out", out],
  ]);
  expect(await check({ ...truth, output: dev }, { outputs })).toMatchObject({ evaluation: { outPath: dev } });
});

test.each([
  ["an output outside of the store", { output: "/etc/passwd" }, "is not an output of its derivation"],
  ["another path of the store", { output: `/nix/store/${hash}-bash` }, "is not an output of its derivation"],
  ["text in place of the output", { output: "\u001b[2J" }, "is not an output of its derivation"],
  ["a derivation outside of the store", { drvPath: `/tmp/${hash}-a.drv` }, "is not a derivation"],
  ["a derivation below the store", { drvPath: `/nix/store/x/${hash}-a.drv` }, "is not a derivation"],
  ["a path that is not a derivation", { drvPath: out }, "is not a derivation"],
  ["text in place of the derivation", { drvPath: "none" }, 'its drvPath is "none"'],
  ["a derivation that is only named", { instantiated: false }, "evaluating it does not create"],
])("%s is the host's own failure", async (_, lie, message) => {
  const checked = await check({ ...truth, ...lie });
  expect(checked).toMatchObject({
    type: "failed",
    failure: { cause: "error", message: expect.stringContaining(message) },
  });
  expect(JSON.stringify(checked)).not.toContain("\u001b[");
});

test("a derivation whose outputs are not known before it is built is the host's own failure", async () => {
  const placeholder = `/${"1".repeat(52)}`;
  expect(await check({ ...truth, output: placeholder }, { outputs: new Map() })).toMatchObject({
    failure: { cause: "error", message: expect.stringContaining("content-addressed") },
  });
});

test("a store that cannot be read, and a Nix that says nothing, are infrastructure faults", async () => {
  const readDerivation = async () => {
    throw new HomelabError("unavailable", "it is gone", { code: "DERIVATION_MISSING" });
  };
  expect(await createToplevelCheck({ storeDirectory: "/nix/store", readDerivation })(truth)).toMatchObject({
    failure: { cause: "infra", message: "it is gone" },
  });
  expect(await check({})).toMatchObject({ failure: { cause: "infra" } });
});

test("a bug is not taken for anything else", async () => {
  const readDerivation = async () => {
    throw new TypeError("x is undefined");
  };
  const checked = createToplevelCheck({ storeDirectory: "/nix/store", readDerivation })(truth);
  await expect(checked).rejects.toBeInstanceOf(TypeError);
});
