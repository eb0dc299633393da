// The main job of homelab-deploy, for real and in a minute: a build of a whole home lab, a change to one host, and
// a failure. Everything runs in one temporary directory and is gone afterwards, also after Ctrl-C.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { firstCommands } from "../../src/words/next-commands.ts";
import { listenForInterruption } from "../support/interruption.ts";
import { createScratch } from "../support/scratch.ts";
import { builderLog, type HomeLab, program, startHomeLab } from "./home-lab.ts";
import type { Change, SampleRepo } from "./sample-repo.ts";
import { explain, perform, showCommand, succeeds } from "./stage.ts";

const { values: options } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
const interruption = listenForInterruption();
process.exitCode = await main();

async function main(): Promise<number> {
  await using scratch = await createScratch("homelab-deploy-demo-");
  process.env["TMPDIR"] = scratch.directory;
  try {
    explain(
      "Two repos, a private nats-server and a builder with a throw-away Nix store, all in one directory.",
    );
    console.log(scratch.directory);
    const lab = await startHomeLab(scratch.directory);
    await waitForBuilder(lab, interruption.signal);
    await show(lab, interruption.signal);
    if (options.keep) await keepRunning(lab, interruption.signal);
    return 0;
  } catch (error) {
    const interrupted = interruption.exitCode();
    if (interrupted === undefined) await reportFailure(error, scratch.directory);
    else console.error("\nInterrupted; cleaning up.");
    return interrupted ?? 1;
  }
}

async function reportFailure(failure: unknown, directory: string): Promise<void> {
  const log = await readFile(join(directory, builderLog), "utf8").catch(() => "");
  console.error("\nTHE DEMO FAILED:", failure);
  if (log !== "") console.error(`The end of the builder's log:\n${log.split("\n").slice(-20).join("\n")}`);
}

async function waitForBuilder(lab: HomeLab, signal: AbortSignal): Promise<void> {
  const deadline = AbortSignal.any([signal, AbortSignal.timeout(30_000)]);
  // Once there are streams it takes requests. Not by doctor: a throw-away store has no sandbox.
  while (!(await succeeds(lab, ["builds", "list"], deadline)))
    await sleep(200, undefined, { signal: deadline });
}

async function show(lab: HomeLab, signal: AbortSignal): Promise<void> {
  explain("Builds every host of both repos. What hosts share is built once.");
  await perform(lab, ["build", "--all"], 0, signal);

  explain("A commit changes one host; only that host is built, and of it only what changed.");
  await commit(lab.servers, {
    from: 'motd = "Welcome"',
    to: 'motd = "Welcome home"',
    message: "web01: greet more warmly",
  });
  await perform(lab, ["build", "web01"], 0, signal);

  explain("A commit breaks one host: it fails with its log, and the others are unchanged.");
  await commit(lab.servers, {
    from: 'upstream = "http://localhost:3000"',
    to: 'upstream = "localhost:3000"',
    message: "gitea: shorten the upstream",
  });
  await perform(lab, ["build", "--all"], 1, signal);

  explain("The log of that host can be read again at any time.");
  await perform(lab, ["logs", "last", "gitea"], 0, signal);

  explain("Done: the three builds ended with exit codes 0, 0 and 1, as they should.");
}

async function commit(repo: SampleRepo, change: Change): Promise<void> {
  await repo.commit(change);
  showCommand("git", "commit", "--all", "--message", change.message);
  console.log(`  hosts.nix: ${change.from}  ->  ${change.to}`);
}

async function keepRunning(lab: HomeLab, signal: AbortSignal): Promise<void> {
  explain("Everything keeps running. In another terminal:");
  showCommand("export", `HOMELAB_DEPLOY_CONFIG=${lab.configFile}`);
  showCommand("export", `PATH=${dirname(program)}:$PATH`);
  for (const { command } of firstCommands) showCommand(...command.split(" "));
  explain("Or change a host, and build it:");
  showCommand("cd", lab.servers.checkout);
  showCommand("git", "commit", "--all", "--message", "…");
  showCommand("git", "push", "origin", "master");
  showCommand("homelab-deploy", "build", "web01");
  explain("Ctrl-C stops it and removes everything.");
  if (!signal.aborted) await once(signal, "abort");
}
