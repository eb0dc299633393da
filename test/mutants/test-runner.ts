// Runs unit tests with a bug in one of the modules. It is put in while the module is loaded: no file is touched.
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { createVitest, type TestModule, type Vitest } from "vitest/node";
import { plant, type Mutant } from "./mutant.ts";

export interface TestRunner extends AsyncDisposable {
  /** Runs these test files in order, some at a time, until a test fails. */
  run(mutant: Mutant, files: readonly string[]): Promise<Outcome>;
}

export type Outcome =
  | { readonly type: "caught"; readonly test: string }
  | { readonly type: "survived" }
  /** It cannot be loaded, or no test was run: that proves nothing about the tests. */
  | { readonly type: "broken"; readonly reason: string };

/** A bug can make a test wait for what never comes. */
const deadlineMs = 20_000;
const pollMs = 4_000;
const atATime = 6;

export async function createTestRunner(root: string): Promise<TestRunner> {
  let planted: Mutant | undefined;
  const vitest: Vitest = await createVitest(
    "test",
    {
      root,
      config: false,
      watch: true,
      // Its keys do not know of planted bugs: they would stay for runs to come.
      fsModuleCache: false,
      include: ["src/**/*.test.ts", "test/**/*.test.ts"],
      reporters: [{}],
      maxWorkers: 1,
      testTimeout: deadlineMs,
      hookTimeout: deadlineMs,
      expect: { poll: { timeout: pollMs, interval: 20 } },
    },
    {
      server: { watch: null },
      plugins: [
        {
          name: "mutant",
          enforce: "pre",
          transform: (source, id) =>
            planted !== undefined && id === join(root, planted.file) ? plant(source, planted) : undefined,
        },
      ],
    },
  );
  await vitest.standalone();
  const project = vitest.getRootProject();
  /** Pass without a bug: what fails with one fails because of it. */
  const sound = new Set<string>();

  async function test(mutant: Mutant | undefined, files: readonly string[]): Promise<readonly TestModule[]> {
    planted = mutant;
    const changed = mutant === undefined ? [] : [join(root, mutant.file)];
    changed.forEach((file) => vitest.invalidateFile(file));
    try {
      const paths = new Set(files.map((file) => join(root, file)));
      const specifications = [...paths].map((path) => project.createSpecification(path));
      const { testModules } = await vitest.runTestSpecifications(specifications);
      // It gives those of earlier runs as well.
      return testModules.filter(({ moduleId }) => paths.has(moduleId));
    } finally {
      planted = undefined;
      changed.forEach((file) => vitest.invalidateFile(file));
    }
  }

  async function isSound(file: string): Promise<boolean> {
    if (sound.has(file)) return true;
    const modules = await test(undefined, [file]);
    if (modules.length === 0 || !modules.every((module) => module.ok())) return false;
    sound.add(file);
    return true;
  }

  return {
    async run(mutant, files) {
      plant(readFileSync(join(root, mutant.file), "utf8"), mutant);
      let passed = 0;
      for (let start = 0; start < files.length; start += atATime) {
        for (const module of await test(mutant, files.slice(start, start + atATime))) {
          const [failed] = module.children.allTests("failed");
          const file = relative(root, module.moduleId);
          if (failed !== undefined) {
            return (await isSound(file))
              ? { type: "caught", test: `${file}: ${failed.fullName}` }
              : { type: "broken", reason: `${file} fails without it as well` };
          }
          const [error] = module.errors();
          if (error !== undefined) return { type: "broken", reason: `${file}: ${error.message}` };
          if (module.ok()) passed++;
        }
      }
      return passed > 0 ? { type: "survived" } : { type: "broken", reason: "no test was run" };
    },
    [Symbol.asyncDispose]: async () => vitest.close(),
  };
}
