import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { builderMutants } from "./mutants/builder.ts";
import { busMutants } from "./mutants/bus.ts";
import { plant } from "./mutants/mutant.ts";
import { nixMutants } from "./mutants/nix.ts";
import { updateMutants } from "./mutants/update.ts";

const root = join(import.meta.dirname, "..");
const mutants = [...builderMutants, ...updateMutants, ...busMutants, ...nixMutants];

test("each of sixty planted bugs has its place in the sources as they are", () => {
  expect(mutants.length).toBeGreaterThanOrEqual(60);
  for (const mutant of mutants) {
    const source = readFileSync(join(root, mutant.file), "utf8");
    expect(plant(source, mutant)).not.toBe(source);
  }
});
