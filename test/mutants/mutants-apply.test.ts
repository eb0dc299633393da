import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { builderMutants } from "./builder.ts";
import { busMutants } from "./bus.ts";
import { plant } from "./mutant.ts";
import { nixMutants } from "./nix.ts";
import { updateMutants } from "./update.ts";

const root = join(import.meta.dirname, "../..");
const mutants = [...builderMutants, ...updateMutants, ...busMutants, ...nixMutants];

test("each of sixty planted bugs has its place in the sources as they are", () => {
  expect(mutants.length).toBeGreaterThanOrEqual(60);
  for (const mutant of mutants) {
    const source = readFileSync(join(root, mutant.file), "utf8");
    expect(plant(source, mutant)).not.toBe(source);
  }
});
