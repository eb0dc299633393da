// Runs unit tests with a bug in one of the modules. It is put in while the module is loaded: no file is touched.
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
/** Most are caught by the nearest tests. */
const atATime = (done: number): number => (done === 0 ? 2 : 2 * done);

export async function createTestRunner(root: string): Promise<TestRunner> {
  let planted: Mutant | undefined;
  let ended: TestModule[] = [];
  const vitest: Vitest = await createVitest(
    "test",
    {
      root,
      config: false,
      watch: true,
      // Its keys do not know of planted bugs: they would stay for runs to come.
      fsModuleCache: false,
      include: ["src/**/*.test.ts", "test/**/*.test.ts"],
      reporters: [{ onTestModuleEnd: (module) => void ended.push(module) }],
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
    const changed = mutant === undefined ? [] : [join(root, mutant.file)];
    [planted, ended] = [mutant, []];
    changed.forEach((file) => vitest.invalidateFile(file));
    try {
      await vitest.runTestSpecifications(files.map((file) => project.createSpecification(join(root, file))));
      return ended;
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
      let done = 0;
      while (done < files.length) {
        const some = files.slice(done, done + atATime(done));
        done += some.length;
        const modules = await test(mutant, some);
        for (const module of modules) {
          const file = relative(root, module.moduleId);
          const [failed] = module.children.allTests("failed");
          if (failed !== undefined) {
            return (await isSound(file))
              ? { type: "caught", test: `${file}: ${failed.fullName}` }
              : { type: "broken", reason: `${file} fails without it as well` };
          }
          const [error] = module.errors();
          if (error !== undefined) return { type: "broken", reason: `${file}: ${error.message}` };
        }
        if (modules.length < some.length) return { type: "broken", reason: "a test file has no result" };
      }
      return done > 0 ? { type: "survived" } : { type: "broken", reason: "no unit test reaches it" };
    },
    [Symbol.asyncDispose]: async () => vitest.close(),
  };
}
