// The main job of homelab-deploy, for real and in two minutes: a build of a whole home lab, a change to one host that is deployed,
// a failure, a deploy that goes back, and updates that are rolled out or stopped. The host that is deployed to is a directory. Everything runs in one temporary directory and is gone afterwards, also after Ctrl-C.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import * as v from "valibot";
import { firstCommands } from "../../src/words/next-commands.ts";
import { listenForInterruption } from "../support/interruption.ts";
import { createScratch } from "../support/scratch.ts";
import {
  builderLog,
  deployerLog,
  type HomeLab,
  hostLog,
  type PretendedHost,
  program,
  startDashboard,
  startHomeLab,
  startPretendedHost,
} from "./home-lab.ts";
import { showChain } from "./chain.ts";
import { commit, explain, outputOf, perform, showCommand, waitForBuilder, waitForHost } from "./stage.ts";

const { values: options } = parseArgs({ options: { keep: { type: "boolean", default: false } } });
const interruption = listenForInterruption();
process.exitCode = await main();

async function main(): Promise<number> {
  await using scratch = await createScratch("homelab-deploy-demo-");
  process.env["TMPDIR"] = scratch.directory;
  try {
    explain(
      "Two repos, a private nats-server, a cache and a builder with a throw-away Nix store, all in one directory.",
    );
    console.log(scratch.directory);
    await using lab = await startHomeLab(scratch.directory);
    await waitForBuilder(lab, interruption.signal);
    await show(scratch.directory, lab, interruption.signal);
    if (options.keep) await keepRunning(scratch.directory, lab, interruption.signal);
    return 0;
  } catch (error) {
    const interrupted = interruption.exitCode();
    if (interrupted === undefined) await reportFailure(error, scratch.directory);
    else console.error("\nInterrupted; cleaning up.");
    return interrupted ?? 1;
  }
}

async function reportFailure(failure: unknown, directory: string): Promise<void> {
  console.error("\nTHE DEMO FAILED:", failure);
  for (const name of [builderLog, deployerLog, hostLog]) {
    const log = await readFile(join(directory, name), "utf8").catch(() => "");
    if (log !== "") console.error(`The end of ${name}:\n${log.split("\n").slice(-20).join("\n")}`);
  }
}

async function show(directory: string, lab: HomeLab, signal: AbortSignal): Promise<void> {
  explain(
    "Builds every host of both repos. What hosts share is built once, and the cache is proven to serve it.",
  );
  await perform(lab, ["build", "--all"], 0, signal);

  const start = async (name: string): Promise<PretendedHost> =>
    startPretendedHost(directory, name, await builtSystem(lab, name, signal), lab);
  const host = await start("web01");
  const others = await Promise.all([start("web02"), start("media")]);
  const failed = Promise.race([host, ...others].map(async ({ ended }) => ended)).then((how): never => {
    throw new Error(how);
  });
  await Promise.race([showDeploys(lab, host, signal), failed]);
  await Promise.race([showChain(directory, lab, others, signal), failed]);
  explain("Done: every command ended with the exit code that it should end with.");
}

async function showDeploys(lab: HomeLab, host: PretendedHost, signal: AbortSignal): Promise<void> {
  explain(
    "A directory stands in for each machine, so nothing real is changed. They run what was just built.",
  );
  console.log(host.directory);
  await waitForHost(lab, host, signal);

  explain("A commit changes one host; only that host is built, and of it only what changed.");
  await commit(lab.servers, {
    from: 'motd = "Welcome"',
    to: 'motd = "Welcome home"',
    message: "web01: greet more warmly",
  });
  await perform(lab, ["build", "web01"], 0, signal);

  explain("What was built and cached is deployed: activated, checked, confirmed, and only then permanent.");
  await perform(lab, ["deploy", "web01"], 0, signal);

  explain("A commit breaks one host: it fails with its log, and the others are unchanged.");
  await commit(lab.servers, {
    from: 'upstream = "http://localhost:3000"',
    to: 'upstream = "localhost:3000"',
    message: "gitea: shorten the upstream",
  });
  await perform(lab, ["build", "--all"], 1, signal);

  explain("The log of that host can be read again at any time.");
  await perform(lab, ["logs", "last", "gitea"], 0, signal);

  explain("A commit that builds, and does not work: nothing listens on port 8081.");
  await commit(lab.servers, {
    from: 'upstream = "http://localhost:8080"',
    to: 'upstream = "http://localhost:8081"',
    message: "web01: move the upstream",
  });
  await perform(lab, ["build", "web01"], 0, signal);

  explain("The health check of the new system fails, and the host goes back by itself.");
  await perform(lab, ["deploy", "web01"], 1, signal);
  await perform(lab, ["hosts"], 0, signal);
}

/** Where the newest build of a host is in the store. */
async function builtSystem(lab: HomeLab, host: string, signal: AbortSignal): Promise<string> {
  const text = await outputOf(lab, ["hosts", "show", host, "--json"], signal);
  const { builds } = v.parse(
    v.object({ builds: v.tuple([v.object({ outPath: v.string() })]) }),
    JSON.parse(text),
  );
  return builds[0].outPath;
}

async function keepRunning(directory: string, lab: HomeLab, signal: AbortSignal): Promise<void> {
  await startDashboard(directory, lab, AbortSignal.any([signal, AbortSignal.timeout(120_000)]));
  explain("Look at it in a browser:");
  console.log(lab.dashboardUrl);
  explain("Everything keeps running. In another terminal:");
  showCommand("export", `HOMELAB_DEPLOY_CONFIG=${lab.configFile}`);
  showCommand("export", `HOMELAB_DEPLOY_KEY=${lab.orderKeyFile}`);
  showCommand("export", `PATH=${dirname(program)}:$PATH`);
  for (const { command } of firstCommands) showCommand(...command.split(" "));
  explain("Or change a host in hosts.nix, build it, and deploy it to the pretended one:");
  showCommand("cd", lab.servers.checkout);
  showCommand("git", "commit", "--all", "--message", "…");
  showCommand("git", "push", "origin", "master");
  showCommand("homelab-deploy", "build", "web01");
  showCommand("homelab-deploy", "deploy", "web01");
  explain("Ctrl-C stops it and removes everything.");
  if (!signal.aborted) await once(signal, "abort");
}
