// What the audience sees: one line that explains, the command as a user would type it, and what the command prints.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { styleText } from "node:util";
import { type HomeLab, program } from "./home-lab.ts";

/** No command of the demo takes longer when all is well. */
const patienceMs = 120_000;

/** Says in one line what comes next, and why. */
export function explain(line: string): void {
  console.log(`\n${styleText("bold", `# ${line}`)}`);
}

/** Shows what a user would type. */
export function showCommand(...command: readonly string[]): void {
  console.log(styleText("cyan", `$ ${command.map(quoted).join(" ")}`));
}

const quoted = (word: string): string => (/^[\w./:=@-]+$/.test(word) ? word : `"${word}"`);

/**
 * Runs `homelab-deploy` in view of the audience.
 *
 * @throws Error unless it ends with the expected exit code in time
 */
export async function perform(
  lab: HomeLab,
  args: readonly string[],
  expected: number,
  signal: AbortSignal,
): Promise<void> {
  showCommand("homelab-deploy", ...args);
  const child = spawn(program, args, { stdio: ["ignore", "inherit", "inherit"], env: lab.environment });
  const ended = once(child, "exit", { signal: AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]) });
  const [code] = await whileBuilderLives(lab, ended);
  console.log(styleText("dim", `(exit code ${code})`));
  if (code !== expected) {
    throw new Error(`homelab-deploy ${args.join(" ")} ended with ${code}; expected was ${expected}`);
  }
}

/** Whether a command of `homelab-deploy` that nobody sees ends with 0. */
export async function succeeds(lab: HomeLab, args: readonly string[], signal: AbortSignal): Promise<boolean> {
  const child = spawn(program, args, { stdio: "ignore", env: lab.environment });
  const [code] = await whileBuilderLives(lab, once(child, "exit", { signal }));
  return code === 0;
}

async function whileBuilderLives<Result>(lab: HomeLab, work: Promise<Result>): Promise<Result> {
  const failed = lab.builderEnded.then((how): never => {
    throw new Error(how);
  });
  return Promise.race([work, failed]);
}
