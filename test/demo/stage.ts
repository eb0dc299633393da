// What the audience sees: one line that explains, the command as a user would type it, and what the command prints.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify, styleText } from "node:util";
import { type HomeLab, type PretendedHost, program } from "./home-lab.ts";
import type { Change, SampleRepo } from "./sample-repo.ts";

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

/** Waits until there are streams; then the builder takes requests. Not by doctor: a throw-away store has no sandbox. */
export async function waitForBuilder(lab: HomeLab, signal: AbortSignal): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]);
  while (!(await succeeds(lab, ["builds", "list"], deadline)))
    await sleep(200, undefined, { signal: deadline });
}

/** What a command of `homelab-deploy` that nobody sees prints. @throws Error unless it ends with 0 */
export async function outputOf(lab: HomeLab, args: readonly string[], signal: AbortSignal): Promise<string> {
  const { stdout } = await promisify(execFile)(program, args, { env: lab.environment, signal });
  return stdout;
}

async function whileBuilderLives<Result>(lab: HomeLab, work: Promise<Result>): Promise<Result> {
  const failed = lab.builderEnded.then((how): never => {
    throw new Error(how);
  });
  return Promise.race([work, failed]);
}

/** Until something could be ordered of it. */
export async function waitForHost(lab: HomeLab, { name }: PretendedHost, signal: AbortSignal): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(120_000)]);
  while (!(await succeeds(lab, ["deploy", name, "--plan"], deadline)))
    await sleep(200, undefined, { signal: deadline });
}

/** Commits in view of the audience. */
export async function commit(repo: SampleRepo, change: Change): Promise<void> {
  await repo.commit(change);
  showCommand("git", "commit", "--all", "--message", change.message);
  console.log(`  ${repo.file}: ${change.from}  ->  ${change.to}`);
}
